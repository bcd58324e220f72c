//! `hostile`: an embedding with a tied decoder that keeps handles of its weights where the metric finds them, and
//! breaks the contract of a model on demand.

use std::sync::Mutex;

use clmbench_sdk::prelude::*;

/// The architecture.
pub struct Hostile;

/// Handles of the weights of the model that was built last, sharing their storage.
pub static WEIGHTS: Mutex<Vec<Tensor>> = Mutex::new(Vec::new());

/// What the model does wrong.
const DEEDS: [&str; 6] = ["nothing", "wrong_hidden", "wrong_logits", "nan", "panic", "same_name"];
const WIDTH: i64 = 8;

struct Net {
    words: Tensor,
    bias: Tensor,
    deed: String,
}

impl Architecture for Hostile {
    fn info(&self) -> ArchitectureInfo {
        ArchitectureInfo {
            name: "hostile".into(),
            doc: "For tests only.".into(),
            objective: Objective::MaskedLm,
            parameters: vec![
                ParameterInfo::integer("layers", 1, "number of layers; there is one").between(1.0, 1.0),
                ParameterInfo::integer("width", WIDTH, "width of the hidden states").between(WIDTH as f64, WIDTH as f64),
                ParameterInfo::text("deed", "nothing", &DEEDS, "what it does wrong"),
            ],
            hub: None,
            presets: vec![PresetInfo {
                name: "tiny".into(),
                config: serde_json::Map::new(),
                learning_rate: 1e-2,
                non_embedding_parameters: 0,
            }],
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        let vocabulary = config.integer("vocab_size")?;
        let (words, bias) = (init::normal(&[vocabulary, WIDTH], 0.1), init::constant(&[vocabulary], 0.0));
        if let Ok(mut weights) = WEIGHTS.lock() {
            *weights = vec![words.shallow_clone(), bias.shallow_clone()];
        }
        Ok(Box::new(Net { words, bias, deed: config.text("deed")? }))
    }
}

impl Model for Net {
    fn parameters(&self) -> Vec<Parameter> {
        let row = |name: &str, role, tensor: &Tensor| Parameter { name: name.into(), role, tensor: tensor.shallow_clone() };
        let second = if self.deed == "same_name" { "words.weight" } else { "output.bias" };
        vec![row("words.weight", Role::Embedding, &self.words), row(second, Role::OutputBias, &self.bias)]
    }

    fn hidden(&self, ids: &Tensor, _mask: &Tensor, _mode: AttentionMode) -> Result<Tensor, PluginError> {
        let hidden = Tensor::f_embedding(&self.words, ids, -1, false, false)?; // [B, L, D]
        match self.deed.as_str() {
            "wrong_hidden" => Ok(hidden.f_flatten(0, 1)?), // [B * L, D]
            "nan" => Ok(hidden * f64::NAN),
            "panic" => panic!("the architecture panics on purpose"),
            _ => Ok(hidden),
        }
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, WIDTH])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        let logits = chosen.f_linear(&self.words, Some(&self.bias))?; // [M, V]
        if self.deed == "wrong_logits" { Ok(logits.f_narrow(1, 0, 5)?) } else { Ok(logits) }
    }

    fn hub_config(&self) -> serde_json::Value {
        serde_json::json!({ "model_type": "clmbench-test-hostile" })
    }
}
