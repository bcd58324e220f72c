//! The stored statistics: what is known of fits, metrics and tasks beyond the leaderboard, kind by kind.

use clmbench_store::StatisticRow;

use super::{
    Report,
    node::{Node, element, with_text},
    note,
    table::{Set, column, table},
};
use crate::text::{MISSING, p_value, plural};

/// Rows of one kind that are listed.
const MOST: usize = 60;

/// The kinds that are rather drawn or read from the store: a row a run.
const LONG: [&str; 1] = ["influence"];

/// A table a kind, folded. None where nothing is stored.
pub(crate) fn section(report: &Report<'_>) -> Option<Vec<Node>> {
    if report.figures.statistics.is_empty() {
        return None;
    }
    let mut kinds: Vec<&str> = Vec::new();
    for row in &report.figures.statistics {
        if !kinds.contains(&row.kind.as_str()) {
            kinds.push(&row.kind);
        }
    }
    let mut nodes = vec![note(
        "What each kind and name means: benchmarks/METHODOLOGY.md. Intervals are at 95 % and over runs; a number that was refused has its \
         reason. All of them with all their digits: clmbench export statistics.",
    )];
    for kind in kinds {
        let rows: Vec<&StatisticRow> = report.figures.statistics.iter().filter(|row| row.kind == kind).collect();
        let (shown, words) = match LONG.contains(&kind) {
            true => (0, "a row a run"),
            false => (rows.len().min(MOST), "the first of them"),
        };
        let folded = element("details")
            .child(with_text("summary", format!("{}: {}", kind.replace('_', " "), plural(rows.len(), "number"))));
        let folded = if shown > 0 {
            folded.child(table(&format!("Statistics of kind {kind}"), &rows[..shown], columns()))
        } else {
            folded
        };
        let more = rows.len() - shown;
        let folded = if more > 0 {
            folded.child(note(format!("{more} more ({words} here): clmbench export statistics.")))
        } else {
            folded
        };
        nodes.push(folded.into());
    }
    Some(nodes)
}

fn columns<'a>() -> Vec<super::table::Column<'a, &'a StatisticRow>> {
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        column("number", Set::Name, |row: &&StatisticRow| row.name.replace('_', " ")),
        column("of", Set::Word, move |row: &&StatisticRow| word(&row.term)),
        column("metric", Set::Word, move |row: &&StatisticRow| word(&row.metric)),
        column("dataset", Set::Word, move |row: &&StatisticRow| word(&row.dataset)),
        column("task", Set::Word, move |row: &&StatisticRow| word(&row.task)),
        column("protocol", Set::Word, move |row: &&StatisticRow| word(&row.protocol)).once(),
        column("value", Set::Number, |row: &&StatisticRow| row.value.map_or_else(|| MISSING.to_owned(), short))
            .by(|row| row.value),
        column("se", Set::Number, |row: &&StatisticRow| row.std_error.map_or_else(String::new, short)).by(|row| row.std_error),
        column("95 % interval", Set::Number, |row: &&StatisticRow| {
            row.low95.zip(row.high95).map_or_else(String::new, |(low, high)| format!("[{}, {}]", short(low), short(high)))
        })
        .by(|row| row.low95),
        column("p", Set::Number, |row: &&StatisticRow| row.p_raw.map_or_else(String::new, |p| p_value(Some(p))))
            .by(|row| row.p_raw),
        column("p adjusted", Set::Number, |row: &&StatisticRow| row.p_value.map_or_else(String::new, |p| p_value(Some(p))))
            .by(|row| row.p_value),
        column("n", Set::Number, |row: &&StatisticRow| row.n.to_string()).by(|row| Some(f64::from(row.n))).once(),
        column("verdict", Set::Word, move |row: &&StatisticRow| word(&row.verdict).replace('_', " ")),
        column("refused", Set::Word, move |row: &&StatisticRow| word(&row.refusal).replace('_', " ")),
        column("why", Set::Long, move |row: &&StatisticRow| word(&row.reason)),
    ]
}

/// Three significant digits.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && size.is_finite() && !(1e-3..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    let digits = if size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else {
        2 + usize::from(size < 0.1)
    };
    let text = format!("{value:.digits$}");
    if text.trim_start_matches('-').chars().all(|digit| matches!(digit, '0' | '.')) {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, -0.00001, 0.0123, 0.5, -12.345, 1234.5, 1.5e7, f64::NAN].map(short);
        assert_eq!(shown, ["0.000", "-1.00e-5", "0.012", "0.50", "-12.3", "1234", "1.50e7", "NaN"]);
    }
}
