//! `baseline judgements`: what gates came to, as the store keeps it.

use clmbench_analysis::gate::{GateReport, GateRow};
use clmbench_report::table_in;
use clmbench_store::{GateJudgementRow, Store};
use serde::Serialize;

use super::unknown;
use crate::{
    arguments::{Global, ListJudgements},
    console::{Console, one_line},
    error::CliError,
};

/// Letters of a candidate that a table shows, from its end.
const LONGEST: usize = 32;

/// A row of `baseline judgements --json`: one task, gated metric or speed of one judgement.
#[derive(Debug, Serialize)]
struct Row<'a> {
    /// Number of the judgement in this store.
    judgement: i64,
    created: &'a str,
    gate_baseline: &'a str,
    gate_baseline_digest: &'a str,
    candidate_name: &'a str,
    /// Verdict of the whole judgement.
    overall: &'a str,
    /// Why, in a sentence; null if the rest of the judgement cannot be read.
    reason: Option<&'a str>,
    /// `checkpoint` or `recipe`; null if the rest cannot be read.
    claim: Option<clmbench_stats::gate::Claim>,
    /// What was compared; null if it cannot be read.
    #[serde(flatten)]
    row: Option<&'a GateRow>,
}

/// Lists them, the newest last.
///
/// # Errors
/// [`CliError::Store`]; [`CliError::Usage`] for a name that no judgement and no gate baseline has.
pub fn run(arguments: &ListJudgements, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let mut judgements = store.gate_judgements()?;
    if let Some(name) = &arguments.name {
        let mut known: Vec<String> = store.gate_baselines()?.into_iter().map(|row| row.name).collect();
        known.extend(judgements.iter().map(|row| row.baseline.clone()));
        known.sort();
        known.dedup();
        if !known.contains(name) {
            return Err(unknown(name, &known, false));
        }
        judgements.retain(|row| row.baseline == *name);
    }
    let read: Vec<(GateJudgementRow, Option<GateReport>)> = judgements
        .into_iter()
        .map(|row| (serde_json::from_str(&row.content_json).ok(), row))
        .map(|(report, row)| (row, report))
        .collect();
    for (row, _) in read.iter().filter(|(_, report)| report.is_none()) {
        console.note(&format!("judgement {} is of another version: its tasks cannot be read", row.id));
    }
    if arguments.json.json {
        return console.json("baseline-judgements", &read.iter().flat_map(rows).collect::<Vec<Row<'_>>>());
    }
    if read.is_empty() {
        console.note("the store has no judgements: `clmbench gate --baseline NAME --candidate FOLDER` makes one");
        return Ok(());
    }
    let cells: Vec<Vec<String>> = read.iter().flat_map(cells).collect();
    console.print(&table_in(&["no.", "when, of", "candidate, difference", "verdict"], &cells, console.style))
}

fn rows((row, report): &(GateJudgementRow, Option<GateReport>)) -> Vec<Row<'_>> {
    let of = |task| Row {
        judgement: row.id,
        created: &row.created,
        gate_baseline: &row.baseline,
        gate_baseline_digest: &row.baseline_digest,
        candidate_name: &row.candidate,
        overall: &row.verdict,
        reason: report.as_ref().map(|report| report.overall.reason.as_str()),
        claim: report.as_ref().map(|report| report.overall.claim),
        row: task,
    };
    match report.as_ref().map(|report| &report.rows[..]) {
        None | Some([]) => vec![of(None)],
        Some(tasks) => tasks.iter().map(|task| of(Some(task))).collect(),
    }
}

/// A line of the whole and one a task.
fn cells((row, report): &(GateJudgementRow, Option<GateReport>)) -> Vec<Vec<String>> {
    let minute: String = row.created.chars().take(16).map(|letter| if letter == 'T' { ' ' } else { letter }).collect();
    let whole = vec![
        row.id.to_string(),
        minute,
        format!("{} against {}", ending(&one_line(&row.candidate, 300)), one_line(&row.baseline, 40)),
        row.verdict.replace('_', " "),
    ];
    let of_task = |task: &GateRow| {
        let difference = match (task.difference, task.low95.zip(task.high95)) {
            (Some(difference), Some((low, high))) => format!("{difference:+.3} [{low:+.3}, {high:+.3}]"),
            _ => task.refusal.clone().unwrap_or_default(),
        };
        vec![String::new(), format!("  {}", task.about()), difference, task.verdict.words().to_owned()]
    };
    let tasks = report.iter().flat_map(|report| &report.rows).map(of_task);
    std::iter::once(whole).chain(tasks).collect()
}

/// The end of a long name: of paths it says most.
fn ending(name: &str) -> String {
    let count = name.chars().count();
    if count <= LONGEST { name.to_owned() } else { format!("...{}", name.chars().skip(count + 3 - LONGEST).collect::<String>()) }
}
