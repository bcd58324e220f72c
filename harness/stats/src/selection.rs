//! What does choosing by a metric cost? Regret and recall of the k runs that it ranks first.
//!
//! Runs that tie in the metric are chosen at random among themselves: every number is the mean over all such choices, exactly. A metric
//! without any information is the case in which all runs tie, so what a random choice gives is found the same way.

use serde::Serialize;

use crate::{
    correlation::doubled_ranks,
    refusal::{Refusal, check_column, check_size},
    verdict::SMALLEST_N_FOR_FIT,
};

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
    Ranked::new(metric, score).choose(k).ok_or(Refusal::Constant { name: "score".to_owned() })
}

/// Runs in falling order of both columns.
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

    /// The choice of k; none where all scores are the same.
    fn choose(&self, k: usize) -> Option<Selection> {
        let (best, worst) = (self.score[*self.all.first()?], self.score[*self.all.last()?]);
        if worst >= best {
            return None;
        }
        let (by_metric, by_score) = (chances(&self.by_metric, self.all.len(), k), chances(&self.by_score, self.all.len(), k));
        let recall = by_metric.iter().zip(&by_score).map(|(chosen, best)| chosen * best).sum::<f64>() / k as f64;
        // Rounding of the mean over choices.
        let regret = (best - self.expected_best(&self.by_metric, k)).max(0.0);
        let random_regret = (best - self.expected_best(std::slice::from_ref(&self.all), k)).max(0.0);
        Some(Selection {
            k,
            regret,
            random_regret,
            regret_share: (random_regret > 1e-12 * best.abs()).then(|| regret / random_regret),
            recall,
            random_recall: k as f64 / self.all.len() as f64,
        })
    }

    /// Mean over all choices of the best score among the k chosen, group by group.
    fn expected_best(&self, groups: &[Vec<usize>], k: usize) -> f64 {
        let (mut chosen, mut floor) = (0, f64::NEG_INFINITY);
        for group in groups {
            let (mut scores, tied) = (group.iter().map(|&run| self.score[run]), group.len());
            let open = k - chosen;
            if open >= tied {
                floor = scores.next().map_or(floor, |score| floor.max(score));
                chosen += tied;
                continue;
            }
            if open == 0 {
                break;
            }
            // The j-th best of m tied ones is the best chosen with chance: none of the j before, then this one.
            let (mut none_so_far, mut mean) = (1.0, 0.0);
            for (place, score) in scores.enumerate() {
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

/// Chance of each of `n` runs to be among the k largest, ties broken at random.
fn chances(groups: &[Vec<usize>], n: usize, k: usize) -> Vec<f64> {
    let (mut chances, mut larger) = (vec![0.0; n], 0);
    for group in groups {
        let chance = ((k as f64 - larger as f64) / group.len() as f64).clamp(0.0, 1.0);
        group.iter().for_each(|&run| chances[run] = chance);
        larger += group.len();
    }
    chances
}

#[cfg(test)]
mod tests;
