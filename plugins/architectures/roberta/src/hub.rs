//! Checkpoints of others: `config.json` and tensor names of Hugging Face `RobertaForMaskedLM`, `RobertaModel` and their kin.

use clmbench_sdk::prelude::*;

use crate::Activation;

/// The rules from tensor names in files to ours.
pub fn info() -> HubInfo {
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    HubInfo {
        model_types: texts(&["roberta"]),
        class: Some("RobertaForMaskedLM".into()),
        renamed: pairs(&[("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")]),
        prefix: "roberta.".into(),
        tied: pairs(&[
            ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
            ("lm_head.decoder.bias", "lm_head.bias"),
        ]),
        // The pooler of the bare encoder and the heads of other tasks lead to no logits of tokens.
        ignored: texts(&[
            "position_ids",
            "embeddings.token_type_ids",
            "pooler.dense.weight",
            "pooler.dense.bias",
            "classifier.weight",
            "classifier.bias",
            "classifier.dense.weight",
            "classifier.dense.bias",
            "classifier.out_proj.weight",
            "classifier.out_proj.bias",
        ]),
        optional: texts(&["lm_head."]),
        head: texts(&["lm_head."]),
    }
}

/// Our configuration for a `config.json`; where a field is absent, what `transformers` takes for it.
pub fn import(info: &ArchitectureInfo, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
    config.must("is_decoder", false, false)?;
    config.must("add_cross_attention", false, false)?;
    config.must("tie_word_embeddings", true, true)?;
    config.word("position_embedding_type", &["absolute"], "absolute")?;
    let activation = Activation::read(&config.word("hidden_act", &Activation::WORDS.map(|(word, _)| word), "gelu")?)?;
    let (width, inner) = (config.integer("hidden_size")?, config.integer("intermediate_size")?);
    let padding = config.integer_or("pad_token_id", 1)?;
    let rows = config.integer("max_position_embeddings")?;
    let mut read = vec![
        ("layers", "num_hidden_layers", config.integer("num_hidden_layers")?.into()),
        ("width", "hidden_size", width.into()),
        ("head_width", "num_attention_heads", config.part("hidden_size", "num_attention_heads")?.into()),
        ("padding_id", "pad_token_id", padding.into()),
        ("segments", "type_vocab_size", config.integer_or("type_vocab_size", 2)?.into()),
        ("norm_epsilon", "layer_norm_eps", config.float_or("layer_norm_eps", 1e-12)?.into()),
        ("activation", "hidden_act", activation.word().into()),
    ];
    match inner / width {
        multiple @ 1..=16 if inner % width == 0 => read.push(("ffn_multiple", "intermediate_size", multiple.into())),
        _ => read.push(("ffn_width", "intermediate_size", inner.into())),
    }
    HubConfig::imported(info, &read, (config.integer("vocab_size")?, rows - padding - 1))
}
