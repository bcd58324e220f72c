//! Tasks that have no score, such as one whose test molecules are all of one class: shown beside the boards, never left out.

use std::collections::BTreeMap;

use clmbench_store::RefusedTaskRow;

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
