//! From a request to a finished cell.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use clmbench_protocol::{
    CellOutput, CellReport, CellSpec, Failure, FailureKind, Protocol, RunRequest, TaskTransfer, Transfer, revision,
};
use clmbench_sdk::LIBTORCH_VERSION;

use crate::{
    device::{Devices, InUse},
    embed,
    failure::{OrFail, Result, io},
    files, import,
    loader::Plugins,
    measure,
    pretrain::{self, Folders},
    report::Reporter,
    seed, tokenise, transfer,
    worker::limits,
};

/// Computes a cell; its files are in the work folder afterwards.
///
/// # Errors
/// Why it failed, typed.
pub fn run(request: &RunRequest, plugins: &mut Plugins, reporter: &Reporter, build: &str) -> Result<CellReport> {
    let started = Instant::now();
    limits::begin_cell();
    let work = PathBuf::from(&request.work_dir);
    std::fs::create_dir_all(&work).map_err(|error| io(&work, "creating", &error))?;
    let device = Devices::find().choose(&request.device)?;
    let _in_use = InUse::begin(device)?;
    check_revision(&request.spec)?;
    plugins.require(&request.plugins)?;
    tch::set_num_threads(threads(&request.spec) as i32);
    seed::seed_libtorch(seed::derive("cell", &[request.identity.as_bytes()]));
    // A plugin may have left another rounding or gradients off in this thread; the cells after it are none the worse.
    clmbench_torch_ext::default_float_environment().or_fail()?;
    let output = tch::with_grad(|| compute(request, plugins, &work, reporter))?;
    Ok(CellReport {
        output,
        files: files::list(&work)?,
        seconds: started.elapsed().as_secs_f64(),
        peak_rss_bytes: limits::peak_rss(),
        device: request.device.clone(),
        libtorch: LIBTORCH_VERSION.into(),
        build: build.into(),
    })
}

fn compute(request: &RunRequest, plugins: &mut Plugins, work: &Path, reporter: &Reporter) -> Result<CellOutput> {
    let input = |role: &str| {
        let path = request.inputs.get(role).map(PathBuf::from);
        path.ok_or_else(|| Failure::new(FailureKind::Protocol, format!("the host gave no input `{role}`")))
    };
    let given = |role: &str| request.inputs.get(role).map(Path::new);
    Ok(match &request.spec {
        CellSpec::TokeniseDataset(spec) => {
            let sources = tokenise::sources(spec.files.iter().map(|file| file.name.as_str()), &request.inputs)?;
            let plugin = plugins.get(&spec.plugin.name)?;
            let beside = tokenise::Beside { split: given("split"), tokenizer: given("tokenizer") };
            CellOutput::TokeniseDataset(tokenise::dataset(spec, plugin, &sources, beside, work)?)
        }
        CellSpec::TokeniseCorpus(spec) => {
            let sources = tokenise::sources(spec.sources.iter().map(|source| source.file.name.as_str()), &request.inputs)?;
            let excluded: Vec<PathBuf> =
                (0..spec.exclude.len()).map(|n| input(&format!("exclude:{n}"))).collect::<Result<_>>()?;
            CellOutput::TokeniseCorpus(tokenise::corpus(spec, &sources, &excluded, (given("tokenizer"), work), reporter)?)
        }
        CellSpec::Import(spec) => {
            let files = import::files(&spec.files, &request.inputs, reporter)?;
            CellOutput::Import(import::run(spec, plugins.get(&spec.plugin.name)?, files, work, reporter)?)
        }
        CellSpec::Pretrain(spec) => {
            let module = plugins.get(&spec.plugin.name)?.module;
            let corpus = input("corpus")?;
            CellOutput::Pretrain(pretrain::run(spec, module, Folders { corpus: &corpus, work }, reporter)?)
        }
        CellSpec::Embed(spec) => {
            CellOutput::Embed(embed::run(spec, plugins, (&input("checkpoint")?, &input("dataset")?, work), reporter)?)
        }
        CellSpec::Measure(spec) => {
            let (checkpoint, corpus) = (input("checkpoint")?, input("corpus")?);
            let train = spec.train.as_ref().map(|_| input("train")).transpose()?;
            let dataset = spec.dataset.as_ref().map(|_| input("dataset")).transpose()?;
            let embeddings = spec.embeddings.as_ref().map(|_| input("embeddings")).transpose()?;
            let run = spec.history.as_ref().map(|_| input("run")).transpose()?;
            let others: Vec<PathBuf> = (0..spec.others.len()).map(|n| input(&format!("other:{n}"))).collect::<Result<_>>()?;
            let folders = measure::Folders {
                checkpoint: &checkpoint,
                corpus: &corpus,
                train: train.as_deref(),
                dataset: dataset.as_deref(),
                embeddings: embeddings.as_deref(),
                run: run.as_deref(),
                others: &others,
                work,
            };
            let output = measure::run(spec, &request.identity, plugins, folders, reporter)?;
            files::write_json(&work.join("values.json"), &output)?;
            CellOutput::Measure(output)
        }
        CellSpec::Transfer(spec) => {
            let dataset = input("dataset")?;
            let output = match &spec.protocol {
                Protocol::Probe(protocol) => transfer::run_probe(spec, protocol, &input("embeddings")?, &dataset)?,
                Protocol::Finetune(protocol) => {
                    let folders = (input("checkpoint")?, dataset);
                    transfer::run_finetune(spec, protocol, plugins, (&folders.0, &folders.1, work), reporter)?
                }
                Protocol::Baseline(protocol) => transfer::baseline::run(spec, protocol, &dataset)?,
            };
            write_predictions(&work.join("predictions.csv"), &output.tasks)?;
            CellOutput::Transfer(output)
        }
    })
}

/// Writes the test predictions as CSV.
fn write_predictions(path: &Path, tasks: &[TaskTransfer]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let rows = tasks.iter().flat_map(|task| task.predictions.iter().map(move |row| (&task.task, row)));
    let written = std::iter::once(["task", "row", "label", "prediction"].map(str::to_owned))
        .chain(rows.map(|(task, (row, label, value))| [task.clone(), row.to_string(), label.0.to_string(), value.0.to_string()]))
        .try_for_each(|record| writer.write_record(&record));
    let bytes = written.map_err(|error| error.to_string()).and_then(|()| writer.into_inner().map_err(|error| error.to_string()));
    let bytes = bytes.map_err(|error| Failure::new(FailureKind::Io, format!("{}: {error}", path.display())))?;
    files::write(path, &bytes)
}

/// libtorch threads of a cell; part of its definition where the value can depend on it.
fn threads(spec: &CellSpec) -> u32 {
    match spec {
        CellSpec::Import(spec) => spec.threads,
        CellSpec::Pretrain(spec) => spec.threads,
        CellSpec::Embed(spec) => spec.threads,
        CellSpec::Measure(spec) => spec.threads,
        CellSpec::Transfer(Transfer { protocol: Protocol::Finetune(protocol), .. }) => protocol.threads,
        CellSpec::TokeniseDataset(_) | CellSpec::TokeniseCorpus(_) | CellSpec::Transfer(_) => 1,
    }
    .max(1)
}

fn check_revision(spec: &CellSpec) -> Result<()> {
    let (wanted, known) = match spec {
        CellSpec::TokeniseDataset(spec) => (spec.revision, revision::TOKENISE),
        CellSpec::TokeniseCorpus(spec) => (spec.revision, revision::TOKENISE),
        CellSpec::Import(spec) => (spec.revision, revision::IMPORT),
        CellSpec::Pretrain(spec) => (spec.revision, revision::PRETRAIN),
        CellSpec::Embed(spec) => (spec.revision, revision::EMBED),
        CellSpec::Measure(spec) => (spec.revision, revision::MEASURE),
        CellSpec::Transfer(spec) => (spec.revision, revision::TRANSFER),
    };
    if wanted == known {
        return Ok(());
    }
    let text =
        format!("the cell was planned for revision {wanted} of stage {}, this worker computes revision {known}", spec.stage());
    Err(Failure::new(FailureKind::Protocol, text + "; use the clmbench-worker of the same build"))
}
