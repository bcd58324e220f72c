//! A gate's judgement as a terminal table, a Markdown summary and JUnit XML.

mod junit;
mod markdown;
#[cfg(test)]
mod tests;

use clmbench_analysis::gate::{GateReport, GateRow, MarginSource};

pub use junit::gate_junit;
pub use markdown::gate_markdown;

use crate::{
    Style,
    layout::{Column, draw},
    text::{MISSING, finish, p_value, plain, wrap},
};

/// The judgement as a table with its reasons below.
pub fn gate_table(report: &GateReport, style: Style) -> String {
    let width = style.columns();
    let overall = &report.overall;
    let mut text = wrap(&plain(&format!("Gate: {} against gate baseline {}", overall.candidate, overall.baseline)), width);
    let rows = &report.rows;
    let column = |get: &dyn Fn(&GateRow) -> String| rows.iter().map(get).collect::<Vec<String>>();
    let columns = vec![
        Column::left("of", 0, column(&GateRow::about)).capped(30),
        Column::left("score", 3, column(&score)),
        Column::right("baseline", 4, column(&|row| number(row.baseline, row))),
        Column::right("candidate", 4, column(&|row| number(row.candidate, row))),
        Column::right("difference", 0, column(&|row| signed(row.difference, row))),
        Column::left("95 %", 0, column(&interval)),
        Column::right("margin", 1, column(&|row| number(Some(row.margin), row))),
        Column::right("p Holm", 2, column(&|row| p_value(row.holm_p))),
        Column::left("verdict", 0, column(&|row| row.verdict.words().to_owned())),
    ];
    let (table, left_out) = draw(columns, style);
    text.push_str(&table);
    let mut lines = lines(report);
    lines.push("difference: candidate - gate baseline, positive is better; p: of no loss, Holm over all rows.".to_owned());
    if !left_out.is_empty() {
        lines.push(format!("Not shown at this width: {}; --json has every column.", left_out.join(", ")));
    }
    for line in lines {
        text.push_str(&wrap(&plain(&line), width));
    }
    finish(text, style)
}

/// What stands below a table: the overall verdict, what it is about, and the reasons of rows.
fn lines(report: &GateReport) -> Vec<String> {
    let overall = &report.overall;
    let mut lines = vec![format!("Overall: {}: {}.", overall.verdict.words(), overall.reason)];
    lines.extend(overall.settle.iter().map(|settle| format!("{}.", upper(settle))));
    lines.push(format!("A claim {}.", overall.claim_text));
    for row in &report.rows {
        let refused = row.refusal.as_ref().map(|_| row.contains.clone());
        let said: Vec<String> = refused.into_iter().chain(row.settle.clone()).collect();
        if !said.is_empty() {
            lines.push(format!("{MISSING} {}: {}.", row.about(), said.join("; ")));
        }
    }
    let mut contains: Vec<(String, Vec<String>)> = Vec::new();
    for row in report.rows.iter().filter(|row| row.refusal.is_none()) {
        let protocol = if row.protocol.is_empty() { row.about() } else { row.protocol.clone() };
        match contains.iter_mut().find(|(what, _)| *what == row.contains) {
            None => contains.push((row.contains.clone(), vec![protocol])),
            Some((_, named)) if named.contains(&protocol) => {}
            Some((_, named)) => named.push(protocol),
        }
    }
    lines.extend(contains.into_iter().map(|(what, named)| format!("95 % ({}): over {what}.", named.join(", "))));
    lines.extend(margins(&report.rows));
    lines.extend(overall.notes.iter().map(|note| format!("{note}.")));
    lines
}

/// Where margins are from: the rows by default are counted, those that somebody wrote are named as written.
fn margins(rows: &[GateRow]) -> Option<String> {
    let mut written: Vec<(&str, Vec<&str>)> = Vec::new();
    for (source, words) in [(MarginSource::Option, "given"), (MarginSource::Suite, "of the suite")] {
        let mut texts: Vec<&str> =
            rows.iter().filter(|row| row.margin_source == Some(source)).map(|row| row.margin_from.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        if !texts.is_empty() {
            written.push((words, texts));
        }
    }
    let default = rows.iter().filter(|row| row.margin_source == Some(MarginSource::Default)).count();
    let mut parts: Vec<String> = written.iter().map(|(words, texts)| format!("{words} ({})", texts.join(", "))).collect();
    if default > 0 {
        parts.push(if written.is_empty() { "the default of each score".to_owned() } else { format!("by default ({default})") });
    }
    (!parts.is_empty()).then(|| format!("Margins: {}.", parts.join(", ")))
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn score(row: &GateRow) -> String {
    if row.unit.is_empty() { row.score.clone() } else { format!("{}, {}", row.score, row.unit) }
}

/// Decimals that show two digits of the margin.
fn digits(row: &GateRow) -> usize {
    if row.margin > 0.0 && row.margin.is_finite() { (1 - row.margin.log10().floor() as i32).clamp(0, 8) as usize } else { 3 }
}

fn number(value: Option<f64>, row: &GateRow) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| unsigned_zero(format!("{value:.0$}", digits(row))))
}

fn signed(value: Option<f64>, row: &GateRow) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| unsigned_zero(format!("{value:+.0$}", digits(row))))
}

/// `-0.00` is no number that anybody wants to read.
fn unsigned_zero(text: String) -> String {
    let zero = text.starts_with(['-', '+']) && !text.contains(|letter: char| ('1'..='9').contains(&letter));
    if zero { text[1..].to_owned() } else { text }
}

fn interval(row: &GateRow) -> String {
    match row.low95.zip(row.high95) {
        Some((low, high)) => format!("[{}, {}]", signed(Some(low), row), signed(Some(high), row)),
        None => MISSING.to_owned(),
    }
}
