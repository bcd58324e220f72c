//! A small architecture, as a plugin would export it, whose forward pass can be made to fail after a number of calls.

#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::sync::atomic::{AtomicI64, Ordering};

use clmbench_engine::pretrain::{self, Folders};
use clmbench_engine::report::Reporter;
use clmbench_engine::training_state::Saving;
use clmbench_molecules::{TokenCache, TokenCacheBuilder};
use clmbench_protocol::{Number, Objective, PluginRef, Precision, Pretrain, PretrainOutput, Schedule, ScheduleKind, revision};
use clmbench_sdk::abi_stable::prefix_type::PrefixTypeTrait;
use clmbench_sdk::api::{AttentionMode, PluginModule, PluginModuleRef, Role};
use clmbench_sdk::export::{self, Exports};
use clmbench_sdk::prelude::{Architecture, ArchitectureInfo, Dataset, Metric, Model, Parameter, Params, PluginError, init};
use tch::{Kind, Tensor};

/// Calls of `hidden` that are left before it fails; negative = no end.
pub static FUSE: AtomicI64 = AtomicI64::new(-1);

struct Tiny;

struct TinyModel {
    words: Tensor,
    first: Tensor,
    second: Tensor,
}

impl Architecture for Tiny {
    fn info(&self) -> ArchitectureInfo {
        ArchitectureInfo {
            name: "tiny".into(),
            doc: String::new(),
            objective: Objective::MaskedLm,
            parameters: Vec::new(),
            presets: Vec::new(),
            hub: None,
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        let words = init::normal(&[config.integer("vocab_size")?, 12], 0.2);
        Ok(Box::new(TinyModel { words, first: init::normal(&[12, 24], 0.2), second: init::normal(&[12, 12], 0.2) }))
    }
}

impl Model for TinyModel {
    fn parameters(&self) -> Vec<Parameter> {
        let row = |name: &str, role, tensor: &Tensor| Parameter { name: name.into(), role, tensor: tensor.shallow_clone() };
        vec![
            row("words.weight", Role::Embedding, &self.words),
            row("first.weight", Role::Weight, &self.first),
            row("second.weight", Role::Weight, &self.second),
        ]
    }

    fn hidden(&self, ids: &Tensor, mask: &Tensor, _mode: AttentionMode) -> Result<Tensor, PluginError> {
        let left = FUSE.load(Ordering::SeqCst);
        if left == 0 {
            return Err(PluginError::other("the fuse is blown"));
        }
        if left > 0 {
            FUSE.store(left - 1, Ordering::SeqCst);
        }
        let embedded = Tensor::f_embedding(&self.words, ids, -1, false, false)?;
        let weights = mask.unsqueeze(-1);
        let mean = (&embedded * &weights).sum_dim_intlist(&[1_i64][..], true, Kind::Float)
            / weights.sum_dim_intlist(&[1_i64][..], true, Kind::Float);
        let both = Tensor::cat(&[&embedded, &mean.expand_as(&embedded)], -1);
        Ok(both.f_linear(&self.first, None::<Tensor>)?.tanh().f_linear(&self.second, None::<Tensor>)? + embedded)
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, 12])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        Ok(chosen.f_linear(&self.words, None::<Tensor>)?)
    }

    fn hub_config(&self) -> serde_json::Value {
        serde_json::json!({ "model_type": "tiny" })
    }
}

struct Exported;

impl Exports for Exported {
    const NAME: &'static str = "tiny";
    const VERSION: &'static str = "0.1.0";
    fn architectures() -> Vec<Box<dyn Architecture>> {
        vec![Box::new(Tiny)]
    }
    fn datasets() -> Vec<Box<dyn Dataset>> {
        Vec::new()
    }
    fn metrics() -> Vec<Box<dyn Metric>> {
        Vec::new()
    }
}

pub fn module() -> PluginModuleRef {
    PluginModule {
        manifest: export::manifest::<Exported>,
        new_model: export::new_model::<Exported>,
        import_config: export::import_config::<Exported>,
        shapes: export::shapes::<Exported>,
        read_dataset: export::read_dataset::<Exported>,
        measure: export::measure::<Exported>,
    }
    .leak_into_prefix()
}

/// A corpus folder with `molecules` regular "molecules" that can be learnt.
pub fn corpus(folder: &std::path::Path, molecules: u64) {
    for (name, count, shift) in [("train.bin", molecules, 0), ("heldout.bin", 50, 9_000)] {
        let mut builder = TokenCacheBuilder::new(32, 30);
        for molecule in 0..count {
            let length = 4 + (molecule * 13 + shift) % 17;
            let body = (0..length).map(|position| (5 + (molecule * 7 + position * 3 + shift) % 25) as u16);
            let ids: Vec<u16> = std::iter::once(2).chain(body).chain(std::iter::once(3)).collect();
            builder.push(&ids).unwrap();
        }
        builder.write(&folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("tokenizer.json"), b"{}").unwrap();
}

pub fn spec(corpus: &std::path::Path, tokens: u64, checkpoints: u32) -> Pretrain {
    Pretrain {
        revision: revision::PRETRAIN,
        plugin: PluginRef { name: "tiny".into(), version: "0.1.0".into(), digest: None },
        architecture: "tiny".into(),
        config: serde_json::Map::new(),
        objective: Objective::MaskedLm,
        corpus_digest: TokenCache::open(&corpus.join("train.bin")).unwrap().digest().to_owned(),
        tokenizer_digest: clmbench_molecules::digest::blake3_file(&corpus.join("tokenizer.json")).unwrap(),
        tokens,
        checkpoints,
        batch: 8,
        accumulate: 1,
        learning_rate: Number(0.01),
        schedule: Schedule { kind: ScheduleKind::ConstantWithCooldown, warmup: Number(0.05), cooldown: Number(0.2) },
        mask_ratio: Number(0.15),
        weight_decay: Number(0.01),
        betas: (Number(0.9), Number(0.999)),
        clip: Number(1.0),
        seed: 3,
        precision: Precision::Float32,
        threads: 1,
    }
}

pub fn pretrain(
    spec: &Pretrain,
    corpus: &std::path::Path,
    work: &std::path::Path,
) -> clmbench_engine::failure::Result<PretrainOutput> {
    pretrain::run(spec, module(), Folders { corpus, work }, &Reporter::silent())
}

/// [`pretrain`] that saves its state after every step.
pub fn pretrain_saving(
    spec: &Pretrain,
    corpus: &std::path::Path,
    work: &std::path::Path,
) -> clmbench_engine::failure::Result<PretrainOutput> {
    let always = Saving { every: std::time::Duration::ZERO, share: f64::INFINITY };
    pretrain::run_saving(spec, module(), Folders { corpus, work }, always, &Reporter::silent())
}
