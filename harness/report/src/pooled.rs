//! The first block of the overview of predictors: each metric over all tasks of a protocol, with the stability of its rank.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_analysis::{PooledRow, PredictorBoard};

use crate::{
    Style,
    layout::{Column, draw},
    text::{finish, interval, p_value, plain, plural, two, two_or_missing, wrap},
};

/// More metrics than this are cut: those below neither predict nor are trivial.
const MOST: usize = 30;

/// A block for each ranking: a protocol, and where there are several, an objective and a tokenizer.
pub(crate) fn blocks(board: &PredictorBoard, all: bool, style: Style) -> String {
    let mut text = String::new();
    for block in board.pooled.chunk_by(|left, right| (&left.protocol, left.ranking()) == (&right.protocol, right.ranking())) {
        let several = board.pooled.iter().any(|row| row.protocol == block[0].protocol && row.ranking() != block[0].ranking());
        if several {
            text += &wrap(&plain(&format!("{}:", block[0].ranking())), style.columns());
        }
        let rows: Vec<&PooledRow> = shown(block, all);
        text += &draw(columns(&rows, style.columns()), style).0;
        if rows.len() < block.len() {
            let more = block.len() - rows.len();
            text += &format!("{} more, none of which predicts; --all shows them.\n", plural(more, "metric"));
        }
    }
    text
}

/// The blocks alone, with what explains them.
pub(crate) fn page(board: &PredictorBoard, style: Style) -> String {
    let title = format!("Predictors of transfer in suite {} over all tasks", board.suite);
    let mut text = wrap(&plain(&title), style.columns()) + &blocks(board, true, style);
    lines(board).iter().for_each(|line| text += &wrap(&plain(line), style.columns()));
    finish(text, style)
}

/// The best ones, those that are decided, and the trivial ones.
fn shown(block: &[PooledRow], all: bool) -> Vec<&PooledRow> {
    let stays = |row: &&PooledRow| {
        all || block.len() <= MOST || row.rank as usize <= MOST - 6 || row.trivial || row.verdict == "predicts" || row.reversed
    };
    block.iter().filter(stays).collect()
}

fn columns(rows: &[&PooledRow], width: usize) -> Vec<Column> {
    let column = |get: &dyn Fn(&PooledRow) -> String| rows.iter().map(|row| get(row)).collect::<Vec<String>>();
    let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share));
    let protocol = rows.first().map_or("", |row| row.protocol.as_str());
    let mut columns = vec![Column::left(&format!("{protocol}, all tasks"), 0, column(&name)).capped((width / 3).max(20))];
    let metrics: BTreeSet<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
    if metrics.len() < rows.len() {
        columns.push(Column::left("sample", 0, column(&sample)));
    }
    columns.extend([
        Column::right("n", 5, column(&|row| row.n.to_string())),
        Column::right("tasks", 6, column(&|row| row.n_tasks.to_string())),
        Column::right("r", 0, column(&|row| two_or_missing(row.spearman))),
        Column::right("95 % interval", 0, column(&|row| interval(row.spearman_low, row.spearman_high))),
        Column::right("p", 3, column(&|row| p_value(row.p_value))),
        Column::left("gain in", 4, column(&gains)),
    ]);
    if rows.iter().any(|row| row.mean_rank.is_some()) {
        columns.push(Column::right("rank by r [90 %]", 1, column(&rank)));
        columns.push(Column::right("first", 7, column(&|row| share(row.top1))));
        columns.push(Column::right("first 3", 8, column(&|row| share(row.top3))));
    }
    let verdict = |row: &PooledRow| if row.reversed { format!("{} !", row.verdict) } else { row.verdict.clone() };
    columns.push(Column::left("verdict", 0, column(&verdict)));
    columns
}

fn name(row: &PooledRow) -> String {
    if row.trivial { format!("{} *", row.metric) } else { row.metric.clone() }
}

/// The evaluation sample of a pool, which tells rows of one metric within a ranking apart.
fn sample(row: &PooledRow) -> String {
    row.pool.split(' ').find_map(|part| part.strip_prefix("sample:")).unwrap_or("–").to_owned()
}

/// `2.4 [1, 7]`: the mean rank under resampling, and between what it lies.
fn rank(row: &PooledRow) -> String {
    let Some(mean) = row.mean_rank else { return "–".to_owned() };
    let ends = row.mean_rank_low90.zip(row.mean_rank_high90);
    ends.map_or_else(|| format!("{mean:.1} [–]"), |(low, high)| format!("{mean:.1} [{low:.0}, {high:.0}]"))
}

/// `2 of 5`, and how many are decided against it: `2, not 1 of 5`.
fn gains(row: &PooledRow) -> String {
    match (row.gain_tasks, row.gain_not_better) {
        (0, _) => "–".to_owned(),
        (tasks, 0) => format!("{} of {tasks}", row.gain_better),
        (tasks, not) => format!("{}, not {not} of {tasks}", row.gain_better),
    }
}

/// Sentences below the blocks.
pub(crate) fn lines(board: &PredictorBoard) -> Vec<String> {
    let mut lines = vec![
        "all tasks: r is the mean Spearman of the tasks; its interval resamples runs and tasks, p moves runs jointly for all tasks \
         (Holm over the metrics). gain in: tasks with a decided gain over the trivial predictors."
            .to_owned(),
    ];
    if board.pooled.iter().any(|row| row.mean_rank.is_some()) {
        lines.push(
            "rank by r: mean place by r over resampled runs and tasks, with the places that it can have at 90 % confidence; first: how often. Rows \
             stand by verdict and decided gains first, so that their order is another one.".to_owned(),
        );
    }
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in board.pooled.iter().filter(|row| row.spearman.is_none() || row.spearman_low.is_none()) {
        let reason = row.verdict_reason.as_deref().unwrap_or("no reason was stored");
        reasons.entry(reason).or_default().insert(&row.metric);
    }
    for (reason, metrics) in reasons {
        let first: Vec<&str> = metrics.iter().take(3).copied().collect();
        let more = if metrics.len() > 3 { format!(" and {} more", metrics.len() - 3) } else { String::new() };
        lines.push(format!("– over all tasks, {}{more}: {reason}.", first.join(", ")));
    }
    let unreliable: BTreeSet<&str> =
        board.pooled.iter().flat_map(|row| row.unreliable_tasks.iter().map(String::as_str)).collect();
    if !unreliable.is_empty() {
        let names: Vec<&str> = unreliable.iter().take(4).copied().collect();
        let more = if unreliable.len() > 4 { format!(" and {} more", unreliable.len() - 4) } else { String::new() };
        lines.push(format!("Scores with a reliability below {}, pooled all the same: {}{more}.", two(0.5), names.join(", ")));
    }
    lines
}
