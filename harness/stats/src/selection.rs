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
    two_way_bootstrap::resampled_counts,
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
    let every_run = vec![1; score.len()];
    Ranked::new(metric, score).choose(&every_run, k).ok_or(Refusal::Constant { name: "score".to_owned() })
}

/// Runs in falling order of both columns, sorted once for all resamples.
struct Ranked<'a> {
    score: &'a [f64],
    /// Runs that tie in the metric, the best groups first, and within a group those with the best scores.
    by_metric: Vec<Vec<usize>>,
    /// Runs that tie in the score, the best groups first.
    by_score: Vec<Vec<usize>>,
    /// All runs, those with the best scores first.
    all: Vec<usize>,
}

impl<'a> Ranked<'a> {
    fn new(metric: &[f64], score: &'a [f64]) -> Self {
        let mut all: Vec<usize> = (0..score.len()).collect();
        all.sort_by(|&left, &right| score[right].total_cmp(&score[left]));
        Self { score, by_metric: tied(metric, &all), by_score: tied(score, &all), all }
    }

    /// The choice of k where run i counts `counts[i]` times; none where all scores are the same.
    fn choose(&self, counts: &[u32], k: usize) -> Option<Selection> {
        let mut present = self.all.iter().filter(|run| counts[**run] > 0).map(|run| self.score[*run]);
        let best = present.next()?;
        if present.next_back().is_none_or(|worst| worst >= best) {
            return None;
        }
        let size: u32 = counts.iter().sum();
        let (by_metric, by_score) = (chances(&self.by_metric, counts, k), chances(&self.by_score, counts, k));
        let both = by_metric.iter().zip(&by_score).zip(counts);
        let recall = both.map(|((chosen, best), count)| chosen * best * f64::from(*count)).sum::<f64>() / k as f64;
        // Rounding of the mean over choices.
        let regret = (best - self.expected_best(&self.by_metric, counts, k)).max(0.0);
        let random_regret = (best - self.expected_best(std::slice::from_ref(&self.all), counts, k)).max(0.0);
        Some(Selection {
            k,
            regret,
            random_regret,
            regret_share: (random_regret > 1e-12 * best.abs()).then(|| regret / random_regret),
            recall,
            random_recall: k as f64 / f64::from(size),
        })
    }

    /// Mean over all choices of the best score among the k chosen, group by group.
    fn expected_best(&self, groups: &[Vec<usize>], counts: &[u32], k: usize) -> f64 {
        let (mut chosen, mut floor) = (0, f64::NEG_INFINITY);
        for group in groups {
            let copies = || group.iter().flat_map(|&run| std::iter::repeat_n(self.score[run], counts[run] as usize));
            let tied = group.iter().map(|&run| counts[run] as usize).sum::<usize>();
            let open = k - chosen;
            if open >= tied {
                floor = copies().next().map_or(floor, |score| floor.max(score));
                chosen += tied;
                continue;
            }
            if open == 0 {
                break;
            }
            // The j-th best of m tied ones is the best chosen with chance: none of the j before, then this one.
            let (mut none_so_far, mut mean) = (1.0, 0.0);
            for (place, score) in copies().enumerate() {
                let taken = (open as f64 / (tied - place) as f64).min(1.0);
                mean += none_so_far * taken * score.max(floor);
                none_so_far *= 1.0 - taken;
                if none_so_far <= 0.0 {
                    break;
                }
            }
            return mean;
        }
        floor
    }
}

/// Runs that tie, the largest values first; within a group as in `order`.
fn tied(values: &[f64], order: &[usize]) -> Vec<Vec<usize>> {
    let ranks = doubled_ranks(values);
    let mut falling = order.to_vec();
    // A stable sort: `order` holds within a group.
    falling.sort_by_key(|&run| std::cmp::Reverse(ranks[run]));
    falling.chunk_by(|&left, &right| ranks[left] == ranks[right]).map(<[usize]>::to_vec).collect()
}

/// Chance of each copy of a run to be among the k largest, ties broken at random.
fn chances(groups: &[Vec<usize>], counts: &[u32], k: usize) -> Vec<f64> {
    let (mut chances, mut larger) = (vec![0.0; counts.len()], 0);
    for group in groups {
        let tied: u32 = group.iter().map(|&run| counts[run]).sum();
        let chance = ((k as f64 - f64::from(larger)) / f64::from(tied)).clamp(0.0, 1.0);
        group.iter().filter(|run| counts[**run] > 0).for_each(|&run| chances[run] = chance);
        larger += tied;
    }
    chances
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
/// Not shown anywhere: resamples miss the best run a third of the time, and the intervals cover 20 to 100 % where 95 % is meant
/// (`tests/calibration`, which says so with them).
///
/// # Errors
/// As [`selection`]; fewer than 8 runs; more than half of the resamples with equal scores.
pub fn selection_intervals(metric: &[f64], score: &[f64], k: usize, rng: &mut impl Rng) -> Result<SelectionIntervals, Refusal> {
    selection(metric, score, k)?;
    let n = score.len();
    check_size("an interval", n, SMALLEST_N_FOR_INTERVALS)?;
    let mut found = Vec::with_capacity(RESAMPLES);
    let mut tried = 0;
    let ranked = Ranked::new(metric, score);
    while found.len() < RESAMPLES {
        if tried >= 2 * RESAMPLES {
            return Err(Refusal::Degenerate { usable: found.len(), draws: tried });
        }
        tried += 1;
        found.extend(ranked.choose(&resampled_counts(n, rng), k));
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
mod tests;
