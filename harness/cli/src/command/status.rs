//! `status`: how far a suite is.

use std::collections::BTreeMap;

use clmbench_store::{CellRow, CellStatus, Store};

use crate::{
    arguments::{Global, SuiteChoice},
    console::{Console, one_line},
    error::CliError,
};

/// Failed cells that are listed one by one.
const MOST_FAILED: usize = 20;
/// Stages in the order in which they are computed.
const STAGES: [&str; 5] = ["tokenise", "pretrain", "embed", "measure", "transfer"];

/// Prints the state of the suite's cells.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Output`].
pub fn run(choice: &SuiteChoice, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(choice.suite.as_deref())?;
    let cells = store.cells(suite.id)?;
    if choice.json.json {
        return console.json("status", &cells);
    }
    let mut page = format!("suite {}: {}\n", one_line(&suite.name, 80), counts(&cells));
    page.push_str(&by_stage(&cells, console.style));
    page.push_str(&failures(&cells));
    console.print(&page)
}

/// `40 done, 1 failed, 53 todo`.
fn counts(cells: &[CellRow]) -> String {
    let mut counts: BTreeMap<CellStatus, usize> = BTreeMap::new();
    for cell in cells {
        *counts.entry(cell.status).or_insert(0) += 1;
    }
    let order = [
        CellStatus::Done,
        CellStatus::Diverged,
        CellStatus::Running,
        CellStatus::Todo,
        CellStatus::Failed,
        CellStatus::Refused,
        CellStatus::NotApplicable,
    ];
    let parts: Vec<String> =
        order.iter().filter_map(|status| Some(format!("{} {}", counts.get(status)?, status.word().replace('_', " ")))).collect();
    format!("{} cells: {}", cells.len(), parts.join(", "))
}

fn by_stage(cells: &[CellRow], style: clmbench_report::Style) -> String {
    let shown: Vec<CellStatus> =
        CellStatus::ALL.into_iter().filter(|status| cells.iter().any(|cell| cell.status == *status)).collect();
    let stages = STAGES.iter().filter(|stage| cells.iter().any(|cell| cell.stage == **stage));
    let rows: Vec<Vec<String>> = stages
        .map(|stage| {
            let of = |status: CellStatus| cells.iter().filter(move |cell| cell.stage == *stage && cell.status == status);
            let seconds: f64 = cells.iter().filter(|cell| cell.stage == *stage).filter_map(|cell| cell.seconds).sum();
            let mut row = vec![(*stage).to_owned()];
            row.extend(shown.iter().map(|status| match of(*status).count() {
                0 => String::new(),
                count => count.to_string(),
            }));
            row.push(crate::units::show_seconds(seconds));
            row
        })
        .collect();
    let words: Vec<String> = shown.iter().map(|status| status.word().replace('_', " ")).collect();
    let mut headers = vec!["stage"];
    headers.extend(words.iter().map(String::as_str));
    headers.push("computed in");
    clmbench_report::table_in(&headers, &rows, style)
}

/// Failed cells with their typed reasons, and how many were refused because of them; empty if there are none.
fn failures(cells: &[CellRow]) -> String {
    let of = |status: CellStatus| cells.iter().filter(move |cell| cell.status == status);
    let reason = |cell: &CellRow| one_line(cell.reason.as_deref().unwrap_or("no reason was stored"), 400);
    let mut text = String::new();
    for cell in of(CellStatus::Failed).take(MOST_FAILED) {
        let kind = cell.failure_kind.as_deref().unwrap_or("failed");
        text.push_str(&format!("\nfailed {}\n  {kind}: {}", one_line(&cell.key, 120), reason(cell)));
    }
    let failed = of(CellStatus::Failed).count();
    if failed > MOST_FAILED {
        text.push_str(&format!("\nand {} more; see `clmbench status --json`", failed - MOST_FAILED));
    }
    if let Some(first) = of(CellStatus::Refused).next() {
        let count = of(CellStatus::Refused).count();
        text.push_str(&format!("\nrefused {count}, first {}\n  {}", one_line(&first.key, 120), reason(first)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(key: &str, status: CellStatus) -> CellRow {
        CellRow {
            key: key.into(),
            stage: "measure".into(),
            label: key.into(),
            identity: None,
            status,
            failure_kind: (status == CellStatus::Failed).then(|| "time_limit".into()),
            reason: (status == CellStatus::Failed).then(|| "over 60 s\u{1b}[2J".into()),
            attempts: 1,
            seconds: Some(1.0),
            started: None,
            finished: None,
            dependencies: vec![],
            device: None,
            libtorch: None,
            peak_rss_bytes: None,
        }
    }

    #[test]
    fn cells_are_counted_and_failures_named() {
        let cells = [cell("a", CellStatus::Done), cell("b", CellStatus::Failed), cell("c", CellStatus::NotApplicable)];
        assert_eq!(counts(&cells), "3 cells: 1 done, 1 failed, 1 not applicable");
        let text = failures(&cells);
        assert!(text.contains("failed b\n  time_limit: over 60 s") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(failures(&cells[..1]), "");
    }
}
