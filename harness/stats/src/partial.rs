//! What a column says beyond the others: partial R2 and partial correlations.

use serde::Serialize;

use crate::{
    correlation::average_ranks,
    inference::{Correlated, Ends, fisher, student},
    numeric::is_constant,
    ols::{Column, Ols},
    orthogonal::{dot, orthonormalise},
    refusal::{Refusal, check_column, check_size},
    strata::Expected,
};

/// Partial R2 of every column of a fit: (SSE without it - SSE) / SSE without it, in the order of the columns.
///
/// For one column that is t^2 / (t^2 + df); 1 for a perfect fit.
pub fn partial_r2(fit: &Ols) -> Vec<f64> {
    let of = |t: f64| if t.is_infinite() { 1.0 } else { t * t / (t * t + fit.df as f64) };
    fit.coefficients.iter().skip(1).map(|coefficient| of(coefficient.t)).collect()
}

/// A correlation with covariates held fixed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartialCorrelation {
    /// Correlation of what the covariates leave of both columns.
    pub r: f64,
    /// Degrees of freedom: n - 2 - covariates.
    pub df: usize,
    /// Two-sided p of r sqrt(df / (1 - r^2)) under Student's t; of the term in the multiple regression too.
    pub p_value: f64,
    /// Interval by Fisher's z; refused with fewer than 8 runs beside the covariates, and for a perfect correlation.
    pub ends: Result<Ends, Refusal>,
}

/// Pearson's correlation of `x` and `y` given `covariates`.
///
/// # Errors
/// Fewer than covariates + 3 runs; a constant, non-finite, unequally long or collinear column.
pub fn partial_correlation(x: Column<'_>, y: &[f64], covariates: &[Column<'_>]) -> Result<PartialCorrelation, Refusal> {
    partial(x, y, covariates, Correlated::Values)
}

/// Spearman's correlation of `x` and `y` given `covariates`: [`partial_correlation`] of the average ranks of all columns.
///
/// # Errors
/// As [`partial_correlation`].
pub fn partial_spearman(x: Column<'_>, y: &[f64], covariates: &[Column<'_>]) -> Result<PartialCorrelation, Refusal> {
    check(x, y, covariates)?;
    let ranks: Vec<Vec<f64>> = covariates.iter().map(|column| average_ranks(column.values)).collect();
    let ranked: Vec<Column<'_>> =
        covariates.iter().zip(&ranks).map(|(column, values)| Column { name: column.name, values }).collect();
    let (ranks_x, ranks_y) = (average_ranks(x.values), average_ranks(y));
    partial(Column { name: x.name, values: &ranks_x }, &ranks_y, &ranked, Correlated::Ranks)
}

fn check(x: Column<'_>, y: &[f64], covariates: &[Column<'_>]) -> Result<(), Refusal> {
    let n = y.len();
    let score = Column { name: "score", values: y };
    for column in covariates.iter().chain([&x, &score]) {
        check_column(column.name, column.values, n)?;
    }
    check_size("a partial correlation", n, covariates.len() + 3)?;
    match covariates.iter().chain([&x, &score]).find(|column| is_constant(column.values)) {
        Some(column) => Err(Refusal::Constant { name: column.name.to_owned() }),
        None => Ok(()),
    }
}

fn partial(x: Column<'_>, y: &[f64], covariates: &[Column<'_>], of: Correlated) -> Result<PartialCorrelation, Refusal> {
    check(x, y, covariates)?;
    let n = y.len();
    // The last orthonormal column is the direction of what the covariates leave.
    let rest = |last: Column<'_>| -> Result<Vec<f64>, Refusal> {
        let all: Vec<Column<'_>> = covariates.iter().copied().chain([last]).collect();
        let names: Vec<&str> = all.iter().map(|column| column.name).collect();
        let values: Vec<&[f64]> = all.iter().map(|column| column.values).collect();
        let mut basis = orthonormalise(&names, &values, &vec![1.0; n])?;
        basis.columns.pop().ok_or(Refusal::Constant { name: last.name.to_owned() })
    };
    let (left, right) = (rest(x)?, rest(Column { name: "score", values: y })?);
    let r = dot(&left, &right).clamp(-1.0, 1.0);
    let df = n - 2 - covariates.len();
    let tested = student(r, ((1.0 - r * r) / df as f64).sqrt(), df)?;
    let ends = fisher(r, n, covariates.len(), of);
    // Few runs underrate a strong correlation of ranks, each covariate as if there were one run less.
    let ends = match of {
        Correlated::Values => ends,
        Correlated::Ranks => ends.map(|ends| Expected::of_one(n - covariates.len()).clear(ends)),
    };
    Ok(PartialCorrelation { r, df, p_value: tested.p_value, ends })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::correlation::{pearson, spearman};

    const SIZE: [f64; 8] = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0];
    const METRIC: [f64; 8] = [1.0, 3.0, 2.0, 5.0, 4.0, 7.0, 8.0, 6.0];
    const SCORE: [f64; 8] = [2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 8.0, 7.0];

    fn column<'a>(name: &'a str, values: &'a [f64]) -> Column<'a> {
        Column { name, values }
    }

    #[test]
    fn without_covariates_it_is_the_plain_correlation() {
        let plain = partial_correlation(column("metric", &METRIC), &SCORE, &[]).unwrap();
        assert!((plain.r - pearson(&METRIC, &SCORE).unwrap()).abs() < 1e-12);
        let ranks = partial_spearman(column("metric", &METRIC), &SCORE, &[]).unwrap();
        assert!((ranks.r - spearman(&METRIC, &SCORE).unwrap()).abs() < 1e-12 && ranks.df == 6);
    }

    #[test]
    fn refusals_are_typed() {
        let size = column("size", &SIZE);
        let twice = SIZE.map(|value| 2.0 * value + 1.0);
        let of = |x: &[f64], y: &[f64], given: &[Column<'_>]| partial_spearman(column("metric", x), y, given).unwrap_err();
        assert_eq!(of(&twice, &SCORE, &[size]), Refusal::RankDeficient { name: "metric".into() });
        assert_eq!(of(&METRIC, &twice, &[size]), Refusal::RankDeficient { name: "score".into() });
        assert_eq!(of(&METRIC, &SCORE, &[size, column("twice", &twice)]), Refusal::RankDeficient { name: "twice".into() });
        assert_eq!(of(&METRIC, &SCORE, &[column("size", &[3.0; 8])]), Refusal::Constant { name: "size".into() });
        let broken = [1.0, f64::NAN, 2.0, 5.0, 4.0, 7.0, 8.0, 6.0];
        assert_eq!(of(&broken, &SCORE, &[size]), Refusal::NonFinite { name: "metric".into(), index: 1 });
        let short = column("size", &SIZE[..3]);
        assert!(matches!(of(&METRIC[..3], &SCORE[..3], &[short]), Refusal::TooFew { n: 3, needed: 4, .. }));
        // Eight runs and a covariate: a value and no interval.
        let ends = partial_spearman(column("metric", &METRIC), &SCORE, &[size]).unwrap().ends;
        assert!(matches!(ends, Err(Refusal::TooFew { n: 8, needed: 9, .. })));
    }
}
