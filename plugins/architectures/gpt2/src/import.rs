//! Folders of others: `config.json` of `GPT2LMHeadModel`, read and written.

use clmbench_sdk::prelude::*;
use serde_json::json;

use crate::{ACTIVATIONS, Config, INIT_STD, NORM_EPSILON};

/// Which files are read, and by which names.
pub fn hub() -> HubInfo {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    HubInfo {
        model_types: words(&["gpt2"]),
        class: Some("GPT2LMHeadModel".into()),
        prefix: "transformer.".into(),
        tied: vec![("lm_head.weight".into(), "transformer.wte.weight".into())],
        // Masks that older versions saved.
        ignored: words(&["attn.bias", "attn.masked_bias"]),
        optional: words(&["lm_head."]),
        head: words(&["lm_head."]),
        ..HubInfo::default()
    }
}

/// Our configuration of theirs. What is absent has the default of `GPT2Config`, but for the geometry, which must be there.
pub fn config(info: &ArchitectureInfo, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
    config.must("scale_attn_weights", true, true)?;
    config.must("scale_attn_by_inverse_layer_idx", false, false)?;
    config.must("add_cross_attention", false, false)?;
    let width = config.integer("n_embd")?;
    let inner = match config.get("n_inner") {
        Some(_) => config.integer("n_inner")?,
        None => 4 * width,
    };
    let read = [
        ("layers", "n_layer", config.integer("n_layer")?.into()),
        ("width", "n_embd", width.into()),
        ("head_width", "n_head", config.part("n_embd", "n_head")?.into()),
        ("ffn_width", "n_inner", inner.into()),
        ("layer_norm_eps", "layer_norm_epsilon", config.float_or("layer_norm_epsilon", NORM_EPSILON)?.into()),
        ("activation", "activation_function", config.word("activation_function", &ACTIVATIONS, ACTIVATIONS[0])?.into()),
        ("tied", "tie_word_embeddings", config.boolean_or("tie_word_embeddings", true)?.into()),
    ];
    HubConfig::imported(info, &read, (config.integer("vocab_size")?, config.integer("n_positions")?))
}

/// `config.json` of a model.
pub fn hub_config(config: &Config) -> serde_json::Value {
    json!({
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2",
        "n_embd": config.width, "n_layer": config.layers, "n_head": config.width / config.head_width, "n_inner": config.inner,
        "vocab_size": config.vocab_size, "n_positions": config.max_positions,
        "activation_function": config.activation.word(), "layer_norm_epsilon": config.norm_epsilon, "initializer_range": INIT_STD,
        "scale_attn_weights": true, "scale_attn_by_inverse_layer_idx": false, "reorder_and_upcast_attn": false,
        "embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0,
        "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
        "tie_word_embeddings": config.tied, "torch_dtype": "float32",
    })
}
