//! Checkpoints of others: `config.json` and tensor names of Hugging Face `ModernBertForMaskedLM`, `ModernBertModel` and of
//! ModChemBERT, which writes the same fields under a word of its own.

use clmbench_sdk::prelude::*;

/// The rules from tensor names in files to ours.
pub fn info() -> HubInfo {
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    HubInfo {
        model_types: texts(&["modernbert", "modchembert"]),
        class: Some("ModernBertForMaskedLM".into()),
        renamed: Vec::new(),
        prefix: "model.".into(),
        tied: vec![("decoder.weight".into(), "model.embeddings.tok_embeddings.weight".into())],
        // Heads of other tasks, and what ModChemBERT pools with, lead to no logits of tokens.
        ignored: texts(&[
            "classifier.weight",
            "classifier.bias",
            "pooling_attn.Wq.weight",
            "pooling_attn.Wk.weight",
            "pooling_attn.Wv.weight",
            "pooling_attn.Wo.weight",
        ]),
        optional: texts(&["head.", "decoder."]),
        head: texts(&["head.", "decoder."]),
    }
}

/// Our configuration for a `config.json` of either form: rotary bases and kinds of layers stand in `rope_parameters` and
/// `layer_types` since `transformers` 5, and in fields of their own before. Where a field is absent, what `transformers` takes.
pub fn import(info: &ArchitectureInfo, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
    for (field, wanted) in [
        ("norm_bias", false),
        ("attention_bias", false),
        ("mlp_bias", false),
        ("classifier_bias", false),
        ("decoder_bias", true),
        ("tie_word_embeddings", true),
    ] {
        config.must(field, wanted, wanted)?;
    }
    config.word("hidden_activation", &["gelu"], "gelu")?;
    config.word("classifier_activation", &["gelu"], "gelu")?;
    let layers = config.integer("num_hidden_layers")?;
    let global_every = global_every(config, layers)?;
    let ((global_field, global_base), (local_field, local_base)) = bases(config)?;
    let read = [
        ("layers", "num_hidden_layers", layers.into()),
        ("width", "hidden_size", config.integer("hidden_size")?.into()),
        ("head_width", "num_attention_heads", config.part("hidden_size", "num_attention_heads")?.into()),
        ("ffn_width", "intermediate_size", config.integer("intermediate_size")?.into()),
        ("global_every", "global_attn_every_n_layers", global_every.into()),
        ("window", "local_attention", config.integer_or("local_attention", 128)?.into()),
        ("global_base", global_field, global_base.into()),
        ("local_base", local_field, local_base.into()),
        ("norm_epsilon", "norm_eps", config.float_or("norm_eps", 1e-5)?.into()),
    ];
    HubConfig::imported(info, &read, (config.integer("vocab_size")?, config.integer_or("max_position_embeddings", 8192)?))
}

/// The number n for which blocks 0, n, 2 n ... look at all tokens. Where `layer_types` fit several, as those of few layers do, it is the
/// number that the file gives beside them (3 where it gives none), or the smallest.
fn global_every(config: &HubConfig, layers: i64) -> Result<i64, PluginError> {
    let said = config.integer_or("global_attn_every_n_layers", 3)?;
    let Some(kinds) = config.texts("layer_types")? else { return Ok(said) };
    let refused = |what: String| Err(PluginError::Input(format!("config.json: `layer_types` {what}")));
    if kinds.len() as i64 != layers {
        return refused(format!("has {} entries for {layers} layers", kinds.len()));
    }
    if let Some(other) = kinds.iter().find(|kind| !matches!(kind.as_str(), "full_attention" | "sliding_attention")) {
        let other: String = other.chars().take(80).collect();
        return refused(format!("holds `{other}`; this architecture computes `full_attention`, `sliding_attention`"));
    }
    let full: Vec<bool> = kinds.iter().map(|kind| kind == "full_attention").collect();
    let smallest = (1..full.len()).find(|layer| full[*layer]).unwrap_or(full.len()) as i64;
    let fits = |every: i64| every > 0 && (0..).zip(&full).all(|(layer, full)| *full == (layer % every == 0));
    if let Some(every) = [said, smallest].into_iter().find(|every| fits(*every)) {
        return Ok(every);
    }
    let shown: Vec<&str> = full.iter().take(12).map(|full| if *full { "full" } else { "sliding" }).collect();
    let dots = if full.len() > shown.len() { ", ..." } else { "" };
    refused(format!("is {}{dots}; this architecture computes full attention in layers 0, n, 2 n alone", shown.join(", ")))
}

/// A base of rotary frequencies, and the field that it stands in.
type Base = (&'static str, f64);

/// The bases of blocks that look at all tokens and of those with a window.
fn bases(config: &HubConfig) -> Result<(Base, Base), PluginError> {
    // Before `transformers` 5 a base of null for the window stood for that of the others.
    let global = config.float_or("global_rope_theta", 160_000.0)?;
    let local = config.float_or("local_rope_theta", if config.is_null("local_rope_theta") { global } else { 10_000.0 })?;
    if config.get("rope_scaling").is_some() {
        return Err(PluginError::Input(
            "config.json: `rope_scaling` is set; this architecture computes unscaled positions alone".into(),
        ));
    }
    let Some(parameters) = config.object("rope_parameters")? else {
        return Ok((("global_rope_theta", global), ("local_rope_theta", local)));
    };
    if parameters.get("rope_theta").is_some() {
        let text =
            "config.json: `rope_parameters` holds one `rope_theta`; `full_attention` and `sliding_attention` are needed in it";
        return Err(PluginError::Input(text.into()));
    }
    let of = |kind: &str, absent: f64| -> Result<f64, PluginError> {
        let Some(of_kind) = parameters.object(kind)? else { return Ok(absent) };
        of_kind.word("rope_type", &["default"], "default")?;
        of_kind.float_or("rope_theta", absent)
    };
    let field = "rope_parameters";
    Ok(((field, of("full_attention", global)?), (field, of("sliding_attention", local)?)))
}
