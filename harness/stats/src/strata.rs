//! Rank correlation among runs that share something (a size, a corpus), so that what differs between the strata cannot make it.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

use crate::{
    bootstrap::{Interval, SMALLEST_N_FOR_INTERVALS},
    correlation::spearman,
    inference::{Correlated, Ends, fisher_of},
    refusal::{Refusal, check_column, check_size},
    seed::generator,
    spearman_interval::spearman_interval,
    verdict::SMALLEST_N_FOR_FIT,
};

/// Spearman's correlation within one stratum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stratum {
    /// Runs in it.
    pub n: usize,
    /// Correlation; refused below 4 runs, or where a column is constant.
    pub spearman: Result<f64, Refusal>,
    /// Interval as that of all runs ([`mod@crate::spearman_interval`]); from 8 runs on.
    pub ends: Result<Interval, Refusal>,
}

/// Correlations averaged over strata.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Within {
    /// Mean weighted by runs.
    pub r: f64,
    /// Runs in the strata that have a correlation.
    pub n: usize,
    /// Those strata.
    pub strata: usize,
    /// Two-sided p: within a stratum the permutation variance is 1 / (n - 1) whatever the ties, and the mean is taken as normal.
    pub p_value: f64,
    /// Interval by Fisher's z with the sum of n - 3 over strata, its ends cleared of the bias of small strata; from 8 runs on.
    pub ends: Result<Ends, Refusal>,
}

/// Strata and their mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Strata {
    /// One a group, in the order of the groups' numbers.
    pub strata: Vec<(usize, Stratum)>,
    /// Their mean; refused with one stratum, or where none has a correlation.
    pub within: Result<Within, Refusal>,
}

/// Spearman's correlation of `x` and `y` within each of `groups`.
///
/// Small strata underrate a strong correlation: of normal runs with rho = .95, r is .90 on average in strata of 8, and a mean over many such
/// strata is sure of the wrong number. So the ends of its interval are read as expected values of such a mean, and the rho that has them is
/// given ([`Expected`]). `tests/calibration` has the coverage.
///
/// # Errors
/// Unequal lengths, non-finite values.
pub fn strata(x: &[f64], y: &[f64], groups: &[usize]) -> Result<Strata, Refusal> {
    check_column("score", y, y.len())?;
    check_column("metric", x, y.len())?;
    if groups.len() != y.len() {
        return Err(Refusal::Lengths { name: "groups".to_owned(), found: groups.len(), wanted: y.len() });
    }
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let of = |group: usize| {
        let pick = |values: &[f64]| -> Vec<f64> {
            values.iter().zip(groups).filter(|(_, of)| **of == group).map(|(value, _)| *value).collect()
        };
        let (x, y) = (pick(x), pick(y));
        let n = x.len();
        let enough = check_size("a correlation within one stratum", n, SMALLEST_N_FOR_FIT);
        let spearman = enough.and_then(|()| spearman(&x, &y));
        let ends = spearman_interval(&x, &y, &mut generator(0, "needs no random numbers"));
        (group, Stratum { n, spearman, ends })
    };
    let strata: Vec<(usize, Stratum)> = distinct.into_iter().map(of).collect();
    let within = match strata.len() {
        0 | 1 => Err(Refusal::Constant { name: "stratum".to_owned() }),
        _ => within(strata.iter().map(|(_, stratum)| stratum)),
    };
    Ok(Strata { strata, within })
}

fn within<'a>(strata: impl Iterator<Item = &'a Stratum>) -> Result<Within, Refusal> {
    let known: Vec<(f64, f64)> =
        strata.filter_map(|stratum| Some((*stratum.spearman.as_ref().ok()?, stratum.n as f64))).collect();
    if known.is_empty() {
        return Err(Refusal::NoValues { what: "no stratum has 4 runs in which metric and score vary".to_owned() });
    }
    let n: f64 = known.iter().map(|(_, n)| n).sum();
    let r = known.iter().map(|(r, runs)| r * runs).sum::<f64>() / n;
    let spread = known.iter().map(|(_, runs)| (runs / n).powi(2) / (runs - 1.0)).sum::<f64>().sqrt();
    let normal = Normal::new(0.0, 1.0).map_err(|error| Refusal::Solver { message: error.to_string() })?;
    let weight: f64 = known.iter().map(|(_, runs)| runs - 3.0).sum();
    let wide_enough = check_size("an interval", n as usize, SMALLEST_N_FOR_INTERVALS);
    Ok(Within {
        r,
        n: n as usize,
        strata: known.len(),
        p_value: (2.0 * normal.sf((r / spread).abs())).min(1.0),
        ends: wide_enough
            .and_then(|()| fisher_of(r, weight, Correlated::Ranks))
            .map(|ends| Expected { strata: known.iter().map(|(_, runs)| *runs).collect() }.clear(ends)),
    })
}

/// What the mean of Spearman's r over strata of normal runs is on average.
pub(crate) struct Expected {
    /// Runs of each.
    strata: Vec<f64>,
}

impl Expected {
    /// One stratum.
    pub(crate) fn of_one(runs: usize) -> Self {
        Self { strata: vec![runs as f64] }
    }

    /// The ends of an interval of the expected mean, as ends of the rho of very many runs.
    pub(crate) fn clear(&self, ends: Ends) -> Ends {
        let [low90, high90, low95, high95] = [ends.low90, ends.high90, ends.low95, ends.high95].map(|end| self.rho_of(end));
        Ends { low90, high90, low95, high95 }
    }

    /// Moran (1948), "Rank correlation and product-moment correlation", Biometrika 35: of n normal runs with Pearson's `r`.
    fn mean(&self, r: f64) -> f64 {
        let of = |n: f64| 6.0 / (std::f64::consts::PI * (n + 1.0)) * (r.asin() + (n - 2.0) * (r / 2.0).asin());
        let runs: f64 = self.strata.iter().sum();
        self.strata.iter().map(|n| n / runs * of(*n)).sum()
    }

    /// Spearman's rho of very many runs where the mean over strata is `mean`.
    fn rho_of(&self, mean: f64) -> f64 {
        let (mut low, mut high) = (-1.0f64, 1.0f64);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if self.mean(middle) < mean { low = middle } else { high = middle }
        }
        6.0 / std::f64::consts::PI * ((low + high) / 4.0).asin()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::Rng;

    use super::*;

    #[test]
    fn what_differs_between_strata_does_not_count() {
        // Between sizes metric and score rise together; within each they fall.
        let x = [1.0, 2.0, 3.0, 4.0, 11.0, 12.0, 13.0, 14.0, 21.0, 22.0];
        let y = [4.0, 3.0, 2.0, 1.0, 14.0, 13.0, 12.0, 11.0, 30.0, 29.0];
        let found = strata(&x, &y, &[7, 7, 7, 7, 8, 8, 8, 8, 9, 9]).unwrap();
        assert_eq!((found.strata[0].0, found.strata[0].1.n, &found.strata[0].1.spearman), (7, 4, &Ok(-1.0)));
        assert!(matches!(found.strata[0].1.ends, Err(Refusal::TooFew { n: 4, needed: 8, .. })));
        assert!(matches!(found.strata[2].1.spearman, Err(Refusal::TooFew { n: 2, needed: 4, .. })));
        let within = found.within.unwrap();
        assert_eq!((within.r, within.n, within.strata), (-1.0, 8, 2));
        // Two strata of variance 1/3 and weight 1/2: z = sqrt(6), p = .0143.
        assert!((within.p_value - 0.014_305_878_435_429_641).abs() < 1e-9, "{}", within.p_value);
        assert_eq!(within.ends, Err(Refusal::PerfectFit));
    }

    #[test]
    fn small_strata_underrate_a_strong_correlation() {
        // 20,000 strata of 8 normal runs with Spearman's rho = .95 of very many runs.
        let r = 2.0 * (std::f64::consts::PI * 0.95 / 6.0).sin();
        let mut rng = generator(3, "small strata");
        let mut normal =
            || (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * (std::f64::consts::TAU * rng.random::<f64>()).cos();
        let mut one = || {
            let x: Vec<f64> = (0..8).map(|_| normal()).collect();
            let y: Vec<f64> = x.iter().map(|x| r * x + (1.0 - r * r).sqrt() * normal()).collect();
            crate::spearman(&x, &y).unwrap()
        };
        let simulated = (0..20_000).map(|_| one()).sum::<f64>() / 20_000.0;
        let expected = Expected { strata: vec![8.0, 8.0] };
        assert!((expected.mean(r) - simulated).abs() < 0.003, "{} {simulated}", expected.mean(r));
        for rho in [-1.0, -0.5, 0.0, 0.3, 0.95, 1.0] {
            let r = 2.0 * (std::f64::consts::PI * rho / 6.0).sin();
            assert!((expected.rho_of(expected.mean(r)) - rho).abs() < 1e-9, "{rho}");
        }
    }

    #[test]
    fn refusals_are_typed() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0];
        let constant = |name: &str| Refusal::Constant { name: name.to_owned() };
        assert_eq!(strata(&x, &x, &[1; 5]).unwrap().within, Err(constant("stratum")));
        let two_of_a_size = strata(&x[..4], &x[..4], &[1, 1, 2, 2]).unwrap();
        assert!(matches!(two_of_a_size.within, Err(Refusal::NoValues { .. })));
        let tied = strata(&[1.0, 1.0, 1.0, 1.0, 2.0], &x, &[1, 1, 1, 1, 2]).unwrap();
        assert_eq!(tied.strata[0].1.spearman, Err(constant("metric")));
        assert!(strata(&[f64::NAN; 5], &x, &[1; 5]).is_err() && strata(&x, &x, &[1]).is_err());
        assert_eq!(strata(&[], &[], &[]).unwrap().within, Err(constant("stratum")));
    }

    #[test]
    fn size_under_the_null() {
        let mut rng = generator(4, "strata");
        let groups: Vec<usize> = (0..32).map(|run| run % 4).collect();
        let rejected = (0..1_000).filter(|_| {
            let mut draw = || (0..32).map(|_| rng.random::<f64>()).collect::<Vec<f64>>();
            let (x, y) = (draw(), draw());
            strata(&x, &y, &groups).unwrap().within.unwrap().p_value <= 0.05
        });
        let share = rejected.count() as f64 / 1_000.0;
        assert!((0.022..=0.078).contains(&share), "5 % and 4 standard errors: {share}");
    }
}
