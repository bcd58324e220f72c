//! Intervals by resampling: bias-corrected and accelerated (BCa, Efron 1987), acceleration by jackknife.
//!
//! What they cover depends on the statistic (`benchmarks/CALIBRATION.md`): of Spearman's rho and of a slope too little at 8 to
//! 24 runs, which is why these have [`mod@crate::spearman_interval`] and the t interval of [`mod@crate::ols`].

use rand::Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::{
    numeric::{mean, quantile_of_sorted},
    refusal::{Refusal, check_size},
};

/// No interval is given below this many runs.
pub const SMALLEST_N_FOR_INTERVALS: usize = 8;

/// A 90 % and a 95 % interval of one statistic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end at 90 %.
    pub low90: f64,
    /// Upper end at 90 %.
    pub high90: f64,
    /// Lower end at 95 %.
    pub low95: f64,
    /// Upper end at 95 %.
    pub high95: f64,
    /// Resamples that gave a value; of a jackknife, the runs left out one at a time; 0 of a closed form.
    pub resamples: usize,
    /// Resamples drawn again because the statistic does not exist in them (such as a constant column).
    pub degenerate: usize,
}

/// Interval of `statistic`, a function of the indices of the resampled runs (with repeats) among `n`.
///
/// Resamples without a value are drawn again. Where a leave-one-out value does not exist, the acceleration is 0.
///
/// # Errors
/// Fewer than 8 runs; no value on the runs themselves; more than half of the resamples without a value.
pub fn bca(
    n: usize,
    resamples: usize,
    rng: &mut impl Rng,
    statistic: impl Fn(&[usize]) -> Option<f64>,
) -> Result<Interval, Refusal> {
    let one_by_one = |some: &[Vec<usize>], values: &mut Vec<Option<f64>>| {
        values.extend(some.iter().map(|indices| statistic(indices)));
    };
    bca_of_many(n, resamples, 1, rng, one_by_one)
}

/// As [`bca`], of a statistic that is computed for up to `together` resamples at once. It draws what that draws, and no more.
pub(crate) fn bca_of_many(
    n: usize,
    resamples: usize,
    together: usize,
    rng: &mut impl Rng,
    mut statistic: impl FnMut(&[Vec<usize>], &mut Vec<Option<f64>>),
) -> Result<Interval, Refusal> {
    check_size("an interval", n, SMALLEST_N_FOR_INTERVALS)?;
    let all: Vec<usize> = (0..n).collect();
    // All runs, then all but each of them.
    let without = |left_out: usize| all.iter().copied().filter(|index| *index != left_out).collect();
    let sets: Vec<Vec<usize>> = [all.clone()].into_iter().chain((0..n).map(without)).collect();
    let mut found = Vec::with_capacity(sets.len());
    sets.chunks(together).for_each(|some| statistic(some, &mut found));
    let estimate = found[0].ok_or(Refusal::Degenerate { usable: 0, draws: 1 })?;
    let jackknife: Option<Vec<f64>> = found[1..].iter().copied().collect();
    let mut values = Vec::with_capacity(resamples);
    let mut drawn = vec![vec![0usize; n]; together];
    let mut tried = 0;
    while values.len() < resamples {
        if tried >= 2 * resamples {
            return Err(Refusal::Degenerate { usable: values.len(), draws: tried });
        }
        let some = together.min(resamples - values.len()).min(2 * resamples - tried);
        tried += some;
        drawn[..some].iter_mut().flatten().for_each(|index| *index = rng.random_range(0..n));
        found.clear();
        statistic(&drawn[..some], &mut found);
        values.extend(found.iter().flatten());
    }
    values.sort_by(f64::total_cmp);
    let acceleration = jackknife.map_or(0.0, |values| acceleration(&values));
    let (low90, high90) = ends(estimate, &values, acceleration, 0.90)?;
    let (low95, high95) = ends(estimate, &values, acceleration, 0.95)?;
    Ok(Interval { low90, high90, low95, high95, resamples, degenerate: tried - resamples })
}

/// Acceleration from leave-one-out values: skewness of the estimate over runs, a sixth of it; 0 if they are all equal.
pub fn acceleration(jackknife: &[f64]) -> f64 {
    let centre = mean(jackknife);
    let (mut squares, mut cubes) = (0.0, 0.0);
    for value in jackknife {
        let deviation = centre - value;
        squares += deviation * deviation;
        cubes += deviation * deviation * deviation;
    }
    if squares <= 1e-24 { 0.0 } else { cubes / (6.0 * squares.powf(1.5)) }
}

/// Both ends at `confidence` from the sorted resampled values. Values equal to the estimate count half.
pub fn ends(estimate: f64, sorted: &[f64], acceleration: f64, confidence: f64) -> Result<(f64, f64), Refusal> {
    let normal = Normal::new(0.0, 1.0).map_err(|error| Refusal::Solver { message: error.to_string() })?;
    let tolerance = 1e-12 * estimate.abs().max(1.0);
    let below = sorted.iter().filter(|value| **value < estimate - tolerance).count() as f64;
    let equal = sorted.iter().filter(|value| (**value - estimate).abs() <= tolerance).count() as f64;
    let size = sorted.len() as f64;
    // Half a resample away from 0 and 1, where the normal quantile is infinite.
    let share = ((below + equal / 2.0) / size).clamp(0.5 / size, 1.0 - 0.5 / size);
    let bias = normal.inverse_cdf(share);
    let end = |level: f64| {
        let shifted = bias + normal.inverse_cdf(level);
        let denominator = 1.0 - acceleration * shifted;
        let corrected = if denominator > 0.0 {
            normal.cdf(bias + shifted / denominator)
        } else if shifted > 0.0 {
            1.0
        } else {
            0.0
        };
        quantile_of_sorted(sorted, corrected)
    };
    let tail = (1.0 - confidence) / 2.0;
    Ok((end(tail), end(1.0 - tail)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{counted_ranks::SortedPair, seed::generator};

    fn rho_interval(x: &[f64], y: &[f64]) -> Result<Interval, Refusal> {
        let pair = SortedPair::new(x, y);
        bca(x.len(), 999, &mut generator(1, "i"), |indices| pair.spearman_at(indices))
    }

    #[test]
    fn none_below_eight_runs() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert!(matches!(rho_interval(&x, &x), Err(Refusal::TooFew { n: 7, needed: 8, .. })));
    }

    #[test]
    fn repeats_and_nests() {
        let mut rng = generator(5, "data");
        let x: Vec<f64> = (0..12).map(|_| rng.random::<f64>()).collect();
        let y: Vec<f64> = x.iter().map(|v| v + rng.random::<f64>()).collect();
        let first = rho_interval(&x, &y).unwrap();
        assert_eq!(first, rho_interval(&x, &y).unwrap());
        assert!(first.low95 <= first.low90 && first.low90 < first.high90 && first.high90 <= first.high95);
        assert!(first.high95 <= 1.0 && first.low95 >= -1.0);
    }

    #[test]
    fn degenerate_resamples_are_drawn_again_or_refused() {
        // One run apart from seven equal ones: a third of the resamples misses it.
        let mut x = [1.0; 8];
        x[7] = 2.0;
        let y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let interval = rho_interval(&x, &y).unwrap();
        assert!(interval.degenerate > 200 && interval.resamples == 999);
        let refused = bca(8, 100, &mut generator(1, "i"), |indices| (indices[..2] == [0, 1]).then_some(1.0));
        assert!(matches!(refused, Err(Refusal::Degenerate { draws: 200, .. })));
    }

    #[test]
    fn perfect_agreement_has_zero_width_and_no_nan() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let interval = rho_interval(&x, &x).unwrap();
        assert_eq!((interval.low95, interval.high95), (1.0, 1.0));
    }
}
