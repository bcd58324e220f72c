//! The leaderboard of models: runs, random-initialised controls, baselines and the mean predictor by primary score.
//!
//! Only scores of one task, protocol and split are ranked together; another split is another ranking. Baselines and the mean predictor
//! stand in the rankings of every protocol; a task that no run has a score of has a ranking of its baselines alone.

use std::collections::BTreeMap;

use clmbench_protocol::TaskKind;
use clmbench_stats::numeric::sample_sd;
use clmbench_store::RunRow;
use serde::Serialize;

use crate::{
    GENERATED_BY,
    baselines::Baselines,
    comparisons::{Compared, Comparisons},
    details::ExcludedRun,
    flags::{IMPORTED, OUT_OF_VOCABULARY, is_out_of_vocabulary},
    inputs::Inputs,
    labels::{self, Faults, LEAKED, LabelNote},
    learning::{self, HeldoutLosses},
    points::{Score, ScoreGroup, scores_by_group},
    refused::{self, RefusedTask},
    twins::{self, SAME_WEIGHTS},
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
    /// What is wrong with labels, such as leaks; each row has its counts.
    #[serde(skip)]
    pub labels: Vec<LabelNote>,
}

/// What was scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// A pretraining run.
    Run,
    /// The same model at its random initialisation.
    Control,
    /// A model without a CLM, on fixed features.
    Baseline,
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
    /// Place among the rows of the same task, protocol and split, from 1; equal scores share it; none for a score that is not finite.
    pub rank: Option<u32>,
    /// What was scored.
    pub kind: ModelKind,
    /// Label of the run, or name of the baseline.
    pub label: String,
    /// Identity of the run's pretrain cell; none for baselines and the mean predictor.
    pub run: Option<String>,
    /// What the runs share that differ by the pretraining seed alone; none for baselines and the mean predictor.
    pub configuration: Option<String>,
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
    /// Score minus that of the best baseline of the ranking, positive if better; of runs alone.
    pub baseline_difference: Option<f64>,
    /// Lower end of its 95 % interval over test molecules, both scored on the same ones.
    pub baseline_difference_low: Option<f64>,
    /// Upper end of that interval.
    pub baseline_difference_high: Option<f64>,
    /// What that interval contains, or why there is none.
    pub baseline_difference_contains: String,
    /// Score minus that of the best of the ranking: 0 for the best, else negative.
    pub best_difference: Option<f64>,
    /// Lower end of its 95 % interval over test molecules, both scored on the same ones.
    pub best_difference_low: Option<f64>,
    /// Upper end of that interval.
    pub best_difference_high: Option<f64>,
    /// What that interval contains, or why there is none.
    pub best_difference_contains: String,
    /// Whether it cannot be told from the best: that interval holds 0 (the best itself: true); null without one.
    pub tied_with_best: Option<bool>,
    /// Score minus that of the next one below, which is not negative; none for the last.
    pub next_difference: Option<f64>,
    /// Lower end of its 95 % interval over test molecules, both scored on the same ones.
    pub next_difference_low: Option<f64>,
    /// Upper end of that interval.
    pub next_difference_high: Option<f64>,
    /// What that interval contains, or why there is none.
    pub next_difference_contains: String,
    /// Labelled test molecules of the task that have a label in training or validation too; null if that was not counted.
    pub leaked_test_molecules: Option<u64>,
    /// Molecules with several rows whose labels of the task differ; null if that was not counted.
    pub conflicting_labels: Option<u64>,
    /// Held-out loss of the run at its last checkpoint, in nats a token; none if it was not measured.
    pub heldout_loss: Option<f64>,
    /// Label of the run that counts in the fits in place of this checkpoint of others, whose weights are the same; none where it counts.
    pub same_weights_as: Option<String>,
    /// Cross-entropy of the same tokens under the corpus subset's unigram frequencies, in nats.
    pub unigram_cross_entropy: Option<f64>,
    /// Words that say what to be careful about: `leaked` where test molecules are also in training or validation; `diverged`, `not_annealed`, and `above_unigram` where the held-out loss is
    /// not below the unigram cross-entropy by two standard errors of both: the run has learnt nothing to speak of;
    /// `fixed_learning_rate` where the suite fixed the rate of a fine-tuning; `imported` of a checkpoint of others: whether it was annealed,
    /// and whether test molecules were among those it was trained on, is not known; `same_weights` where that is another run of the suite;
    /// `out_of_vocabulary` as in the fits, but of this run alone.
    pub flags: Vec<String>,
    /// Name of the suite.
    pub suite: String,
}

/// Ranks every run, control, baseline and the mean predictor by primary score, best first, and compares those of the rankings that
/// are asked for on their test molecules.
pub fn model_board(inputs: &Inputs, compared: &Compared) -> ModelBoard {
    let mut groups = scores_by_group(&inputs.scores);
    let baselines = Baselines::new(&inputs.baselines);
    let alone: Vec<ScoreGroup> = baselines.alone(&groups).cloned().collect();
    groups.extend(alone.into_iter().map(|group| (group, BTreeMap::new())));
    let runs: BTreeMap<&str, &RunRow> = inputs.runs.iter().map(|run| (run.run.as_str(), run)).collect();
    let (relatives, losses) = (Relatives::of(&inputs.runs), HeldoutLosses::of(inputs));
    let mut rows = Vec::new();
    let allowed = compared.allows(inputs);
    for (group, scores) in &groups {
        let models = scores.iter().map(|(run, score)| (run.clone(), score));
        let comparisons = match allowed && compared.names(group) {
            true => {
                let models = models.chain(baselines.of(group).map(|(label, score)| (baseline_name(label), score)));
                Comparisons::new(inputs, group, models)
            }
            false => Comparisons::none(group),
        };
        let ranked = Ranked {
            inputs,
            group,
            relatives: &relatives,
            scores,
            baselines: baselines.of(group).collect(),
            comparisons,
            faults: Faults::of(&inputs.datasets, &group.data_digest, &group.split_digest, &group.task),
            unit: inputs.unit(group),
        };
        let mut ranking: Vec<ModelRow> =
            scores.iter().filter_map(|(run, score)| Some(ranked.row(runs.get(run.as_str())?, score))).collect();
        ranking.extend(ranked.baselines.iter().map(|(label, score)| ranked.baseline(label, score)));
        if let Some(score) = scores.values().next().or(ranked.baselines.first().map(|(_, score)| *score)) {
            ranking.push(ranked.mean_predictor(score));
        }
        ranking.sort_by(|left, right| {
            oriented(right).total_cmp(&oriented(left)).then_with(|| (left.kind, &left.label).cmp(&(right.kind, &right.label)))
        });
        let (mut place, mut before) = (0, None);
        for row in &mut ranking {
            if let Some(run) = row.run.as_deref().and_then(|run| runs.get(run)).filter(|run| !run.control) {
                learning::judge(inputs, &losses, run, row);
            }
            if row.value.is_some() {
                place += 1;
                let tied = before.filter(|(value, _)| Some(*value) == row.value);
                row.rank = Some(tied.map_or(place, |(_, rank)| rank));
                before = row.value.zip(row.rank);
            }
        }
        ranked.over_others(&mut ranking);
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
    rows.iter_mut().for_each(|row: &mut ModelRow| row.suite.clone_from(&inputs.suite));
    ModelBoard {
        schema: "clmbench/leaderboard-models/2",
        generated_by: GENERATED_BY,
        rows,
        suite: inputs.suite.clone(),
        refused: [&inputs.refused, &inputs.refused_baselines].into_iter().flat_map(|rows| refused::refused(rows)).collect(),
        missing: missing.collect(),
        notes: notes(groups.keys()),
        labels: labels::notes(&inputs.datasets),
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
    relatives: &'a Relatives<'a>,
    scores: &'a BTreeMap<String, Score>,
    baselines: Vec<(&'a String, &'a Score)>,
    comparisons: Comparisons,
    faults: Faults,
    unit: String,
}

/// Which runs belong together.
struct Relatives<'a> {
    /// Runs that differ by the pretraining seed alone, without the diverged ones, by configuration.
    siblings: BTreeMap<&'a str, Vec<&'a RunRow>>,
    /// Untrained controls by what they share with their runs.
    controls: BTreeMap<Model, Vec<&'a RunRow>>,
}

/// Architecture, its configuration and the tokenizer.
type Model = [String; 3];

impl<'a> Relatives<'a> {
    fn of(runs: &'a [RunRow]) -> Self {
        let mut found = Self { siblings: BTreeMap::new(), controls: BTreeMap::new() };
        for run in runs {
            if !run.diverged {
                found.siblings.entry(&run.configuration).or_default().push(run);
            }
            if run.control {
                found.controls.entry(Self::model(run)).or_default().push(run);
            }
        }
        found
    }

    fn model(run: &RunRow) -> Model {
        [&run.architecture, &run.config_json, &run.tokenizer_digest].map(Clone::clone)
    }

    fn siblings(&self, run: &RunRow) -> &[&'a RunRow] {
        self.siblings.get(run.configuration.as_str()).map_or(&[], Vec::as_slice)
    }

    fn controls(&self, run: &RunRow) -> &[&'a RunRow] {
        self.controls.get(&Self::model(run)).map_or(&[], Vec::as_slice)
    }
}

/// What a baseline is called among the models that are compared; a run by its identity.
fn baseline_name(label: &str) -> String {
    format!("baseline {label}")
}

impl Ranked<'_> {
    fn row(&self, run: &RunRow, score: &Score) -> ModelRow {
        let mut row = self.empty(if run.control { ModelKind::Control } else { ModelKind::Run });
        row.label = run.label.clone();
        row.run = Some(run.run.clone());
        row.configuration = Some(run.configuration.clone());
        row.non_embedding_parameters = Some(run.non_embedding_parameters);
        row.tokens = run.tokens;
        row.corpus_molecules = run.corpus_molecules;
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
        flag(IMPORTED, run.imported && !run.control);
        let first = twins::counted_instead(&self.inputs.runs, run);
        flag(SAME_WEIGHTS, first.is_some());
        flag(OUT_OF_VOCABULARY, !run.control && is_out_of_vocabulary(self.inputs, run, self.group));
        flag("not_annealed", !run.control && !score.annealed);
        flag("fixed_learning_rate", score.fixed_learning_rate);
        row.same_weights_as = first.map(|first| first.label.clone());
        if run.control {
            row.control_difference_contains = "it is a control".to_owned();
            row.baseline_difference_contains = "it is a control".to_owned();
        } else {
            self.over_control(run, score, &mut row);
            self.over_baseline(run, score, &mut row);
        }
        row
    }

    fn baseline(&self, label: &str, score: &Score) -> ModelRow {
        let mut row = self.empty(ModelKind::Baseline);
        row.label = label.to_owned();
        row.value = finite(score.value);
        row.se_test = finite(score.se_test);
        row.se_seed = score.se_seed.and_then(finite);
        row.std_error = std_error(score);
        row.std_error_contains = if score.se_seed.is_some() { "test molecules and seeds" } else { "test molecules" }.to_owned();
        row.transfer_seeds = score.seeds;
        row.n_test = score.n_test;
        row.control_difference_contains = "it has no size".to_owned();
        row.baseline_difference_contains = "it is a baseline".to_owned();
        row
    }

    /// Standard deviation over the runs of one configuration, and their number.
    fn over_pretraining_seeds(&self, run: &RunRow) -> (Option<f64>, u32) {
        let siblings = self.relatives.siblings(run).iter().filter_map(|other| self.scores.get(&other.run));
        let values: Vec<f64> = siblings.map(|score| score.value).collect();
        ((values.len() > 1).then(|| sample_sd(&values)).and_then(finite), values.len() as u32)
    }

    fn over_control(&self, run: &RunRow, score: &Score, row: &mut ModelRow) {
        let scored = self.relatives.controls(run).iter();
        let controls: Vec<(String, f64)> =
            scored.filter_map(|other| Some((other.run.clone(), self.scores.get(&other.run)?.value))).collect();
        if controls.is_empty() {
            row.control_difference_contains = "no control of the same size has a score".to_owned();
            return;
        }
        let found = self.comparisons.over((&run.run, score.value), &controls);
        row.control_difference = found.value;
        (row.control_difference_low, row.control_difference_high) = found.ends();
        row.control_difference_contains = found.contains;
    }

    /// Against the best baseline by the same score: the best of several on these test molecules, so a little too hard to beat.
    fn over_baseline(&self, run: &RunRow, score: &Score, row: &mut ModelRow) {
        let sign = if self.group.higher_is_better { 1.0 } else { -1.0 };
        let scored = self.baselines.iter().filter(|(_, score)| score.value.is_finite());
        let Some((label, best)) = scored.max_by(|(_, left), (_, right)| (sign * left.value).total_cmp(&(sign * right.value)))
        else {
            row.baseline_difference_contains = "no baseline has a score".to_owned();
            return;
        };
        let found = self.comparisons.over((&run.run, score.value), &[(baseline_name(label), best.value)]);
        row.baseline_difference = found.value;
        (row.baseline_difference_low, row.baseline_difference_high) = found.ends();
        row.baseline_difference_contains = found.contains;
    }

    /// Each against the best of the ranking and against the next one below, on the same test molecules. The best was chosen on these
    /// molecules, so it is a little too hard to tie with.
    fn over_others(&self, ranking: &mut [ModelRow]) {
        const CONSTANT: &str = "a constant predictor has no stored predictions";
        let named = |row: &ModelRow| match (row.kind, &row.run) {
            (ModelKind::MeanPredictor, _) => None,
            (_, Some(run)) => Some(run.clone()),
            (_, None) => Some(baseline_name(&row.label)),
        };
        let models: Vec<(Option<String>, Option<f64>)> = ranking.iter().map(|row| (named(row), row.value)).collect();
        let over = |first: usize, second: usize| match (&models[first], &models[second]) {
            ((_, None), _) | (_, (_, None)) => (None, (None, None), "its score is not finite".to_owned()),
            ((Some(ours), Some(score)), (Some(other), Some(value))) => {
                let found = self.comparisons.over((ours, *score), &[(other.clone(), *value)]);
                (found.value, found.ends(), found.contains)
            }
            ((_, Some(score)), (_, Some(value))) => {
                let sign = if self.group.higher_is_better { 1.0 } else { -1.0 };
                (Some(sign * (score - value)), (None, None), CONSTANT.to_owned())
            }
        };
        for (place, row) in ranking.iter_mut().enumerate() {
            if place == 0 {
                let is_best = row.value.is_some();
                row.best_difference = is_best.then_some(0.0);
                row.tied_with_best = is_best.then_some(true);
                row.best_difference_contains = if is_best { "it is the best" } else { "its score is not finite" }.to_owned();
            } else {
                let (value, ends, contains) = over(place, 0);
                row.best_difference = value;
                (row.best_difference_low, row.best_difference_high) = ends;
                row.best_difference_contains = contains;
                // An equal score is the best too, also that of a constant predictor.
                let interval = ends.0.zip(ends.1).map(|(low, high)| low <= 0.0 && high >= 0.0);
                row.tied_with_best = if row.rank == Some(1) { Some(true) } else { interval };
            }
            if models.get(place + 1).is_some_and(|(_, value)| value.is_some()) {
                let (value, ends, contains) = over(place, place + 1);
                row.next_difference = value;
                (row.next_difference_low, row.next_difference_high) = ends;
                row.next_difference_contains = contains;
            } else {
                row.next_difference_contains = "it is the last".to_owned();
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
        row.baseline_difference_contains = "it is a baseline".to_owned();
        row
    }

    fn empty(&self, kind: ModelKind) -> ModelRow {
        let group = self.group;
        let faults = &self.faults;
        let flags = if faults.is_leaked() && kind != ModelKind::MeanPredictor { vec![LEAKED.to_owned()] } else { Vec::new() };
        ModelRow {
            suite: String::new(),
            dataset: group.dataset.clone(),
            task: group.task.clone(),
            task_kind: group.task_kind,
            protocol: group.protocol.clone(),
            split_digest: group.split_digest.clone(),
            score: group.score.clone(),
            unit: self.unit.clone(),
            higher_is_better: group.higher_is_better,
            rank: None,
            kind,
            label: String::new(),
            run: None,
            configuration: None,
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
            baseline_difference: None,
            baseline_difference_low: None,
            baseline_difference_high: None,
            baseline_difference_contains: String::new(),
            best_difference: None,
            best_difference_low: None,
            best_difference_high: None,
            best_difference_contains: String::new(),
            tied_with_best: None,
            next_difference: None,
            next_difference_low: None,
            next_difference_high: None,
            next_difference_contains: String::new(),
            leaked_test_molecules: faults.leaked,
            conflicting_labels: faults.conflicting,
            heldout_loss: None,
            same_weights_as: None,
            unigram_cross_entropy: None,
            flags,
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
