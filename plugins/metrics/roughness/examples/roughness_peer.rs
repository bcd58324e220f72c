//! Seeded embeddings and labels, and our scores of them, for a peer that computes the same from the definitions
//! (`benchmarks/perf/peers/roughness.py`).
//!
//! `cargo run --release -p clmbench-plugin-roughness --example roughness_peer FOLDER` writes `FOLDER/problem-K/features.csv`, `labels.csv` and
//! `classes.csv`, and `FOLDER/ours.jsonl`.

use std::{fmt::Write, fs, path::PathBuf};

use clmbench_plugin_roughness::{Modi, Rmodi, Rogi, RogiXd};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{Nothing, TestProbe},
};

/// Molecules and widths of the problems.
const PROBLEMS: [(i64, i64); 3] = [(200, 16), (240, 3), (60, 96)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("peer FOLDER: the folder is missing")?);
    let mut ours = String::new();
    for (index, (count, width)) in PROBLEMS.into_iter().enumerate() {
        let mut stream = Stream::new(index as u64 + 1);
        let rows = stream.normals(&Tensor::f_zeros([count, width], (Kind::Double, Device::Cpu))?)?;
        // Two molecules that are one.
        rows.f_get(5)?.copy_(&rows.f_get(9)?);
        let labels = rows.f_select(1, 0)?;
        let labels = &labels + stream.normals(&labels)? * 0.4;
        let classes = labels.f_gt(0.3)?.f_to_kind(Kind::Double)?;
        let name = format!("problem-{index}");
        let place = folder.join(&name);
        fs::create_dir_all(&place)?;
        fs::write(place.join("features.csv"), csv(&rows)?)?;
        fs::write(place.join("labels.csv"), csv(&labels.f_unsqueeze(1)?)?)?;
        fs::write(place.join("classes.csv"), csv(&classes.f_unsqueeze(1)?)?)?;
        let metrics: [&dyn Metric; 4] = [&Rogi, &RogiXd, &Modi, &Rmodi];
        for metric in metrics {
            let info = metric.info();
            let kind = info.tasks.first().copied().unwrap_or(TaskKind::Regression);
            let labels = if kind == TaskKind::Regression { &labels } else { &classes };
            let host = TestProbe::new(&Nothing, 1, 1e9).with_embeddings(rows.shallow_clone()).with_labels(kind, labels.copy());
            let defaults: serde_json::Map<_, _> =
                info.parameters.into_iter().map(|parameter| (parameter.name, parameter.default)).collect();
            let measured = metric.measure(&host.probe(), &Params::from(defaults))?;
            for value in measured.values.into_iter().filter(|value| value.name == info.primary) {
                writeln!(ours, "{}", serde_json::json!({"problem": name, "metric": info.id, "value": value.value}))?;
            }
        }
    }
    fs::write(folder.join("ours.jsonl"), ours)?;
    Ok(())
}

fn csv(rows: &Tensor) -> Result<String, PluginError> {
    let line = |row: &Vec<f64>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(",") + "\n";
    Ok(Vec::<Vec<f64>>::try_from(rows)?.iter().map(line).collect())
}
