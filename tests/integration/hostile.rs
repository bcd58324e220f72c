//! Real plugins that misbehave, in the real worker: each costs one cell, with a readable reason in its row, and the
//! cells around it are computed.

use std::{collections::BTreeMap, fs};

use clmbench_store::{CellRow, CellStatus, Store};

use crate::real::{ECHO, HOSTILE, Real, library_of};

/// One run of the architecture whose weights the plugin keeps handles of.
const BASE: &str = r#"
schema = 1
[suite]
name = "base"
seed = 7
[[corpus]]
name = "moses"
sizes = [500]
heldout = 256
[[model]]
architecture = "hostile"
presets = ["tiny"]
tokens = 3000
checkpoints = 1
[[dataset]]
source = "echo"
names = ["sixty"]
"#;

/// Deeds, the word in the row of the cell that they cost, and what its reason says.
const FAILURES: [(&str, &str, &str); 29] = [
    ("panic", "panic", "the metric panics on purpose"),
    ("panic_in_libtorch", "panic", "libtorch: mat1 and mat2 shapes cannot be multiplied (2x2 and 3x5)"),
    ("error_of_libtorch", "plugin_error", "mat1 and mat2 shapes cannot be multiplied (2x2 and 3x5)"),
    ("error_with_escapes", "plugin_error", "it says"),
    ("nan", "non_finite", "`value` is NaN"),
    ("infinite_error", "non_finite", "1 +- inf"),
    ("wrong_shape", "wrong_shape", "delta has shape [3]; ["),
    ("out_of_range", "bad_input", "of a part that has 256"),
    ("unsupported", "unsupported", "label"),
    ("no_primary", "plugin_error", "primary value `value` is not among those it gave"),
    ("twice", "plugin_error", "`more` stands twice"),
    ("stopped", "plugin_error", "say complete, budget or precision"),
    ("artifact_outside", "plugin_error", "`../outside` is no name for an artifact"),
    ("artifact_of_the_host", "plugin_error", "`cell.json` is no name for an artifact"),
    ("huge_answer", "protocol", "a line longer than"),
    ("huge_tensor", "memory_limit", "can't allocate memory"),
    ("weights", "weights_changed", "pass a delta to the probe instead"),
    ("abort", "abort", "SIGABRT during `measure`"),
    ("segfault", "segfault", "SIGSEGV during `measure`"),
    ("stack", "abort", "SIGABRT during `measure`"),
    ("exit", "died", "The worker ended during `measure`"),
    ("kill", "died", "SIGKILL during `measure`, not by clmbench"),
    ("stop", "time_limit", "`--time-limit` raises it"),
    ("hang", "time_limit", "`--time-limit` raises it"),
    ("chatter", "time_limit", "Last line of its log: "),
    ("memory", "memory_limit", "`--memory-limit` raises it"),
    ("capacity", "memory_limit", "for want of memory"),
    ("scribble", "protocol", "wrote \"scribbled\""),
    ("close", "died", "exited with status 4"),
];

/// Deeds that cost nothing.
const HARMLESS: [&str; 5] = ["nothing", "stdout", "child", "state", "artifact"];

/// Short, and long enough for an innocent cell on a busy machine.
const LIMITS: [&str; 4] = ["--time-limit", "6s", "--memory-limit", "700MiB"];

fn with_deeds(base: &str, name: &str, deeds: &[&str]) -> String {
    let mut suite = base.replace("name = \"base\"", &format!("name = \"{name}\""));
    for deed in deeds {
        suite += &format!("[[metric]]\nid = \"hostile/deed\"\nparams = {{ deed = \"{deed}\" }}\n");
    }
    suite
}

fn metric(id: &str) -> String {
    format!("[[metric]]\nid = \"{id}\"\n")
}

/// A store in which everything but the measurements is done, without limits.
fn prepared(more: &[&str]) -> Real {
    let real = Real::new(&[&[ECHO, HOSTILE], more].concat());
    real.write("base.toml", BASE);
    real.clmbench(&["run", "base.toml", "--workers", "2"]).code(0);
    assert!(real.rows().iter().all(|row| row.status == CellStatus::Done));
    real
}

fn deed_of(row: &CellRow) -> &str {
    row.key.rsplit_once("deed=\"").map_or("", |(_, deed)| deed.trim_end_matches('"'))
}

#[test]
fn every_deed_costs_one_cell_and_says_why() {
    let real = prepared(&[]);
    let deeds: Vec<&str> = FAILURES.iter().map(|(deed, ..)| *deed).chain(HARMLESS).collect();
    let suite = with_deeds(&(BASE.to_owned() + &metric("echo/said")), "deeds", &deeds);
    let suite = suite + &metric("echo/calls") + &metric("loss/mlm_loss") + "[[metric]]\nselect = \"family:trivial\"\n";
    real.write("deeds.toml", &suite);
    let arguments = [&["run", "deeds.toml", "--workers", "2"][..], &LIMITS].concat();
    let answer = real.clmbench(&arguments).code(3);
    assert!(!answer.stdout.contains('\u{1b}') && !answer.stderr.contains('\u{1b}'), "{}\n{}", answer.stdout, answer.stderr);

    let rows = real.rows();
    let failed: BTreeMap<&str, &CellRow> =
        rows.iter().filter(|row| row.status != CellStatus::Done).map(|row| (deed_of(row), row)).collect();
    assert_eq!(failed.len(), FAILURES.len(), "{:?}", failed.keys());
    assert_eq!(rows.iter().filter(|row| row.status == CellStatus::Failed).count(), FAILURES.len());
    for (deed, kind, words) in FAILURES {
        let row = failed[deed];
        let reason = row.reason.as_deref().unwrap();
        assert_eq!(row.failure_kind.as_deref(), Some(kind), "{deed}: {reason}");
        assert!(reason.contains(words), "{deed}: {reason}");
        assert!(reason.chars().count() < 800 && !reason.contains("frame #"), "{deed}: {reason}");
        // A worker that somebody killed is replaced once; a cell that kills its own looks the same.
        assert_eq!(row.attempts, if deed == "kill" { 2 } else { 1 }, "{deed}");
        let shown = real.clmbench(&["show", &row.key]).code(0).stdout;
        assert!(shown.contains(&format!("{kind}: ")) && !shown.contains('\u{1b}'), "{shown}");
    }
    // What was said in passing is in the log and nowhere else.
    let log = |deed: &str| {
        let row = rows.iter().find(|row| deed_of(row) == deed).unwrap();
        fs::read(real.store().join("logs").join(format!("{}.log", row.identity.as_ref().unwrap()))).unwrap()
    };
    assert!(String::from_utf8_lossy(&log("stdout")).contains("raw bytes, no line end"));
    assert!(log("chatter").len() < 1 << 30, "endless output fills no disk");
    assert_eq!(real.value("deed=\"stdout\"", "value"), 1.0);
    real.check_artifacts();
    drop(Store::open_writer(&real.store()).unwrap());
    assert!(!children_of_plugins(), "what a plugin started is gone with its worker");

    // Another run computes nothing, and says the same.
    let again = real.clmbench(&arguments).code(3);
    for (row, before) in real.rows().iter().zip(&rows).filter(|(row, _)| deed_of(row) != "kill") {
        assert_eq!(row, before);
    }
    assert!(again.stderr.contains("the metric panics on purpose"), "{}", again.stderr);
}

/// Whether a process that the deed `child` started is still there.
fn children_of_plugins() -> bool {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.into_iter().any(|process| fs::read(process.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x003617\0"))
}

#[test]
fn what_a_metric_leaves_behind_in_the_worker_changes_no_other_cell() {
    let (real, clean) = (prepared(&[]), prepared(&[]));
    // One worker computes in the order of the suite.
    real.write("state.toml", &(with_deeds(BASE, "state", &["state"]) + &metric("echo/calls") + &metric("loss/mlm_loss")));
    real.clmbench(&["run", "state.toml", "--workers", "1"]).code(0);
    clean.write("clean.toml", &(BASE.to_owned() + &metric("echo/calls") + &metric("loss/mlm_loss")));
    clean.clmbench(&["run", "clean.toml", "--isolate"]).code(0);
    for end in ["echo.calls", "loss.mlm_loss"] {
        assert_eq!(real.output(end), clean.output(end));
    }
}

#[test]
fn failed_cells_are_tried_again_only_when_asked() {
    let real = prepared(&[]);
    let first = with_deeds(BASE, "deeds", &["panic", "exit"]);
    real.write("deeds.toml", &first);
    real.clmbench(&["run", "deeds.toml"]).code(3);
    // More is asked: only that is computed.
    real.write("deeds.toml", &(first + &metric("echo/said")));
    real.clmbench(&["run", "deeds.toml"]).code(3);
    let attempts = || ["deed=\"panic\"", "deed=\"exit\"", "echo.said"].map(|end| real.row(end).attempts);
    assert_eq!(attempts(), [1, 1, 1]);
    let said = real.row("echo.said");
    assert_eq!(said.status, CellStatus::Done);
    real.clmbench(&["run", "deeds.toml", "--retry-failed", "--isolate"]).code(3);
    assert_eq!(attempts(), [2, 2, 1]);
    assert_eq!(real.row("echo.said"), said);
    assert_eq!(real.row("deed=\"exit\"").failure_kind.as_deref(), Some("died"));
    real.check_artifacts();
}

/// Statuses and failure words by the part of the key that tells cells of one stage apart.
fn statuses(real: &Real) -> Vec<(String, CellStatus, Option<String>)> {
    real.rows().into_iter().map(|row| (row.key, row.status, row.failure_kind)).collect()
}

#[test]
fn an_architecture_that_breaks_the_contract_costs_its_own_runs() {
    let real = Real::new(&[ECHO, HOSTILE]);
    let model = "[[model]]\narchitecture = \"hostile\"\ntokens = 3000\ncheckpoints = 1\nlr = 1e-2\n";
    let deeds = ["wrong_hidden", "wrong_logits", "panic", "same_name", "nan"];
    let overrides: Vec<String> = deeds.iter().map(|deed| format!("{{ deed = \"{deed}\" }}")).collect();
    let bad = format!("{model}overrides = [{}]\n[[dataset]]", overrides.join(", "));
    real.write("bad.toml", &(BASE.replace("[[dataset]]", &bad) + &metric("echo/said")));
    let answer = real.clmbench(&["run", "bad.toml", "--workers", "2"]).code(3);
    assert!(answer.stderr.contains("wrong_shape"), "{}", answer.stderr);
    let all = statuses(&real);
    let find = |key: &str| all.iter().find(|(found, ..)| found == key).map(|(_, status, kind)| (*status, kind.as_deref()));
    let failed = |kind| Some((CellStatus::Failed, Some(kind)));
    let run = |deed: &str| find(&format!("pretrain/hostile-deed{deed}/moses-500/seed0"));
    assert_eq!(run("wrong_hidden"), failed("wrong_shape"));
    assert_eq!(run("wrong_logits"), failed("wrong_shape"));
    assert_eq!(run("same_name"), failed("wrong_shape"));
    assert_eq!(run("panic"), failed("panic"));
    assert_eq!(run("nan"), Some((CellStatus::Diverged, None)));
    let reason = |end: &str| real.row(end).reason.unwrap();
    assert!(reason("pretrain/hostile-deedwrong_hidden/moses-500/seed0").contains("[B, L, D]"));
    assert!(
        reason("pretrain/hostile-deedsame_name/moses-500/seed0").contains("`words.weight` of the architecture is listed twice")
    );
    // What needs them is refused by name; the run beside them and all that needs it is done.
    for (key, status, kind) in &all {
        if key.contains("/hostile-tiny/") || key.starts_with("tokenise/") {
            assert_eq!(*status, CellStatus::Done, "{key}");
        } else if key.starts_with("measure/") {
            assert_eq!((*status, kind), (CellStatus::Refused, &None), "{key}");
        }
    }
    // Embeddings that are no numbers do not become scores.
    let control = "control/hostile-deednan/moses-500/seed0/checkpoint-0/sixty";
    assert_eq!(find(&format!("embed/{control}")), failed("non_finite"));
    assert_eq!(find(&format!("transfer/{control}/probe")), Some((CellStatus::Refused, None)));
    real.check_artifacts();
}

#[test]
fn a_dataset_that_cannot_be_parsed_costs_what_needs_it() {
    for (name, kind, words) in [("panics", "panic", "cannot parse 14182 bytes"), ("ragged", "wrong_shape", "row 1 has 2 labels")]
    {
        let real = Real::new(&[HOSTILE]);
        let suite =
            BASE.replace("source = \"echo\"\nnames = [\"sixty\"]", &format!("source = \"hostile\"\nnames = [\"{name}\"]"));
        real.write("bad.toml", &suite);
        let answer = real.clmbench(&["run", "bad.toml"]).code(3);
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
        for row in real.rows() {
            if row.key == format!("tokenise/{name}") {
                assert_eq!((row.status, row.failure_kind.as_deref()), (CellStatus::Failed, Some(kind)), "{row:?}");
            } else {
                assert_eq!(row.status, CellStatus::Refused, "{row:?}");
                assert!(row.reason.unwrap().contains("needs `"));
            }
        }
    }
}

/// Libraries that are refused, and what the refusal says.
const REFUSED: [(&str, &[&str]); 4] = [
    ("clmbench-test-plugin-wrong-api", &["needs plugin API 97.3, this host has 4.0", "clmbench plugin build"]),
    (
        "clmbench-test-plugin-wrong-libtorch",
        &["was built against libtorch 1.13.1, this host against 2.11.0", "clmbench plugin build"],
    ),
    ("clmbench-test-plugin-wrong-layout", &["its types differ from the host's", "Expected", "Found", "clmbench plugin build"]),
    ("clmbench-test-plugin-no-handshake", &["is not a clmbench plugin", "export_plugin!"]),
];

#[test]
fn libraries_that_do_not_fit_are_refused_by_name_and_the_rest_goes_on() {
    let refused: Vec<&str> = REFUSED.iter().map(|(plugin, _)| *plugin).collect();
    let real = Real::new(&[&[ECHO][..], &refused].concat());
    let folder = real.plugin_folder("no-library", "libtext.so");
    fs::write(folder.join("libtext.so"), "a text, not a library").unwrap();
    let bench = BASE.replace("\"hostile\"", "\"echo\"") + &metric("echo/said");
    real.write("suite.toml", &bench);
    let listed = real.clmbench(&["plugin", "list"]);
    let ran = real.clmbench(&["run", "suite.toml"]).code(0);
    for text in [&listed.stderr, &ran.stderr] {
        for (plugin, words) in REFUSED {
            let line = text.lines().find(|line| line.contains(&library_of(plugin))).unwrap_or_else(|| panic!("{plugin}: {text}"));
            words.iter().for_each(|words| assert!(line.contains(words), "{words}: {line}"));
            assert_eq!(line.matches(&library_of(plugin)).count(), 1, "{line}");
        }
        let line = text.lines().find(|line| line.contains("libtext.so")).unwrap();
        assert!(line.contains("cannot be loaded"), "{line}");
    }
    assert!(listed.stdout.contains("echo/said"));
    assert!(real.rows().iter().all(|row| row.status == CellStatus::Done));
    for (plugin, words) in REFUSED {
        let answer = real.clmbench(&["plugin", "check", real.path("plugins").join(plugin).to_str().unwrap()]).code(3);
        assert!(answer.stdout.contains(words[0]), "{}", answer.stdout);
    }
}

#[test]
fn a_plugin_that_keeps_the_rules_is_listed_checked_and_told_its_parameters() {
    let real = prepared(&[]);
    let folder = real.path("plugins").join(ECHO);
    let checks = real.clmbench(&["plugin", "check", folder.to_str().unwrap(), "--json"]).code(0).rows();
    assert!(checks.len() > 10 && checks.iter().all(|check| check["ok"] != false), "{checks:?}");
    let list = real.clmbench(&["plugin", "list", "--json"]).code(0).rows();
    let said = list.iter().find(|row| row["name"] == "echo/said").unwrap();
    assert_eq!(said["parameters"].as_array().unwrap().len(), 4, "{said}");
    assert!(list.iter().any(|row| row["name"] == "echo/sixty"), "{list:?}");

    let given = "params = { value = -2.5, count = 7, loud = true, word = \"three\" }\nbudget = \"quick\"\n";
    real.write("said.toml", &(BASE.to_owned() + &metric("echo/said") + &metric("echo/said") + given));
    real.clmbench(&["run", "said.toml"]).code(0);
    let defaults = real.rows().into_iter().find(|row| row.key.ends_with("echo.said@standard")).unwrap().key;
    let given = real.rows().into_iter().find(|row| row.key.contains("echo.said@quick")).unwrap().key;
    let values = |key: &str| ["value", "count", "loud", "word", "budget", "tokens"].map(|name| real.value(key, name));
    let tokens = real.output("pretrain/hostile-tiny/moses-500/seed0")["checkpoints"][0]["tokens"].as_f64().unwrap();
    assert_eq!(values(&defaults), [0.5, 3.0, 0.0, 0.0, 100.0, tokens]);
    assert_eq!(values(&given), [-2.5, 7.0, 1.0, 2.0, 20.0, tokens]);
    // A stream of its own for every cell.
    assert_ne!(real.value(&defaults, "random"), real.value(&given, "random"));

    for (params, words) in [
        ("{ value = 1e4 }", "above its largest value, 1000"),
        ("{ count = -1 }", "below its smallest value, 0"),
        ("{ count = 1.5 }", "not a whole number"),
        ("{ loud = 1 }", "not `true` or `false`"),
        ("{ word = \"four\" }", "not a choice"),
        ("{ volume = 1 }", "volume"),
    ] {
        real.write("wrong.toml", &(BASE.to_owned() + &metric("echo/said") + &format!("params = {params}\n")));
        let answer = real.clmbench(&["plan", "wrong.toml"]).code(2);
        assert!(answer.stderr.contains(words) && answer.stderr.contains("wrong.toml:"), "{params}: {}", answer.stderr);
    }
}
