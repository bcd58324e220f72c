//! Everything an analysis reads, as plain rows, so that it can be tested without a database.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use clmbench_protocol::{CellSpec, CorpusOutput, DatasetOutput, MetricInfo};
use clmbench_store::{BaselineRow, CellStatus, GivenMargin, MetricRow, RefusedTaskRow, RunRow, ScoreRow, Store, SuiteRow};

use crate::{
    AnalysisError, LARGEST_UNTRAINED_SHARE, comparisons::Compared, learning::HELDOUT_LOSSES, paired::Predictions,
    points::ScoreGroup, variant::Variant,
};

/// The finished cells of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Name of the suite.
    pub suite: String,
    /// Smallest |r| that would be useful.
    pub useful_effect: f64,
    /// Margins that the suite names.
    pub margins: Vec<GivenMargin>,
    /// Runs and controls.
    pub runs: Vec<RunRow>,
    /// Values of metrics.
    pub metrics: Vec<MetricRow>,
    /// Measure cells that failed: values that were planned and are not there.
    pub failed: Vec<FailedCell>,
    /// Downstream scores.
    pub scores: Vec<ScoreRow>,
    /// Tasks of finished transfer cells that have no score.
    pub refused: Vec<RefusedTaskRow>,
    /// Test predictions by transfer cell and task; read for the leaderboard of models alone.
    pub predictions: BTreeMap<(String, String), Predictions>,
    /// Downstream scores of baselines, which belong to no run.
    pub baselines: Vec<BaselineRow>,
    /// Tasks of baselines that have no score.
    pub refused_baselines: Vec<RefusedTaskRow>,
    /// Datasets, with the units of their tasks and what is wrong with their labels.
    pub datasets: Vec<DatasetOutput>,
    /// What the plugins say about their metrics; of several with one id the last counts.
    pub infos: Vec<MetricInfo>,
    /// Corpus subsets, with what of each dataset they never show.
    pub corpora: Vec<CorpusOutput>,
    /// Checkpoints of others and datasets (identity of the run, content) of which the tokenizer knows or keeps too little.
    pub unread: BTreeSet<(String, String)>,
}

/// A measure cell that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedCell {
    /// The setting of the metric.
    pub(crate) variant: Variant,
    /// The cell's spec: objective, tokenizer, held-out sample and dataset.
    pub(crate) spec: clmbench_protocol::Measure,
}

impl Inputs {
    /// Reads them from the store.
    ///
    /// # Errors
    /// The store cannot be read; no such suite.
    pub fn read(store: &Store, suite_id: i64) -> Result<Self, AnalysisError> {
        // First, so that an unknown suite is named as such.
        suite(store, suite_id)?;
        Self::read_some(store, suite_id, None, failed(store, suite_id)?)
    }

    /// What the leaderboard of models reads: of the metrics the held-out losses alone.
    ///
    /// # Errors
    /// The store cannot be read; no such suite.
    pub(crate) fn of_models(store: &Store, suite_id: i64) -> Result<Self, AnalysisError> {
        Self::read_some(store, suite_id, Some(&HELDOUT_LOSSES), Vec::new())
    }

    fn read_some(store: &Store, suite_id: i64, metrics: Option<&[&str]>, failed: Vec<FailedCell>) -> Result<Self, AnalysisError> {
        let suite = suite(store, suite_id)?;
        let inputs = Self {
            margins: suite.margins()?,
            suite: suite.name,
            useful_effect: suite.useful_effect,
            runs: store.runs(suite_id)?,
            metrics: store.metric_rows_of(suite_id, metrics)?,
            failed,
            scores: store.score_rows(suite_id)?,
            refused: store.refused_tasks(suite_id)?,
            predictions: BTreeMap::new(),
            baselines: store.baseline_rows(suite_id)?,
            refused_baselines: store.refused_baselines(suite_id)?,
            datasets: store.datasets(suite_id)?,
            infos: store.metric_infos()?,
            corpora: store.corpora(suite_id)?,
            unread: BTreeSet::new(),
        };
        Ok(inputs.by_content())
    }

    /// Names every dataset by its content in place of its tokens, so that scores of runs with unlike tokenizers on the same molecules,
    /// labels and split stand side by side. A dataset that was tokenised several times is listed once.
    fn by_content(mut self) -> Self {
        let contents = contents(&self.datasets);
        // With the tokens goes what is known of them.
        let unread: BTreeSet<&str> =
            self.datasets.iter().filter(|dataset| is_unread(dataset)).map(|dataset| dataset.data_digest.as_str()).collect();
        let rows = self.scores.iter().filter(|row| unread.contains(row.data_digest.as_str()));
        let content = |digest: &String| contents.get(digest).unwrap_or(digest).clone();
        self.unread = rows.map(|row| (row.run.clone(), content(&row.data_digest))).collect();
        let rename = |digest: &mut String| {
            if let Some(content) = contents.get(digest.as_str()) {
                digest.clone_from(content);
            }
        };
        self.scores.iter_mut().for_each(|row| rename(&mut row.data_digest));
        self.refused.iter_mut().chain(&mut self.refused_baselines).for_each(|row| rename(&mut row.data_digest));
        self.baselines.iter_mut().for_each(|row| rename(&mut row.data_digest));
        self.metrics.iter_mut().filter_map(|row| row.dataset.as_mut()).for_each(|(data, ..)| rename(data));
        self.failed.iter_mut().filter_map(|cell| cell.spec.dataset.as_mut()).for_each(|(data, ..)| rename(data));
        self.datasets = named_by_content(std::mem::take(&mut self.datasets));
        self
    }

    /// Reads the test predictions that the comparisons of models rest on.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn with_predictions(mut self, store: &Store, compared: &Compared) -> Result<Self, AnalysisError> {
        if !compared.allows(&self) {
            return Ok(self);
        }
        let mut found: BTreeMap<(String, String), Predictions> = BTreeMap::new();
        let scores = compared.scores(&self).map(|row| (&row.cell, &row.task));
        let baselines = compared.baselines(&self).map(|row| (&row.cell, &row.task));
        for (cell, task) in scores.chain(baselines) {
            if let Entry::Vacant(place) = found.entry((cell.clone(), task.clone())) {
                place.insert(store.predictions(cell, task)?);
            }
        }
        self.predictions = found;
        Ok(self)
    }

    /// Unit of a score: that of the labels for an error, none for a share or a correlation.
    pub(crate) fn unit(&self, group: &ScoreGroup) -> String {
        if !["rmse", "mae"].contains(&group.score.as_str()) {
            return String::new();
        }
        let same = |dataset: &&DatasetOutput| dataset.data_digest == group.data_digest && dataset.dataset == group.dataset;
        let dataset = self.datasets.iter().find(same);
        let task = dataset.and_then(|dataset| dataset.tasks.iter().find(|task| task.name == group.task));
        task.map_or_else(String::new, |task| task.unit.clone())
    }

    /// What is known about a metric.
    pub(crate) fn info(&self, metric: &str) -> Result<&MetricInfo, AnalysisError> {
        let found = self.infos.iter().rev().find(|info| info.id == metric);
        found.ok_or_else(|| AnalysisError::UnknownMetric { metric: metric.to_owned() })
    }
}

/// Whether over [`LARGEST_UNTRAINED_SHARE`] of a dataset's molecules hold a token outside the vocabulary, or are cut.
fn is_unread(dataset: &DatasetOutput) -> bool {
    let (training, validation, test) = dataset.counts;
    let all = (training + validation + test) as f64;
    [dataset.unknown_token_molecules, dataset.truncated].into_iter().any(|count| count as f64 > LARGEST_UNTRAINED_SHARE * all)
}

/// What names a dataset whatever its tokens: the SHA-256 of its molecules and labels; of one that was read before that was kept, the
/// digest of its tokens too.
fn content(dataset: &DatasetOutput) -> &str {
    if dataset.sha256_csv.is_empty() { &dataset.data_digest } else { &dataset.sha256_csv }
}

/// From the names of datasets with their tokens to those of their content.
pub(crate) fn contents(datasets: &[DatasetOutput]) -> BTreeMap<String, String> {
    datasets.iter().map(|dataset| (dataset.data_digest.clone(), content(dataset).to_owned())).collect()
}

/// Datasets under the names of their content, each once.
pub(crate) fn named_by_content(datasets: Vec<DatasetOutput>) -> Vec<DatasetOutput> {
    let mut named: Vec<DatasetOutput> = Vec::new();
    for mut dataset in datasets {
        dataset.data_digest = content(&dataset).to_owned();
        let key = |other: &DatasetOutput| {
            (other.source.clone(), other.dataset.clone(), other.data_digest.clone(), other.split_digest.clone())
        };
        if !named.iter().any(|earlier| key(earlier) == key(&dataset)) {
            named.push(dataset);
        }
    }
    named
}

/// The measure cells of a suite that failed.
fn failed(store: &Store, suite_id: i64) -> Result<Vec<FailedCell>, AnalysisError> {
    let cells = store.cells(suite_id)?;
    let identities = cells.iter().filter(|cell| cell.stage == "measure" && cell.status == CellStatus::Failed);
    let mut failed = Vec::new();
    for identity in identities.filter_map(|cell| cell.identity.as_ref()) {
        if let Some(CellSpec::Measure(spec)) = store.find_cell(identity)?.spec {
            failed.push(FailedCell { variant: Variant::of_spec(&spec), spec });
        }
    }
    Ok(failed)
}

/// The suite of this number.
pub(crate) fn suite(store: &Store, suite_id: i64) -> Result<SuiteRow, AnalysisError> {
    let found = store.suites()?.into_iter().find(|suite| suite.id == suite_id);
    found.ok_or(AnalysisError::UnknownSuite { id: suite_id })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        fit::fit_rows,
        model_board,
        points::scores_by_group,
        sample::{dataset, suite},
    };

    /// Six runs, of which the last two read the same molecules in other tokens and are checkpoints of others.
    fn two_tokenizers() -> Inputs {
        let mut inputs = suite(6);
        let ours = DatasetOutput { sha256_csv: "content".into(), ..dataset("freesolv") };
        let theirs = DatasetOutput { data_digest: "other data".into(), tokenizer_digest: "theirs".into(), ..ours.clone() };
        inputs.datasets = vec![ours, theirs];
        for run in &mut inputs.runs[4..] {
            (run.imported, run.tokenizer_digest) = (true, "theirs".into());
            (run.tokens, run.corpus_molecules, run.learning_rate, run.epochs) = (None, None, None, None);
        }
        let others: Vec<String> = inputs.runs[4..].iter().map(|run| run.run.clone()).collect();
        inputs.scores.iter_mut().filter(|row| others.contains(&row.run)).for_each(|row| row.data_digest = "other data".into());
        inputs
    }

    #[test]
    fn scores_of_unlike_tokenizers_stand_in_one_ranking_and_in_fits_of_their_own() {
        let apart = two_tokenizers();
        assert_eq!(scores_by_group(&apart.scores).len(), 2, "as they are stored");
        let inputs = apart.by_content();
        assert_eq!(scores_by_group(&inputs.scores).len(), 1);
        assert_eq!(inputs.datasets.len(), 1, "one dataset");
        let board = model_board(&inputs, &Compared::default());
        assert_eq!(board.rows.iter().filter_map(|row| row.rank).max(), Some(7), "six runs and the mean predictor");
        let flagged: Vec<&str> =
            board.rows.iter().filter(|row| row.flags.contains(&"imported".to_owned())).map(|row| row.label.as_str()).collect();
        assert_eq!(flagged.len(), 2, "{flagged:?}");
        let mut n: Vec<u32> =
            fit_rows(&inputs).unwrap().iter().filter(|row| row.metric == "loss/mlm_loss").map(|row| row.n).collect();
        n.sort_unstable();
        assert_eq!(n, [2, 4]);
    }

    #[test]
    fn a_checkpoint_of_others_is_judged_by_its_own_tokenizer() {
        // 20 % of 642 molecules are 128.4.
        for (unknown, truncated, flagged) in [(129, 0, true), (0, 129, true), (128, 128, false)] {
            let mut inputs = two_tokenizers();
            (inputs.datasets[1].unknown_token_molecules, inputs.datasets[1].truncated) = (unknown, truncated);
            let inputs = inputs.by_content();
            let flag = "out_of_vocabulary".to_owned();
            let board = model_board(&inputs, &Compared::default());
            for row in board.rows.iter().filter(|row| row.run.is_some()) {
                let theirs = row.flags.contains(&"imported".to_owned());
                assert_eq!(row.flags.contains(&flag), theirs && flagged, "{unknown} {truncated} {}", row.label);
            }
            for row in fit_rows(&inputs).unwrap() {
                let theirs = row.flags.contains(&"imported".to_owned());
                assert_eq!(row.flags.contains(&flag), theirs && flagged, "{unknown} {truncated} {}", row.metric);
            }
        }
    }

    #[test]
    fn a_checkpoint_of_others_is_held_against_the_unigram_of_its_own_tokens() {
        let mut inputs = two_tokenizers();
        inputs.runs[4..].iter_mut().for_each(|run| run.corpus_digest.clear());
        let others: Vec<String> = inputs.runs[4..].iter().map(|run| run.run.clone()).collect();
        for row in inputs.metrics.iter_mut().filter(|row| others.contains(&row.run)) {
            (row.heldout_digest, row.tokenizer_digest) = ("their sample".into(), "theirs".into());
        }
        // Losses are about 1.8 with a standard error of .014: above 1.5 and below 2.5.
        let mut judged = Vec::new();
        for entropy in [1.5, 2.5] {
            let mut inputs = inputs.clone();
            let mut theirs = inputs.corpora[0].clone();
            (theirs.tokenizer_digest, theirs.heldout_digest) = ("theirs".into(), "their sample".into());
            theirs.unigram_cross_entropy = entropy.into();
            inputs.corpora.push(theirs);
            let board = model_board(&inputs.by_content(), &Compared::default());
            let row = board.rows.iter().find(|row| row.run.as_ref() == others.first()).unwrap();
            assert!(row.heldout_loss.is_some());
            judged.push((row.unigram_cross_entropy, row.flags.contains(&"above_unigram".to_owned())));
        }
        assert_eq!(judged, [(Some(1.5), true), (Some(2.5), false)]);
    }

    #[test]
    fn a_dataset_without_a_known_content_keeps_its_name() {
        let mut inputs = two_tokenizers();
        inputs.datasets.iter_mut().for_each(|dataset| dataset.sha256_csv.clear());
        let inputs = inputs.by_content();
        assert_eq!((inputs.datasets.len(), scores_by_group(&inputs.scores).len()), (2, 2));
    }

    #[test]
    fn fits_of_checkpoints_of_others_say_so_and_have_no_gain() {
        let mut inputs = suite(12);
        inputs.runs[3].imported = true;
        inputs.runs[3].tokens = None;
        let rows = fit_rows(&inputs).unwrap();
        let row = rows.iter().find(|row| row.metric == "loss/mlm_loss").unwrap();
        assert!(row.flags.contains(&"imported".to_owned()), "{:?}", row.flags);
        let reason = "tokens and corpus size of a checkpoint of others are not known, and gains are measured over them";
        assert_eq!((row.gain, row.gain_reason.as_deref()), (None, Some(reason)));
    }
}
