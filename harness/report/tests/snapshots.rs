//! Tables from hand-made boards at 80 and 120 columns.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;

use clmbench_analysis::{
    Details, ExcludedRun, Expectation, GainDetails, LabelNote, ModelBoard, ModelKind, ModelRow, Pool, PooledRow, PredictorBoard,
    PredictorRow, RefusedTask, Unexpected,
};
use clmbench_protocol::{Objective, TaskKind};
use clmbench_report::{
    Style, expectation_text, model_page, model_table, pooled_table, predictor_page, predictor_table, standing_table, table,
};
use clmbench_stats::{PermutationTest, RandomBand, minimum_detectable_r};
use clmbench_store::FitRow;

fn predictor(metric: &str, n: u32, spearman: f64, trivial: bool) -> PredictorRow {
    let shown = n >= 8;
    let fit = FitRow {
        metric: metric.into(),
        dataset: "freesolv".into(),
        task: "expt".into(),
        protocol: "probe".into(),
        pool: "masked_lm tokenizer:01234567 sample:89abcdef split:76543210 probe".into(),
        score: "rmse".into(),
        n,
        n_checkpoints: 3 * n,
        slope: Some(0.31),
        std_error: Some(0.12),
        ci_low: shown.then_some(0.02),
        ci_high: shown.then_some(0.61),
        r2: Some(0.52),
        q2: Some(0.21),
        spearman: Some(spearman),
        spearman_low: shown.then_some((spearman - 0.6).max(-1.0)),
        spearman_high: shown.then_some((spearman + 0.4).min(1.0)),
        kendall: Some(0.57),
        p_value: Some(0.124),
        p_raw: Some(0.0312),
        gain: (shown && !trivial).then_some(-0.04),
        gain_low: (shown && !trivial).then_some(-0.61),
        gain_high: (shown && !trivial).then_some(0.22),
        gain_verdict: (!trivial).then(|| "cannot_tell".to_owned()),
        gain_reason: Some(match (trivial, shown) {
            (true, _) => "gains are measured over the trivial predictors, this one among them".into(),
            (false, true) => "the 95 % interval [-0.61, 0.22] holds 0".into(),
            (false, false) => format!("the gain needs 8 runs and has {n}"),
        }),
        verdict: "cannot_tell".into(),
        verdict_reason: Some("the interval holds both".into()),
        refusal: None,
        reversed: false,
        mde: minimum_detectable_r(n as usize),
        cost_seconds: Some(2.04),
        flags: vec![],
        metric_orientation: "lower_is_better".into(),
        score_orientation: "lower_is_better".into(),
        trivial,
        n_needed: Some(31),
        details_json: "{}".into(),
    };
    let details = Details {
        pool: Pool {
            objective: Objective::MaskedLm,
            tokenizer_digest: "0123456789".into(),
            evaluation_digest: (!trivial).then(|| "89abcdef01".into()),
            split_digest: "7654321076".into(),
            data_digest: "d".into(),
            protocol: "probe".into(),
        },
        family: "probe".into(),
        family_size: 5,
        params_json: "{}".into(),
        value_name: "loss".into(),
        unit: "nats".into(),
        useful_effect: 0.5,
        permutation: Some(PermutationTest { p_value: 0.0312, orders: 40_320, exact: true }),
        spearman_interval: None,
        spearman_interval_reason: (!shown).then(|| format!("an interval needs 8 runs and has {n}")),
        fit_reason: None,
        hc3_std_error: None,
        gain: (shown && !trivial).then(|| GainDetails {
            q2_trivial: 0.25,
            q2_with_metric: 0.21,
            used: vec!["log non-embedding parameters".into(), "log corpus size".into()],
            dropped: vec!["log tokens".into()],
            interval_note: None,
            interval: None,
        }),
        random_band: Some(RandomBand { n: n as usize, p90: 0.64, p95: 0.74 }),
        points: vec![],
        excluded: vec![],
    };
    PredictorRow {
        rank: 1,
        fit,
        spearman_low90: None,
        spearman_high90: shown.then_some((spearman + 0.3).min(1.0)),
        leaked_test_molecules: None,
        conflicting_labels: None,
        details,
    }
}

fn predictors(rows: Vec<PredictorRow>) -> PredictorBoard {
    PredictorBoard {
        schema: "clmbench/leaderboard-predictors/1",
        generated_by: "clmbench test",
        rows,
        pooled: vec![],
        suite: "demo".into(),
        expect: Some("cannot_tell".into()),
        useful_effect: 0.5,
        refused: vec![],
        lacking: vec![],
        stale: false,
        labels: vec![],
    }
}

fn demo() -> PredictorBoard {
    let mut rows = vec![predictor("loss/mlm_loss", 8, 0.71, false)];
    for (metric, spearman) in [("parameters", 0.62), ("flops", 0.55), ("corpus", 0.31), ("tokens", 0.0)] {
        rows.push(predictor(&format!("trivial/{metric}"), 8, spearman, true));
    }
    let tokens = &mut rows[4].fit;
    (tokens.spearman, tokens.spearman_low, tokens.spearman_high, tokens.slope) = (None, None, None, None);
    (tokens.r2, tokens.q2, tokens.p_value, tokens.p_raw, tokens.kendall) = (None, None, None, None, None);
    tokens.verdict = "refused".into();
    tokens.verdict_reason = Some("`trivial/tokens` has the same value in every run".into());
    predictors(rows)
}

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

fn model(rank: u32, kind: ModelKind, label: &str, value: f64) -> ModelRow {
    let run = kind == ModelKind::Run;
    ModelRow {
        dataset: "freesolv".into(),
        task: "expt".into(),
        task_kind: TaskKind::Regression,
        protocol: "probe".into(),
        split_digest: "76543210".into(),
        score: "rmse".into(),
        unit: "kcal/mol".into(),
        higher_is_better: false,
        rank: Some(rank),
        kind,
        label: label.into(),
        run: (run || kind == ModelKind::Control).then(|| label.into()),
        configuration: (run || kind == ModelKind::Control).then(|| label.into()),
        non_embedding_parameters: (run || kind == ModelKind::Control).then_some(830_000),
        tokens: run.then_some(1_000_000),
        corpus_molecules: run.then_some(20_000),
        value: Some(value),
        std_error: (kind != ModelKind::MeanPredictor).then_some(0.231),
        std_error_contains: match kind {
            ModelKind::MeanPredictor => "not computed for a constant predictor".into(),
            _ => "test molecules".into(),
        },
        se_test: Some(0.231),
        se_seed: None,
        se_pretrain: None,
        pretraining_seeds: 1,
        transfer_seeds: 1,
        n_test: 65,
        control_difference: run.then_some(0.412),
        control_difference_low: run.then_some(0.08),
        control_difference_high: run.then_some(0.75),
        control_difference_contains: match kind {
            ModelKind::Run => "test molecules, the same for both; no seeds are in it".into(),
            _ => "it is a control".into(),
        },
        baseline_difference: None,
        baseline_difference_low: None,
        baseline_difference_high: None,
        baseline_difference_contains: "no baseline has a score".into(),
        best_difference: Some(if rank == 1 { 0.0 } else { 2.412 - value }),
        best_difference_low: (kind != ModelKind::MeanPredictor && rank > 1).then_some(2.412 - value - 0.3),
        best_difference_high: (kind != ModelKind::MeanPredictor && rank > 1).then_some(2.412 - value + 0.3),
        best_difference_contains: match (rank, kind) {
            (1, _) => "it is the best".into(),
            (_, ModelKind::MeanPredictor) => "a constant predictor has no stored predictions".into(),
            _ => "test molecules, the same for both; no seeds are in it".into(),
        },
        tied_with_best: (kind != ModelKind::MeanPredictor).then_some(value < 2.712),
        next_difference: (kind != ModelKind::MeanPredictor).then_some(0.25),
        next_difference_low: (kind != ModelKind::MeanPredictor).then_some(-0.11),
        next_difference_high: (kind != ModelKind::MeanPredictor).then_some(0.5),
        next_difference_contains: "test molecules, the same for both; no seeds are in it".into(),
        leaked_test_molecules: None,
        conflicting_labels: None,
        same_weights_as: None,
        heldout_loss: run.then_some(1.7),
        unigram_cross_entropy: run.then_some(2.19),
        flags: vec![],
    }
}

fn models() -> ModelBoard {
    let mut rows = vec![
        model(1, ModelKind::Run, "bert 0.83M mixed 20k", 2.412),
        model(2, ModelKind::Run, "bert 0.06M mixed 20k", 2.681),
        model(3, ModelKind::Control, "bert 0.83M untrained", 2.824),
        model(4, ModelKind::MeanPredictor, "mean predictor", 4.203),
    ];
    rows[1].flags = vec!["above_unigram".into()];
    rows[1].control_difference = None;
    (rows[1].control_difference_low, rows[1].control_difference_high) = (None, None);
    rows[1].control_difference_contains = "no control of the same size has a score".into();
    ModelBoard {
        schema: "clmbench/leaderboard-models/1",
        generated_by: "clmbench test",
        rows,
        suite: "demo".into(),
        refused: vec![],
        missing: vec![ExcludedRun { run: "x".into(), label: "bert 2.30M mixed 5k".into(), reason: "no score yet".into() }],
        notes: vec![],
        labels: vec![],
    }
}

fn fits(text: &str, width: usize) {
    assert!(text.ends_with('\n'));
    assert!(text.lines().all(|line| line.chars().count() <= width), "wider than {width}:\n{text}");
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "control character");
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

/// Four datasets under two protocols: more fits than lines on a screen.
fn many() -> PredictorBoard {
    let mut rows = Vec::new();
    for (place, dataset) in ["freesolv", "lipo", "bbbp", "bace"].into_iter().enumerate() {
        for protocol in ["finetune", "probe"] {
            for row in demo().rows {
                let mut row = row;
                row.fit.dataset = dataset.into();
                row.fit.protocol = protocol.into();
                row.details.pool.split_digest = format!("split of {dataset}");
                if dataset == "bace" {
                    row.fit.flags = vec!["out_of_vocabulary".into()];
                }
                if place == 1 && row.fit.metric == "loss/mlm_loss" {
                    (row.fit.verdict, row.fit.reversed) = ("does_not_predict".into(), protocol == "probe");
                    row.fit.spearman = row.fit.spearman.map(|r| -r);
                }
                rows.push(row);
            }
        }
    }
    predictors(rows)
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

/// Many fits with what is stored over all tasks.
fn pooled() -> PredictorBoard {
    let mut board = many();
    let metrics: BTreeSet<(String, bool)> = board.rows.iter().map(|row| (row.fit.metric.clone(), row.fit.trivial)).collect();
    for protocol in ["finetune", "probe"] {
        for (place, (metric, trivial)) in metrics.iter().enumerate() {
            let refused = metric == "trivial/tokens";
            let r = 0.8 - 0.3 * place as f64;
            board.pooled.push(PooledRow {
                rank: place as u32 + 1,
                metric: metric.clone(),
                protocol: protocol.into(),
                pool: "masked_lm".into(),
                trivial: *trivial,
                n: 24,
                n_tasks: 4,
                spearman: (!refused).then_some(r),
                spearman_low: (!refused).then_some((r - 0.4).max(-1.0)),
                spearman_high: (!refused).then_some((r + 0.3).min(1.0)),
                p_value: (!refused).then_some(0.0312),
                p_raw: (!refused).then_some(0.0041),
                verdict: match place {
                    0 => "predicts",
                    _ if refused => "refused",
                    _ => "cannot_tell",
                }
                .into(),
                verdict_reason: Some(if refused { format!("`{metric}` has the same value in every run") } else { "-".into() }),
                refusal: refused.then(|| "constant".into()),
                reversed: false,
                mde: Some(0.56),
                gain_better: u32::from(place == 0),
                gain_not_better: u32::from(place == 1),
                gain_tasks: if *trivial { 0 } else { 4 },
                mean_rank: (!refused).then_some(1.4 + place as f64),
                mean_rank_low90: (!refused).then_some(1.0),
                mean_rank_high90: (!refused).then_some(3.0 + place as f64),
                top1: (!refused).then_some(0.62),
                top3: (!refused).then_some(0.91),
                unreliable_tasks: vec!["bace/Class".into()],
            });
        }
    }
    board
}

#[test]
fn what_is_over_all_tasks_stands_first_and_alone_where_both_do_not_fit() {
    let board = pooled();
    for width in [80, 120] {
        let text = predictor_table(&board, Style::new(width));
        fits(&text, width);
        assert!(text.lines().count() <= 80, "{text}");
        insta::assert_snapshot!(format!("pooled_{width}"), text);
        let all = predictor_page(&board, true, Style::new(width));
        fits(&all, width);
        assert!(all.contains("Each cell: r over runs"), "{all}");
    }
    assert!(predictor_table(&board, Style::ascii(80)).is_ascii());
    for width in 40..160 {
        fits(&pooled_table(&board, Style::new(width)), width);
    }
    assert!(!pooled_table(&board, Style::new(120)).contains("Each cell"));
}

/// Rankings of three tasks, one of which lacks a model, with two pretraining seeds of another.
fn rankings() -> ModelBoard {
    let mut board = models();
    let mut rows = board.rows.clone();
    let mut second = rows[0].clone();
    (second.label, second.run) = ("bert 0.83M mixed 20k/seed1".into(), Some("second".into()));
    (rows[0].label, second.value) = ("bert 0.83M mixed 20k/seed0".into(), Some(2.45));
    second.rank = Some(2);
    rows.insert(1, second);
    board.rows.clear();
    for (place, dataset) in ["bbbp", "freesolv", "lipo"].into_iter().enumerate() {
        let kept = rows.iter().filter(|row| place != 1 || row.kind != ModelKind::Control);
        board.rows.extend(kept.cloned().map(|mut row| {
            row.dataset = dataset.into();
            row.value = row.value.map(|value| value + place as f64);
            row.higher_is_better = dataset == "bbbp";
            row
        }));
    }
    board
}

#[test]
fn models_over_tasks_with_mean_rank_and_borda_fit_one_screen() {
    let board = rankings();
    for width in [80, 120] {
        let text = model_table(&board, Style::new(width));
        fits(&text, width);
        assert!(text.lines().count() <= 40, "{text}");
        insta::assert_snapshot!(format!("standings_{width}"), text);
    }
    let all = model_page(&board, true, Style::new(80));
    fits(&all, 80);
    assert!(all.contains("seed1") && ["bbbp", "freesolv", "lipo"].iter().all(|task| all.contains(task)), "{all}");
    assert!(standing_table(&board, false, Style::ascii(80)).is_ascii());
    for width in 40..160 {
        fits(&standing_table(&board, false, Style::new(width)), width);
    }
    let mut mixed = board;
    mixed.rows[0].split_digest = "another!!".into();
    let text = model_table(&mixed, Style::new(120)).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("Not counted: bbbp expt (probe) has several splits or scores (76543210, another!)"), "{text}");
}
