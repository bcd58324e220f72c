//! `status`: how far a suite is, also while another process runs it.

use std::collections::BTreeMap;

use clmbench_runner::plan::STAGES;
use clmbench_store::{CellRow, CellStatus, RunRow, Store};

use super::running::{RunState, settle};
use crate::{
    arguments::{Global, StatusArguments},
    console::{Console, one_line},
    error::CliError,
    units::show_seconds,
};

/// Cells of one state that are listed with their reasons.
const MOST_LISTED: usize = 20;

/// Prints the state of the suite's cells. Reads only, and waits for nobody.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Output`].
pub fn run(choice: &StatusArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(choice.suite.as_deref())?;
    // The lease first: a run that ends between the two looks has recorded its cells by the second.
    let lease = store.lease_state();
    let mut cells = store.cells(suite.id)?;
    let state = settle(&mut cells, lease);
    if cells.iter().any(|cell| cell.status == CellStatus::Diverged) {
        explain(&mut cells, store.runs(suite.id)?);
    }
    if choice.json.json {
        return console.json_of_run("status", &cells, Some(&state));
    }
    let mut page = format!("suite {}: {}\n", one_line(&suite.name, 80), counts(&cells));
    page.extend(state.line().map(|line| format!("{line}\n")));
    page.push_str(&under_way(&cells, &state));
    if choice.cells {
        page.push_str(&every(&cells));
    } else {
        page.push_str(&by_stage(&cells, console.style));
        page.push_str(&reasons(&cells));
    }
    console.print(&page)?;
    if state.state == "idle" && state.todo > 0 {
        console.note("`clmbench run SUITE` goes on: nobody computes it now");
    }
    if !choice.cells && cells.iter().any(|cell| cell.status == CellStatus::Failed) {
        console
            .note("next: `clmbench show CELL --log` says more of one; `clmbench run SUITE --retry-failed` computes them again");
    }
    Ok(())
}

/// Gives diverged cells the rule by which they did, which is kept with the run.
fn explain(cells: &mut [CellRow], runs: Vec<RunRow>) {
    let rules: BTreeMap<String, String> = runs.into_iter().filter_map(|run| Some((run.run, run.divergence?))).collect();
    for cell in cells.iter_mut().filter(|cell| cell.status == CellStatus::Diverged && cell.reason.is_none()) {
        cell.reason = cell.identity.as_ref().and_then(|identity| rules.get(identity)).cloned();
    }
}

/// `96 cells: 40 done, 1 failed, 55 todo`.
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

/// The cells that are being computed, with how long; or those that were when their process was killed.
fn under_way(cells: &[CellRow], state: &RunState) -> String {
    let line = |cell: &CellRow| {
        let time = cell.elapsed.map(|seconds| format!("  {}", show_seconds(seconds))).unwrap_or_default();
        format!("  {}{time}\n", one_line(&cell.key, 120))
    };
    cells.iter().filter(|cell| state.cells.contains(&cell.key)).take(MOST_LISTED).map(line).collect()
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
            row.push(show_seconds(seconds));
            row
        })
        .collect();
    let words: Vec<String> = shown.iter().map(|status| status.word().replace('_', " ")).collect();
    let mut headers = vec!["stage"];
    headers.extend(words.iter().map(String::as_str));
    headers.push("computed in");
    clmbench_report::table_in(&headers, &rows, style)
}

/// Every cell: state, seconds, key. One line each, however long, so that it can be searched and cut.
fn every(cells: &[CellRow]) -> String {
    let seconds = |cell: &CellRow| cell.seconds.or(cell.elapsed).map(show_seconds).unwrap_or_default();
    let wide = cells.iter().map(|cell| seconds(cell).chars().count()).max().unwrap_or(0);
    let line = |cell: &CellRow| {
        let status = cell.status.word().replace('_', " ");
        format!("{status:<14}  {:>wide$}  {}\n", seconds(cell), one_line(&cell.key, 400))
    };
    cells.iter().map(line).collect()
}

/// Failed, diverged and refused cells with their reasons; empty if there are none.
fn reasons(cells: &[CellRow]) -> String {
    let of = |status: CellStatus| cells.iter().filter(move |cell| cell.status == status);
    let reason = |cell: &CellRow| one_line(cell.reason.as_deref().unwrap_or("no reason was stored"), 400);
    let mut text = String::new();
    for cell in of(CellStatus::Failed).take(MOST_LISTED) {
        let kind = cell.failure_kind.as_deref().unwrap_or("failed");
        text.push_str(&format!("\nfailed {}\n  {kind}: {}", one_line(&cell.key, 120), reason(cell)));
    }
    more(&mut text, of(CellStatus::Failed).count());
    for cell in of(CellStatus::Diverged).take(MOST_LISTED) {
        text.push_str(&format!("\ndiverged {}\n  {}", one_line(&cell.key, 120), reason(cell)));
    }
    more(&mut text, of(CellStatus::Diverged).count());
    // A failure refuses all that need it, for one reason each: a line a reason.
    let mut refused: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for cell in of(CellStatus::Refused) {
        refused.entry(reason(cell)).or_insert((0, &cell.key)).0 += 1;
    }
    for (reason, (count, first)) in refused.iter().take(MOST_LISTED) {
        let cells = crate::units::counted(*count, "cell");
        text.push_str(&format!("\nrefused {cells}, first {}\n  {reason}", one_line(first, 120)));
    }
    more(&mut text, refused.len());
    text
}

fn more(text: &mut String, count: usize) {
    if count > MOST_LISTED {
        text.push_str(&format!("\nand {} more; `clmbench status --json` has all of them", count - MOST_LISTED));
    }
}

#[cfg(test)]
mod tests {
    use clmbench_store::{Holder, LeaseState};

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
            elapsed: (status == CellStatus::Running).then_some(12.0),
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
    fn cells_are_counted_and_failures_named() {
        let cells = [cell("a", CellStatus::Done), cell("b", CellStatus::Failed), cell("c", CellStatus::NotApplicable)];
        assert_eq!(counts(&cells), "3 cells: 1 done, 1 failed, 1 not applicable");
        let text = reasons(&cells);
        assert!(text.contains("failed b\n  time_limit: over 60 s") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(reasons(&cells[..1]), "");
        let mut diverged = cell("d", CellStatus::Diverged);
        diverged.reason = Some("the training loss of step 1 is NaN".into());
        assert_eq!(reasons(&[diverged]), "\ndiverged d\n  the training loss of step 1 is NaN");
    }

    #[test]
    fn refused_cells_are_told_by_reason() {
        let mut cells = [cell("a", CellStatus::Refused), cell("b", CellStatus::Refused), cell("c", CellStatus::Refused)];
        cells.iter_mut().zip(["needs x", "needs y", "needs y"]).for_each(|(cell, why)| cell.reason = Some(why.into()));
        assert_eq!(reasons(&cells), "\nrefused 1 cell, first a\n  needs x\nrefused 2 cells, first b\n  needs y");
    }

    #[test]
    fn a_cell_whose_process_is_gone_is_not_running() {
        let holder = || Holder { pid: 7, host: "here".into(), since: "then".into() };
        let mut cells = [cell("a", CellStatus::Running), cell("b", CellStatus::Todo)];
        let state = settle(&mut cells, LeaseState::Held(holder()));
        assert_eq!((cells[0].status, state.state, state.todo), (CellStatus::Running, "running", 2));
        assert_eq!(state.line().unwrap_or_default(), "running: process 7 on here since then");
        assert_eq!(under_way(&cells, &state), "  a  12.0 s\n");
        let state = settle(&mut cells, LeaseState::Abandoned(holder()));
        assert_eq!((cells[0].status, state.state, state.todo), (CellStatus::Todo, "interrupted", 2));
        assert!(cells[0].reason.as_deref().is_some_and(|reason| reason.starts_with("interrupted")) && cells[0].elapsed.is_none());
        let line = state.line().unwrap_or_default();
        assert!(line.starts_with("interrupted: process 7") && line.contains("1 cell under way"), "{line}");
        assert_eq!(settle(&mut cells, LeaseState::Free).line(), None);
    }
}
