//! Cells that are not done, with their reasons; tasks and runs without a score.

use clmbench_store::{CellRow, CellStatus};

use super::{
    Report, list,
    node::{Node, with_text},
    note, paragraph,
    table::{Set, column, table},
};
use crate::text::plural;

/// Cells that are listed one by one; the rest are in the export.
const MOST: usize = 200;

/// What is missing, and why.
pub(crate) fn section(report: &Report<'_>) -> Vec<Node> {
    let ended = |cell: &&CellRow| {
        matches!(cell.status, CellStatus::Failed | CellStatus::Refused | CellStatus::Diverged | CellStatus::NotApplicable)
    };
    let mut cells: Vec<&CellRow> = report.cells.iter().filter(ended).collect();
    cells.sort_by_key(|cell| match cell.status {
        CellStatus::Failed => 0,
        CellStatus::Diverged => 1,
        CellStatus::Refused => 2,
        _ => 3,
    });
    let waiting = report.cells.iter().filter(|cell| matches!(cell.status, CellStatus::Todo | CellStatus::Running)).count();
    let mut nodes = Vec::new();
    if waiting > 0 {
        nodes.push(paragraph(format!("{} to be computed yet: this page is of an unfinished suite.", plural(waiting, "cell"))));
    }
    if !cells.is_empty() {
        let of_run = |cell: &CellRow| report.runs.iter().find(|run| Some(&run.run) == cell.identity.as_ref());
        let columns = [
            column("cell", Set::Name, |cell: &&CellRow| cell.key.clone()),
            column("status", Set::Word, |cell: &&CellRow| cell.status.word().replace('_', " ")),
            column("kind", Set::Word, |cell: &&CellRow| cell.failure_kind.clone().unwrap_or_default().replace('_', " ")),
            column("reason", Set::Long, move |cell: &&CellRow| {
                let rule = || of_run(cell).and_then(|run| run.divergence.clone());
                cell.reason.clone().or_else(rule).unwrap_or_else(|| "no reason was stored".to_owned())
            }),
        ];
        let shown = &cells[..cells.len().min(MOST)];
        nodes.push(table("Cells that gave no result", shown, columns).into());
        if cells.len() > MOST {
            nodes.push(note(format!("and {} more: clmbench export cells has them all.", cells.len() - MOST)));
        }
    }
    let refused = report.models.refused.iter().map(|task| {
        let models = plural(task.runs, "model");
        format!("{} {}, {}, {models}: {}", task.dataset, task.task, task.protocol, task.reason)
    });
    let refused: Vec<String> = refused.collect();
    if !refused.is_empty() {
        nodes.push(with_text("h3", "Tasks without a score").into());
        nodes.push(list(refused).into());
    }
    let missing: Vec<String> = report.models.missing.iter().map(|run| format!("{}: {}", run.label, run.reason)).collect();
    if !missing.is_empty() {
        nodes.push(with_text("h3", "Runs without a score").into());
        nodes.push(list(missing).into());
    }
    if nodes.is_empty() {
        nodes.push(paragraph("Nothing: every cell of the plan was computed and every task has its score."));
    }
    nodes
}
