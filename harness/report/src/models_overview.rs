//! Many rankings of models on one screen: a row a model, a column a task, a block a protocol.

use std::collections::BTreeSet;

use clmbench_analysis::{ModelBoard, ModelKind, ModelRow};

use crate::{
    Style,
    models::is_leaked,
    overview::tables,
    text::{MISSING, decimals},
};

/// More rankings than this are drawn as an overview.
const MOST_RANKINGS: usize = 2;

/// A ranking: protocol, dataset, task, score, split.
type Ranking<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

fn ranking(row: &ModelRow) -> Ranking<'_> {
    (&row.protocol, &row.dataset, &row.task, &row.score, &row.split_digest)
}

fn rankings(board: &ModelBoard) -> Vec<Ranking<'_>> {
    board.rows.iter().map(ranking).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Whether the rankings are too many for a table each.
pub(crate) fn wanted(board: &ModelBoard) -> bool {
    rankings(board).len() > MOST_RANKINGS
}

/// The blocks, each at most as wide as the style.
pub(crate) fn blocks(board: &ModelBoard, style: Style) -> String {
    let models = models(board);
    let labels: Vec<String> = models.iter().map(|(_, _, label)| label.clone()).collect();
    let all = rankings(board);
    let mut text = String::new();
    for block in all.chunk_by(|left, right| left.0 == right.0) {
        let column = |wanted: &Ranking<'_>| {
            let rows: Vec<&ModelRow> = board.rows.iter().filter(|row| ranking(row) == *wanted).collect();
            let largest = rows.iter().filter_map(|row| row.value).fold(0.0f64, |largest, value| largest.max(value.abs()));
            let digits = decimals(largest).min(3);
            let cells = labels.iter().map(|label| {
                let row = rows.iter().find(|row| row.label == *label);
                row.map_or_else(|| MISSING.to_owned(), |row| cell(row, digits))
            });
            (header(wanted, &all, &rows), cells.collect())
        };
        text += &tables(block[0].0, &labels, &block.iter().map(column).collect::<Vec<_>>(), style);
    }
    text
}

/// Runs, then controls, then baselines, then the mean predictor; within them by size and name.
fn models(board: &ModelBoard) -> Vec<(ModelKind, u64, String)> {
    let rows = board.rows.iter().map(|row| (row.kind, row.non_embedding_parameters.unwrap_or(0), row.label.clone()));
    rows.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The dataset, with its task where it has several, the score, and which way is better.
fn header((_, dataset, task, score, _): &Ranking<'_>, all: &[Ranking<'_>], rows: &[&ModelRow]) -> String {
    let several = all.iter().any(|other| other.1 == *dataset && other.2 != *task);
    let task = if several { format!("/{task}") } else { String::new() };
    let up = rows.first().is_none_or(|row| row.higher_is_better);
    let leaked = if rows.iter().any(|row| is_leaked(row)) { " leaked" } else { "" };
    format!("{dataset}{task} {score} {}{leaked}", if up { "↑" } else { "↓" })
}

/// `0.756 ± 0.040 +`: the score, its standard error, and whether it is above (+) or below (-) the model's untrained control.
fn cell(row: &ModelRow, digits: usize) -> String {
    let Some(value) = row.value else { return MISSING.to_owned() };
    let error = row.std_error.map_or_else(String::new, |error| format!(" ± {error:.digits$}"));
    let mark = match row.control_difference_low.zip(row.control_difference_high) {
        Some((low, _)) if low > 0.0 => " +",
        Some((_, high)) if high < 0.0 => " -",
        _ => "",
    };
    format!("{value:.digits$}{error}{mark}")
}

/// What the cells mean.
pub(crate) const LEGEND: &str = "Each cell: score ± standard error; ↑ larger or ↓ smaller is better; + better or - worse than the same model untrained (its \
                                 95 % interval holds no 0). `--dataset NAME` and `--protocol KIND` show the ranking of one task with the \
                                 intervals, --json all of it.";
