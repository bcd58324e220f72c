//! Leave-one-out prediction: Q2 over whole groups (runs), by refitting or, in resampling, in closed form.
//!
//! Q2 = 1 - PRESS / SS, PRESS the squared errors of predictions made without the predicted run, SS the squared
//! deviations from the mean of all runs (scikit-learn's `r2_score` of `cross_val_predict`). It can be negative.

use crate::{
    numeric::{is_constant, sum_of_squares},
    ols::{Column, check_design, solve},
    orthogonal::{dot, orthonormalise, weighted_mean},
    refusal::{Refusal, check_column, check_size},
};

/// A run whose copies hold more than this of their own prediction cannot be predicted without them.
pub(crate) const LARGEST_LEVERAGE: f64 = 1.0 - 1e-9;

/// Predictions of `y` from an intercept and `columns`, leaving out all rows of one group at a time; every fold is refitted by
/// linfa. `columns` may be empty (the mean of the other groups predicts).
///
/// # Errors
/// Fewer than 3 groups; unequal lengths, non-finite values, a constant score, a collinear design; [`Refusal::Fold`]
/// where the design without one group cannot be fitted.
pub fn predictions_by_groups(columns: &[Column<'_>], y: &[f64], groups: &[usize]) -> Result<Vec<f64>, Refusal> {
    let n = y.len();
    if groups.len() != n {
        return Err(Refusal::Lengths { name: "groups".to_owned(), found: groups.len(), wanted: n });
    }
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    check_size("leave-one-run-out", distinct.len(), 3)?;
    check_design(columns, y, &vec![1.0; n])?;
    if is_constant(y) {
        return Err(Refusal::Constant { name: "score".to_owned() });
    }
    let mut predictions = vec![f64::NAN; n];
    for &left_out in &distinct {
        let kept = |values: &[f64]| -> Vec<f64> {
            values.iter().zip(groups).filter(|(_, group)| **group != left_out).map(|(value, _)| *value).collect()
        };
        let parts: Vec<Vec<f64>> = columns.iter().map(|column| kept(column.values)).collect();
        let fold: Vec<Column<'_>> =
            columns.iter().zip(&parts).map(|(column, values)| Column { name: column.name, values }).collect();
        let target = kept(y);
        if target.len() <= columns.len() {
            let (n, needed) = (target.len(), columns.len() + 1);
            return Err(Refusal::TooFew { what: "a leave-one-run-out fold".to_owned(), n, needed });
        }
        let names: Vec<&str> = fold.iter().map(|column| column.name).collect();
        let values: Vec<&[f64]> = fold.iter().map(|column| column.values).collect();
        orthonormalise(&names, &values, &vec![1.0; target.len()])
            .map_err(|refusal| Refusal::Fold { reason: refusal.to_string() })?;
        let estimates = solve(&fold, &target)?;
        for row in (0..n).filter(|row| groups[*row] == left_out) {
            let slopes = estimates[1..].iter().zip(columns);
            predictions[row] = estimates[0] + slopes.map(|(slope, column)| slope * column.values[row]).sum::<f64>();
        }
    }
    Ok(predictions)
}

/// Q2 of [`predictions_by_groups`].
///
/// # Errors
/// As [`predictions_by_groups`].
pub fn q2_by_groups(columns: &[Column<'_>], y: &[f64], groups: &[usize]) -> Result<f64, Refusal> {
    let predictions = predictions_by_groups(columns, y, groups)?;
    let press: f64 = y.iter().zip(predictions).map(|(value, predicted)| (value - predicted).powi(2)).sum();
    Ok(1.0 - press / sum_of_squares(y))
}

/// PRESS from residuals and leverages; none where a leverage is 1.
pub(crate) fn press(residuals: &[f64], leverage: &[f64], weights: &[f64]) -> Option<f64> {
    let mut sum = 0.0;
    for ((residual, lever), weight) in residuals.iter().zip(leverage).zip(weights) {
        if *weight == 0.0 {
            continue;
        }
        if *lever > LARGEST_LEVERAGE {
            return None;
        }
        sum += weight * (residual / (1.0 - lever)).powi(2);
    }
    Some(sum)
}

/// Q2 of a design in which run i stands `counts[i]` times and all its copies are left out together, without
/// refitting: the residual of a left-out run is r / (1 - h), h the summed leverage of its copies.
///
/// None where a resample cannot be fitted: a constant or collinear column, a constant score, a run that alone holds
/// up a column. Equal to [`q2_by_groups`] on the written-out resample.
pub fn q2_of_resample(columns: &[&[f64]], y: &[f64], counts: &[f64]) -> Option<f64> {
    let names = vec![""; columns.len()];
    let basis = orthonormalise(&names, columns, counts).ok()?;
    let centre = weighted_mean(y, counts);
    let deviations: Vec<f64> = y.iter().zip(counts).map(|(value, count)| (value - centre) * count.sqrt()).collect();
    let total_ss = dot(&deviations, &deviations);
    let magnitude = y.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    if total_ss.sqrt() <= 1e-12 * magnitude {
        return None;
    }
    let mut rest = deviations;
    for unit in &basis.columns {
        let share = dot(unit, &rest);
        rest.iter_mut().zip(unit).for_each(|(value, unit)| *value -= share * unit);
    }
    let mut sum = 0.0;
    for (row, (&residual, &count)) in rest.iter().zip(counts).enumerate() {
        let lever = basis.leverage(row, count);
        if count > 0.0 && lever > LARGEST_LEVERAGE {
            return None;
        }
        // `residual` already carries the root of the count.
        sum += (residual / (1.0 - lever)).powi(2);
    }
    let q2 = 1.0 - sum / total_ss;
    q2.is_finite().then_some(q2)
}

/// Checks the columns of a leave-one-out comparison once, before resampling.
pub(crate) fn check_all(columns: &[Column<'_>], y: &[f64]) -> Result<(), Refusal> {
    check_column("score", y, y.len())?;
    columns.iter().try_for_each(|column| check_column(column.name, column.values, y.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::Rng;

    use super::*;
    use crate::{ols::ols, seed::generator};

    #[test]
    fn closed_form_equals_refitting_of_whole_groups() {
        let mut rng = generator(1, "closed_form");
        for trial in 0..50 {
            let n = 9 + trial % 4;
            let mut draw = || (0..n).map(|_| rng.random::<f64>()).collect::<Vec<f64>>();
            let (a, b, y) = (draw(), draw(), draw());
            let picked: Vec<usize> = (0..n).map(|_| rng.random_range(0..n)).collect();
            let mut counts = vec![0.0; n];
            picked.iter().for_each(|&index| counts[index] += 1.0);
            let copy = |values: &[f64]| picked.iter().map(|&index| values[index]).collect::<Vec<f64>>();
            let (copy_a, copy_b, copy_y) = (copy(&a), copy(&b), copy(&y));
            let columns = [Column { name: "a", values: &copy_a }, Column { name: "b", values: &copy_b }];
            let fast = q2_of_resample(&[&a, &b], &y, &counts);
            match q2_by_groups(&columns, &copy_y, &picked) {
                Ok(slow) => assert!((fast.unwrap() - slow).abs() < 1e-8 * slow.abs().max(1.0), "trial {trial}"),
                Err(_) => assert!(fast.is_none(), "trial {trial}"),
            }
        }
    }

    #[test]
    fn leverage_form_equals_refitting() {
        let x = [1.0, 2.0, 4.0, 7.0, 9.0, 3.0];
        let y = [2.0, 1.0, 5.0, 6.0, 8.0, 4.5];
        let columns = [Column { name: "x", values: &x }];
        let refitted = q2_by_groups(&columns, &y, &[0, 1, 2, 3, 4, 5]).unwrap();
        assert!((ols(&columns, &y, 0.95).unwrap().q2.unwrap() - refitted).abs() < 1e-12);
    }

    #[test]
    fn mean_alone_predicts_worse_than_nothing() {
        // PRESS of the mean is SS x (n / (n - 1))^2.
        let y = [1.0, 2.0, 4.0, 7.0];
        let q2 = q2_by_groups(&[], &y, &[0, 1, 2, 3]).unwrap();
        assert!((q2 - (1.0 - (4.0f64 / 3.0).powi(2))).abs() < 1e-12);
        assert!((q2_of_resample(&[], &y, &[1.0; 4]).unwrap() - q2).abs() < 1e-12);
    }

    #[test]
    fn a_run_that_alone_holds_up_a_column_is_refused() {
        let x = [0.0, 0.0, 0.0, 0.0, 1.0];
        let y = [1.0, 2.0, 4.0, 7.0, 3.0];
        let columns = [Column { name: "x", values: &x }];
        assert!(matches!(q2_by_groups(&columns, &y, &[0, 1, 2, 3, 4]), Err(Refusal::Fold { .. })));
        assert_eq!(q2_of_resample(&[&x], &y, &[1.0; 5]), None);
        assert_eq!(ols(&columns, &y, 0.95).unwrap().q2, None);
    }
}
