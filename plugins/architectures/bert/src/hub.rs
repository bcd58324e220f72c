//! Checkpoints of others: `config.json` and tensor names of Hugging Face `BertForPreTraining`, `BertForMaskedLM`, `BertModel`
//! and their kin.

use clmbench_sdk::prelude::*;

use crate::{Activation, NORM_EPSILON};

/// The rules from tensor names in files to ours.
pub fn info() -> HubInfo {
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    HubInfo {
        model_types: texts(&["bert"]),
        class: Some("BertForPreTraining".into()),
        renamed: pairs(&[("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")]),
        prefix: "bert.".into(),
        tied: pairs(&[
            ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
            ("cls.predictions.decoder.bias", "cls.predictions.bias"),
        ]),
        // Next-sentence prediction and the heads of other tasks lead to no logits of tokens.
        ignored: texts(&[
            "position_ids",
            "embeddings.token_type_ids",
            "cls.seq_relationship.weight",
            "cls.seq_relationship.bias",
            "classifier.weight",
            "classifier.bias",
        ]),
        optional: texts(&["bert.pooler.", "cls.predictions."]),
        head: texts(&["cls.predictions."]),
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
    let segments = config.integer_or("type_vocab_size", 2)?;
    let norm_epsilon = config.float_or("layer_norm_eps", NORM_EPSILON)?;
    let mut read = vec![
        ("layers", "num_hidden_layers", config.integer("num_hidden_layers")?.into()),
        ("width", "hidden_size", width.into()),
        ("head_width", "num_attention_heads", config.part("hidden_size", "num_attention_heads")?.into()),
    ];
    // What is as in the original is not set, so that a checkpoint of ours has the configuration that it was trained with.
    match inner / width {
        multiple @ 1..=16 if inner % width == 0 => read.push(("ffn_multiple", "intermediate_size", multiple.into())),
        _ => read.push(("ffn_width", "intermediate_size", inner.into())),
    }
    if segments != 2 {
        read.push(("segments", "type_vocab_size", segments.into()));
    }
    if norm_epsilon != NORM_EPSILON {
        read.push(("norm_epsilon", "layer_norm_eps", norm_epsilon.into()));
    }
    if activation != Activation::Gelu {
        read.push(("activation", "hidden_act", activation.word().into()));
    }
    HubConfig::imported(info, &read, (config.integer("vocab_size")?, config.integer("max_position_embeddings")?))
}
