//! Small numerical helpers.

/// Arithmetic mean; NaN for an empty slice.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sum of squared deviations from the mean.
pub fn sum_of_squares(values: &[f64]) -> f64 {
    let centre = mean(values);
    values.iter().map(|value| (value - centre).powi(2)).sum()
}

/// Sample standard deviation (divisor n - 1).
pub fn sample_sd(values: &[f64]) -> f64 {
    (sum_of_squares(values) / (values.len() as f64 - 1.0)).sqrt()
}

/// Whether all values are equal up to rounding (range at most 1e-12 of the largest magnitude).
pub fn is_constant(values: &[f64]) -> bool {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.len() < 2 || high - low <= 1e-12 * low.abs().max(high.abs())
}

/// Quantile of sorted values by linear interpolation (Hyndman and Fan 1996, type 7; numpy's default).
/// `level` is clamped to 0..=1; NaN for an empty slice.
pub fn quantile_of_sorted(sorted: &[f64], level: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let position = level.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let share = position - below as f64;
    sorted[below] + share * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile_of_sorted(&sorted, 0.0), 1.0);
        assert_eq!(quantile_of_sorted(&sorted, 0.5), 3.0);
        assert_eq!(quantile_of_sorted(&sorted, 1.0), 8.0);
        assert_eq!(quantile_of_sorted(&sorted, 2.0), 8.0);
        assert!(quantile_of_sorted(&[], 0.5).is_nan());
    }

    #[test]
    fn constant_up_to_rounding() {
        assert!(is_constant(&[0.3, 0.1 + 0.2]));
        assert!(is_constant(&[0.0, 0.0, -0.0]));
        assert!(!is_constant(&[1.0, 1.0 + 1e-9]));
    }
}
