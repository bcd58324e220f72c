//! Scores of predictions of molecules that a fit has not seen, and the folds that make them unseen.

use clmbench_sdk::prelude::*;

use crate::{
    Labelling,
    classes::Classes,
    jackknife::{self, GROUPS, Groups},
    problem,
};

/// Folds of the cross-validation.
pub const FOLDS: usize = 5;

/// What is predicted.
pub struct Target {
    /// Labels [N].
    pub labels: Vec<f64>,
    /// Classes, for classification.
    pub classes: Option<Classes>,
    /// Fold of each molecule: in turn, in the molecules' random order; in classification in turn within each class.
    pub folds: Vec<usize>,
}

impl Target {
    /// Of the task.
    ///
    /// # Errors
    /// [`PluginError::Input`] for labels that are no target.
    pub fn new(probe: &Probe<'_>, params: &Params) -> Result<Self, PluginError> {
        let labels = problem::labels(probe, params)?;
        let classes = match problem::kind(probe)? {
            TaskKind::Classification => Some(Labelling::Classes.classes(&labels)?),
            TaskKind::Regression => None,
        };
        let mut seen = vec![0; classes.as_ref().map_or(1, Classes::count)];
        let fold = |molecule: usize| {
            let of = classes.as_ref().map_or(0, |classes| classes.of[molecule]);
            seen[of] += 1;
            (seen[of] - 1) % FOLDS
        };
        let folds = (0..labels.len()).map(fold).collect();
        Ok(Self { labels, classes, folds })
    }

    /// What is regressed [N, K]: labels, or an output 0/1 for each class.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn outputs(&self) -> Result<Tensor, PluginError> {
        match &self.classes {
            Some(classes) => classes.one_hot(),
            None => Ok(Tensor::f_from_slice(&self.labels)?.f_unsqueeze(1)?),
        }
    }

    /// The score of predictions [N][K] of the outputs with its jackknife error, the predictions fixed: R2 or, for classes, the mean over
    /// classes of the area under the ROC curve of one against the rest.
    ///
    /// # Errors
    /// [`PluginError::NonFinite`] for predictions that are no numbers.
    pub fn score(&self, name: &str, predictions: &[Vec<f64>]) -> Result<Value, PluginError> {
        // Areas only compare: they would order what is no number as well.
        if let Some(bad) = predictions.iter().position(|outputs| outputs.iter().any(|value| !value.is_finite())) {
            let text = format!(
                "{name} predicts {:?} for molecule {bad} of the task; the embeddings are too degenerate for it",
                predictions[bad]
            );
            return Err(PluginError::NonFinite(text));
        }
        let groups = self.classes.as_ref().map_or_else(|| Groups::new(self.labels.len()), Groups::of_classes);
        let without = |left: usize| {
            let kept: Vec<usize> = (0..self.labels.len()).filter(|at| groups.of[*at] != left).collect();
            match &self.classes {
                None => r2(kept.iter().map(|at| (self.labels[*at], predictions[*at][0]))),
                Some(classes) => {
                    let areas = (0..classes.count())
                        .map(|class| area(kept.iter().map(|at| (predictions[*at][class], classes.of[*at] == class)).collect()));
                    areas.sum::<f64>() / classes.count() as f64
                }
            }
        };
        jackknife::value(name, "1", without(GROUPS), &(0..GROUPS).map(without).collect::<Vec<_>>())
    }
}

/// `1 - sum (y - p)^2 / sum (y - mean y)^2` of pairs (y, p).
fn r2(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = pairs.clone().count() as f64;
    let mean = pairs.clone().map(|(label, _)| label).sum::<f64>() / count;
    let (off, all) = pairs
        .fold((0.0, 0.0), |(off, all), (label, prediction)| (off + (label - prediction).powi(2), all + (label - mean).powi(2)));
    1.0 - off / all
}

/// Area under the ROC curve: the share of pairs that are in order, ties half (Mann & Whitney 1947).
fn area(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut ordered, mut positives) = (0.0, 0.0, 0.0);
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let up = tied.iter().filter(|(_, positive)| *positive).count() as f64;
        let down = tied.len() as f64 - up;
        ordered += up * (below + down / 2.0);
        below += down;
        positives += up;
    }
    ordered / (below * positives)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{FOLDS, Target, area, r2};
    use crate::Labelling;

    #[test]
    fn predictions_that_are_no_numbers_have_no_score() {
        let labels: Vec<f64> = (0..40_u8).map(|molecule| f64::from(molecule % 2)).collect();
        let folds = (0..labels.len()).map(|molecule| molecule % FOLDS).collect();
        let classes = Labelling::Classes.classes(&labels).ok();
        let mut predictions: Vec<Vec<f64>> = labels.iter().map(|label| vec![1.0 - label, *label]).collect();
        let target = Target { labels, classes, folds };
        assert_eq!(target.score("knn", &predictions).unwrap().value, 1.0);
        predictions[7][1] = f64::NAN;
        let refused = target.score("knn", &predictions).unwrap_err().to_string();
        assert_eq!(refused, "knn predicts [0.0, NaN] for molecule 7 of the task; the embeddings are too degenerate for it");
    }

    #[test]
    fn areas_count_pairs() {
        // Of the four pairs (negative, positive): 0.1 < 0.4, 0.1 < 0.3, 0.3 < 0.4, and 0.3 = 0.3 for half.
        assert!((area(vec![(0.1, false), (0.4, true), (0.3, true), (0.3, false)]) - 0.875).abs() < 1e-15);
        assert!((area(vec![(1.0, false), (0.0, true)])).abs() < 1e-15);
    }

    #[test]
    fn r2_is_one_for_the_labels_and_zero_for_their_mean() {
        let labels = [1.0, 2.0, 6.0];
        assert!((r2(labels.iter().map(|y| (*y, *y))) - 1.0).abs() < 1e-15);
        assert!(r2(labels.iter().map(|y| (*y, 3.0))).abs() < 1e-15);
    }
}
