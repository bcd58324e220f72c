//! Hand-made boards.
#![allow(dead_code)] // each test file uses some of them

use clmbench_analysis::{Details, ExcludedRun, GainDetails, ModelBoard, ModelKind, ModelRow, Pool, PredictorBoard, PredictorRow};
use clmbench_protocol::{Objective, TaskKind};
use clmbench_stats::{PermutationTest, RandomBand, minimum_detectable_r};
use clmbench_store::FitRow;

pub fn predictor(metric: &str, n: u32, spearman: f64, trivial: bool) -> PredictorRow {
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
        suite: "demo".into(),
        rank: 1,
        fit,
        spearman_low90: None,
        spearman_high90: shown.then_some((spearman + 0.3).min(1.0)),
        leaked_test_molecules: None,
        conflicting_labels: None,
        details,
    }
}

pub fn predictors(rows: Vec<PredictorRow>) -> PredictorBoard {
    PredictorBoard {
        schema: "clmbench/leaderboard-predictors/1",
        generated_by: "clmbench test",
        rows,
        pooled: vec![],
        order: clmbench_analysis::Order::default(),
        suite: "demo".into(),
        expect: Some("cannot_tell".into()),
        useful_effect: 0.5,
        refused: vec![],
        lacking: vec![],
        stale: false,
        labels: vec![],
    }
}

pub fn demo() -> PredictorBoard {
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

pub fn model(rank: u32, kind: ModelKind, label: &str, value: f64) -> ModelRow {
    let run = kind == ModelKind::Run;
    ModelRow {
        suite: "demo".into(),
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

pub fn models() -> ModelBoard {
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

pub fn fits(text: &str, width: usize) {
    assert!(text.ends_with('\n'));
    assert!(text.lines().all(|line| line.chars().count() <= width), "wider than {width}:\n{text}");
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "control character");
}

/// Four datasets under two protocols: more fits than lines on a screen.
pub fn many() -> PredictorBoard {
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
