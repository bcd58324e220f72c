//! How well an elastic net over many metrics predicts an unseen group of runs: nested cross-validation.
//!
//! The outer loop leaves out one group at a time (the seeds of one configuration are one group, else a run would be predicted by its twin). The penalty is
//! chosen inside what is left, by folds of whole groups, so the left-out runs have no say in it (Varma and Simon 2006). Columns are standardised in
//! every training part anew.

use serde::{Deserialize, Serialize};

use crate::{
    elastic_net::{ElasticNet, Penalty, check, elastic_net, fit},
    ols::Column,
    predicted::{PredictedQ2, q2_of_predictions},
    refusal::{Refusal, check_size},
};

/// No elastic net is judged with fewer runs.
pub const SMALLEST_N_FOR_ELASTIC_NET: usize = 40;

/// What is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Strengths, from the strongest; of equal errors the first is kept.
    pub strengths: Vec<f64>,
    /// Shares of absolute values.
    pub l1_ratios: Vec<f64>,
    /// Folds in which a penalty is chosen.
    pub inner_folds: usize,
    /// Tolerance of each fit.
    pub tolerance: f64,
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            strengths: vec![1.0, 0.3, 0.1, 0.03, 0.01, 0.003],
            l1_ratios: vec![1.0, 0.5, 0.1],
            inner_folds: 5,
            tolerance: 1e-7,
        }
    }
}

/// One turn of the outer loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The group that was left out.
    pub group: usize,
    /// What was chosen without it.
    pub penalty: Penalty,
    /// Columns with a coefficient other than 0.
    pub chosen: Vec<bool>,
}

/// An elastic net judged by nested cross-validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nested {
    /// Q2 of the out-of-fold predictions.
    pub q2: PredictedQ2,
    /// Prediction of each run, made without its group.
    pub predictions: Vec<f64>,
    /// Turns of the outer loop, one a group.
    pub turns: Vec<Turn>,
    /// Share of the turns in which each column had a coefficient.
    pub chosen_share: Vec<f64>,
    /// Penalties set aside in some inner loop because a fit did not converge.
    pub set_aside: usize,
    /// What is chosen with all runs.
    pub penalty: Penalty,
    /// The fit of all runs under it.
    pub fitted: ElasticNet,
}

/// Judges an elastic net of `y` on `columns`, leaving out one of `groups` at a time.
///
/// # Errors
/// Fewer than 40 runs; fewer groups than inner folds and one; everything that [`elastic_net`] refuses.
pub fn nested_elastic_net(columns: &[Column<'_>], y: &[f64], groups: &[usize], grid: &Grid) -> Result<Nested, Refusal> {
    check_size("an elastic net", y.len(), SMALLEST_N_FOR_ELASTIC_NET)?;
    check(columns, y)?;
    if groups.len() != y.len() {
        return Err(Refusal::Lengths { name: "groups".to_owned(), found: groups.len(), wanted: y.len() });
    }
    let distinct = in_order(groups.iter().copied());
    if grid.inner_folds < 2 || grid.strengths.is_empty() || grid.l1_ratios.is_empty() {
        return Err(Refusal::Parameter { what: "a grid needs a strength, an l1_ratio and two inner folds".to_owned() });
    }
    let needed = grid.inner_folds + 1;
    if distinct.len() < needed {
        let what = format!("nested cross-validation needs {needed} configurations and has {}", distinct.len());
        return Err(Refusal::NoValues { what });
    }
    let all: Vec<usize> = (0..y.len()).collect();
    let mut predictions = vec![f64::NAN; y.len()];
    let mut turns = Vec::with_capacity(distinct.len());
    let mut set_aside = 0;
    for &group in &distinct {
        let kept: Vec<usize> = all.iter().copied().filter(|&row| groups[row] != group).collect();
        let (penalty, lost) = choose(columns, y, groups, &kept, grid)?;
        set_aside = set_aside.max(lost);
        let fitted = fit_rows(columns, y, &kept, penalty, grid.tolerance)?;
        for row in all.iter().copied().filter(|&row| groups[row] == group) {
            predictions[row] = predict(&fitted, columns, row);
        }
        let chosen = fitted.standardised.iter().map(|weight| *weight != 0.0).collect();
        turns.push(Turn { group, penalty, chosen });
    }
    let share = |column: usize| turns.iter().filter(|turn| turn.chosen[column]).count() as f64 / turns.len() as f64;
    let chosen_share = (0..columns.len()).map(share).collect();
    let (penalty, lost) = choose(columns, y, groups, &all, grid)?;
    Ok(Nested {
        q2: q2_of_predictions(y, &predictions, groups)?,
        predictions,
        turns,
        chosen_share,
        set_aside: set_aside.max(lost),
        penalty,
        fitted: elastic_net(columns, y, penalty, grid.tolerance)?,
    })
}

/// The penalty with the least squared error over the inner folds, and how many were set aside because a fit did not converge. The k-th group in order of appearance is in fold k modulo their number.
fn choose(columns: &[Column<'_>], y: &[f64], groups: &[usize], rows: &[usize], grid: &Grid) -> Result<(Penalty, usize), Refusal> {
    let distinct = in_order(rows.iter().map(|&row| groups[row]));
    let fold = |row: usize| distinct.iter().position(|&group| group == groups[row]).map(|place| place % grid.inner_folds);
    let folds: Vec<Option<usize>> = rows.iter().map(|&row| fold(row)).collect();
    let part = |number: usize, held_out: bool| -> Vec<usize> {
        rows.iter().zip(&folds).filter(|(_, fold)| (**fold == Some(number)) == held_out).map(|(row, _)| *row).collect()
    };
    let parts: Vec<(Vec<usize>, Vec<usize>)> =
        (0..grid.inner_folds).map(|number| (part(number, false), part(number, true))).collect();
    let mut best: Option<(f64, Penalty)> = None;
    let mut lost = None;
    let mut set_aside = 0;
    for &strength in &grid.strengths {
        for &l1_ratio in &grid.l1_ratios {
            let penalty = Penalty { strength, l1_ratio };
            let error = parts.iter().try_fold(0.0, |error, (kept, held_out)| {
                let fitted = fit_rows(columns, y, kept, penalty, grid.tolerance)?;
                let squares = held_out.iter().map(|&row| (y[row] - predict(&fitted, columns, row)).powi(2));
                Ok(error + squares.sum::<f64>())
            });
            match error {
                Ok(error) if best.is_none_or(|(least, _)| error < least) => best = Some((error, penalty)),
                Ok(_) => {}
                Err(refusal @ Refusal::NotConverged { .. }) => {
                    set_aside += 1;
                    lost = Some(refusal);
                }
                Err(refusal) => return Err(refusal),
            }
        }
    }
    let none = || lost.unwrap_or_else(|| Refusal::Parameter { what: "an empty grid of penalties".to_owned() });
    best.map(|(_, penalty)| (penalty, set_aside)).ok_or_else(none)
}

fn fit_rows(columns: &[Column<'_>], y: &[f64], rows: &[usize], penalty: Penalty, tolerance: f64) -> Result<ElasticNet, Refusal> {
    let kept = |values: &[f64]| -> Vec<f64> { rows.iter().map(|&row| values[row]).collect() };
    let parts: Vec<Vec<f64>> = columns.iter().map(|column| kept(column.values)).collect();
    let fold: Vec<Column<'_>> = columns.iter().zip(&parts).map(|(column, values)| Column { name: column.name, values }).collect();
    fit(&fold, &kept(y), penalty, tolerance)
}

fn predict(fitted: &ElasticNet, columns: &[Column<'_>], row: usize) -> f64 {
    fitted.predict(columns.iter().map(|column| column.values[row]))
}

/// Distinct groups in order of appearance.
fn in_order(groups: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut seen = Vec::new();
    for group in groups {
        if !seen.contains(&group) {
            seen.push(group);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::Rng;

    use super::*;
    use crate::seed::generator;

    fn runs(n: usize) -> Vec<Vec<f64>> {
        let mut rng = generator(9, "nested");
        (0..5).map(|_| (0..n).map(|_| rng.random::<f64>()).collect()).collect()
    }

    #[test]
    fn it_finds_the_column_that_counts() {
        let drawn = runs(40);
        let y: Vec<f64> = (0..40).map(|i| 2.0 * drawn[1][i] + 0.2 * drawn[4][i]).collect();
        let columns: Vec<Column<'_>> = drawn[..3].iter().map(|values| Column { name: "x", values }).collect();
        let groups: Vec<usize> = (0..40).map(|run| run / 2).collect();
        let found = nested_elastic_net(&columns, &y, &groups, &Grid::default()).unwrap();
        assert!(found.q2.q2 > 0.9 && found.q2.std_error > 0.0, "{:?}", found.q2);
        assert_eq!((found.chosen_share[1], found.turns.len()), (1.0, 20));
        assert!(found.fitted.standardised[1].abs() > 5.0 * found.fitted.standardised[0].abs());
    }

    #[test]
    fn nothing_to_find_is_no_better_than_the_mean() {
        let drawn = runs(40);
        let columns: Vec<Column<'_>> = drawn[..4].iter().map(|values| Column { name: "x", values }).collect();
        let groups: Vec<usize> = (0..40).collect();
        let found = nested_elastic_net(&columns, &drawn[4], &groups, &Grid::default()).unwrap();
        assert!(found.q2.q2 < 0.2, "{:?}", found.q2);
    }

    #[test]
    fn refusals_are_typed() {
        let drawn = runs(40);
        let columns = [Column { name: "a", values: &drawn[0] }];
        let few = [Column { name: "a", values: &drawn[0][..39] }];
        let grid = Grid::default();
        let groups: Vec<usize> = (0..40).collect();
        let refused = nested_elastic_net(&few, &drawn[1][..39], &groups[..39], &grid);
        assert!(matches!(refused, Err(Refusal::TooFew { n: 39, needed: 40, .. })));
        let five: Vec<usize> = (0..40).map(|run| run % 5).collect();
        assert!(matches!(nested_elastic_net(&columns, &drawn[1], &five, &grid), Err(Refusal::NoValues { .. })));
        assert!(matches!(nested_elastic_net(&columns, &drawn[1], &groups[1..], &grid), Err(Refusal::Lengths { .. })));
        let constant = [Column { name: "a", values: &[1.0; 40] }];
        let refused = nested_elastic_net(&constant, &drawn[1], &groups, &grid);
        assert_eq!(refused, Err(Refusal::Constant { name: "a".into() }));
        let empty = Grid { strengths: vec![], ..grid };
        assert!(matches!(nested_elastic_net(&columns, &drawn[1], &groups, &empty), Err(Refusal::Parameter { .. })));
    }
}
