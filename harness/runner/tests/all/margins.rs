//! `[gate.margins]`: what is read, what is refused with its key and the way out, and that no cell knows of it.

use clmbench_runner::{plan, suite::Suite};

use crate::support::offers::{corpora, no_hub, planned, plugins, small};

/// A suite of two datasets, with these lines in `[gate.margins]`.
fn with(lines: &str) -> String {
    small(&format!("[[dataset]]\nsource = \"moleculenet\"\nnames = [\"bace\"]\n[gate.margins]\n{lines}\n"))
}

#[test]
fn margins_are_read_by_name() {
    let suite = Suite::parse("s.toml", &with("rmse = \"5%\"\nfreesolv = 0.3\n\"bace/expt\" = 0.01\nroc_auc = 1")).unwrap();
    let read: Vec<String> = suite.margins.iter().map(|entry| entry.margin.to_string()).collect();
    assert_eq!(read, ["bace/expt=0.01", "freesolv=0.3", "rmse=5%", "roc_auc=1"]);
    assert_eq!(suite.margins[1].place.to_string(), "s.toml:26");
    assert!(Suite::parse("s.toml", &small("[gate]\n")).unwrap().margins.is_empty());
}

#[test]
fn what_is_wrong_is_told_with_its_key_and_the_way_out() {
    const WAY_OUT: &str = "a margin is a number above 0 in units of the score, such as `0.02`, or, of RMSE and MAE, a share of the \
                           training labels' standard deviation, such as `\"5%\"`. Remove the line for the default.";
    let known = "Known: `bace`, `freesolv`, `rmse`, `roc_auc`.";
    let value = |key: &str| format!("s.toml:25: `{key}` in [gate.margins]: {WAY_OUT}");
    let cases: Vec<(&str, String)> = vec![
        ("rmse = 0", value("rmse")),
        ("rmse = -0.1", value("rmse")),
        ("rmse = 1e-400", value("rmse")),
        ("rmse = \"0%\"", value("rmse")),
        ("rmse = \"-5%\"", value("rmse")),
        ("rmse = \"NaN%\"", value("rmse")),
        ("rmse = \"0.1\"", value("rmse")),
        ("\"a=b\" = 0.1", value("a=b")),
        (
            "rmse = nan",
            "s.toml:25: `rmse` in [gate.margins] must be a finite number, such as `0.02` or `\"5%\"`, but a number with a fraction, or \
             not finite is written."
                .into(),
        ),
        (
            "rmse = true",
            "s.toml:25: `rmse` in [gate.margins] must be a finite number, such as `0.02` or `\"5%\"`, but `true` or `false` is written."
                .into(),
        ),
        (
            "bace.expt = 0.1",
            "s.toml:25: `bace` in [gate.margins] must be a finite number, such as `0.02` or `\"5%\"`, but a table is written.".into(),
        ),
        (
            "",
            "s.toml:24: `margins` in [gate] is empty. Name at least one, for example `roc_auc = 0.01`, or remove the table.".into(),
        ),
        (
            "rsme = 0.1",
            "s.toml:25: `rsme` in [gate.margins] is no score, dataset or task (`dataset/task`) of this suite. Did you mean `rmse`?".into(),
        ),
        (
            "zzz = 0.1",
            format!("s.toml:25: `zzz` in [gate.margins] is no score, dataset or task (`dataset/task`) of this suite. {known}"),
        ),
        // A score that the program has and the suite has not.
        (
            "pr_auc = 0.1",
            "s.toml:25: `pr_auc` in [gate.margins] is no score, dataset or task (`dataset/task`) of this suite. Did you mean `roc_auc`?"
                .into(),
        ),
        (
            "\"bace/exxpt\" = 0.1",
            "s.toml:25: `bace/exxpt` in [gate.margins] is no score, dataset or task (`dataset/task`) of this suite. Did you mean \
             `bace/expt`?"
                .into(),
        ),
        (
            "\"bace/expt\" = \"5%\"",
            "s.toml:25: `\"bace/expt\"` in [gate.margins] is a share of the standard deviation of the training labels, which roc_auc of \
             bace/expt is not measured in; RMSE and MAE are. Write a number in units of the score, such as `\"bace/expt\" = 0.02`."
                .into(),
        ),
    ];
    for (lines, expected) in cases {
        let built = Suite::parse("s.toml", &with(lines))
            .map_err(|error| error.to_string())
            .and_then(|suite| plan::build(&suite, &plugins(), &corpora, &no_hub).map_err(|error| error.to_string()));
        match built {
            Ok(_) => panic!("accepted: {lines}"),
            Err(found) => assert_eq!(found, expected, "{lines}"),
        }
    }
    let found = Suite::parse("s.toml", &small("[gate]\nmargin = 0.1\n")).unwrap_err().to_string();
    assert_eq!(found, "s.toml:22: unknown key `margin` in [gate]. Did you mean `margins`?");
    let found = Suite::parse("s.toml", &small("[gate]\nmargins = 0.1\n")).unwrap_err().to_string();
    assert_eq!(
        found,
        "s.toml:22: `margins` in [gate] must be a table, written `[margins]`, but a number with a fraction, or not finite is written."
    );
}

/// Cells are the same with margins and without; the digest of the text is another, as after any edit.
#[test]
fn no_cell_knows_of_margins() {
    let (with, without) = (with("rmse = 0.1"), with("rmse = 0.1").replace("[gate.margins]\nrmse = 0.1\n", ""));
    let cells = |text: &str| planned(text).cells.iter().map(|cell| format!("{cell:?}")).collect::<Vec<_>>();
    assert_eq!(cells(&with), cells(&without));
    assert_ne!(planned(&with).suite.digest, planned(&without).suite.digest);
}
