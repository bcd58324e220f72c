//! Tasks that have no score, such as one whose test molecules are all of one class: shown beside the boards, never left out.

use std::collections::BTreeMap;

use clmbench_store::{CellRow, CellStatus, RefusedTaskRow};

/// A task without a score.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedTask {
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Protocol.
    pub protocol: String,
    /// Why it has none.
    pub reason: String,
    /// Runs and controls that lack it for this reason.
    pub runs: usize,
}

/// A metric without a value for want of something that is not known of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedMetric {
    /// The metric, such as `trivial/tokens`; with what tells it apart where a suite has it twice.
    pub metric: String,
    /// Why.
    pub reason: String,
    /// Measurements that were refused for this reason.
    pub cells: usize,
}

/// One entry for each metric and reason. Keys are `measure/RUN/CHECKPOINT/METRIC`, a checkpoint being `checkpoint-N`; what follows the
/// metric, a dataset and a task, is left out.
pub(crate) fn lacking(cells: &[CellRow]) -> Vec<RefusedMetric> {
    let mut metrics: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.stage == "measure" && cell.status == CellStatus::Refused) {
        // Of cells before them that failed, the board says it elsewhere.
        let reason = cell.reason.as_deref().filter(|reason| !reason.starts_with("needs `"));
        if let (Some(metric), Some(reason)) = (metric_of(&cell.key), reason) {
            *metrics.entry((metric, reason)).or_default() += 1;
        }
    }
    let one = |((metric, reason), cells): ((&str, &str), usize)| RefusedMetric {
        // Keys write the first slash of an id as a point.
        metric: metric.replacen('.', "/", 1),
        reason: reason.lines().next().unwrap_or_default().trim_end_matches('.').to_owned(),
        cells,
    };
    metrics.into_iter().map(one).collect()
}

/// The part of a measurement's key that is its metric.
fn metric_of(key: &str) -> Option<&str> {
    let parts: Vec<&str> = key.split('/').collect();
    let number = |part: &str| part.strip_prefix("checkpoint-").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    // A run may be called as checkpoints are.
    let checkpoint = parts.iter().rposition(|part| number(part))?;
    parts.get(checkpoint + 1).copied()
}

/// One entry for each task, protocol and reason.
pub(crate) fn refused(rows: &[RefusedTaskRow]) -> Vec<RefusedTask> {
    let mut tasks: BTreeMap<(&str, &str, &str, &str), Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.last) {
        tasks.entry((&row.dataset, &row.task, &row.protocol, &row.reason)).or_default().push(&row.run);
    }
    let one = |((dataset, task, protocol, reason), mut runs): ((&str, &str, &str, &str), Vec<&str>)| {
        runs.sort_unstable();
        runs.dedup();
        let (dataset, task, protocol) = (dataset.to_owned(), task.to_owned(), protocol.to_owned());
        RefusedTask { dataset, task, protocol, reason: reason.to_owned(), runs: runs.len() }
    };
    tasks.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_metrics_are_counted_by_reason_and_other_refusals_are_not() {
        let cell = |key: &str, status: CellStatus, reason: &str| CellRow {
            key: key.into(),
            stage: "measure".into(),
            label: String::new(),
            identity: None,
            status,
            failure_kind: None,
            reason: Some(reason.into()),
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
        };
        let refused = CellStatus::Refused;
        let cells = [
            cell("measure/a/checkpoint-0/trivial.tokens", refused, "not known"),
            cell("measure/checkpoint-7/checkpoint-0/trivial.tokens", refused, "not known"),
            cell("measure/a/checkpoint-0/loss.mlm_loss@quick", refused, "the head is random.\nmore"),
            cell("measure/b/checkpoint-0/trivial.tokens", refused, "needs `import/b`, which failed"),
            cell("measure/c/checkpoint-0/trivial.tokens", CellStatus::Failed, "not known"),
        ];
        let found: Vec<_> = lacking(&cells).into_iter().map(|lack| (lack.metric, lack.reason, lack.cells)).collect();
        let of = |metric: &str, reason: &str, cells| (metric.to_owned(), reason.to_owned(), cells);
        assert_eq!(found, [of("loss/mlm_loss@quick", "the head is random", 1), of("trivial/tokens", "not known", 2)]);
    }
}
