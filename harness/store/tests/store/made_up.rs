//! Made-up suites, cells and results.

use clmbench_protocol::{
    BaselineFeatures, BaselineModel, BaselineProtocol, Budget, CellOutput, CellReport, CellSpec, CheckpointOutput, CheckpointRef,
    CorpusOutput, DatasetOutput, ErrorKind, FileRef, FinetuneProtocol, FinetuneRecord, FinetuneTrial, Import, ImportOutput,
    Measure, MeasureOutput, MetricValue, Number, Objective, OutputFile, PluginRef, Precision, Pretrain, PretrainOutput,
    ProbeProtocol, Protocol, RunFacts, Schedule, ScheduleKind, ScoreValue, SmilesForm, Special, SplitSpec, TaskInfo, TaskKind,
    TaskTransfer, TokeniseCorpus, TokeniseDataset, TokenizerSpec, Transfer, TransferOutput, TransferTask,
};
use clmbench_store::{NewCell, NewSuite};
use serde_json::{Map, json};

pub fn suite(name: &str) -> NewSuite {
    NewSuite {
        name: name.into(),
        digest: format!("digest of {name}"),
        toml: format!("[suite]\nname = \"{name}\""),
        expect: Some("cannot_tell".into()),
        useful_effect: 0.5,
        plan_json: "{}".into(),
    }
}

pub fn cell(key: &str, stage: &str, dependencies: &[&str]) -> NewCell {
    NewCell {
        key: key.into(),
        stage: stage.into(),
        label: format!("label of {key}"),
        dependencies: dependencies.iter().map(|key| (*key).into()).collect(),
        source: None,
        tokens: None,
        molecules: None,
    }
}

pub fn report(output: CellOutput) -> CellReport {
    CellReport {
        output,
        files: vec![OutputFile { path: "a/b.bin".into(), blake3: "00".into(), bytes: 7 }],
        seconds: 1.25,
        peak_rss_bytes: 1 << 33,
        device: "cpu".into(),
        libtorch: "2.11.0".into(),
        build: "test".into(),
    }
}

fn plugin() -> PluginRef {
    PluginRef { name: "clmbench-plugin-x".into(), version: "0.1.0".into(), digest: None }
}

fn config() -> Map<String, serde_json::Value> {
    Map::from_iter([("width".to_owned(), json!(64)), ("layers".to_owned(), json!(2))])
}

pub fn corpus_spec(size: u64) -> CellSpec {
    CellSpec::TokeniseCorpus(TokeniseCorpus {
        revision: 1,
        corpus: "mixed".into(),
        size,
        heldout: 10,
        sources: vec![],
        seed: u64::MAX,
        form: SmilesForm::Canonical,
        tokenizer: TokenizerSpec::default(),
        exclude: vec![],
    })
}

pub fn corpus_output(size: u64) -> CellOutput {
    CellOutput::TokeniseCorpus(CorpusOutput {
        corpus: "mixed".into(),
        molecules: size,
        tokens: size * 30,
        heldout_molecules: 10,
        heldout_tokens: 300,
        invalid: 0,
        duplicates: 1,
        excluded: 2,
        truncated: 0,
        unigram_cross_entropy: Number(2.5),
        unigram_se: Number(0.01),
        bigram_cross_entropy: Number(1.75),
        bigram_se: Number(0.02),
        two_neighbour_cross_entropy: Number(1.25),
        two_neighbour_se: Number(0.03),
        train_digest: format!("train-{size}"),
        heldout_digest: "heldout".into(),
        tokenizer_digest: "tokenizer".into(),
        coverage: vec![],
    })
}

pub fn dataset_spec() -> CellSpec {
    CellSpec::TokeniseDataset(TokeniseDataset {
        revision: 1,
        plugin: plugin(),
        source: "moleculenet".into(),
        dataset: "freesolv".into(),
        files: vec![FileRef { name: "f.csv".into(), sha256: "ab".into() }],
        sha256_csv: None,
        tasks: Vec::new(),
        params: Default::default(),
        tokenizer: TokenizerSpec::default(),
        split: SplitSpec { algorithm: "scaffold".into(), seed: None, fractions: (Number(0.8), Number(0.1)), file: None },
    })
}

pub fn dataset_output() -> CellOutput {
    CellOutput::TokeniseDataset(DatasetOutput {
        multi_fragment: 0,
        tokens: (0, 0),
        checks: Vec::new(),
        source: "moleculenet".into(),
        dataset: "freesolv".into(),
        tasks: vec![TaskInfo { name: "expt".into(), kind: TaskKind::Regression, unit: "kcal/mol".into(), score: "rmse".into() }],
        rows: 642,
        invalid: vec![(3, "<script>alert(1)</script>\u{1b}[31m =cmd|' /C calc'!A0 \u{202e} \u{0}".into())],
        counts: (513, 64, 65),
        truncated: 0,
        unknown_token_molecules: 0,
        duplicate_groups: 0,
        leaked: 0,
        sha256_csv: "cd".into(),
        data_digest: "data".into(),
        split_digest: "split".into(),
        tokenizer_digest: "tokenizer".into(),
        train_sd: vec![Number(3.8)],
    })
}

pub fn pretrain_spec(tokens: u64, corpus: u64, seed: u64) -> CellSpec {
    CellSpec::Pretrain(Pretrain {
        revision: 1,
        plugin: plugin(),
        architecture: "bert".into(),
        config: config(),
        objective: Objective::MaskedLm,
        corpus_digest: format!("train-{corpus}"),
        tokenizer_digest: "tokenizer".into(),
        tokens,
        checkpoints: 2,
        batch: 32,
        accumulate: 1,
        learning_rate: Number(1e-3),
        schedule: Schedule { kind: ScheduleKind::ConstantWithCooldown, warmup: Number(0.1), cooldown: Number(0.2) },
        mask_ratio: Number(0.15),
        weight_decay: Number(0.01),
        betas: (Number(0.9), Number(0.98)),
        clip: Number(1.0),
        seed,
        precision: Precision::Float32,
        threads: 1,
    })
}

/// Two annealed checkpoints and a raw one between them; the weights are named after `weights`.
pub fn pretrain_output(tokens: u64, corpus: u64, weights: &str, diverged: bool) -> CellOutput {
    let checkpoint = |step: u64, annealed: bool, last: bool| CheckpointOutput {
        folder: format!("checkpoint-{step}"),
        step,
        tokens: tokens * step / 4,
        annealed,
        last,
        learning_rate: Number(0.0),
        training_loss: Number(if diverged { f64::NAN } else { 1.5 }),
        training_flops: Number(6e6 * step as f64),
        weights_digest: format!("{weights}-{step}"),
    };
    CellOutput::Pretrain(PretrainOutput {
        non_embedding_parameters: 1_000,
        total_parameters: 2_000,
        corpus_molecules: corpus,
        epochs: Number(2.5),
        diverged,
        divergence: diverged.then(|| "the training loss is not finite".into()),
        checkpoints: vec![checkpoint(2, true, false), checkpoint(3, false, false), checkpoint(4, true, true)],
    })
}

fn checkpoint(weights: &str) -> CheckpointRef {
    CheckpointRef {
        weights_digest: weights.into(),
        plugin: plugin(),
        architecture: "bert".into(),
        config: config(),
        objective: Objective::MaskedLm,
        special: None,
        head_is_random: false,
    }
}

pub fn measure_spec(metric: &str, weights: &str, tokens: u64, corpus: u64) -> CellSpec {
    CellSpec::Measure(Measure {
        revision: 1,
        plugin: plugin(),
        metric: metric.into(),
        params: Map::from_iter([("probes".to_owned(), json!(8))]),
        budget: Budget::Quick,
        checkpoint: checkpoint(weights),
        record: RunFacts {
            non_embedding_parameters: 1_000,
            total_parameters: 2_000,
            tokens: Some(tokens),
            corpus_molecules: Some(corpus),
            training_flops: Some(Number(1e9)),
        },
        heldout_digest: "heldout".into(),
        tokenizer_digest: "tokenizer".into(),
        train: None,
        seed: 3,
        precision: Precision::Float32,
        threads: 1,
        dataset: None,
        embeddings: None,
        history: None,
        others: Vec::new(),
    })
}

/// A measurement on a checkpoint of others, of whose training nothing is known.
pub fn imported_measure_spec(weights: &str) -> CellSpec {
    let mut spec = measure_spec("loss/mlm_loss", weights, 0, 0);
    if let CellSpec::Measure(spec) = &mut spec {
        (spec.record.tokens, spec.record.corpus_molecules, spec.record.training_flops) = (None, None, None);
    }
    spec
}

pub fn import_spec(control: Option<u64>) -> CellSpec {
    CellSpec::Import(Import {
        revision: 1,
        plugin: plugin(),
        architecture: "bert".into(),
        files: vec![FileRef { name: "model.safetensors".into(), sha256: "cd".into() }],
        max_tokens: 128,
        control,
        threads: 2,
    })
}

pub fn import_output(weights: &str) -> CellOutput {
    CellOutput::Import(ImportOutput {
        architecture: "bert".into(),
        config: config(),
        objective: Objective::MaskedLm,
        non_embedding_parameters: 1_000,
        total_parameters: 2_000,
        vocabulary: 600,
        tokenizer_entries: 591,
        tokenizer_kind: "WordPiece".into(),
        max_tokens: 128,
        max_positions: 512,
        tokenizer_digest: "theirs".into(),
        special: Special::default(),
        head_is_random: false,
        checkpoint: CheckpointOutput {
            folder: "checkpoint-0".into(),
            step: 0,
            tokens: 0,
            annealed: true,
            last: true,
            learning_rate: Number(0.0),
            training_loss: Number(f64::NAN),
            training_flops: Number(0.0),
            weights_digest: weights.into(),
        },
        notes: vec!["the pooler is absent".into()],
    })
}

pub fn measure_output(primary: f64, other: f64) -> CellOutput {
    let value = |name: &str, value: f64, primary: bool| MetricValue {
        name: name.into(),
        value: Number(value),
        unit: "nats".into(),
        se_estimator: primary.then_some(Number(f64::NAN)),
        se_sample: None,
        std_error: Number(0.125),
        error_kind: ErrorKind::Statistical,
        primary,
    };
    CellOutput::Measure(MeasureOutput {
        values: vec![value("loss", primary, true), value("spread", other, false)],
        molecules: 4_096,
        gradient_equivalents: Number(1.0 / 3.0),
        stopped: "complete".into(),
    })
}

fn task(name: &str, kind: TaskKind, score: &str) -> TransferTask {
    TransferTask { name: name.into(), kind, score: score.into() }
}

pub fn transfer_spec(weights: &str) -> CellSpec {
    CellSpec::Transfer(Transfer {
        revision: 2,
        protocol: Protocol::Probe(ProbeProtocol {
            embedding_digest: "embedding".into(),
            strengths: vec![Number(0.1), Number(1.0)],
        }),
        weights_digest: weights.into(),
        data_digest: "data".into(),
        split_digest: "split".into(),
        dataset: "freesolv".into(),
        tasks: vec![task("expt", TaskKind::Regression, "rmse")],
        bootstrap: 1_000,
        seed: 5,
    })
}

/// A fine-tuning on two tasks for classification.
pub fn finetune_spec(weights: &str, seed: u64, searched: bool) -> CellSpec {
    CellSpec::Transfer(Transfer {
        revision: 2,
        protocol: Protocol::Finetune(Box::new(FinetuneProtocol {
            checkpoint: checkpoint(weights),
            tokenizer_digest: "tokenizer".into(),
            learning_rates: vec![Number(1e-4), Number(3e-4)],
            searched,
            epochs: 3,
            patience: 5,
            batch: 32,
            warmup: Number(0.1),
            weight_decay: Number(0.01),
            betas: (Number(0.9), Number(0.999)),
            clip: Number(1.0),
            seed,
            precision: Precision::Float32,
            threads: 1,
        })),
        weights_digest: weights.into(),
        data_digest: "toxic".into(),
        split_digest: "toxic split".into(),
        dataset: "tox21".into(),
        tasks: vec![task("nr-ar", TaskKind::Classification, "roc_auc"), task("sr-p53", TaskKind::Classification, "roc_auc")],
        bootstrap: 1_000,
        seed: 5,
    })
}

/// A forest on the task of [`transfer_spec`].
pub fn baseline_spec(seed: u64) -> CellSpec {
    let CellSpec::Transfer(probe) = transfer_spec("") else { unreachable!("it is a transfer") };
    let features = BaselineFeatures::Ecfp4 { bits: 2048 };
    let model = BaselineModel::RandomForest { trees: 100, growth: Default::default() };
    CellSpec::Transfer(Transfer { protocol: Protocol::Baseline(BaselineProtocol { features, model, seed, threads: 2 }), ..probe })
}

/// Its result: no strength, and one task without a score if `refused`.
pub fn baseline_output(rmse: f64, refused: bool) -> CellOutput {
    let CellOutput::Transfer(mut output) = transfer_output(rmse, vec![(3, 1.0, -0.5)]) else { unreachable!("it is a transfer") };
    let task = &mut output.tasks[0];
    (task.strength, task.validation) = (None, Vec::new());
    if refused {
        (task.refused, task.scores, task.predictions) = (Some("one label".into()), Vec::new(), Vec::new());
    }
    CellOutput::Transfer(output)
}

fn score(name: &str, value: f64, higher_is_better: bool, primary: bool, mean_predictor: f64) -> ScoreValue {
    ScoreValue {
        name: name.into(),
        value: Number(value),
        higher_is_better,
        primary,
        se_test: Number(0.1),
        se_seed: None,
        mean_predictor: Number(mean_predictor),
    }
}

fn numbers(predictions: Vec<(u64, f64, f64)>) -> Vec<(u64, Number, Number)> {
    predictions.into_iter().map(|(row, label, value)| (row, Number(label), Number(value))).collect()
}

pub fn transfer_output(rmse: f64, predictions: Vec<(u64, f64, f64)>) -> CellOutput {
    CellOutput::Transfer(TransferOutput {
        tasks: vec![TaskTransfer {
            task: "expt".into(),
            task_kind: TaskKind::Regression,
            counts: (513, 64, 65),
            refused: None,
            strength: Some(Number(1.0)),
            validation: vec![(Number(0.1), Number(2.0)), (Number(1.0), Number(f64::INFINITY))],
            scores: vec![score("rmse", rmse, false, true, 4.2), score("r2", f64::NEG_INFINITY, true, false, 4.2)],
            absent: Vec::new(),
            predictions: numbers(predictions),
        }],
        finetune: None,
    })
}

/// One task with scores and one that is refused.
pub fn finetune_output(roc_auc: f64, predictions: Vec<(u64, f64, f64)>) -> CellOutput {
    CellOutput::Transfer(TransferOutput {
        tasks: vec![
            TaskTransfer {
                task: "nr-ar".into(),
                task_kind: TaskKind::Classification,
                counts: (400, 50, 51),
                refused: None,
                strength: None,
                validation: vec![],
                scores: vec![score("roc_auc", roc_auc, true, true, 0.5), score("pr_auc", 0.3, true, false, 0.1)],
                absent: Vec::new(),
                predictions: numbers(predictions),
            },
            TaskTransfer {
                task: "sr-p53".into(),
                task_kind: TaskKind::Classification,
                counts: (400, 50, 48),
                refused: Some("the test molecules are all of class 0".into()),
                strength: None,
                validation: vec![],
                scores: vec![],
                absent: Vec::new(),
                predictions: vec![],
            },
        ],
        finetune: Some(FinetuneRecord {
            tried: vec![
                FinetuneTrial {
                    learning_rate: Number(1e-4),
                    validation: vec![Number(0.6), Number(0.5)],
                    training: vec![Number(0.7), Number(0.4)],
                    diverged: false,
                },
                FinetuneTrial {
                    learning_rate: Number(3e-4),
                    validation: vec![Number(f64::NAN)],
                    training: vec![Number(f64::INFINITY)],
                    diverged: true,
                },
            ],
            learning_rate: Number(1e-4),
            epoch: 2,
            weights_file: "end.safetensors".into(),
            relative_displacement: Number(0.01),
        }),
    })
}
