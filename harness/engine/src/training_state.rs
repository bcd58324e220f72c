//! The state of a run between two checkpoints, saved so that an interrupted run goes on instead of starting over.

use std::path::Path;

use clmbench_protocol::CheckpointOutput;
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
    /// Training losses of all trunk steps.
    pub losses: Vec<f64>,
    /// Checkpoints written so far.
    pub checkpoints: Vec<CheckpointOutput>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    position: Position,
    digest: String,
}

/// Saves the trunk's state; the position is written last and names the digest of the tensors.
///
/// # Errors
/// What cannot be written.
pub fn save(work: &Path, optimizer: &AdamW, position: &Position) -> Result<()> {
    let folder = work.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|error| io(&folder, "creating", &error))?;
    let tensors: Vec<(String, &Tensor)> = optimizer.state().enumerate().map(|(i, t)| (format!("{i:06}"), t)).collect();
    let digest = weights::write(&folder.join("tensors.safetensors"), &tensors)?;
    files::write_json(&folder.join("position.json"), &Saved { position: position.clone(), digest })
}

/// The saved state, if there is one that is whole; the optimiser is put back to it.
///
/// # Errors
/// What libtorch refuses. A state that is not whole is ignored: the run then starts over.
pub fn load(work: &Path, optimizer: &mut AdamW) -> Result<Option<Position>> {
    let folder = work.join(FOLDER);
    let Ok(saved) = files::read_json::<Saved>(&folder.join("position.json")) else { return Ok(None) };
    let tensors = folder.join("tensors.safetensors");
    let whole = |row: &CheckpointOutput| {
        files::expect_digest(&work.join(&row.folder).join("model.safetensors"), &row.weights_digest).is_ok()
            && work.join(&row.folder).join("clmbench.json").exists()
    };
    if files::expect_digest(&tensors, &saved.digest).is_err() || !saved.position.checkpoints.iter().all(whole) {
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

/// Removes the state of a finished run.
///
/// # Errors
/// What cannot be removed.
pub fn discard(work: &Path) -> Result<()> {
    let folder = work.join(FOLDER);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(&folder, "removing", &error)),
        _ => Ok(()),
    }
}
