//! Scores of embeddings and labels against independent numpy, written from the definitions (`benchmarks/perf/peers`).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;
use serde::Deserialize;

use crate::{
    bench::{environment, markdown},
    cargo::{self, cargo, run},
    error::XtaskError,
    families,
};

/// Relative difference allowed.
const ALLOWED: f64 = 1e-6;

/// Arguments of `verify peers`.
#[derive(Debug, Args)]
pub struct PeerArguments {
    /// A Python with numpy and scipy (benchmarks/perf/peers/README.md).
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    peer: PathBuf,
    /// Also write the table to benchmarks/PEERS.md.
    #[arg(long)]
    write: bool,
}

/// One value of one problem.
#[derive(Debug, Deserialize)]
struct Line {
    problem: String,
    metric: String,
    value: f64,
}

type Values = BTreeMap<(String, String), f64>;

/// Computes both sides and compares them.
pub fn run_peers(arguments: &PeerArguments) -> Result<(), XtaskError> {
    let checkout = cargo::checkout()?;
    let mut rows = Vec::new();
    for family in families::with(&checkout, "examples/{}_peer.rs")? {
        let script = checkout.join(format!("benchmarks/perf/peers/{family}.py"));
        if !script.is_file() {
            continue; // its peer is another command's
        }
        let folder = checkout.join("target/bench/verify-peers").join(&family);
        let _ = fs::remove_dir_all(&folder); // of an earlier check
        fs::create_dir_all(&folder).map_err(XtaskError::io("create", &folder))?;
        let mut command = cargo(&checkout);
        let (package, example) = (families::package(&family), families::example(&family, "peer"));
        command.args(["run", "--release", "--locked", "-p", package.as_str(), "--example", example.as_str(), "--"]).arg(&folder);
        run(command)?;
        let path = folder.join("ours.jsonl");
        let ours = values(&fs::read_to_string(&path).map_err(XtaskError::io("read", &path))?)?;
        rows.extend(compare(&ours, &theirs(&arguments.peer, &script, &folder)?));
    }
    let text = format!(
        "# Peers\n\nMade by `cargo xtask verify peers --write` on {}.\n\nOurs beside numpy and scipy, written from the definitions\n\
         (`benchmarks/perf/peers/*.py`), on the same features and labels; the check fails beyond a relative difference of {ALLOWED:.0e}.\n\
         Traces and eigenvalues beside PyHessian: `benchmarks/perf/CURVATURE.md`.\n\n{}",
        environment(&checkout),
        markdown(
            &["metric", "problem", "ours", "numpy", "relative difference"],
            &rows.iter().map(|row| row.cells.clone()).collect::<Vec<_>>()
        )
    );
    println!("\n{text}");
    let broken: Vec<String> = rows.iter().filter(|row| !row.agrees).map(|row| row.cells[..2].join(" of ")).collect();
    if rows.is_empty() || !broken.is_empty() {
        return Err(XtaskError::Check(format!("ours and the peer's differ or are missing: {}", broken.join(", "))));
    }
    if arguments.write {
        let path = checkout.join("benchmarks/PEERS.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    Ok(())
}

fn theirs(python: &Path, script: &Path, folder: &Path) -> Result<Values, XtaskError> {
    let output = Command::new(python).arg(script).arg(folder).stderr(Stdio::inherit()).output();
    let output = output.map_err(XtaskError::io("start", python))?;
    if !output.status.success() {
        return Err(XtaskError::Check(format!(
            "{} failed; benchmarks/perf/peers/README.md says what it needs",
            script.display()
        )));
    }
    values(&String::from_utf8_lossy(&output.stdout))
}

fn values(text: &str) -> Result<Values, XtaskError> {
    let lines: Vec<Line> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(lines.into_iter().map(|line| ((line.metric, line.problem), line.value)).collect())
}

struct Compared {
    cells: Vec<String>,
    agrees: bool,
}

/// A row for everything that either side has; what only one has does not agree.
fn compare(ours: &Values, theirs: &Values) -> Vec<Compared> {
    let all: BTreeMap<_, _> = ours.iter().chain(theirs).map(|(key, _)| (key, ())).collect();
    let row = |key: &(String, String)| {
        let (a, b) = (ours.get(key).copied(), theirs.get(key).copied());
        let difference = match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() / b.abs().max(1e-12),
            _ => f64::INFINITY,
        };
        let shown = |value: Option<f64>| value.map_or_else(|| "missing".into(), |value| format!("{value:.8}"));
        let cells = vec![format!("`{}`", key.0), key.1.clone(), shown(a), shown(b), format!("{difference:.0e}")];
        Compared { cells, agrees: difference <= ALLOWED }
    };
    all.into_keys().map(row).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_differs_or_is_missing_does_not_agree() {
        let of = |lines: &[(&str, f64)]| {
            let lines = lines.iter().map(|(metric, value)| format!(r#"{{"problem":"p","metric":"{metric}","value":{value}}}"#));
            values(&lines.collect::<Vec<_>>().join("\n")).unwrap()
        };
        let rows = compare(&of(&[("same", 1.0), ("off", 1.0), ("ours", 1.0)]), &of(&[("same", 1.0 + 1e-9), ("off", 1.1)]));
        let agrees: Vec<(&str, bool)> = rows.iter().map(|row| (row.cells[0].as_str(), row.agrees)).collect();
        assert_eq!(agrees, [("`off`", false), ("`ours`", false), ("`same`", true)]);
        assert!(values("x").is_err());
    }
}
