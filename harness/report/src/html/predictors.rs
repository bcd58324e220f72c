//! The leaderboard of predictors: a table and the intervals for each dataset, task and protocol.

use std::collections::BTreeSet;

use clmbench_analysis::PredictorRow;
use clmbench_stats::SMALLEST_N_FOR_INTERVALS;
use clmbench_store::FitRow;

use super::{
    Report,
    figures::{Data, Figure, slug},
    forest::{Line, Mark, forest},
    frame::{Room, framed},
    node::{Element, Node, with_text},
    note, paragraph,
    table::{Set, column, table},
};
use crate::{
    predictors::{flag_meaning, footer_of},
    text::{MISSING, interval, p_value, seconds, two, two_or_missing},
};

/// Predictors of a drawing of intervals, the best first; all are in the table.
const MOST_LINES: usize = 30;
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

/// The intervals of each group.
pub(crate) fn figures(report: &Report<'_>) -> Vec<Option<Figure>> {
    let groups = groups(&report.predictors.rows).enumerate();
    groups.map(|(number, group)| forest_of(report, group, &format!("intervals-{}", number + 1))).collect()
}

/// The tables, each with its intervals.
pub(crate) fn section(report: &Report<'_>, intervals: &[Option<Figure>], room: &mut Room) -> Vec<Node> {
    let rows = &report.predictors.rows;
    if rows.is_empty() {
        return vec![paragraph("No fits yet: clmbench run makes them when at least one run has a metric and a score.")];
    }
    let mut nodes = vec![note(
        "The scores of the runs against each metric, with line and band, are among the figures above; the points of every fit: clmbench \
         export fits --json.",
    )];
    for (group, figure) in groups(rows).zip(intervals) {
        let first = &group[0];
        nodes.push(with_text("h3", format!("{}, {}", target(first), first.fit.protocol)).into());
        nodes.push(board(group).into());
        let flags: BTreeSet<&str> = group.iter().flat_map(|row| &row.fit.flags).map(String::as_str).collect();
        nodes.extend(flags.into_iter().map(|flag| note(format!("{flag}: {}.", flag_meaning(flag)))));
        nodes.extend(footer_of(report.predictors, group).into_iter().map(note));
        nodes.extend(figure.iter().map(|figure| framed(figure, room).into()));
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
            column("n", Set::Number, |row: &PredictorRow| row.fit.n.to_string()).by(|row| Some(f64::from(row.fit.n))).once(),
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
            column("mde", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.mde)).by(|row| row.fit.mde).once(),
            column("slope/SD ± se", Set::Number, |row: &PredictorRow| match row.fit.slope.zip(row.fit.std_error) {
                Some((slope, error)) => format!("{} ± {}", two(slope), two(error)),
                None => MISSING.to_owned(),
            })
            .by(|row| row.fit.slope),
            column("R2", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.r2)).by(|row| row.fit.r2),
            column("Q2", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.q2)).by(|row| row.fit.q2),
            column("tau", Set::Number, |row: &PredictorRow| two_or_missing(row.fit.kendall)).by(|row| row.fit.kendall),
            column("cost", Set::Number, |row: &PredictorRow| seconds(row.fit.cost_seconds)).by(|row| row.fit.cost_seconds),
            column("flags", Set::Long, |row: &PredictorRow| row.fit.flags.join(", ")).once(),
            column("pool", Set::Long, move |row: &PredictorRow| if several_pools { row.fit.pool.clone() } else { String::new() })
                .once(),
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
