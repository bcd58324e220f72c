//! Writes FOLDER/problem-K/{features.csv,labels.csv} and what our metrics find on them to FOLDER/ours.jsonl, for
//! `benchmarks/perf/peers/transferability.py`.
#![allow(missing_docs)]

use std::{fmt::Write, fs, path::Path};

use clmbench_plugin_transferability::__clmbench_export::Exported;
use clmbench_sdk::{
    export::Exports,
    prelude::*,
    random::Stream,
    testing::{Nothing, TestProbe},
};

/// Molecules, width, classes (0: regression), in the order of the problems: N > D and N < D of each.
const PROBLEMS: [(i64, i64, usize); 6] = [(300, 20, 2), (60, 90, 2), (400, 30, 3), (300, 20, 0), (60, 90, 0), (500, 80, 0)];
/// Metrics that are found without chance.
const METRICS: [&str; 9] = ["logme", "h_score", "h_score_q5", "gbc", "gbc_q5", "transrate", "transrate_q5", "parc", "ridge"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: peer FOLDER")?;
    let folder = Path::new(&folder);
    let mut lines = String::new();
    for (number, (count, width, classes)) in PROBLEMS.into_iter().enumerate() {
        let name = format!("problem-{number}");
        let (features, labels) = made_up(number as u64, count, width, classes)?;
        fs::create_dir_all(folder.join(&name))?;
        let values = Vec::<f64>::try_from(features.flatten(0, -1))?;
        fs::write(folder.join(&name).join("features.csv"), table(&values, width as usize))?;
        fs::write(folder.join(&name).join("labels.csv"), table(&labels, 1))?;
        let kind = if classes == 0 { TaskKind::Regression } else { TaskKind::Classification };
        let host = TestProbe::new(&Nothing, 1, 1e9).with_embeddings(features).with_labels(kind, Tensor::from_slice(&labels));
        for metric in Exported::metrics() {
            let info = metric.info();
            let short = info.id.trim_start_matches("transferability/");
            if !METRICS.contains(&short) || !(info.tasks.is_empty() || info.tasks.contains(&kind)) {
                continue;
            }
            let defaults = info.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone()));
            let found = metric.measure(&host.probe(), &Params::from(defaults.collect::<serde_json::Map<_, _>>()))?;
            let value = found.values.iter().find(|value| value.name == info.primary).ok_or("no primary value")?.value;
            writeln!(lines, "{}", serde_json::json!({"problem": name, "metric": info.id, "value": value}))?;
        }
    }
    fs::write(folder.join("ours.jsonl"), lines)?;
    Ok(())
}

/// Embeddings with a falling spectrum and a mean that is not 0, and labels that they half explain.
fn made_up(seed: u64, count: i64, width: i64, classes: usize) -> Result<(Tensor, Vec<f64>), PluginError> {
    let mut stream = Stream::new(seed);
    let mut normals = |rows: i64, columns: i64| stream.normals(&Tensor::zeros([rows, columns], (Kind::Double, Device::Cpu)));
    let scales = (Tensor::arange(width, (Kind::Double, Device::Cpu)) + 1.0).pow_tensor_scalar(-0.5);
    let features = (normals(count, width)? + normals(1, width)?) * scales;
    let real = (features.mm(&normals(width, 1)?) + normals(count, 1)?).squeeze_dim(1);
    let real = Vec::<f64>::try_from(real)?;
    let mut sorted = real.clone();
    sorted.sort_by(f64::total_cmp);
    // Classes of unequal size: cuts at squares.
    let cut = |class: usize| sorted[(sorted.len() - 1) * class * class / (classes * classes)];
    let of = |label: &f64| if classes == 0 { *label } else { (1..classes).filter(|class| cut(*class) < *label).count() as f64 };
    let labels = real.iter().map(of).collect();
    Ok((features, labels))
}

fn table(values: &[f64], width: usize) -> String {
    let row = |row: &[f64]| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    values.chunks(width).map(row).collect::<Vec<_>>().join("\n") + "\n"
}
