//! The leaderboard of predictors: a table and figures for each dataset, task and protocol.

use std::collections::BTreeSet;

use clmbench_analysis::{FitPoint, PredictorRow};
use clmbench_stats::SMALLEST_N_FOR_INTERVALS;
use clmbench_store::FitRow;

use super::{
    Report,
    figure::{Dot, Line, Mark, forest, scatter},
    node::{Element, Node, element, with_text},
    note, paragraph,
    table::{Set, column, table},
};
use crate::{
    predictors::{flag_meaning, footer_of},
    text::{MISSING, interval, p_value, seconds, two, two_or_missing},
};

/// Scatter plots of one task, the best first; the rest are in the table.
const MOST_FIGURES: usize = 6;

/// `dataset task` and its score.
pub(crate) fn target(row: &PredictorRow) -> String {
    format!("{} {} ({})", row.fit.dataset, row.fit.task, row.fit.score)
}

/// The verdict's sign.
pub(crate) fn sign(fit: &FitRow) -> &'static str {
    match (fit.verdict.as_str(), fit.reversed) {
        ("predicts", _) => "✓",
        (_, true) => "✗ reversed",
        ("does_not_predict", _) => "✗",
        ("refused", _) => "–",
        _ => "?",
    }
}

/// The tables and figures.
pub(crate) fn section(report: &Report<'_>) -> Vec<Node> {
    let rows = &report.predictors.rows;
    if rows.is_empty() {
        return vec![paragraph("No fits yet: clmbench run makes them when at least one run has a metric and a score.")];
    }
    let same = |left: &PredictorRow, right: &PredictorRow| {
        let split = |row: &PredictorRow| row.details.pool.split_digest.clone();
        target(left) == target(right) && left.fit.protocol == right.fit.protocol && split(left) == split(right)
    };
    let mut nodes = Vec::new();
    for group in rows.chunk_by(same) {
        let first = &group[0];
        nodes.push(with_text("h3", format!("{}, {}", target(first), first.fit.protocol)).into());
        nodes.push(board(group).into());
        let flags: BTreeSet<&str> = group.iter().flat_map(|row| &row.fit.flags).map(String::as_str).collect();
        nodes.extend(flags.into_iter().map(|flag| note(format!("{flag}: {}.", flag_meaning(flag)))));
        nodes.extend(footer_of(report.predictors, group).into_iter().map(note));
        nodes.push(figures(report, group).into());
        let drawn = group.iter().filter(|row| scatter_of(report, row).is_some()).count();
        if drawn > MOST_FIGURES {
            nodes.push(note(format!(
                "{} more predictors have no figure here; their values are in clmbench export fits.",
                drawn - MOST_FIGURES
            )));
        }
    }
    nodes
}

fn board(group: &[PredictorRow]) -> Element {
    let first = &group[0];
    let several_pools = group.iter().any(|row| row.details.pool.tokenizer_digest != first.details.pool.tokenizer_digest)
        || group.iter().any(|row| row.details.pool.objective != first.details.pool.objective);
    let columns =
        [
            column("predictor", Set::Name, |row: &PredictorRow| {
                if row.fit.trivial { format!("{} *", row.fit.metric) } else { row.fit.metric.clone() }
            }),
            column("verdict", Set::Word, |row: &PredictorRow| {
                format!("{} {}", sign(&row.fit), row.fit.verdict.replace('_', " "))
            }),
            column("n", Set::Number, |row: &PredictorRow| row.fit.n.to_string()),
            column("r", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.spearman)),
            column("95 % interval", Set::Number, |row: &PredictorRow| interval(row.fit.spearman_low, row.fit.spearman_high)),
            column("p (Holm)", Set::Number, |row: &PredictorRow| p_value(row.fit.p_value)),
            column("p raw", Set::Number, |row: &PredictorRow| p_value(row.fit.p_raw)),
            column("gain [95 %]", Set::Number, |row: &PredictorRow| match row.fit.gain {
                Some(gain) => format!("{} {}", two(gain), interval(row.fit.gain_low, row.fit.gain_high)),
                None => MISSING.to_owned(),
            }),
            column("gain verdict", Set::Word, |row: &PredictorRow| {
                row.fit.gain_verdict.as_deref().map_or_else(|| MISSING.to_owned(), |word| word.replace('_', " "))
            }),
            column("mde", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.mde)),
            column("slope/SD ± se", Set::Number, |row: &PredictorRow| match row.fit.slope.zip(row.fit.std_error) {
                Some((slope, error)) => format!("{} ± {}", two(slope), two(error)),
                None => MISSING.to_owned(),
            }),
            column("R2", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.r2)),
            column("Q2", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.q2)),
            column("tau", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.kendall)),
            column("cost", Set::Number, |row: &PredictorRow| seconds(row.fit.cost_seconds)),
            column("flags", Set::Long, |row: &PredictorRow| row.fit.flags.join(", ")),
            column("pool", Set::Long, move |row: &PredictorRow| if several_pools { row.fit.pool.clone() } else { String::new() }),
            column("why", Set::Long, |row: &PredictorRow| row.fit.verdict_reason.clone().unwrap_or_default()),
        ];
    table(&format!("Predictors of {} under {}", target(first), first.fit.protocol), group, columns)
}

fn figures(report: &Report<'_>, group: &[PredictorRow]) -> Element {
    let first = &group[0];
    let place = format!("{} under {}", target(first), first.fit.protocol);
    let mut grid = element("div").class("figures");
    let lines: Vec<Line> = group
        .iter()
        .filter_map(|row| {
            let mark = match row.fit.verdict.as_str() {
                "predicts" => Mark::Full,
                "does_not_predict" => Mark::Cross,
                _ => Mark::Ring,
            };
            let name = if row.fit.trivial { format!("{} *", row.fit.metric) } else { row.fit.metric.clone() };
            let interval = row.fit.spearman_low.zip(row.fit.spearman_high);
            row.fit.spearman.map(|value| Line { label: name, value, interval, mark })
        })
        .collect();
    let useful = report.predictors.useful_effect;
    if let Some(drawn) = forest(&format!("r of every predictor with its interval: {place}"), &lines, useful) {
        let words = if lines.iter().any(|line| line.interval.is_some()) {
            "bars: 95 % interval over runs".to_owned()
        } else {
            format!("no intervals below {SMALLEST_N_FOR_INTERVALS} runs")
        };
        grid = grid.child(captioned(drawn, format!(
            "r of every predictor of {place}; {words}. Full circle: predicts; ring: cannot tell; cross: does not predict. Dashed: the useful effect, {useful}."
        )));
    }
    let drawn = group.iter().filter_map(|row| scatter_of(report, row)).take(MOST_FIGURES);
    grid.children(drawn)
}

/// Score against metric over the runs of a fit.
fn scatter_of(report: &Report<'_>, row: &PredictorRow) -> Option<Element> {
    let (fit, details) = (&row.fit, &row.details);
    let dots: Vec<Dot> = details.points.iter().map(dot).collect();
    let unit_of_score = report
        .models
        .rows
        .iter()
        .find(|model| model.dataset == fit.dataset && model.task == fit.task && model.score == fit.score)
        .map_or("", |model| model.unit.as_str());
    let with_unit = |name: &str, unit: &str| if matches!(unit, "" | "1") { name.to_owned() } else { format!("{name} ({unit})") };
    let x_label = with_unit(&fit.metric, &details.unit);
    let y_label = with_unit(&format!("{} of {} {}", fit.score, fit.dataset, fit.task), unit_of_score);
    let title = format!("{y_label} against {x_label}, {}, {} runs", fit.protocol, dots.len());
    let drawn = scatter(&title, &x_label, &y_label, &dots)?;
    let range = match fit.spearman_low {
        Some(_) => format!(" {}", interval(fit.spearman_low, fit.spearman_high)),
        None => String::new(),
    };
    let better = |word: &str| if word == "lower_is_better" { "smaller" } else { "larger" };
    let seeds = details.points.iter().any(|point| point.score_se_seed.is_some());
    let errors = if seeds { "test molecules and transfer seeds" } else { "test molecules" };
    let claim = format!(
        "claim: {} is better; {} {} is better",
        better(&fit.metric_orientation),
        better(&fit.score_orientation),
        fit.score
    );
    Some(captioned(
        drawn,
        format!(
            "{} {}: r = {}{range}, n = {}. {}. Bars: one standard error ({errors}; and of the metric).",
            sign(fit),
            fit.metric,
            two_or_missing(fit.spearman),
            fit.n,
            capital(&claim),
        ),
    ))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn dot(point: &FitPoint) -> Dot {
    let seed = point.score_se_seed.map_or(0.0, |error| error.0);
    Dot {
        label: point.label.clone(),
        x: (point.metric.0, point.metric_std_error.0),
        y: (point.score.0, point.score_se_test.0.hypot(seed)),
    }
}

fn captioned(drawn: Element, caption: String) -> Element {
    element("figure").child(drawn).child(with_text("figcaption", caption))
}
