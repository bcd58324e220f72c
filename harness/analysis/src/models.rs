//! The leaderboard of models: runs, random-initialised controls and the mean predictor by primary score.
//!
//! Only scores of one task, protocol and split are ranked together; another split is another ranking.

use std::collections::BTreeMap;

use clmbench_store::RunRow;
use serde::Serialize;

use crate::{
    GENERATED_BY,
    details::ExcludedRun,
    inputs::Inputs,
    learning,
    points::{Score, ScoreGroup, scores_by_group},
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
    /// Always says the training mean.
    MeanPredictor,
}

/// A model's score on a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRow {
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Protocol.
    pub protocol: String,
    /// Digest of the split.
    pub split_digest: String,
    /// Name of the score.
    pub score: String,
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
    /// Standard error over transfer seeds.
    pub se_seed: Option<f64>,
    /// Transfer seeds averaged.
    pub transfer_seeds: u32,
    /// Molecules with labels for testing.
    pub n_test: u64,
    /// Score minus that of the control of the same size, positive if better; the mean of several controls.
    pub control_difference: Option<f64>,
    /// Root sum of squares of both standard errors.
    pub control_difference_se: Option<f64>,
    /// What that error contains, or why there is none.
    pub control_difference_contains: String,
    /// Held-out loss of the run at its last checkpoint, in nats a token; none if it was not measured.
    pub heldout_loss: Option<f64>,
    /// Cross-entropy of the same tokens under the corpus subset's unigram frequencies, in nats.
    pub unigram_cross_entropy: Option<f64>,
    /// Words that say what to be careful about: `diverged`, `not_annealed`, and `above_unigram` where the held-out loss is
    /// not below the unigram cross-entropy by two standard errors of both: the run has learnt nothing to speak of.
    pub flags: Vec<String>,
}

/// Ranks every run, control and the mean predictor by primary score, best first.
pub fn model_board(inputs: &Inputs) -> ModelBoard {
    let groups = scores_by_group(&inputs.scores);
    let runs: BTreeMap<&str, &RunRow> = inputs.runs.iter().map(|run| (run.run.as_str(), run)).collect();
    let mut rows = Vec::new();
    for (group, scores) in &groups {
        let mut ranking: Vec<ModelRow> =
            scores.iter().filter_map(|(run, score)| Some(scored(group, runs.get(run.as_str())?, score, &runs, scores))).collect();
        if let Some(score) = scores.values().next() {
            ranking.push(mean_predictor(group, score));
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
        reason: if run.diverged { "diverged" } else { "no score yet" }.to_owned(),
    });
    ModelBoard {
        schema: "clmbench/leaderboard-models/1",
        generated_by: GENERATED_BY,
        rows,
        suite: inputs.suite.clone(),
        missing: missing.collect(),
        notes: notes(groups.keys()),
    }
}

/// Larger is better; values that are not finite last.
fn oriented(row: &ModelRow) -> f64 {
    row.value.map_or(f64::NEG_INFINITY, |value| if row.higher_is_better { value } else { -value })
}

fn scored(
    group: &ScoreGroup,
    run: &RunRow,
    score: &Score,
    runs: &BTreeMap<&str, &RunRow>,
    scores: &BTreeMap<String, Score>,
) -> ModelRow {
    let mut row = empty(group, if run.control { ModelKind::Control } else { ModelKind::Run });
    row.label = run.label.clone();
    row.run = Some(run.run.clone());
    row.non_embedding_parameters = Some(run.non_embedding_parameters);
    row.tokens = Some(run.tokens);
    row.corpus_molecules = Some(run.corpus_molecules);
    row.value = finite(score.value);
    row.se_test = finite(score.se_test);
    row.se_seed = score.se_seed.and_then(finite);
    row.std_error = std_error(score);
    row.std_error_contains = contains(score).to_owned();
    row.transfer_seeds = score.seeds;
    row.n_test = score.n_test;
    if run.diverged {
        row.flags.push("diverged".to_owned());
    }
    if !run.control && !score.annealed {
        row.flags.push("not_annealed".to_owned());
    }
    if run.control {
        row.control_difference_contains = "it is a control".to_owned();
        return row;
    }
    let same_model = |other: &&RunRow| {
        other.control
            && other.architecture == run.architecture
            && other.config_json == run.config_json
            && other.tokenizer_digest == run.tokenizer_digest
    };
    let controls: Vec<&Score> =
        runs.values().copied().filter(|other| same_model(other)).filter_map(|other| scores.get(&other.run)).collect();
    if controls.is_empty() {
        row.control_difference_contains = "no control of the same size has a score".to_owned();
        return row;
    }
    let count = controls.len() as f64;
    let control = controls.iter().map(|score| score.value).sum::<f64>() / count;
    let sign = if group.higher_is_better { 1.0 } else { -1.0 };
    row.control_difference = finite(sign * (score.value - control));
    // Controls share the test molecules, so their mean is no more certain than one of them.
    let errors: Option<Vec<f64>> = controls.iter().map(|score| std_error(score)).collect();
    let control_error = errors.map(|errors| errors.iter().sum::<f64>() / count);
    row.control_difference_se = row.std_error.zip(control_error).map(|(own, other)| own.hypot(other));
    row.control_difference_contains =
        format!("{} of both, as if independent though they share them: too large if anything", contains(score));
    row
}

fn mean_predictor(group: &ScoreGroup, score: &Score) -> ModelRow {
    let mut row = empty(group, ModelKind::MeanPredictor);
    row.label = "mean predictor".to_owned();
    row.value = finite(score.mean_predictor);
    row.n_test = score.n_test;
    row.std_error_contains = "not computed for the mean predictor".to_owned();
    row.control_difference_contains = "it has no size".to_owned();
    row
}

fn empty(group: &ScoreGroup, kind: ModelKind) -> ModelRow {
    ModelRow {
        dataset: group.dataset.clone(),
        task: group.task.clone(),
        protocol: group.protocol.clone(),
        split_digest: group.split_digest.clone(),
        score: group.score.clone(),
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
        transfer_seeds: 0,
        n_test: 0,
        control_difference: None,
        control_difference_se: None,
        control_difference_contains: String::new(),
        heldout_loss: None,
        unigram_cross_entropy: None,
        flags: Vec::new(),
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        learning::HELDOUT_LOSS,
        sample::{run_row, score_row, suite},
    };

    fn with_control() -> Inputs {
        let mut inputs = suite(4);
        let mut control = run_row(0);
        (control.run, control.label) = ("control".into(), "bert size 0 control".into());
        (control.control, control.tokens) = (true, 0);
        inputs.runs.push(control);
        let mut score = score_row("control", 3.8);
        score.annealed = false;
        score.se_test = 0.24;
        inputs.scores.push(score);
        inputs
    }

    #[test]
    fn best_first_with_controls_and_the_mean_predictor() {
        let board = model_board(&with_control());
        let kinds: Vec<ModelKind> = board.rows.iter().map(|row| row.kind).collect();
        use ModelKind::{Control, MeanPredictor, Run};
        assert_eq!(kinds, [Run, Run, Run, Run, Control, MeanPredictor]);
        let values: Vec<f64> = board.rows.iter().map(|row| row.value.unwrap()).collect();
        assert!(values.is_sorted(), "RMSE: smaller first {values:?}");
        let ranks: Vec<u32> = board.rows.iter().map(|row| row.rank.unwrap()).collect();
        assert_eq!(ranks, [1, 2, 3, 4, 5, 6]);
        assert!(board.notes.is_empty() && board.missing.is_empty());
    }

    #[test]
    fn difference_to_the_control_of_the_same_size_is_oriented() {
        let inputs = with_control();
        let board = model_board(&inputs);
        let row = board.rows.iter().find(|row| row.run.as_deref() == Some("run000")).unwrap();
        let own = inputs.scores[0].value;
        assert!((row.control_difference.unwrap() - (3.8 - own)).abs() < 1e-12, "smaller RMSE than the control: positive");
        assert!((row.control_difference_se.unwrap() - 0.26).abs() < 1e-12);
        assert!(row.control_difference_contains.contains("as if independent"));
        let other = board.rows.iter().find(|row| row.run.as_deref() == Some("run001")).unwrap();
        assert_eq!(other.control_difference, None);
        assert!(other.control_difference_contains.contains("no control"));
    }

    #[test]
    fn a_run_that_is_no_better_than_unigram_frequencies_is_flagged() {
        let mut inputs = with_control();
        // Unigram: 2.2 +- 0.01. Values have a standard error of 0.014, so 2 x 0.0172 below is the border.
        for (number, loss) in [(0, 2.3), (1, 2.18), (2, 2.15), (3, f64::NAN)] {
            let run = format!("run{number:03}");
            let row = inputs.metrics.iter_mut().find(|row| row.run == run && row.metric == HELDOUT_LOSS).unwrap();
            row.value = loss;
        }
        let board = model_board(&inputs);
        let flags = |run: &str| board.rows.iter().find(|row| row.run.as_deref() == Some(run)).unwrap().flags.join(" ");
        assert_eq!(["run000", "run001", "run002", "run003"].map(flags), ["above_unigram", "above_unigram", "", "above_unigram"]);
        assert_eq!(flags("control"), "", "an untrained model is not expected to have learnt");
        let row = board.rows.iter().find(|row| row.run.as_deref() == Some("run002")).unwrap();
        assert_eq!((row.heldout_loss, row.unigram_cross_entropy), (Some(2.15), Some(2.2)));
        inputs.metrics.clear();
        assert!(model_board(&inputs).rows.iter().all(|row| row.flags.is_empty()), "not measured is not judged");
    }

    #[test]
    fn splits_are_never_ranked_together() {
        let mut inputs = with_control();
        inputs.scores[0].split_digest = "another".into();
        let board = model_board(&inputs);
        let first = board.rows.iter().filter(|row| row.rank == Some(1)).count();
        assert_eq!(first, 2);
        assert!(board.notes[0].contains("2 splits"));
    }

    #[test]
    fn what_has_no_score_is_listed() {
        let mut inputs = with_control();
        inputs.scores.remove(0);
        inputs.runs[0].diverged = true;
        let board = model_board(&inputs);
        assert_eq!(board.missing.len(), 1);
        assert_eq!((board.missing[0].run.as_str(), board.missing[0].reason.as_str()), ("run000", "diverged"));
    }

    #[test]
    fn a_score_that_is_not_finite_has_no_rank() {
        let mut inputs = with_control();
        inputs.scores[1].value = f64::NAN;
        let board = model_board(&inputs);
        let row = board.rows.last().unwrap();
        assert_eq!((row.run.as_deref(), row.rank, row.value), (Some("run001"), None, None));
        assert!(serde_json::to_string(&board).unwrap().contains("\"rank\":null"));
    }
}
