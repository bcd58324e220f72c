//! A summary for a pull request.

use clmbench_analysis::gate::{GateReport, GateRow};

use super::{interval, lines, number, score, signed};
use crate::{markdown::escaped, text::p_value};

/// The judgement as Markdown: a heading, a table, and the reasons as a list.
pub fn gate_markdown(report: &GateReport) -> String {
    let overall = &report.overall;
    let mut text = format!(
        "### Gate: {}\n\nCandidate {} against gate baseline {} (digest {}).\n\n",
        overall.verdict.words(),
        escaped(&overall.candidate),
        escaped(&overall.baseline),
        escaped(&overall.baseline_digest.chars().take(12).collect::<String>())
    );
    text.push_str("| of | score | baseline | candidate | difference | 95 % | margin | p (Holm) | verdict |\n");
    text.push_str("|---|---|--:|--:|--:|---|--:|--:|---|\n");
    for row in &report.rows {
        let cells = [
            row.about(),
            score(row),
            number(row.baseline, row),
            number(row.candidate, row),
            signed(row.difference, row),
            interval(row),
            number(Some(row.margin), row),
            p_value(row.holm_p),
            verdict(row),
        ];
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text.push('\n');
    for line in lines(report) {
        text.push_str(&format!("- {}\n", escaped(line.trim_start_matches("– "))));
    }
    text
}

fn verdict(row: &GateRow) -> String {
    row.verdict.words().to_owned()
}
