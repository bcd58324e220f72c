//! Runs without a score, and why: one that failed has no row of results, and would be missing without a word.

use clmbench_store::{CellRow, CellStatus};

use crate::details::ExcludedRun;

/// Adds runs and controls whose pretraining has not ended, and says of the others which cell failed. Failures come first.
pub(crate) fn explain(missing: &mut Vec<ExcludedRun>, cells: &[CellRow]) {
    for run in missing.iter_mut().filter(|run| run.reason == NO_SCORE) {
        if let Some(reason) = later_failure(&run.label, cells) {
            run.reason = reason;
        }
    }
    let pretrain = cells.iter().filter(|cell| is_run(cell));
    missing.extend(pretrain.filter_map(|cell| {
        let reason = match cell.status {
            CellStatus::Failed => failed(cell),
            CellStatus::Todo | CellStatus::Running => NOT_COMPUTED.to_owned(),
            CellStatus::Refused => cell.reason.clone().unwrap_or_else(|| NOT_COMPUTED.to_owned()),
            CellStatus::Done | CellStatus::Diverged | CellStatus::NotApplicable => return None,
        };
        Some(ExcludedRun { run: cell.identity.clone().unwrap_or_default(), label: cell.label.clone(), reason })
    }));
    missing.sort_by_key(|run| run.reason == NO_SCORE || run.reason == NOT_COMPUTED);
}

/// Of a run whose transfer is still to come.
pub(crate) const NO_SCORE: &str = "no score yet";
const NOT_COMPUTED: &str = "not computed yet";

/// Whether a cell makes a run: pretraining, or the import of a checkpoint of others.
fn is_run(cell: &CellRow) -> bool {
    cell.stage == "pretrain" || cell.stage == "import"
}

fn later_failure(label: &str, cells: &[CellRow]) -> Option<String> {
    let of_run = |cell: &&CellRow| {
        let rest = ["embed/", "transfer/"].iter().find_map(|stage| cell.key.strip_prefix(stage)?.strip_prefix(label));
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    cells.iter().filter(of_run).find(|cell| cell.status == CellStatus::Failed).map(failed)
}

fn failed(cell: &CellRow) -> String {
    let kind = cell.failure_kind.as_deref().unwrap_or("no kind was stored");
    let stage = if is_run(cell) { String::new() } else { format!("{} ", cell.stage) };
    match cell.reason.as_deref().and_then(|reason| reason.lines().next()) {
        Some(reason) => format!("{stage}failed: {kind}: {}", reason.chars().take(160).collect::<String>()),
        None => format!("{stage}failed: {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(key: &str, status: CellStatus, reason: &str) -> CellRow {
        let stage = key.split('/').next().unwrap_or_default().replace("control", "pretrain");
        let label = key.strip_prefix("pretrain/").unwrap_or(key);
        CellRow {
            key: key.into(),
            stage,
            label: label.into(),
            identity: None,
            status,
            failure_kind: (status == CellStatus::Failed).then(|| "panic".into()),
            reason: (!reason.is_empty()).then(|| reason.into()),
            attempts: 1,
            seconds: None,
            elapsed: None,
            started: None,
            finished: None,
            dependencies: vec![],
            device: None,
            libtorch: None,
            peak_rss_bytes: None,
            build: None,
        }
    }

    #[test]
    fn a_run_without_a_score_says_what_failed() {
        let no_score = |label: &str| ExcludedRun { run: "r".into(), label: label.into(), reason: NO_SCORE.into() };
        let diverged = ExcludedRun { reason: "diverged".into(), ..no_score("d/seed0") };
        let mut missing = vec![no_score("a/seed1"), diverged, no_score("control/a/seed0")];
        let cells = [
            cell("pretrain/a/seed0", CellStatus::Failed, "boom\nat line 3"),
            cell("pretrain/a/seed1", CellStatus::Done, ""),
            cell("pretrain/a/seed2", CellStatus::Todo, ""),
            cell("pretrain/d/seed0", CellStatus::Diverged, ""),
            cell("control/a/seed0", CellStatus::Done, ""),
            cell("embed/a/seed10/checkpoint-1/x", CellStatus::Failed, "of another run"),
            cell("embed/control/a/seed0/checkpoint-0/x", CellStatus::Failed, "not finite"),
        ];
        explain(&mut missing, &cells);
        let said: Vec<String> = missing.iter().map(|run| format!("{}: {}", run.label, run.reason)).collect();
        let expected = [
            "d/seed0: diverged",
            "control/a/seed0: embed failed: panic: not finite",
            "a/seed0: failed: panic: boom",
            "a/seed1: no score yet",
            "a/seed2: not computed yet",
        ];
        assert_eq!(said, expected);
    }
}
