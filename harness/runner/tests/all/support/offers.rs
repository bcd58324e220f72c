//! A plugin set and a corpus lookup made by hand.

use std::path::PathBuf;

use clmbench_protocol::{
    ArchitectureInfo, Comparable, CorpusSource, CostClass, DatasetInfo, Direction, FileRef, MetricInfo, Number, Objective,
    ParameterInfo, ParameterKind, PluginManifest, PresetInfo, Scope, SourceFile, SourceFormat, TaskInfo, TaskKind, WheelEntry,
};
use clmbench_runner::{
    Plan, PluginSet, Suite,
    corpora::CorpusPart,
    plan::{self, HubModel},
    plugins::Plugin,
};
use serde_json::json;

pub fn file(name: &str) -> SourceFile {
    SourceFile {
        name: name.into(),
        wheel: Some(WheelEntry {
            package: "package".into(),
            version: "1".into(),
            wheel_sha256: "00".into(),
            entry: format!("package/{name}"),
            sha256: blake3::hash(name.as_bytes()).to_hex().to_string(),
            bytes: 10,
        }),
        urls: Vec::new(),
    }
}

pub fn parameter(name: &str, kind: ParameterKind, default: serde_json::Value) -> ParameterInfo {
    ParameterInfo { name: name.into(), kind, default, doc: String::new(), minimum: None, maximum: None, choices: Vec::new() }
}

pub fn architecture(name: &str) -> ArchitectureInfo {
    let preset = |name: &str, layers: u64, width: u64, learning_rate: f64| PresetInfo {
        name: name.into(),
        config: json!({ "layers": layers, "width": width }).as_object().unwrap().clone(),
        learning_rate,
        non_embedding_parameters: 12 * layers * width * width,
    };
    let mut layers = parameter("layers", ParameterKind::Integer, json!(4));
    (layers.minimum, layers.maximum) = (Some(1.0), Some(96.0));
    let mut shape = parameter("activation", ParameterKind::Text, json!("gelu"));
    shape.choices = vec!["gelu".into(), "relu".into()];
    ArchitectureInfo {
        name: name.into(),
        doc: String::new(),
        objective: if name == "gpt" { Objective::CausalLm } else { Objective::MaskedLm },
        parameters: vec![
            layers,
            parameter("width", ParameterKind::Integer, json!(128)),
            parameter("dropout", ParameterKind::Float, json!(0)),
            shape,
        ],
        presets: vec![preset("0.06M", 1, 64, 3e-3), preset("0.83M", 4, 128, 2e-3), preset("25.75M", 8, 512, 5e-4)],
        hub: None,
    }
}

pub fn dataset(name: &str) -> DatasetInfo {
    let kind = if ["bace", "bbbp"].contains(&name) { TaskKind::Classification } else { TaskKind::Regression };
    let score = if kind == TaskKind::Classification { "roc_auc" } else { "rmse" };
    let task = TaskInfo { name: "expt".into(), kind, unit: "kcal/mol".into(), score: score.into() };
    DatasetInfo {
        source: "moleculenet".into(),
        name: name.into(),
        doc: String::new(),
        tasks: vec![task],
        recommended_split: "random".into(),
        files: vec![file(&format!("{name}.csv"))],
        ..DatasetInfo::default()
    }
}

pub fn metric(id: &str, cost: CostClass) -> MetricInfo {
    MetricInfo {
        id: id.into(),
        doc: String::new(),
        citation: String::new(),
        unit: String::new(),
        primary: "value".into(),
        direction: Direction::LowerIsBetter,
        scope: Scope::Checkpoint,
        cost,
        comparable: Comparable::SameEvaluation,
        objectives: Vec::new(),
        tasks: Vec::new(),
        parameters: Vec::new(),
        trivial: id.starts_with("trivial/"),
    }
}

pub fn plugin(name: &str, version: &str) -> Plugin {
    Plugin {
        manifest: PluginManifest {
            name: name.into(),
            version: version.into(),
            api: (1, 0),
            libtorch: "2.11.0".into(),
            architectures: Vec::new(),
            datasets: Vec::new(),
            metrics: Vec::new(),
        },
        library: PathBuf::from(format!("/plugins/{name}/lib{name}.so")),
        digest: blake3::hash(name.as_bytes()).to_hex().to_string(),
    }
}

/// bert, gpt, four datasets (bbbp and bace are for classification), a loss, the curvature and landscape metrics of the demo, the trivial family, one of each odd scope, and metrics
/// that make the fake worker misbehave.
pub fn plugins() -> PluginSet {
    let mut architectures = plugin("models", "0.1.0");
    architectures.manifest.architectures = vec![architecture("bert"), architecture("gpt")];
    let mut datasets = plugin("sets", "0.1.0");
    datasets.manifest.datasets = ["freesolv", "lipo", "bbbp", "bace"].map(dataset).to_vec();
    let mut losses = plugin("loss", "0.2.0-dev");
    let mut masked = metric("loss/mlm_loss", CostClass::Cheap);
    masked.objectives = vec![Objective::MaskedLm];
    masked.parameters =
        vec![parameter("repeats", ParameterKind::Integer, json!(1)), parameter("sample", ParameterKind::Text, json!("heldout"))];
    losses.manifest.metrics = vec![masked];
    let hostile = ["abort", "killed", "killed_once"].map(|name| format!("hostile/{name}"));
    losses.manifest.metrics.extend(hostile.map(|id| metric(&id, CostClass::Moderate)));
    let mut curvature = plugin("curvature", "0.1.0");
    let ids =
        ["hessian/trace_hutchinson", "hessian/trace_fisher", "sharpness/sam_m", "sharpness/average_l2", "landscape/flatness_1d"];
    let counts = ["probes", "molecules", "batch"].map(|name| parameter(name, ParameterKind::Integer, json!(64)));
    let moderate = |id| MetricInfo { parameters: counts.to_vec(), ..metric(id, CostClass::Moderate) };
    curvature.manifest.metrics = ids.map(moderate).to_vec();
    let mut trivial = plugin("trivial", "0.1.0");
    let names = ["parameters", "tokens", "corpus", "flops"];
    trivial.manifest.metrics = names.map(|name| metric(&format!("trivial/{name}"), CostClass::Free)).to_vec();
    let mut scopes = plugin("scopes", "0.1.0");
    let scoped = |id: &str, scope| MetricInfo { scope, ..metric(id, CostClass::Expensive) };
    scopes.manifest.metrics = vec![
        scoped("scope/labels", Scope::CheckpointDataset),
        MetricInfo { tasks: vec![TaskKind::Classification], ..scoped("scope/classes", Scope::CheckpointDataset) },
        MetricInfo { tasks: vec![TaskKind::Regression], ..scoped("scope/classes_q5", Scope::CheckpointDataset) },
        scoped("scope/run", Scope::Run),
        scoped("hostile/unsupported_run", Scope::Run),
        scoped("hostile/unsupported", Scope::Checkpoint),
        scoped("scope/pair", Scope::Pair),
        scoped("scope/transfer", Scope::Transfer),
    ];
    let (set, errors) = PluginSet::new(vec![architectures, datasets, losses, curvature, trivial, scopes]);
    assert!(errors.is_empty(), "{errors:?}");
    set
}

pub fn corpora(name: &str) -> Option<Vec<CorpusPart>> {
    let part = |file: SourceFile| CorpusPart {
        source: CorpusSource {
            file: FileRef { name: file.name.clone(), sha256: file.sha256().unwrap().to_owned() },
            format: SourceFormat::Csv,
            column: "SMILES".into(),
            only: None,
            group: "moses".into(),
            weight: Number(1.0),
        },
        file,
    };
    (name == "mixed").then(|| vec![part(file("moses.csv"))])
}

/// A cache of the hub in which nothing is.
pub fn no_hub(_: &str, _: &str) -> Option<HubModel> {
    None
}

pub fn suite(text: &str) -> Suite {
    Suite::parse("suite.toml", text).unwrap()
}

pub fn planned(text: &str) -> Plan {
    plan::build(&suite(text), &plugins(), &corpora, &no_hub).unwrap()
}

/// Two models on one corpus, one dataset, two metrics; `more` is appended.
pub fn small(more: &str) -> String {
    format!(
        "schema = 1\n[suite]\nname = \"small\"\nseed = 3\n[[corpus]]\nname = \"mixed\"\nsizes = [500]\nheldout = 20\n\
         [[model]]\narchitecture = \"bert\"\npresets = [\"0.06M\", \"0.83M\"]\ntokens = 1000\ncheckpoints = 2\n\
         [[dataset]]\nsource = \"moleculenet\"\nnames = [\"freesolv\"]\n[[metric]]\nid = \"loss/mlm_loss\"\n\
         [[metric]]\nid = \"trivial/flops\"\n{more}"
    )
}
