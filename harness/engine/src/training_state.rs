//! The state of a run that is under way, saved so that an interrupted run goes on instead of starting over.
//!
//! A state is one file of tensors (weights, moments, step counters) and one of positions that names it with its digest and
//! is written last; on a cool-down branch there are two files of tensors, the trunk's and the branch's. The last two states
//! are kept: if the newest is not whole, the one before it is used.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clmbench_protocol::{CheckpointOutput, Number, PretrainOutput};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{
    failure::{Result, io},
    files,
    optimizer::AdamW,
    weights,
};

/// Folder of the states inside the cell's folder.
const FOLDER: &str = "state";
/// States that are kept.
const KEPT: usize = 2;

/// How often states are saved, beside those at the branch points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saving {
    /// Time between two states.
    pub every: Duration,
    /// Share of the time that saving may take; the time between two states is longer where it would take more.
    pub share: f64,
}

impl Default for Saving {
    /// Every 30 seconds, for a twentieth of the time at most.
    fn default() -> Self {
        Self { every: Duration::from_secs(30), share: 0.05 }
    }
}

/// Where a run stands on its trunk or on a branch.
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

/// Where a run stands.
#[derive(Debug, Default)]
pub struct Standing {
    /// On the trunk; where the branch left it, while there is one.
    pub trunk: Position,
    /// On the branch to the next checkpoint.
    pub branch: Option<Position>,
    /// The optimiser's state on the trunk, while there is a branch.
    pub kept: Vec<Tensor>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TensorFile {
    name: String,
    digest: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    trunk: Position,
    trunk_tensors: TensorFile,
    branch: Option<(Position, TensorFile)>,
}

impl Saved {
    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.trunk_tensors.name.as_str()).chain(self.branch.iter().map(|(_, file)| file.name.as_str()))
    }
}

/// The saved states of a run.
#[derive(Debug)]
pub struct States {
    folder: PathBuf,
    saving: Saving,
    saved_at: Instant,
    took: Duration,
    /// Number of the last state.
    serial: u64,
    trunk: Option<TensorFile>,
    /// Files of each state that is kept, oldest first.
    kept: Vec<Vec<String>>,
}

fn position_file(serial: u64) -> String {
    format!("position-{serial}.json")
}

impl States {
    /// The states in a cell's folder, to be saved every so often, and where the newest whole one stands, with the optimiser
    /// put back to it. What is not whole is removed; with no whole state the run starts over.
    ///
    /// # Errors
    /// What libtorch refuses, what cannot be removed.
    pub fn open(work: &Path, saving: Saving, optimizer: &mut AdamW) -> Result<(Self, Option<Standing>)> {
        let folder = work.join(FOLDER);
        let start = Instant::now();
        let mut states = Self { folder, saving, saved_at: start, took: Duration::ZERO, serial: 0, trunk: None, kept: Vec::new() };
        let mut serials: Vec<u64> = states.names()?.iter().filter_map(|name| serial_of(name)).collect();
        serials.sort_unstable();
        // Never the number of a state that was once there, whole or not.
        states.serial = serials.last().copied().unwrap_or(0);
        let mut standing = None;
        while let Some(serial) = serials.pop() {
            let Ok(saved) = files::read_json::<Saved>(&states.folder.join(position_file(serial))) else { continue };
            let Some(found) = states.restore(&saved, work, optimizer)? else { continue };
            states.kept = vec![saved.names().map(str::to_owned).chain([position_file(serial)]).collect()];
            states.trunk = Some(saved.trunk_tensors);
            standing = Some(found);
            break;
        }
        states.tidy()?;
        states.saved_at = Instant::now();
        Ok((states, standing))
    }

    fn restore(&self, saved: &Saved, work: &Path, optimizer: &mut AdamW) -> Result<Option<Standing>> {
        if !all_whole(work, &saved.trunk.checkpoints) {
            return Ok(None);
        }
        let read = |file: &TensorFile| {
            let path = self.folder.join(&file.name);
            files::expect_digest(&path, &file.digest).ok()?;
            let rows: Vec<Tensor> = weights::read(&path).ok()?.into_iter().map(|(_, tensor)| tensor).collect();
            let same = rows.len() == optimizer.state().count()
                && rows.iter().zip(optimizer.state()).all(|(saved, tensor)| saved.size() == tensor.size());
            same.then_some(rows)
        };
        let Some(trunk) = read(&saved.trunk_tensors) else { return Ok(None) };
        let mut standing = Standing { trunk: saved.trunk.clone(), branch: None, kept: Vec::new() };
        let Some((position, file)) = &saved.branch else {
            optimizer.restore(&trunk)?;
            return Ok(Some(standing));
        };
        let Some(branch) = read(file) else { return Ok(None) };
        optimizer.restore(&branch)?;
        standing.branch = Some(position.clone());
        standing.kept = trunk;
        Ok(Some(standing))
    }

    /// Whether it is time to save a state.
    pub fn due(&self) -> bool {
        self.saved_at.elapsed() >= self.saving.every.max(self.took.div_f64(self.saving.share))
    }

    /// Saves a state on the trunk.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn save_trunk(&mut self, optimizer: &AdamW, trunk: &Position) -> Result<()> {
        let file = self.write_tensors(optimizer)?;
        self.trunk = Some(file);
        self.save_position(trunk)
    }

    /// Saves a state on the trunk whose tensors are those of the last one there, such as after a branch from it has ended.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn save_position(&mut self, trunk: &Position) -> Result<()> {
        self.save(trunk, None)
    }

    /// Saves a state on a branch from the trunk's last saved state.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn save_branch(&mut self, optimizer: &AdamW, trunk: &Position, branch: &Position) -> Result<()> {
        let file = self.write_tensors(optimizer)?;
        self.save(trunk, Some((branch.clone(), file)))
    }

    fn write_tensors(&mut self, optimizer: &AdamW) -> Result<TensorFile> {
        let start = Instant::now();
        std::fs::create_dir_all(&self.folder).map_err(|error| io(&self.folder, "creating", &error))?;
        let rows: Vec<(String, &Tensor)> = optimizer.state().enumerate().map(|(i, t)| (format!("{i:06}"), t)).collect();
        let name = format!("tensors-{}.safetensors", self.serial + 1);
        let digest = weights::write(&self.folder.join(&name), &rows)?;
        self.took = start.elapsed();
        Ok(TensorFile { name, digest })
    }

    fn save(&mut self, trunk: &Position, branch: Option<(Position, TensorFile)>) -> Result<()> {
        // No state of the trunk can only mean that none was asked for: there is nothing to go back to then.
        let Some(trunk_tensors) = self.trunk.clone() else { return Ok(()) };
        self.serial += 1;
        let saved = Saved { trunk: trunk.clone(), trunk_tensors, branch };
        let name = position_file(self.serial);
        files::write_json(&self.folder.join(&name), &saved)?;
        self.kept.push(saved.names().map(str::to_owned).chain([name]).collect());
        if self.kept.len() > KEPT {
            self.kept.remove(0);
        }
        self.tidy()?;
        self.saved_at = Instant::now();
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| io(&self.folder, "reading", &error))?,
        };
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// Removes what belongs to no state that is kept.
    fn tidy(&self) -> Result<()> {
        for name in self.names()? {
            if !self.kept.iter().flatten().any(|kept| *kept == name) {
                let path = self.folder.join(&name);
                std::fs::remove_file(&path).map_err(|error| io(&path, "removing", &error))?;
            }
        }
        Ok(())
    }
}

fn serial_of(name: &str) -> Option<u64> {
    name.strip_prefix("position-")?.strip_suffix(".json")?.parse().ok()
}

fn all_whole(work: &Path, checkpoints: &[CheckpointOutput]) -> bool {
    checkpoints.iter().all(|row| {
        let folder = work.join(&row.folder);
        files::expect_digest(&folder.join("model.safetensors"), &row.weights_digest).is_ok()
            && folder.join("clmbench.json").exists()
    })
}

/// The training record that stays with a finished run.
#[derive(Serialize, Deserialize)]
struct Record {
    output: PretrainOutput,
    /// Mean loss over the predicted tokens of every step to the last checkpoint, in nats.
    losses: Vec<Number>,
}

/// File of the training record.
pub const RECORD: &str = "record.json";

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

/// Mean loss over the predicted tokens of every step to the last checkpoint, in nats, out of a training record.
///
/// # Errors
/// [`FailureKind::CorruptFile`](clmbench_protocol::FailureKind::CorruptFile) for a file that is no training record.
pub fn losses(path: &Path) -> Result<Vec<f64>> {
    let record: Record = files::read_json(path)?;
    Ok(record.losses.into_iter().map(|loss| loss.0).collect())
}

/// Removes everything in the cell's folder but the states and the checkpoints that they count.
///
/// # Errors
/// What cannot be removed.
pub fn tidy(work: &Path, kept: Option<&Standing>) -> Result<()> {
    let entries = std::fs::read_dir(work).map_err(|error| io(work, "reading", &error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let counted = kept.is_some_and(|standing| {
            name == FOLDER || standing.trunk.checkpoints.iter().any(|row| name.to_str() == Some(row.folder.as_str()))
        });
        if !counted {
            let path = entry.path();
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(|error| io(&path, "removing", &error))?;
        }
    }
    Ok(())
}

/// Writes the training record of a finished run and removes the states.
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
