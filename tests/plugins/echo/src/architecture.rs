//! `echo`: an embedding, one layer that mixes a molecule's mean in, a tied decoder. Trains in well under a second.

use clmbench_sdk::prelude::*;

/// The architecture.
pub struct Echo;

struct Net {
    words: Tensor,
    mixing: Tensor,
    bias: Tensor,
    width: i64,
}

impl Architecture for Echo {
    fn info(&self) -> ArchitectureInfo {
        let preset = |name: &str, width: i64| PresetInfo {
            name: name.into(),
            config: [("width".into(), width.into())].into_iter().collect(),
            learning_rate: 1e-2,
            non_embedding_parameters: (width * width) as u64,
        };
        ArchitectureInfo {
            name: "echo".into(),
            doc: "For tests only.".into(),
            objective: Objective::MaskedLm,
            parameters: vec![
                ParameterInfo::integer("layers", 1, "number of layers; there is one").between(1.0, 1.0),
                ParameterInfo::integer("width", 16, "width of the hidden states").between(4.0, 64.0),
            ],
            presets: vec![preset("tiny", 16), preset("small", 32)],
            hub: None,
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        let (width, vocabulary) = (config.integer("width")?, config.integer("vocab_size")?);
        Ok(Box::new(Net {
            words: init::normal(&[vocabulary, width], 0.1),
            mixing: init::normal(&[width, width], 0.1),
            bias: init::constant(&[vocabulary], 0.0),
            width,
        }))
    }
}

impl Model for Net {
    fn parameters(&self) -> Vec<Parameter> {
        let row = |name: &str, role, tensor: &Tensor| Parameter { name: name.into(), role, tensor: tensor.shallow_clone() };
        vec![
            row("words.weight", Role::Embedding, &self.words),
            row("mixing.weight", Role::Weight, &self.mixing),
            row("output.bias", Role::OutputBias, &self.bias),
        ]
    }

    fn hidden(&self, ids: &Tensor, mask: &Tensor, _mode: AttentionMode) -> Result<Tensor, PluginError> {
        let embedded = Tensor::f_embedding(&self.words, ids, -1, false, false)?; // [B, L, D]
        let weights = mask.f_unsqueeze(-1)?; // [B, L, 1]
        let sum = (&embedded * &weights).f_sum_dim_intlist(&[1_i64][..], true, Kind::Float)?; // [B, 1, D]
        let mean = sum / weights.f_sum_dim_intlist(&[1_i64][..], true, Kind::Float)?;
        Ok((embedded + mean).f_linear(&self.mixing, None::<Tensor>)?.f_tanh()?)
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, self.width])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        Ok(chosen.f_linear(&self.words, Some(&self.bias))?) // [M, V]
    }

    fn hub_config(&self) -> serde_json::Value {
        serde_json::json!({ "model_type": "clmbench-test-echo", "hidden_size": self.width })
    }
}
