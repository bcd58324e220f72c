//! Made-up results that follow from a cell's definition (and the files of the cells before it) alone.
//!
//! A checkpoint has a quality, linear in the logarithms of parameters, tokens and corpus size with a little noise; its
//! `model.safetensors` (no such file, but a text) holds it. `fake/loss` falls and the score improves with quality.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
    str::FromStr,
};

use clmbench_protocol::{
    CellOutput, CellSpec, CheckpointOutput, CorpusOutput, Coverage, DatasetOutput, Embed, EmbedOutput, ErrorKind, Failure,
    FailureKind, FinetuneRecord, FinetuneTrial, Import, ImportOutput, Measure, MeasureOutput, MetricValue, Number, Objective,
    OutputFile, Pretrain, PretrainOutput, Protocol, ScheduleKind, ScoreValue, Special, TaskCheck, TaskInfo, TaskKind,
    TaskTransfer, TokeniseCorpus, TokeniseDataset, TokenizerSpec, Transfer, TransferOutput, TransferTask, fault,
};

use crate::manifest::{EVIL_DATASET, EVIL_SMILES, LEAKY_DATASET, parameters_of, tasks_of};

/// Molecules for training, validation and testing.
const COUNTS: (u64, u64, u64) = (80, 10, 10);

/// BLAKE3 of a text, lower-case hex.
pub fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// A number in [-1, 1) that follows from a text.
pub fn noise(text: &str) -> f64 {
    let hash = blake3::hash(text.as_bytes());
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&hash.as_bytes()[..4]);
    f64::from(u32::from_le_bytes(bytes)) / 2_147_483_648.0 - 1.0
}

/// The folder that a cell writes to, and what it wrote.
struct Work<'a> {
    folder: &'a Path,
    files: Vec<OutputFile>,
}

impl Work<'_> {
    /// Writes a file in two halves, so that it can be cut, and returns its BLAKE3.
    fn write(&mut self, path: &str, text: &str, cut_at: Option<&str>) -> io::Result<String> {
        let place = self.folder.join(path);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = fs::File::create(&place)?;
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        file.write_all(first)?;
        file.sync_all()?;
        if let Some(point) = cut_at {
            fault::reach(point);
        }
        file.write_all(second)?;
        file.sync_all()?;
        let blake3 = digest(text);
        self.files.push(OutputFile { path: path.into(), blake3: blake3.clone(), bytes: text.len() as u64 });
        Ok(blake3)
    }
}

/// Computes a cell: its result and its files.
///
/// # Errors
/// [`FailureKind::Io`] and [`FailureKind::BadInput`] if a file cannot be written or an input is not what it should be.
pub fn compute(
    spec: &CellSpec,
    inputs: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<(CellOutput, Vec<OutputFile>), Failure> {
    if let Some(failure) = unknown_fact(spec) {
        return Err(failure);
    }
    let mut work = Work { folder, files: Vec::new() };
    let output = match spec {
        CellSpec::TokeniseDataset(spec) => dataset(spec, inputs, &mut work).map(CellOutput::TokeniseDataset),
        CellSpec::TokeniseCorpus(spec) => corpus(spec, inputs, &mut work).map(CellOutput::TokeniseCorpus),
        CellSpec::Import(spec) => import(spec, inputs, &mut work).map(CellOutput::Import),
        CellSpec::Pretrain(spec) => pretrain(spec, inputs, &mut work).map(CellOutput::Pretrain),
        CellSpec::Embed(spec) => embed(spec, inputs, &mut work).map(CellOutput::Embed),
        CellSpec::Measure(spec) => measure(spec, inputs, &mut work).map(CellOutput::Measure),
        CellSpec::Transfer(spec) => transfer(spec, inputs, &mut work).map(CellOutput::Transfer),
    };
    let output = output.map_err(|error| Failure::new(FailureKind::Io, format!("the fake worker: {error}")))?;
    Ok((output, work.files))
}

fn dataset(spec: &TokeniseDataset, inputs: &BTreeMap<String, String>, work: &mut Work<'_>) -> io::Result<DatasetOutput> {
    // The parts of a split by file follow from its bytes.
    let parts = match (&spec.split.file, inputs.get("split")) {
        (Some(_), Some(path)) => digest(&fs::read_to_string(path)?),
        (None, None) => String::new(),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "a split and its file go together")),
    };
    let tokenizer = tokenizer_text(&spec.tokenizer, inputs)?;
    let tokenizer_digest = work.write("tokenizer.json", &tokenizer, None)?;
    let evil = spec.dataset == EVIL_DATASET;
    let content = format!("{} {}", spec.source, spec.dataset);
    // Of another tokenizer: the same molecules in other tokens.
    let tokens = if spec.tokenizer.digest.is_some() { format!(" {tokenizer}") } else { String::new() };
    let data_digest = work.write("molecules.csv", &format!("{content}{tokens}"), None)?;
    let tasks = if spec.tasks.is_empty() { tasks_of(&spec.dataset) } else { spec.tasks.clone() };
    let leaky = spec.dataset == LEAKY_DATASET;
    let check = |task: &TaskInfo| TaskCheck {
        task: task.name.clone(),
        labels: COUNTS,
        positives: None,
        missing: 0,
        conflicting: 2,
        leaked: 3,
    };
    Ok(DatasetOutput {
        multi_fragment: 0,
        tokens: (0, 0),
        checks: tasks.iter().filter(|_| leaky).map(check).collect(),
        source: spec.source.clone(),
        dataset: spec.dataset.clone(),
        rows: 101,
        invalid: vec![(17, format!("a bracket is not closed in `{}`", if evil { EVIL_SMILES } else { "C[NH" }))],
        counts: COUNTS,
        truncated: 0,
        unknown_token_molecules: 0,
        duplicate_groups: 0,
        leaked: if leaky { 3 } else { 0 },
        sha256_csv: digest(&format!("csv {content}")),
        split_digest: digest(&format!("split {}{parts} {}", spec.split.algorithm, digest(&content))),
        data_digest,
        tokenizer_digest,
        train_sd: vec![Number(3.0); tasks.len()],
        tasks,
    })
}

fn corpus(spec: &TokeniseCorpus, inputs: &BTreeMap<String, String>, work: &mut Work<'_>) -> io::Result<CorpusOutput> {
    let tokenizer = tokenizer_text(&spec.tokenizer, inputs)?;
    let tokenizer_digest = work.write("tokenizer.json", &tokenizer, None)?;
    let sample = format!("{} {} {} {:?}", spec.corpus, spec.seed, spec.heldout, spec.exclude);
    Ok(CorpusOutput {
        corpus: spec.corpus.clone(),
        molecules: spec.size,
        tokens: spec.size * 30,
        heldout_molecules: spec.heldout,
        heldout_tokens: spec.heldout * 30,
        invalid: 0,
        duplicates: 3,
        excluded: 1,
        truncated: 0,
        unigram_cross_entropy: Number(2.5),
        unigram_se: Number(0.01),
        bigram_cross_entropy: Number(1.8),
        bigram_se: Number(0.02),
        two_neighbour_cross_entropy: Number(1.4),
        two_neighbour_se: Number(0.03),
        train_digest: work.write("train.bin", &format!("{sample} {}", spec.size), None)?,
        heldout_digest: work.write("heldout.bin", &sample, None)?,
        tokenizer_digest,
        coverage: vec![Coverage {
            test_molecules_removed: 0,
            dataset: "alpha".into(),
            unknown_token_share: Number(0.0),
            untrained_token_share: Number(0.05),
            untrained_position_share: Number(0.0),
        }],
    })
}

/// A checkpoint of others: layers and width are those of its `config.json`; the rest follows from the bytes of its files.
fn import(spec: &Import, inputs: &BTreeMap<String, String>, work: &mut Work<'_>) -> io::Result<ImportOutput> {
    let bad = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let mut texts = BTreeMap::new();
    for file in &spec.files {
        let path = inputs.get(&format!("file:{}", file.name)).ok_or_else(|| bad(format!("there is no input `{}`", file.name)))?;
        // As in a real file, white space beside the weights does not matter.
        texts.insert(file.name.as_str(), fs::read_to_string(path)?.trim_end().to_owned());
    }
    let config: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(texts.get("config.json").map_or("", String::as_str)).map_err(|error| bad(error.to_string()))?;
    let config = ["layers", "width"].map(|key| (key.to_owned(), config.get(key).cloned().unwrap_or_else(|| 2.into())));
    let config = serde_json::Map::from_iter(config);
    let parameters = parameters_of(&config);
    let name = format!("{} {parameters} {:?} {texts:?}", spec.architecture, spec.control);
    let learnt = if spec.control.is_some() { 0.0 } else { 1.5 };
    let quality = (parameters as f64).ln() / 10.0 + learnt + 0.05 * noise(&format!("quality {name}"));
    let weights_digest = work.write("checkpoint-0/model.safetensors", &format!("{quality}\n{}\n", digest(&name)), None)?;
    let tokenizer = texts.get("tokenizer.json").map_or("", String::as_str);
    let tokenizer_digest = work.write("checkpoint-0/tokenizer.json", tokenizer, None)?;
    Ok(ImportOutput {
        architecture: spec.architecture.clone(),
        config,
        objective: Objective::MaskedLm,
        non_embedding_parameters: parameters,
        total_parameters: parameters + 10_000,
        vocabulary: 600,
        tokenizer_entries: 591,
        tokenizer_kind: "WordPiece".into(),
        max_tokens: spec.max_tokens.min(64),
        max_positions: 64,
        tokenizer_digest,
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
            weights_digest,
        },
        notes: vec!["the pooler is absent: it keeps its initial values".into()],
    })
}

/// The text that stands for a tokenizer: our own has its kind, another its digest.
fn tokenizer_text(spec: &TokenizerSpec, inputs: &BTreeMap<String, String>) -> io::Result<String> {
    let Some(wanted) = &spec.digest else { return Ok(spec.kind.clone()) };
    let path = inputs.get("tokenizer").ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no tokenizer"))?;
    let text = fs::read_to_string(path)?;
    if digest(&text) != *wanted {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "another tokenizer"));
    }
    Ok(text)
}

fn pretrain(spec: &Pretrain, inputs: &BTreeMap<String, String>, work: &mut Work<'_>) -> io::Result<PretrainOutput> {
    let parameters = parameters_of(&spec.config);
    let corpus_molecules: u64 = input(inputs, "corpus", "train.bin", |text| text.split(' ').next_back())?;
    let count = u64::from(spec.checkpoints.max(1));
    let control = spec.tokens == 0;
    let mut checkpoints = Vec::new();
    for number in 1..=count {
        let tokens = spec.tokens * number / count;
        let folder = if control { "checkpoint-0".to_owned() } else { format!("checkpoint-{number}") };
        let name = format!("{} {parameters} {tokens} {} {}", spec.architecture, spec.seed, spec.corpus_digest);
        let quality = (parameters as f64).ln() / 10.0
            + (tokens as f64 + 1.0).ln() / 10.0
            + (corpus_molecules as f64).ln() / 20.0
            + 0.05 * noise(&format!("quality {name}"));
        let text = format!("{quality}\n{name}\n");
        let weights_digest = work.write(&format!("{folder}/model.safetensors"), &text, Some("mid_checkpoint"))?;
        checkpoints.push(CheckpointOutput {
            folder,
            step: tokens / 1_000,
            tokens,
            annealed: spec.schedule.kind == ScheduleKind::ConstantWithCooldown || number == count,
            last: number == count,
            learning_rate: Number(0.0),
            training_loss: Number(4.0 - quality),
            training_flops: Number(6.0 * parameters as f64 * tokens as f64),
            weights_digest,
        });
    }
    work.write("record.json", "{}", None)?;
    Ok(PretrainOutput {
        non_embedding_parameters: parameters,
        total_parameters: parameters + 10_000,
        corpus_molecules,
        epochs: Number(1.5),
        diverged: false,
        divergence: None,
        checkpoints,
    })
}

/// What `find` finds in the text of an input's file.
fn input<T: FromStr>(
    inputs: &BTreeMap<String, String>,
    role: &str,
    file: &str,
    find: impl Fn(&str) -> Option<&str>,
) -> io::Result<T> {
    let bad = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let folder = inputs.get(role).ok_or_else(|| bad(format!("there is no input `{role}`")))?;
    let text = fs::read_to_string(Path::new(folder).join(file))?;
    find(&text).and_then(|word| word.parse().ok()).ok_or_else(|| bad(format!("{folder}/{file} does not hold what it should")))
}

/// The quality that the first line of a file holds.
fn quality(inputs: &BTreeMap<String, String>, role: &str, file: &str) -> io::Result<f64> {
    input(inputs, role, file, |text| text.lines().next())
}

fn embed(spec: &Embed, inputs: &BTreeMap<String, String>, work: &mut Work<'_>) -> io::Result<EmbedOutput> {
    let quality = quality(inputs, "checkpoint", "model.safetensors")?;
    let text = format!("{quality}\n{} {}\n", spec.checkpoint.weights_digest, spec.data_digest);
    let width = spec.checkpoint.config.get("width").and_then(serde_json::Value::as_u64).unwrap_or(64);
    Ok(EmbedOutput { rows: 100, width, embedding_digest: work.write("embeddings.safetensors", &text, None)? })
}

/// Why a trivial metric cannot be measured: a fact of a checkpoint of others that is not known.
fn unknown_fact(spec: &CellSpec) -> Option<Failure> {
    let CellSpec::Measure(spec) = spec else { return None };
    let (unknown, what) = match spec.metric.as_str() {
        "trivial/tokens" | "trivial/flops" => (spec.record.tokens.is_none(), "tokens"),
        "trivial/corpus" => (spec.record.corpus_molecules.is_none(), "molecules"),
        _ => return None,
    };
    let message = format!("it is not known how many {what} it was trained on: write `{what}` in its [[checkpoint]] table");
    unknown.then(|| Failure::new(FailureKind::Unsupported, message))
}

fn measure(spec: &Measure, inputs: &BTreeMap<String, String>, work: &mut Work<'_>) -> io::Result<MeasureOutput> {
    let name = format!("{} {}", spec.metric, spec.checkpoint.weights_digest);
    let facts = &spec.record;
    let (value, error) = match spec.metric.as_str() {
        "trivial/parameters" => (facts.non_embedding_parameters as f64, 0.0),
        "trivial/tokens" => (facts.tokens.unwrap_or(0) as f64, 0.0),
        "trivial/corpus" => (facts.corpus_molecules.unwrap_or(0) as f64, 0.0),
        "trivial/flops" => (facts.training_flops.map_or(0.0, |flops| flops.0), 0.0),
        "fake/loss" => (4.0 - quality(inputs, "checkpoint", "model.safetensors")? + 0.02 * noise(&name), 0.02),
        _ => (noise(&name), 0.1),
    };
    let exact = error == 0.0;
    let value_of = |value_name: &str, value: f64, primary: bool| MetricValue {
        name: value_name.into(),
        value: Number(value),
        unit: "1".into(),
        se_estimator: (!exact).then_some(Number(error)),
        se_sample: None,
        std_error: Number(error),
        error_kind: if exact { ErrorKind::Exact } else { ErrorKind::Statistical },
        primary,
    };
    work.write("values.json", &format!("{name} {value}"), None)?;
    Ok(MeasureOutput {
        values: vec![value_of("value", value, true), value_of("other", noise(&format!("other {name}")), false)],
        molecules: 64,
        gradient_equivalents: Number(if exact { 0.0 } else { 1.0 }),
        stopped: "complete".into(),
    })
}

fn transfer(spec: &Transfer, inputs: &BTreeMap<String, String>, work: &mut Work<'_>) -> io::Result<TransferOutput> {
    let (quality, seed) = match &spec.protocol {
        Protocol::Baseline(baseline) => (0.5, format!("{} {}", baseline.label(), baseline.seed)),
        Protocol::Probe(_) => (quality(inputs, "embeddings", "embeddings.safetensors")?, String::new()),
        Protocol::Finetune(finetune) => {
            work.write("end.safetensors", &format!("{} {}", spec.weights_digest, finetune.seed), None)?;
            (0.3 + quality(inputs, "checkpoint", "model.safetensors")?, format!(" {}", finetune.seed))
        }
    };
    let name = format!("{}{seed}", spec.weights_digest);
    let spread = (3.0 - quality + 0.1 * noise(&format!("score {name}"))).abs();
    let probe = matches!(spec.protocol, Protocol::Probe(_));
    let tasks: Vec<TaskTransfer> = spec.tasks.iter().map(|task| task_of(task, probe, spread, &name)).collect();
    let predictions: Vec<_> = tasks.iter().map(|task| &task.predictions).collect();
    work.write("predictions.csv", &format!("{predictions:?}"), None)?;
    let finetune = match &spec.protocol {
        Protocol::Probe(_) | Protocol::Baseline(_) => None,
        Protocol::Finetune(protocol) => Some(FinetuneRecord {
            tried: protocol.learning_rates.iter().map(|rate| trial(*rate, protocol.epochs)).collect(),
            learning_rate: protocol.learning_rates.first().copied().unwrap_or(Number(0.0)),
            epoch: protocol.epochs,
            weights_file: "end.safetensors".into(),
            relative_displacement: Number(0.02),
        }),
    };
    Ok(TransferOutput { tasks, finetune })
}

fn trial(learning_rate: Number, epochs: u32) -> FinetuneTrial {
    let losses = |start: f64| (0..epochs).map(|epoch| Number(start / f64::from(epoch + 1))).collect();
    FinetuneTrial { learning_rate, validation: losses(0.9), training: losses(0.8), diverged: false }
}

/// Answers of one task; a task whose name starts with `one_class` is refused.
fn task_of(task: &TransferTask, probe: bool, spread: f64, name: &str) -> TaskTransfer {
    let empty = TaskTransfer {
        task: task.name.clone(),
        task_kind: task.kind,
        counts: COUNTS,
        refused: None,
        strength: None,
        validation: Vec::new(),
        scores: Vec::new(),
        absent: Vec::new(),
        predictions: Vec::new(),
    };
    if task.name.starts_with("one_class") {
        return TaskTransfer { refused: Some("the test molecules are all of class 0".into()), ..empty };
    }
    let (_, _, test) = COUNTS;
    let labelled = |row: u64| match task.kind {
        TaskKind::Regression => noise(&format!("label {row}")),
        TaskKind::Classification => (row % 2) as f64,
    };
    let predictions: Vec<(u64, Number, Number)> = (0..test)
        .map(|row| {
            let label = labelled(row);
            (90 + row, Number(label), Number(label + spread * noise(&format!("{name} {} {row}", task.name))))
        })
        .collect();
    let scores = match task.kind {
        TaskKind::Regression => {
            let squares: f64 = predictions.iter().map(|(_, label, value)| (label.0 - value.0).powi(2)).sum();
            let rmse = (squares / test as f64).sqrt();
            vec![score("rmse", rmse, false, true, 3.0), score("mae", rmse / 2.0, false, false, 3.0)]
        }
        TaskKind::Classification => {
            let roc_auc = auc(&predictions);
            vec![score("roc_auc", roc_auc, true, true, 0.5), score("pr_auc", roc_auc * 0.9, true, false, 0.5)]
        }
    };
    let loss = scores[0].value;
    let strength = probe.then_some(Number(1.0));
    TaskTransfer {
        strength,
        validation: strength.map(|strength| (strength, loss)).into_iter().collect(),
        scores,
        predictions,
        ..empty
    }
}

/// Share of pairs of both classes in the right order; ties count half.
fn auc(predictions: &[(u64, Number, Number)]) -> f64 {
    let of = |class: f64| predictions.iter().filter(move |(_, label, _)| label.0 == class).map(|(_, _, value)| value.0);
    let pairs = of(1.0).flat_map(|high| of(0.0).map(move |low| (high, low)));
    let (right, all) = pairs.fold((0.0, 0.0), |(right, all), (high, low)| {
        let point = if high > low {
            1.0
        } else if high == low {
            0.5
        } else {
            0.0
        };
        (right + point, all + 1.0)
    });
    right / all
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
