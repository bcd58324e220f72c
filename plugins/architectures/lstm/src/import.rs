//! Folders in the layout that `model export` writes: there is no class of `transformers` for an LSTM language model, so the word of
//! `model_type` is our own, and the names of tensors are those of PyTorch's modules.

use clmbench_sdk::prelude::*;
use serde_json::json;

use crate::Config;

const MODEL_TYPE: &str = "clmbench_lstm";

/// Which files are read, and by which names.
pub fn hub() -> HubInfo {
    let output = vec!["output.".to_owned()];
    HubInfo { model_types: vec![MODEL_TYPE.into()], optional: output.clone(), head: output, ..HubInfo::default() }
}

/// Our configuration of theirs.
pub fn config(config: &HubConfig) -> Result<ImportedConfig, PluginError> {
    config.must("bidirectional", false, false)?;
    let width = config.integer("hidden_size")?;
    let own = [
        ("layers", config.integer("num_hidden_layers")?),
        ("width", width),
        ("embedding_width", config.integer_or("embedding_size", width)?),
    ];
    Ok(ImportedConfig {
        config: own.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect(),
        vocab_size: config.integer("vocab_size")? as u64,
        max_positions: config.integer("max_position_embeddings")? as u64,
    })
}

/// `config.json` of a model.
pub fn hub_config(config: &Config) -> serde_json::Value {
    json!({
        "model_type": MODEL_TYPE, "hidden_size": config.width, "num_hidden_layers": config.layers,
        "embedding_size": config.embedding_width, "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_positions, "bidirectional": false,
        "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "tie_word_embeddings": false, "torch_dtype": "float32",
    })
}
