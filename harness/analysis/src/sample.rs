//! Rows for the tests: runs whose loss and RMSE fall together, with a little noise.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::{
    Budget, CheckpointRef, Comparable, CorpusOutput, CostClass, Coverage, DatasetOutput, Direction, ErrorKind, Measure,
    MetricInfo, Objective, PluginRef, Precision, RunFacts, Scope, TaskKind,
};
use clmbench_store::{BaselineRow, MetricRow, RefusedTaskRow, RunRow, ScoreRow};

use crate::{
    inputs::{FailedCell, Inputs},
    variant::Variant,
};

pub(crate) fn run_row(number: usize) -> RunRow {
    RunRow {
        run: format!("run{number:03}"),
        label: format!("bert size {} corpus {}", number % 4, number / 4 % 2),
        architecture: "bert".into(),
        objective: Objective::MaskedLm,
        config_json: format!("{{\"layers\":{}}}", number % 4),
        corpus: "mixed".into(),
        imported: false,
        source: None,
        corpus_molecules: Some(5_000 * (1 + 3 * (number as u64 / 4 % 2))),
        tokens: Some(1_000_000),
        seed: Some(number as u64),
        configuration: format!("configuration {number}"),
        non_embedding_parameters: 60_000 * (1 + number as u64 % 4).pow(2),
        total_parameters: 100_000,
        training_flops: Some(6e10),
        learning_rate: Some(1e-3 / (1 + number % 4) as f64),
        epochs: Some(10.0),
        control: false,
        diverged: false,
        divergence: None,
        tokenizer_digest: "tokenizer".into(),
        corpus_digest: "corpus".into(),
        last_weights: format!("weights{number:03}"),
        n_checkpoints: 3,
        seconds: 1.0,
        device: "cpu".into(),
        precision: "float32".into(),
        libtorch: "2.11.0".into(),
    }
}

pub(crate) fn metric_row(run: &str, metric: &str, value: f64) -> MetricRow {
    MetricRow {
        cell: format!("cell {run} {metric}"),
        run: run.into(),
        weights_digest: run.replace("run", "weights"),
        annealed: true,
        last: true,
        metric: metric.into(),
        params_json: "{}".into(),
        budget: Budget::Quick,
        value_name: "value".into(),
        primary: true,
        unit: "nats".into(),
        value,
        se_estimator: Some(0.01),
        se_sample: Some(0.01),
        std_error: 0.014,
        error_kind: ErrorKind::Statistical,
        heldout_digest: "heldout".into(),
        tokenizer_digest: "tokenizer".into(),
        dataset: None,
        molecules: 4_096,
        gradient_equivalents: 0.3,
        stopped: "complete".into(),
        seconds: 2.0,
        device: "cpu".into(),
        libtorch: "2.11.0".into(),
    }
}

/// A cell that failed for one of the runs of [`suite`].
pub(crate) fn failed_cell(metric: &str, number: u64) -> FailedCell {
    let plugin = PluginRef { name: "x".into(), version: "0.1.0".into(), digest: None };
    let spec = Measure {
        revision: 1,
        plugin: plugin.clone(),
        metric: metric.into(),
        params: serde_json::Map::new(),
        budget: Budget::Quick,
        checkpoint: CheckpointRef {
            weights_digest: format!("weights{number:03}"),
            plugin,
            architecture: "bert".into(),
            config: serde_json::Map::new(),
            objective: Objective::MaskedLm,
            special: None,
            head_is_random: false,
        },
        record: RunFacts {
            non_embedding_parameters: 1,
            total_parameters: 1,
            tokens: Some(1),
            corpus_molecules: Some(1),
            training_flops: Some(1.0.into()),
        },
        heldout_digest: "heldout".into(),
        tokenizer_digest: "tokenizer".into(),
        train: None,
        seed: 1,
        precision: Precision::Float32,
        threads: 1,
        dataset: None,
        embeddings: None,
        history: None,
        others: Vec::new(),
    };
    FailedCell { variant: Variant::of_spec(&spec), spec }
}

pub(crate) fn score_row(run: &str, value: f64) -> ScoreRow {
    ScoreRow {
        cell: format!("transfer {run}"),
        run: run.into(),
        weights_digest: run.replace("run", "weights"),
        checkpoint: "checkpoint-3".into(),
        annealed: true,
        last: true,
        dataset: "freesolv".into(),
        task: "expt".into(),
        task_kind: TaskKind::Regression,
        protocol: "probe".into(),
        split_digest: "split".into(),
        data_digest: "data".into(),
        score: "rmse".into(),
        value,
        higher_is_better: false,
        primary: true,
        se_test: 0.1,
        se_seed: None,
        mean_predictor: 4.0,
        n_train: 513,
        n_validation: 64,
        n_test: 65,
        seed: 1,
        fixed_learning_rate: false,
        seconds: 0.1,
        device: "cpu".into(),
        libtorch: "2.11.0".into(),
    }
}

/// A forest on the task of [`score_row`].
pub(crate) fn baseline_row(baseline: &str, seed: u64, value: f64) -> BaselineRow {
    BaselineRow {
        cell: format!("{baseline} {seed}"),
        baseline: baseline.into(),
        dataset: "freesolv".into(),
        task: "expt".into(),
        task_kind: TaskKind::Regression,
        split_digest: "split".into(),
        data_digest: "data".into(),
        score: "rmse".into(),
        value,
        higher_is_better: false,
        primary: true,
        se_test: 0.1,
        se_seed: None,
        mean_predictor: 4.0,
        n_train: 513,
        n_validation: 64,
        n_test: 65,
        seed,
        seconds: 0.1,
        device: "cpu".into(),
        libtorch: "2.11.0".into(),
    }
}

/// The dataset of [`score_row`] under this name; its labels were not looked over.
pub(crate) fn dataset(name: &str) -> DatasetOutput {
    DatasetOutput {
        source: "moleculenet".into(),
        dataset: name.into(),
        tasks: vec![],
        rows: 642,
        invalid: vec![],
        counts: (513, 64, 65),
        truncated: 0,
        unknown_token_molecules: 0,
        duplicate_groups: 0,
        leaked: 0,
        sha256_csv: String::new(),
        data_digest: "data".into(),
        split_digest: "split".into(),
        tokenizer_digest: "tokenizer".into(),
        train_sd: vec![],
        multi_fragment: 0,
        tokens: (0, 0),
        checks: vec![],
    }
}

pub(crate) fn refused_row(run: &str, task: &str) -> RefusedTaskRow {
    RefusedTaskRow {
        cell: format!("transfer {run}"),
        run: run.into(),
        checkpoint: "checkpoint-3".into(),
        last: true,
        dataset: "tox21".into(),
        task: task.into(),
        score: "roc_auc".into(),
        protocol: "probe".into(),
        split_digest: "split".into(),
        data_digest: "data".into(),
        reason: "the test molecules are all of class 0".into(),
    }
}

pub(crate) fn metric_info(id: &str) -> MetricInfo {
    MetricInfo {
        id: id.into(),
        doc: String::new(),
        citation: String::new(),
        unit: "nats".into(),
        primary: "value".into(),
        direction: Direction::LowerIsBetter,
        scope: Scope::Checkpoint,
        cost: CostClass::Cheap,
        comparable: Comparable::SameEvaluation,
        objectives: vec![],
        tasks: Vec::new(),
        parameters: vec![],
        trivial: false,
    }
}

/// `n` runs with the metrics `loss/mlm_loss` and `trivial/parameters`, scored on one task.
pub(crate) fn suite(n: usize) -> Inputs {
    let runs: Vec<RunRow> = (0..n).map(run_row).collect();
    let mut metrics = Vec::new();
    let mut scores = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let noise = ((number * 7) % 5) as f64 * 0.01;
        let loss = 2.0 - 0.05 * number as f64 + noise;
        metrics.push(metric_row(&run.run, "loss/mlm_loss", loss));
        metrics.push(metric_row(&run.run, "trivial/parameters", (run.non_embedding_parameters as f64).ln()));
        scores.push(score_row(&run.run, 1.5 + loss + ((number * 3) % 7) as f64 * 0.01));
    }
    let mut parameters = metric_info("trivial/parameters");
    parameters.direction = Direction::HigherIsBetter;
    parameters.comparable = Comparable::Any;
    parameters.trivial = true;
    let corpus = CorpusOutput {
        corpus: "mixed".into(),
        molecules: 5_000,
        tokens: 150_000,
        heldout_molecules: 512,
        heldout_tokens: 15_000,
        invalid: 0,
        duplicates: 0,
        excluded: 0,
        truncated: 0,
        unigram_cross_entropy: 2.2.into(),
        unigram_se: 0.01.into(),
        bigram_cross_entropy: 1.6.into(),
        bigram_se: 0.01.into(),
        two_neighbour_cross_entropy: 1.1.into(),
        two_neighbour_se: 0.01.into(),
        train_digest: "corpus".into(),
        heldout_digest: "heldout".into(),
        tokenizer_digest: "tokenizer".into(),
        coverage: vec![Coverage {
            test_molecules_removed: 0,
            dataset: "freesolv".into(),
            unknown_token_share: 0.0.into(),
            untrained_token_share: 0.01.into(),
            untrained_position_share: 0.0.into(),
        }],
    };
    Inputs {
        margins: vec![],
        suite: "demo".into(),
        useful_effect: 0.5,
        runs,
        metrics,
        failed: vec![],
        scores,
        refused: vec![],
        predictions: BTreeMap::new(),
        baselines: vec![],
        refused_baselines: vec![],
        datasets: vec![dataset("freesolv")],
        infos: vec![metric_info("loss/mlm_loss"), parameters],
        corpora: vec![corpus],
        unread: BTreeSet::new(),
    }
}
