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
pub fn config(info: &ArchitectureInfo, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
    config.word("hidden_act", &["gelu"], "gelu")?;
    config.word("feature_map_kernel", &["relu"], "relu")?;
    let attention_epsilon = config.float_or("linear_attention_eps", ATTENTION_EPSILON)?;
    let read = [
        ("layers", "num_hidden_layers", config.integer("num_hidden_layers")?.into()),
        ("width", "hidden_size", config.integer("hidden_size")?.into()),
        ("head_width", "num_attention_heads", config.part("hidden_size", "num_attention_heads")?.into()),
        ("features", "num_random_features", config.integer_or("num_random_features", 32)?.into()),
        ("ffn_width", "intermediate_size", config.integer("intermediate_size")?.into()),
        ("layer_norm_eps", "layer_norm_eps", config.float_or("layer_norm_eps", NORM_EPSILON)?.into()),
        ("attention_eps", "linear_attention_eps", attention_epsilon.into()),
        ("tied", "tie_word_embeddings", config.boolean_or("tie_word_embeddings", true)?.into()),
    ];
    HubConfig::imported(info, &read, (config.integer("vocab_size")?, config.integer("max_position_embeddings")?))
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
