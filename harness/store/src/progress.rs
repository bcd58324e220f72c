//! The life of a cell: started, finished with its typed rows in the same transaction, or failed.

use clmbench_protocol::{CellOutput, CellReport, CellSpec, Failure, fault};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::{
    CellStatus, Store, StoreError, clock, prediction, typed,
    value::{Float, count, difference, from_json, integer, json},
};

impl Store {
    /// Marks a cell as being computed and counts the attempt.
    ///
    /// # Errors
    /// [`StoreError::Finished`] if it is done or diverged; [`StoreError::UnknownCell`].
    pub fn start(&mut self, identity: &str) -> Result<(), StoreError> {
        self.write(|transaction| {
            refuse_finished(transaction, identity)?;
            transaction.execute(
                "UPDATE cell SET status = 'running', attempts = attempts + 1, started = ?2, finished = NULL,
                   failure_kind = NULL, reason = NULL WHERE identity = ?1",
                params![identity, clock::now()],
            )?;
            Ok(())
        })
    }

    /// Stores a cell's result: status (`diverged` for a pretraining run that did, else `done`), report and typed rows in
    /// one transaction. The same result for a finished cell changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Irreproducible`] if the cell is finished with another result, which is kept;
    /// [`StoreError::Invalid`] if the result is of another kind than the cell; [`StoreError::UnknownCell`].
    pub fn finish(&mut self, identity: &str, report: &CellReport) -> Result<(), StoreError> {
        self.write(|transaction| {
            let (status, spec) = status_and_spec(transaction, identity)?;
            let digest = output_digest(&report.output)?;
            if status.is_finished() {
                return compare(transaction, identity, report, &digest);
            }
            if !report.seconds.is_finite() {
                return Err(StoreError::invalid(format!("cell {identity} took {} seconds", report.seconds)));
            }
            let diverged = matches!(&report.output, CellOutput::Pretrain(output) if output.diverged);
            let status = if diverged { CellStatus::Diverged } else { CellStatus::Done };
            let output_json = json(&without_predictions(&report.output))?;
            transaction.execute(
                "UPDATE cell SET status = ?2, failure_kind = NULL, reason = NULL, finished = ?3, output_json = ?4,
                   output_digest = ?5, files_json = ?6, seconds = ?7, peak_rss_bytes = ?8, device = ?9, libtorch = ?10,
                   build = ?11 WHERE identity = ?1",
                params![
                    identity,
                    status.word(),
                    clock::now(),
                    output_json,
                    digest,
                    json(&report.files)?,
                    Float(report.seconds),
                    integer(report.peak_rss_bytes)?,
                    report.device,
                    report.libtorch,
                    report.build
                ],
            )?;
            typed::put(transaction, identity, &spec, &report.output)?;
            fault::reach("inside_commit");
            Ok(())
        })
    }

    /// Compares a result with the stored one; a cell that is not finished agrees with any.
    ///
    /// # Errors
    /// [`StoreError::Irreproducible`] if they differ; [`StoreError::UnknownCell`].
    pub fn compare(&self, identity: &str, report: &CellReport) -> Result<(), StoreError> {
        self.read(|snapshot| match status_and_spec(snapshot, identity)?.0.is_finished() {
            true => compare(snapshot, identity, report, &output_digest(&report.output)?),
            false => Ok(()),
        })
    }

    /// Stores that a cell failed, and why. It may be started again.
    ///
    /// # Errors
    /// [`StoreError::Finished`] if it is done or diverged; [`StoreError::UnknownCell`].
    pub fn fail(&mut self, identity: &str, failure: &Failure) -> Result<(), StoreError> {
        self.write(|transaction| {
            refuse_finished(transaction, identity)?;
            transaction.execute(
                "UPDATE cell SET status = 'failed', failure_kind = ?2, reason = ?3, finished = ?4 WHERE identity = ?1",
                params![identity, failure.kind.word(), failure.message, clock::now()],
            )?;
            Ok(())
        })
    }

    /// The report of a finished cell; none if it is not finished or not known.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it cannot be read back.
    pub fn report(&self, identity: &str) -> Result<Option<CellReport>, StoreError> {
        self.read(|snapshot| report(snapshot, identity))
    }

    /// The definition of a cell; none if it is not known.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it cannot be read back.
    pub fn spec(&self, identity: &str) -> Result<Option<CellSpec>, StoreError> {
        self.read(|snapshot| {
            let mut statement = snapshot.prepare_cached("SELECT spec_json FROM cell WHERE identity = ?1")?;
            let text: Option<String> = statement.query_row([identity], |row| row.get(0)).optional()?;
            text.map(|text| from_json(&text, "stored cell definition")).transpose()
        })
    }

    /// The test predictions of a transfer cell for one of its tasks: (row of the dataset, label, prediction). A task that was
    /// refused has none.
    ///
    /// # Errors
    /// [`StoreError::UnknownCell`] if there is no such cell or task; [`StoreError::Corrupt`] if the bytes are malformed.
    pub fn predictions(&self, identity: &str, task: &str) -> Result<Vec<(u64, f64, f64)>, StoreError> {
        self.read(|snapshot| {
            let position: Option<i64> = snapshot
                .prepare_cached("SELECT position FROM transfer_task WHERE identity = ?1 AND task = ?2")?
                .query_row([identity, task], |row| row.get(0))
                .optional()?;
            let found = position.map(|position| predictions(snapshot, identity, position)).transpose()?.flatten();
            found.ok_or_else(|| StoreError::UnknownCell { cell: format!("{identity} (transfer to {task})"), near: String::new() })
        })
    }
}

/// BLAKE3 of the result's JSON.
pub(crate) fn output_digest(output: &CellOutput) -> Result<String, StoreError> {
    Ok(blake3::hash(json(output)?.as_bytes()).to_hex().to_string())
}

/// The report of a finished cell.
pub(crate) fn report(snapshot: &Transaction<'_>, identity: &str) -> Result<Option<CellReport>, StoreError> {
    let mut statement = snapshot.prepare_cached(
        "SELECT output_json, files_json, seconds, peak_rss_bytes, device, libtorch, build
         FROM cell WHERE identity = ?1 AND output_json IS NOT NULL",
    )?;
    let mut rows = statement.query([identity])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut output: CellOutput = from_json(&row.get::<_, String>(0)?, "stored result")?;
    if let CellOutput::Transfer(transfer) = &mut output {
        for (position, task) in transfer.tasks.iter_mut().enumerate() {
            let stored = predictions(snapshot, identity, position as i64)?
                .ok_or_else(|| StoreError::malformed(format!("the predictions of cell {identity} are gone")))?;
            task.predictions = stored.into_iter().map(|(row, label, value)| (row, label.into(), value.into())).collect();
        }
    }
    Ok(Some(CellReport {
        output,
        files: from_json(&row.get::<_, String>(1)?, "stored files")?,
        seconds: row.get::<_, Float>(2)?.0,
        peak_rss_bytes: count(row.get(3)?)?,
        device: row.get(4)?,
        libtorch: row.get(5)?,
        build: row.get(6)?,
    }))
}

/// Rows of (row of the dataset, label, prediction).
type Predictions = Vec<(u64, f64, f64)>;

fn predictions(snapshot: &Transaction<'_>, identity: &str, task_position: i64) -> Result<Option<Predictions>, StoreError> {
    let mut statement =
        snapshot.prepare_cached("SELECT data, molecules, blake3 FROM prediction WHERE identity = ?1 AND task_position = ?2")?;
    let mut rows = statement.query(params![identity, task_position])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let data = row.get_ref(0)?.as_blob().map_err(|error| StoreError::malformed(error.to_string()))?;
    prediction::decode(identity, data, count(row.get(1)?)?, &row.get::<_, String>(2)?).map(Some)
}

/// The result as it is stored as JSON: predictions are kept once, as a blob.
fn without_predictions(output: &CellOutput) -> CellOutput {
    let mut output = output.clone();
    if let CellOutput::Transfer(transfer) = &mut output {
        transfer.tasks.iter_mut().for_each(|task| task.predictions.clear());
    }
    output
}

fn status_and_spec(transaction: &Transaction<'_>, identity: &str) -> Result<(CellStatus, CellSpec), StoreError> {
    let found: Option<(String, String)> = transaction
        .query_row("SELECT status, spec_json FROM cell WHERE identity = ?1", [identity], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (status, spec) = found.ok_or_else(|| StoreError::UnknownCell { cell: identity.into(), near: String::new() })?;
    let status = CellStatus::from_word(&status).ok_or_else(|| StoreError::malformed(format!("status `{status}`")))?;
    Ok((status, from_json(&spec, "stored cell definition")?))
}

fn refuse_finished(transaction: &Transaction<'_>, identity: &str) -> Result<(), StoreError> {
    let (status, _) = status_and_spec(transaction, identity)?;
    if status.is_finished() { Err(StoreError::Finished { identity: identity.into(), status }) } else { Ok(()) }
}

/// Compares a new result of a finished cell with the stored one.
fn compare(transaction: &Transaction<'_>, identity: &str, new: &CellReport, new_digest: &str) -> Result<(), StoreError> {
    let stored_digest: String =
        transaction.query_row("SELECT output_digest FROM cell WHERE identity = ?1", [identity], |row| row.get(0))?;
    if stored_digest == new_digest {
        return Ok(());
    }
    let stored = report(transaction, identity)?.ok_or_else(|| StoreError::malformed(format!("no result of {identity}")))?;
    let as_value = |output: &CellOutput| json(output).and_then(|text| from_json::<serde_json::Value>(&text, "result"));
    let name = |digest: &str, report: &CellReport| {
        format!("{} ({}, libtorch {})", digest.get(..16).unwrap_or(digest), report.device, report.libtorch)
    };
    Err(StoreError::Irreproducible {
        identity: identity.into(),
        difference: difference(&as_value(&stored.output)?, &as_value(&new.output)?).unwrap_or_else(|| "none in values".into()),
        stored: name(&stored_digest, &stored),
        found: name(new_digest, new),
    })
}
