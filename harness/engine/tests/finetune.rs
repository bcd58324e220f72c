//! Fine-tuning from the outside: determinism, what is learnt and what is left alone, what is kept, what is refused.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard},
};

use clmbench_engine::{
    checkpoint,
    failure::Result,
    model::{Model, Vocabulary},
    report::Reporter,
    seed,
    transfer::{
        finetune,
        head::Head,
        probe,
        sketch::Sketch,
        targets::Targets,
        task::TaskData,
        trial::{Setup, outputs},
    },
};
use clmbench_molecules::{Part, PreparedDataset, TokenCache, TokenCacheBuilder};
use clmbench_protocol::{
    CheckpointRef, DatasetOutput, FailureKind, FinetuneProtocol, Number, Objective, PluginRef, Precision, ProbeProtocol,
    Protocol, TaskInfo, TaskKind, Transfer, TransferOutput, TransferTask, revision,
};
use common::module;
use tch::{Kind, Tensor};

const MOLECULES: usize = 160;

/// libtorch's generator is the process's, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    tch::set_num_threads(1);
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn model(weights: u64) -> Model {
    seed::drawn(weights, || Model::build(module(), "tiny", &serde_json::Map::new(), Vocabulary::new(30, 32))).unwrap()
}

/// Tokens of a molecule: token 7 is what the labels count.
fn tokens(molecule: usize) -> Vec<u16> {
    let length = 6 + molecule * 13 % 17;
    let body = (0..length).map(|position| (6 + (molecule * molecule * 7 + position * (3 + molecule % 5)) % 11) as u16);
    std::iter::once(2).chain(body).chain(std::iter::once(3)).collect()
}

fn share(molecule: usize) -> f64 {
    let tokens = tokens(molecule);
    tokens.iter().filter(|token| **token == 7).count() as f64 / tokens.len() as f64
}

/// Labels of a task by molecule, NaN = missing.
struct Column {
    name: &'static str,
    kind: TaskKind,
    labels: Vec<f64>,
}

fn regression() -> Column {
    Column { name: "share", kind: TaskKind::Regression, labels: (0..MOLECULES).map(|m| 10.0 * share(m) - 3.0).collect() }
}

fn classes() -> Column {
    let labels = (0..MOLECULES).map(|m| f64::from(u8::from(share(m) > 0.08))).collect();
    Column { name: "many", kind: TaskKind::Classification, labels }
}

fn dataset(columns: &[Column]) -> PreparedDataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.bin");
    let mut builder = TokenCacheBuilder::new(32, 30);
    for molecule in 0..MOLECULES {
        builder.push(&tokens(molecule)).unwrap();
    }
    builder.write(&path).unwrap();
    let part = |molecule: usize| match molecule % 10 {
        0..6 => Part::Train,
        6..8 => Part::Valid,
        _ => Part::Test,
    };
    let tasks = columns.iter().map(|column| TaskInfo {
        name: column.name.into(),
        kind: column.kind,
        unit: String::new(),
        score: String::new(),
    });
    PreparedDataset {
        output: DatasetOutput {
            multi_fragment: 0,
            tokens: (0, 0),
            checks: Vec::new(),
            source: "made-up".into(),
            dataset: "counts".into(),
            tasks: tasks.collect(),
            rows: MOLECULES as u64,
            invalid: Vec::new(),
            counts: (0, 0, 0),
            truncated: 0,
            unknown_token_molecules: 0,
            duplicate_groups: 0,
            leaked: 0,
            sha256_csv: String::new(),
            data_digest: String::new(),
            split_digest: String::new(),
            tokenizer_digest: String::new(),
            train_sd: Vec::new(),
        },
        rows: (1000..1000 + MOLECULES as u64).collect(),
        smiles: Vec::new(),
        canonical: Vec::new(),
        scaffolds: Vec::new(),
        parts: (0..MOLECULES).map(part).collect(),
        labels: (0..MOLECULES).flat_map(|m| columns.iter().map(move |column| column.labels[m])).collect(),
        subsets: Vec::new(),
        tokens: TokenCache::open(&path).unwrap(),
    }
}

fn protocol(rates: &[f64], epochs: u32) -> FinetuneProtocol {
    FinetuneProtocol {
        checkpoint: CheckpointRef {
            weights_digest: "w".into(),
            plugin: PluginRef { name: "tiny".into(), version: "0.1.0".into(), digest: None },
            architecture: "tiny".into(),
            config: serde_json::Map::new(),
            objective: Objective::MaskedLm,
            special: None,
            head_is_random: false,
        },
        tokenizer_digest: String::new(),
        learning_rates: rates.iter().copied().map(Number).collect(),
        searched: rates.len() > 1,
        epochs,
        patience: 0,
        batch: 8,
        warmup: Number(0.1),
        weight_decay: Number(0.01),
        betas: (Number(0.9), Number(0.999)),
        clip: Number(1.0),
        seed: 5,
        precision: Precision::Float32,
        threads: 1,
    }
}

fn spec(columns: &[Column], protocol: Protocol) -> Transfer {
    let score = |kind| if kind == TaskKind::Regression { "rmse" } else { "roc_auc" };
    Transfer {
        revision: revision::TRANSFER,
        protocol,
        weights_digest: "w".into(),
        data_digest: String::new(),
        split_digest: String::new(),
        dataset: "counts".into(),
        tasks: columns
            .iter()
            .map(|column| TransferTask { name: column.name.into(), kind: column.kind, score: score(column.kind).into() })
            .collect(),
        bootstrap: 50,
        seed: 1,
    }
}

fn tune(columns: &[Column], protocol: &FinetuneProtocol, work: &Path) -> Result<TransferOutput> {
    let spec = spec(columns, Protocol::Finetune(Box::new(protocol.clone())));
    finetune::run(&spec, protocol, &model(1), &dataset(columns), work, &Reporter::silent())
}

fn tuned(columns: &[Column], protocol: &FinetuneProtocol) -> TransferOutput {
    tune(columns, protocol, tempfile::tempdir().unwrap().path()).unwrap()
}

fn predictions(output: &TransferOutput, task: usize) -> Vec<f64> {
    output.tasks[task].predictions.iter().map(|row| row.2.0).collect()
}

fn close(found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() <= tolerance * wanted.abs().max(1.0), "{found} is not {wanted}");
    }
}

#[test]
fn the_same_definition_gives_the_same_bits_and_both_kinds_of_task_are_learnt() {
    let _turn = turn();
    let columns = [regression(), classes()];
    let protocol = protocol(&[1e-4, 0.02], 20);
    let first = tuned(&columns, &protocol);
    assert_eq!(first, tuned(&columns, &protocol));
    let record = first.finetune.as_ref().unwrap();
    assert_eq!((record.tried.len(), record.learning_rate.0), (2, 0.02));
    let kept = &record.tried[1];
    assert!(!kept.diverged && kept.validation.len() == 20 && kept.training.len() == 20);
    // Standardised squared error begins near 1, log loss near 0.69: both tasks together near 0.85.
    assert!(kept.training[0].0 > 0.4 && kept.training[19].0 < 0.05, "{:?}", kept.training);
    let best = kept.validation.iter().map(|loss| loss.0).fold(f64::INFINITY, f64::min);
    assert_eq!(kept.validation[record.epoch as usize - 1].0, best);
    assert!(record.relative_displacement.0 > 0.01 && record.relative_displacement.0 < 10.0);
    let score = |task: usize, name: &str| first.tasks[task].scores.iter().find(|row| row.name == name).unwrap().clone();
    assert!(score(0, "r2").value.0 > 0.8 && score(1, "roc_auc").value.0 > 0.95, "{:?}", first.tasks[1].scores);
    assert!(score(0, "rmse").primary && score(1, "roc_auc").primary && !score(1, "pr_auc").primary);
    assert!(first.tasks.iter().flat_map(|task| &task.scores).all(|row| row.se_test.0.is_finite() && row.se_seed.is_none()));
    assert_eq!(first.tasks[0].predictions[0].0, 1008);
    let other = tuned(&columns, &FinetuneProtocol { seed: 6, ..protocol });
    assert_ne!(predictions(&other, 0), predictions(&first, 0));
}

/// Outputs [N, T] of a model with the initial head of transfer seed 5, one molecule at a time.
fn untouched(model: &Model, data: &PreparedDataset, molecules: &[u32], tasks: i64) -> Tensor {
    let _guard = tch::no_grad_guard();
    let head = Head::new(12, tasks, 5, tch::Device::Cpu).unwrap();
    let rows: Vec<Tensor> = molecules
        .iter()
        .map(|molecule| {
            let ids: Vec<i64> = data.tokens.get(*molecule as usize).iter().map(|token| i64::from(*token)).collect();
            let mask = Tensor::ones([1, ids.len() as i64], tch::kind::FLOAT_CPU);
            let mode = clmbench_sdk::api::AttentionMode::TwiceDifferentiable;
            let hidden = model.hidden(&Tensor::from_slice(&ids).unsqueeze(0), &mask, mode).unwrap();
            hidden.mean_dim(&[1_i64][..], false, Kind::Float).matmul(&head.weight.transpose(0, 1)) + &head.bias
        })
        .collect();
    Tensor::cat(&rows, 0)
}

#[test]
fn without_a_learning_rate_the_model_and_its_first_head_predict() {
    let _turn = turn();
    let columns = [regression(), classes()];
    let data = dataset(&columns);
    let output = tuned(&columns, &protocol(&[0.0], 2));
    let test: Vec<u32> = data.places(Part::Test).into_iter().map(|place| place as u32).collect();
    let raw = untouched(&model(1), &data, &test, 2).to_kind(Kind::Double);
    let column = |task: i64| Vec::<f64>::try_from(raw.select(1, task).contiguous()).unwrap();
    let train: Vec<f64> = data.places(Part::Train).into_iter().map(|place| columns[0].labels[place]).collect();
    let mean = train.iter().sum::<f64>() / train.len() as f64;
    let spread = (train.iter().map(|label| (label - mean).powi(2)).sum::<f64>() / train.len() as f64).sqrt();
    close(&predictions(&output, 0), &column(0).iter().map(|value| mean + spread * value).collect::<Vec<_>>(), 1e-5);
    close(&predictions(&output, 1), &column(1).iter().map(|value| 1.0 / (1.0 + (-value).exp())).collect::<Vec<_>>(), 1e-5);
    let record = output.finetune.unwrap();
    assert_eq!((record.relative_displacement.0, record.epoch), (0.0, 1));
    assert_eq!(record.tried[0].validation[0], record.tried[0].validation[1]);
}

/// A setup around the untouched model.
fn with_setup<T>(
    columns: &[Column],
    protocol: &FinetuneProtocol,
    (model, width): (Model, i64),
    body: impl FnOnce(&Setup<'_>) -> T,
) -> T {
    let data = dataset(columns);
    let spec = spec(columns, Protocol::Finetune(Box::new(protocol.clone())));
    let tasks: Vec<TaskData> = spec.tasks.iter().map(|task| TaskData::read(&spec, task, &data).unwrap()).collect();
    let targets = Targets::new(&tasks.iter().collect::<Vec<_>>(), data.len());
    let reporter = Reporter::silent();
    let setup = Setup {
        model: &model,
        start: model.tensors().iter().map(|tensor| tensor.detach().copy()).collect(),
        cache: &data.tokens,
        targets: &targets,
        protocol,
        width,
        sketch: Some(Sketch::of(&model.parameters)),
        reporter: &reporter,
    };
    body(&setup)
}

#[test]
fn predictions_do_not_depend_on_the_batch() {
    let _turn = turn();
    with_setup(&[regression()], &protocol(&[0.01], 1), (model(1), 12), |setup| {
        let head = Head::new(12, 1, 5, tch::Device::Cpu).unwrap();
        let molecules: Vec<u32> = (0..MOLECULES as u32).collect();
        let numbers = |budget| Vec::<f32>::try_from(outputs(setup, &head, &molecules, budget).unwrap().view(-1)).unwrap();
        let alone = numbers(1);
        for budget in [60, 500, 100_000] {
            for (found, wanted) in numbers(budget).iter().zip(&alone) {
                assert!((found - wanted).abs() < 1e-5 * wanted.abs().max(0.1), "{found} is not {wanted}");
            }
        }
    });
}

#[test]
fn a_missing_label_weighs_nothing() {
    let _turn = turn();
    // Molecules 0 and 1 have a label of the first task only, and of the second only.
    let mut columns = [regression(), classes()];
    columns[0].labels[1] = f64::NAN;
    columns[1].labels[0] = f64::NAN;
    with_setup(&columns, &protocol(&[0.01], 1), (model(1), 12), |setup| {
        let at = |values: &[f32]| Tensor::from_slice(values).view([-1, 2]).set_requires_grad(true);
        let molecules = [0_u32, 1, 2];
        let all = at(&[0.3, -0.2, 0.7, 0.1, -1.0, 0.4]);
        let (sum, count) = setup.targets.loss(&all, &molecules).unwrap();
        assert_eq!(count, 4.0);
        let gradient = |loss: &Tensor, at: &Tensor| {
            Vec::<f32>::try_from(Tensor::run_backward(&[loss], &[at], false, false)[0].contiguous().view(-1)).unwrap()
        };
        let found = gradient(&sum, &all);
        assert_eq!((found[1], found[2]), (0.0, 0.0), "{found:?}");
        // The same entries, molecule by molecule, from the formulas.
        let train: Vec<f64> =
            (0..MOLECULES).filter(|m| m % 10 < 6).map(|m| columns[0].labels[m]).filter(|label| !label.is_nan()).collect();
        let mean = train.iter().sum::<f64>() / train.len() as f64;
        let spread = (train.iter().map(|label| (label - mean).powi(2)).sum::<f64>() / train.len() as f64).sqrt();
        let squared = |m: usize, output: f64| 2.0 * (output - (columns[0].labels[m] - mean) / spread);
        let logistic = |m: usize, output: f64| 1.0 / (1.0 + (-output).exp()) - columns[1].labels[m];
        let wanted = [squared(0, 0.3), 0.0, 0.0, logistic(1, 0.1), squared(2, -1.0), logistic(2, 0.4)];
        close(&found.iter().map(|value| f64::from(*value)).collect::<Vec<_>>(), &wanted, 1e-5);
    });
}

#[test]
fn molecules_without_any_label_are_as_good_as_left_out() {
    let _turn = turn();
    // Whatever stands where the labels of unlabelled training molecules would be, a run that leaves them out is the same run.
    let missing = |m: usize| m % 10 < 2;
    let mut half = regression();
    (0..MOLECULES).filter(|m| missing(*m)).for_each(|m| half.labels[m] = f64::NAN);
    let nothing = Column { name: "nothing", kind: TaskKind::Regression, labels: vec![f64::NAN; MOLECULES] };
    let protocol = protocol(&[0.01], 2);
    let alone = tuned(&[Column { name: "share", ..regression_of(&half) }], &protocol);
    let beside = tuned(&[half, nothing], &protocol);
    assert_eq!(alone.tasks[0], beside.tasks[0]);
    assert_eq!(alone.tasks[0].counts.0, MOLECULES as u64 * 4 / 10);
    assert!(beside.tasks[1].refused.as_ref().unwrap().contains("0 for training"));
}

fn regression_of(column: &Column) -> Column {
    Column { name: column.name, kind: column.kind, labels: column.labels.clone() }
}

#[test]
fn units_of_the_label_do_not_matter() {
    let _turn = turn();
    let (plain, mut other) = (regression(), regression());
    other.labels.iter_mut().for_each(|label| *label = 250.0 + 40.0 * *label);
    let protocol = protocol(&[0.01], 4);
    let wanted: Vec<f64> = predictions(&tuned(&[plain], &protocol), 0).iter().map(|value| 250.0 + 40.0 * value).collect();
    close(&predictions(&tuned(&[other], &protocol), 0), &wanted, 1e-4);
}

#[test]
fn the_weights_at_the_end_load_into_the_model() {
    let _turn = turn();
    let columns = [regression()];
    let folder = tempfile::tempdir().unwrap();
    let output = tune(&columns, &protocol(&[0.01], 3), folder.path()).unwrap();
    let record = output.finetune.as_ref().unwrap();
    assert_eq!(record.weights_file, "end.safetensors");
    let (start, end) = (model(1), model(2));
    let file = folder.path().join("end.safetensors");
    end.load(&file, &clmbench_engine::files::digest_of(&file).unwrap()).unwrap();
    let norm = |pick: &dyn Fn(usize) -> Tensor| {
        (0..start.parameters.len()).map(|row| pick(row).square().sum(Kind::Double).double_value(&[])).sum::<f64>().sqrt()
    };
    let _guard = tch::no_grad_guard();
    let path = norm(&|row| &end.parameters[row].tensor - &start.parameters[row].tensor);
    let whole = norm(&|row| start.parameters[row].tensor.copy());
    assert!((record.relative_displacement.0 - path / whole).abs() < 1e-6);
}

#[test]
fn a_rate_that_diverges_is_recorded_and_not_chosen() {
    let _turn = turn();
    let columns = [regression()];
    let output = tuned(&columns, &protocol(&[1e30, 0.01], 2));
    let record = output.finetune.unwrap();
    assert!(record.tried[0].diverged && !record.tried[1].diverged);
    assert_eq!(record.learning_rate.0, 0.01);
    // The trial after it starts from the checkpoint again.
    assert_eq!(record.tried[1], tuned(&columns, &protocol(&[0.01], 2)).finetune.unwrap().tried[0]);
    let failure = tune(&columns, &protocol(&[1e30, 1e32], 2), tempfile::tempdir().unwrap().path()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NonFinite);
    assert!(failure.message.contains("diverged at every learning rate"), "{failure}");
}

#[test]
fn patience_ends_a_training_that_does_not_get_better() {
    let _turn = turn();
    let output = tuned(&[regression()], &FinetuneProtocol { patience: 2, ..protocol(&[0.0], 9) });
    assert_eq!(output.finetune.unwrap().tried[0].validation.len(), 3);
}

#[test]
fn test_labels_change_nothing_but_scores() {
    let _turn = turn();
    let (plain, mut other) = (regression(), regression());
    (0..MOLECULES).filter(|m| m % 10 >= 8).for_each(|m| other.labels[m] *= -100.0);
    let protocol = protocol(&[0.01, 0.002], 2);
    let (a, b) = (tuned(&[plain], &protocol), tuned(&[other], &protocol));
    assert_eq!((a.finetune.clone(), predictions(&a, 0)), (b.finetune.clone(), predictions(&b, 0)));
    assert_ne!(a.tasks[0].scores, b.tasks[0].scores);
}

#[test]
fn odd_definitions_are_refused_and_hopeless_tasks_are_no_failure() {
    let _turn = turn();
    let columns = [regression()];
    let refused = |protocol: FinetuneProtocol| tune(&columns, &protocol, tempfile::tempdir().unwrap().path()).unwrap_err().kind;
    assert_eq!(refused(protocol(&[], 1)), FailureKind::BadInput);
    assert_eq!(refused(protocol(&[f64::NAN], 1)), FailureKind::BadInput);
    assert_eq!(refused(protocol(&[0.1], 0)), FailureKind::BadInput);
    assert_eq!(refused(FinetuneProtocol { batch: 0, ..protocol(&[0.1], 1) }), FailureKind::BadInput);
    assert_eq!(refused(FinetuneProtocol { weight_decay: Number(f64::NAN), ..protocol(&[0.1], 1) }), FailureKind::BadInput);
    assert_eq!(refused(FinetuneProtocol { betas: (Number(0.9), Number(1.0)), ..protocol(&[0.1], 1) }), FailureKind::BadInput);
    let mut unknown = spec(&columns, Protocol::Finetune(Box::new(protocol(&[0.1], 1))));
    unknown.tasks[0].score = "accuracy".into();
    let run = |spec: &Transfer| {
        let folder = tempfile::tempdir().unwrap();
        finetune::run(spec, &protocol(&[0.1], 1), &model(1), &dataset(&columns), folder.path(), &Reporter::silent())
    };
    assert_eq!(run(&unknown).unwrap_err().kind, FailureKind::Unsupported);
    unknown.tasks[0] = TransferTask { name: "other".into(), kind: TaskKind::Regression, score: "rmse".into() };
    assert_eq!(run(&unknown).unwrap_err().kind, FailureKind::BadInput);
    let one_class = Column { name: "none", kind: TaskKind::Classification, labels: vec![0.0; MOLECULES] };
    let output = tuned(&[one_class], &protocol(&[0.1], 1));
    assert!(output.tasks[0].refused.is_some() && output.tasks[0].scores.is_empty() && output.finetune.is_none());
}

/// The probe on the share of each token in a molecule: the labels of [`regression`] are linear in it.
fn probed(columns: &[Column], strengths: &[f64]) -> Result<TransferOutput> {
    let shares: Vec<f64> = (0..MOLECULES)
        .flat_map(|m| {
            (6..17).map(move |word| tokens(m).iter().filter(|token| **token == word).count() as f64 / tokens(m).len() as f64)
        })
        .collect();
    let matrix = Tensor::from_slice(&shares).view([MOLECULES as i64, 11]);
    let strengths = strengths.iter().copied().map(Number).collect();
    let protocol = ProbeProtocol { embedding_digest: String::new(), strengths };
    probe::run(&spec(columns, Protocol::Probe(protocol.clone())), &protocol, &dataset(columns), &matrix)
}

#[test]
fn the_probe_chooses_without_test_labels_and_refuses_what_has_no_fit() {
    let _turn = turn();
    let (plain, mut other) = ([regression(), classes()], [regression(), classes()]);
    for molecule in (0..MOLECULES).filter(|molecule| molecule % 10 >= 8) {
        other[0].labels[molecule] *= -100.0;
        other[1].labels[molecule] = 1.0 - other[1].labels[molecule];
    }
    let (a, b) = (probed(&plain, &[1e-3, 1.0, 1e3]).unwrap(), probed(&other, &[1e-3, 1.0, 1e3]).unwrap());
    for task in 0..2 {
        assert_eq!(predictions(&a, task), predictions(&b, task));
        assert_eq!((a.tasks[task].strength, &a.tasks[task].validation), (b.tasks[task].strength, &b.tasks[task].validation));
        assert_ne!(a.tasks[task].scores, b.tasks[task].scores);
    }
    for column in plain {
        for strengths in [&[][..], &[1.0, 0.0], &[-1.0, 1.0], &[f64::NAN], &[f64::INFINITY]] {
            let failure = probed(std::slice::from_ref(&column), strengths).unwrap_err();
            assert_eq!(failure.kind, FailureKind::BadInput, "{strengths:?}: {failure}");
        }
    }
    // Finite numbers whose squares are not.
    let labels = (0..MOLECULES).map(|m| if m % 3 == 0 { 1e200 } else { -1e200 }).collect();
    let failure = probed(&[Column { name: "huge", kind: TaskKind::Regression, labels }], &[1.0]).unwrap_err();
    assert!(failure.kind == FailureKind::NonFinite && failure.message.contains("task huge"), "{failure}");
}

#[test]
fn the_probe_learns_both_kinds_of_task_and_refuses_one_class_alone() {
    let _turn = turn();
    let mut columns = vec![regression(), classes()];
    columns.push(Column { name: "none", kind: TaskKind::Classification, labels: vec![1.0; MOLECULES] });
    let strengths: Vec<f64> = (-4..=8).map(|power| 10_f64.powi(power)).collect();
    let output = probed(&columns, &strengths).unwrap();
    let value = |task: usize, name: &str| output.tasks[task].scores.iter().find(|row| row.name == name).unwrap().value.0;
    assert!(value(0, "r2") > 0.999 && value(1, "roc_auc") > 0.99, "{:?}", output.tasks[1].scores);
    assert!(output.tasks[1].predictions.iter().all(|row| (0.0..=1.0).contains(&row.2.0)));
    let mean = |class: f64| {
        let rows = output.tasks[1].predictions.iter().filter(|row| row.1.0 == class).map(|row| row.2.0);
        let rows: Vec<f64> = rows.collect();
        rows.iter().sum::<f64>() / rows.len() as f64
    };
    assert!(mean(1.0) > 0.85 && mean(0.0) < 0.15, "class 1 has the higher chances: {} and {}", mean(1.0), mean(0.0));
    for task in &output.tasks[..2] {
        assert_eq!(task.validation.len(), 13);
        let best = task.validation.iter().map(|row| row.1.0).fold(f64::INFINITY, f64::min);
        assert!(task.validation.iter().any(|row| Some(row.0) == task.strength && row.1.0 == best));
    }
    assert!(output.tasks[2].refused.as_ref().unwrap().contains("0 of class 0 for training"), "{:?}", output.tasks[2].refused);
}

#[test]
fn parameters_that_the_loss_does_not_depend_on_stay_as_they_are() {
    let _turn = turn();
    let toy = clmbench_engine::toy::model().unwrap();
    let bias = toy.parameters[2].tensor.shallow_clone();
    assert_eq!(toy.parameters[2].name, "output.bias");
    let _ = tch::no_grad(|| bias.shallow_clone().fill_(0.5));
    with_setup(&[regression()], &protocol(&[0.01], 2), (toy, 8), |setup| {
        let trial = setup.train(0.01, (0, 1)).unwrap();
        assert_eq!(trial.moved, [true, true, false]);
        assert!(bias.equal(&setup.start[2]) && !setup.model.parameters[0].tensor.equal(&setup.start[0]));
        // One sketch for the start and each epoch; the last is that of the weights as they are now.
        assert_eq!((trial.sketches.len(), trial.sketches[0].iter().all(|value| *value == 0.0)), (3, true));
        let last = setup.sketch.as_ref().unwrap().displacement(&setup.model.parameters, &setup.start, &trial.moved).unwrap();
        assert_eq!(trial.sketches[2], last);
        let norm = |values: &[f32]| values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
        let exact: f64 = (0..2)
            .map(|row| {
                let _guard = tch::no_grad_guard();
                (&setup.model.parameters[row].tensor - &setup.start[row]).square().sum(Kind::Double).double_value(&[])
            })
            .sum();
        // 256 coordinates in 4,096 buckets: the relative error of a squared norm is about sqrt(2 / 4096) = 2 %.
        assert!((norm(&last) / exact - 1.0).abs() < 0.1, "{} is not {exact}", norm(&last));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(finetune::keep(setup, &trial, folder.path()).unwrap(), "projection.safetensors");
        let rows = clmbench_engine::weights::read(&folder.path().join("projection.safetensors")).unwrap();
        assert_eq!((rows[0].0.as_str(), rows[0].1.size()), ("projection", vec![3, 4096]));
        assert_eq!(Vec::<f32>::try_from(rows[0].1.select(0, 2)).unwrap(), last);
    });
}

#[test]
fn bfloat16_follows_float32() {
    let _turn = turn();
    let columns = [regression(), classes()];
    let wanted = tuned(&columns, &protocol(&[0.01], 5)).finetune.unwrap();
    let half = FinetuneProtocol { precision: Precision::Bfloat16, ..protocol(&[0.01], 5) };
    let found = tuned(&columns, &half).finetune.unwrap();
    assert_eq!(found, tuned(&columns, &half).finetune.unwrap());
    assert_ne!(found.tried[0].training, wanted.tried[0].training);
    for (found, wanted) in found.tried[0].training.iter().zip(&wanted.tried[0].training) {
        // bfloat16 has 8 bits: single products are off by up to 0.4 %.
        assert!((found.0 - wanted.0).abs() < 0.05 * wanted.0.max(0.1), "{found:?} is not {wanted:?}");
    }
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    for path in [&data, &run] {
        std::fs::create_dir(path).unwrap();
    }
    common::corpus(&data, 30);
    let row = common::pretrain(&common::spec(&data, 0, 1), &data, &run).unwrap().checkpoints[0].clone();
    let checkpoint_folder = run.join(&row.folder);
    let path = checkpoint_folder.join("model.safetensors");
    let mut reference = protocol(&[], 1).checkpoint;
    reference.weights_digest = row.weights_digest.clone();
    let open = |reference: &CheckpointRef| checkpoint::open_with(&checkpoint_folder, reference, module());
    let model = open(&reference).map_err(|failure| failure.message).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let refused = |reference: &CheckpointRef, part: &str| {
        let failure = open(reference).err().unwrap();
        assert_eq!(failure.kind, FailureKind::CorruptFile, "{failure}");
        assert!(failure.message.contains(part) && failure.message.contains("model.safetensors"), "{failure}");
    };
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    refused(&reference, "was changed or damaged");
    // Files whose digests are right, but whose tensors are not those of the model.
    let (first, second) = (&model.parameters[0], &model.parameters[1]);
    let record_path = checkpoint_folder.join("clmbench.json");
    let record = std::fs::read_to_string(&record_path).unwrap();
    let wide = Tensor::zeros([12, 25], tch::kind::FLOAT_CPU);
    let rows: [(&[(String, &Tensor)], &str); 2] = [
        (&[(first.name.clone(), &first.tensor), (second.name.clone(), &second.tensor)], "`second.weight` is missing"),
        (
            &[
                (first.name.clone(), &first.tensor),
                (second.name.clone(), &wide),
                ("second.weight".into(), &model.parameters[2].tensor),
            ],
            "`first.weight` has shape [12, 25], not [12, 24]",
        ),
    ];
    for (tensors, part) in rows {
        reference.weights_digest = clmbench_engine::weights::write(&path, tensors).unwrap();
        std::fs::write(&record_path, record.replace(&row.weights_digest, &reference.weights_digest)).unwrap();
        refused(&reference, part);
    }
}
