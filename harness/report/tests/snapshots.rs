//! Tables from hand-made boards at 80 and 120 columns.
#![allow(clippy::unwrap_used, missing_docs)]

mod made_up;

use clmbench_analysis::{ExcludedRun, Expectation, LabelNote, ModelBoard, ModelKind, PredictorBoard, RefusedTask, Unexpected};
use clmbench_protocol::TaskKind;
use clmbench_report::{Style, expectation_text, model_table, predictor_table, table};
use clmbench_stats::PermutationTest;
use clmbench_store::FitRow;
use made_up::*;

fn large() -> PredictorBoard {
    let mut rows = vec![
        predictor("hessian/trace_hutchinson[probes=16]", 24, 0.72, false),
        predictor("loss/mlm_loss", 24, -0.66, false),
        predictor("evil/\u{1b}[2Jname", 23, 0.05, false),
        predictor("trivial/parameters", 24, 0.41, true),
    ];
    rows[0].fit.verdict = "predicts".into();
    rows[0].fit.p_value = Some(0.0004);
    rows[1].fit.verdict = "does_not_predict".into();
    rows[1].fit.reversed = true;
    rows[2].fit.dataset = "lipo".into();
    let mut weak = predictor("norm/weights", 24, 0.02, false);
    weak.fit.verdict = "does_not_predict".into();
    let mut failed = predictor("hessian/spectrum", 0, 0.0, false);
    failed.fit = FitRow {
        metric: failed.fit.metric,
        dataset: failed.fit.dataset,
        task: failed.fit.task,
        protocol: failed.fit.protocol,
        score: failed.fit.score,
        pool: failed.fit.pool,
        verdict: "refused".into(),
        verdict_reason: Some("no value: 48 cells failed".into()),
        refusal: Some("no_values".into()),
        gain_verdict: Some("cannot_tell".into()),
        gain_reason: Some("the gain needs 8 runs and has 0".into()),
        ..FitRow::default()
    };
    rows.extend([weak, failed]);
    rows[2].fit.flags = vec!["out_of_vocabulary".into(), "diverged_runs".into()];
    rows[2].details.excluded =
        vec![ExcludedRun { run: "r".into(), label: "bert 4.87M mixed 20k seed 1".into(), reason: "diverged".into() }];
    for row in &mut rows {
        row.details.permutation = Some(PermutationTest { p_value: 0.1, orders: 9_999, exact: false });
    }
    let mut board = predictors(rows);
    board.suite = "sizes".into();
    board.stale = true;
    board
}

#[test]
fn predictors_of_the_demo() {
    for width in [80, 120] {
        let text = predictor_table(&demo(), Style::new(width));
        fits(&text, width);
        assert!(text.lines().count() <= 24, "one screen:\n{text}");
        insta::assert_snapshot!(format!("demo_{width}"), text);
    }
}

#[test]
fn predictors_below_eight_runs() {
    let rows = vec![predictor("loss/mlm_loss", 6, 0.71, false), predictor("trivial/parameters", 6, 0.5, true)];
    let text = predictor_table(&predictors(rows), Style::new(80));
    fits(&text, 80);
    insta::assert_snapshot!("six_runs_80", text);
}

#[test]
fn predictors_over_several_datasets() {
    for width in [80, 120] {
        let text = predictor_table(&large(), Style::new(width));
        fits(&text, width);
        insta::assert_snapshot!(format!("large_{width}"), text);
    }
}

#[test]
fn ascii_where_asked() {
    let text = predictor_table(&large(), Style::ascii(100));
    assert!(text.is_ascii());
    fits(&text, 100);
    insta::assert_snapshot!("large_ascii_100", text);
    assert!(model_table(&models(), Style::ascii(80)).is_ascii());
}

#[test]
fn models_of_the_demo() {
    for width in [80, 120] {
        let text = model_table(&models(), Style::new(width));
        fits(&text, width);
        assert!(text.lines().count() <= 24, "one screen:\n{text}");
        insta::assert_snapshot!(format!("models_{width}"), text);
    }
}

/// Fine-tuning with several seeds: the components of the error stand apart, and a task without a score says why.
#[test]
fn models_with_all_components_of_the_error() {
    let mut board = models();
    for row in &mut board.rows {
        (row.protocol, row.task_kind, row.score) = ("finetune".into(), TaskKind::Classification, "roc_auc".into());
        (row.unit, row.higher_is_better, row.value) = (String::new(), true, row.value.map(|value| value / 6.0));
        if row.kind != ModelKind::MeanPredictor {
            (row.se_seed, row.transfer_seeds) = (Some(0.021), 3);
            row.std_error_contains = "test molecules and transfer seeds".into();
            row.flags.push("fixed_learning_rate".into());
        }
    }
    (board.rows[0].se_pretrain, board.rows[0].pretraining_seeds) = (Some(0.033), 2);
    board.refused = vec![RefusedTask {
        dataset: "tox21".into(),
        task: "sr-p53".into(),
        protocol: "finetune".into(),
        reason: "the test molecules are all of class 0".into(),
        runs: 12,
    }];
    for width in 40..160 {
        fits(&model_table(&board, Style::new(width)), width);
    }
    insta::assert_snapshot!("models_components_140", model_table(&board, Style::new(140)));
}

/// Baselines, a leak that no width hides, and labels that conflict.
#[test]
fn models_beside_baselines_with_a_leak() {
    let mut board = models();
    board.rows.insert(0, model(1, ModelKind::Baseline, "random forest, ecfp4 2048", 2.105));
    for (rank, row) in (1..).zip(&mut board.rows) {
        row.rank = Some(rank);
        if row.kind != ModelKind::MeanPredictor {
            row.flags.insert(0, "leaked".into());
        }
        if row.kind == ModelKind::Run {
            row.baseline_difference = row.value.map(|value| 2.105 - value);
            (row.baseline_difference_low, row.baseline_difference_high) = (Some(-0.61), Some(0.02));
            row.baseline_difference_contains = "test molecules, the same for both; no seeds are in it".into();
        }
    }
    let note = |dataset: &str, text: &str| LabelNote { dataset: dataset.into(), text: text.into() };
    board.labels = vec![
        note("freesolv", "freesolv: 3 of 65 test molecules are also in training or validation: scores may be too good (leaked)"),
        note("lipo", "lipo: 2 molecules have several rows whose labels differ"),
    ];
    for width in 40..160 {
        fits(&model_table(&board, Style::new(width)), width);
    }
    for width in [80, 160] {
        let text = model_table(&board, Style::new(width));
        assert_eq!(text.matches("leaked").count(), 5, "each row and the note:\n{text}");
        assert!(!text.contains("lipo"), "of a dataset that is not shown:\n{text}");
        insta::assert_snapshot!(format!("models_baselines_{width}"), text);
    }
    board.rows.retain(|row| !matches!(row.kind, ModelKind::Run | ModelKind::Control));
    let alone = model_table(&board, Style::new(80));
    let line = "1 baseline without a language model, on the same split; never counted in n.";
    assert!(alone.contains(line) && !alone.contains("random-initialised"), "{alone}");
}

#[test]
fn a_leak_is_told_beside_every_fit() {
    let mut board = demo();
    board.rows.iter_mut().for_each(|row| row.fit.flags.push("leaked".into()));
    let text = "freesolv: 3 of 65 test molecules are also in training or validation: scores may be too good (leaked)";
    board.labels = vec![LabelNote { dataset: "freesolv".into(), text: text.into() }];
    for width in [60, 160] {
        let page = predictor_table(&board, Style::new(width));
        let joined = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(text) && joined.contains("leaked"), "{page}");
    }
}

#[test]
fn every_width_holds() {
    for width in 40..160 {
        fits(&predictor_table(&demo(), Style::new(width)), width);
        fits(&predictor_table(&large(), Style::new(width)), width);
        fits(&model_table(&models(), Style::new(width)), width);
    }
}

#[test]
fn empty_boards_say_what_to_do() {
    let text = predictor_table(&predictors(vec![]), Style::new(80));
    assert!(text.contains("clmbench run"), "{text}");
    let none = ModelBoard { rows: vec![], ..models() };
    assert!(model_table(&none, Style::new(80)).contains("clmbench run"));
}

#[test]
fn expectations_in_words() {
    let met = Expectation { met: true, expected: "cannot_tell".into(), fits: 5, skipped: vec![], unexpected: vec![] };
    assert_eq!(expectation_text(&met, Style::new(80)), "As the suite expects: cannot_tell in all 5 fits.\n");
    let missed = Expectation {
        met: false,
        fits: 5,
        unexpected: vec![Unexpected {
            metric: "loss/mlm_loss".into(),
            dataset: "freesolv".into(),
            task: "expt".into(),
            protocol: "probe".into(),
            verdict: "predicts".into(),
            reason: "Holm p at most 0.05 and the lower 95 % end, 0.31, above 0".into(),
        }],
        skipped: vec![Unexpected {
            metric: "trivial/tokens".into(),
            dataset: "freesolv".into(),
            task: "expt".into(),
            protocol: "probe".into(),
            verdict: "refused".into(),
            reason: "`trivial/tokens` has the same value in every run".into(),
        }],
        ..met
    };
    let text = expectation_text(&missed, Style::new(80));
    fits(&text, 80);
    assert!(text.ends_with("Not compared: 1 refused fit (trivial/tokens).\n"), "{text}");
    assert!(text.starts_with("The suite expects cannot_tell; 1 of 5 fits came out otherwise:\n- loss/mlm_loss"), "{text}");
}

#[test]
fn a_plain_table() {
    let rows = vec![
        vec!["pretrain".to_owned(), "8".to_owned(), "3 min".to_owned()],
        vec!["measure".to_owned(), "40".to_owned(), "12 s".to_owned()],
    ];
    let text = table(&["stage", "cells", "time"], &rows, 80);
    fits(&text, 80);
    insta::assert_snapshot!("plain_table", text);
}

#[test]
fn many_fits_are_an_overview() {
    for width in [80, 120] {
        let text = predictor_table(&many(), Style::new(width));
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        insta::assert_snapshot!(format!("many_{width}"), text);
    }
}

/// Sixty metrics on two datasets under two protocols, with four runs.
fn families() -> PredictorBoard {
    let mut rows = Vec::new();
    for (dataset, score) in [("freesolv", "rmse"), ("bace", "roc_auc")] {
        for protocol in ["finetune", "probe"] {
            for number in 0..60_u32 {
                let families = ["hessian", "sharpness", "landscape", "representation", "transferability", "roughness"];
                let name = format!("{}/metric_of_long_name_{number}", families[number as usize % 6]);
                let trivial = number >= 56;
                let name = if trivial { format!("trivial/number_{number}") } else { name };
                let mut row = predictor(&name, 4, 0.2, trivial);
                (row.fit.dataset, row.fit.score, row.fit.protocol) = (dataset.into(), score.into(), protocol.into());
                row.details.pool.split_digest = format!("split of {dataset}");
                match number {
                    0 if dataset == "bace" => row.fit.verdict = "predicts".into(),
                    1 if protocol == "probe" => (row.fit.verdict, row.fit.reversed) = ("does_not_predict".into(), true),
                    6..12 => (row.fit.verdict, row.spearman_high90) = ("does_not_predict".into(), Some(0.41)),
                    12 => {
                        (row.fit.verdict, row.fit.spearman, row.fit.p_value) = ("refused".into(), None, None);
                        row.fit.verdict_reason = Some("`x` has the same value in every run".into());
                    }
                    _ => {}
                }
                rows.push(row);
            }
        }
    }
    predictors(rows)
}

#[test]
fn many_metrics_are_folded_by_family() {
    for width in [80, 120] {
        let text = predictor_table(&families(), Style::new(width));
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        insta::assert_snapshot!(format!("families_{width}"), text);
    }
}

#[test]
fn many_rankings_are_an_overview() {
    let mut board = models();
    let rows = board.rows.clone();
    board.rows.clear();
    for (place, dataset) in ["freesolv", "lipo", "bbbp"].into_iter().enumerate() {
        board.rows.extend(rows.iter().cloned().map(|mut row| {
            row.dataset = dataset.into();
            row.value = row.value.map(|value| value + place as f64);
            row.higher_is_better = dataset == "bbbp";
            row
        }));
    }
    for width in [80, 120] {
        let text = model_table(&board, Style::new(width));
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        insta::assert_snapshot!(format!("many_models_{width}"), text);
    }
}
