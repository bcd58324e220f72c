//! What does choosing by a metric cost? Regret and recall of the k runs that it ranks first.
//!
//! Runs that tie in the metric are chosen at random among themselves: every number is the mean over all such choices, exactly. A metric
//! without any information is the case in which all runs tie, so what a random choice gives is found the same way.

use rand::Rng;
use serde::Serialize;

use crate::{
    bootstrap::{Interval, SMALLEST_N_FOR_INTERVALS},
    correlation::doubled_ranks,
    numeric::quantile_of_sorted,
    refusal::{Refusal, check_column, check_size},
    verdict::SMALLEST_N_FOR_FIT,
};

/// Resamples of the intervals.
pub const RESAMPLES: usize = 999;

/// What the choice of k runs by a metric gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Selection {
    /// Runs chosen.
    pub k: usize,
    /// Best score of all less the best score among the chosen; 0 is perfect. In units of the score.
    pub regret: f64,
    /// The same of a random choice of k runs.
    pub random_regret: f64,
    /// Regret over that of a random choice: 0 is perfect, 1 no better than chance. None where so many runs are the best that every
    /// choice holds one.
    pub regret_share: Option<f64>,
    /// Share of the k truly best runs among the chosen.
    pub recall: f64,
    /// The same of a random choice: k / n.
    pub random_recall: f64,
}

/// Regret and recall at `k`. Both columns are oriented: larger is better.
///
/// # Errors
/// Fewer than 4 runs or no more than k; a non-finite column; scores that are all the same.
pub fn selection(metric: &[f64], score: &[f64], k: usize) -> Result<Selection, Refusal> {
    check_column("metric", metric, score.len())?;
    check_column("score", score, score.len())?;
    check_size(&format!("a choice of {k}"), score.len(), SMALLEST_N_FOR_FIT.max(k + 1))?;
    evaluate(metric, score, k).ok_or(Refusal::Constant { name: "score".to_owned() })
}

/// Of clean columns; none where all scores are the same.
fn evaluate(metric: &[f64], score: &[f64], k: usize) -> Option<Selection> {
    let best = score.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let by_metric = chances(metric, k);
    let by_score = chances(score, k);
    let regret = best - expected_best(metric, score, k);
    let random_regret = best - expected_best(&vec![0.0; score.len()], score, k);
    let recall = by_metric.iter().zip(&by_score).map(|(chosen, best)| chosen * best).sum::<f64>() / k as f64;
    let differ = score.iter().any(|value| *value < best);
    differ.then(|| Selection {
        k,
        // Rounding of the mean over choices.
        regret: regret.max(0.0),
        random_regret,
        regret_share: (random_regret > 1e-12 * best.abs()).then(|| regret.max(0.0) / random_regret),
        recall,
        random_recall: k as f64 / score.len() as f64,
    })
}

/// Chance of each run to be among the k largest, ties broken at random.
fn chances(values: &[f64], k: usize) -> Vec<f64> {
    let (larger, tied) = above(values);
    let chance = |(&larger, &tied): (&usize, &usize)| ((k as f64 - larger as f64) / tied as f64).clamp(0.0, 1.0);
    larger.iter().zip(&tied).map(chance).collect()
}

/// For each value how many are larger, and how many equal (itself among them).
fn above(values: &[f64]) -> (Vec<usize>, Vec<usize>) {
    // Twice the average rank of a value with `below` smaller and `tied` equal ones is 2 below + tied + 1.
    let ranks = doubled_ranks(values);
    let mut sorted = ranks.clone();
    sorted.sort_unstable();
    let tied: Vec<usize> = ranks
        .iter()
        .map(|rank| sorted.partition_point(|other| other <= rank) - sorted.partition_point(|other| other < rank))
        .collect();
    let larger = ranks.iter().map(|rank| sorted.len() - sorted.partition_point(|other| other <= rank)).collect();
    (larger, tied)
}

/// Mean over all choices of the best score among the k chosen.
fn expected_best(metric: &[f64], score: &[f64], k: usize) -> f64 {
    let chances = chances(metric, k);
    let certain = chances.iter().zip(score).filter(|(chance, _)| **chance >= 1.0);
    let (number, floor) = certain.fold((0, f64::NEG_INFINITY), |(number, best), (_, score)| (number + 1, score.max(best)));
    let mut tied: Vec<f64> = chances.iter().zip(score).filter(|(c, _)| **c > 0.0 && **c < 1.0).map(|(_, s)| *s).collect();
    tied.sort_by(|left, right| right.total_cmp(left));
    let open = k - number;
    if open == 0 || tied.is_empty() {
        return floor;
    }
    // The j-th best of m tied ones is the best chosen with chance: none of the j before, then this one.
    let (mut none_so_far, mut mean) = (1.0, 0.0);
    for (place, value) in tied.iter().enumerate() {
        let left = tied.len() - place;
        let taken = (open as f64 / left as f64).min(1.0);
        mean += none_so_far * taken * value.max(floor);
        none_so_far *= 1.0 - taken;
    }
    mean
}

/// Intervals of a [`Selection`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelectionIntervals {
    /// Of the regret.
    pub regret: Interval,
    /// Of the regret's share.
    pub regret_share: Interval,
    /// Of the recall.
    pub recall: Interval,
}

/// Percentile intervals by resampling whole runs; copies of a run tie.
///
/// They describe how the numbers vary over such runs. Regret and recall are bounded and often at their bound, where no bootstrap is exact.
///
/// # Errors
/// As [`selection`]; fewer than 8 runs; more than half of the resamples with equal scores.
pub fn selection_intervals(metric: &[f64], score: &[f64], k: usize, rng: &mut impl Rng) -> Result<SelectionIntervals, Refusal> {
    selection(metric, score, k)?;
    let n = score.len();
    check_size("an interval", n, SMALLEST_N_FOR_INTERVALS)?;
    let mut found = Vec::with_capacity(RESAMPLES);
    let mut tried = 0;
    let (mut metrics, mut scores) = (vec![0.0; n], vec![0.0; n]);
    while found.len() < RESAMPLES {
        if tried >= 2 * RESAMPLES {
            return Err(Refusal::Degenerate { usable: found.len(), draws: tried });
        }
        tried += 1;
        for place in 0..n {
            let run = rng.random_range(0..n);
            (metrics[place], scores[place]) = (metric[run], score[run]);
        }
        found.extend(evaluate(&metrics, &scores, k));
    }
    let of = |get: fn(&Selection) -> Option<f64>| {
        let mut values: Vec<f64> = found.iter().filter_map(get).collect();
        values.sort_by(f64::total_cmp);
        let at = |level| quantile_of_sorted(&values, level);
        let (resamples, degenerate) = (values.len(), tried - values.len());
        Interval { low90: at(0.05), high90: at(0.95), low95: at(0.025), high95: at(0.975), resamples, degenerate }
    };
    Ok(SelectionIntervals {
        regret: of(|found| Some(found.regret)),
        regret_share: of(|found| found.regret_share),
        recall: of(|found| Some(found.recall)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::seed::generator;

    #[test]
    fn without_ties_by_hand() {
        let score = [1.0, 5.0, 2.0, 4.0];
        let metric = [1.0, 2.0, 4.0, 3.0];
        let first = selection(&metric, &score, 1).unwrap();
        assert_eq!((first.regret, first.recall, first.random_recall), (3.0, 0.0, 0.25));
        // A random one has 3 on average.
        assert!((first.random_regret - 2.0).abs() < 1e-12 && (first.regret_share.unwrap() - 1.5).abs() < 1e-12);
        let three = selection(&metric, &score, 3).unwrap();
        assert_eq!((three.regret, three.recall), (0.0, 1.0));
    }

    /// All ways to choose k of the runs in which no run is chosen before one with a larger value.
    fn choices(values: &[f64], k: usize) -> Vec<Vec<usize>> {
        let n = values.len();
        let subsets = (0u32..1 << n).filter(|mask| mask.count_ones() as usize == k);
        let members = |mask: u32, wanted: bool| (0..n).filter(move |run| (mask >> run & 1 == 1) == wanted);
        let fair =
            |mask: &u32| members(*mask, true).all(|chosen| members(*mask, false).all(|left| values[chosen] >= values[left]));
        subsets.filter(fair).map(|mask| members(mask, true).collect()).collect()
    }

    #[test]
    fn with_ties_as_all_choices_enumerated() {
        let mut rng = generator(4, "ties");
        for _ in 0..50 {
            let metric: Vec<f64> = (0..8).map(|_| f64::from(rng.random_range(0..3))).collect();
            let score: Vec<f64> = (0..8).map(|_| f64::from(rng.random_range(0..6))).collect();
            let best = score.iter().copied().fold(0.0, f64::max);
            let average = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
            let regret = |of: &[f64], k| {
                let among = |chosen: &Vec<usize>| chosen.iter().map(|&run| score[run]).fold(f64::NEG_INFINITY, f64::max);
                average(choices(of, k).iter().map(|chosen| best - among(chosen)).collect())
            };
            for k in [1, 3, 5] {
                let Ok(found) = selection(&metric, &score, k) else { panic!("{score:?}") };
                let (by_metric, by_score) = (choices(&metric, k), choices(&score, k));
                let shared = |left: &Vec<usize>, right: &Vec<usize>| left.iter().filter(|run| right.contains(run)).count() as f64;
                let both = by_metric.iter().flat_map(|left| by_score.iter().map(move |right| shared(left, right) / k as f64));
                assert!((found.regret - regret(&metric, k)).abs() < 1e-10, "{found:?}");
                assert!((found.random_regret - regret(&[0.0; 8], k)).abs() < 1e-10, "{found:?}");
                assert!((found.recall - average(both.collect())).abs() < 1e-10, "{found:?}");
            }
        }
    }

    #[test]
    fn no_information_is_a_random_choice() {
        let score = [0.3, 0.1, 0.9, 0.5, 0.2, 0.7, 0.4, 0.8];
        let found = selection(&[1.0; 8], &score, 3).unwrap();
        assert!((found.regret_share.unwrap() - 1.0).abs() < 1e-12 && (found.recall - 0.375).abs() < 1e-12);
    }

    #[test]
    fn intervals_hold_the_value_and_repeat() {
        let mut rng = generator(9, "selection");
        let score: Vec<f64> = (0..16).map(|_| rng.random::<f64>()).collect();
        let metric: Vec<f64> = score.iter().map(|score| score + 0.5 * rng.random::<f64>()).collect();
        let found = selection(&metric, &score, 3).unwrap();
        let intervals = selection_intervals(&metric, &score, 3, &mut generator(1, "i")).unwrap();
        assert_eq!(intervals, selection_intervals(&metric, &score, 3, &mut generator(1, "i")).unwrap());
        assert!(intervals.regret.low95 <= found.regret && found.regret <= intervals.regret.high95);
        assert!(
            intervals.recall.low95 <= found.recall && found.recall <= intervals.recall.high95 && intervals.recall.high95 <= 1.0
        );
        assert!(intervals.regret_share.low95 >= 0.0);
    }

    #[test]
    fn refusals_are_typed() {
        let few = selection(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0], 1);
        assert!(matches!(few, Err(Refusal::TooFew { n: 3, needed: 4, .. })));
        let all = selection(&[1.0; 5], &[1.0, 2.0, 3.0, 4.0, 5.0], 5);
        assert!(matches!(all, Err(Refusal::TooFew { n: 5, needed: 6, .. })));
        assert_eq!(selection(&[1.0, 2.0, 3.0, 4.0], &[1.0; 4], 1), Err(Refusal::Constant { name: "score".into() }));
        assert!(matches!(selection(&[f64::NAN; 4], &[1.0; 4], 1), Err(Refusal::NonFinite { .. })));
    }
}
