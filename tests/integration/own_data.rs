//! Tables of one's own from suite to leaderboard with the real worker, every bad one word for word, and data with terms.

use std::{collections::BTreeMap, fs};

use clmbench_protocol::{DatasetInfo, OptIn, PluginManifest, SourceFile, WheelEntry};
use clmbench_store::CellStatus;
use serde_json::Value;

use crate::{
    bench::{Answer, Bench, SMALL},
    real::{CSV, ECHO, Real},
};

/// A tiny model; dataset tables are appended.
const HEAD: &str = r#"
schema = 1
[suite]
name = "own"
[[corpus]]
name = "moses"
sizes = [200]
heldout = 16
[[model]]
architecture = "echo"
presets = ["tiny"]
tokens = 2000
batch = 16
[[metric]]
id = "loss/mlm_loss"
"#;

/// A regression under a random split, and two classes under a given one.
const TABLES: &str = r#"
[[dataset]]
source = "csv"
path = "data/sizes.tsv"
targets = [{ column = "weight, log", unit = "log g/mol" }]
task = "regression"
split = "random"
split_seed = 3
[[dataset]]
source = "csv"
path = "data/classes.csv"
names = ["kinds"]
targets = ["odd", "ring"]
task = "classification"
split = "given"
params = { split_column = "Fold", smiles = "structure" }
"#;

/// 120 molecules: chains of 1 to 30 carbons on four heads, with their number, length and whether they have a ring.
fn molecules() -> Vec<(String, usize, bool)> {
    let heads = [("O", false), ("N", false), ("c1ccccc1", true), ("C1CCCCC1", true)];
    let all = (1..=30).flat_map(|length| heads.map(|(head, ring)| (format!("{}{head}", "C".repeat(length)), length, ring)));
    all.collect()
}

/// A table with line ends of Windows, a mark of byte order, quoted line ends, three rows that are no molecules.
fn classes() -> String {
    let mut text = "\u{feff}\"note\nover two lines\",structure,odd,ring,Fold\r\n".to_owned();
    for (row, (smiles, length, ring)) in molecules().iter().enumerate() {
        let fold = ["Train", "train", "TRAINING", "val", "test"][(row * 7) % 5];
        let odd = if row % 10 == 2 { String::new() } else { (length % 2).to_string() };
        text.push_str(&format!("\"row {row},\r\nyes\",{smiles},{odd},{}.0,{fold}\r\n", u8::from(*ring)));
        if [4, 50, 51].contains(&row) {
            text.push_str(&format!("bad,{},1,1,test\r\n", ["C1CC", "", "not a molecule"][row % 3]));
        }
    }
    text
}

fn sizes() -> String {
    let rows = molecules().into_iter().map(|(smiles, length, _)| format!("{smiles}\t{}\n", (length as f64).ln()));
    std::iter::once("SMILES\tweight, log\n".to_owned()).chain(rows).collect()
}

fn prepared(tables: &str) -> Real {
    let real = Real::new(&[ECHO, CSV]);
    fs::create_dir(real.path("data")).unwrap();
    fs::write(real.path("data/sizes.tsv"), sizes()).unwrap();
    fs::write(real.path("data/classes.csv"), classes()).unwrap();
    real.write("suite.toml", &format!("{HEAD}{tables}"));
    real
}

#[test]
fn two_tables_of_ones_own_reach_the_leaderboard() {
    let real = prepared(TABLES);
    let planned = real.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows();
    assert_eq!(planned[0]["licences"].as_array().map(Vec::len), Some(0));
    let first = real.clmbench(&["run", "suite.toml"]).code(0);
    let note = "left out: 3 of 123 rows of kinds are no valid molecules: rows 5, 52, 54, counted from 0 (the first: ";
    assert!(first.stderr.contains(note), "{}", first.stderr);
    assert!(real.rows().iter().all(|row| row.status == CellStatus::Done), "{:?}", real.rows());

    let kinds = real.output("tokenise/kinds");
    assert_eq!(kinds["counts"], serde_json::json!([72, 24, 24]), "{kinds}");
    let weights = real.output("tokenise/sizes");
    assert_eq!((&weights["rows"], &weights["counts"]), (&120.into(), &serde_json::json!([96, 12, 12])));
    assert_eq!(weights["tasks"][0]["unit"], "log g/mol");
    let page = real.clmbench(&["show", "tokenise/kinds"]).code(0).stdout;
    assert!(page.contains("csv/kinds: 123 rows, 3 not valid") && page.contains("not valid     row 5: "), "{page}");
    assert!(page.contains("\"split_column\": \"Fold\""), "{page}");

    let rows = real.clmbench(&["leaderboard", "models", "--json"]).code(0).rows();
    let scores: BTreeMap<(&str, &str), &str> = rows
        .iter()
        .map(|row| ((row["dataset"].as_str().unwrap(), row["task"].as_str().unwrap()), row["score"].as_str().unwrap()))
        .collect();
    let expected = [(("kinds", "odd"), "roc_auc"), (("kinds", "ring"), "roc_auc"), (("sizes", "weight, log"), "rmse")];
    assert_eq!(scores.into_iter().collect::<Vec<_>>(), expected);
    for row in rows.iter().filter(|row| row["kind"] == "run") {
        let (value, error) = (row["value"].as_f64().unwrap(), row["se_test"].as_f64());
        assert!(value.is_finite() && error.is_some_and(|error| error >= 0.0), "{row}");
        assert_eq!(row["unit"] == "log g/mol", row["dataset"] == "sizes", "{row}");
    }
    // Labels come back by row and task, as they stand in the file.
    let csv = real.clmbench(&["export", "predictions", "--dataset", "kinds", "--format", "json"]).code(0).rows();
    let odd: Vec<&Value> =
        csv.iter().filter(|row| row["task"] == "odd" && row["run"].as_str().unwrap().starts_with("echo")).collect();
    assert_eq!(odd.len(), 12, "half of the 24 test molecules have no label");
    for row in odd {
        let place = row["row"].as_u64().unwrap() as usize;
        let before = [5, 52, 54].iter().filter(|bad| **bad < place).count();
        assert_eq!(row["label"].as_f64(), Some((molecules()[place - before].1 % 2) as f64), "{row}");
    }
    let board = real.clmbench(&["leaderboard", "models", "--dataset", "kinds"]).code(0).stdout;
    assert!(board.contains("odd") && board.contains("ring"), "{board}");

    // Computed once; other bytes are another dataset.
    let again = real.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows();
    assert_eq!(again[0]["todo"], 0);
    fs::write(real.path("data/sizes.tsv"), sizes().replace("CCO\t", "CCF\t")).unwrap();
    let changed = real.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows();
    assert!(changed[0]["todo"].as_u64() > Some(0), "{changed:?}");
}

/// Suite with one table, and the text of its file.
fn refused(real: &Real, text: &[u8], more: &str) -> Answer {
    fs::write(real.path("data/own.csv"), text).unwrap();
    let targets = if more.contains("targets") { "" } else { "targets = [\"y\"]\n" };
    let table = format!("[[dataset]]\nsource = \"csv\"\npath = \"data/own.csv\"\ntask = \"regression\"\n{targets}{more}\n");
    real.write("bad.toml", &format!("{HEAD}{table}"));
    real.clmbench(&["run", "bad.toml", "--workers", "1"])
}

#[test]
fn every_bad_table_is_an_error_that_names_the_place() {
    let real = prepared(TABLES);
    let row = "put quotes around a field that holds the delimiter, and keep the delimiters of empty fields";
    let label = "correct it, or leave the field empty if the label is missing";
    let given = "split = \"given\"\nparams = { split_column = \"fold\" }";
    let good = "smiles,y,fold\nCCO,1,train\nCCN,2,test\n";
    let cases: Vec<(Vec<u8>, &str, String)> = vec![
        (good.replace("2,", "NA,").into(), "", format!("csv/own, line 3 (row 1), column `y`: `NA` is not a finite number; {label}")),
        (good.replace("2,", "inf,").into(), "", format!("csv/own, line 3 (row 1), column `y`: `inf` is not a finite number; {label}")),
        (
            good.replace("2,", "1e400,").into(),
            "",
            format!("csv/own, line 3 (row 1), column `y`: `1e400` is not a finite number; {label}"),
        ),
        (
            b"smiles,y\r\n\"C\r\nC\",1\r\nN,x\r\n".to_vec(),
            "",
            format!("csv/own, line 4 (row 1), column `y`: `x` is not a finite number; {label}"),
        ),
        (
            good.into(),
            "targets = [{ column = \"y\", task = \"classification\" }]",
            format!("csv/own, line 3 (row 1), column `y`: `2` is not a class, 0 or 1; {label}"),
        ),
        (
            good.replace(",y", ",Y").into(),
            "",
            "csv/own: there is no column `y` (did you mean `Y`?); the columns are `smiles`, `Y`, `fold`".into(),
        ),
        (
            good.replace("smiles", "molecule").into(),
            "",
            "csv/own: no column is named smiles, canonical_smiles or mol; choose one with `params = { smiles = \"COLUMN\" }`; the columns \
             are `molecule`, `y`, `fold`"
                .into(),
        ),
        (good.replace("fold", "y").into(), "", "csv/own: the column `y` occurs twice in the header; rename or remove one".into()),
        (
            good.replace("2,test", "2").into(),
            "",
            format!("csv/own, line 3 (row 1): 2 fields, but the header has 3; {row}"),
        ),
        (
            good.replace("test", "\"test").into(),
            "",
            "csv/own, line 3 (row 1): a quote is opened and never closed; close or remove it".into(),
        ),
        (Vec::new(), "", "csv/own: the file is empty; it must have a header line and rows".into()),
        (b"\xef\xbb\xbfsmiles,y\n".to_vec(), "", "csv/own: the file has a header line but no rows".into()),
        (
            b"smiles,y\nCCO,1\nCC\xe9,2\n".to_vec(),
            "",
            "csv/own, line 3: the byte 0xE9 is no UTF-8; save the file in UTF-8".into(),
        ),
        (
            b"PK\x03\x04...".to_vec(),
            "",
            "csv/own: the file is a zip file or a workbook (.xlsx, .ods); save it as text, UTF-8 with commas or tabs".into(),
        ),
        (
            good.replace("test", "holdout").into(),
            given,
            "csv/own, line 3 (row 1), column `fold`: `holdout` is not a part of a split; write train, valid or test".into(),
        ),
        (
            b"smiles,y\nC1CC,1\nxyz,2\n".to_vec(),
            "",
            "csv/own: none of 2 rows holds a valid molecule (first: ".into(),
        ),
    ];
    for (text, more, message) in cases {
        let answer = refused(&real, &text, more).code(3);
        let line = answer.stderr.lines().find(|line| line.starts_with("  tokenise/own  ")).unwrap_or_default();
        let wanted = format!("  tokenise/own  bad_input: {message}");
        let fits = if message.ends_with(": ") { line.starts_with(&wanted) } else { line == wanted };
        assert!(fits, "{wanted}\n{}", answer.stderr);
    }
}

#[test]
fn a_part_without_molecules_or_with_one_class_is_refused_in_its_row() {
    // Three scaffolds of 60, 30 and 30 molecules leave no group for validation; the given test part has one class only.
    let tables = TABLES.replace("split = \"random\"\nsplit_seed = 3\n", "");
    let real = prepared(&tables);
    let mut text = "structure,odd,ring,Fold\n".to_owned();
    for (row, (smiles, length, ring)) in molecules().iter().enumerate() {
        let fold = if *ring || row % 3 > 0 { ["train", "valid"][row % 2] } else { "test" };
        text.push_str(&format!("{smiles},{},{},{fold}\n", length % 2, u8::from(*ring)));
    }
    fs::write(real.path("data/classes.csv"), text).unwrap();
    real.clmbench(&["run", "suite.toml"]).code(0);
    let key = "transfer/echo-tiny/moses-200/seed0/checkpoint-1";
    let sizes = real.clmbench(&["show", &format!("{key}/sizes/probe")]).code(0).stdout;
    let wanted = "labelled molecules: 90 for training, 0 for validation, 30 for test; at least 3, 2 and 2 are needed";
    assert!(sizes.contains(wanted), "{sizes}");
    let kinds = real.clmbench(&["show", &format!("{key}/kinds/probe")]).code(0).stdout;
    assert!(kinds.contains("0 of class 1 and 20 of class 0 for test; at least 2, 1 and 2 are needed"), "{kinds}");
    let board = real.clmbench(&["leaderboard", "models"]).code(0).stdout;
    assert!(board.contains("sizes weight, log") && board.contains("kinds ring"), "{board}");
}

/// The fake plugin, and one whose dataset has terms and a file that nobody has.
fn closed() -> Bench {
    let bench = Bench::new(&SMALL.replace("source = \"fake\"\nnames = [\"alpha\"]", "source = \"closed\"\nnames = [\"theirs\"]"));
    let folder = bench.path("plugins/closed");
    fs::create_dir_all(&folder).unwrap();
    let file = SourceFile {
        name: "theirs.csv".into(),
        wheel: Some(WheelEntry {
            package: "theirs".into(),
            version: "1.0".into(),
            wheel_sha256: "1".repeat(64),
            entry: "theirs/data.csv".into(),
            sha256: "2".repeat(64),
            bytes: 10,
        }),
        urls: Vec::new(),
    };
    let manifest = PluginManifest {
        name: "closed".into(),
        version: "0.1.0".into(),
        api: (1, 0),
        libtorch: "2.11.0".into(),
        architectures: Vec::new(),
        datasets: vec![DatasetInfo {
            source: "closed".into(),
            name: "theirs".into(),
            tasks: clmbench_tests::manifest::tasks_of("alpha"),
            files: vec![file],
            opt_in: Some(OptIn { name: "their-terms".into(), terms: "Not for sale.".into() }),
            ..DatasetInfo::default()
        }],
        metrics: Vec::new(),
    };
    fs::write(folder.join("libclosed.so"), serde_json::to_string(&manifest).unwrap()).unwrap();
    fs::write(folder.join("plugin.toml"), "name = \"closed\"\nversion = \"0.1.0\"\nlibrary = \"libclosed.so\"\n").unwrap();
    bench
}

#[test]
fn data_with_terms_is_planned_and_fetched_only_once_they_are_accepted() {
    let bench = closed();
    let page = bench.with(&["plan", "suite.toml"], &[("COLUMNS", "200")]).code(0).stdout;
    let wanted = "terms   closed/theirs has terms, their-terms: Not for sale (`run` needs `--accept-licence their-terms` (or \
                  CLMBENCH_ACCEPT_LICENCE=their-terms) before it fetches them)";
    assert!(
        page.split_whitespace().collect::<Vec<_>>().join(" ").contains(&wanted.split_whitespace().collect::<Vec<_>>().join(" ")),
        "{page}"
    );
    let licence = bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows().remove(0)["licences"][0].clone();
    assert_eq!((&licence["name"], &licence["accepted"]), (&"their-terms".into(), &false.into()), "{licence}");
    let refusal = "dataset `closed/theirs` is fetched only once its terms are accepted, `their-terms`: Not for sale. To accept them, add \
                   `--accept-licence their-terms`, or set CLMBENCH_ACCEPT_LICENCE=their-terms";
    for arguments in [&["run", "suite.toml"][..], &["run", "suite.toml", "--accept-licence", "other"]] {
        let answer = bench.clmbench(arguments).code(2);
        assert!(answer.stderr.contains(refusal), "{}", answer.stderr);
    }
    // Accepted, the next thing is the download, which is switched off here.
    let accepted = bench.clmbench(&["run", "suite.toml", "--accept-licence", "other,their-terms"]).code(4);
    assert!(accepted.stderr.contains("downloads are switched off"), "{}", accepted.stderr);
    let variable = [("CLMBENCH_ACCEPT_LICENCE", "their-terms")];
    assert!(bench.with(&["run", "suite.toml"], &variable).code(4).stderr.contains("downloads are switched off"));
    assert!(bench.begun().is_empty(), "nothing was computed");
}
