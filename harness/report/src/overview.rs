//! Many fits on one screen: a row a predictor, a column a task, a block a protocol. The whole of a fit is in the table of one task.

use std::collections::BTreeSet;

use clmbench_analysis::PredictorRow;

use crate::{
    Style,
    layout::{Column, draw},
    text::{MISSING, interval, two_or_missing},
};

/// More predictors than this are folded by family.
const MOST_NAMES: usize = 30;
/// More fits than this are drawn as an overview, when they are of more than two tasks and protocols.
const MOST_ROWS: usize = 24;

/// Whether the rows are too many for a table with a line each.
pub(crate) fn wanted(rows: &[PredictorRow]) -> bool {
    rows.len() > MOST_ROWS && columns_of(rows).len() > 2
}

/// A task under a protocol, and a pool where one task has several: what a column stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    protocol: String,
    dataset: String,
    task: String,
    score: String,
    pool: String,
}

fn target(row: &PredictorRow) -> Target {
    let fit = &row.fit;
    Target {
        protocol: fit.protocol.clone(),
        dataset: fit.dataset.clone(),
        task: fit.task.clone(),
        score: fit.score.clone(),
        // Metrics that ignore the evaluation sample differ from the others in that part of the pool only.
        pool: row.details.pool.split_digest.clone() + &row.details.pool.tokenizer_digest,
    }
}

fn columns_of(rows: &[PredictorRow]) -> BTreeSet<Target> {
    rows.iter().map(target).collect()
}

/// The blocks, each at most as wide as the style; `all` folds no metrics.
pub(crate) fn blocks(rows: &[PredictorRow], all: bool, style: Style) -> String {
    let targets: Vec<Target> = columns_of(rows).into_iter().collect();
    let lines = if all { names(rows).into_iter().map(Line::One).collect() } else { lines(rows) };
    let labels: Vec<String> = lines.iter().map(|line| line.label(rows)).collect();
    let mut text = String::new();
    for block in targets.chunk_by(|left, right| left.protocol == right.protocol) {
        let column =
            |wanted: &Target| (header(wanted, rows), lines.iter().map(|line| line.cell(rows, wanted)).collect::<Vec<_>>());
        text += &tables(&block[0].protocol, &labels, &block.iter().map(column).collect::<Vec<_>>(), style);
    }
    text
}

/// A line of the overview.
enum Line {
    /// A predictor.
    One(String),
    /// Predictors of a family about which nothing is decided for the better or against their claim.
    Family(String, Vec<String>),
}

impl Line {
    fn label(&self, rows: &[PredictorRow]) -> String {
        match self {
            Self::One(name) if is_trivial(name, rows) => format!("{name} *"),
            Self::One(name) => name.clone(),
            Self::Family(family, names) => format!("{family} ({})", names.len()),
        }
    }

    fn cell(&self, rows: &[PredictorRow], wanted: &Target) -> String {
        let find = |name: &String| rows.iter().find(|row| row.fit.metric == *name && target(row) == *wanted);
        match self {
            Self::One(name) => find(name).map_or_else(|| MISSING.to_owned(), cell),
            Self::Family(_, names) => {
                let found: Vec<&PredictorRow> = names.iter().filter_map(find).collect();
                let count = |verdict: &str, sign: &str| {
                    let count = found.iter().filter(|row| row.fit.verdict == verdict).count();
                    (count > 0).then(|| format!("{count} {sign}"))
                };
                let counts = [count("cannot_tell", "?"), count("does_not_predict", "x"), count("refused", "refused")];
                let counts: Vec<String> = counts.into_iter().flatten().collect();
                if counts.is_empty() { MISSING.to_owned() } else { counts.join(", ") }
            }
        }
    }
}

fn is_trivial(name: &str, rows: &[PredictorRow]) -> bool {
    rows.iter().any(|row| row.fit.metric == name && row.fit.trivial)
}

/// Whether there are so many predictors that they are folded by family.
pub(crate) fn folded(rows: &[PredictorRow]) -> bool {
    rows.iter().map(|row| &row.fit.metric).collect::<BTreeSet<_>>().len() > MOST_NAMES
}

/// Predictors in order; of many, those that are decided somewhere and the trivial ones by name, the rest by family.
fn lines(rows: &[PredictorRow]) -> Vec<Line> {
    let names = names(rows);
    if !folded(rows) {
        return names.into_iter().map(Line::One).collect();
    }
    let stands_alone = |name: &String| {
        is_trivial(name, rows)
            || rows.iter().any(|row| row.fit.metric == *name && (row.fit.verdict == "predicts" || row.fit.reversed))
    };
    let mut lines: Vec<Line> = Vec::new();
    for name in names {
        let family = name.split_once('/').map_or("", |(family, _)| family).to_owned();
        let alone = stands_alone(&name);
        let place = lines.iter_mut().find_map(|line| match line {
            Line::Family(known, members) if *known == family => Some(members),
            _ => None,
        });
        match place {
            _ if alone => lines.push(Line::One(name)),
            Some(members) => members.push(name),
            None => lines.push(Line::Family(family, vec![name])),
        }
    }
    let unfold = |line: Line| match line {
        Line::Family(_, mut members) if members.len() == 1 => Line::One(members.remove(0)),
        line => line,
    };
    lines.into_iter().map(unfold).collect()
}

/// Tables of these columns beside the labels: as many columns in each as the style is wide.
pub(crate) fn tables(corner: &str, labels: &[String], columns: &[(String, Vec<String>)], style: Style) -> String {
    let draw_first = |count: usize| {
        let mut drawn = vec![Column::left(corner, 0, labels.to_vec())];
        drawn.extend(columns[..count].iter().map(|(header, cells)| Column::left(header, 0, cells.clone())));
        let text = draw(drawn, style).0;
        // Three rules, a header, and a line a row; cells that had to be wrapped make more.
        let fits = text.lines().count() == labels.len() + 4;
        (text, fits)
    };
    if columns.is_empty() {
        return String::new();
    }
    let count = (1..=columns.len()).rev().find(|count| draw_first(*count).1).unwrap_or(1);
    draw_first(count).0 + &tables(corner, labels, &columns[count..], style)
}

/// Predictors: those that predict somewhere first, trivial ones last, else by name.
fn names(rows: &[PredictorRow]) -> Vec<String> {
    let mut names: Vec<(bool, usize, String)> = Vec::new();
    for row in rows {
        if names.iter().any(|(_, _, name)| *name == row.fit.metric) {
            continue;
        }
        let predicts = rows.iter().filter(|other| other.fit.metric == row.fit.metric && other.fit.verdict == "predicts").count();
        names.push((row.fit.trivial, usize::MAX - predicts, row.fit.metric.clone()));
    }
    names.sort();
    names.into_iter().map(|(_, _, name)| name).collect()
}

/// The dataset; with its task where a dataset has several, and with the score.
fn header(target: &Target, rows: &[PredictorRow]) -> String {
    let several = rows.iter().any(|row| row.fit.dataset == target.dataset && row.fit.task != target.task);
    let task = if several { format!("/{}", target.task) } else { String::new() };
    format!("{}{task} {}", target.dataset, target.score)
}

/// `0.71 [0.11, 1.00] +`.
fn cell(row: &PredictorRow) -> String {
    let fit = &row.fit;
    if fit.verdict == "refused" {
        return MISSING.to_owned();
    }
    let mark = match (fit.verdict.as_str(), fit.reversed) {
        ("predicts", _) => " +",
        (_, true) => " !",
        ("does_not_predict", _) => " x",
        _ => "",
    };
    let range = match fit.spearman_low {
        Some(_) => format!(" {}", interval(fit.spearman_low, fit.spearman_high)),
        None => String::new(),
    };
    let space = if fit.spearman.is_some_and(|r| r < 0.0) { "" } else { " " };
    format!("{space}{}{range}{mark}", two_or_missing(fit.spearman))
}

/// The datasets and protocols of some rows, in words.
pub(crate) fn where_they_are(rows: &[&PredictorRow]) -> String {
    let protocols: BTreeSet<&str> = rows.iter().map(|row| row.fit.protocol.as_str()).collect();
    let datasets: BTreeSet<&str> = rows.iter().map(|row| row.fit.dataset.as_str()).collect();
    let list = |words: BTreeSet<&str>| words.into_iter().collect::<Vec<_>>().join(", ");
    format!("{} ({})", list(datasets), list(protocols))
}

/// What a folded family is.
pub(crate) const FOLDED: &str = "A number in brackets: so many metrics of a family that neither predict nor are significant against their claim; their verdicts are \
                                 counted: ? cannot tell, x does not predict.";

/// What the cells mean.
pub(crate) const LEGEND: &str = "Each cell: r over runs [95 % interval]; + predicts, x does not predict, ! significant against its claim, else cannot tell. \
                                 `--dataset NAME` and `--protocol KIND` show p, gain, cost and verdict of one task, --json all of it.";
