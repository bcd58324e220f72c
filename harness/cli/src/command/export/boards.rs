//! `export fits` and `export models`: the rows of the leaderboards, with everything that their `--json` says.

use std::io::Write;

use clmbench_store::Store;
use serde::Serialize;
use serde_json::Value;

use super::Chosen;
use crate::{
    error::CliError,
    rows::{Column, Kind, Writer, column},
};

/// Columns of `fits`: the keys of `leaderboard predictors --json`.
pub const FITS: [Column; 43] = [
    column("rank", Kind::Whole, "place in its task, protocol and split"),
    column("metric", Kind::Text, "family/name, with parameters where there are several"),
    column("dataset", Kind::Text, "dataset"),
    column("task", Kind::Text, "task"),
    column("protocol", Kind::Text, "probe or finetune"),
    column("pool", Kind::Text, "what the runs of the fit have in common"),
    column("score", Kind::Text, "name of the score"),
    column("n", Kind::Whole, "runs"),
    column("n_checkpoints", Kind::Whole, "annealed checkpoints of those runs"),
    column("slope", Kind::Number, "score a SD of the metric, both oriented"),
    column("std_error", Kind::Number, "standard error of the slope"),
    column("ci_low", Kind::Number, "lower 95 % end of the slope"),
    column("ci_high", Kind::Number, "upper 95 % end of the slope"),
    column("r2", Kind::Number, "share of variance explained"),
    column("q2", Kind::Number, "the same, leaving one run out"),
    column("spearman", Kind::Number, "oriented Spearman correlation r"),
    column("spearman_low", Kind::Number, "lower 95 % end of r"),
    column("spearman_high", Kind::Number, "upper 95 % end of r"),
    column("spearman_low90", Kind::Number, "lower 90 % end of r"),
    column("spearman_high90", Kind::Number, "upper 90 % end of r"),
    column("kendall", Kind::Number, "oriented Kendall correlation"),
    column("p_value", Kind::Number, "run-permutation p, Holm-adjusted"),
    column("p_raw", Kind::Number, "the same before adjustment"),
    column("gain", Kind::Number, "Q2 added to the trivial predictors"),
    column("gain_low", Kind::Number, "lower 95 % end of the gain"),
    column("gain_high", Kind::Number, "upper 95 % end of the gain"),
    column("gain_verdict", Kind::Text, "better, not_better or cannot_tell"),
    column("gain_reason", Kind::Text, "how it came about, or why there is no gain"),
    column("verdict", Kind::Text, "predicts, does_not_predict, cannot_tell or refused"),
    column("verdict_reason", Kind::Text, "how the verdict came about"),
    column("refusal", Kind::Text, "typed reason of a refusal"),
    column("reversed", Kind::Flag, "significant against the metric's claim"),
    column("mde", Kind::Number, "smallest |r| detectable with n runs, 80 % power"),
    column("cost_seconds", Kind::Number, "mean wall time on a checkpoint, s"),
    column("flags", Kind::Words, "what to be careful about"),
    column("metric_orientation", Kind::Text, "higher_is_better or lower_is_better, as claimed"),
    column("score_orientation", Kind::Text, "higher_is_better or lower_is_better"),
    column("trivial", Kind::Flag, "whether it is a trivial predictor"),
    column("n_needed", Kind::Whole, "runs that would detect the useful effect"),
    column("leaked_test_molecules", Kind::Whole, "test molecules also in training or validation"),
    column("conflicting_labels", Kind::Whole, "molecules with rows whose labels differ"),
    column("details", Kind::Json, "pool, family, permutation, gain, points, runs left out"),
    column("suite", Kind::Text, "name of the suite"),
];

/// Columns of `models`: the keys of `leaderboard models --json`.
pub const MODELS: [Column; 49] = [
    column("dataset", Kind::Text, "dataset"),
    column("task", Kind::Text, "task"),
    column("task_kind", Kind::Text, "regression or classification"),
    column("protocol", Kind::Text, "probe, finetune, or baseline without runs"),
    column("split_digest", Kind::Text, "BLAKE3 of the split"),
    column("score", Kind::Text, "name of the score"),
    column("unit", Kind::Text, "unit of the score"),
    column("higher_is_better", Kind::Flag, "whether larger is better"),
    column("rank", Kind::Whole, "place in its task, protocol and split"),
    column("kind", Kind::Text, "run, control, baseline or mean_predictor"),
    column("label", Kind::Text, "label of the run, or name of the baseline"),
    column("run", Kind::Text, "identity of the run's pretrain or import cell"),
    column("configuration", Kind::Text, "what runs share that differ by the seed alone"),
    column("non_embedding_parameters", Kind::Whole, "parameters without embeddings"),
    column("tokens", Kind::Whole, "tokens trained on"),
    column("corpus_molecules", Kind::Whole, "molecules of the corpus subset"),
    column("value", Kind::Number, "score, mean over transfer seeds"),
    column("std_error", Kind::Number, "standard error of value"),
    column("std_error_contains", Kind::Text, "what it contains, or why there is none"),
    column("se_test", Kind::Number, "standard error over test molecules"),
    column("se_seed", Kind::Number, "standard error over transfer seeds"),
    column("se_pretrain", Kind::Number, "standard deviation over pretraining seeds"),
    column("pretraining_seeds", Kind::Whole, "runs of that configuration with a score"),
    column("transfer_seeds", Kind::Whole, "transfer seeds averaged"),
    column("n_test", Kind::Whole, "molecules with labels for testing"),
    column("control_difference", Kind::Number, "gain over the same model untrained"),
    column("control_difference_low", Kind::Number, "lower 95 % end of it, over test molecules"),
    column("control_difference_high", Kind::Number, "upper 95 % end of it"),
    column("control_difference_contains", Kind::Text, "what the interval contains, or why there is none"),
    column("baseline_difference", Kind::Number, "gain over the best baseline"),
    column("baseline_difference_low", Kind::Number, "lower 95 % end of it, over test molecules"),
    column("baseline_difference_high", Kind::Number, "upper 95 % end of it"),
    column("baseline_difference_contains", Kind::Text, "what the interval contains, or why there is none"),
    column("best_difference", Kind::Number, "score against the best of the ranking, positive if better"),
    column("best_difference_low", Kind::Number, "lower 95 % end of it, over test molecules"),
    column("best_difference_high", Kind::Number, "upper 95 % end of it"),
    column("best_difference_contains", Kind::Text, "what the interval contains, or why there is none"),
    column("tied_with_best", Kind::Flag, "whether that interval holds 0"),
    column("next_difference", Kind::Number, "gain over the next one below"),
    column("next_difference_low", Kind::Number, "lower 95 % end of it, over test molecules"),
    column("next_difference_high", Kind::Number, "upper 95 % end of it"),
    column("next_difference_contains", Kind::Text, "what the interval contains, or why there is none"),
    column("leaked_test_molecules", Kind::Whole, "test molecules also in training or validation"),
    column("conflicting_labels", Kind::Whole, "molecules with rows whose labels differ"),
    column("heldout_loss", Kind::Number, "held-out loss, nats a token"),
    column("unigram_cross_entropy", Kind::Number, "that of unigram frequencies, nats a token"),
    column("same_weights_as", Kind::Text, "run whose last weights it repeats"),
    column("flags", Kind::Words, "what to be careful about"),
    column("suite", Kind::Text, "name of the suite"),
];

/// Columns of `leaderboard predictors --overall`.
pub const POOLED: [Column; 36] = [
    column("rank", Kind::Whole, "place in its protocol"),
    column("metric", Kind::Text, "family/name, with parameters where there are several"),
    column("protocol", Kind::Text, "probe or finetune"),
    column("pool", Kind::Text, "what the runs have in common"),
    column("trivial", Kind::Flag, "whether it is a trivial predictor"),
    column("n", Kind::Whole, "runs that all tasks share"),
    column("n_tasks", Kind::Whole, "tasks pooled"),
    column("spearman", Kind::Number, "mean oriented Spearman correlation of the tasks"),
    column("spearman_low", Kind::Number, "lower 95 % end of it, over runs and tasks"),
    column("spearman_high", Kind::Number, "upper 95 % end of it"),
    column("p_value", Kind::Number, "run-permutation p, joint over tasks, Holm-adjusted"),
    column("p_raw", Kind::Number, "the same before adjustment"),
    column("verdict", Kind::Text, "predicts, does_not_predict, cannot_tell or refused"),
    column("verdict_reason", Kind::Text, "how the verdict came about"),
    column("refusal", Kind::Text, "typed reason of a refusal"),
    column("reversed", Kind::Flag, "significant against the metric's claim"),
    column("mde", Kind::Number, "smallest |r| of one task detectable with n runs, 80 % power"),
    column("gain", Kind::Number, "mean gain over the trivial predictors; none of these themselves"),
    column("gain_low", Kind::Number, "lower 95 % end of it, over runs, jointly for all tasks"),
    column("gain_high", Kind::Number, "upper 95 % end of it"),
    column("gain_verdict", Kind::Text, "better, not_better or cannot_tell"),
    column("gain_reason", Kind::Text, "how that came about, or why there is no gain"),
    column("gain_mean_rank", Kind::Number, "mean rank by gain over resampled runs and tasks"),
    column("gain_mean_rank_low90", Kind::Number, "lower 90 % end of that rank"),
    column("gain_mean_rank_high90", Kind::Number, "upper 90 % end of that rank"),
    column("gain_top1", Kind::Number, "share of resamples in which it is the first by gain"),
    column("gain_top3", Kind::Number, "share of resamples in which it is among the first three by gain"),
    column("gain_better", Kind::Whole, "tasks whose gain over the trivial predictors is better"),
    column("gain_not_better", Kind::Whole, "tasks whose gain is not"),
    column("gain_tasks", Kind::Whole, "tasks with a gain"),
    column("mean_rank", Kind::Number, "mean rank by r over resampled runs and tasks"),
    column("mean_rank_low90", Kind::Number, "lower 90 % end of that rank"),
    column("mean_rank_high90", Kind::Number, "upper 90 % end of that rank"),
    column("top1", Kind::Number, "share of resamples in which it is the first by r"),
    column("top3", Kind::Number, "share of resamples in which it is among the first three by r"),
    column("unreliable_tasks", Kind::Words, "tasks whose scores have a reliability below .5"),
];

/// Columns of `leaderboard models --overall`.
pub const STANDINGS: [Column; 14] = [
    column("rank", Kind::Whole, "place by mean rank in its protocol"),
    column("protocol", Kind::Text, "probe, finetune, or baseline without runs"),
    column("kind", Kind::Text, "run, control, baseline or mean_predictor"),
    column("label", Kind::Text, "label; of several pretraining seeds without the seed"),
    column("non_embedding_parameters", Kind::Whole, "parameters without embeddings"),
    column("pretraining_seeds", Kind::Whole, "pretraining seeds averaged"),
    column("tasks", Kind::Whole, "tasks with a score"),
    column("tasks_of", Kind::Whole, "tasks counted"),
    column("mean_rank", Kind::Number, "mean rank over the tasks it has"),
    column("mean_rank_low90", Kind::Number, "lower 90 % end of it"),
    column("mean_rank_high90", Kind::Number, "upper 90 % end of it"),
    column("borda", Kind::Number, "models beaten, ties one half, summed over tasks"),
    column("wins", Kind::Whole, "tasks in which it is the first"),
    column("places", Kind::Json, "score, error, rank and marks of each task; null where it has none"),
];

/// The rows of the leaderboard of predictors.
pub fn fits(store: &Store, suite_id: i64, chosen: &Chosen<'_>) -> Result<Vec<Value>, CliError> {
    let board = clmbench_analysis::predictors(store, suite_id)?;
    kept(&board.rows, |row| (&row.fit.dataset, &row.fit.protocol), chosen)
}

/// The rows of the leaderboard of models.
pub fn models(store: &Store, suite_id: i64, chosen: &Chosen<'_>) -> Result<Vec<Value>, CliError> {
    let board = clmbench_analysis::models(store, suite_id)?;
    kept(&board.rows, |row| (&row.dataset, &row.protocol), chosen)
}

fn kept<R: Serialize>(rows: &[R], of: impl Fn(&R) -> (&String, &String), chosen: &Chosen<'_>) -> Result<Vec<Value>, CliError> {
    let wanted = rows.iter().filter(|row| {
        let (dataset, protocol) = of(row);
        chosen.wants(dataset, protocol)
    });
    let found = wanted.map(serde_json::to_value).collect::<Result<Vec<Value>, _>>();
    let found = found.map_err(|error| CliError::Output(error.into()))?;
    let known = rows.iter().map(|row| {
        let (dataset, protocol) = of(row);
        (dataset.clone(), protocol.clone())
    });
    chosen.refuse_if_none(found.len(), known)?;
    Ok(found)
}

/// Writes them in the order of the leaderboard.
pub fn write<W: Write>(rows: &[Value], mut writer: Writer<W>) -> Result<(), CliError> {
    rows.iter().try_for_each(|row| writer.object(row))?;
    writer.end()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clmbench_store::FitRow;

    use super::*;

    #[test]
    fn every_key_of_a_fit_has_a_column() {
        let row = serde_json::to_value(FitRow::default()).unwrap_or_default();
        let keys: BTreeSet<&str> = row.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let columns: BTreeSet<&str> = FITS.iter().map(|column| column.name).collect();
        assert!(keys.len() > 30 && keys.is_subset(&columns), "{:?}", keys.difference(&columns));
    }
}
