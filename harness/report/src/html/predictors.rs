//! The leaderboard of predictors: a table and figures for each dataset, task and protocol.

use std::collections::BTreeSet;

use clmbench_analysis::{FitPoint, PredictorRow};
use clmbench_stats::SMALLEST_N_FOR_INTERVALS;
use clmbench_store::FitRow;

use super::{
    Report,
    figure::{Dot, Line, Mark, forest, scatter},
    figures::{Data, Figure},
    frame::{Room, framed, slug},
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
/// Predictors of a drawing of intervals, the best first; all are in the table.
const MOST_LINES: usize = 30;
/// Points of all scatter plots of a page.
const MOST_POINTS: usize = 1_500;

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

/// Fits of one task, protocol and split.
fn groups(rows: &[PredictorRow]) -> impl Iterator<Item = &[PredictorRow]> {
    let split = |row: &PredictorRow| row.details.pool.split_digest.clone();
    rows.chunk_by(move |left, right| {
        target(left) == target(right) && left.fit.protocol == right.fit.protocol && split(left) == split(right)
    })
}

/// The figures of one group.
pub(crate) struct Group {
    /// The intervals of all, then the scatter plots of the first.
    pub figures: Vec<Figure>,
    /// Fits with points that have no scatter plot.
    left_out: usize,
}

/// The figures of the fits, group by group.
pub(crate) fn figures(report: &Report<'_>) -> Vec<Group> {
    let rows = &report.predictors.rows;
    let points = groups(rows).map(|group| group.iter().map(|row| row.details.points.len()).max().unwrap_or(0)).sum::<usize>();
    let most = (MOST_POINTS / points.max(1)).min(MOST_FIGURES);
    let of_group = |(number, group): (usize, &[PredictorRow])| {
        let scatters: Vec<Figure> = group
            .iter()
            .filter(|row| has_points(row))
            .take(most)
            .enumerate()
            .filter_map(|(rank, row)| scatter_of(report, row, &format!("score-{}-{}", number + 1, rank + 1)))
            .collect();
        let left_out = group.iter().filter(|row| has_points(row)).count() - scatters.len();
        let mut figures = Vec::from_iter(forest_of(report, group, &format!("intervals-{}", number + 1)));
        figures.extend(scatters);
        Group { figures, left_out }
    };
    groups(rows).enumerate().map(of_group).collect()
}

fn has_points(row: &PredictorRow) -> bool {
    row.details.points.iter().any(|point| point.metric.0.is_finite() && point.score.0.is_finite())
}

/// The tables and figures.
pub(crate) fn section(report: &Report<'_>, room: &mut Room) -> Vec<Node> {
    let rows = &report.predictors.rows;
    if rows.is_empty() {
        return vec![paragraph("No fits yet: clmbench run makes them when at least one run has a metric and a score.")];
    }
    let mut nodes = Vec::new();
    for (group, drawn) in groups(rows).zip(figures(report)) {
        let first = &group[0];
        nodes.push(with_text("h3", format!("{}, {}", target(first), first.fit.protocol)).into());
        nodes.push(board(group).into());
        let flags: BTreeSet<&str> = group.iter().flat_map(|row| &row.fit.flags).map(String::as_str).collect();
        nodes.extend(flags.into_iter().map(|flag| note(format!("{flag}: {}.", flag_meaning(flag)))));
        nodes.extend(footer_of(report.predictors, group).into_iter().map(note));
        nodes.push(element("div").class("figures").children(drawn.figures.iter().map(|figure| framed(figure, room))).into());
        if drawn.left_out > 0 {
            let words = "more predictors have no figure here; their values are in clmbench export fits.";
            nodes.push(note(format!("{} {words}", drawn.left_out)));
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
            column("n", Set::Number, |row: &PredictorRow| row.fit.n.to_string()).by(|row| Some(f64::from(row.fit.n))),
            column("r", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.spearman)).by(|row| row.fit.spearman),
            column("95 % interval", Set::Number, |row: &PredictorRow| interval(row.fit.spearman_low, row.fit.spearman_high))
                .by(|row| row.fit.spearman_low),
            column("p (Holm)", Set::Number, |row: &PredictorRow| p_value(row.fit.p_value)).by(|row| row.fit.p_value),
            column("p raw", Set::Number, |row: &PredictorRow| p_value(row.fit.p_raw)).by(|row| row.fit.p_raw),
            column("gain [95 %]", Set::Number, |row: &PredictorRow| match row.fit.gain {
                Some(gain) => format!("{} {}", two(gain), interval(row.fit.gain_low, row.fit.gain_high)),
                None => MISSING.to_owned(),
            })
            .by(|row| row.fit.gain),
            column("gain verdict", Set::Word, |row: &PredictorRow| {
                row.fit.gain_verdict.as_deref().map_or_else(|| MISSING.to_owned(), |word| word.replace('_', " "))
            }),
            column("mde", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.mde)).by(|row| row.fit.mde),
            column("slope/SD ± se", Set::Number, |row: &PredictorRow| match row.fit.slope.zip(row.fit.std_error) {
                Some((slope, error)) => format!("{} ± {}", two(slope), two(error)),
                None => MISSING.to_owned(),
            })
            .by(|row| row.fit.slope),
            column("R2", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.r2)).by(|row| row.fit.r2),
            column("Q2", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.q2)).by(|row| row.fit.q2),
            column("tau", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.kendall)).by(|row| row.fit.kendall),
            column("cost", Set::Number, |row: &PredictorRow| seconds(row.fit.cost_seconds)).by(|row| row.fit.cost_seconds),
            column("flags", Set::Long, |row: &PredictorRow| row.fit.flags.join(", ")),
            column("pool", Set::Long, move |row: &PredictorRow| if several_pools { row.fit.pool.clone() } else { String::new() }),
            column("why", Set::Long, |row: &PredictorRow| row.fit.verdict_reason.clone().unwrap_or_default()),
        ];
    table(&format!("Predictors of {} under {}", target(first), first.fit.protocol), group, columns)
}

/// r of every predictor of a group.
fn forest_of(report: &Report<'_>, group: &[PredictorRow], id: &str) -> Option<Figure> {
    let first = &group[0].fit;
    let place = format!("{} under {}", target(&group[0]), first.protocol);
    let name = |fit: &FitRow| if fit.trivial { format!("{} *", fit.metric) } else { fit.metric.clone() };
    let all = || group.iter().map(|row| &row.fit).filter_map(|fit| fit.spearman.map(|value| (fit, value)));
    let drawn = || all().take(MOST_LINES);
    let lines: Vec<Line> = drawn()
        .map(|(fit, value)| {
            let mark = match fit.verdict.as_str() {
                "predicts" => Mark::Full,
                "does_not_predict" => Mark::Cross,
                _ => Mark::Ring,
            };
            Line { label: name(fit), value, interval: fit.spearman_low.zip(fit.spearman_high), mark }
        })
        .collect();
    let useful = report.predictors.useful_effect;
    let title = match all().count() {
        count if count > MOST_LINES => format!("r of the first {MOST_LINES} of {count} predictors: {place}"),
        _ => format!("r of every predictor: {place}"),
    };
    let drawing = forest(&title, &lines, useful)?;
    let words = if lines.iter().any(|line| line.interval.is_some()) {
        "Bars: 95 % interval over runs".to_owned()
    } else {
        format!("No intervals below {SMALLEST_N_FOR_INTERVALS} runs")
    };
    let said = |(fit, _): (&FitRow, f64)| {
        let range = fit.spearman_low.map_or_else(String::new, |_| format!(" {}", interval(fit.spearman_low, fit.spearman_high)));
        format!("{} {}{range}, {}", name(fit), two_or_missing(fit.spearman), fit.verdict.replace('_', " "))
    };
    let row = |(fit, value): (&FitRow, f64)| {
        let ends = [fit.spearman_low, fit.spearman_high].map(|end| end.map_or_else(String::new, |end| end.to_string()));
        let [low, high] = ends;
        vec![fit.metric.clone(), value.to_string(), low, high, fit.n.to_string(), fit.verdict.clone()]
    };
    Some(Figure {
        id: format!("{id}-{}", slug(&format!("{} {} {}", first.dataset, first.task, first.protocol))),
        caption: format!(
            "{words}. Full circle: predicts; ring: cannot tell; cross: does not predict. Dashed: the useful effect, {useful}."
        ),
        alternative: format!("{}.", drawn().map(said).collect::<Vec<_>>().join("; ")),
        title,
        drawing,
        data: Data {
            columns: ["metric", "r", "low95", "high95", "n", "verdict"].map(str::to_owned).to_vec(),
            rows: drawn().map(row).collect(),
        },
    })
}

/// Score against metric over the runs of a fit.
fn scatter_of(report: &Report<'_>, row: &PredictorRow, id: &str) -> Option<Figure> {
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
    let drawing = scatter(&title, &x_label, &y_label, &dots)?;
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
    let found = format!("r = {}{range}, n = {}", two_or_missing(fit.spearman), fit.n);
    let numbers = |point: &FitPoint| {
        let dot = dot(point);
        let [x, x_error, y, y_error] = [dot.x.0, dot.x.1, dot.y.0, dot.y.1].map(|value| value.to_string());
        vec![dot.label, x, x_error, y, y_error, point.transfer_seeds.to_string()]
    };
    let names = ["run", fit.metric.as_str(), "se of metric", fit.score.as_str(), "se of score", "transfer seeds"];
    Some(Figure {
        id: format!("{id}-{}", slug(&format!("{} {} {} {}", fit.dataset, fit.task, fit.protocol, fit.metric))),
        title,
        caption: format!(
            "{} {}: {found}. {}. Bars: one standard error ({errors}; and of the metric).",
            sign(fit),
            fit.metric,
            capital(&claim)
        ),
        alternative: format!(
            "{found}, {}: {}.",
            fit.verdict.replace('_', " "),
            fit.verdict_reason.as_deref().unwrap_or("no reason was stored")
        ),
        drawing,
        data: Data { columns: names.map(str::to_owned).to_vec(), rows: details.points.iter().map(numbers).collect() },
    })
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
