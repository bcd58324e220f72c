//! Correlations of two columns: Pearson, Spearman with average ranks, Kendall's tau-b.

use crate::{
    inference::jackknife_error,
    numeric::{is_constant, mean},
    refusal::{Refusal, check_column, check_size},
};

/// Ranks from 1, ties sharing the mean of their ranks.
pub fn average_ranks(values: &[f64]) -> Vec<f64> {
    doubled_ranks(values).into_iter().map(|rank| rank as f64 / 2.0).collect()
}

/// Twice the average ranks: whole numbers, so that rank statistics can be compared exactly.
pub(crate) fn doubled_ranks(values: &[f64]) -> Vec<i64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&left, &right| values[left].total_cmp(&values[right]));
    let mut ranks = vec![0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        // `==` and not `total_cmp`: -0 and 0 tie.
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        for &index in &order[start..end] {
            ranks[index] = (start + 1 + end) as i64;
        }
        start = end;
    }
    ranks
}

/// Checks two columns before they are correlated.
pub(crate) fn check_pair(x: &[f64], y: &[f64], what: &str, needed: usize) -> Result<(), Refusal> {
    check_column("metric", x, y.len())?;
    check_column("score", y, y.len())?;
    check_size(what, y.len(), needed)?;
    for (name, values) in [("metric", x), ("score", y)] {
        if is_constant(values) {
            return Err(Refusal::Constant { name: name.to_owned() });
        }
    }
    Ok(())
}

/// Pearson's r without any check; NaN where a column is constant.
pub(crate) fn pearson_unchecked(x: &[f64], y: &[f64]) -> f64 {
    let (centre_x, centre_y) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (&a, &b) in x.iter().zip(y) {
        let (a, b) = (a - centre_x, b - centre_y);
        xy += a * b;
        xx += a * a;
        yy += b * b;
    }
    (xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0)
}

/// Pearson's r.
///
/// # Errors
/// Fewer than 3 runs, a constant or non-finite column, unequal lengths.
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64, Refusal> {
    check_pair(x, y, "a correlation", 3)?;
    Ok(pearson_unchecked(x, y))
}

/// Spearman's rho: Pearson's r of the average ranks.
///
/// # Errors
/// As [`pearson`].
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64, Refusal> {
    check_pair(x, y, "a correlation", 3)?;
    spearman_if_defined(x, y).ok_or(Refusal::Constant { name: "metric".to_owned() })
}

/// Spearman's rho of clean columns; none where one of them is constant.
pub(crate) fn spearman_if_defined(x: &[f64], y: &[f64]) -> Option<f64> {
    let (ranks_x, ranks_y) = (doubled_ranks(x), doubled_ranks(y));
    let n = ranks_x.len() as i64;
    // Doubled ranks always sum to n (n + 1), whatever the ties.
    let total = n * (n + 1);
    let product = |a: &[i64], b: &[i64]| n * a.iter().zip(b).map(|(a, b)| a * b).sum::<i64>() - total * total;
    let (xx, yy) = (product(&ranks_x, &ranks_x), product(&ranks_y, &ranks_y));
    if xx == 0 || yy == 0 {
        return None;
    }
    // Without the branch, perfect agreement would miss 1 by rounding.
    let scale = if xx == yy { xx as f64 } else { (xx as f64).sqrt() * (yy as f64).sqrt() };
    let rho = product(&ranks_x, &ranks_y) as f64 / scale;
    Some(rho.clamp(-1.0, 1.0))
}

/// Kendall's tau-b (Kendall 1945), which corrects for ties in either column.
///
/// # Errors
/// As [`pearson`].
pub fn kendall_tau_b(x: &[f64], y: &[f64]) -> Result<f64, Refusal> {
    check_pair(x, y, "a correlation", 3)?;
    let (mut balance, mut untied_x, mut untied_y) = (0i64, 0i64, 0i64);
    for left in 0..x.len() {
        for right in 0..left {
            let sign_x = sign(x[left] - x[right]);
            let sign_y = sign(y[left] - y[right]);
            balance += sign_x * sign_y;
            untied_x += sign_x.abs();
            untied_y += sign_y.abs();
        }
    }
    Ok(balance as f64 / ((untied_x as f64).sqrt() * (untied_y as f64).sqrt()))
}

/// Jackknife standard error of [`kendall_tau_b`] over runs; none where it does not exist without one of them.
pub fn kendall_error(x: &[f64], y: &[f64]) -> Option<f64> {
    let without = |values: &[f64], left_out: usize| -> Vec<f64> {
        values.iter().enumerate().filter(|(run, _)| *run != left_out).map(|(_, value)| *value).collect()
    };
    let values: Option<Vec<f64>> =
        (0..x.len()).map(|left_out| kendall_tau_b(&without(x, left_out), &without(y, left_out)).ok()).collect();
    values.map(|values| jackknife_error(&values))
}

fn sign(difference: f64) -> i64 {
    if difference > 0.0 {
        1
    } else if difference < 0.0 {
        -1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ranks_share_ties() {
        assert_eq!(average_ranks(&[10.0, 20.0, 10.0, 5.0]), [2.5, 4.0, 2.5, 1.0]);
        assert_eq!(average_ranks(&[-0.0, 0.0]), [1.5, 1.5]);
        assert!(average_ranks(&[]).is_empty());
    }

    #[test]
    fn monotone_is_one_exactly() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let y = x.map(|v: f64| v.exp());
        assert_eq!(spearman(&x, &y).unwrap(), 1.0);
        assert_eq!(spearman(&x, &y.map(|v| -v)).unwrap(), -1.0);
    }

    #[test]
    fn refusals_are_typed() {
        let y = [1.0, 2.0, 3.0];
        assert_eq!(pearson(&[1.0; 3], &y), Err(Refusal::Constant { name: "metric".into() }));
        assert_eq!(spearman(&y, &[2.0; 3]), Err(Refusal::Constant { name: "score".into() }));
        assert!(matches!(kendall_tau_b(&[1.0, 2.0], &[1.0, 2.0]), Err(Refusal::TooFew { n: 2, needed: 3, .. })));
        assert_eq!(pearson(&[1.0, f64::NAN, 2.0], &y), Err(Refusal::NonFinite { name: "metric".into(), index: 1 }));
        assert_eq!(pearson(&[1.0], &y), Err(Refusal::Lengths { name: "metric".into(), found: 1, wanted: 3 }));
    }
}
