//! The state of a run between two checkpoints, saved so that an interrupted run goes on instead of starting over.

use std::path::Path;

use clmbench_protocol::{CheckpointOutput, Number, PretrainOutput};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{
    failure::{Result, io},
    files,
    optimizer::AdamW,
    weights,
};

/// Folder of the state inside the cell's folder.
const FOLDER: &str = "state";

/// Where a run stands on its trunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Position {
    /// Epoch.
    pub epoch: u64,
    /// Next batch of the epoch.
    pub batch: usize,
    /// Steps done.
    pub step: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// Molecules trained on.
    pub molecules: u64,
    /// Training loss of every step on the way here.
    pub losses: Vec<f64>,
    /// Learning rate of the last step.
    pub rate: f64,
    /// Checkpoints written so far.
    pub checkpoints: Vec<CheckpointOutput>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    position: Position,
    tensors: String,
    digest: String,
}

/// The training record that stays with a finished run.
#[derive(Serialize, Deserialize)]
struct Record {
    output: PretrainOutput,
    /// Mean loss over the predicted tokens of every step to the last checkpoint, in nats.
    losses: Vec<Number>,
}

/// File of the training record.
const RECORD: &str = "record.json";

/// Saves the trunk's state; the position is written last and names the digest of the tensors.
///
/// # Errors
/// What cannot be written.
pub fn save(work: &Path, optimizer: &AdamW, position: &Position) -> Result<()> {
    let folder = work.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|error| io(&folder, "creating", &error))?;
    let rows: Vec<(String, &Tensor)> = optimizer.state().enumerate().map(|(i, t)| (format!("{i:06}"), t)).collect();
    // A name of its own for each state, so that the last one stays whole until the next is.
    let tensors = format!("tensors-{}.safetensors", position.step);
    let digest = weights::write(&folder.join(&tensors), &rows)?;
    let saved = Saved { position: position.clone(), tensors, digest };
    files::write_json(&folder.join("position.json"), &saved)?;
    let entries = std::fs::read_dir(&folder).map_err(|error| io(&folder, "reading", &error))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        if name != Some("position.json") && name != Some(saved.tensors.as_str()) {
            std::fs::remove_file(&path).map_err(|error| io(&path, "removing", &error))?;
        }
    }
    Ok(())
}

/// The saved state, if there is one that is whole; the optimiser is put back to it.
///
/// # Errors
/// What libtorch refuses. A state that is not whole is ignored: the run then starts over.
pub fn load(work: &Path, optimizer: &mut AdamW) -> Result<Option<Position>> {
    let folder = work.join(FOLDER);
    let Ok(saved) = files::read_json::<Saved>(&folder.join("position.json")) else { return Ok(None) };
    let tensors = folder.join(&saved.tensors);
    if files::expect_digest(&tensors, &saved.digest).is_err() || !all_whole(work, &saved.position.checkpoints) {
        return Ok(None);
    }
    let rows: Vec<Tensor> = weights::read(&tensors)?.into_iter().map(|(_, tensor)| tensor).collect();
    let fits = rows.len() == optimizer.state().count() && rows.iter().zip(optimizer.state()).all(|(a, b)| a.size() == b.size());
    if !fits {
        return Ok(None);
    }
    optimizer.restore(&rows)?;
    Ok(Some(saved.position))
}

fn all_whole(work: &Path, checkpoints: &[CheckpointOutput]) -> bool {
    checkpoints.iter().all(|row| {
        let folder = work.join(&row.folder);
        files::expect_digest(&folder.join("model.safetensors"), &row.weights_digest).is_ok()
            && folder.join("clmbench.json").exists()
    })
}

/// The output of a run that had finished when its worker was killed, before the host could take it.
pub fn finished(work: &Path) -> Option<PretrainOutput> {
    let record: Record = files::read_json(&work.join(RECORD)).ok()?;
    if !all_whole(work, &record.output.checkpoints) {
        return None;
    }
    // A state that cannot be removed is only listed among the files of the cell.
    let _ = std::fs::remove_dir_all(work.join(FOLDER));
    Some(record.output)
}

/// Removes everything in the cell's folder but the state and the checkpoints that it counts.
///
/// # Errors
/// What cannot be removed.
pub fn tidy(work: &Path, kept: Option<&Position>) -> Result<()> {
    let entries = std::fs::read_dir(work).map_err(|error| io(work, "reading", &error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let counted = kept.is_some_and(|position| {
            name == FOLDER || position.checkpoints.iter().any(|row| name.to_str() == Some(row.folder.as_str()))
        });
        if !counted {
            let path = entry.path();
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(|error| io(&path, "removing", &error))?;
        }
    }
    Ok(())
}

/// Writes the training record of a finished run and removes the state.
///
/// # Errors
/// What cannot be written or removed.
pub fn close(work: &Path, output: &PretrainOutput, losses: &[f64]) -> Result<()> {
    let record = Record { output: output.clone(), losses: losses.iter().copied().map(Number).collect() };
    files::write_json(&work.join(RECORD), &record)?;
    let folder = work.join(FOLDER);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(&folder, "removing", &error)),
        _ => Ok(()),
    }
}
