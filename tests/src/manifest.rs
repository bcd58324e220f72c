//! What the fake plugin offers. Its "library" is this manifest as JSON, which the fake worker gives back.

use clmbench_protocol::{
    ArchitectureInfo, Comparable, CostClass, DatasetInfo, Direction, HubInfo, MetricInfo, Objective, ParameterInfo,
    ParameterKind, PluginManifest, PresetInfo, Scope, TaskInfo, TaskKind,
};
use serde_json::{Map, Value, json};

/// Name of the plugin.
pub const PLUGIN: &str = "clmbench-plugin-fake";

/// Layers and width of the presets `a`, `b`, `c` and `d`.
pub const PRESETS: [(&str, u64, u64); 4] = [("a", 1, 64), ("b", 2, 96), ("c", 3, 128), ("d", 4, 192)];

/// Metrics that say something about the run and not about the weights.
pub const TRIVIAL: [&str; 4] = ["trivial/parameters", "trivial/tokens", "trivial/corpus", "trivial/flops"];

/// A dataset whose name is markup.
pub const EVIL_DATASET: &str = "</script><img src=x onerror=alert(1)>";

/// Its task: a window title, a cleared screen, a C1 control, text that runs backwards, a formula.
pub const EVIL_TASK: &str = "=1+1\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\"onload='x'";

/// A SMILES that a spreadsheet would compute, with markup.
pub const EVIL_SMILES: &str = "=cmd|' /C calc'!A0<svg onload=alert(1)>\u{1b}[31m";

/// A dataset whose test molecules leaked, and whose labels conflict.
pub const LEAKY_DATASET: &str = "leaky";

/// The same plugin with a dataset that has leaks, terms that must be visible and a recommended split.
pub fn leaky_manifest(version: &str) -> PluginManifest {
    let mut manifest = manifest(version);
    manifest.datasets.push(DatasetInfo {
        licence: "CC BY-NC-SA 4.0".into(),
        citation: "Kuhn et al. 2016".into(),
        recommended_split: "random".into(),
        recommended_seed: Some(42),
        recommended_fractions: Some((0.7, 0.1)),
        ..dataset(LEAKY_DATASET)
    });
    manifest
}

/// The manifest: architecture `fake`, datasets `fake/alpha` and `fake/beta`, metrics `fake/loss` (good), `fake/noise` (none) and `trivial/*`.
pub fn manifest(version: &str) -> PluginManifest {
    let mut metrics = vec![
        metric("fake/loss", "nats/token", Direction::LowerIsBetter, CostClass::Cheap, false),
        metric("fake/noise", "1", Direction::HigherIsBetter, CostClass::Moderate, false),
    ];
    metrics.extend(TRIVIAL.map(|id| metric(id, "1", Direction::HigherIsBetter, CostClass::Free, true)));
    PluginManifest {
        name: PLUGIN.into(),
        version: version.into(),
        api: (1, 0),
        libtorch: "2.11.0".into(),
        architectures: vec![architecture()],
        datasets: vec![dataset("alpha"), dataset("beta")],
        metrics,
    }
}

fn architecture() -> ArchitectureInfo {
    let integer = |name: &str, default: u64| ParameterInfo {
        name: name.into(),
        kind: ParameterKind::Integer,
        default: json!(default),
        doc: format!("The {name}."),
        minimum: Some(1.0),
        maximum: Some(4_096.0),
        choices: Vec::new(),
    };
    let presets = PRESETS.map(|(name, layers, width)| PresetInfo {
        name: name.into(),
        config: Map::from_iter([("layers".to_owned(), json!(layers)), ("width".to_owned(), json!(width))]),
        learning_rate: 1e-3,
        non_embedding_parameters: non_embedding_parameters(layers, width),
    });
    ArchitectureInfo {
        name: "fake".into(),
        doc: "Computes nothing.".into(),
        objective: Objective::MaskedLm,
        parameters: vec![integer("layers", 2), integer("width", 64)],
        presets: presets.into(),
        hub: Some(HubInfo { model_types: vec!["fake".into()], ..HubInfo::default() }),
    }
}

/// `12 x layers x width^2`.
pub fn non_embedding_parameters(layers: u64, width: u64) -> u64 {
    12 * layers * width * width
}

/// The same of a configuration.
pub fn parameters_of(config: &Map<String, Value>) -> u64 {
    let get = |key: &str| config.get(key).and_then(Value::as_u64).unwrap_or(1);
    non_embedding_parameters(get("layers"), get("width"))
}

/// The tasks of a dataset: `alpha` has one for regression, `beta` three for classification, of which one is refused.
pub fn tasks_of(dataset: &str) -> Vec<TaskInfo> {
    let class = |name: &str| {
        let (unit, score) = (String::new(), "roc_auc".into());
        TaskInfo { name: name.into(), kind: TaskKind::Classification, unit, score }
    };
    match dataset {
        "beta" => vec![class("first"), class("second"), class("one_class")],
        EVIL_DATASET => vec![TaskInfo {
            name: EVIL_TASK.into(),
            kind: TaskKind::Regression,
            unit: "<i>kcal</i>\u{1b}[1m".into(),
            score: "rmse".into(),
        }],
        _ => {
            vec![TaskInfo { name: "affinity".into(), kind: TaskKind::Regression, unit: "kcal/mol".into(), score: "rmse".into() }]
        }
    }
}

/// The same plugin with a dataset, a metric and words that mean harm wherever they are shown.
pub fn evil_manifest(version: &str) -> PluginManifest {
    let words = "<script>alert(2)</script>\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}";
    let mut manifest = manifest(version);
    manifest.architectures[0].doc = words.into();
    manifest.datasets.push(DatasetInfo {
        doc: words.into(),
        licence: format!("=HYPERLINK(\"http://localhost\"){words}"),
        citation: words.into(),
        ..dataset(EVIL_DATASET)
    });
    manifest.metrics.push(MetricInfo {
        doc: words.into(),
        citation: format!("\"><img src=x onerror=alert(3)>{words}"),
        ..metric("evil/<b>metric\u{1b}[2J", words, Direction::HigherIsBetter, CostClass::Cheap, false)
    });
    manifest
}

fn dataset(name: &str) -> DatasetInfo {
    DatasetInfo {
        source: "fake".into(),
        name: name.into(),
        doc: "No molecules.".into(),
        tasks: tasks_of(name),
        recommended_split: "scaffold".into(),
        licence: "CC0".into(),
        citation: "none".into(),
        ..DatasetInfo::default()
    }
}

fn metric(id: &str, unit: &str, direction: Direction, cost: CostClass, trivial: bool) -> MetricInfo {
    MetricInfo {
        id: id.into(),
        doc: "Made up.".into(),
        citation: "none".into(),
        unit: unit.into(),
        primary: "value".into(),
        direction,
        scope: Scope::Checkpoint,
        cost,
        comparable: if trivial { Comparable::Any } else { Comparable::SameEvaluation },
        objectives: Vec::new(),
        tasks: Vec::new(),
        parameters: Vec::new(),
        trivial,
    }
}
