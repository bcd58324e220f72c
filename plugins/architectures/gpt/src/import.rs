//! Folders of others: `config.json` of `GPTNeoXForCausalLM`, read (as versions 4 and 5 of `transformers` write it) and written.

use clmbench_sdk::prelude::*;
use serde_json::json;

use crate::{Config, INIT_STD, NORM_EPSILON, rotary};

/// Which files are read, and by which names.
pub fn hub() -> HubInfo {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    HubInfo {
        model_types: words(&["gpt_neox"]),
        class: Some("GPTNeoXForCausalLM".into()),
        // What version 5 calls it in memory.
        renamed: vec![("lm_head.weight".into(), "embed_out.weight".into())],
        prefix: "gpt_neox.".into(),
        tied: vec![("embed_out.weight".into(), "gpt_neox.embed_in.weight".into())],
        // Masks and frequencies that older versions saved.
        ignored: words(&["attention.bias", "attention.masked_bias", "rotary_emb.inv_freq"]),
        optional: words(&["embed_out."]),
        head: words(&["embed_out."]),
    }
}

/// Our configuration of theirs. What is absent has the default of `GPTNeoXConfig`.
pub fn config(info: &ArchitectureInfo, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
    config.word("hidden_act", &["gelu"], "gelu")?;
    let (share, base) = positions(config)?;
    let read = [
        ("layers", "num_hidden_layers", config.integer("num_hidden_layers")?.into()),
        ("width", "hidden_size", config.integer("hidden_size")?.into()),
        ("head_width", "num_attention_heads", config.part("hidden_size", "num_attention_heads")?.into()),
        ("ffn_width", "intermediate_size", config.integer("intermediate_size")?.into()),
        ("layer_norm_eps", "layer_norm_eps", config.float_or("layer_norm_eps", NORM_EPSILON)?.into()),
        ("parallel_residual", "use_parallel_residual", config.boolean_or("use_parallel_residual", true)?.into()),
        ("rotary_share", "partial_rotary_factor", share.into()),
        ("rotary_base", "rope_theta", base.into()),
        ("attention_bias", "attention_bias", config.boolean_or("attention_bias", true)?.into()),
        ("tied", "tie_word_embeddings", config.boolean_or("tie_word_embeddings", false)?.into()),
    ];
    HubConfig::imported(info, &read, (config.integer("vocab_size")?, config.integer("max_position_embeddings")?))
}

/// Share of a head that is turned, and base of the frequencies: in `rope_parameters` (version 5) or beside the other fields.
fn positions(config: &HubConfig) -> Result<(f64, f64), PluginError> {
    if config.get("rope_scaling").is_some() {
        let text = "config.json: `rope_scaling` is set; this architecture computes positions as they are, unscaled";
        return Err(PluginError::Input(text.into()));
    }
    let inside = config.object("rope_parameters")?.unwrap_or_default();
    inside.word("rope_type", &["default"], "default")?;
    let share = config.float_or("partial_rotary_factor", config.float_or("rotary_pct", 0.25)?)?;
    let base = config.float_or("rope_theta", config.float_or("rotary_emb_base", rotary::BASE)?)?;
    Ok((inside.float_or("partial_rotary_factor", share)?, inside.float_or("rope_theta", base)?))
}

/// `config.json` of a model, for both versions.
pub fn hub_config(config: &Config) -> serde_json::Value {
    let (share, base) = (config.rotary_share, config.rotary_base.unwrap_or(rotary::BASE));
    json!({
        "architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox",
        "hidden_size": config.width, "num_hidden_layers": config.layers,
        "num_attention_heads": config.width / config.head_width, "intermediate_size": config.inner,
        "vocab_size": config.vocab_size, "max_position_embeddings": config.max_positions,
        "hidden_act": "gelu", "layer_norm_eps": config.norm_epsilon, "initializer_range": INIT_STD,
        "rotary_pct": share, "rotary_emb_base": base,
        "rope_parameters": { "rope_type": "default", "rope_theta": base, "partial_rotary_factor": share },
        "use_parallel_residual": config.parallel, "attention_bias": config.attention_bias,
        "hidden_dropout": 0.0, "attention_dropout": 0.0, "classifier_dropout": 0.0,
        "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
        "tie_word_embeddings": config.tied, "is_decoder": true, "torch_dtype": "float32",
    })
}
