//! Folders of others: `config.json` of ibm/MoLFormer-XL-both-10pct and its kin, read and written.

use clmbench_sdk::prelude::*;
use serde_json::json;

use crate::{ATTENTION_EPSILON, Config, INIT_STD, NORM_EPSILON};

/// Which files are read, and by which names.
pub fn hub() -> HubInfo {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let head =
        ["dense", "dense2", "out_proj"].map(|layer| [format!("classifier.{layer}.weight"), format!("classifier.{layer}.bias")]);
    HubInfo {
        model_types: words(&["molformer"]),
        class: None,
        prefix: "molformer.".into(),
        renamed: Vec::new(),
        tied: vec![("lm_head.decoder.weight".into(), "molformer.embeddings.word_embeddings.weight".into())],
        ignored: words(&["position_ids", "inv_freq", "cos_cached", "sin_cached"]).into_iter().chain(head.concat()).collect(),
        optional: words(&["lm_head."]),
        head: words(&["lm_head."]),
    }
}

/// Our configuration of theirs.
pub fn config(config: &HubConfig) -> Result<ImportedConfig, PluginError> {
    let width = config.integer("hidden_size")?;
    let heads = config.integer("num_attention_heads")?;
    if heads == 0 || width % heads != 0 {
        let text = format!("`hidden_size` {width} is not a multiple of `num_attention_heads` {heads}");
        return Err(PluginError::Input(text));
    }
    config.word("hidden_act", &["gelu"], "gelu")?;
    config.word("feature_map_kernel", &["relu"], "relu")?;
    let own = [
        ("layers", json!(config.integer("num_hidden_layers")?)),
        ("width", json!(width)),
        ("head_width", json!(width / heads)),
        ("features", json!(config.integer_or("num_random_features", 32)?)),
        ("ffn_width", json!(config.integer("intermediate_size")?)),
        ("layer_norm_eps", json!(config.float_or("layer_norm_eps", NORM_EPSILON)?)),
        ("attention_eps", json!(config.float_or("linear_attention_eps", ATTENTION_EPSILON)?)),
        ("tied", json!(config.boolean_or("tie_word_embeddings", true)?)),
    ];
    Ok(ImportedConfig {
        config: own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        vocab_size: config.integer("vocab_size")? as u64,
        max_positions: config.integer("max_position_embeddings")? as u64,
    })
}

/// `config.json` of a model.
pub fn hub_config(config: &Config) -> serde_json::Value {
    json!({
        "architectures": ["MolformerForMaskedLM"], "model_type": "molformer",
        "hidden_size": config.width, "num_hidden_layers": config.layers,
        "num_attention_heads": config.width / config.head_width, "intermediate_size": config.inner,
        "vocab_size": config.vocab_size, "max_position_embeddings": config.max_positions,
        "hidden_act": "gelu", "num_random_features": config.features, "feature_map_kernel": "relu",
        "deterministic_eval": true, "layer_norm_eps": config.norm_epsilon, "linear_attention_eps": config.attention_epsilon,
        "initializer_range": INIT_STD, "hidden_dropout_prob": 0.0, "embedding_dropout_prob": 0.0,
        "pad_token_id": 0, "tie_word_embeddings": config.tied, "torch_dtype": "float32",
    })
}
