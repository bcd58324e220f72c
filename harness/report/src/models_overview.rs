//! Many rankings of models on one screen: for each protocol a row a model with its mean rank and Borda count, and as many tasks as fit.

use std::collections::BTreeSet;

use clmbench_analysis::{ModelBoard, ModelRow, Place, Standing, StandingTask, Standings, standings};

use crate::{
    Style,
    layout::{Column, draw},
    overview::tables,
    text::{MISSING, decimals, finish, plain, plural, wrap},
};

/// More rankings than this are drawn as an overview.
const MOST_RANKINGS: usize = 2;
/// More models than this are cut, unless all are asked for: the best ones stay.
const MOST_MODELS: usize = 40;

/// Whether the rankings are too many for a table each.
pub(crate) fn wanted(board: &ModelBoard) -> bool {
    let ranking = |row: &ModelRow| {
        (row.protocol.clone(), row.dataset.clone(), row.task.clone(), row.score.clone(), row.split_digest.clone())
    };
    board.rows.iter().map(ranking).collect::<BTreeSet<_>>().len() > MOST_RANKINGS
}

/// A block a protocol, each at most as wide as the style, and the sentences that explain them. `all` shows every run by itself, and
/// every task in further tables; else runs that differ by the pretraining seed alone are one model, and tasks that do not fit are
/// named.
pub(crate) fn blocks(board: &ModelBoard, all: bool, style: Style) -> (String, Vec<String>) {
    let standings = standings(&board.rows, all);
    let (mut text, mut left_out, mut cut) = (String::new(), BTreeSet::new(), 0);
    for block in &standings {
        let most = if all { usize::MAX } else { MOST_MODELS };
        let rows: Vec<&Standing> = block.rows.iter().take(most).collect();
        cut += block.rows.len() - rows.len();
        let (table, narrow) = draw(columns(block, &rows, style.columns()), style);
        text += &table;
        let hidden: Vec<usize> =
            (0..block.tasks.len()).filter(|task| narrow.contains(&header(&block.tasks[*task], &block.tasks))).collect();
        if all && !hidden.is_empty() {
            let labels: Vec<String> = rows.iter().map(|row| label(row)).collect();
            let of = |task: &usize| (header(&block.tasks[*task], &block.tasks), cells(&rows, *task));
            text += &tables(&block.protocol, &labels, &hidden.iter().map(of).collect::<Vec<_>>(), style);
        } else {
            left_out.extend(hidden.into_iter().map(|task| header(&block.tasks[task], &block.tasks)));
        }
    }
    (text, lines(&standings, left_out, cut, all))
}

/// The standings alone, with what explains them.
pub(crate) fn page(board: &ModelBoard, all: bool, style: Style) -> String {
    let mut text = wrap(&plain(&format!("Models of suite {} over tasks", board.suite)), style.columns());
    let (tables, lines) = blocks(board, all, style);
    text += &tables;
    lines.iter().for_each(|line| text += &wrap(&plain(line), style.columns()));
    finish(text, style)
}

fn columns(block: &Standings, rows: &[&Standing], width: usize) -> Vec<Column> {
    let column = |get: &dyn Fn(&Standing) -> String| rows.iter().map(|row| get(row)).collect::<Vec<String>>();
    let mut columns = vec![
        Column::right("#", 0, column(&|row| if row.tasks == 0 { MISSING.to_owned() } else { row.rank.to_string() })),
        Column::left(&block.protocol, 0, column(&label)).capped((width * 3 / 5).max(20)),
        Column::right("mean rank [90 %]", 0, column(&mean_rank)),
        Column::right("Borda", 1, column(&|row| if row.tasks == 0 { MISSING.to_owned() } else { points(row.borda) })),
        Column::right("first", 2, column(&|row| if row.tasks == 0 { MISSING.to_owned() } else { row.wins.to_string() })),
    ];
    if rows.iter().any(|row| row.tasks < row.tasks_of) {
        columns.push(Column::right("tasks", 0, column(&|row| format!("{} of {}", row.tasks, row.tasks_of))));
    }
    for (task, of) in block.tasks.iter().enumerate() {
        // Tasks that stand later are left out first.
        let priority = u8::try_from(task).unwrap_or(u8::MAX).saturating_add(3);
        columns.push(Column::left(&header(of, &block.tasks), priority, cells(rows, task)));
    }
    columns
}

fn label(row: &Standing) -> String {
    if row.pretraining_seeds > 1 { format!("{} ({} seeds)", row.label, row.pretraining_seeds) } else { row.label.clone() }
}

fn mean_rank(row: &Standing) -> String {
    let Some(mean) = row.mean_rank else { return MISSING.to_owned() };
    match row.mean_rank_low90.zip(row.mean_rank_high90) {
        Some((low, high)) => format!("{mean:.1} [{low:.1}, {high:.1}]"),
        None => format!("{mean:.1} [{MISSING}]"),
    }
}

fn points(borda: f64) -> String {
    if borda.fract() == 0.0 { format!("{borda:.0}") } else { format!("{borda:.1}") }
}

/// The dataset, with its task where it has several, the score, and which way is better.
fn header(of: &StandingTask, all: &[StandingTask]) -> String {
    let several = all.iter().any(|other| other.dataset == of.dataset && other.task != of.task);
    let task = if several { format!("/{}", of.task) } else { String::new() };
    let arrow = if of.higher_is_better { "↑" } else { "↓" };
    format!("{}{task} {} {arrow}{}", of.dataset, of.score, if of.leaked { " leaked" } else { "" })
}

fn cells(rows: &[&Standing], task: usize) -> Vec<String> {
    let places = || rows.iter().map(|row| row.places[task].as_ref());
    let largest = places().flatten().map(|place| place.value.abs()).fold(0.0f64, f64::max);
    let digits = decimals(largest).min(3);
    let seeds = rows.iter().map(|row| row.pretraining_seeds);
    places()
        .zip(seeds)
        .map(|(place, seeds)| place.map_or_else(|| MISSING.to_owned(), |place| cell(place, seeds, digits)))
        .collect()
}

/// `0.756 ± 0.040 +=`: the score, its standard error, whether it is above (+) or below (-) the model's untrained control, and whether
/// it cannot be told from the best (=); `(2 of 3)` where only so many of its seeds have a score.
fn cell(place: &Place, seeds: u32, digits: usize) -> String {
    let error = place.std_error.map_or_else(String::new, |error| format!(" ± {error:.digits$}"));
    let above = match place.over_control {
        1 => "+",
        -1 => "-",
        _ => "",
    };
    let tied = if place.tied_with_best == Some(true) { "=" } else { "" };
    let mark = format!("{above}{tied}");
    let space = if mark.is_empty() { "" } else { " " };
    let some = if place.runs < seeds { format!(" ({} of {seeds})", place.runs) } else { String::new() };
    format!("{:.digits$}{error}{some}{space}{mark}", place.value)
}

/// What the columns mean, and what is not shown.
fn lines(standings: &[Standings], left_out: BTreeSet<String>, cut: usize, all: bool) -> Vec<String> {
    let mut lines = vec![
        "mean rank: over the tasks a model has, with its 90 % interval over tasks (from three on). Borda: models \
         beaten, ties one half, summed over tasks; a missing task adds nothing. first: tasks in which it is."
            .to_owned(),
    ];
    let any = |is: fn(&Place) -> bool| {
        standings.iter().flat_map(|block| &block.rows).flat_map(|row| row.places.iter().flatten()).any(is)
    };
    if any(|_| true) {
        lines.push(
            "Each cell: score ± standard error; ↑ larger or ↓ smaller is better; + better or - worse than the same model untrained, = \
             not told from the best of its task (95 % intervals over the same test molecules)."
                .to_owned(),
        );
    }
    let several = standings.iter().flat_map(|block| &block.rows).any(|row| row.pretraining_seeds > 1);
    if several {
        lines.push(
            "(2 seeds): the mean over pretraining seeds, and marks where all agree; its error holds their spread. --all shows every run."
                .to_owned(),
        );
    }
    let partial = |row: &Standing| row.places.iter().flatten().any(|place| place.runs < row.pretraining_seeds);
    if standings.iter().flat_map(|block| &block.rows).any(partial) {
        lines.push(
            "(2 of 3): only so many of its pretraining seeds have a score of that task; it is ranked by the mean of these."
                .to_owned(),
        );
    }
    if standings.iter().any(|block| block.rows.iter().any(|row| row.tasks < row.tasks_of)) {
        lines.push(format!("{MISSING}: no score of that task; ranked over the tasks it has (tasks)."));
    }
    for (block, mixed) in standings.iter().flat_map(|block| block.mixed.iter().map(move |mixed| (block, mixed))) {
        lines.push(format!(
            "Not counted: {} {} ({}) has several splits or scores ({}), and models are never ranked together across them; `--dataset {}` shows \
             each, `--pool DIGEST` counts one.",
            mixed.dataset,
            mixed.task,
            block.protocol,
            mixed.splits.join(", "),
            mixed.dataset,
        ));
    }
    if !left_out.is_empty() && !all {
        let names: Vec<&str> = left_out.iter().take(6).map(String::as_str).collect();
        let more = if left_out.len() > 6 { format!(" and {} more", left_out.len() - 6) } else { String::new() };
        lines.push(format!(
            "Not shown at this width: {}{more}; --all shows every task, `--dataset NAME` one with its intervals.",
            names.join(", ")
        ));
    } else {
        lines.push(
            "`--dataset NAME` and `--protocol KIND` show the ranking of one task with the intervals, --json all of it."
                .to_owned(),
        );
    }
    if cut > 0 {
        lines.push(format!("{} below; --all shows them.", plural(cut, "more model")));
    }
    lines
}
