//! `export results`: every measured number in long form, one row each.
//!
//! | kind | what |
//! |---|---|
//! | `metric` | a value of a metric on a checkpoint of a run |
//! | `score` | a downstream score of a checkpoint of a run |
//! | `control` | the same of the random-initialised model |
//! | `baseline` | the same of a model without a language model; the predictor that always says the training mean or prevalence is one |
//! | `corpus` | cross-entropy of the held-out sample under counts of a corpus subset |

use std::{
    collections::{BTreeSet, HashMap},
    io::Write,
};

use clmbench_protocol::{CorpusOutput, DatasetOutput, TaskKind};
use clmbench_store::{BaselineRow, CheckpointRow, MetricRow, RunRow, ScoreRow, Store, SuiteRow};
use serde::Serialize;
use serde_json::Value;

use super::Chosen;
use crate::{
    error::CliError,
    rows::{Column, Kind, Writer, column},
};

/// Columns in order: the keys of [`Row`].
pub const COLUMNS: [Column; 47] = [
    column("suite", Kind::Text, "name of the suite"),
    column("kind", Kind::Text, "metric, score, control, baseline or corpus"),
    column("name", Kind::Text, "metric family/name, score or count model"),
    column("value_name", Kind::Text, "which value of the metric"),
    column("primary", Kind::Flag, "whether it is the primary value or score"),
    column("value", Kind::Number, "the value, in the column unit"),
    column("unit", Kind::Text, "unit; empty for a share or correlation"),
    column("std_error", Kind::Number, "standard error: root sum of squares of the parts below"),
    column("error_kind", Kind::Text, "statistical, residual_bound or exact"),
    column("se_estimator", Kind::Number, "part from probes or masks"),
    column("se_sample", Kind::Number, "part from the molecules of the sample"),
    column("se_test", Kind::Number, "part from the test molecules"),
    column("se_seed", Kind::Number, "part from transfer seeds within the cell"),
    column("n", Kind::Whole, "molecules measured on, or tested"),
    column("higher_is_better", Kind::Flag, "whether a larger score is better"),
    column("dataset", Kind::Text, "dataset of a score or label-aware metric"),
    column("task", Kind::Text, "its task"),
    column("baseline", Kind::Text, "name of the baseline"),
    column("protocol", Kind::Text, "probe, finetune or baseline"),
    column("transfer_seed", Kind::Whole, "seed of a fine-tuning or a baseline"),
    column("split_digest", Kind::Text, "BLAKE3 of the split"),
    column("run", Kind::Text, "label of the pretraining run"),
    column("run_cell", Kind::Text, "identity of its cell"),
    column("source", Kind::Text, "hub:owner/name@commit or folder:name"),
    column("checkpoint", Kind::Text, "folder of the checkpoint in its run"),
    column("checkpoint_tokens", Kind::Whole, "tokens trained on at the checkpoint"),
    column("training_loss", Kind::Number, "training loss there, nats a predicted token"),
    column("annealed", Kind::Flag, "whether its learning rate was cooled to zero"),
    column("last", Kind::Flag, "whether it is the run's last"),
    column("architecture", Kind::Text, "architecture"),
    column("objective", Kind::Text, "masked_lm or causal_lm"),
    column("config", Kind::Json, "configuration of the architecture"),
    column("non_embedding_parameters", Kind::Whole, "parameters without embeddings"),
    column("total_parameters", Kind::Whole, "all trainable parameters"),
    column("corpus", Kind::Text, "name of the corpus"),
    column("corpus_molecules", Kind::Whole, "molecules of the corpus subset"),
    column("tokens", Kind::Whole, "tokens of the whole run"),
    column("seed", Kind::Whole, "pretraining seed"),
    column("learning_rate", Kind::Number, "peak learning rate"),
    column("precision", Kind::Text, "float32 or bfloat16"),
    column("diverged", Kind::Flag, "whether the run diverged"),
    column("params", Kind::Json, "parameters of the metric, with its budget"),
    column("gradient_equivalents", Kind::Number, "cost of the metric in gradients"),
    column("seconds", Kind::Number, "wall time of the cell, s"),
    column("device", Kind::Text, "cpu or cuda:<index>"),
    column("libtorch", Kind::Text, "libtorch version"),
    column("cell", Kind::Text, "identity of the cell that holds the number"),
];

/// A number and all that says what it is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    suite: String,
    kind: &'static str,
    name: String,
    value_name: Option<String>,
    primary: Option<bool>,
    value: Value,
    unit: String,
    std_error: Value,
    error_kind: Value,
    se_estimator: Value,
    se_sample: Value,
    se_test: Value,
    se_seed: Value,
    n: Option<u64>,
    higher_is_better: Option<bool>,
    dataset: Option<String>,
    task: Option<String>,
    baseline: Option<String>,
    protocol: Option<String>,
    transfer_seed: Option<u64>,
    split_digest: Option<String>,
    run: Option<String>,
    run_cell: Option<String>,
    source: Option<String>,
    checkpoint: Option<String>,
    checkpoint_tokens: Option<u64>,
    training_loss: Value,
    annealed: Option<bool>,
    last: Option<bool>,
    architecture: Option<String>,
    objective: Value,
    config: Value,
    non_embedding_parameters: Option<u64>,
    total_parameters: Option<u64>,
    corpus: Option<String>,
    corpus_molecules: Option<u64>,
    tokens: Option<u64>,
    seed: Option<u64>,
    learning_rate: Value,
    precision: Option<String>,
    diverged: Option<bool>,
    params: Value,
    gradient_equivalents: Value,
    seconds: Value,
    device: Option<String>,
    libtorch: Option<String>,
    cell: Option<String>,
}

/// What rows are joined from.
struct Facts {
    suite: String,
    runs: HashMap<String, RunRow>,
    checkpoints: HashMap<(String, String), CheckpointRow>,
    datasets: HashMap<String, DatasetOutput>,
}

/// The rows that were asked for: corpora, metric values, scores with their baselines.
pub fn read(store: &Store, suite: &SuiteRow, chosen: &Chosen<'_>) -> Result<Vec<Row>, CliError> {
    let id = suite.id;
    let by_weights = |row: CheckpointRow| ((row.run.clone(), row.weights_digest.clone()), row);
    let facts = Facts {
        suite: suite.name.clone(),
        runs: store.runs(id)?.into_iter().map(|run| (run.run.clone(), run)).collect(),
        checkpoints: store.checkpoints(id)?.into_iter().map(by_weights).collect(),
        datasets: store.datasets(id)?.into_iter().map(|dataset| (dataset.data_digest.clone(), dataset)).collect(),
    };
    let scores = store.score_rows(id)?;
    let mut rows: Vec<Row> = store.corpora(id)?.iter().flat_map(|corpus| facts.corpus(corpus)).collect();
    rows.extend(store.metric_rows(id)?.iter().map(|row| facts.metric(row)));
    let mut baselines = BTreeSet::new();
    for score in &scores {
        let baseline = (&score.dataset, &score.task, &score.protocol, &score.split_digest, &score.score);
        if baselines.insert(baseline) {
            rows.push(facts.baseline(score));
        }
        rows.push(facts.score(score));
    }
    rows.extend(store.baseline_rows(id)?.iter().map(|row| facts.model_baseline(row)));
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let scored = rows.iter().filter(|row| row.higher_is_better.is_some());
    let known: BTreeSet<(String, String)> = scored.map(|row| (word(&row.dataset), word(&row.protocol))).collect();
    rows.retain(|row| chosen.all() || chosen.wants(&word(&row.dataset), &word(&row.protocol)));
    chosen.refuse_if_none(rows.len(), known.into_iter())?;
    Ok(rows)
}

/// Writes them.
pub fn write<W: Write>(rows: &[Row], mut writer: Writer<W>) -> Result<(), CliError> {
    for row in rows {
        writer.object(&serde_json::to_value(row).map_err(|error| CliError::Output(error.into()))?)?;
    }
    writer.end()
}

/// A float as JSON, also one that is not finite.
fn number(value: f64) -> Value {
    json(clmbench_protocol::Number(value))
}

fn optional(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

fn json(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Text that is JSON already.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

impl Facts {
    fn corpus(&self, corpus: &CorpusOutput) -> Vec<Row> {
        let models = [
            ("unigram_cross_entropy", corpus.unigram_cross_entropy, corpus.unigram_se),
            ("bigram_cross_entropy", corpus.bigram_cross_entropy, corpus.bigram_se),
            ("two_neighbour_cross_entropy", corpus.two_neighbour_cross_entropy, corpus.two_neighbour_se),
        ];
        let row = |(name, value, error): (&str, clmbench_protocol::Number, clmbench_protocol::Number)| Row {
            suite: self.suite.clone(),
            kind: "corpus",
            name: name.to_owned(),
            value: json(value),
            unit: "nats/token".to_owned(),
            std_error: json(error),
            error_kind: "statistical".into(),
            se_sample: json(error),
            n: Some(corpus.heldout_molecules),
            corpus: Some(corpus.corpus.clone()),
            corpus_molecules: Some(corpus.molecules),
            tokens: Some(corpus.tokens),
            ..Row::default()
        };
        models.map(row).into()
    }

    /// What is known of a checkpoint of a run.
    fn of_run(&self, run: &str, weights: &str) -> Row {
        let mut row = Row { suite: self.suite.clone(), run_cell: Some(run.to_owned()), ..Row::default() };
        if let Some(run) = self.runs.get(run) {
            row.run = Some(run.label.clone());
            row.architecture = Some(run.architecture.clone());
            row.objective = json(run.objective);
            row.config = parsed(&run.config_json);
            row.non_embedding_parameters = Some(run.non_embedding_parameters);
            row.total_parameters = Some(run.total_parameters);
            row.corpus = Some(run.corpus.clone()).filter(|corpus| !corpus.is_empty() || !run.imported);
            row.source.clone_from(&run.source);
            row.corpus_molecules = run.corpus_molecules;
            row.tokens = run.tokens;
            row.seed = run.seed;
            row.learning_rate = optional(run.learning_rate);
            row.precision = Some(run.precision.clone()).filter(|precision| !precision.is_empty());
            row.diverged = Some(run.diverged);
        }
        if let Some(checkpoint) = self.checkpoints.get(&(run.to_owned(), weights.to_owned())) {
            row.checkpoint = Some(checkpoint.folder.clone());
            row.checkpoint_tokens = checkpoint.tokens;
            row.training_loss = optional(checkpoint.training_loss);
            row.annealed = Some(checkpoint.annealed);
            row.last = Some(checkpoint.last);
        }
        row
    }

    fn metric(&self, metric: &MetricRow) -> Row {
        let mut params = parsed(&metric.params_json);
        if let Some(params) = params.as_object_mut() {
            params.insert("budget".to_owned(), json(metric.budget));
        }
        let of = metric.dataset.as_ref();
        Row {
            kind: "metric",
            name: metric.metric.clone(),
            value_name: Some(metric.value_name.clone()),
            primary: Some(metric.primary),
            value: number(metric.value),
            unit: metric.unit.clone(),
            std_error: number(metric.std_error),
            error_kind: json(metric.error_kind),
            se_estimator: optional(metric.se_estimator),
            se_sample: optional(metric.se_sample),
            n: Some(metric.molecules),
            dataset: of.and_then(|(data, ..)| self.datasets.get(data)).map(|dataset| dataset.dataset.clone()),
            split_digest: of.map(|(_, split, _)| split.clone()),
            task: of.map(|(.., task)| task.clone()),
            params,
            gradient_equivalents: number(metric.gradient_equivalents),
            seconds: number(metric.seconds),
            device: Some(metric.device.clone()),
            libtorch: Some(metric.libtorch.clone()),
            cell: Some(metric.cell.clone()),
            ..self.of_run(&metric.run, &metric.weights_digest)
        }
    }

    /// The unit of a score: an error has that of the labels; shares and correlations have none.
    fn unit(&self, data_digest: &str, task: &str, score: &str) -> String {
        let dataset = self.datasets.get(data_digest);
        let task = dataset.and_then(|dataset| dataset.tasks.iter().find(|known| known.name == task));
        task.filter(|_| ["rmse", "mae"].contains(&score)).map(|task| task.unit.clone()).unwrap_or_default()
    }

    /// What is known of the task of a score.
    fn of_task(&self, score: &ScoreRow, row: Row) -> Row {
        Row {
            name: score.score.clone(),
            primary: Some(score.primary),
            unit: self.unit(&score.data_digest, &score.task, &score.score),
            higher_is_better: Some(score.higher_is_better),
            n: Some(score.n_test),
            dataset: Some(score.dataset.clone()),
            task: Some(score.task.clone()),
            protocol: Some(score.protocol.clone()),
            split_digest: Some(score.split_digest.clone()),
            ..row
        }
    }

    fn score(&self, score: &ScoreRow) -> Row {
        let control = self.runs.get(&score.run).is_some_and(|run| run.control);
        let row = Row {
            kind: if control { "control" } else { "score" },
            value: number(score.value),
            std_error: number(score.se_seed.map_or(score.se_test, |seed| score.se_test.hypot(seed))),
            error_kind: "statistical".into(),
            se_test: number(score.se_test),
            se_seed: optional(score.se_seed),
            transfer_seed: (score.protocol == "finetune").then_some(score.seed),
            seconds: number(score.seconds),
            device: Some(score.device.clone()),
            libtorch: Some(score.libtorch.clone()),
            cell: Some(score.cell.clone()),
            ..self.of_run(&score.run, &score.weights_digest)
        };
        self.of_task(score, row)
    }

    /// The predictor that always says the same; its error over test molecules is not computed.
    fn baseline(&self, score: &ScoreRow) -> Row {
        let name = match score.task_kind {
            TaskKind::Regression => "mean predictor",
            TaskKind::Classification => "prevalence predictor",
        };
        let row = Row {
            suite: self.suite.clone(),
            kind: "baseline",
            baseline: Some(name.to_owned()),
            value: number(score.mean_predictor),
            ..Row::default()
        };
        self.of_task(score, row)
    }

    /// A score of a model without a language model.
    fn model_baseline(&self, score: &BaselineRow) -> Row {
        Row {
            suite: self.suite.clone(),
            kind: "baseline",
            name: score.score.clone(),
            primary: Some(score.primary),
            value: number(score.value),
            unit: self.unit(&score.data_digest, &score.task, &score.score),
            std_error: number(score.se_seed.map_or(score.se_test, |seed| score.se_test.hypot(seed))),
            error_kind: "statistical".into(),
            se_test: number(score.se_test),
            se_seed: optional(score.se_seed),
            n: Some(score.n_test),
            higher_is_better: Some(score.higher_is_better),
            dataset: Some(score.dataset.clone()),
            task: Some(score.task.clone()),
            baseline: Some(score.baseline.clone()),
            protocol: Some("baseline".to_owned()),
            transfer_seed: Some(score.seed),
            split_digest: Some(score.split_digest.clone()),
            seconds: number(score.seconds),
            device: Some(score.device.clone()),
            libtorch: Some(score.libtorch.clone()),
            cell: Some(score.cell.clone()),
            ..Row::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn columns_are_the_keys_of_a_row() {
        let row = json(Row::default());
        let keys: BTreeSet<&str> = row.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let columns: BTreeSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(keys, columns);
    }
}
