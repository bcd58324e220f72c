//! What a suite found: its runs, and the metric values and scores of their checkpoints.
//!
//! A row belongs to a suite when its cell is bound in the suite's plan and finished. A metric value or score belongs to
//! a run when the weights it was taken from are those of one of the run's checkpoints.

use std::collections::HashMap;

use clmbench_protocol::{CellOutput, CorpusOutput, DatasetOutput};
use rusqlite::{Transaction, params};

use crate::{
    MetricRow, RefusedTaskRow, RunRow, ScoreRow, Store, StoreError,
    plan::require_suite,
    value::{Float, count, from_json, from_word, json, maybe, seed, small},
};

/// The bound cells of suite ?1, each once, with the label and position of its first key.
pub(crate) const BOUND: &str = "(SELECT identity, label, source, tokens, molecules, min(position) AS position FROM plan_cell
    WHERE suite_id = ?1 AND identity IS NOT NULL GROUP BY identity)";

/// A checkpoint of a run of the suite.
struct Owner {
    run: String,
    folder: String,
    annealed: bool,
    last: bool,
    tokens: Option<u64>,
    corpus_molecules: Option<u64>,
    /// Number format of the run's training steps.
    precision: Option<String>,
}

impl Store {
    /// The pretraining runs of a suite, controls and diverged ones among them, in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn runs(&self, suite_id: i64) -> Result<Vec<RunRow>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT r.identity, b.label, r.architecture, r.objective, r.config_json,
                   coalesce((SELECT k.corpus FROM corpus k WHERE k.train_digest = r.corpus_digest
                     AND k.tokenizer_digest = r.tokenizer_digest
                     ORDER BY k.identity IN (SELECT identity FROM plan_cell WHERE suite_id = ?1) DESC, k.rowid DESC LIMIT 1), ''),
                   coalesce(r.corpus_molecules, iif(r.control, NULL, b.molecules)), coalesce(r.tokens, b.tokens), r.seed,
                   r.non_embedding_parameters, r.total_parameters, coalesce(l.training_flops, iif(r.imported, NULL, 0.0)), r.epochs,
                   r.control, r.diverged, r.tokenizer_digest, coalesce(r.corpus_digest, ''),
                   coalesce(l.weights_digest, ''),
                   (SELECT count(*) FROM checkpoint a WHERE a.run = r.identity AND a.annealed),
                   c.seconds, c.device, c.libtorch, r.learning_rate, r.divergence, c.spec_json,
                   coalesce(c.spec_json ->> '$.precision', iif(r.imported, '', 'float32')), r.imported, b.source
                 FROM {BOUND} b JOIN run r ON r.identity = b.identity JOIN cell c ON c.identity = r.identity
                   LEFT JOIN checkpoint l ON l.run = r.identity
                     AND l.position = (SELECT max(position) FROM checkpoint WHERE run = r.identity AND last)
                 ORDER BY b.position"
            ))?;
            let mut rows = statement.query([suite_id])?;
            let mut runs = Vec::new();
            while let Some(row) = rows.next()? {
                let (tokens, parameters) = (maybe(row.get(7)?)?, count(row.get(9)?)?);
                let flops = |tokens: u64| 6.0 * parameters as f64 * tokens as f64;
                runs.push(RunRow {
                    run: row.get(0)?,
                    label: row.get(1)?,
                    architecture: row.get(2)?,
                    objective: from_word(row.get(3)?)?,
                    config_json: row.get(4)?,
                    corpus: row.get(5)?,
                    imported: row.get(26)?,
                    source: row.get(27)?,
                    corpus_molecules: maybe(row.get(6)?)?,
                    tokens,
                    seed: row.get::<_, Option<String>>(8)?.map(|text| seed(&text)).transpose()?,
                    configuration: configuration(&row.get::<_, String>(24)?)?,
                    non_embedding_parameters: parameters,
                    total_parameters: count(row.get(10)?)?,
                    training_flops: row.get::<_, Option<Float>>(11)?.map(|value| value.0).or(tokens.map(flops)),
                    learning_rate: row.get::<_, Option<Float>>(22)?.map(|value| value.0),
                    epochs: row.get::<_, Option<Float>>(12)?.map(|value| value.0),
                    control: row.get(13)?,
                    diverged: row.get(14)?,
                    divergence: row.get(23)?,
                    tokenizer_digest: row.get(15)?,
                    corpus_digest: row.get(16)?,
                    last_weights: row.get(17)?,
                    n_checkpoints: small(row.get(18)?)?,
                    precision: row.get(25)?,
                    seconds: row.get::<_, Float>(19)?.0,
                    device: row.get(20)?,
                    libtorch: row.get(21)?,
                });
            }
            Ok(runs)
        })
    }

    /// The metric values of a suite, one row for each value and run. Where several runs share weights (controls of one
    /// size and seed), a value belongs to the runs with the tokens and corpus that the metric was told of.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn metric_rows(&self, suite_id: i64) -> Result<Vec<MetricRow>, StoreError> {
        self.metric_rows_of(suite_id, None)
    }

    /// The same, of these metrics (`family/name`) alone; of all for none.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn metric_rows_of(&self, suite_id: i64, metrics: Option<&[&str]>) -> Result<Vec<MetricRow>, StoreError> {
        let wanted = metrics.map(json).transpose()?;
        self.read(|snapshot| {
            let owners = owners(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT m.identity, m.weights_digest, m.metric, m.params_json, m.budget, v.name, v.is_primary, v.unit, v.value,
                   v.se_estimator, v.se_sample, v.std_error, v.error_kind, m.heldout_digest, m.tokenizer_digest, m.data_digest,
                   m.split_digest, m.task, m.molecules, m.gradient_equivalents, m.stopped, m.tokens, m.corpus_molecules,
                   c.seconds, c.device, c.libtorch
                 FROM {BOUND} b JOIN measurement m ON m.identity = b.identity JOIN cell c ON c.identity = b.identity
                   JOIN metric_value v ON v.identity = m.identity
                 WHERE ?2 IS NULL OR m.metric IN (SELECT value FROM json_each(?2))
                 ORDER BY b.position, v.position"
            ))?;
            let mut rows = statement.query(params![suite_id, wanted])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let weights_digest: String = row.get(1)?;
                let Some(candidates) = owners.get(&weights_digest) else { continue };
                let (tokens, molecules) = (maybe(row.get(21)?)?, maybe(row.get(22)?)?);
                let told = |owner: &&Owner| owner.tokens == tokens && owner.corpus_molecules == molecules;
                let ambiguous = candidates.len() > 1 && candidates.iter().any(|owner| told(&owner));
                let dataset: (Option<String>, Option<String>, Option<String>) = (row.get(15)?, row.get(16)?, row.get(17)?);
                for owner in candidates.iter().filter(|owner| !ambiguous || told(owner)) {
                    found.push(MetricRow {
                        cell: row.get(0)?,
                        run: owner.run.clone(),
                        weights_digest: weights_digest.clone(),
                        annealed: owner.annealed,
                        last: owner.last,
                        metric: row.get(2)?,
                        params_json: row.get(3)?,
                        budget: from_word(row.get(4)?)?,
                        value_name: row.get(5)?,
                        primary: row.get(6)?,
                        unit: row.get(7)?,
                        value: row.get::<_, Float>(8)?.0,
                        se_estimator: row.get::<_, Option<Float>>(9)?.map(|error| error.0),
                        se_sample: row.get::<_, Option<Float>>(10)?.map(|error| error.0),
                        std_error: row.get::<_, Float>(11)?.0,
                        error_kind: from_word(row.get(12)?)?,
                        heldout_digest: row.get(13)?,
                        tokenizer_digest: row.get(14)?,
                        dataset: match dataset.clone() {
                            (Some(data), Some(split), Some(task)) => Some((data, split, task)),
                            _ => None,
                        },
                        molecules: count(row.get(18)?)?,
                        gradient_equivalents: row.get::<_, Float>(19)?.0,
                        stopped: row.get(20)?,
                        seconds: row.get::<_, Float>(23)?.0,
                        device: row.get(24)?,
                        libtorch: row.get(25)?,
                    });
                }
            }
            Ok(found)
        })
    }

    /// The scores of a suite, one row for each score and run. Where several runs share weights (controls of one size and
    /// seed), a fine-tuning belongs to the runs that were trained in its number format.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn score_rows(&self, suite_id: i64) -> Result<Vec<ScoreRow>, StoreError> {
        self.read(|snapshot| {
            let owners = owners(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT t.identity, t.weights_digest, t.dataset, k.task, k.task_kind, t.protocol, t.split_digest, t.data_digest,
                   s.name, s.value, s.higher_is_better, s.is_primary, s.se_test, s.se_seed, s.mean_predictor, k.n_train,
                   k.n_validation, k.n_test, t.seed, c.seconds, c.device, c.libtorch, t.searched,
                   c.spec_json ->> '$.protocol.precision'
                 FROM {BOUND} b JOIN transfer t ON t.identity = b.identity JOIN cell c ON c.identity = b.identity
                   JOIN transfer_task k ON k.identity = t.identity
                   JOIN score s ON s.identity = k.identity AND s.task_position = k.position
                 ORDER BY b.position, k.position, s.position"
            ))?;
            let mut rows = statement.query([suite_id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let weights_digest: String = row.get(1)?;
                let Some(candidates) = owners.get(&weights_digest) else { continue };
                let precision: Option<String> = row.get(23)?;
                let alike = |owner: &&Owner| precision.is_none() || owner.precision == precision;
                let any_alike = candidates.iter().any(|owner| alike(&owner));
                for owner in candidates.iter().filter(|owner| !any_alike || alike(owner)) {
                    found.push(ScoreRow {
                        cell: row.get(0)?,
                        run: owner.run.clone(),
                        weights_digest: weights_digest.clone(),
                        checkpoint: owner.folder.clone(),
                        annealed: owner.annealed,
                        last: owner.last,
                        dataset: row.get(2)?,
                        task: row.get(3)?,
                        task_kind: from_word(row.get(4)?)?,
                        protocol: row.get(5)?,
                        split_digest: row.get(6)?,
                        data_digest: row.get(7)?,
                        score: row.get(8)?,
                        value: row.get::<_, Float>(9)?.0,
                        higher_is_better: row.get(10)?,
                        primary: row.get(11)?,
                        se_test: row.get::<_, Float>(12)?.0,
                        se_seed: row.get::<_, Option<Float>>(13)?.map(|error| error.0),
                        mean_predictor: row.get::<_, Float>(14)?.0,
                        n_train: count(row.get(15)?)?,
                        n_validation: count(row.get(16)?)?,
                        n_test: count(row.get(17)?)?,
                        seed: seed(&row.get::<_, String>(18)?)?,
                        fixed_learning_rate: row.get::<_, Option<bool>>(22)? == Some(false),
                        seconds: row.get::<_, Float>(19)?.0,
                        device: row.get(20)?,
                        libtorch: row.get(21)?,
                    });
                }
            }
            Ok(found)
        })
    }

    /// The tasks of a suite's finished transfer cells that have no score, with the reason, one row for each run.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn refused_tasks(&self, suite_id: i64) -> Result<Vec<RefusedTaskRow>, StoreError> {
        self.read(|snapshot| {
            let owners = owners(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT t.identity, t.weights_digest, t.dataset, k.task, k.score, t.protocol, t.split_digest, t.data_digest,
                   k.refused
                 FROM {BOUND} b JOIN transfer t ON t.identity = b.identity
                   JOIN transfer_task k ON k.identity = t.identity
                 WHERE k.refused IS NOT NULL ORDER BY b.position, k.position"
            ))?;
            let mut rows = statement.query([suite_id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                for owner in owners.get(&row.get::<_, String>(1)?).into_iter().flatten() {
                    found.push(RefusedTaskRow {
                        cell: row.get(0)?,
                        run: owner.run.clone(),
                        checkpoint: owner.folder.clone(),
                        last: owner.last,
                        dataset: row.get(2)?,
                        task: row.get(3)?,
                        score: row.get(4)?,
                        protocol: row.get(5)?,
                        split_digest: row.get(6)?,
                        data_digest: row.get(7)?,
                        reason: row.get(8)?,
                    });
                }
            }
            Ok(found)
        })
    }

    /// The corpus subsets of a suite, in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn corpora(&self, suite_id: i64) -> Result<Vec<CorpusOutput>, StoreError> {
        self.outputs(suite_id, "tokenise_corpus", |output| match output {
            CellOutput::TokeniseCorpus(output) => Some(output),
            _ => None,
        })
    }

    /// The datasets of a suite, in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn datasets(&self, suite_id: i64) -> Result<Vec<DatasetOutput>, StoreError> {
        self.outputs(suite_id, "tokenise_dataset", |output| match output {
            CellOutput::TokeniseDataset(output) => Some(output),
            _ => None,
        })
    }

    fn outputs<T>(&self, suite_id: i64, kind: &str, pick: impl Fn(CellOutput) -> Option<T>) -> Result<Vec<T>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT c.output_json FROM {BOUND} b JOIN cell c ON c.identity = b.identity
                 WHERE c.kind = ?2 AND c.output_json IS NOT NULL ORDER BY b.position"
            ))?;
            let mut rows = statement.query(rusqlite::params![suite_id, kind])?;
            let mut outputs = Vec::new();
            while let Some(row) = rows.next()? {
                outputs.extend(pick(from_json(&row.get::<_, String>(0)?, "stored result")?));
            }
            Ok(outputs)
        })
    }
}

/// BLAKE3 of a run's definition without its seed (objects have sorted keys).
fn configuration(spec_json: &str) -> Result<String, StoreError> {
    let mut spec: serde_json::Value = from_json(spec_json, "stored cell definition")?;
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("seed");
    }
    Ok(blake3::hash(spec.to_string().as_bytes()).to_hex().to_string())
}

/// The checkpoints of a suite's runs, by weights.
fn owners(snapshot: &Transaction<'_>, suite_id: i64) -> Result<HashMap<String, Vec<Owner>>, StoreError> {
    require_suite(snapshot, suite_id)?;
    let mut statement = snapshot.prepare(&format!(
        "SELECT k.weights_digest, k.run, k.annealed, k.last, coalesce(k.tokens, b.tokens),
           coalesce(r.corpus_molecules, b.molecules), k.folder,
           c.spec_json ->> '$.precision'
         FROM {BOUND} b JOIN run r ON r.identity = b.identity JOIN checkpoint k ON k.run = r.identity
           JOIN cell c ON c.identity = r.identity
         ORDER BY b.position, k.position"
    ))?;
    let mut rows = statement.query([suite_id])?;
    let mut owners: HashMap<String, Vec<Owner>> = HashMap::new();
    while let Some(row) = rows.next()? {
        owners.entry(row.get(0)?).or_default().push(Owner {
            run: row.get(1)?,
            folder: row.get(6)?,
            annealed: row.get(2)?,
            last: row.get(3)?,
            tokens: maybe(row.get(4)?)?,
            corpus_molecules: maybe(row.get(5)?)?,
            precision: row.get(7)?,
        });
    }
    Ok(owners)
}
