//! Our side of `cargo xtask verify parity`: checkpoints through the import cell or as runs left them, beside what another implementation
//! computed on them.
//!
//!     parity JOBS OUT
//!
//! JOBS has one JSON object a line ([`Job`]); OUT is a folder for the imported checkpoints. Prints one JSON line a job and attention mode.

use std::{
    collections::BTreeMap,
    error::Error,
    path::{Path, PathBuf},
};

use clmbench_engine::{cells, checkpoint, loader::Plugins, model::Model, report::Reporter};
use clmbench_molecules::digest;
use clmbench_sdk::{
    prelude::*,
    protocol::{
        ArchitectureInfo, CellOutput, CellSpec, CheckpointRef, FileRef, Import, PluginFile, PluginRef, RunRequest, Special,
        revision,
    },
    testing::golden,
};
use serde::Deserialize;

/// A folder and a case of it.
#[derive(Debug, Deserialize)]
struct Job {
    /// Folder of the checkpoint.
    folder: PathBuf,
    /// Whether it has to be imported; else it is a checkpoint of ours.
    import: bool,
    /// Plugin of its architecture, and the library.
    plugin: String,
    library: PathBuf,
    /// What the plugin says of the architecture.
    architecture: ArchitectureInfo,
    /// File of the case.
    case: PathBuf,
}

/// A checkpoint of ours.
struct Opened {
    model: Model,
    notes: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [jobs, out] = words.as_slice() else { return Err("usage: parity JOBS OUT".into()) };
    tch::set_num_threads(1);
    let mut open: BTreeMap<PathBuf, Opened> = BTreeMap::new();
    let mut plugins = Plugins::default();
    for line in std::fs::read_to_string(jobs)?.lines() {
        let job: Job = serde_json::from_str(line)?;
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", job.folder.display());
        if !open.contains_key(&job.folder) {
            let place = Path::new(out).join(open.len().to_string());
            let found = opened(&job, &place, &mut plugins).map_err(|error| failed(&error))?;
            open.insert(job.folder.clone(), found);
        }
        let Some(opened) = open.get(&job.folder) else { continue };
        for mode in [AttentionMode::Fast, AttentionMode::TwiceDifferentiable] {
            let found = compared(&opened.model, &job, mode).map_err(|error| failed(&error))?;
            let line = serde_json::json!({
                "case": job.case, "mode": format!("{mode:?}"), "differences": found, "notes": opened.notes,
            });
            emit(&line);
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout)]
fn emit(line: &serde_json::Value) {
    println!("{line}");
}

fn compared(model: &Model, job: &Job, mode: AttentionMode) -> Result<golden::Differences, PluginError> {
    let (case, _) = golden::read(&job.case)?;
    let parameters: Vec<(String, Role, Tensor)> =
        model.saved().map(|row| (row.name.clone(), row.role, row.tensor.shallow_clone())).collect();
    let failed = |failure: clmbench_sdk::protocol::Failure| PluginError::other(failure.message);
    let hidden = |ids: &Tensor, mask: &Tensor| model.hidden(ids, mask, mode).map_err(failed);
    let logits = |hidden: &Tensor, positions: Option<&Tensor>| {
        let all = Tensor::arange(hidden.size()[0] * hidden.size()[1], (Kind::Int64, Device::Cpu));
        model.logits(hidden, positions.unwrap_or(&all)).map_err(failed)
    };
    let hub = job.architecture.hub.clone().unwrap_or_default();
    golden::differences(&case, &hub, &parameters, hidden, logits)
}

/// The model of a folder, imported first if it is a checkpoint of others.
fn opened(job: &Job, place: &Path, plugins: &mut Plugins) -> Result<Opened, Box<dyn Error>> {
    let file = PluginFile {
        name: job.plugin.clone(),
        path: job.library.to_string_lossy().into_owned(),
        digest: digest::blake3_file(&job.library)?,
    };
    plugins.require(std::slice::from_ref(&file)).map_err(|failure| failure.message)?;
    let plugin = PluginRef { name: job.plugin.clone(), version: "0.0.0".into(), digest: None };
    let mut foreign = (None, false);
    let (folder, config, weights_digest, notes) = if job.import {
        let output = import(job, file, place, plugins)?;
        foreign = (Some(output.special).filter(|special| *special != Special::default()), output.head_is_random);
        (place.join(&output.checkpoint.folder), output.config, output.checkpoint.weights_digest, output.notes)
    } else {
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(job.folder.join("clmbench.json"))?)?;
        let config = record["pretrain"]["config"].as_object().cloned().ok_or("no configuration in clmbench.json")?;
        let digest = record["checkpoint"]["weights_digest"].as_str().unwrap_or_default().to_owned();
        (job.folder.clone(), config, digest, Vec::new())
    };
    let (architecture, objective) = (job.architecture.name.clone(), job.architecture.objective);
    let (special, head_is_random) = foreign;
    let reference = CheckpointRef { weights_digest, plugin, architecture, config, objective, special, head_is_random };
    let model = checkpoint::open(&folder, &reference, plugins).map_err(|failure| failure.message)?;
    Ok(Opened { model, notes })
}

/// Runs the import cell as a worker does.
fn import(
    job: &Job,
    plugin: PluginFile,
    place: &Path,
    plugins: &mut Plugins,
) -> Result<clmbench_sdk::protocol::ImportOutput, Box<dyn Error>> {
    let (mut files, mut inputs) = (Vec::new(), BTreeMap::new());
    for entry in std::fs::read_dir(&job.folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "generation_config.json" {
            continue; // says how to sample; the host takes no such file
        }
        inputs.insert(format!("file:{name}"), entry.path().to_string_lossy().into_owned());
        files.push(FileRef { name, sha256: digest::sha256_file(&entry.path())? });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let spec = CellSpec::Import(Import {
        revision: revision::IMPORT,
        plugin: PluginRef { name: job.plugin.clone(), version: "0.0.0".into(), digest: None },
        architecture: job.architecture.name.clone(),
        files,
        max_tokens: 8192,
        control: None,
        threads: 1,
    });
    let request = RunRequest {
        identity: "0".repeat(64),
        spec,
        plugins: vec![plugin],
        inputs,
        work_dir: place.to_string_lossy().into_owned(),
        log: String::new(),
        device: "cpu".into(),
    };
    let report = cells::run(&request, plugins, &Reporter::silent(), "parity").map_err(|failure| failure.message)?;
    match report.output {
        CellOutput::Import(output) => Ok(output),
        other => Err(format!("the import cell gave {other:?}").into()),
    }
}
