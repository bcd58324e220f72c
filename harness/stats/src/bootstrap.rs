//! Intervals by resampling whole runs: bias-corrected and accelerated (BCa, Efron 1987), acceleration by jackknife.
//!
//! Of Spearman's rho they cover 93 to 97 % for normal runs up to r = .8, and are too short near perfect agreement between a
//! metric of few values and a score (see `coverage_calibration`). Of a slope they cover only 90 to 93 % at 8 to 24 runs (found
//! by the same simulation), which is why slopes have the t interval of [`mod@crate::ols`].

use rand::Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::{
    correlation::check_pair,
    counted_ranks::SortedPair,
    numeric::{mean, quantile_of_sorted},
    refusal::{Refusal, check_size},
};

/// No interval is given below this many runs.
pub const SMALLEST_N_FOR_INTERVALS: usize = 8;
/// Resamples of one interval.
pub const RESAMPLES: usize = 4_999;

/// A 90 % and a 95 % interval of one statistic, from one set of resamples.
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
    /// Resamples that gave a value.
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
    check_size("an interval", n, SMALLEST_N_FOR_INTERVALS)?;
    let all: Vec<usize> = (0..n).collect();
    let estimate = statistic(&all).ok_or(Refusal::Degenerate { usable: 0, draws: 1 })?;
    let jackknife: Option<Vec<f64>> = (0..n)
        .map(|left_out| {
            let kept: Vec<usize> = all.iter().copied().filter(|index| *index != left_out).collect();
            statistic(&kept)
        })
        .collect();
    let mut values = Vec::with_capacity(resamples);
    let mut indices = vec![0usize; n];
    let mut tried = 0;
    while values.len() < resamples {
        if tried >= 2 * resamples {
            return Err(Refusal::Degenerate { usable: values.len(), draws: tried });
        }
        tried += 1;
        indices.iter_mut().for_each(|index| *index = rng.random_range(0..n));
        values.extend(statistic(&indices));
    }
    values.sort_by(f64::total_cmp);
    let acceleration = jackknife.map_or(0.0, |values| acceleration(&values));
    let (low90, high90) = ends(estimate, &values, acceleration, 0.90)?;
    let (low95, high95) = ends(estimate, &values, acceleration, 0.95)?;
    Ok(Interval { low90, high90, low95, high95, resamples, degenerate: tried - resamples })
}

/// Interval of the two-column Spearman's rho over runs.
///
/// # Errors
/// As [`bca`], and a constant, non-finite or unequally long column.
pub fn spearman_interval(x: &[f64], y: &[f64], rng: &mut impl Rng) -> Result<Interval, Refusal> {
    check_pair(x, y, "an interval", SMALLEST_N_FOR_INTERVALS)?;
    let pair = SortedPair::new(x, y);
    bca(x.len(), RESAMPLES, rng, |indices| pair.spearman_at(indices))
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
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{correlation::spearman_if_defined, seed::generator};

    #[test]
    fn none_below_eight_runs() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert!(matches!(spearman_interval(&x, &x, &mut generator(1, "i")), Err(Refusal::TooFew { n: 7, needed: 8, .. })));
    }

    #[test]
    fn repeats_and_nests() {
        let mut rng = generator(5, "data");
        let x: Vec<f64> = (0..12).map(|_| rng.random::<f64>()).collect();
        let y: Vec<f64> = x.iter().map(|v| v + rng.random::<f64>()).collect();
        let first = spearman_interval(&x, &y, &mut generator(1, "i")).unwrap();
        assert_eq!(first, spearman_interval(&x, &y, &mut generator(1, "i")).unwrap());
        assert!(first.low95 <= first.low90 && first.low90 < first.high90 && first.high90 <= first.high95);
        assert!(first.high95 <= 1.0 && first.low95 >= -1.0);
    }

    #[test]
    fn degenerate_resamples_are_drawn_again_or_refused() {
        // One run apart from seven equal ones: a third of the resamples misses it.
        let mut x = [1.0; 8];
        x[7] = 2.0;
        let y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let interval = spearman_interval(&x, &y, &mut generator(1, "i")).unwrap();
        assert!(interval.degenerate > 1_000 && interval.resamples == RESAMPLES);
        let refused = bca(8, 100, &mut generator(1, "i"), |indices| (indices[..2] == [0, 1]).then_some(1.0));
        assert!(matches!(refused, Err(Refusal::Degenerate { draws: 200, .. })));
    }

    #[test]
    fn perfect_agreement_has_zero_width_and_no_nan() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let interval = spearman_interval(&x, &x, &mut generator(1, "i")).unwrap();
        assert_eq!((interval.low95, interval.high95), (1.0, 1.0));
    }

    /// Share of simulations in which the 95 % interval covers `target`; `draw` makes the runs.
    fn covered(label: &str, simulations: usize, target: f64, draw: impl Fn(&mut ChaCha8Rng) -> (Vec<f64>, Vec<f64>)) -> f64 {
        let mut rng = generator(2, label);
        let mut inside = 0;
        for _ in 0..simulations {
            let (x, y) = draw(&mut rng);
            let interval = bca(x.len(), 999, &mut rng, |indices| rho(&x, &y, indices)).unwrap();
            inside += usize::from(interval.low95 <= target && target <= interval.high95);
        }
        inside as f64 / simulations as f64
    }

    fn rho(x: &[f64], y: &[f64], indices: &[usize]) -> Option<f64> {
        let pick = |values: &[f64]| indices.iter().map(|&index| values[index]).collect::<Vec<f64>>();
        spearman_if_defined(&pick(x), &pick(y))
    }

    fn normal_runs(n: usize, r: f64) -> impl Fn(&mut ChaCha8Rng) -> (Vec<f64>, Vec<f64>) {
        move |rng| (0..n).map(|_| rand_distr_normal::pair(rng, r)).unzip()
    }

    /// Four sizes, each equally often, as a suite crosses them: only the score is random.
    fn four_sizes(n: usize, r: f64) -> impl Fn(&mut ChaCha8Rng) -> (Vec<f64>, Vec<f64>) {
        // Sizes of variance 1.
        let size = |run: usize| (run % 4) as f64 / 1.25f64.sqrt();
        move |rng| {
            let run = |number| (size(number), r * size(number) + (1.0 - r * r).sqrt() * rand_distr_normal::pair(rng, 0.0).0);
            (0..n).map(run).unzip()
        }
    }

    /// Coverage for bivariate normal runs; the population value of Spearman's rho is 6 / pi asin(r / 2).
    fn coverage(n: usize, r: f64, simulations: usize) -> f64 {
        let target = 6.0 / std::f64::consts::PI * (r / 2.0).asin();
        covered(&format!("coverage {n} {r}"), simulations, target, normal_runs(n, r))
    }

    /// Coverage for four sizes; the population value is that of a very large suite.
    fn tied_coverage(n: usize, r: f64, simulations: usize) -> f64 {
        let label = format!("tied coverage {n} {r}");
        let (x, y) = four_sizes(40_000, r)(&mut generator(3, &label));
        covered(&label, simulations, spearman_if_defined(&x, &y).unwrap(), four_sizes(n, r))
    }

    #[test]
    fn coverage_smoke() {
        // 200 draws: 95 % +- 2.6 standard errors.
        let share = coverage(12, 0.5, 200);
        assert!((0.91..=0.99).contains(&share), "{share}");
    }

    /// Accepts 93 to 97 % for normal runs up to r = .8, and elsewhere what benchmarks/METHODOLOGY.md tells users: near
    /// perfect agreement and with four sizes the interval is not calibrated.
    #[test]
    #[ignore = "slow: calibration of the 95 % interval, minutes"]
    fn coverage_calibration() {
        let mut outside = Vec::new();
        let mut check = |what: &str, n: usize, r: f64, share: f64, accepted: std::ops::RangeInclusive<f64>| {
            if !accepted.contains(&share) {
                outside.push(format!("{what}, n = {n}, r = {r}: {share}"));
            }
        };
        // Coverage found for four sizes at r = .95.
        for (n, known) in [(8, 0.9995), (12, 0.42), (24, 0.80), (48, 0.87)] {
            for r in [0.0, 0.5, 0.8] {
                check("normal runs", n, r, coverage(n, r, 4_000), 0.93..=0.97);
                check("four sizes", n, r, tied_coverage(n, r, 4_000), 0.89..=0.985);
            }
            check("normal runs", n, 0.95, coverage(n, 0.95, 4_000), 0.92..=0.99);
            check("four sizes", n, 0.95, tied_coverage(n, 0.95, 4_000), known - 0.03..=known + 0.03);
        }
        assert!(outside.is_empty(), "{outside:#?}");
    }

    /// Correlated normal pairs by Box and Muller.
    mod rand_distr_normal {
        use rand::Rng;

        pub fn pair(rng: &mut impl Rng, r: f64) -> (f64, f64) {
            let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
            let angle = std::f64::consts::TAU * rng.random::<f64>();
            let (a, b) = (radius * angle.cos(), radius * angle.sin());
            (a, r * a + (1.0 - r * r).sqrt() * b)
        }
    }
}
