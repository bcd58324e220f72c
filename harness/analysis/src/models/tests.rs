#![allow(clippy::unwrap_used)]
use clmbench_store::ScoreRow;

use super::*;
use crate::{
    paired::Predictions,
    sample::{refused_row, run_row, score_row, suite},
};

fn with_control() -> Inputs {
    let mut inputs = suite(4);
    let mut control = run_row(0);
    (control.run, control.label) = ("control".into(), "bert size 0 control".into());
    (control.control, control.tokens) = (true, Some(0));
    control.configuration = "control 0".into();
    inputs.runs.push(control);
    let mut score = score_row("control", 3.8);
    score.annealed = false;
    inputs.scores.push(score);
    inputs
}

#[test]
fn best_first_with_controls_and_the_mean_predictor() {
    let board = model_board(&with_control(), &Compared::default());
    let kinds: Vec<ModelKind> = board.rows.iter().map(|row| row.kind).collect();
    use ModelKind::{Control, MeanPredictor, Run};
    assert_eq!(kinds, [Run, Run, Run, Run, Control, MeanPredictor]);
    let values: Vec<f64> = board.rows.iter().map(|row| row.value.unwrap()).collect();
    assert!(values.is_sorted(), "RMSE: smaller first {values:?}");
    let ranks: Vec<u32> = board.rows.iter().map(|row| row.rank.unwrap()).collect();
    assert_eq!(ranks, [1, 2, 3, 3, 5, 6], "equal scores share a rank");
    assert_eq!(values[2], values[3]);
    assert!(board.notes.is_empty() && board.missing.is_empty());
}

/// Predictions of 40 molecules whose errors all have the size `rmse`, so that every resample has that RMSE.
fn predictions(rmse: f64) -> Predictions {
    (0..40).map(|row| (row, row as f64, row as f64 + if row % 2 == 0 { rmse } else { -rmse })).collect()
}

#[test]
fn difference_to_the_control_of_the_same_size_is_oriented_and_paired() {
    let mut inputs = with_control();
    let own = inputs.scores[0].value;
    let cell = |inputs: &Inputs, number: usize| (inputs.scores[number].cell.clone(), "expt".to_owned());
    let missing = model_board(&inputs, &Compared::default());
    let row = missing.rows.iter().find(|row| row.run.as_deref() == Some("run000")).unwrap();
    assert_eq!((row.control_difference_low, row.control_difference.is_some()), (None, true));
    assert_eq!(row.control_difference_contains, "no stored predictions");

    inputs.predictions = [(cell(&inputs, 0), predictions(own)), (cell(&inputs, 4), predictions(3.8))].into();
    let board = model_board(&inputs, &Compared::default());
    let row = board.rows.iter().find(|row| row.run.as_deref() == Some("run000")).unwrap();
    assert!((row.control_difference.unwrap() - (3.8 - own)).abs() < 1e-12, "smaller RMSE than the control: positive");
    let ends = [row.control_difference_low.unwrap(), row.control_difference_high.unwrap()];
    assert!(ends.iter().all(|end| (end - (3.8 - own)).abs() < 1e-9), "no molecule differs from another: {ends:?}");
    assert!(row.control_difference_contains.contains("test molecules, the same for both"));
    let other = board.rows.iter().find(|row| row.run.as_deref() == Some("run001")).unwrap();
    assert_eq!(other.control_difference, None);
    assert!(other.control_difference_contains.contains("no control"));
}

/// As many seeds are not the same seeds.
#[test]
fn seeds_of_fine_tunings_are_told_apart_by_the_seed() {
    let contains = |control_seeds: &[u64]| {
        let mut inputs = with_control();
        let cells = [("run000", [5, 6].as_slice(), 1.0), ("control", control_seeds, 3.8)];
        inputs.scores = Vec::new();
        for (run, seeds, rmse) in cells {
            for seed in seeds {
                let cell = format!("{run} {seed}");
                inputs.predictions.insert((cell.clone(), "expt".to_owned()), predictions(rmse));
                inputs.scores.push(ScoreRow { cell, protocol: "finetune".into(), seed: *seed, ..score_row(run, rmse) });
            }
        }
        let board = model_board(&inputs, &Compared::default());
        board.rows.iter().find(|row| row.run.as_deref() == Some("run000")).unwrap().control_difference_contains.clone()
    };
    let same = "test molecules, the same for both; no seeds are in it";
    assert_eq!(contains(&[5, 6]), same);
    assert_eq!(contains(&[5, 7]), format!("{same}, and they are not the same on both sides, though as many"));
    assert_eq!(contains(&[5]), format!("{same}, and their numbers differ (2 and 1)"));
}

#[test]
fn components_of_the_error_stand_apart() {
    let mut inputs = with_control();
    // Two transfer seeds of the first run; the second run differs from it by the pretraining seed alone.
    let mut seed = score_row("run000", inputs.scores[0].value + 0.4);
    seed.cell = "transfer run000 seed1".into();
    inputs.scores.push(seed);
    let shared = inputs.runs[0].configuration.clone();
    inputs.runs[1].configuration = shared;
    let board = model_board(&inputs, &Compared::default());
    let of = |run: &str| board.rows.iter().find(|row| row.run.as_deref() == Some(run)).unwrap();
    let first = of("run000");
    // Two values 0.4 apart: standard deviation 0.4 / sqrt 2, over sqrt 2 seeds.
    assert!((first.se_seed.unwrap() - 0.2).abs() < 1e-12 && first.transfer_seeds == 2);
    assert!((first.std_error.unwrap() - 0.1f64.hypot(0.2)).abs() < 1e-12);
    assert_eq!(first.std_error_contains, "test molecules and transfer seeds");
    let spread = (first.value.unwrap() - of("run001").value.unwrap()).abs() / 2f64.sqrt();
    assert!((first.se_pretrain.unwrap() - spread).abs() < 1e-12 && first.pretraining_seeds == 2);
    assert_eq!((of("run002").se_pretrain, of("run002").se_seed, of("run002").pretraining_seeds), (None, None, 1));
    assert_eq!(of("run002").std_error_contains, "test molecules");
}

#[test]
fn classification_is_oriented_upwards_and_refused_tasks_are_told() {
    let mut inputs = with_control();
    for row in &mut inputs.scores {
        (row.task_kind, row.score, row.higher_is_better) = (TaskKind::Classification, "roc_auc".into(), true);
        (row.value, row.mean_predictor, row.protocol) = (row.value / 10.0, 0.5, "finetune".into());
        row.fixed_learning_rate = true;
    }
    inputs.refused = vec![refused_row("run000", "one_class"), refused_row("run001", "one_class")];
    let board = model_board(&inputs, &Compared::default());
    let values: Vec<f64> = board.rows.iter().map(|row| row.value.unwrap()).collect();
    assert!(values.is_sorted_by(|left, right| left >= right), "{values:?}");
    let row = board.rows.iter().find(|row| row.run.as_deref() == Some("run000")).unwrap();
    assert!(row.control_difference.unwrap() < 0.0, "a smaller ROC-AUC than the control's is worse");
    assert_eq!((row.unit.as_str(), row.flags.as_slice()), ("", ["fixed_learning_rate".to_owned()].as_slice()));
    assert!(board.rows.iter().any(|row| row.label == "prevalence predictor" && row.value == Some(0.5)));
    let refused = &board.refused[0];
    assert_eq!((board.refused.len(), refused.task.as_str(), refused.runs), (1, "one_class", 2));
}

#[test]
fn a_run_that_is_no_better_than_unigram_frequencies_is_flagged() {
    let mut inputs = with_control();
    // Unigram: 2.2 +- 0.01. Values have a standard error of 0.014, so 2 x 0.0172 below is the border.
    for (number, loss) in [(0, 2.3), (1, 2.18), (2, 2.15), (3, f64::NAN)] {
        let run = format!("run{number:03}");
        let row = inputs.metrics.iter_mut().find(|row| row.run == run && row.metric == "loss/mlm_loss").unwrap();
        row.value = loss;
    }
    let board = model_board(&inputs, &Compared::default());
    let flags = |run: &str| board.rows.iter().find(|row| row.run.as_deref() == Some(run)).unwrap().flags.join(" ");
    assert_eq!(["run000", "run001", "run002", "run003"].map(flags), ["above_unigram", "above_unigram", "", "above_unigram"]);
    assert_eq!(flags("control"), "", "an untrained model is not expected to have learnt");
    let row = board.rows.iter().find(|row| row.run.as_deref() == Some("run002")).unwrap();
    assert_eq!((row.heldout_loss, row.unigram_cross_entropy), (Some(2.15), Some(2.2)));
    inputs.metrics.clear();
    assert!(model_board(&inputs, &Compared::default()).rows.iter().all(|row| row.flags.is_empty()), "not measured is not judged");
}

#[test]
fn splits_are_never_ranked_together() {
    let mut inputs = with_control();
    inputs.scores[0].split_digest = "another".into();
    let board = model_board(&inputs, &Compared::default());
    let first = board.rows.iter().filter(|row| row.rank == Some(1)).count();
    assert_eq!(first, 2);
    assert!(board.notes[0].contains("2 splits"));
}

#[test]
fn what_has_no_score_is_listed() {
    let mut inputs = with_control();
    inputs.scores.remove(0);
    inputs.runs[0].diverged = true;
    inputs.runs[0].divergence = Some("the loss is not finite".into());
    let board = model_board(&inputs, &Compared::default());
    assert_eq!(board.missing.len(), 1);
    assert_eq!((board.missing[0].run.as_str(), board.missing[0].reason.as_str()), ("run000", "diverged: the loss is not finite"));
}

#[test]
fn a_score_that_is_not_finite_has_no_rank() {
    let mut inputs = with_control();
    inputs.scores[1].value = f64::NAN;
    let board = model_board(&inputs, &Compared::default());
    let row = board.rows.last().unwrap();
    assert_eq!((row.run.as_deref(), row.rank, row.value), (Some("run001"), None, None));
    assert!(serde_json::to_string(&board).unwrap().contains("\"rank\":null"));
}
