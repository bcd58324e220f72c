//! Baselines of a suite: scores of models without a CLM. They belong to no run, so no query of runs, values or scores gives them.

use clmbench_protocol::TaskKind;
use serde::Serialize;

use crate::{
    RefusedTaskRow, Store, StoreError,
    plan::require_suite,
    query::BOUND,
    rows::{number, optional_number},
    value::{Float, count, from_word, seed},
};

/// One downstream score of one baseline with one seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineRow {
    /// Identity of the transfer cell.
    pub cell: String,
    /// Model and features, such as `random forest, ecfp4 2048`.
    pub baseline: String,
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Regression or classification.
    pub task_kind: TaskKind,
    /// Digest of the split.
    pub split_digest: String,
    /// Digest of molecules, labels and tokens.
    pub data_digest: String,
    /// Name of the score, such as `rmse`.
    pub score: String,
    /// The score on the test molecules.
    #[serde(serialize_with = "number")]
    pub value: f64,
    /// Whether larger is better.
    pub higher_is_better: bool,
    /// Whether it is the task's recommended score.
    pub primary: bool,
    /// Standard error over test molecules.
    #[serde(serialize_with = "number")]
    pub se_test: f64,
    /// Standard error over seeds, where the cell gives one itself.
    #[serde(serialize_with = "optional_number")]
    pub se_seed: Option<f64>,
    /// The same score of the predictor that always says the training mean or prevalence.
    #[serde(serialize_with = "number")]
    pub mean_predictor: f64,
    /// Molecules with labels for training.
    pub n_train: u64,
    /// Molecules with labels for validation.
    pub n_validation: u64,
    /// Molecules with labels for testing.
    pub n_test: u64,
    /// Seed; 0 for a model without one.
    pub seed: u64,
    /// Wall time of the cell, in seconds.
    #[serde(serialize_with = "number")]
    pub seconds: f64,
    /// Device.
    pub device: String,
    /// libtorch version of the worker.
    pub libtorch: String,
}

impl Store {
    /// The scores of a suite's baselines, one row for each score and seed, in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn baseline_rows(&self, suite_id: i64) -> Result<Vec<BaselineRow>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT t.identity, t.baseline, t.dataset, k.task, k.task_kind, t.split_digest, t.data_digest, s.name, s.value,
                   s.higher_is_better, s.is_primary, s.se_test, s.se_seed, s.mean_predictor, k.n_train, k.n_validation, k.n_test,
                   t.seed, c.seconds, c.device, c.libtorch
                 FROM {BOUND} b JOIN transfer t ON t.identity = b.identity JOIN cell c ON c.identity = b.identity
                   JOIN transfer_task k ON k.identity = t.identity
                   JOIN score s ON s.identity = k.identity AND s.task_position = k.position
                 WHERE t.baseline IS NOT NULL ORDER BY b.position, k.position, s.position"
            ))?;
            let mut rows = statement.query([suite_id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(BaselineRow {
                    cell: row.get(0)?,
                    baseline: row.get(1)?,
                    dataset: row.get(2)?,
                    task: row.get(3)?,
                    task_kind: from_word(row.get(4)?)?,
                    split_digest: row.get(5)?,
                    data_digest: row.get(6)?,
                    score: row.get(7)?,
                    value: row.get::<_, Float>(8)?.0,
                    higher_is_better: row.get(9)?,
                    primary: row.get(10)?,
                    se_test: row.get::<_, Float>(11)?.0,
                    se_seed: row.get::<_, Option<Float>>(12)?.map(|error| error.0),
                    mean_predictor: row.get::<_, Float>(13)?.0,
                    n_train: count(row.get(14)?)?,
                    n_validation: count(row.get(15)?)?,
                    n_test: count(row.get(16)?)?,
                    seed: seed(&row.get::<_, String>(17)?)?,
                    seconds: row.get::<_, Float>(18)?.0,
                    device: row.get(19)?,
                    libtorch: row.get(20)?,
                });
            }
            Ok(found)
        })
    }

    /// The tasks of a suite's finished baselines that have no score, with the reason. The name of the baseline stands for the run.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn refused_baselines(&self, suite_id: i64) -> Result<Vec<RefusedTaskRow>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT t.identity, t.baseline, t.dataset, k.task, k.score, t.protocol, t.split_digest, t.data_digest, k.refused
                 FROM {BOUND} b JOIN transfer t ON t.identity = b.identity
                   JOIN transfer_task k ON k.identity = t.identity
                 WHERE t.baseline IS NOT NULL AND k.refused IS NOT NULL ORDER BY b.position, k.position"
            ))?;
            let mut rows = statement.query([suite_id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(RefusedTaskRow {
                    cell: row.get(0)?,
                    run: row.get(1)?,
                    checkpoint: String::new(),
                    last: true,
                    dataset: row.get(2)?,
                    task: row.get(3)?,
                    score: row.get(4)?,
                    protocol: row.get(5)?,
                    split_digest: row.get(6)?,
                    data_digest: row.get(7)?,
                    reason: row.get(8)?,
                });
            }
            Ok(found)
        })
    }
}
