//! Scores of baselines: models without a CLM, on the same split and the same test molecules as the runs.
//!
//! They stand in every ranking of their task, split and score, whatever the protocol of the runs; they belong to no run, so no fit,
//! verdict or n can see them.

use std::collections::BTreeMap;

use clmbench_store::{BaselineRow, ScoreRow};

use crate::points::{Score, ScoreGroup, scores_by_group};

/// Protocol of a ranking of baselines alone.
pub(crate) const PROTOCOL: &str = "baseline";

/// Primary scores of the baselines by task, split and score, then by their names: means over their seeds.
pub(crate) struct Baselines(BTreeMap<ScoreGroup, BTreeMap<String, Score>>);

impl Baselines {
    /// Averages them over their seeds.
    pub fn new(rows: &[BaselineRow]) -> Self {
        Self(scores_by_group(&rows.iter().map(as_score).collect::<Vec<_>>()))
    }

    /// Those that stand in a ranking, by name.
    pub fn of(&self, group: &ScoreGroup) -> impl Iterator<Item = (&String, &Score)> {
        self.0.get(&ScoreGroup { protocol: PROTOCOL.into(), ..group.clone() }).into_iter().flatten()
    }

    /// The rankings without a run.
    pub fn alone<'a>(
        &'a self,
        groups: &'a BTreeMap<ScoreGroup, BTreeMap<String, Score>>,
    ) -> impl Iterator<Item = &'a ScoreGroup> {
        let ranked =
            |own: &ScoreGroup| groups.keys().any(|group| ScoreGroup { protocol: PROTOCOL.into(), ..group.clone() } == *own);
        self.0.keys().filter(move |own| !ranked(own))
    }
}

/// A score of a baseline as that of a run of its name.
fn as_score(row: &BaselineRow) -> ScoreRow {
    ScoreRow {
        cell: row.cell.clone(),
        run: row.baseline.clone(),
        weights_digest: String::new(),
        checkpoint: String::new(),
        annealed: true,
        last: true,
        dataset: row.dataset.clone(),
        task: row.task.clone(),
        task_kind: row.task_kind,
        protocol: PROTOCOL.into(),
        split_digest: row.split_digest.clone(),
        data_digest: row.data_digest.clone(),
        score: row.score.clone(),
        value: row.value,
        higher_is_better: row.higher_is_better,
        primary: row.primary,
        se_test: row.se_test,
        se_seed: row.se_seed,
        mean_predictor: row.mean_predictor,
        n_train: row.n_train,
        n_validation: row.n_validation,
        n_test: row.n_test,
        seed: row.seed,
        fixed_learning_rate: false,
        seconds: row.seconds,
        device: row.device.clone(),
        libtorch: row.libtorch.clone(),
    }
}

#[cfg(test)]
mod tests;
