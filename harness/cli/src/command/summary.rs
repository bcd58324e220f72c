//! How a run ended: time by stage, and runs that diverged.

use std::collections::BTreeMap;

use clmbench_runner::plan::STAGES;
use clmbench_store::{Store, StoreError};
use serde::Serialize;

use super::left_out::LeftOut;
use crate::units::show_seconds;

/// Time that a suite's finished cells took, and the runs among them that diverged.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Stage by stage.
    pub stages: Vec<StageTime>,
    /// Runs that diverged, which are in no fit.
    pub diverged: Vec<DivergedRun>,
    /// Rows of datasets that were left out.
    pub left_out: Vec<LeftOut>,
}

/// Time of the finished cells of a stage; for `transfer`, of one protocol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageTime {
    /// Stage.
    pub stage: &'static str,
    /// Protocol, for `transfer`.
    pub protocol: Option<String>,
    /// Finished cells, whenever they were computed.
    pub cells: usize,
    /// Sum of their wall times, in seconds; several workers make a run shorter than the sum.
    pub seconds: f64,
}

/// A run that diverged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DivergedRun {
    /// Its label.
    pub run: String,
    /// By which rule.
    pub reason: String,
}

impl Summary {
    /// Reads it from the store.
    ///
    /// # Errors
    /// The store.
    pub fn of(store: &Store, suite_id: i64) -> Result<Self, StoreError> {
        let mut times: BTreeMap<(usize, Option<String>), (usize, f64)> = BTreeMap::new();
        let mut seen = std::collections::HashSet::new();
        for row in store.cells(suite_id)? {
            let (Some(identity), Some(seconds)) = (row.identity, row.seconds) else { continue };
            let Some(stage) = STAGES.iter().position(|stage| *stage == row.stage) else { continue };
            // Two keys may name one cell.
            if !row.status.is_finished() || !seen.insert(identity) {
                continue;
            }
            let time = times.entry((stage, protocol(&row.stage, &row.key))).or_default();
            *time = (time.0 + 1, time.1 + seconds);
        }
        let stage = |((stage, protocol), (cells, seconds))| StageTime { stage: STAGES[stage], protocol, cells, seconds };
        let diverged = store.runs(suite_id)?.into_iter().filter(|run| run.diverged).map(|run| DivergedRun {
            run: run.label,
            reason: run.divergence.unwrap_or_else(|| "its rule was not recorded".to_owned()),
        });
        // A dataset is there once for each tokenizer, with the same rows left out.
        let mut left_out: Vec<LeftOut> = store.datasets(suite_id)?.iter().filter_map(LeftOut::of).collect();
        let mut seen = std::collections::HashSet::new();
        left_out.retain(|left| seen.insert((left.dataset.clone(), left.invalid.clone())));
        Ok(Self { stages: times.into_iter().map(stage).collect(), diverged: diverged.collect(), left_out })
    }

    /// A few lines for people.
    pub fn text(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for (index, time) in self.stages.iter().enumerate() {
            let name = time.protocol.as_ref().map_or_else(|| time.stage.to_owned(), |word| format!("{} ({word})", time.stage));
            let head = if index == 0 { "time" } else { "" };
            let cells = if time.cells == 1 { "cell" } else { "cells" };
            lines.push(format!("{head:<5} {name:<19} {:>5} {cells:<5} {:>12}", time.cells, show_seconds(time.seconds)));
        }
        lines.extend(self.diverged.iter().map(|run| format!("diverged: {} ({})", run.run, run.reason)));
        lines.extend(self.left_out.iter().map(LeftOut::text));
        lines.join("\n")
    }
}

/// The protocol in the key of a transfer cell: `transfer/.../probe`, `transfer/.../finetune/seed0` or `transfer/baseline/...`.
fn protocol(stage: &str, key: &str) -> Option<String> {
    let parts: Vec<&str> = key.split('/').collect();
    let place = match parts.get(1) {
        Some(&"baseline") => Some(1),
        _ if key.ends_with("/probe") => parts.len().checked_sub(1),
        _ => parts.len().checked_sub(2),
    };
    place.filter(|_| stage == "transfer").and_then(|place| parts.get(place)).map(|word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_have_their_lines_and_diverged_runs_their_reasons() {
        let time = |stage, protocol: Option<&str>, cells, seconds| StageTime {
            stage,
            protocol: protocol.map(str::to_owned),
            cells,
            seconds,
        };
        let summary = Summary {
            stages: vec![
                time("pretrain", None, 12, 182.0),
                time("transfer", Some("finetune"), 48, 61.0),
                time("transfer", Some("probe"), 1, 0.5),
            ],
            diverged: vec![DivergedRun { run: "bert".into(), reason: "the loss is not finite".into() }],
            left_out: Vec::new(),
        };
        let expected = "\
time  pretrain               12 cells   3 min 02 s
      transfer (finetune)    48 cells   1 min 01 s
      transfer (probe)        1 cell         0.5 s
diverged: bert (the loss is not finite)";
        assert_eq!(summary.text(), expected);
        assert_eq!(protocol("transfer", "transfer/bert/mixed/seed0/checkpoint-1/bace/finetune/seed0"), Some("finetune".into()));
        assert_eq!(protocol("transfer", "transfer/bert/mixed/seed0/checkpoint-1/bace/probe"), Some("probe".into()));
        for key in ["transfer/baseline/linear-ecfp4_2048/bace", "transfer/baseline/random_forest-ecfp4_2048/bace/seed0"] {
            assert_eq!(protocol("transfer", key), Some("baseline".into()));
        }
        assert_eq!(protocol("embed", "embed/a/b"), None);
    }
}
