//! Baselines in a suite, recommended splits, splits by file, leaks and licences: from the suite file to boards, page and exports.

use std::fs;

use clmbench_tests::manifest::{PLUGIN, leaky_manifest};
use serde_json::Value;

use crate::{
    bench::{Answer, Bench},
    export::{both, parsed},
    protocols::BOTH,
};

/// A forest of two seeds and a linear model, on the datasets of the suite.
const BASELINES: &str = "
[[baseline]]
model = \"random_forest\"
trees = 100
seeds = 2
[[baseline]]
model = \"linear\"
features = [\"ecfp4\", \"descriptors\"]
bits = 1024
";

/// Datasets and baselines, nothing else.
const ALONE: &str = r#"
schema = 1
[suite]
name = "alone"
seed = 3
expect = "cannot_tell"
[[dataset]]
source = "fake"
names = ["leaky"]
split = "recommended"
[[dataset]]
source = "fake"
names = ["beta"]
"#;

/// A folder whose fake plugin has the leaky dataset too.
fn bench(suite: &str) -> Bench {
    let bench = Bench::new(suite);
    let library = bench.path("plugins").join(PLUGIN).join("libclmbench_plugin_fake.so");
    fs::write(library, serde_json::to_string(&leaky_manifest("0.1.0")).unwrap()).unwrap();
    fs::write(bench.path("own.smi"), "CCO\nCCN\n").unwrap();
    bench
}

fn models(bench: &Bench) -> Vec<Value> {
    bench.clmbench(&["leaderboard", "models", "--json"]).code(0).rows()
}

/// Text with one blank between words.
fn flowing(answer: &Answer) -> String {
    answer.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_suite_of_baselines_alone_goes_all_the_way() {
    let bench = bench(&format!("{ALONE}{BASELINES}"));
    let plan = bench.clmbench(&["plan", "suite.toml"]).code(0);
    let start = "suite   alone: 10 cells (2 tokenise, 8 transfer), 0 done, 10 to do\n\
                 runs    none: nothing is pretrained, so nothing is fitted\n\
                 against 3 baselines on the same splits: random forest 100, ecfp4 2048; linear, ecfp4 1024; linear, \
                 descriptors\n";
    assert!(plan.stdout.starts_with(start), "{}", plan.stdout);
    let row = bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows().remove(0);
    assert_eq!((row["runs"].as_u64(), row["baselines"].as_array().map(Vec::len)), (Some(0), Some(3)));

    let ran = bench.clmbench(&["run", "suite.toml"]).code(0);
    assert!(ran.stdout.starts_with("Models of suite alone") && !ran.stdout.contains("expects"), "{}", ran.stdout);
    assert!(ran.stderr.contains("transfer (baseline)") && !ran.stderr.contains("no fits"), "{}", ran.stderr);
    let begun = bench.begun().len();
    let again = bench.clmbench(&["run", "suite.toml", "--json"]).code(0);
    assert_eq!((bench.begun().len(), again.rows()), (begun, models(&bench)), "a second run computes nothing");

    let rows = models(&bench);
    // Three baselines and the constant predictor for one task of leaky and two of beta.
    assert_eq!(rows.len(), 4 * 3);
    assert!(rows.iter().all(|row| row["protocol"] == "baseline" && row["run"].is_null()));
    let of = |dataset: &str, label: &str| {
        rows.iter().find(|row| row["dataset"] == dataset && row["label"] == label).unwrap_or_else(|| panic!("{label}: {rows:#?}"))
    };
    let forest = of("leaky", "random forest 100, ecfp4 2048");
    assert_eq!((forest["kind"].as_str(), forest["transfer_seeds"].as_u64()), (Some("baseline"), Some(2)));
    assert!(forest["se_seed"].as_f64().unwrap() > 0.0 && of("leaky", "linear, descriptors")["se_seed"].is_null());
    for (dataset, leaked) in [("leaky", true), ("beta", false)] {
        let row = of(dataset, "linear, ecfp4 1024");
        assert_eq!(row["flags"].as_array().unwrap().contains(&"leaked".into()), leaked, "{row}");
        assert_eq!(row["leaked_test_molecules"].as_u64(), Some(if leaked { 3 } else { 0 }));
    }

    let leak = "leaky: 3 of 10 test molecules are also in training or validation: scores may be too good (leaked).";
    let conflict = "leaky: 2 molecules have several rows whose labels differ.";
    let page = bench.clmbench(&["leaderboard", "models"]).code(0);
    let text = flowing(&page);
    for words in [leak, conflict, "3 baselines without a language model", "leaky rmse ↓ leaked"] {
        assert!(text.contains(words), "`{words}`:\n{}", page.stdout);
    }
    assert!(text.contains("score of beta one_class (baseline, 3 models): the test molecules are all of class 0"), "{text}");
    assert!(!text.contains("random-initialised"), "{text}");
    let one = bench.clmbench(&["leaderboard", "models", "--dataset", "leaky"]).code(0);
    assert!(one.stdout.lines().any(|line| line.contains("random forest") && line.contains("leaked")), "{}", one.stdout);
    let other = bench.clmbench(&["leaderboard", "models", "--dataset", "beta"]).code(0).stdout;
    assert!(!other.contains("leak"), "{other}");

    let report = bench.clmbench(&["report", "--out", "-"]).code(0).stdout;
    let split = "random, seed 42, 70 : 10 : 20";
    for words in [leak, conflict, "CC BY-NC-SA 4.0", "Kuhn et al. 2016", split, "random forest 100, ecfp4 2048"] {
        assert!(report.contains(words), "`{words}` is not in the page");
    }
}

#[test]
fn baselines_change_no_fit() {
    let text = |more: &str| BOTH.replace("presets = [\"a\", \"b\"]", "presets = [\"a\", \"b\", \"c\", \"d\"]") + more;
    let (without, with) = (both(), bench(&text(BASELINES)));
    let note = "no baseline is named: scores have nothing but the mean predictor and the control to be compared with \
                (`[[baseline]]` names some)";
    let plan = flowing(&without.clmbench(&["plan", "suite.toml"]).code(0));
    assert!(plan.contains(note), "{plan}");
    assert!(!flowing(&with.clmbench(&["plan", "suite.toml"]).code(0)).contains("no baseline"));
    without.run();
    with.run();
    let fits = |bench: &Bench| -> Vec<Value> {
        let mut rows = bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
        // Wall times differ from run to run.
        rows.iter_mut().for_each(|row| row["cost_seconds"] = Value::Null);
        rows
    };
    assert!(fits(&without).iter().all(|row| row["n"] == 4));
    assert_eq!(fits(&with), fits(&without));

    let rows = models(&with);
    let of = |kind: &str| rows.iter().filter(|row| row["kind"] == kind).collect::<Vec<_>>();
    // Three tasks with scores, under two protocols.
    assert_eq!((of("baseline").len(), of("run").len(), of("mean_predictor").len()), (3 * 3 * 2, 4 * 3 * 2, 3 * 2));
    let exported = with.clmbench(&["export", "--json"]).code(0).rows();
    for row in of("run") {
        let best = |sign: f64| {
            let same = |other: &&&Value| ["dataset", "task", "protocol"].iter().all(|key| other[*key] == row[*key]);
            let values = of("baseline").iter().filter(same).map(|row| sign * row["value"].as_f64().unwrap()).collect::<Vec<_>>();
            values.into_iter().fold(f64::NEG_INFINITY, f64::max)
        };
        let sign = if row["higher_is_better"] == true { 1.0 } else { -1.0 };
        let (low, high) = (row["baseline_difference_low"].as_f64().unwrap(), row["baseline_difference_high"].as_f64().unwrap());
        let difference = row["baseline_difference"].as_f64().unwrap();
        assert!((sign * row["value"].as_f64().unwrap() - best(sign) - difference).abs() < 1e-9, "{row}");
        assert!(low <= difference && difference <= high, "{row}");
    }
    // Every score of a baseline is in the long form, one row a seed.
    for row in of("baseline") {
        let same = |other: &&Value| {
            other["baseline"] == row["label"]
                && other["primary"] == true
                && ["dataset", "task"].iter().all(|key| other[*key] == row[*key])
        };
        let values: Vec<f64> = exported.iter().filter(same).map(|row| row["value"].as_f64().unwrap()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean - row["value"].as_f64().unwrap()).abs() < 1e-12, "{row}: {values:?}");
        assert_eq!(row["transfer_seeds"].as_u64(), Some(values.len() as u64));
    }
    let predictions = with.clmbench(&["export", "predictions", "--protocol", "baseline"]).code(0).stdout;
    // Four cells for each dataset (two forests, two linear models), three tasks with scores, ten molecules.
    assert_eq!(parsed(&predictions).len(), 4 * 3 * 10);
}

#[test]
fn datasets_are_exported_with_their_terms() {
    let bench = bench(&format!("{ALONE}{BASELINES}"));
    bench.run();
    let rows = parsed(&bench.clmbench(&["export", "datasets"]).code(0).stdout);
    let names: Vec<&str> = rows.iter().map(|row| row["dataset"].as_str()).collect();
    assert_eq!(names, ["leaky", "beta"]);
    let expected = [
        ("licence", "CC BY-NC-SA 4.0"),
        ("citation", "Kuhn et al. 2016"),
        ("split", "random"),
        ("split_seed", "42"),
        ("leaked", "3"),
        ("conflicting_labels", "2"),
        ("n_test", "10"),
    ];
    for (column, value) in expected {
        assert_eq!(rows[0][column], value, "{column}");
    }
    assert_eq!(
        (rows[1]["leaked"].as_str(), rows[1]["conflicting_labels"].as_str(), rows[1]["split_seed"].as_str()),
        ("0", "", "")
    );
    let json = bench.clmbench(&["export", "datasets", "--dataset", "beta", "--json"]).code(0).rows();
    assert_eq!((json.len(), json[0]["tasks"].as_u64()), (1, Some(3)));
    let none = bench.clmbench(&["export", "datasets", "--dataset", "gamma"]).code(2);
    assert!(none.stderr.contains("it has those of beta, leaky"), "{}", none.stderr);
}

#[test]
fn a_split_by_file_reaches_the_worker_and_other_bytes_are_another_split() {
    let suite = |file: &str| format!("{}split_file = \"{file}\"\n[[baseline]]\nmodel = \"linear\"\n", ALONE);
    let bench = bench(&suite("parts/first.csv"));
    fs::create_dir(bench.path("parts")).unwrap();
    fs::write(bench.path("parts/first.csv"), "row,split\n0,train\n").unwrap();
    fs::write(bench.path("parts/second.csv"), "row,split\n0,test\n").unwrap();
    bench.run();
    let split = |bench: &Bench| {
        let rows = bench.clmbench(&["export", "datasets", "--dataset", "beta", "--json"]).code(0).rows();
        (rows[0]["split"].as_str().unwrap().to_owned(), rows[0]["split_digest"].as_str().unwrap().to_owned())
    };
    let first = split(&bench);
    fs::write(bench.path("suite.toml"), suite("parts/second.csv")).unwrap();
    bench.run();
    let second = split(&bench);
    assert_eq!((first.0.as_str(), second.0.as_str()), ("file", "file"));
    assert_ne!(first.1, second.1);
    fs::remove_file(bench.path("parts/second.csv")).unwrap();
    let missing = bench.clmbench(&["plan", "suite.toml"]).code(2);
    assert!(missing.stderr.contains("suite.toml:14: the split file parts/second.csv cannot be read"), "{}", missing.stderr);
}
