//! `leaderboard`: every form says the same, what is over tasks follows from the tasks, and what changed is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::{Value, json};

use crate::{
    bench::Bench,
    export::{both, parsed},
};

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {row}"))
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("no number `{key}` in {row}"))
}

fn rows(bench: &Bench, arguments: &[&str]) -> Vec<Value> {
    bench.clmbench(&[&["leaderboard"], arguments, &["--json"]].concat()).code(0).rows()
}

/// A score, larger for the better.
fn oriented(row: &Value) -> f64 {
    number(row, "value") * if row["higher_is_better"] == true { 1.0 } else { -1.0 }
}

/// The rankings of `--json` by protocol, dataset and task.
fn rankings(rows: &[Value]) -> BTreeMap<[String; 3], Vec<&Value>> {
    let mut found: BTreeMap<[String; 3], Vec<&Value>> = BTreeMap::new();
    for row in rows {
        found.entry(["protocol", "dataset", "task"].map(|key| text(row, key).to_owned())).or_default().push(row);
    }
    found
}

/// Mean rank, Borda count and first places, counted pair by pair.
#[test]
fn what_is_over_tasks_follows_from_the_rankings() {
    let bench = both();
    bench.run();
    let models = rows(&bench, &["models"]);
    let constant = |row: &Value| row["kind"] == "mean_predictor";
    let standings = rows(&bench, &["models", "--overall"]);
    assert!(standings.len() >= 2 * 9, "two protocols, four runs, four controls and the constant predictor");
    for standing in &standings {
        let (mut ranks, mut borda, mut wins) = (Vec::new(), 0.0, 0);
        for ([protocol, ..], ranking) in rankings(&models) {
            let same = |row: &&&Value| row["label"] == standing["label"] || (constant(row) && constant(standing));
            let Some(own) = ranking.iter().find(same).filter(|_| standing["protocol"] == protocol) else { continue };
            let above = ranking.iter().filter(|row| oriented(row) > oriented(own)).count() as f64;
            let equal = ranking.iter().filter(|row| oriented(row) == oriented(own)).count() as f64 - 1.0;
            ranks.push(1.0 + above + equal / 2.0);
            borda += ranking.len() as f64 - 1.0 - above - equal / 2.0;
            wins += u64::from(above == 0.0);
        }
        let mean = ranks.iter().sum::<f64>() / ranks.len() as f64;
        assert!((number(standing, "mean_rank") - mean).abs() < 1e-9, "{standing}: {ranks:?}");
        assert!((number(standing, "borda") - borda).abs() < 1e-9 && standing["wins"] == wins, "{standing}: {borda} {wins}");
        assert_eq!((&standing["tasks"], &standing["tasks_of"]), (&json!(ranks.len()), &json!(3)), "{standing}");
        assert!(number(standing, "mean_rank_low90") <= mean && mean <= number(standing, "mean_rank_high90"), "{standing}");
    }
    let by_rank: Vec<f64> =
        standings.iter().filter(|row| row["protocol"] == "probe").map(|row| number(row, "mean_rank")).collect();
    assert!(by_rank.is_sorted(), "{by_rank:?}");
    let page = bench.clmbench(&["leaderboard", "models"]).code(0).stdout;
    assert!(page.contains("mean rank [90 %]") && page.contains("Borda"), "{page}");
}

#[test]
fn ties_follow_from_the_intervals_of_the_differences() {
    let bench = both();
    bench.run();
    let models = rows(&bench, &["models"]);
    let mut compared = 0;
    for ranking in rankings(&models).values() {
        let best = oriented(ranking[0]);
        assert_eq!((&ranking[0]["tied_with_best"], &ranking[0]["best_difference"]), (&json!(true), &json!(0.0)));
        for (place, row) in ranking.iter().enumerate() {
            assert!((number(row, "best_difference") - (oriented(row) - best)).abs() < 1e-9, "{row}");
            match ranking.get(place + 1) {
                Some(next) => assert!((number(row, "next_difference") - (oriented(row) - oriented(next))).abs() < 1e-9, "{row}"),
                None => assert_eq!(row["next_difference_contains"], "it is the last"),
            }
            let Some(low) = row["best_difference_low"].as_f64() else { continue };
            let high = number(row, "best_difference_high");
            compared += 1;
            assert!(low <= number(row, "best_difference") && number(row, "best_difference") <= high, "{row}");
            assert_eq!(row["tied_with_best"], low <= 0.0 && high >= 0.0, "{row}");
        }
    }
    assert!(compared > 20, "{compared}");
    let one = bench.clmbench(&["leaderboard", "models", "--dataset", "alpha", "--protocol", "probe"]).code(0).stdout;
    let tied =
        models.iter().filter(|row| row["dataset"] == "alpha" && row["protocol"] == "probe" && row["tied_with_best"] == true);
    let marked = one.lines().filter(|line| line.split_whitespace().nth(1) == Some("=")).count();
    assert_eq!(marked, tied.count(), "{one}");
}

#[test]
fn csv_markdown_and_chosen_columns_say_what_json_says() {
    let bench = both();
    bench.run();
    for board in ["predictors", "models"] {
        for more in [&[][..], &["--overall"]] {
            let all = rows(&bench, &[&[board], more].concat());
            let say = |form: &[&str]| bench.clmbench(&[&["leaderboard", board], more, form].concat()).code(0).stdout;
            let cells = parsed(&say(&["--csv"]));
            assert_eq!(cells.len(), all.len(), "{board} {more:?}");
            for (cells, row) in cells.iter().zip(&all) {
                assert_eq!(cells.len(), row.as_object().unwrap().len());
                let number = |key: &str| (cells[key].parse::<f64>().ok(), row[key].as_f64());
                for key in row.as_object().unwrap().keys().filter(|key| row[*key].is_f64()) {
                    let (cell, value) = number(key);
                    assert_eq!(cell.map(f64::to_bits), value.map(f64::to_bits), "{key}");
                }
            }
            let markdown = say(&["--md"]);
            assert_eq!(markdown.lines().count(), all.len() + 2, "{markdown}");
            assert!(markdown.lines().all(|line| line.starts_with("| ") && line.ends_with(" |")), "{markdown}");
            let chosen = say(&["--columns", "rank,protocol", "--csv"]);
            assert!(chosen.starts_with("rank,protocol\n1,"), "{chosen}");
            let some = rows(&bench, &[&[board], more, &["--columns", "protocol,rank"]].concat());
            assert!(some.iter().zip(&all).all(|(some, all)| *some == json!({"rank": all["rank"], "protocol": all["protocol"]})));
            let table = say(&["--columns", "rank,protocol"]);
            assert!(table.lines().nth(2).is_some_and(|line| line.split_whitespace().eq(["rank", "protocol"])), "{table}");
        }
    }
    let error = bench.clmbench(&["leaderboard", "models", "--columns", "valeu"]).code(2).stderr;
    assert!(error.contains("no column `valeu`") && error.contains("value, std_error"), "{error}");
    for both in [["--json", "--csv"], ["--csv", "--md"], ["--json", "--md"]] {
        bench.clmbench(&[&["leaderboard", "models"], &both[..]].concat()).code(2);
    }
    bench.clmbench(&["leaderboard", "predictors", "--since", "x.json"]).code(2);
    let error = bench.clmbench(&["leaderboard", "predictors", "--overall", "--dataset", "alpha"]).code(2).stderr;
    assert!(error.contains("over all tasks"), "{error}");
}

#[test]
fn sorting_and_filters_move_rows_and_no_number() {
    let bench = both();
    bench.run();
    let all = rows(&bench, &["predictors"]);
    let sorted = rows(&bench, &["predictors", "--sort=-spearman"]);
    let values: Vec<f64> = sorted.iter().filter_map(|row| row["spearman"].as_f64()).collect();
    assert!(values.len() > 5 && values.is_sorted_by(|left, right| left >= right), "{values:?}");
    assert!(sorted[..values.len()].iter().all(|row| row["spearman"].is_f64()), "what is missing stands last");
    assert!(sorted.len() == all.len() && all.iter().all(|row| sorted.contains(row)));
    let pool = text(&all[0], "pool");
    for filter in [&["--dataset", "alpha"][..], &["--task", "affinity"], &["--protocol", "probe"], &["--pool", pool]] {
        let some = rows(&bench, &[&["predictors"], filter].concat());
        assert!(!some.is_empty() && some.len() < all.len() && some.iter().all(|row| all.contains(row)), "{filter:?}");
    }
    let error = bench.clmbench(&["leaderboard", "predictors", "--task", "none"]).code(2).stderr;
    assert!(error.contains("alpha affinity (probe; "), "{error}");
    // The board as a whole, by gain or by r, best first.
    for (order, column) in [("gain", "gain"), ("r", "spearman")] {
        let board = rows(&bench, &["predictors", "--overall", "--sort", order]);
        for block in board.chunk_by(|left, right| left["rank"].as_u64() < right["rank"].as_u64()) {
            let values: Vec<f64> = block.iter().filter_map(|row| row[column].as_f64()).collect();
            assert!(values.is_sorted_by(|left, right| left >= right) && block[0]["rank"] == 1, "{order}: {values:?}");
        }
        let table = bench.clmbench(&["leaderboard", "predictors", "--sort", order]).code(0).stdout;
        // Four runs have no gain.
        assert!(table.contains("Rows stand by r") && table.contains("Predictors of transfer"), "{table}");
    }
    assert_eq!(rows(&bench, &["predictors", "--overall", "--sort", "gain"]), rows(&bench, &["predictors", "--overall"]));
    for board in [&["predictors"][..], &["predictors", "--overall"]] {
        let error = bench.clmbench(&[&["leaderboard"], board, &["--sort", "gian"]].concat()).code(2).stderr;
        let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(error.contains("no column `gian`") && error.contains("--sort takes gain, r (the board in that order"), "{error}");
    }
    // Models stay within their ranking.
    let models = rows(&bench, &["models", "--sort", "label"]);
    for ranking in rankings(&models).values() {
        let labels: Vec<&str> = ranking.iter().map(|row| text(row, "label")).collect();
        assert!(labels.is_sorted(), "{labels:?}");
    }
}

#[test]
fn what_changed_since_an_earlier_board_and_since_the_fits_before() {
    let bench = both();
    // Half of the runs first.
    bench.clmbench(&["run", "suite.toml", "--only", "tokenise", "--only", "*fake-a*", "--only", "*fake-b*"]).code(0);
    let none = bench.clmbench(&["leaderboard", "predictors", "--only-changed"]).code(2).stderr;
    assert!(none.contains("no earlier fits") && none.contains("--since FILE"), "{none}");
    let earlier = rows(&bench, &["predictors"]);
    bench.run();
    let all = rows(&bench, &["predictors"]);
    let changed = rows(&bench, &["predictors", "--only-changed"]);
    assert!(!changed.is_empty() && changed.len() <= all.len(), "{} of {}", changed.len(), all.len());
    let key = |row: &Value| ["metric", "dataset", "task", "protocol", "pool"].map(|key| text(row, key).to_owned());
    for row in &all {
        let before = earlier.iter().find(|before| key(before) == key(row));
        let differs = |before: &Value| {
            ["verdict", "reversed", "gain_verdict", "spearman", "gain", "p_value"].iter().any(|name| before[*name] != row[*name])
        };
        let marked = changed.iter().any(|changed| key(changed) == key(row));
        assert_eq!(marked, before.is_none_or(differs), "{row}");
    }
    // In another order they are the same ones.
    let names = |rows: &[Value]| rows.iter().map(|row| (key(row), text(row, "changed").to_owned())).collect::<BTreeSet<_>>();
    let sorted = rows(&bench, &["predictors", "--only-changed", "--sort", "r"]);
    assert_eq!(names(&sorted), names(&changed));
    // A run that changes nothing keeps what there is to compare with.
    bench.run();
    assert_eq!(rows(&bench, &["predictors", "--only-changed"]), changed);

    let mut board: Value = serde_json::from_str(&bench.clmbench(&["leaderboard", "predictors", "--json"]).stdout).unwrap();
    board["rows"][1]["verdict"] = json!("predicts");
    fs::write(bench.path("board.json"), board.to_string()).unwrap();
    let since = ["leaderboard", "predictors", "--only-changed", "--since", "board.json"];
    let found = bench.clmbench(&[&since[..], &["--json"]].concat()).code(0).rows();
    assert_eq!(found.len(), 1);
    assert_eq!(text(&found[0], "changed"), format!("verdict predicts -> {}", text(&all[1], "verdict")));
    let table = bench.clmbench(&since).code(0).stdout;
    assert!(table.contains("verdict predicts ->"), "{table}");
    // What is gone is counted among what was asked for.
    board["rows"]
        .as_array_mut()
        .unwrap()
        .push(json!({"metric": "x", "dataset": "beta", "task": "y", "protocol": "probe", "suite": "both"}));
    fs::write(bench.path("board.json"), board.to_string()).unwrap();
    assert!(bench.clmbench(&since).code(0).stderr.contains("gone since then: x beta y probe"));
    let alpha = bench.clmbench(&[&since[..], &["--dataset", "alpha"]].concat()).code(0);
    assert!(!alpha.stderr.contains("gone"), "{}", alpha.stderr);
    board["rows"][0]["suite"] = json!("another");
    fs::write(bench.path("board.json"), board.to_string()).unwrap();
    let other = bench.clmbench(&since).code(2).stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(other.contains("a board of suite another, and this is one of suite both"), "{other}");
    let wrong = bench.clmbench(&["leaderboard", "models", "--only-changed", "--since", "board.json"]).code(2).stderr;
    assert!(wrong.contains("clmbench leaderboard models --json"), "{wrong}");
    let same = bench.clmbench(&["leaderboard", "models", "--json"]).code(0).stdout;
    fs::write(bench.path("models.json"), same).unwrap();
    let nothing = bench.clmbench(&["leaderboard", "models", "--only-changed", "--since", "models.json"]).code(0);
    assert!(nothing.stdout.is_empty() && nothing.stderr.contains("nothing changed"), "{nothing:?}");
}

#[test]
fn every_form_fits_and_is_plain_off_a_terminal() {
    let bench = both();
    bench.run();
    for columns in ["80", "120"] {
        for board in ["predictors", "models"] {
            for more in [&[][..], &["--overall"], &["--all"], &["--sort", "rank"]] {
                for variables in [&[("COLUMNS", columns)][..], &[("COLUMNS", columns), ("NO_COLOR", "1"), ("LC_ALL", "C")]] {
                    let page = bench.with(&[&["leaderboard", board], more].concat(), variables).code(0).stdout;
                    let widest = page.lines().map(|line| line.chars().count()).max().unwrap_or(0);
                    assert!(widest <= columns.parse().unwrap(), "{board} {more:?}: {widest}\n{page}");
                    assert!(!page.contains('\u{1b}') && (variables.len() == 1 || page.is_ascii()), "{page}");
                }
            }
        }
    }
}
