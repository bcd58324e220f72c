//! The first block of the overview of predictors: each metric over all tasks of a protocol, by mean gain, with the stability of its rank.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_analysis::{Order, PooledRow, PredictorBoard};

use crate::{
    Style,
    layout::{Column, draw},
    text::{finish, interval, p_value, plain, plural, two, wrap},
};

/// More metrics than this are cut: those below neither predict nor gain nor are trivial.
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
        text += &draw(columns(&rows, board.order, style.columns()), style).0;
        if rows.len() < block.len() {
            let more = block.len() - rows.len();
            text += &format!("{} more, none of which predicts or gains; --all shows them.\n", plural(more, "metric"));
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
        let gains = row.gain_verdict.as_deref() == Some("better") || row.gain_better > 0;
        let decided = row.verdict == "predicts" || row.reversed || gains;
        all || block.len() <= MOST || row.rank as usize <= MOST - 6 || row.trivial || decided
    };
    block.iter().filter(stays).collect()
}

fn columns(rows: &[&PooledRow], order: Order, width: usize) -> Vec<Column> {
    let column = |get: &dyn Fn(&PooledRow) -> String| rows.iter().map(|row| get(row)).collect::<Vec<String>>();
    let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share));
    let protocol = rows.first().map_or("", |row| row.protocol.as_str());
    let mut columns =
        vec![Column::left(&format!("{protocol}, all tasks"), 0, column(&name)).capped((width / 3).saturating_sub(10).max(17))];
    let metrics: BTreeSet<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
    if metrics.len() < rows.len() {
        columns.push(Column::left("sample", 0, column(&sample)));
    }
    columns.push(Column::right("n", 3, column(&|row| row.n.to_string())));
    columns.push(Column::right("tasks", 7, column(&|row| row.n_tasks.to_string())));
    let gains_are_there = rows.iter().any(|row| row.gain.is_some());
    // The order that the rows stand in first, with its own rank.
    let (by_gain, by_r) = match order {
        Order::Gain if gains_are_there => (0, 8),
        _ => (8, 0),
    };
    if gains_are_there {
        columns.push(Column::left("gain [95 %]", by_gain, column(&gain)));
    }
    if rows.iter().any(|row| row.gain_mean_rank.is_some()) {
        let rank = |row: &PooledRow| rank(row.gain_mean_rank, row.gain_mean_rank_low90, row.gain_mean_rank_high90);
        columns.push(Column::right(if by_gain == 0 { "rank [90 %]" } else { "rank by gain [90 %]" }, by_gain, column(&rank)));
        columns.push(Column::right("first 3", by_gain + 6, column(&|row| share(row.gain_top3))));
    }
    columns.push(Column::left("r [95 %]", 0, column(&r)));
    columns.push(Column::right("p", 4, column(&|row| p_value(row.p_value))));
    if rows.iter().any(|row| row.mean_rank.is_some()) {
        let rank = |row: &PooledRow| rank(row.mean_rank, row.mean_rank_low90, row.mean_rank_high90);
        columns.push(Column::right(if by_r == 0 { "rank [90 %]" } else { "rank by r [90 %]" }, by_r, column(&rank)));
        columns.push(Column::right("first 3", by_r + 6, column(&|row| share(row.top3))));
    }
    if rows.iter().any(|row| row.gain_tasks > 0) {
        columns.push(Column::left("gain in", 9, column(&gains)));
    }
    columns.push(Column::left("verdict", 2, column(&|row| row.verdict.clone())));
    columns
}

/// Sign of a decided verdict, as in the cells of single tasks.
fn sign(verdict: &str) -> &'static str {
    match verdict {
        "better" | "predicts" => " +",
        "not_better" | "does_not_predict" => " x",
        _ => "",
    }
}

/// `0.12 [-0.02, 0.31] +`
fn bounded(value: Option<f64>, low: Option<f64>, high: Option<f64>, sign: &str) -> String {
    let Some(value) = value else { return "–".to_owned() };
    let space = if value < 0.0 { "" } else { " " };
    format!("{space}{} {}{sign}", two(value), interval(low, high))
}

fn gain(row: &PooledRow) -> String {
    bounded(row.gain, row.gain_low, row.gain_high, row.gain_verdict.as_deref().map_or("", sign))
}

fn r(row: &PooledRow) -> String {
    bounded(row.spearman, row.spearman_low, row.spearman_high, if row.reversed { " !" } else { sign(&row.verdict) })
}

fn name(row: &PooledRow) -> String {
    if row.trivial { format!("{} *", row.metric) } else { row.metric.clone() }
}

/// The evaluation sample of a pool, which tells rows of one metric within a ranking apart.
fn sample(row: &PooledRow) -> String {
    row.pool.split(' ').find_map(|part| part.strip_prefix("sample:")).unwrap_or("–").to_owned()
}

/// `2.4 [1, 7]`: the mean rank under resampling, and between what it lies.
fn rank(mean: Option<f64>, low: Option<f64>, high: Option<f64>) -> String {
    let Some(mean) = mean else { return "–".to_owned() };
    low.zip(high).map_or_else(|| format!("{mean:.1} [–]"), |(low, high)| format!("{mean:.1} [{low:.0}, {high:.0}]"))
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
    let any = |has: &dyn Fn(&PooledRow) -> bool| board.pooled.iter().any(has);
    let mut lines = Vec::new();
    if any(&|row| row.gain.is_some()) {
        lines.push(format!(
            "gain: mean over tasks of what the metric adds to the leave-one-run-out Q2 of size, tokens and corpus; its interval resamples \
             runs, jointly for all tasks, and is not adjusted for the number of metrics. + better, x not better, else undecided.{}",
            if any(&|row| row.gain_tasks > 0) { " gain in: single tasks with a decided gain." } else { "" }
        ));
    }
    lines.push(
        "r: mean Spearman of the tasks; its interval resamples runs and tasks, p moves runs jointly for all tasks (Holm over the metrics). + \
         predicts, x does not predict, ! significant against its claim, else cannot tell."
            .to_owned(),
    );
    let order = match board.order {
        Order::Gain if any(&|row| row.gain.is_some()) => {
            "Rows stand by gain, those without one by r; places that lie in each other's range are not told apart. --sort r: by r."
        }
        Order::Gain => "Rows stand by r, since no metric has a gain.",
        Order::R => "Rows stand by r; places that lie in each other's range are not told apart. --sort gain: by gain.",
    };
    let ranked = any(&|row| row.mean_rank.is_some() || row.gain_mean_rank.is_some());
    let rank = "rank: mean place over resampled runs and tasks, with the places that it can have at 90 % confidence; first 3: how often among them. ";
    lines.push(format!("{}{order}", if ranked { rank } else { "" }));
    let mut reasons: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for row in &board.pooled {
        if row.spearman.is_none() || row.spearman_low.is_none() {
            let reason = row.verdict_reason.as_deref().unwrap_or("no reason was stored");
            reasons.entry(("over all tasks", reason)).or_default().insert(&row.metric);
        } else if !row.trivial && (row.gain.is_none() || row.gain_low.is_none()) {
            let reason =
                row.gain_reason.as_deref().unwrap_or("the fits are of an earlier version; `clmbench run SUITE` makes them anew");
            reasons.entry(("gain", reason)).or_default().insert(&row.metric);
        }
    }
    for ((what, reason), metrics) in reasons {
        let first: Vec<&str> = metrics.iter().take(3).copied().collect();
        let more = if metrics.len() > 3 { format!(" and {} more", metrics.len() - 3) } else { String::new() };
        lines.push(format!("– {what}, {}{more}: {reason}.", first.join(", ")));
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
