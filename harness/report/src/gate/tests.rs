#![allow(clippy::unwrap_used)]
use clmbench_analysis::gate::{GateOverall, GateRowKind};
use clmbench_stats::gate::{Claim, GateVerdict};

use super::*;

fn row(name: &str, protocol: &str, verdict: GateVerdict, difference: Option<(f64, f64, f64)>) -> GateRow {
    let refusal = difference.is_none().then(|| "one_seed".to_owned());
    GateRow {
        kind: GateRowKind::Score,
        name: name.to_owned(),
        task: "expt".to_owned(),
        protocol: protocol.to_owned(),
        score: "rmse".to_owned(),
        unit: "kcal/mol".to_owned(),
        baseline: Some(2.413),
        candidate: Some(2.561),
        difference: difference.map(|found| found.0),
        low95: difference.map(|found| found.1),
        high95: difference.map(|found| found.2),
        margin: 0.19,
        margin_from: "default".to_owned(),
        margin_source: Some(MarginSource::Default),
        verdict,
        p_worse: difference.map(|_| 0.0004),
        holm_p: difference.map(|_| 0.0012),
        se_test: difference.map(|_| 0.1),
        se_seed: None,
        contains: match difference {
            Some(_) => "test molecules".to_owned(),
            None => "the candidate was fine-tuned with 1 seed: how far another seed would move the score is not known".to_owned(),
        },
        refusal,
        settle: difference.is_none().then(|| "at least 3 seeds on each side show their spread".to_owned()),
        n_test: 65,
        baseline_seeds: (1, 1),
        candidate_seeds: (1, 1),
    }
}

fn report() -> GateReport {
    let metric = GateRow {
        kind: GateRowKind::Metric,
        name: "loss/mlm_loss".to_owned(),
        task: String::new(),
        protocol: String::new(),
        score: "value".to_owned(),
        unit: "nats".to_owned(),
        margin: 0.02,
        margin_from: "loss/mlm_loss=0.02".to_owned(),
        margin_source: Some(MarginSource::Option),
        contains: "the errors of measurement".to_owned(),
        ..row("x", "", GateVerdict::NotWorse, Some((0.0, -0.004, 0.004)))
    };
    GateReport {
        schema: "clmbench/gate/1".to_owned(),
        generated_by: "clmbench".to_owned(),
        rows: vec![
            row("freesolv", "probe", GateVerdict::Worse, Some((-0.148, -0.41, -0.03))),
            row("lipo", "finetune", GateVerdict::CannotTell, None),
            metric,
        ],
        overall: GateOverall {
            verdict: GateVerdict::Worse,
            reason: "worse on freesolv expt (probe), after Holm over 2 comparisons".to_owned(),
            settle: None,
            difference_in_margins: Some(-0.78),
            low95: Some(-2.2),
            high95: Some(-0.16),
            claim: Claim::Checkpoint,
            claim_text: "about this checkpoint: another pretraining seed could come out otherwise, and no interval contains that"
                .into(),
            baseline: "main".to_owned(),
            baseline_digest: "0123456789abcdef".to_owned(),
            candidate: "./new<model>|\u{1b}[31m & \"co\"".to_owned(),
            notes: vec![],
        },
    }
}

#[test]
fn the_table_fits_eighty_columns() {
    let text = gate_table(&report(), Style::new(80));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_summary_of_a_pull_request_holds_no_markup_of_others() {
    let text = gate_markdown(&report());
    assert!(!text.contains("<model>") && !text.contains('\u{1b}'));
    insta::assert_snapshot!(text);
}

#[test]
fn junit_is_well_formed_and_counts_right() {
    let text = gate_junit(&report(), false, None);
    insta::assert_snapshot!(text);
    for fails in [false, true] {
        let text = gate_junit(&report(), fails, None);
        let elements = elements(&text);
        let count = |name: &str| elements.iter().filter(|(found, _)| found == name).count();
        assert_eq!((count("testcase"), count("failure"), count("skipped")), (4, 2, 1));
        let suite = &elements.iter().find(|(name, _)| name == "testsuite").unwrap().1;
        let attribute = |name: &str| suite.iter().find(|(found, _)| found == name).unwrap().1.clone();
        assert_eq!((attribute("tests"), attribute("failures")), ("4".into(), count("failure").to_string()));
        assert_eq!(attribute("name"), "clmbench gate: ./new<model>|[31m & \"co\" against main");
    }
}

/// With every verdict over all and every way of counting it: a reporter of JUnit is red where the exit status is not 0, but for what
/// cannot be told (11), which is skipped.
#[test]
fn junit_is_red_where_the_exit_status_says_so() {
    use GateVerdict::{CannotTell, NotWorse, Worse};
    // Verdict, `--inconclusive fail`, failed cells; failures and errors.
    for (verdict, fails, failed, expected) in [
        (NotWorse, false, None, (0, 0)),
        (NotWorse, true, None, (0, 0)),
        (NotWorse, true, Some("2 cells failed"), (0, 1)),
        (CannotTell, false, None, (0, 0)),
        (CannotTell, true, None, (1, 0)),
        (CannotTell, true, Some("2 cells failed"), (0, 1)),
        (Worse, false, Some("2 cells failed"), (1, 0)),
    ] {
        let mut report = report();
        report.overall.verdict = verdict;
        // Worse by itself alone, and one that cannot be told.
        report.rows[0].holm_p = Some(0.2);
        let text = gate_junit(&report, fails, failed);
        let elements = elements(&text);
        let count = |name: &str| elements.iter().filter(|(found, _)| found == name).count();
        assert_eq!((count("failure"), count("error")), expected, "{verdict:?} {fails} {failed:?}: {text}");
        let skipped = 2 + usize::from(verdict == CannotTell && expected == (0, 0));
        assert_eq!((count("testcase"), count("skipped")), (4, skipped), "{text}");
        let head = format!("tests=\"4\" failures=\"{}\" skipped=\"{skipped}\" errors=\"{}\"", expected.0, expected.1);
        assert_eq!(text.matches(&head).count(), 2, "{text}");
        assert!(failed.is_none_or(|words| verdict == Worse || text.contains(words)));
    }
}

type Element = (String, Vec<(String, String)>);

/// A small parser of XML without entities of its own, comments or CDATA: panics at whatever is not well formed, and gives elements
/// with their attributes, unescaped.
fn elements(text: &str) -> Vec<Element> {
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
    let (mut open, mut found, mut roots) = (Vec::<String>::new(), Vec::new(), 0);
    while let Some(start) = rest.find('<') {
        let between = &rest[..start];
        assert!(!open.is_empty() || between.trim().is_empty(), "text outside the root: {between}");
        unescaped(between);
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'), "{name}");
        let mut named: Vec<(String, String)> = Vec::new();
        while !attributes.trim().is_empty() {
            let (key, after) = attributes.trim_start().split_once("=\"").expect("an attribute is quoted");
            let (value, after) = after.split_once('"').expect("a quote ends");
            assert!(!named.iter().any(|(other, _)| other == key), "{key} twice");
            assert!(key.chars().all(|letter| letter.is_ascii_alphabetic()), "{key}");
            named.push((key.to_owned(), unescaped(value)));
            attributes = after;
        }
        roots += usize::from(open.is_empty());
        found.push((name.to_owned(), named));
        if !empty {
            open.push(name.to_owned());
        }
    }
    assert!(rest.trim().is_empty() && open.is_empty() && roots == 1, "{open:?} {roots}");
    found
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, after) = part.split_once(';').expect("an entity ends");
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            other => panic!("unknown entity {other}"),
        });
        plain.push_str(after);
    }
    assert!(plain.chars().all(|letter| letter == '\n' || !letter.is_control()), "{plain:?}");
    plain
}
