//! The top of the page: what was run, and what came out, in brief.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_analysis::PredictorRow;
use clmbench_stats::verdict::{SMALLEST_N_FOR_FIT, SMALLEST_N_FOR_VERDICT};
use clmbench_store::CellStatus;

use super::{
    Report, answer,
    node::{Element, Node, element, with_text},
    note, paragraph,
    predictors::{sign, target},
    table::{Set, column, table},
};
use crate::{
    Style,
    expectation::expectation_text,
    text::{MISSING, count, interval, plural, seconds, two, two_or_missing},
};

/// What was run: dates, versions, devices, runs, power.
pub(crate) fn header(report: &Report<'_>) -> Vec<Node> {
    let mut facts = element("dl");
    for (term, words) in facts_of(report) {
        facts = facts.child(with_text("dt", term)).child(with_text("dd", words));
    }
    vec![facts.into()]
}

fn facts_of(report: &Report<'_>) -> Vec<(&'static str, String)> {
    let cells = report.cells;
    let started = cells.iter().filter_map(|cell| cell.started.as_deref()).min();
    let finished = cells.iter().filter_map(|cell| cell.finished.as_deref()).max();
    let runs = report.runs.iter().filter(|run| !run.control);
    let controls = report.runs.iter().filter(|run| run.control).count();
    let diverged = runs.clone().filter(|run| run.diverged).count();
    let counted = runs.clone().count() - diverged;
    let mut facts = vec![("Suite", report.suite.name.clone())];
    if let (Some(started), Some(finished)) = (started, finished) {
        facts.push(("Computed", format!("{} to {}", day(started), day(finished))));
    }
    if let Some(fitted) = report.fitted {
        let stale = if fitted.stale { "; cells were finished since: `clmbench run` fits anew" } else { "" };
        facts.push(("Fitted", format!("{}{stale}", day(&fitted.created))));
    }
    let more = if diverged > 0 { format!(", {diverged} diverged and not counted") } else { String::new() };
    facts.push((
        "Runs",
        format!(
            "{counted} pretraining {}{more}; {}",
            if counted == 1 { "run" } else { "runs" },
            plural(controls, "untrained control")
        ),
    ));
    let sizes: BTreeSet<u64> = runs.clone().map(|run| run.non_embedding_parameters).collect();
    if let (Some(least), Some(most)) = (sizes.first(), sizes.last()) {
        let range = if least == most { count(*least) } else { format!("{} to {}", count(*least), count(*most)) };
        facts.push((
            "Models",
            format!("{} ({range} parameters without embeddings)", distinct(runs.clone().map(|run| run.architecture.as_str()))),
        ));
    }
    facts.push(("Power", power(report)));
    facts.push(("Precision", distinct(runs.clone().map(|run| run.precision.as_str()))));
    facts.push(("Devices", distinct(cells.iter().filter_map(|cell| cell.device.as_deref()))));
    facts.push(("libtorch", distinct(cells.iter().filter_map(|cell| cell.libtorch.as_deref()))));
    let plugins: Vec<String> = report.plugins.iter().map(|plugin| format!("{} {}", plugin.name, plugin.version)).collect();
    facts.push(("Plugins", plugins.join(", ")));
    facts.push(("Cells", cells_by_status(report)));
    facts.retain(|(_, words)| !words.is_empty());
    facts
}

/// The distinct words, with commas.
fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: BTreeSet<&str> = words.filter(|word| !word.is_empty()).collect();
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// `2026-11-22 19:52 UTC` of an RFC 3339 time.
fn day(time: &str) -> String {
    match time.get(..16) {
        Some(start) if time.ends_with('Z') => format!("{} UTC", start.replace('T', " ")),
        _ => time.to_owned(),
    }
}

fn power(report: &Report<'_>) -> String {
    let rows = &report.predictors.rows;
    let Some(row) = rows.iter().max_by_key(|row| row.fit.n) else { return String::new() };
    let useful = report.predictors.useful_effect;
    let needed = row.fit.n_needed.map_or_else(String::new, |runs| format!("; the useful effect {useful} takes {runs} runs"));
    match row.fit.mde {
        Some(mde) => format!("{} find |r| of {} or more 80 % of the time{needed}", plural(row.fit.n as usize, "run"), two(mde)),
        None => format!(
            "{} find nothing: a fit needs {SMALLEST_N_FOR_FIT} runs and a verdict {SMALLEST_N_FOR_VERDICT}{needed}",
            plural(row.fit.n as usize, "run")
        ),
    }
}

fn cells_by_status(report: &Report<'_>) -> String {
    let mut counts: BTreeMap<CellStatus, usize> = BTreeMap::new();
    report.cells.iter().for_each(|cell| *counts.entry(cell.status).or_default() += 1);
    let parts: Vec<String> =
        counts.iter().map(|(status, count)| format!("{count} {}", status.word().replace('_', " "))).collect();
    let spent: f64 = report.cells.iter().filter_map(|cell| cell.seconds).sum();
    format!("{}: {}; {} of computing", report.cells.len(), parts.join(", "), seconds(Some(spent)))
}

/// What came out, in a sentence, a comparison with what was expected, and a table of all fits.
pub(crate) fn section(report: &Report<'_>) -> Element {
    let rows = &report.predictors.rows;
    let mut section = element("section").attribute("id", "brief").attribute("aria-labelledby", "brief-heading");
    section = section.child(with_text("h2", "In brief").attribute("id", "brief-heading"));
    section = section.child(paragraph(sentence(rows)));
    if let Some(expectation) = report.expectation {
        let text = expectation_text(expectation, Style::new(10_000));
        let class = if expectation.met { "note" } else { "warning" };
        let mut lines = element("div").class(class);
        for line in text.lines() {
            lines = lines.child(with_text("p", line));
        }
        section = section.child(lines);
    }
    if report.predictors.stale {
        let text = "Cells were finished after these fits were made: clmbench run fits anew.";
        section = section.child(element("div").class("warning").child(with_text("p", text)));
    }
    section.children(answer::section(report)).children(overview(rows))
}

fn sentence(rows: &[PredictorRow]) -> String {
    if rows.is_empty() {
        return "There are no fits yet: they are made when a run with a metric and a score is finished.".to_owned();
    }
    let of = |word: &str| rows.iter().filter(|row| row.fit.verdict == word).count();
    let beyond = rows.iter().filter(|row| row.fit.gain_verdict.as_deref() == Some("better")).count();
    let reversed = rows.iter().filter(|row| row.fit.reversed).count();
    let reversed = if reversed > 0 { format!(" ({reversed} significant against the claim)") } else { String::new() };
    format!(
        "Verdicts of {}: predicts {}, does not predict {}{reversed}, cannot tell {}, refused {}. {} over the trivial predictors.",
        plural(rows.len(), "fit"),
        of("predicts"),
        of("does_not_predict"),
        of("cannot_tell"),
        of("refused"),
        match beyond {
            0 => "None has a decided gain".to_owned(),
            1 => "1 has a decided gain".to_owned(),
            _ => format!("{beyond} have a decided gain"),
        },
    )
}

/// A row a predictor, a column a task, a table a protocol.
fn overview(rows: &[PredictorRow]) -> Vec<Node> {
    let targets: BTreeSet<(String, String)> = rows.iter().map(|row| (row.fit.protocol.clone(), target(row))).collect();
    let mut names: Vec<(bool, &str)> = Vec::new();
    for row in rows {
        let name = (row.fit.trivial, row.fit.metric.as_str());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort();
    let protocols: BTreeSet<&str> = targets.iter().map(|(protocol, _)| protocol.as_str()).collect();
    let mut nodes: Vec<Node> = Vec::new();
    for protocol in protocols {
        let mut columns = vec![column(
            "predictor",
            Set::Name,
            |(trivial, name): &(bool, &str)| {
                if *trivial { format!("{name} *") } else { (*name).to_owned() }
            },
        )];
        for (_, place) in targets.iter().filter(|(of, _)| of == protocol) {
            columns.push(
                column(place, Set::Word, move |(_, name): &(bool, &str)| {
                    let found: Vec<String> = rows
                        .iter()
                        .filter(|row| row.fit.metric == *name && row.fit.protocol == protocol && target(row) == *place)
                        .map(cell)
                        .collect();
                    found.join("; ")
                })
                .by(move |(_, name): &(bool, &str)| {
                    let fit =
                        |row: &&PredictorRow| row.fit.metric == *name && row.fit.protocol == protocol && target(row) == *place;
                    rows.iter().find(fit).and_then(|row| row.fit.spearman)
                }),
            );
        }
        nodes.push(table(&format!("All fits, protocol {protocol}: r [95 % interval] and verdict"), &names, columns).into());
    }
    if !nodes.is_empty() {
        nodes.insert(0, with_text("h3", "Task by task").into());
        nodes.push(note("✓ predicts, ✗ does not predict, ? cannot tell, – refused; * trivial predictor."));
    }
    nodes
}

fn cell(row: &PredictorRow) -> String {
    if row.fit.verdict == "refused" {
        return MISSING.to_owned();
    }
    let range = match row.fit.spearman_low {
        Some(_) => format!(" {}", interval(row.fit.spearman_low, row.fit.spearman_high)),
        None => String::new(),
    };
    format!("{}{range} {}", two_or_missing(row.fit.spearman), sign(&row.fit))
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn times_are_cut_to_minutes() {
        assert_eq!(day("2026-11-22T19:52:39.123Z"), "2026-11-22 19:52 UTC");
        assert_eq!(day("é"), "é");
    }
}
