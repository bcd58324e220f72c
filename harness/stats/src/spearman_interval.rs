//! Interval of Spearman's rho over runs: Fisher's z, whose variance is the jackknife's over whole runs, held up by theory.
//!
//! With n runs the jackknife's variance alone is too noisy, and 0 where the runs agree perfectly; the normal theory's alone
//! is too small where one run in ten is far off the line or the spread grows along it. So, with q = rho / rho_max and
//! z = atanh q,
//!
//! ```text
//! var z = max( (12 B + n J) / (12 + n),  0.7 B,  1 / 4k )
//! ```
//!
//! - B = (1 + q^2 / 2) / (n - 3): Bonett and Wright (2000), "Sample size requirements for estimating Pearson, Kendall and
//!   Spearman correlations", Psychometrika 65, equation 4;
//! - J: jackknife of z over runs (Efron 1982), which counts as n runs beside 12 of the theory's;
//! - k: how many swaps of neighbours the ranks are from perfect agreement, at least a half. Counts of rare events have a
//!   relative error of 1 / sqrt k, and z is half the logarithm of (1 + q) / (1 - q).
//!
//! rho_max is the largest rho that columns with these ties can have: with four sizes, rho ends at .97, and a z that is
//! infinite only at 1 would make the interval too wide.
//!
//! The weights were chosen by simulation, beside BCa, the studentised bootstrap of z, B alone and J alone. What stands here, and BCa for
//! four sizes, are in `tests/calibration` and `benchmarks/CALIBRATION.md`.

use rand::Rng;

use crate::{
    bootstrap::{Interval, SMALLEST_N_FOR_INTERVALS},
    correlation::{average_ranks, check_pair, pearson_unchecked, spearman_if_defined},
    counted_ranks::SortedPair,
    numeric::sum_of_squares,
    refusal::Refusal,
};

/// Runs that the theory's variance counts for beside the n of the jackknife's.
const RUNS_OF_THEORY: f64 = 12.0;
/// Least share of the theory's variance.
const LEAST_SHARE_OF_THEORY: f64 = 0.7;
/// Normal quantiles at 0.95 and 0.975.
const Z90: f64 = 1.644_853_626_951_472_7;
const Z95: f64 = 1.959_963_984_540_054;

/// Interval of the two-column Spearman's rho over runs. It needs no random numbers; `_rng` is there because the intervals by
/// resampling take one, so that a caller need not know which method a statistic has.
///
/// # Errors
/// Fewer than 8 runs; a constant, non-finite or unequally long column, or one that is constant without one of the runs.
pub fn spearman_interval(x: &[f64], y: &[f64], _rng: &mut impl Rng) -> Result<Interval, Refusal> {
    check_pair(x, y, "an interval", SMALLEST_N_FOR_INTERVALS)?;
    let rho = spearman_if_defined(x, y).ok_or(Refusal::Degenerate { usable: 0, draws: 1 })?;
    let left_out = leave_one_out(x, y)?;
    // From here on rho is positive: a column turned round turns the interval round.
    let sign = if rho < 0.0 { -1.0 } else { 1.0 };
    let scale = Scale::new(x, &y.iter().map(|value| sign * value).collect::<Vec<f64>>());
    let values: Vec<f64> = left_out.iter().map(|value| scale.z(sign * value)).collect();
    let (n, q) = (x.len() as f64, scale.share(sign * rho));
    let jackknife = (n - 1.0) / n * sum_of_squares(&values);
    let theory = (1.0 + q * q / 2.0) / (n - 3.0);
    let swaps = (1.0 - q) / scale.swap;
    let weighted = (RUNS_OF_THEORY * theory + n * jackknife) / (RUNS_OF_THEORY + n);
    let std_error = weighted.max(LEAST_SHARE_OF_THEORY * theory).max(0.25 / swaps).sqrt();
    let centre = scale.z(sign * rho);
    let end = |quantile: f64| {
        let end = scale.largest * (centre + quantile * std_error).tanh();
        // Perfect agreement was moved half a swap inwards; the interval holds it.
        if quantile > 0.0 && scale.is_perfect(sign * rho) { sign * rho } else { end }
    };
    let pair = |quantile: f64| if sign > 0.0 { (end(-quantile), end(quantile)) } else { (-end(quantile), -end(-quantile)) };
    let ((low90, high90), (low95, high95)) = (pair(Z90), pair(Z95));
    Ok(Interval { low90, high90, low95, high95, resamples: x.len(), degenerate: 0 })
}

/// Rho without each of the runs.
fn leave_one_out(x: &[f64], y: &[f64]) -> Result<Vec<f64>, Refusal> {
    let (n, pair) = (x.len(), SortedPair::new(x, y));
    let mut counts = vec![1; n];
    let mut without = |run: usize| {
        counts[run] = 0;
        let rho = pair.spearman(&counts);
        counts[run] = 1;
        rho
    };
    let values: Vec<f64> = (0..n).filter_map(&mut without).collect();
    if values.len() == n { Ok(values) } else { Err(Refusal::Degenerate { usable: values.len(), draws: n }) }
}

/// What the ties of two columns leave of the scale of rho.
struct Scale {
    /// The largest rho.
    largest: f64,
    /// What the smallest swap of two neighbours takes from rho / largest.
    swap: f64,
}

impl Scale {
    fn new(x: &[f64], y: &[f64]) -> Self {
        let (mut x, mut y) = (average_ranks(x), average_ranks(y));
        x.sort_by(f64::total_cmp);
        y.sort_by(f64::total_cmp);
        let largest = pearson_unchecked(&x, &y);
        let step = |ranks: &[f64]| {
            let steps = ranks.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0.0);
            steps.fold(f64::INFINITY, f64::min)
        };
        let spread = (sum_of_squares(&x) * sum_of_squares(&y)).sqrt();
        Self { largest, swap: step(&x) * step(&y) / (spread * largest) }
    }

    /// rho / rho_max, no nearer to -1 and 1 than half a swap.
    fn share(&self, rho: f64) -> f64 {
        let end = 1.0 - self.swap / 2.0;
        (rho / self.largest).clamp(-end, end)
    }

    fn is_perfect(&self, rho: f64) -> bool {
        rho / self.largest > 1.0 - self.swap / 2.0
    }

    fn z(&self, rho: f64) -> f64 {
        self.share(rho).atanh()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::seed::generator;

    fn interval(x: &[f64], y: &[f64]) -> Result<Interval, Refusal> {
        spearman_interval(x, y, &mut generator(1, "i"))
    }

    #[test]
    fn none_below_eight_runs() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert!(matches!(interval(&x, &x), Err(Refusal::TooFew { n: 7, needed: 8, .. })));
    }

    #[test]
    fn holds_rho_nests_and_turns_with_the_columns() {
        let mut rng = generator(5, "data");
        for trial in 0..200 {
            let n = 8 + trial % 20;
            let few = trial % 3 == 0;
            let x: Vec<f64> = (0..n).map(|run| if few { (run % 4) as f64 } else { rng.random() }).collect();
            let y: Vec<f64> = x.iter().map(|v| v + rng.random::<f64>()).collect();
            let found = interval(&x, &y).unwrap();
            let rho = spearman_if_defined(&x, &y).unwrap();
            assert!(-1.0 <= found.low95 && found.low95 < found.low90 && found.low90 < rho, "{rho} {found:?}");
            assert!(rho <= found.high90 && found.high90 <= found.high95 && found.high95 <= 1.0, "{rho} {found:?}");
            let turned = interval(&x, &y.iter().map(|v| -v).collect::<Vec<f64>>()).unwrap();
            assert!((turned.low95 + found.high95).abs() < 1e-12 && (turned.high90 + found.low90).abs() < 1e-12);
            // Only ranks count.
            let same = interval(&x, &y.iter().map(|v| v.exp()).collect::<Vec<f64>>()).unwrap();
            assert_eq!(found, same);
        }
    }

    #[test]
    fn perfect_agreement_has_a_width() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let found = interval(&x, &x).unwrap();
        assert_eq!(found.high95, 1.0);
        assert!((0.5..0.95).contains(&found.low95), "{found:?}");
        // Four sizes: no rho is above sqrt(40 / 42).
        let sizes = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0];
        let found = interval(&sizes, &x).unwrap();
        assert!((found.high95 - (40.0f64 / 42.0).sqrt()).abs() < 1e-12 && found.low95 < 0.9, "{found:?}");
    }

    #[test]
    fn a_column_that_one_run_alone_holds_up_has_none() {
        let mut x = [1.0; 8];
        x[7] = 2.0;
        let y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        assert_eq!(interval(&x, &y), Err(Refusal::Degenerate { usable: 7, draws: 8 }));
    }
}
