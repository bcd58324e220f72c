//! What a design of n runs can see, before compute is spent.
//!
//! Spearman's rho under Fisher's z with the variance 1.06 / (n - 3) of Fieller, Hartley and Pearson (1957):
//! detectable z = (z_.975 + z_.80) sqrt(1.06 / (n - 3)). It gives .93 at 6 runs, .74 at 12, .56 at 24.

/// Two-sided 5 %: normal quantile at 0.975.
const Z_TWO_SIDED_5_PERCENT: f64 = 1.959_963_984_540_054;
/// 80 % power: normal quantile at 0.80.
const Z_POWER_80_PERCENT: f64 = 0.841_621_233_572_914_4;
/// Variance of z of Spearman's rho, times n - 3.
const FIELLER: f64 = 1.06;

/// Smallest |Spearman| that n runs detect with 80 % power at two-sided 5 %; none below 4 runs.
pub fn minimum_detectable_r(n: usize) -> Option<f64> {
    (n >= 4).then(|| ((Z_TWO_SIDED_5_PERCENT + Z_POWER_80_PERCENT) * (FIELLER / (n as f64 - 3.0)).sqrt()).tanh())
}

/// Fewest runs that detect `effect` (an |Spearman|) with 80 % power at two-sided 5 %; at least 8, below which no verdict
/// is given. None unless 0 < `effect` < 1.
pub fn runs_needed(effect: f64) -> Option<usize> {
    if !(effect > 0.0 && effect < 1.0) {
        return None;
    }
    let z = (Z_TWO_SIDED_5_PERCENT + Z_POWER_80_PERCENT) / effect.atanh();
    let runs = (3.0 + FIELLER * z * z).ceil();
    (runs < 1e15).then(|| (runs as usize).max(crate::verdict::SMALLEST_N_FOR_VERDICT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_three_documented_values() {
        for (n, documented) in [(6, 0.93), (12, 0.74), (24, 0.56)] {
            let rounded = (minimum_detectable_r(n).unwrap() * 100.0).round() / 100.0;
            assert_eq!(rounded, documented, "n = {n}");
        }
        assert_eq!(minimum_detectable_r(3), None);
    }

    #[test]
    fn inverse_of_each_other() {
        assert_eq!(runs_needed(0.5), Some(31));
        for effect in [0.2, 0.35, 0.5, 0.6] {
            let n = runs_needed(effect).unwrap();
            assert!(minimum_detectable_r(n).unwrap() <= effect);
            assert!(minimum_detectable_r(n - 1).unwrap() > effect);
        }
        assert_eq!(runs_needed(0.99), Some(8));
        assert_eq!((runs_needed(0.0), runs_needed(1.0), runs_needed(f64::NAN)), (None, None, None));
    }
}
