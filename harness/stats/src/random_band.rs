//! What a predictor without any information reaches with n runs.

use rand::{Rng, seq::SliceRandom};
use serde::{Deserialize, Serialize};

use crate::{correlation::spearman_if_defined, numeric::quantile_of_sorted};

/// Draws behind a band.
pub const RANDOM_PREDICTORS: usize = 1_000;

/// How far |Spearman| of a random predictor reaches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RandomBand {
    /// Runs.
    pub n: usize,
    /// 90th percentile of |Spearman| over 1,000 random predictors.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// The band for n runs without ties; none below 4 runs.
pub fn random_band(n: usize, rng: &mut impl Rng) -> Option<RandomBand> {
    if n < 4 {
        return None;
    }
    let score: Vec<f64> = (0..n).map(|index| index as f64).collect();
    let mut metric = score.clone();
    let mut reached: Vec<f64> = (0..RANDOM_PREDICTORS)
        .filter_map(|_| {
            metric.shuffle(rng);
            spearman_if_defined(&metric, &score).map(f64::abs)
        })
        .collect();
    reached.sort_by(f64::total_cmp);
    Some(RandomBand { n, p90: quantile_of_sorted(&reached, 0.90), p95: quantile_of_sorted(&reached, 0.95) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::seed::generator;

    #[test]
    fn near_the_tabulated_critical_values() {
        // Two-sided critical values of Spearman's rho (Ramsey 1989): n = 8: .643 (10 %), .738 (5 %); n = 20: .380, .447.
        for (n, p90, p95) in [(8, 0.643, 0.738), (20, 0.380, 0.447)] {
            let band = random_band(n, &mut generator(4, "band")).unwrap();
            assert!((band.p90 - p90).abs() < 0.05 && (band.p95 - p95).abs() < 0.05, "{band:?}");
        }
        assert_eq!(random_band(3, &mut generator(4, "band")), None);
    }
}
