//! The protocol `baseline` on a prepared dataset.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use clmbench_baselines::{Features, Forest};
use clmbench_engine::transfer::baseline;
use clmbench_molecules::{Part, PreparedDataset, RawTable, prepare_dataset};
use clmbench_protocol::{
    BaselineFeatures, BaselineModel, BaselineProtocol, DatasetOutput, FailureKind, Growth, Number, PluginRef, Protocol,
    SplitSpec, TaskInfo, TaskKind, TokeniseDataset, TokenizerSpec, Transfer, TransferTask, revision,
};

const MOLECULES: usize = 120;
const BITS: BaselineFeatures = BaselineFeatures::Ecfp4 { bits: 1024 };

/// Chains with one end of five; `length` is how many atoms the chain has, `acid` whether it ends in an acid, `never` has no labels.
fn prepare(folder: &Path) -> DatasetOutput {
    let end = |molecule: usize| ["O", "N", "F", "c1ccccc1", "C(=O)O"][molecule % 5];
    let task = |name: &str, kind, score: &str| TaskInfo { name: name.into(), kind, unit: String::new(), score: score.into() };
    let table = RawTable {
        smiles: (0..MOLECULES).map(|molecule| format!("{}{}", "C".repeat(1 + molecule / 5), end(molecule))).collect(),
        labels: (0..MOLECULES)
            .map(|molecule| vec![(1 + molecule / 5).to_string(), u8::from(molecule % 5 == 4).to_string(), String::new()])
            .collect(),
        tasks: vec![
            task("length", TaskKind::Regression, "rmse"),
            task("acid", TaskKind::Classification, "roc_auc"),
            task("never", TaskKind::Regression, "rmse"),
        ],
        subsets: Vec::new(),
        parts: (0..MOLECULES).map(|molecule| ["train", "test", "train", "valid"][molecule / 5 % 4].to_owned()).collect(),
    };
    let spec = TokeniseDataset {
        revision: revision::TOKENISE,
        plugin: PluginRef { name: "made-up".into(), version: "0.1.0".into(), digest: None },
        source: "made-up".into(),
        dataset: "chains".into(),
        files: Vec::new(),
        sha256_csv: None,
        tasks: Vec::new(),
        params: serde_json::Map::new(),
        tokenizer: TokenizerSpec::default(),
        split: SplitSpec { algorithm: "given".into(), seed: None, fractions: (Number(0.6), Number(0.2)), file: None },
    };
    prepare_dataset(&table, &spec, folder).unwrap()
}

fn cell(output: &DatasetOutput, protocol: &BaselineProtocol) -> Transfer {
    let tasks =
        output.tasks.iter().map(|task| TransferTask { name: task.name.clone(), kind: task.kind, score: task.score.clone() });
    Transfer {
        revision: revision::TRANSFER,
        protocol: Protocol::Baseline(protocol.clone()),
        weights_digest: String::new(),
        data_digest: output.data_digest.clone(),
        split_digest: output.split_digest.clone(),
        dataset: "chains".into(),
        tasks: tasks.collect(),
        bootstrap: 50,
        seed: 1,
    }
}

fn models() -> [BaselineModel; 3] {
    [
        BaselineModel::RandomForest { trees: 20, growth: Growth::default() },
        BaselineModel::Boosting { rounds: 30, learning_rate: Number(0.3), depth: 4 },
        BaselineModel::Linear { strengths: [1e-2, 1.0, 1e2].map(Number).to_vec() },
    ]
}

#[test]
fn every_model_on_every_feature_beats_the_mean_and_refuses_what_has_no_labels() {
    let folder = tempfile::tempdir().unwrap();
    let output = prepare(folder.path());
    for features in [BITS, BaselineFeatures::Ecfp4 { bits: 2048 }, BaselineFeatures::Descriptors] {
        for model in models() {
            let protocol = BaselineProtocol { features, model, seed: 3, threads: 2 };
            let label = protocol.label();
            let tasks = baseline::run(&cell(&output, &protocol), &protocol, folder.path()).unwrap().tasks;
            assert_eq!(tasks.iter().map(|task| task.refused.is_some()).collect::<Vec<_>>(), [false, false, true], "{label}");
            assert_eq!(tasks[0].strength.is_some(), matches!(protocol.model, BaselineModel::Linear { .. }));
            let [length, acid] = [&tasks[0], &tasks[1]].map(|task| task.scores.iter().find(|score| score.primary).unwrap());
            assert_eq!((length.name.as_str(), acid.name.as_str()), ("rmse", "roc_auc"));
            assert!(acid.value.0 > 0.99, "{label}: {}", acid.value.0);
            // Bits do not count: a long chain has those of a longer one.
            let share = if features == BaselineFeatures::Descriptors { 0.2 } else { 1.0 };
            assert!(length.value.0 < share * length.mean_predictor.0, "{label}: {} {}", length.value.0, length.mean_predictor.0);
        }
    }
}

#[test]
fn a_forest_is_fitted_to_training_molecules_alone_and_is_the_same_on_any_threads() {
    let folder = tempfile::tempdir().unwrap();
    let output = prepare(folder.path());
    let run = |threads, seed| {
        let model = BaselineModel::RandomForest { trees: 20, growth: Growth::default() };
        let protocol = BaselineProtocol { features: BITS, model, seed, threads };
        baseline::run(&cell(&output, &protocol), &protocol, folder.path()).unwrap().tasks[0].clone()
    };
    let found = run(1, 5);
    assert_eq!(found, run(3, 5));
    assert_ne!(found, run(1, 6));
    let data = PreparedDataset::open(folder.path()).unwrap();
    let (train, test) = (data.places(Part::Train), data.places(Part::Test));
    let labels = data.task("length").unwrap();
    let labels: Vec<f64> = train.iter().map(|place| labels[*place]).collect();
    let features = Features::of(BITS, &data.canonical).unwrap();
    let forest = Forest { trees: 20, growth: Growth::default(), seed: 5 };
    let wanted = forest.fit_predict(&features, (&train, &labels), false, &test).unwrap();
    assert_eq!(found.predictions.iter().map(|row| row.2.0).collect::<Vec<_>>(), wanted);
}

#[test]
fn what_is_not_possible_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = prepare(folder.path());
    let failure = |features, model, data: Option<&str>| {
        let protocol = BaselineProtocol { features, model, seed: 0, threads: 1 };
        let mut cell = cell(&output, &protocol);
        if let Some(digest) = data {
            cell.data_digest = digest.into();
        }
        baseline::run(&cell, &protocol, folder.path()).unwrap_err()
    };
    let found = failure(BaselineFeatures::Ecfp4 { bits: 99 }, models()[0].clone(), None);
    assert_eq!(
        (found.kind, found.message.as_str()),
        (FailureKind::BadInput, "baseline: fingerprints have 1024 or 2048 bits, not 99")
    );
    let found = failure(BITS, BaselineModel::RandomForest { trees: 0, growth: Growth::default() }, None);
    assert_eq!(found.message, "baseline: a number of trees of 0 is not possible; at least 1 is needed");
    assert_eq!(failure(BITS, BaselineModel::Linear { strengths: Vec::new() }, None).kind, FailureKind::BadInput);
    assert_eq!(failure(BITS, models()[1].clone(), Some("other")).kind, FailureKind::CorruptFile);
}
