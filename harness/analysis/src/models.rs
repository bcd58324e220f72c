//! The leaderboard of models: runs, random-initialised controls and the mean predictor by primary score.
//!
//! Only scores of one task, protocol and split are ranked together; another split is another ranking.

use std::collections::BTreeMap;

use clmbench_protocol::TaskKind;
use clmbench_stats::numeric::sample_sd;
use clmbench_store::RunRow;
use serde::Serialize;

use crate::{
    GENERATED_BY,
    details::ExcludedRun,
    inputs::Inputs,
    learning,
    paired::{self, Side},
    points::{Score, ScoreGroup, scores_by_group},
    refused::{self, RefusedTask},
};

/// Scores in the order of a leaderboard. Its JSON form is `{schema, generated_by, rows}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelBoard {
    /// Name and version of the JSON form.
    pub schema: &'static str,
    /// Program and version.
    pub generated_by: &'static str,
    /// Rows: task by task, within one the best first.
    pub rows: Vec<ModelRow>,
    /// Name of the suite.
    #[serde(skip)]
    pub suite: String,
    /// Tasks without a score, and why.
    #[serde(skip)]
    pub refused: Vec<RefusedTask>,
    /// Runs without a score, and why.
    #[serde(skip)]
    pub missing: Vec<ExcludedRun>,
    /// What a reader must know, such as several splits of one task.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// What was scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// A pretraining run.
    Run,
    /// The same model at its random initialisation.
    Control,
    /// Always says the training mean (regression) or prevalence (classification).
    MeanPredictor,
}

/// A model's score on a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRow {
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Regression or classification.
    pub task_kind: TaskKind,
    /// Protocol.
    pub protocol: String,
    /// Digest of the split.
    pub split_digest: String,
    /// Name of the score.
    pub score: String,
    /// Unit of the score, such as `kcal/mol`; empty for one without.
    pub unit: String,
    /// Whether larger is better.
    pub higher_is_better: bool,
    /// Place among the rows of the same task, protocol and split, from 1; none for a score that is not finite.
    pub rank: Option<u32>,
    /// What was scored.
    pub kind: ModelKind,
    /// Label of the run.
    pub label: String,
    /// Identity of the run's pretrain cell; none for the mean predictor.
    pub run: Option<String>,
    /// Parameters without embeddings.
    pub non_embedding_parameters: Option<u64>,
    /// Tokens trained on.
    pub tokens: Option<u64>,
    /// Molecules of the corpus subset.
    pub corpus_molecules: Option<u64>,
    /// Mean over transfer seeds.
    pub value: Option<f64>,
    /// Standard error of `value`.
    pub std_error: Option<f64>,
    /// What the standard error contains, or why there is none.
    pub std_error_contains: String,
    /// Standard error over test molecules.
    pub se_test: Option<f64>,
    /// Standard error over transfer seeds (standard deviation over the root of their number); none below 2.
    pub se_seed: Option<f64>,
    /// Standard deviation of the scores of the runs that differ from this one by the pretraining seed alone, this one among
    /// them; none below 2. It is no part of `std_error`, which is about this checkpoint.
    pub se_pretrain: Option<f64>,
    /// Runs of that configuration with a score.
    pub pretraining_seeds: u32,
    /// Transfer seeds averaged.
    pub transfer_seeds: u32,
    /// Molecules with labels for testing.
    pub n_test: u64,
    /// Score minus that of the control of the same size, positive if better; the mean of several controls.
    pub control_difference: Option<f64>,
    /// Lower end of its 95 % interval over test molecules, both scored on the same ones.
    pub control_difference_low: Option<f64>,
    /// Upper end of that interval.
    pub control_difference_high: Option<f64>,
    /// What that interval contains, or why there is none.
    pub control_difference_contains: String,
    /// Held-out loss of the run at its last checkpoint, in nats a token; none if it was not measured.
    pub heldout_loss: Option<f64>,
    /// Cross-entropy of the same tokens under the corpus subset's unigram frequencies, in nats.
    pub unigram_cross_entropy: Option<f64>,
    /// Words that say what to be careful about: `diverged`, `not_annealed`, and `above_unigram` where the held-out loss is
    /// not below the unigram cross-entropy by two standard errors of both: the run has learnt nothing to speak of;
    /// `fixed_learning_rate` where the suite fixed the rate of a fine-tuning.
    pub flags: Vec<String>,
}

/// Ranks every run, control and the mean predictor by primary score, best first.
pub fn model_board(inputs: &Inputs) -> ModelBoard {
    let groups = scores_by_group(&inputs.scores);
    let runs: BTreeMap<&str, &RunRow> = inputs.runs.iter().map(|run| (run.run.as_str(), run)).collect();
    let mut rows = Vec::new();
    for (group, scores) in &groups {
        let ranked = Ranked { inputs, group, runs: &runs, scores };
        let mut ranking: Vec<ModelRow> =
            scores.iter().filter_map(|(run, score)| Some(ranked.row(runs.get(run.as_str())?, score))).collect();
        if let Some(score) = scores.values().next() {
            ranking.push(ranked.mean_predictor(score));
        }
        ranking.sort_by(|left, right| {
            oriented(right).total_cmp(&oriented(left)).then_with(|| (left.kind, &left.label).cmp(&(right.kind, &right.label)))
        });
        let mut place = 0;
        for row in &mut ranking {
            if let Some(run) = row.run.as_deref().and_then(|run| runs.get(run)).filter(|run| !run.control) {
                learning::judge(inputs, run, row);
            }
            if row.value.is_some() {
                place += 1;
                row.rank = Some(place);
            }
        }
        rows.extend(ranking);
    }
    let scored = |run: &RunRow| groups.values().any(|scores| scores.contains_key(&run.run));
    let missing = inputs.runs.iter().filter(|run| !scored(run)).map(|run| ExcludedRun {
        run: run.run.clone(),
        label: run.label.clone(),
        reason: match &run.divergence {
            Some(rule) => format!("diverged: {rule}"),
            None if run.diverged => "diverged".to_owned(),
            None => crate::unscored::NO_SCORE.to_owned(),
        },
    });
    ModelBoard {
        schema: "clmbench/leaderboard-models/2",
        generated_by: GENERATED_BY,
        rows,
        suite: inputs.suite.clone(),
        refused: refused::refused(&inputs.refused),
        missing: missing.collect(),
        notes: notes(groups.keys()),
    }
}

/// Larger is better; values that are not finite last.
fn oriented(row: &ModelRow) -> f64 {
    row.value.map_or(f64::NEG_INFINITY, |value| if row.higher_is_better { value } else { -value })
}

/// One ranking: the scores of a task under a protocol and split.
struct Ranked<'a> {
    inputs: &'a Inputs,
    group: &'a ScoreGroup,
    runs: &'a BTreeMap<&'a str, &'a RunRow>,
    scores: &'a BTreeMap<String, Score>,
}

impl Ranked<'_> {
    fn row(&self, run: &RunRow, score: &Score) -> ModelRow {
        let mut row = self.empty(if run.control { ModelKind::Control } else { ModelKind::Run });
        row.label = run.label.clone();
        row.run = Some(run.run.clone());
        row.non_embedding_parameters = Some(run.non_embedding_parameters);
        row.tokens = Some(run.tokens);
        row.corpus_molecules = Some(run.corpus_molecules);
        row.value = finite(score.value);
        row.se_test = finite(score.se_test);
        row.se_seed = score.se_seed.and_then(finite);
        (row.se_pretrain, row.pretraining_seeds) = self.over_pretraining_seeds(run);
        row.std_error = std_error(score);
        row.std_error_contains = contains(score).to_owned();
        row.transfer_seeds = score.seeds;
        row.n_test = score.n_test;
        let mut flag = |word: &str, on: bool| row.flags.extend(on.then(|| word.to_owned()));
        flag("diverged", run.diverged);
        flag("not_annealed", !run.control && !score.annealed);
        flag("fixed_learning_rate", score.fixed_learning_rate);
        if run.control {
            row.control_difference_contains = "it is a control".to_owned();
        } else {
            self.over_control(run, score, &mut row);
        }
        row
    }

    /// Standard deviation over the runs of one configuration, and their number.
    fn over_pretraining_seeds(&self, run: &RunRow) -> (Option<f64>, u32) {
        let same = |other: &&&RunRow| other.configuration == run.configuration && !other.diverged;
        let siblings = self.runs.values().filter(same).filter_map(|other| self.scores.get(&other.run));
        let values: Vec<f64> = siblings.map(|score| score.value).collect();
        ((values.len() > 1).then(|| sample_sd(&values)).and_then(finite), values.len() as u32)
    }

    fn over_control(&self, run: &RunRow, score: &Score, row: &mut ModelRow) {
        let same_model = |other: &&RunRow| {
            other.control
                && other.architecture == run.architecture
                && other.config_json == run.config_json
                && other.tokenizer_digest == run.tokenizer_digest
        };
        let controls: Vec<&Score> =
            self.runs.values().copied().filter(same_model).filter_map(|other| self.scores.get(&other.run)).collect();
        if controls.is_empty() {
            row.control_difference_contains = "no control of the same size has a score".to_owned();
            return;
        }
        let group = self.group;
        let sign = if group.higher_is_better { 1.0 } else { -1.0 };
        let control = controls.iter().map(|score| score.value).sum::<f64>() / controls.len() as f64;
        row.control_difference = finite(sign * (score.value - control));
        let cells = controls.iter().flat_map(|score| &score.cells).collect::<Vec<_>>();
        let side = |cells: &[&String], score: f64| {
            let key = |cell: &&String| ((*cell).clone(), group.task.clone());
            let predictions = cells.iter().filter_map(|cell| self.inputs.predictions.get(&key(cell))).collect();
            Side { predictions, score }
        };
        let ours = side(&score.cells.iter().collect::<Vec<_>>(), score.value);
        let others = side(&cells, control);
        let label = format!("{} {} {} {}", run.run, group.dataset, group.task, group.protocol);
        match paired::difference(&group.score, sign, &ours, &others, &label) {
            Err(reason) => row.control_difference_contains = reason,
            Ok(found) => {
                row.control_difference_low = finite(found.interval.low95);
                row.control_difference_high = finite(found.interval.high95);
                row.control_difference_contains = "test molecules, the same for both; no seeds are in it".to_owned();
            }
        }
    }

    fn mean_predictor(&self, score: &Score) -> ModelRow {
        let mut row = self.empty(ModelKind::MeanPredictor);
        row.label = match self.group.task_kind {
            TaskKind::Regression => "mean predictor".to_owned(),
            TaskKind::Classification => "prevalence predictor".to_owned(),
        };
        row.value = finite(score.mean_predictor);
        row.n_test = score.n_test;
        row.std_error_contains = "not computed for a constant predictor".to_owned();
        row.control_difference_contains = "it has no size".to_owned();
        row
    }

    fn empty(&self, kind: ModelKind) -> ModelRow {
        let group = self.group;
        ModelRow {
            dataset: group.dataset.clone(),
            task: group.task.clone(),
            task_kind: group.task_kind,
            protocol: group.protocol.clone(),
            split_digest: group.split_digest.clone(),
            score: group.score.clone(),
            unit: self.inputs.unit(group),
            higher_is_better: group.higher_is_better,
            rank: None,
            kind,
            label: String::new(),
            run: None,
            non_embedding_parameters: None,
            tokens: None,
            corpus_molecules: None,
            value: None,
            std_error: None,
            std_error_contains: String::new(),
            se_test: None,
            se_seed: None,
            se_pretrain: None,
            pretraining_seeds: 0,
            transfer_seeds: 0,
            n_test: 0,
            control_difference: None,
            control_difference_low: None,
            control_difference_high: None,
            control_difference_contains: String::new(),
            heldout_loss: None,
            unigram_cross_entropy: None,
            flags: Vec::new(),
        }
    }
}

fn std_error(score: &Score) -> Option<f64> {
    finite(score.se_test.hypot(score.se_seed.unwrap_or(0.0)))
}

fn contains(score: &Score) -> &'static str {
    if score.se_seed.is_some() { "test molecules and transfer seeds" } else { "test molecules" }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// Says where one task has several splits, which are ranked apart.
fn notes<'a>(groups: impl Iterator<Item = &'a ScoreGroup>) -> Vec<String> {
    let mut splits: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
    for group in groups {
        *splits.entry((&group.dataset, &group.task, &group.protocol)).or_default() += 1;
    }
    let several = splits.into_iter().filter(|(_, count)| *count > 1);
    several
        .map(|((dataset, task, protocol), count)| {
            format!("{dataset} {task} ({protocol}) has {count} splits or scores: they are ranked apart, never together")
        })
        .collect()
}

#[cfg(test)]
mod tests;
