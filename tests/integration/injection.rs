//! Names, docs and errors that mean harm go through every output and come out harmless.

use std::fs;

use clmbench_protocol::is_unsafe_to_show;
use clmbench_tests::manifest::{EVIL_DATASET, EVIL_TASK, PLUGIN, evil_manifest};
use serde_json::Value;

use crate::{
    bench::{Answer, Bench},
    browser,
    export::{WHAT, parsed},
};

/// Four runs on a dataset, a task and metrics of bad will.
fn suite() -> String {
    let dataset = serde_json::to_string(EVIL_DATASET).unwrap();
    format!(
        r#"
# <script>alert(4)</script>
schema = 1
[suite]
name = "evil"
seed = 7
expect = "cannot_tell"
[[corpus]]
path = "own.smi"
sizes = [500]
heldout = 64
[[model]]
architecture = "fake"
presets = ["a", "b", "c", "d"]
tokens = 1000
[[dataset]]
source = "fake"
names = [{dataset}]
[[metric]]
id = "fake/loss"
[[metric]]
id = "fake/noise"
[[metric]]
id = "evil/<b>metric\u001b[2J"
[[metric]]
select = "family:trivial"
[[protocol]]
kind = "probe"
[[protocol]]
kind = "finetune"
epochs = 1
lr = 5e-4
"#
    )
}

/// The suite has run, but for the cells of `fake/noise`, whose plugin fails with words of bad will.
fn bench() -> (Bench, Answer) {
    let bench = Bench::new(&suite());
    fs::write(bench.path("own.smi"), "CCO\nCCN\n").unwrap();
    let library = bench.path("plugins").join(PLUGIN).join("libclmbench_plugin_fake.so");
    fs::write(library, serde_json::to_string(&evil_manifest("0.1.0")).unwrap()).unwrap();
    let variables = [("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", "fake/noise")];
    let answer = bench.with(&["run", "suite.toml"], &variables).code(3);
    (bench, answer)
}

/// Nothing in it steers a terminal.
#[track_caller]
fn harmless(what: &str, text: &str) {
    let bad = text.chars().find(|letter| !matches!(letter, '\n' | '\t') && is_unsafe_to_show(*letter));
    assert!(bad.is_none(), "{what} lets {bad:?} through: {text:?}");
}

#[track_caller]
fn both_streams(what: &[&str], answer: &Answer) {
    harmless(&what.join(" "), &answer.stdout);
    harmless(&what.join(" "), &answer.stderr);
}

#[test]
fn terminal_output_steers_nothing() {
    let (bench, ran) = bench();
    both_streams(&["run"], &ran);
    assert!(ran.stderr.contains("the fake plugin says no: <no>"), "{}", ran.stderr);
    let library = bench.path("plugins").join(PLUGIN);
    let library = library.to_str().unwrap();
    let commands: [&[&str]; 15] = [
        &["plan", "suite.toml"],
        &["status"],
        &["gc", "--dry-run", "--forget-suite", "evil"],
        &["data", "fetch", "\u{1b}[2Jnone"],
        &["leaderboard", "predictors"],
        &["leaderboard", "models"],
        &["leaderboard", "predictors", "--dataset", EVIL_DATASET, "--protocol", "probe"],
        &["leaderboard", "models", "--dataset", "\u{1b}[2Jnone"],
        &["plugin", "list"],
        &["plugin", "check", library],
        &["doctor"],
        &["data", "list"],
        &["data", "describe", EVIL_DATASET],
        &["model", "list"],
        &["model", "describe", "fake"],
    ];
    for command in commands {
        both_streams(command, &bench.clmbench(command));
        let json = bench.clmbench(&[command, &["--json"]].concat());
        both_streams(command, &json);
        if !json.stdout.is_empty() {
            json.rows();
        }
    }
    // What was asked for is found under its own name, and every cell can be shown.
    let rows = bench.clmbench(&["leaderboard", "predictors", "--dataset", EVIL_DATASET, "--json"]).code(0).rows();
    assert!(rows.iter().all(|row| row["dataset"] == EVIL_DATASET && row["task"] == EVIL_TASK), "{rows:?}");
    assert!(rows.iter().any(|row| row["metric"] == "evil/<b>metric\u{1b}[2J"), "{rows:?}");
    let cells = bench.clmbench(&["status", "--json"]).code(0).rows();
    for cell in &cells {
        let key = cell["key"].as_str().unwrap();
        for more in [&[][..], &["--json"]] {
            let command = [&["show", key], more].concat();
            let answer = bench.clmbench(&command).code(0);
            both_streams(&command, &answer);
        }
    }
    assert!(cells.iter().any(|cell| cell["status"] == "failed"));
    both_streams(&["show"], &bench.clmbench(&["show", "no\u{1b}[2Jsuch"]).code(2));
}

#[test]
fn exports_hold_no_formulas_and_no_controls() {
    let (bench, _) = bench();
    for what in WHAT {
        let csv = bench.clmbench(&["export", what]).code(0);
        both_streams(&["export", what], &csv);
        let rows = parsed(&csv.stdout);
        let formula = |cell: &String| {
            // A plain number may begin with its sign.
            cell.trim_start().starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err()
        };
        for row in &rows {
            assert!(!row.values().any(formula), "{row:?}");
        }
        if what != "cells" {
            let tasks: Vec<&String> = rows.iter().map(|row| &row["task"]).filter(|task| !task.is_empty()).collect();
            assert!(!tasks.is_empty() && tasks.iter().all(|task| task.starts_with("'=1+1\u{fffd}]0;owned")), "{tasks:?}");
        }
        let json = bench.clmbench(&["export", what, "--json"]).code(0);
        both_streams(&["export", what, "--json"], &json);
        let named = |row: &Value| row["task"] == EVIL_TASK && row["dataset"] == EVIL_DATASET;
        assert!(what == "cells" || json.rows().iter().any(named), "JSON says what was said, in harmless letters");
    }
}

#[test]
fn a_table_of_bad_will_is_split_into_harmless_rows() {
    let bench = Bench::new(&suite());
    let name = "\u{1b}[2J\u{202e}=own.csv";
    fs::write(
        bench.path(name),
        "smiles\r\n=cmd|' /C calc'!A0\r\n\"=1,\u{9b}2J\"\r\nCCO\r\nC1CC\u{1b}]0;owned\u{7}\r\nc1ccccc1\r\nCCN\r\n",
    )
    .unwrap();
    for more in [&[][..], &["--format", "csv"], &["--json"], &["--out", "\u{1b}[2Jrows.csv"]] {
        let command = [&["data", "split", name], more].concat();
        both_streams(&command, &bench.clmbench(&command).code(0));
    }
    let rows = parsed(&bench.clmbench(&["data", "split", name, "--format", "csv"]).code(0).stdout);
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().flat_map(|row| row.values()).all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{rows:?}");
    let invalid = |index: usize| rows[index]["split"].is_empty() && !rows[index]["reason"].is_empty();
    assert!([0, 1, 3].into_iter().all(invalid) && !invalid(2) && rows[4]["scaffold"] == "c1ccccc1", "{rows:?}");
}

/// Elements that the page may hold.
const ELEMENTS: [&str; 46] = [
    "!DOCTYPE",
    "a",
    "body",
    "br",
    "caption",
    "circle",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "g",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "li",
    "line",
    "main",
    "meta",
    "nav",
    "p",
    "path",
    "pre",
    "rect",
    "script",
    "section",
    "span",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
    "hr",
    "b",
];

#[test]
fn the_page_holds_no_element_that_is_not_ours() {
    let (bench, _) = bench();
    let answer = bench.clmbench(&["report", "--out", "-"]).code(0);
    let page = &answer.stdout;
    both_streams(&["report"], &answer);
    for part in page.split('<').skip(1) {
        let name = part.trim_start_matches('/').split([' ', '>']).next().unwrap();
        assert!(ELEMENTS.contains(&name), "an element <{name}");
        // No attribute of a tag is a handler, an address or a style of its own.
        let tag = part.split('>').next().unwrap();
        for word in [" on", " src", " style=", "javascript:", "http:"] {
            assert!(!unquoted(tag).contains(word), "<{tag}>");
        }
    }
    for words in
        ["&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;", "&lt;script&gt;alert(4)", "says no: &lt;no&gt; \u{fffd}[31m"]
    {
        assert!(page.contains(words), "`{words}` is shown as text");
    }
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    // After every table was sorted and filtered and every figure saved, names are still text.
    let Some(browser) = browser::found() else { return };
    let path = bench.path("page.html");
    fs::write(&path, browser::used(page)).unwrap();
    let dom = browser.dump(&path, &[]).0;
    for tag in ["<img", "<b>", "<i>", "onerror=\"", "onload=\""] {
        assert!(!dom.contains(tag), "{tag} in {dom}");
    }
    assert_eq!(dom.matches("<script").count(), 2, "the page's own and the one that uses it");
    let count = |text: &str, tag: &str| text.matches(tag).count();
    for tag in ["<table", "<tr", "<svg", "<circle", "<th ", "<section"] {
        assert!(
            count(page, tag) > 0 && count(&dom, tag) == count(page, tag),
            "{tag}: the browser sees the tree that was written"
        );
    }
}

/// A tag without what stands in its quotes.
fn unquoted(tag: &str) -> String {
    tag.split('"').step_by(2).collect::<Vec<_>>().join("\"\"").replace(" =", "=")
}
