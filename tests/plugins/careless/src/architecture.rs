//! Architectures `careless_<rule>`: an embedding, one layer, a tied decoder, with one slip each.

use std::sync::atomic::{AtomicBool, Ordering};

use clmbench_sdk::prelude::*;

/// The architecture that breaks this rule.
pub struct Slip(pub &'static str);

const WIDTH: i64 = 8;

struct Net {
    slip: &'static str,
    words: Tensor,
    mixing: Tensor,
    unused: Tensor,
    hidden_gain: Tensor,
    bias: Tensor,
    longest: i64,
    seen: AtomicBool,
}

impl Architecture for Slip {
    fn info(&self) -> ArchitectureInfo {
        let size = if self.0 == "careless_size" { 7 } else { WIDTH * WIDTH };
        let size = if self.0 == "careless_gradient" { 2 * size } else { size };
        ArchitectureInfo {
            name: self.0.into(),
            doc: "For tests only.".into(),
            objective: if self.0 == "careless_ahead" { Objective::CausalLm } else { Objective::MaskedLm },
            parameters: vec![ParameterInfo::integer("layers", 2, "number of layers").between(1.0, 2.0)],
            hub: (self.0 == "careless_import").then(|| HubInfo { model_types: vec!["careless".into()], ..HubInfo::default() }),
            presets: vec![PresetInfo {
                name: "tiny".into(),
                config: serde_json::Map::new(),
                learning_rate: 1e-2,
                non_embedding_parameters: size as u64,
            }],
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        assert!(self.0 != "careless_panic" || config.integer("layers")? > 1, "one layer is too few");
        let vocabulary = config.integer("vocab_size")?;
        let scale = if self.0 == "careless_initial" { 20.0 } else { 0.1 };
        Ok(Box::new(Net {
            slip: self.0,
            words: init::normal(&[vocabulary, WIDTH], scale),
            mixing: init::normal(&[WIDTH, WIDTH], if self.0 == "careless_initial" { 5.0 } else { 0.3 }),
            unused: init::normal(&[WIDTH, WIDTH], 0.3),
            hidden_gain: init::normal(&[WIDTH], 1.0),
            bias: init::constant(&[vocabulary], 0.0),
            longest: config.integer("max_positions")?,
            seen: AtomicBool::new(false),
        }))
    }

    fn import(&self, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
        // One layer, whatever the file says.
        let own = [("layers".to_owned(), 1.into())].into_iter().collect();
        let (rows, longest) = (config.integer("vocab_size")?, config.integer("max_position_embeddings")?);
        Ok(ImportedConfig { config: own, vocab_size: rows as u64, max_positions: longest as u64 })
    }
}

impl Model for Net {
    fn parameters(&self) -> Vec<Parameter> {
        let row = |name: &str, role, tensor: &Tensor| Parameter { name: name.into(), role, tensor: tensor.shallow_clone() };
        let mut rows = vec![
            row("words.weight", Role::Embedding, &self.words),
            row("mixing.weight", Role::Weight, &self.mixing),
            row("output.bias", Role::OutputBias, &self.bias),
        ];
        if self.slip == "careless_gradient" {
            rows.push(row("unused.weight", Role::Weight, &self.unused));
        }
        // Tensors that depend on how others lie in memory, which a build without storage does not have.
        if self.slip == "careless_dry" && self.words.stride() == [0, 0] {
            rows.push(row("unused.weight", Role::Weight, &self.unused));
        }
        rows
    }

    fn hidden(&self, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let embedded = Tensor::f_embedding(&self.words, ids, -1, false, false)?; // [B, L, D]
        let real = mask.f_unsqueeze(-1)?;
        let mean = |tensor: &Tensor, dims: &[i64]| -> Result<Tensor, PluginError> {
            Ok(tensor.f_sum_dim_intlist(dims, true, Kind::Float)? / real.f_sum_dim_intlist(dims, true, Kind::Float)?)
        };
        let mixed = match self.slip {
            // Padding counts as tokens.
            "careless_padding" => embedded.f_mean_dim(&[1_i64][..], true, Kind::Float)?,
            // The other molecules of the batch are mixed in.
            "careless_batch" => mean(&(&embedded * &real), &[0, 1])?,
            _ => mean(&(&embedded * &real), &[1])?,
        };
        let hidden = (embedded + mixed).f_linear(&self.mixing, None::<Tensor>)?;
        Ok(match self.slip {
            "careless_attention" if mode == AttentionMode::TwiceDifferentiable => hidden.f_sin()?,
            // A weight that no checkpoint holds.
            "careless_unlisted" => hidden.f_tanh()? * &self.hidden_gain,
            // Linear in its weights, cut off from them: no second derivative.
            "careless_flat" if mode == AttentionMode::TwiceDifferentiable => hidden.f_tanh()?.f_detach()?,
            "careless_panic" if self.seen.swap(true, Ordering::Relaxed) => hidden.f_tanh()?,
            "careless_initial" => hidden,
            _ => hidden.f_tanh()?,
        })
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, WIDTH])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        let words = if self.slip == "careless_flat" { self.words.f_detach()? } else { self.words.shallow_clone() };
        Ok(chosen.f_linear(&words, Some(&self.bias))?)
    }

    fn hub_config(&self) -> serde_json::Value {
        let rows = self.words.size()[0];
        serde_json::json!({ "model_type": "careless", "vocab_size": rows, "max_position_embeddings": self.longest })
    }
}
