//! `plugin check`: every rule is broken once by the plugin `careless`, and kept by the tool's own plugins.

use serde_json::Value;

use crate::real::{ECHO, PLUGINS, Real};

const CARELESS: &str = "clmbench-test-plugin-careless";
/// The tool's own plugins beside those that every test installs.
const MORE: [&str; 10] = [
    "clmbench-plugin-gpt",
    "clmbench-plugin-gpt2",
    "clmbench-plugin-lstm",
    "clmbench-plugin-molformer",
    "clmbench-plugin-roberta",
    "clmbench-plugin-modernbert",
    "clmbench-plugin-hessian",
    "clmbench-plugin-landscape",
    "clmbench-plugin-sharpness",
    "clmbench-plugin-csv",
];

/// What breaks a rule, and the check that must find it.
const RULES: [(&str, &str); 29] = [
    ("architecture careless_padding", "sees what it may see"),
    ("architecture careless_batch", "batch size"),
    ("architecture careless_size", "declared size is its size"),
    ("architecture careless_attention", "shapes, determinism, both attention modes"),
    ("architecture careless_initial", "loss before training"),
    ("architecture careless_gradient", "gradient reaches its parameters"),
    ("architecture careless_unlisted", "saved and loaded"),
    ("architecture careless_panic", "parameter layers at its smallest"),
    ("architecture careless_ahead", "sees what it may see"),
    ("architecture careless_flat", "twice differentiable where it says so"),
    ("architecture careless_dry", "shapes without storage are those it builds"),
    ("architecture careless_import", "reads the config.json and the weights that it writes"),
    ("metric careless/no_error on a causal model", "errors"),
    ("metric careless/random on a causal model", "the same twice"),
    ("metric careless/bits on a causal model", "batch size"),
    ("metric careless/order on a causal model", "order of molecules"),
    ("metric careless/lie on a causal model", "a loss that is NaN"),
    ("metric careless/panic_at_maximum", "parameter draws at 64"),
    ("metric careless/dear on a causal model", "cost"),
    ("metric careless/spends on a causal model", "cost"),
    ("metric careless/silent", "says what it is"),
    ("metric careless/undeclared on a causal model", "measures, weights untouched"),
    ("metric careless/default", "parameters"),
    ("metric careless/infinite on a causal model", "measures, weights untouched"),
    ("dataset careless_panics/panics", "a file of other bytes"),
    ("dataset careless_changes/changes", "the same twice"),
    ("dataset careless_widens/widens", "parses"),
    ("dataset careless_labels/labels", "molecules and labels"),
    ("dataset careless_pins/none", "declares tasks and sources"),
];

fn names(rows: &[Value], ok: &Value) -> Vec<String> {
    rows.iter().filter(|row| row["ok"] == *ok).map(|row| row["check"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_rule_that_is_broken_is_found() {
    let real = Real::new(&[CARELESS]);
    real.write("own.txt", "CCO;1\nCCC;2\n");
    let path = real.path("plugins").join(CARELESS);
    let arguments = ["plugin", "check", path.to_str().unwrap(), "--file", "own.txt", "--task", "value=regression", "--json"];
    let rows = real.clmbench(&arguments).code(3).rows();
    let failed = names(&rows, &Value::Bool(false));
    for (what, check) in RULES {
        assert!(failed.contains(&format!("{what}: {check}")), "{what}: {check} is not among {failed:#?}");
    }
    // And nothing else is found wrong with those that break one rule: what breaks several says so here.
    let also = ["careless_padding: batch size", "careless_batch: sees", "careless_initial: batch", "random on a causal"];
    for name in &failed {
        let named = RULES.iter().any(|(what, check)| *name == format!("{what}: {check}"));
        assert!(named || also.iter().any(|also| name.contains(also)), "{name}");
    }
}

#[test]
fn the_plugins_of_the_tool_keep_every_rule() {
    let real = Real::new(&MORE);
    real.install(ECHO);
    let rows = real.clmbench(&["plugin", "list", "--json"]).code(0).rows();
    let csv = rows.iter().find(|row| row["name"] == "csv").unwrap();
    let parameters: Vec<&str> = csv["parameters"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!((&csv["offers"], &parameters[..]), (&"your own file".into(), &["smiles", "split_column", "delimiter"][..]));
    for plugin in PLUGINS.iter().chain(&MORE) {
        let path = real.path("plugins").join(plugin);
        let started = std::time::Instant::now();
        let answer = real.clmbench(&["plugin", "check", path.to_str().unwrap(), "--json"]);
        println!("{plugin}: {:.1} s", started.elapsed().as_secs_f64());
        let rows = answer.rows();
        assert_eq!(names(&rows, &Value::Bool(false)), Vec::<String>::new(), "{plugin}: {rows:#?}");
        assert!(rows.iter().any(|row| row["ok"] == true), "{plugin}");
        answer.code(0);
    }
}

#[test]
fn a_plugin_that_ends_the_process_or_never_comes_back_is_named_by_the_check() {
    let real = Real::new(&[crate::real::HOSTILE]);
    let path = real.path("plugins").join(crate::real::HOSTILE);
    let rows = real.clmbench(&["plugin", "check", path.to_str().unwrap(), "--json", "--time-limit", "60s"]).code(3).rows();
    let failed = names(&rows, &Value::Bool(false));
    assert!(!failed.is_empty() && rows.iter().any(|row| row["ok"] == true), "{rows:#?}");
    let lost = |row: &Value| {
        let detail = row["detail"].as_str().unwrap();
        row["ok"] == false && (detail.contains("the worker ended") || detail.contains("did not come back"))
    };
    assert!(rows.iter().any(lost), "{rows:#?}");
}
