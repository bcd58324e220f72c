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
pub fn config(info: &ArchitectureInfo, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
    config.must("bidirectional", false, false)?;
    let width = config.integer("hidden_size")?;
    let read = [
        ("layers", "num_hidden_layers", config.integer("num_hidden_layers")?.into()),
        ("width", "hidden_size", width.into()),
        ("embedding_width", "embedding_size", config.integer_or("embedding_size", width)?.into()),
    ];
    HubConfig::imported(info, &read, (config.integer("vocab_size")?, config.integer("max_position_embeddings")?))
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
