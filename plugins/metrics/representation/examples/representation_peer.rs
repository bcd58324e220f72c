//! Seeded embeddings and fingerprints, and our scores of them, for a peer that computes the same from the definitions
//! (`benchmarks/perf/peers/representation.py`).
//!
//! `cargo run --release -p clmbench-plugin-representation --example representation_peer FOLDER` writes `FOLDER/problem-K/features.csv` and `bits.csv`,
//! and `FOLDER/ours.jsonl`.

use std::{fmt::Write, fs, path::PathBuf};

use clmbench_plugin_representation::{AlphaReq, Anisotropy, CkaFingerprint, ParticipationRatio, RankMe, Uniformity, bits};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{Nothing, TestProbe},
};

/// Molecules and widths of the problems: the last has fewer molecules than dimensions.
const PROBLEMS: [(i64, i64); 3] = [(200, 16), (180, 120), (60, 96)];
const PARTS: [&str; 7] = ["C", "O", "N", "c1ccccc1", "C(=O)", "S", "C(F)"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("peer FOLDER: the folder is missing")?);
    let mut ours = String::new();
    for (index, (count, width)) in PROBLEMS.into_iter().enumerate() {
        let mut stream = Stream::new(index as u64 + 1);
        let fall = (Tensor::f_arange(width, (Kind::Double, Device::Cpu))? + 1.0).f_pow_tensor_scalar(-0.6)?;
        let rows = stream.normals(&Tensor::f_zeros([count, width], (Kind::Double, Device::Cpu))?)? * fall + 0.05;
        let mut part = || PARTS[(stream.bits() % PARTS.len() as u64) as usize];
        let smiles: Vec<String> = (0..count).map(|_| (0..7).map(|_| part()).collect()).collect();
        let name = format!("problem-{index}");
        let place = folder.join(&name);
        fs::create_dir_all(&place)?;
        fs::write(place.join("features.csv"), csv(&Vec::<Vec<f64>>::try_from(&rows)?))?;
        let fingerprints: Option<Vec<Vec<f32>>> = smiles.iter().map(|smiles| bits(smiles)).collect();
        fs::write(place.join("bits.csv"), csv(&fingerprints.ok_or("a molecule without a fingerprint")?))?;
        let host = TestProbe::new(&Nothing, 1, 1e9).with_embeddings(rows).with_smiles(smiles);
        let metrics: [&dyn Metric; 6] = [&RankMe, &AlphaReq, &ParticipationRatio, &Anisotropy, &Uniformity, &CkaFingerprint];
        for metric in metrics {
            let info = metric.info();
            let defaults: serde_json::Map<_, _> =
                info.parameters.into_iter().map(|parameter| (parameter.name, parameter.default)).collect();
            for value in metric.measure(&host.probe(), &Params::from(defaults))?.values {
                if !["last_rank", "missing"].contains(&value.name.as_str()) {
                    let primary = value.name == info.primary;
                    let metric = if primary { info.id.clone() } else { format!("{} {}", info.id, value.name) };
                    writeln!(ours, "{}", serde_json::json!({"problem": name, "metric": metric, "value": value.value}))?;
                }
            }
        }
    }
    fs::write(folder.join("ours.jsonl"), ours)?;
    Ok(())
}

fn csv<T: std::fmt::Display>(rows: &[Vec<T>]) -> String {
    let line = |row: &Vec<T>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(",") + "\n";
    rows.iter().map(line).collect()
}
