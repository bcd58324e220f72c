//! What is read of a `config.json`, and what is refused.

use clmbench_sdk::prelude::*;
use serde_json::{Map, Value, json};

use crate::Bert;

/// A configuration with these changes; null takes a field away.
fn config(changes: Value) -> HubConfig {
    let mut config: Map<String, Value> = serde_json::from_str(SAVED).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        config.insert(name.clone(), value.clone());
    }
    HubConfig::parse(&Value::Object(config).to_string()).unwrap()
}

fn own(changes: Value) -> String {
    let found = Bert.import(&config(changes)).unwrap();
    format!("{} {} {}", Value::Object(found.config), found.vocab_size, found.max_positions)
}

fn refusal(changes: Value) -> String {
    Bert.import(&config(changes)).unwrap_err().to_string()
}

/// The text of a built model's own `config.json` leads back to its configuration.
fn round_trip(changes: Value) {
    let found = Bert.import(&config(changes)).unwrap();
    let mut full = found.config.clone();
    full.extend([("vocab_size".into(), found.vocab_size.into()), ("max_positions".into(), found.max_positions.into())]);
    let written = Bert.build(&Params::from(full)).unwrap().hub_config().to_string();
    assert_eq!(Bert.import(&HubConfig::parse(&written).unwrap()).unwrap(), found, "{written}");
}

const SAVED: &str = r#"{"architectures": ["BertForPreTraining"], "model_type": "bert", "hidden_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 64, "hidden_act": "gelu", "max_position_embeddings": 24, "vocab_size": 20,
    "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0}"#;

#[test]
fn what_is_as_in_the_original_is_not_set() {
    let plain = r#"{"ffn_multiple":4,"head_width":4,"layers":2,"width":16} 20 24"#;
    assert_eq!(own(json!({})), plain);
    assert_eq!(own(json!({"hidden_act": null, "type_vocab_size": null, "layer_norm_eps": null})), plain);
    assert_eq!(
        own(json!({"hidden_act": "gelu_pytorch_tanh", "type_vocab_size": 1, "layer_norm_eps": 1e-5, "intermediate_size": 24})),
        r#"{"activation":"gelu_new","ffn_multiple":4,"ffn_width":24,"head_width":4,"layers":2,"norm_epsilon":0.00001,"segments":1,"width":16} 20 24"#
    );
    for changes in
        [json!({}), json!({"hidden_act": "relu", "type_vocab_size": 3, "intermediate_size": 24, "layer_norm_eps": 1e-5})]
    {
        round_trip(changes);
    }
}

#[test]
fn what_is_not_set_is_what_it_was_before() {
    let plain = r#"{"layers": 1, "width": 16, "head_width": 8, "ffn_multiple": 4, "vocab_size": 9, "max_positions": 8"#;
    let set = r#", "ffn_width": 64, "segments": 2, "norm_epsilon": 1e-12, "activation": "gelu"}"#;
    let hub = |text: String| Bert.build(&Params::parse(&text).unwrap()).unwrap().hub_config();
    assert_eq!(hub(format!("{plain}}}")), hub(format!("{plain}{set}")));
}

#[test]
fn what_it_does_not_compute_is_refused_by_field() {
    assert_eq!(refusal(json!({"is_decoder": true})), "config.json: `is_decoder` is true; this architecture computes false alone");
    assert_eq!(
        refusal(json!({"tie_word_embeddings": false})),
        "config.json: `tie_word_embeddings` is false; this architecture computes true alone"
    );
    assert_eq!(
        refusal(json!({"position_embedding_type": "relative_key"})),
        "config.json: `position_embedding_type` is `relative_key`; this architecture computes `absolute`"
    );
    assert_eq!(
        refusal(json!({"hidden_act": "silu"})),
        "config.json: `hidden_act` is `silu`; this architecture computes `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `relu`"
    );
    assert_eq!(
        refusal(json!({"hidden_size": null})),
        "config.json has no `hidden_size`; a whole number from 1 to 2147483647 is needed"
    );
    assert_eq!(
        refusal(json!({"hidden_size": "16"})),
        "config.json: `hidden_size` is \"16\", not a whole number from 1 to 2147483647"
    );
    assert_eq!(
        refusal(json!({"num_attention_heads": 3})),
        "config.json: `hidden_size` 16 is not a multiple of `num_attention_heads` 3"
    );
    assert_eq!(
        refusal(json!({"num_hidden_layers": 2_147_483_647})),
        "config.json: `num_hidden_layers` makes `layers` 2147483647; this architecture computes at most 96"
    );
    assert_eq!(
        refusal(json!({"intermediate_size": 100_000_000})),
        "config.json: `intermediate_size` makes `ffn_width` 100000000; this architecture computes at most 65536"
    );
}

#[test]
fn rules_name_parameters_that_exist() {
    let hub = Bert.info().hub.unwrap();
    let found = Bert.import(&config(json!({}))).unwrap();
    let mut full = found.config;
    full.extend([("vocab_size".into(), found.vocab_size.into()), ("max_positions".into(), found.max_positions.into())]);
    let model = Bert.build(&Params::from(full)).unwrap();
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
