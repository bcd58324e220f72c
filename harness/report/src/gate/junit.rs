//! JUnit XML, as CI systems read it: one test case a row and one for all together.

use clmbench_analysis::gate::{GateReport, GateRow};
use clmbench_stats::gate::{GateVerdict, LEVEL};

use super::{interval, signed};
use crate::text::plain;

/// The judgement as JUnit XML. The case `overall` is what the exit status says: a failure if the candidate is worse, or cannot be told
/// and `inconclusive_fails`; an error if cells failed (`failed` says which) and it is not worse; skipped if it cannot be told. A row
/// fails where it makes the candidate worse; one that cannot be told, or is worse only before Holm, is skipped.
pub fn gate_junit(report: &GateReport, inconclusive_fails: bool, failed: Option<&str>) -> String {
    let overall = &report.overall;
    let mut cases: Vec<(String, String, Outcome, String, String)> = report
        .rows
        .iter()
        .map(|row| {
            let name = format!("{} {}", row.about(), row.score);
            let survives = row.holm_p.is_some_and(|p| p <= LEVEL) && overall.verdict == GateVerdict::Worse;
            let (outcome, words) = match row.verdict {
                GateVerdict::NotWorse => (Outcome::Passed, row.verdict.words()),
                GateVerdict::Worse if survives => (Outcome::Failed, row.verdict.words()),
                GateVerdict::Worse => (Outcome::Skipped, "worse, but not after Holm"),
                GateVerdict::CannotTell => (Outcome::Skipped, row.verdict.words()),
            };
            ("clmbench.gate".to_owned(), name, outcome, words.to_owned(), said(row))
        })
        .collect();
    let reason = [Some(overall.reason.clone()), overall.settle.clone(), Some(format!("a claim {}", overall.claim_text))];
    let reason = reason.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let words = overall.verdict.words();
    let (outcome, words, reason) = match (overall.verdict, failed) {
        (GateVerdict::Worse, _) => (Outcome::Failed, words, reason),
        (_, Some(failed)) => (Outcome::Error, "cells failed", format!("{failed}; {words} on the others: {reason}")),
        (GateVerdict::NotWorse, None) => (Outcome::Passed, words, reason),
        (GateVerdict::CannotTell, None) if inconclusive_fails => (Outcome::Failed, words, reason),
        (GateVerdict::CannotTell, None) => (Outcome::Skipped, words, reason),
    };
    cases.push(("clmbench.gate".to_owned(), "overall".to_owned(), outcome, words.to_owned(), reason));
    let count = |wanted: Outcome| cases.iter().filter(|case| case.2 == wanted).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"{}\"",
        cases.len(),
        count(Outcome::Failed),
        count(Outcome::Skipped),
        count(Outcome::Error)
    );
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str(&format!("<testsuites {counts}>\n"));
    let name = escape(&format!("clmbench gate: {} against {}", overall.candidate, overall.baseline));
    text.push_str(&format!("  <testsuite name=\"{name}\" {counts}>\n"));
    for (class, name, outcome, verdict, said) in &cases {
        let head = format!("    <testcase classname=\"{}\" name=\"{}\"", escape(class), escape(name));
        let (message, body) = (escape(verdict), escape(said));
        text.push_str(&match outcome {
            Outcome::Passed => format!("{head}>\n      <system-out>{message}: {body}</system-out>\n    </testcase>\n"),
            Outcome::Failed => {
                format!("{head}>\n      <failure type=\"{message}\" message=\"{body}\"/>\n    </testcase>\n")
            }
            Outcome::Error => format!("{head}>\n      <error type=\"{message}\" message=\"{body}\"/>\n    </testcase>\n"),
            Outcome::Skipped => format!("{head}>\n      <skipped message=\"{message}: {body}\"/>\n    </testcase>\n"),
        });
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Error,
    Skipped,
}

fn said(row: &GateRow) -> String {
    let mut parts = match row.difference {
        Some(_) => vec![format!(
            "difference {} {}, margin {}",
            signed(row.difference, row),
            interval(row),
            super::number(Some(row.margin), row)
        )],
        None => vec![row.contains.clone()],
    };
    parts.extend(row.settle.clone());
    parts.join("; ")
}

/// Foreign text as an attribute or a text of XML 1.0, without characters that it forbids.
pub(super) fn escape(text: &str) -> String {
    let allowed = |letter: &char| !matches!(letter, '\u{fffe}' | '\u{ffff}');
    let mut safe = String::new();
    for letter in plain(text).chars().filter(allowed) {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            other => safe.push(other),
        }
    }
    safe
}
