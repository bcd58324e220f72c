#![allow(clippy::unwrap_used)]
use clmbench_protocol::TaskCheck;

use crate::{
    Compared, Inputs, ModelBoard, ModelKind, ModelRow, fit_rows, model_board,
    paired::Predictions,
    sample::{baseline_row, refused_row, score_row, suite},
};

/// A suite of four runs under two protocols, a forest of two seeds and a linear baseline.
fn inputs() -> Inputs {
    let mut inputs = suite(4);
    let tuned: Vec<_> = inputs.scores.iter().map(|row| (row.run.clone(), row.value - 0.5)).collect();
    inputs.scores.extend(tuned.into_iter().map(|(run, value)| {
        let mut row = score_row(&run, value);
        row.protocol = "finetune".into();
        row
    }));
    inputs.baselines = vec![
        baseline_row("random forest, ecfp4 2048", 1, 3.0),
        baseline_row("random forest, ecfp4 2048", 2, 3.4),
        baseline_row("linear, ecfp4 2048", 0, 3.6),
    ];
    let mut exploratory = baseline_row("linear, ecfp4 2048", 0, 0.1);
    (exploratory.score, exploratory.primary) = ("mae".into(), false);
    inputs.baselines.push(exploratory);
    inputs
}

fn of<'a>(board: &'a ModelBoard, protocol: &str) -> Vec<&'a ModelRow> {
    board.rows.iter().filter(|row| row.protocol == protocol).collect()
}

#[test]
fn baselines_stand_in_the_rankings_of_every_protocol() {
    let board = model_board(&inputs(), &Compared::default());
    use ModelKind::{Baseline, MeanPredictor, Run};
    for (protocol, first) in [("probe", Baseline), ("finetune", Run)] {
        let rows = of(&board, protocol);
        let mut kinds: Vec<ModelKind> = rows.iter().map(|row| row.kind).collect();
        assert_eq!((kinds.len(), rows[6].kind, rows[0].kind), (7, MeanPredictor, first), "{protocol}");
        let values: Vec<f64> = rows.iter().map(|row| row.value.unwrap()).collect();
        assert!(values.is_sorted(), "{values:?}");
        let shared = |row: &&ModelRow| rows.iter().filter(|other| other.value < row.value).count() as u32 + 1;
        assert!(rows.iter().all(|row| row.rank == Some(shared(row))), "equal scores share a rank");
        kinds.sort();
        assert_eq!(kinds, [Run, Run, Run, Run, Baseline, Baseline, MeanPredictor]);
    }
    let forest = of(&board, "probe")[0];
    assert_eq!((forest.label.as_str(), forest.run.as_deref(), forest.transfer_seeds), ("random forest, ecfp4 2048", None, 2));
    // 3.0 and 3.4: mean 3.2, standard deviation 0.2828, over the root of two seeds.
    assert!((forest.value.unwrap() - 3.2).abs() < 1e-12 && (forest.se_seed.unwrap() - 0.2).abs() < 1e-12);
    assert!((forest.std_error.unwrap() - 0.1f64.hypot(0.2)).abs() < 1e-12);
    assert_eq!(forest.std_error_contains, "test molecules and seeds");
    let linear = of(&board, "probe").into_iter().find(|row| row.label.starts_with("linear")).unwrap();
    assert_eq!((linear.se_seed, linear.transfer_seeds, linear.std_error), (None, 1, Some(0.1)));
    assert_eq!(serde_json::to_value(linear).unwrap()["kind"], "baseline");
    assert!(of(&board, "baseline").is_empty() && board.notes.is_empty());
}

#[test]
fn n_and_verdicts_do_not_change_when_baselines_are_added() {
    let mut without = suite(12);
    let fits = fit_rows(&without).unwrap();
    without.baselines = (0..20).map(|seed| baseline_row(&format!("forest {seed}"), seed, 0.1)).collect();
    without.refused_baselines = vec![refused_row("forest 1", "one_class")];
    let with = fit_rows(&without).unwrap();
    assert!(!fits.is_empty() && fits.iter().all(|fit| fit.n == 12));
    assert_eq!(with, fits, "n, p, intervals, gains, verdicts and details");
    let board = model_board(&without, &Compared::default());
    let runs = board.rows.iter().filter(|row| row.kind == ModelKind::Run).count();
    assert_eq!((runs, board.missing.len(), board.refused.len()), (12, 0, 1));
}

#[test]
fn baselines_of_another_split_are_ranked_apart() {
    let mut inputs = inputs();
    inputs.baselines[2].split_digest = "another".into();
    let board = model_board(&inputs, &Compared::default());
    let apart = of(&board, "baseline");
    let labels: Vec<&str> = apart.iter().map(|row| row.label.as_str()).collect();
    assert_eq!(labels, ["linear, ecfp4 2048", "mean predictor"]);
    assert!(apart.iter().all(|row| row.split_digest == "another"));
    assert!(of(&board, "probe").iter().all(|row| row.split_digest == "split" && !row.label.starts_with("linear")));
    // Other molecules under one split are not the same either.
    inputs.baselines[2].split_digest = "split".into();
    inputs.baselines[2].data_digest = "other molecules".into();
    assert_eq!(of(&model_board(&inputs, &Compared::default()), "baseline").len(), 2);
}

#[test]
fn a_suite_of_baselines_alone_has_rankings_of_its_own() {
    let mut inputs = inputs();
    (inputs.runs, inputs.scores, inputs.metrics) = (vec![], vec![], vec![]);
    let board = model_board(&inputs, &Compared::default());
    let found: Vec<_> = board.rows.iter().map(|row| (row.protocol.as_str(), row.rank.unwrap(), row.label.as_str())).collect();
    let expected = ["random forest, ecfp4 2048", "linear, ecfp4 2048", "mean predictor"];
    assert_eq!(found, [("baseline", 1, expected[0]), ("baseline", 2, expected[1]), ("baseline", 3, expected[2])]);
    assert!(fit_rows(&inputs).unwrap().is_empty());
}

/// Predictions of 40 molecules whose errors all have the size `rmse`, so that every resample has that RMSE.
fn predictions(rmse: f64) -> Predictions {
    (0..40).map(|row| (row, row as f64, row as f64 + if row % 2 == 0 { rmse } else { -rmse })).collect()
}

#[test]
fn a_run_is_compared_with_the_best_baseline_on_the_same_molecules() {
    let mut inputs = inputs();
    let own = inputs.scores[0].value;
    let key = |cell: &str| (cell.to_owned(), "expt".to_owned());
    let row = |inputs: &Inputs| {
        let board = model_board(inputs, &Compared::default());
        of(&board, "probe").into_iter().find(|row| row.run.as_deref() == Some("run000")).unwrap().clone()
    };
    let missing = row(&inputs);
    assert_eq!((missing.baseline_difference_low, missing.baseline_difference_contains.as_str()), (None, "no stored predictions"));
    inputs.predictions = [
        (key("transfer run000"), predictions(own)),
        (key("random forest, ecfp4 2048 1"), predictions(3.0)),
        (key("random forest, ecfp4 2048 2"), predictions(3.4)),
    ]
    .into();
    let found = row(&inputs);
    // The mean of the forest's two seeds is the best; a smaller RMSE than its 3.2 would be positive.
    let expected = 3.2 - own;
    let ends = [found.baseline_difference, found.baseline_difference_low, found.baseline_difference_high].map(Option::unwrap);
    assert!(ends.iter().all(|end| (end - expected).abs() < 1e-9), "{ends:?} {expected}");
    let contains = "test molecules, the same for both; no seeds are in it, and their numbers differ (1 and 2)";
    assert_eq!(found.baseline_difference_contains, contains);
    inputs.baselines.clear();
    let none = row(&inputs);
    assert_eq!((none.baseline_difference, none.baseline_difference_contains.as_str()), (None, "no baseline has a score"));
}

#[test]
fn rows_of_a_task_whose_test_molecules_leaked_are_flagged() {
    let mut inputs = inputs();
    let check =
        |leaked| TaskCheck { task: "expt".into(), labels: (513, 64, 65), positives: None, missing: 0, conflicting: 2, leaked };
    inputs.datasets[0].checks = vec![check(0)];
    let clean = model_board(&inputs, &Compared::default());
    assert!(clean.rows.iter().all(|row| !row.flags.contains(&"leaked".to_owned())));
    assert_eq!((clean.rows[0].leaked_test_molecules, clean.rows[0].conflicting_labels), (Some(0), Some(2)));
    let said = |board: &ModelBoard| board.labels.iter().map(|note| note.text.clone()).collect::<Vec<_>>();
    assert_eq!(said(&clean), ["freesolv: 2 molecules have several rows whose labels differ"]);
    assert!(fit_rows(&inputs).unwrap().iter().all(|fit| !fit.flags.contains(&"leaked".to_owned())));
    inputs.datasets[0].checks = vec![check(3)];
    let board = model_board(&inputs, &Compared::default());
    for row in &board.rows {
        let flagged = row.flags.contains(&"leaked".to_owned());
        assert_eq!(flagged, row.kind != ModelKind::MeanPredictor, "{}", row.label);
        assert_eq!(row.leaked_test_molecules, Some(3));
    }
    let expected = "freesolv: 3 of 65 test molecules are also in training or validation: scores may be too good (leaked)";
    assert_eq!((said(&board)[0].as_str(), board.labels[0].dataset.as_str()), (expected, "freesolv"));
    let fits = fit_rows(&inputs).unwrap();
    assert!(!fits.is_empty() && fits.iter().all(|fit| fit.flags[0] == "leaked"));
}
