//! Held-out pretraining losses of checkpoints, with what they were reached with.

use clmbench_protocol::Objective;
use clmbench_store::{CheckpointRow, MetricRow, RunRow, Store};

use crate::{AnalysisError, learning::heldout_loss};

/// The held-out loss of a checkpoint of a pretraining run. Controls, checkpoints of others and diverged runs have none here.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointLoss {
    /// Identity of the run's pretrain cell.
    pub run: String,
    /// Its label.
    pub label: String,
    /// Architecture.
    pub architecture: String,
    /// Objective.
    pub objective: Objective,
    /// Digest of the tokenizer.
    pub tokenizer_digest: String,
    /// Digest of the held-out sample: only losses of one sample and tokenizer can be compared.
    pub heldout_digest: String,
    /// Configuration of the run without its seed.
    pub configuration: String,
    /// Pretraining seed.
    pub seed: Option<u64>,
    /// Parameters without embeddings.
    pub parameters: u64,
    /// Corpus.
    pub corpus: String,
    /// Molecules of the corpus subset.
    pub corpus_molecules: Option<u64>,
    /// Tokens that the whole run is trained on.
    pub run_tokens: Option<u64>,
    /// Tokens up to this checkpoint.
    pub tokens: Option<u64>,
    /// 6 x parameters x tokens up to this checkpoint.
    pub training_flops: Option<f64>,
    /// Whether its learning rate was cooled down to zero.
    pub annealed: bool,
    /// Whether it is the run's last.
    pub last: bool,
    /// Metric that measured it.
    pub metric: String,
    /// Loss in nats a predicted token.
    pub loss: f64,
    /// Its standard error (masks and molecules).
    pub std_error: f64,
}

/// Held-out losses of all checkpoints that were measured, run by run in the order of the plan. Of several budgets the most precise
/// counts.
///
/// # Errors
/// The store cannot be read.
pub fn checkpoint_losses(store: &Store, suite_id: i64) -> Result<Vec<CheckpointLoss>, AnalysisError> {
    Ok(losses(&store.runs(suite_id)?, &store.metric_rows(suite_id)?, &store.checkpoints(suite_id)?))
}

/// The same from rows. Without the row of a checkpoint, the last one has the tokens of its run and others are left out.
pub(crate) fn losses(runs: &[RunRow], metrics: &[MetricRow], checkpoints: &[CheckpointRow]) -> Vec<CheckpointLoss> {
    let mut found = Vec::new();
    for run in runs.iter().filter(|run| !run.control && !run.diverged && !run.imported) {
        let metric = heldout_loss(run.objective);
        let own = |row: &&MetricRow| row.run == run.run && row.metric == metric && row.primary && row.value.is_finite();
        let mut rows: Vec<&MetricRow> = metrics.iter().filter(own).collect();
        rows.sort_by(|left, right| {
            let key = |row: &&MetricRow| (row.weights_digest.clone(), row.heldout_digest.clone());
            key(left).cmp(&key(right)).then(left.std_error.total_cmp(&right.std_error)).then_with(|| left.cell.cmp(&right.cell))
        });
        rows.dedup_by(|next, kept| next.weights_digest == kept.weights_digest && next.heldout_digest == kept.heldout_digest);
        let of_run = rows.into_iter().filter_map(|row| {
            let place = checkpoints.iter().find(|place| place.run == run.run && place.weights_digest == row.weights_digest);
            let (tokens, training_flops) = match place {
                Some(place) => (place.tokens, place.training_flops),
                None if row.last => (run.tokens, run.training_flops),
                None => return None,
            };
            Some(CheckpointLoss {
                run: run.run.clone(),
                label: run.label.clone(),
                architecture: run.architecture.clone(),
                objective: run.objective,
                tokenizer_digest: row.tokenizer_digest.clone(),
                heldout_digest: row.heldout_digest.clone(),
                configuration: run.configuration.clone(),
                seed: run.seed,
                parameters: run.non_embedding_parameters,
                corpus: run.corpus.clone(),
                corpus_molecules: run.corpus_molecules,
                run_tokens: run.tokens,
                tokens,
                training_flops,
                annealed: row.annealed,
                last: row.last,
                metric: row.metric.clone(),
                loss: row.value,
                std_error: row.std_error,
            })
        });
        let start = found.len();
        found.extend(of_run);
        found[start..].sort_by_key(|loss: &CheckpointLoss| (loss.heldout_digest.clone(), loss.tokens, loss.last));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::suite;

    #[test]
    fn losses_are_those_of_counted_runs() {
        let mut inputs = suite(6);
        inputs.runs[0].control = true;
        inputs.runs[1].diverged = true;
        let losses = losses(&inputs.runs, &inputs.metrics, &[]);
        let runs: Vec<&str> = losses.iter().map(|loss| loss.run.as_str()).collect();
        let expected: Vec<&str> = inputs.runs[2..].iter().map(|run| run.run.as_str()).collect();
        assert_eq!(runs, expected);
        for loss in &losses {
            let row = inputs.metrics.iter().find(|row| row.run == loss.run && row.metric == "loss/mlm_loss");
            assert_eq!(Some(loss.loss), row.map(|row| row.value));
        }
    }

    #[test]
    fn of_two_budgets_the_more_precise_counts() {
        let mut inputs = suite(4);
        let mut other = inputs.metrics.iter().find(|row| row.metric == "loss/mlm_loss").cloned();
        if let Some(row) = &mut other {
            (row.value, row.std_error) = (99.0, row.std_error / 2.0);
        }
        inputs.metrics.extend(other);
        let losses = losses(&inputs.runs, &inputs.metrics, &[]);
        assert_eq!((losses.len(), losses.iter().filter(|loss| loss.loss == 99.0).count()), (4, 1));
    }
}
