//! Whether a run has learnt anything: its held-out loss against what unigram frequencies reach on the same tokens.

use std::collections::BTreeMap;

use clmbench_protocol::{CorpusOutput, Objective};
use clmbench_store::{MetricRow, RunRow};

use crate::{inputs::Inputs, models::ModelRow};

/// The metrics whose primary values are held-out losses.
pub(crate) const HELDOUT_LOSSES: [&str; 2] = ["loss/mlm_loss", "loss/clm_loss"];

/// That of an objective.
pub(crate) fn heldout_loss(objective: Objective) -> &'static str {
    match objective {
        Objective::MaskedLm => HELDOUT_LOSSES[0],
        Objective::CausalLm => HELDOUT_LOSSES[1],
    }
}

/// Held-out losses at last checkpoints, by run.
pub(crate) struct HeldoutLosses<'a>(BTreeMap<&'a str, Vec<&'a MetricRow>>);

impl<'a> HeldoutLosses<'a> {
    /// Of all runs.
    pub fn of(inputs: &'a Inputs) -> Self {
        let mut found: BTreeMap<&str, Vec<&MetricRow>> = BTreeMap::new();
        for row in inputs.metrics.iter().filter(|row| row.primary && row.last && HELDOUT_LOSSES.contains(&row.metric.as_str())) {
            found.entry(&row.run).or_default().push(row);
        }
        Self(found)
    }

    fn of_run(&self, run: &RunRow) -> Vec<&'a MetricRow> {
        let rows = self.0.get(run.run.as_str()).into_iter().flatten().copied();
        rows.filter(|row| row.metric == heldout_loss(run.objective)).collect()
    }
}

/// Fills in both losses of a run's row, and flags it `above_unigram` where its loss is not below the unigram
/// cross-entropy by two standard errors of both. A run whose loss was not measured is not judged.
pub(crate) fn judge(inputs: &Inputs, losses: &HeldoutLosses<'_>, run: &RunRow, row: &mut ModelRow) {
    let losses = losses.of_run(run);
    let of_loss = |corpus: &CorpusOutput| losses.iter().any(|value| value.heldout_digest == corpus.heldout_digest);
    let same = |corpus: &&CorpusOutput| match run.imported {
        // Trained on something else, it is held against the sample that it is measured on.
        true => corpus.tokenizer_digest == run.tokenizer_digest && of_loss(corpus),
        false => of_run(corpus, run),
    };
    let Some(corpus) = inputs.corpora.iter().rfind(same) else { return };
    row.unigram_cross_entropy = Some(corpus.unigram_cross_entropy.0).filter(|value| value.is_finite());
    let measured = losses.into_iter().filter(|value| value.heldout_digest == corpus.heldout_digest);
    // Of several budgets the most precise.
    let Some(loss) = measured.min_by(|left, right| left.std_error.total_cmp(&right.std_error)) else { return };
    row.heldout_loss = Some(loss.value).filter(|value| value.is_finite());
    let margin = 2.0 * loss.std_error.hypot(corpus.unigram_se.0);
    let below = loss.value + margin < corpus.unigram_cross_entropy.0;
    if !below {
        row.flags.push("above_unigram".to_owned());
    }
}

fn of_run(corpus: &CorpusOutput, run: &RunRow) -> bool {
    corpus.train_digest == run.corpus_digest && corpus.tokenizer_digest == run.tokenizer_digest
}
