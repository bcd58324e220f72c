//! What is read of a `config.json`, and what is refused.

use clmbench_sdk::prelude::*;
use serde_json::{Map, Value, json};

use crate::ModernBert;

/// A configuration with these changes; null takes a field away.
fn config(changes: Value) -> HubConfig {
    let mut config: Map<String, Value> = serde_json::from_str(SAVED).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        config.insert(name.clone(), value.clone());
    }
    HubConfig::parse(&Value::Object(config).to_string()).unwrap()
}

fn own(changes: Value) -> String {
    let found = ModernBert.import(&config(changes)).unwrap();
    format!("{} {} {}", Value::Object(found.config), found.vocab_size, found.max_positions)
}

fn refusal(changes: Value) -> String {
    ModernBert.import(&config(changes)).unwrap_err().to_string()
}

/// The text of a built model's own `config.json` leads back to its configuration.
fn round_trip(changes: Value) {
    let found = ModernBert.import(&config(changes)).unwrap();
    let mut full = found.config.clone();
    full.extend([("vocab_size".into(), found.vocab_size.into()), ("max_positions".into(), found.max_positions.into())]);
    let written = ModernBert.build(&Params::from(full)).unwrap().hub_config().to_string();
    assert_eq!(ModernBert.import(&HubConfig::parse(&written).unwrap()).unwrap(), found, "{written}");
}

/// As `transformers` 5 writes it.
const SAVED: &str = r#"{"architectures": ["ModernBertForMaskedLM"], "model_type": "modernbert", "hidden_size": 16, "num_hidden_layers": 4,
    "num_attention_heads": 4, "intermediate_size": 24, "hidden_activation": "gelu", "classifier_activation": "gelu",
    "max_position_embeddings": 24, "vocab_size": 20, "local_attention": 8, "norm_eps": 1e-5, "norm_bias": false, "decoder_bias": true,
    "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
    "rope_parameters": {"full_attention": {"rope_theta": 80000.0, "rope_type": "default"},
                        "sliding_attention": {"rope_theta": 5000.0, "rope_type": "default"}}}"#;

/// The same before: fields of their own.
fn older(changes: Value) -> Value {
    let mut all = json!({"layer_types": null, "rope_parameters": null, "global_attn_every_n_layers": 3, "global_rope_theta": 80000.0,
        "local_rope_theta": 5000.0, "position_embedding_type": "absolute", "model_type": "modchembert"});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    all
}

#[test]
fn both_forms_say_the_same() {
    let wanted = r#"{"ffn_width":24,"global_base":80000.0,"global_every":3,"head_width":4,"layers":4,"local_base":5000.0,"#;
    let wanted = format!(r#"{wanted}"norm_epsilon":0.00001,"width":16,"window":8}} 20 24"#);
    assert_eq!(own(json!({})), wanted);
    assert_eq!(own(older(json!({}))), wanted);
    // Two layers fit every number from 2 on.
    let few = json!({"num_hidden_layers": 2, "global_attn_every_n_layers": 5});
    for changes in
        [json!({}), older(json!({"global_attn_every_n_layers": 2})), older(json!({"local_rope_theta": null})), older(few)]
    {
        round_trip(changes);
    }
}

#[test]
fn what_is_absent_is_what_transformers_takes() {
    let (every, parts) = (json!({"rope_parameters": null, "layer_types": null}), "sliding_attention");
    let found = own(every);
    for part in [r#""global_every":3"#, r#""global_base":160000.0"#, r#""local_base":10000.0"#] {
        assert!(found.contains(part), "{found}");
    }
    let found = own(json!({"rope_parameters": {parts: {"rope_theta": 7000.0}}}));
    assert!(found.contains(r#""global_base":160000.0"#) && found.contains(r#""local_base":7000.0"#), "{found}");
    // Before `transformers` 5 null stood for the base of the other blocks.
    let found = own(older(json!({"local_rope_theta": null})));
    assert!(found.contains(r#""local_base":80000.0"#), "{found}");
}

#[test]
fn kinds_of_layers_are_a_rhythm() {
    let every = |kinds: &str| {
        let words = json!({"f": "full_attention", "s": "sliding_attention"});
        let kinds: Vec<&str> = kinds.chars().map(|kind| words[kind.to_string()].as_str().unwrap()).collect();
        let found = ModernBert.import(&config(json!({"num_hidden_layers": kinds.len(), "layer_types": kinds})));
        found.map(|found| found.config["global_every"].as_i64().unwrap()).map_err(|error| error.to_string())
    };
    let found: Vec<_> = ["f", "ff", "fs", "fsfs", "fssfss", "fsss"].into_iter().map(|kinds| every(kinds).unwrap()).collect();
    // One layer of full attention fits every number; three is what `transformers` takes.
    assert_eq!(found, [3, 1, 3, 2, 3, 4]);
    assert_eq!(
        every("fssf".replace('f', "sf").as_str()).unwrap_err(),
        "config.json: `layer_types` is sliding, full, sliding, sliding, sliding, full; this architecture computes full attention in \
         layers 0, n, 2 n alone"
    );
    assert!(every("ffs").is_err() && every("fsff").is_err());
}

#[test]
fn what_it_does_not_compute_is_refused_by_field() {
    assert_eq!(refusal(json!({"norm_bias": true})), "config.json: `norm_bias` is true; this architecture computes false alone");
    assert_eq!(
        refusal(json!({"attention_bias": true})),
        "config.json: `attention_bias` is true; this architecture computes false alone"
    );
    assert_eq!(
        refusal(json!({"decoder_bias": false})),
        "config.json: `decoder_bias` is false; this architecture computes true alone"
    );
    assert_eq!(
        refusal(json!({"tie_word_embeddings": false})),
        "config.json: `tie_word_embeddings` is false; this architecture computes true alone"
    );
    assert_eq!(
        refusal(json!({"hidden_activation": "relu"})),
        "config.json: `hidden_activation` is `relu`; this architecture computes `gelu`"
    );
    assert_eq!(
        refusal(json!({"num_attention_heads": 3})),
        "config.json: `hidden_size` 16 is not a multiple of `num_attention_heads` 3"
    );
    assert_eq!(
        refusal(json!({"num_hidden_layers": 2_147_483_647})),
        "config.json: `layer_types` has 4 entries for 2147483647 layers"
    );
    assert_eq!(
        refusal(json!({"num_hidden_layers": 2_147_483_647, "layer_types": null})),
        "config.json: `num_hidden_layers` makes `layers` 2147483647; this architecture computes at most 96"
    );
    assert_eq!(
        refusal(json!({"layer_types": ["full_attention", "chunked_attention", "x", "y"]})),
        "config.json: `layer_types` holds `chunked_attention`; this architecture computes `full_attention`, `sliding_attention`"
    );
    assert_eq!(
        refusal(json!({"layer_types": null, "global_attn_every_n_layers": 0})),
        "config.json: `global_attn_every_n_layers` makes `global_every` 0; this architecture computes 1 and more"
    );
    assert_eq!(
        refusal(json!({"rope_parameters": {"rope_theta": 1e4}})),
        "config.json: `rope_parameters` holds one `rope_theta`; `full_attention` and `sliding_attention` are needed in it"
    );
    assert_eq!(
        refusal(json!({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}})),
        "config.json: `rope_type` is `yarn`; this architecture computes `default`"
    );
    assert_eq!(
        refusal(json!({"rope_scaling": {"type": "linear", "factor": 2.0}})),
        "config.json: `rope_scaling` is set; this architecture computes unscaled positions alone"
    );
}

#[test]
fn rules_name_parameters_that_exist() {
    let hub = ModernBert.info().hub.unwrap();
    let found = ModernBert.import(&config(json!({}))).unwrap();
    let mut full = found.config;
    full.extend([("vocab_size".into(), found.vocab_size.into()), ("max_positions".into(), found.max_positions.into())]);
    let model = ModernBert.build(&Params::from(full)).unwrap();
    let names: Vec<String> = model.parameters().into_iter().map(|row| row.name).collect();
    for (repeated, name) in &hub.tied {
        assert!(names.contains(name) && !names.contains(repeated), "{repeated}, {name}");
    }
    for start in hub.optional.iter().chain(&hub.head).chain([&hub.prefix]) {
        assert!(names.iter().any(|name| name.starts_with(start)), "{start}");
    }
    assert!(hub.head.iter().all(|start| hub.optional.contains(start)));
    // No parameter is left out, and renaming leaves ours as they are.
    for name in &names {
        assert!(!hub.ignored.iter().any(|end| name.ends_with(end)), "{name}");
        assert!(!hub.renamed.iter().any(|(old, _)| name.contains(old)), "{name}");
    }
    // A bare encoder lacks the prefix and nothing else.
    let encoder = names.iter().filter(|name| !hub.optional.iter().any(|start| name.starts_with(start)));
    assert!(encoder.clone().count() > 0 && encoder.clone().all(|name| name.starts_with(&hub.prefix)));
    assert_eq!(hub.class.as_deref(), model.hub_config()["architectures"][0].as_str());
}
