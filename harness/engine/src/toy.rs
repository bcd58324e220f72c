//! A tiny model and corpus, made on the spot, on which plugins are tried: embedding, one mixing layer, tied decoder,
//! for either objective.

use std::path::Path;

use clmbench_api::{AttentionMode, Role};
use clmbench_molecules::{TokenCache, TokenCacheBuilder};
use clmbench_protocol::{Budget, Objective, RunFacts, TrainSample};
use clmbench_sdk::{Model as SdkModel, Parameter, PluginError, init, model_box};
use tch::{Kind, Tensor};

use crate::{
    failure::{OrFail, Result},
    model::{Model, Vocabulary},
    probe::{ProbeHost, Samples, Setting},
    report::Reporter,
    seed,
};

/// Entries of the toy vocabulary.
pub const VOCABULARY: u64 = 24;
/// Longest sequence of the toy corpus.
pub const MAX_TOKENS: u64 = 16;
const WIDTH: i64 = 8;

struct Toy {
    objective: Objective,
    words: Tensor,
    mixing: Tensor,
    bias: Tensor,
}

impl SdkModel for Toy {
    fn parameters(&self) -> Vec<Parameter> {
        let row = |name: &str, role, tensor: &Tensor| Parameter { name: name.into(), role, tensor: tensor.shallow_clone() };
        vec![
            row("words.weight", Role::Embedding, &self.words),
            row("mixing.weight", Role::Weight, &self.mixing),
            row("output.bias", Role::OutputBias, &self.bias),
        ]
    }

    fn hidden(&self, ids: &Tensor, mask: &Tensor, _mode: AttentionMode) -> std::result::Result<Tensor, PluginError> {
        let embedded = Tensor::f_embedding(&self.words, ids, -1, false, false)?; // [B, L, D]
        let weights = mask.unsqueeze(-1);
        // What a position sees: the mean of all tokens, or of those up to it.
        let total = |tensor: &Tensor| match self.objective {
            Objective::MaskedLm => tensor.f_sum_dim_intlist(&[1_i64][..], true, Kind::Float),
            Objective::CausalLm => tensor.f_cumsum(1, Kind::Float),
        };
        let mean = total(&(&embedded * &weights))? / total(&weights)?;
        Ok((embedded + mean).f_linear(&self.mixing, None::<Tensor>)?.f_tanh()?)
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> std::result::Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, WIDTH])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        Ok(chosen.f_linear(&self.words, Some(&self.bias))?)
    }

    fn hub_config(&self) -> serde_json::Value {
        serde_json::json!({ "model_type": "clmbench-toy" })
    }
}

/// The toy model for masked language modelling, the same every time.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn model() -> Result<Model> {
    model_for(Objective::MaskedLm)
}

/// The toy model of an objective, the same every time.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn model_for(objective: Objective) -> Result<Model> {
    let toy = seed::drawn(1, || Toy {
        objective,
        words: init::normal(&[VOCABULARY as i64, WIDTH], 0.3),
        mixing: init::normal(&[WIDTH, WIDTH], 0.3),
        bias: init::constant(&[VOCABULARY as i64], 0.0),
    });
    Model::from_box(model_box(Box::new(toy)), Vocabulary::new(VOCABULARY, MAX_TOKENS))
}

/// A probe of a toy model on the toy corpus in a folder, with its training part, at the quick budget.
///
/// # Errors
/// A folder without the corpus.
pub fn probe<'a>(
    model: &'a Model,
    objective: Objective,
    folder: &Path,
    note: &'a str,
    reporter: &'a Reporter,
) -> Result<ProbeHost<'a>> {
    let (inner, all) = model.counts();
    let facts = RunFacts {
        non_embedding_parameters: inner,
        total_parameters: all,
        tokens: Some(1000),
        corpus_molecules: Some(64),
        training_flops: Some((6000.0 * inner as f64).into()),
    };
    let train = TokenCache::open(&folder.join("train.bin")).or_fail()?;
    let train = TrainSample { digest: train.digest().into(), molecules: train.len() as u64 };
    let setting = Setting { objective, facts, identity: "toy", seed: 7, budget: Budget::Quick, note };
    ProbeHost::new(model, Samples { corpus: folder, train: Some((folder, &train)) }, setting, reporter)
}

/// Writes the toy corpus (`train.bin`, `heldout.bin`) into a folder.
///
/// # Errors
/// What cannot be written.
pub fn corpus(folder: &Path) -> Result<()> {
    for (name, count, shift) in [("train.bin", 64_u64, 0_u64), ("heldout.bin", 40, 1000)] {
        let mut builder = TokenCacheBuilder::new(MAX_TOKENS as usize, VOCABULARY as usize);
        for molecule in 0..count {
            let length = 3 + (molecule * 7 + shift) % 10;
            let body = (0..length).map(|position| (5 + (molecule * 3 + position * 5 + shift) % (VOCABULARY - 5)) as u16);
            let ids: Vec<u16> = std::iter::once(2).chain(body).chain(std::iter::once(3)).collect();
            builder.push(&ids).or_fail()?;
        }
        builder.write(&folder.join(name)).or_fail()?;
    }
    Ok(())
}
