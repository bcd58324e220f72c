//! Agreement of regressions, influence, partial correlations and elastic nets with scipy, statsmodels and scikit-learn on stored values
//! (`fixtures/make_regression.py` writes them).
#![allow(clippy::unwrap_used, missing_docs)]

use clmbench_stats::{
    Column, Correlated, Grid, Penalty, benjamini_hochberg, elastic_net, fisher, influence, multiple_regression,
    nested_elastic_net, ols, partial_correlation, partial_r2, partial_spearman, predictions_by_groups, q2_of_predictions,
    weighted_kendall,
};
use serde_json::Value;

fn golden(subject: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("fixtures/regression.json")).unwrap();
    all[subject].as_array().unwrap().clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn lists(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(list).collect()
}

fn groups(case: &Value) -> Vec<usize> {
    list(&case["groups"]).iter().map(|group| *group as usize).collect()
}

fn columns(values: &[Vec<f64>]) -> Vec<Column<'_>> {
    values.iter().map(|values| Column { name: "x", values }).collect()
}

#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(error <= 1e-8 * expected.abs().max(1.0), "{what}: {found} against {expected}");
}

#[track_caller]
fn all_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    found.iter().zip(expected).for_each(|(found, expected)| close(*found, *expected, what));
}

#[test]
fn influence_agrees_with_statsmodels() {
    for case in golden("regressions") {
        let (x, y) = (lists(&case["x"]), list(&case["y"]));
        let fit = ols(&columns(&x), &y, 0.95).unwrap();
        let found = influence(&fit, &y).unwrap();
        let pick = |get: fn(&clmbench_stats::Influence) -> Option<f64>| -> Vec<f64> {
            found.iter().map(|run| get(run).unwrap()).collect()
        };
        all_close(&pick(|run| Some(run.leverage)), &list(&case["leverage"]), "leverage");
        all_close(&pick(|run| run.cooks_distance), &list(&case["cooks"]), "Cook's distance");
        all_close(&pick(|run| run.dffits), &list(&case["dffits"]), "DFFITS");
        all_close(&pick(|run| run.studentised), &list(&case["studentised"]), "studentised residual");
        all_close(&pick(|run| run.p_value), &list(&case["p_value"]), "its p");
        all_close(&pick(|run| run.p_bonferroni), &list(&case["bonferroni"]), "its p by Bonferroni");
        let limit = number(&case["dffits_limit"]);
        assert!(found.iter().all(|run| run.is_large(x.len() + 1, y.len()) == (run.dffits.unwrap().abs() > limit)));
    }
}

#[test]
fn partial_r2_agrees_with_statsmodels() {
    for case in golden("regressions") {
        let (x, y) = (lists(&case["x"]), list(&case["y"]));
        let fit = ols(&columns(&x), &y, 0.95).unwrap();
        all_close(&partial_r2(&fit), &list(&case["partial_r2"]), "partial R2");
    }
}

#[test]
fn hc3_inference_agrees_with_statsmodels() {
    let mut compared = 0;
    for case in golden("regressions") {
        let (x, y) = (lists(&case["x"]), list(&case["y"]));
        let fit = ols(&columns(&x), &y, 0.95).unwrap();
        if y.len() < 20 {
            assert_eq!(fit.hc3(1).unwrap_err().word(), "too_few");
            continue;
        }
        let found: Vec<_> = (0..=x.len()).map(|index| fit.hc3(index).unwrap()).collect();
        let pick = |get: fn(&clmbench_stats::Inference) -> f64| -> Vec<f64> { found.iter().map(get).collect() };
        let expected = |name: &str| list(&case["hc3"][name]);
        all_close(&pick(|of| of.std_error), &expected("std_error"), "HC3");
        all_close(&pick(|of| of.t), &expected("t"), "t");
        all_close(&pick(|of| of.p_value), &expected("p_value"), "p");
        all_close(&pick(|of| of.ends.low95), &expected("low95"), "lower end");
        all_close(&pick(|of| of.ends.high95), &expected("high95"), "upper end");
        all_close(&pick(|of| of.ends.low90), &expected("low90"), "lower 90 % end");
        all_close(&pick(|of| of.ends.high90), &expected("high90"), "upper 90 % end");
        compared += 1;
    }
    assert_eq!(compared, 2);
}

#[test]
fn multiple_regression_says_how_many_runs_it_takes() {
    let cases = golden("regressions");
    let fitted = |case: &Value| multiple_regression(&columns(&lists(&case["x"])), &list(&case["y"]), 0.95).map(|fit| fit.n);
    let refused = fitted(&cases[1]).map(|_| ());
    assert_eq!(refused, Ok(()), "15 runs are enough for two columns");
    let short: Vec<Vec<f64>> = lists(&cases[1]["x"]).iter().map(|values| values[..14].to_vec()).collect();
    let error = multiple_regression(&columns(&short), &list(&cases[1]["y"])[..14], 0.95).unwrap_err();
    assert_eq!(error.to_string(), "a multiple regression on 2 columns needs 15 runs and has 14");
    assert_eq!(fitted(&cases[2]), Ok(32));
}

#[test]
fn partial_correlations_agree_with_residuals_by_statsmodels() {
    for case in golden("partial") {
        let (x, y, given) = (list(&case["x"]), list(&case["y"]), lists(&case["given"]));
        let metric = Column { name: "metric", values: &x };
        let pearson = partial_correlation(metric, &y, &columns(&given)).unwrap();
        close(pearson.r, number(&case["pearson"]), "partial Pearson");
        close(pearson.p_value, number(&case["p_pearson"]), "its p");
        let spearman = partial_spearman(metric, &y, &columns(&given)).unwrap();
        close(spearman.r, number(&case["spearman"]), "partial Spearman");
        close(spearman.p_value, number(&case["p_spearman"]), "its p");
    }
}

#[test]
fn weighted_kendall_agrees_with_scipy() {
    for case in golden("weighted_kendall") {
        close(weighted_kendall(&list(&case["x"]), &list(&case["y"])).unwrap(), number(&case["tau"]), "weighted Kendall");
    }
}

#[test]
fn benjamini_hochberg_agrees_with_statsmodels() {
    for case in golden("benjamini_hochberg") {
        all_close(&benjamini_hochberg(&list(&case["raw"])), &list(&case["adjusted"]), "Benjamini-Hochberg");
    }
}

#[test]
fn fisher_intervals_agree_with_scipy() {
    for case in golden("fisher") {
        let ends = fisher(number(&case["r"]), number(&case["n"]) as usize, 0, Correlated::Values).unwrap();
        all_close(&[ends.low90, ends.high90], &list(&case["ends90"]), "90 % interval");
        all_close(&[ends.low95, ends.high95], &list(&case["ends95"]), "95 % interval");
    }
}

#[test]
fn predictions_without_a_group_agree_with_scikit_learn() {
    for case in golden("grouped") {
        let (x, y, groups) = (lists(&case["x"]), list(&case["y"]), groups(&case));
        let predicted = predictions_by_groups(&columns(&x), &y, &groups).unwrap();
        all_close(&predicted, &list(&case["predicted"]), "prediction");
        let found = q2_of_predictions(&y, &predicted, &groups).unwrap();
        close(found.q2, number(&case["q2"]), "Q2");
        close(found.std_error, number(&case["std_error"]), "its standard error");
    }
}

#[test]
fn elastic_nets_agree_with_scikit_learn() {
    let cases = golden("elastic_net");
    for case in &cases {
        let (x, y) = (lists(&case["x"]), list(&case["y"]));
        let penalty = Penalty { strength: number(&case["strength"]), l1_ratio: number(&case["l1_ratio"]) };
        let found = elastic_net(&columns(&x), &y, penalty, 1e-14).unwrap();
        all_close(&found.standardised, &list(&case["standardised"]), "coefficient");
        let predicted: Vec<f64> = (0..y.len()).map(|row| found.predict(x.iter().map(|values| values[row]))).collect();
        all_close(&predicted, &list(&case["predicted"]), "prediction");
        let zeros = |values: &[f64]| values.iter().map(|value| *value == 0.0).collect::<Vec<bool>>();
        assert_eq!(zeros(&found.standardised), zeros(&list(&case["standardised"])));
    }
    assert_eq!(cases.len(), 6);
}

#[test]
fn nested_cross_validation_agrees_with_a_loop_over_scikit_learn() {
    let cases = golden("nested");
    let case = &cases[0];
    let (x, y) = (lists(&case["x"]), list(&case["y"]));
    let grid = Grid {
        strengths: list(&case["strengths"]),
        l1_ratios: list(&case["l1_ratios"]),
        inner_folds: number(&case["inner"]) as usize,
        tolerance: 1e-13,
    };
    let found = nested_elastic_net(&columns(&x), &y, &groups(case), &grid).unwrap();
    all_close(&found.predictions, &list(&case["predicted"]), "out-of-fold prediction");
    close(found.q2.q2, number(&case["q2"]), "Q2");
    for ((turn, penalty), chosen) in found.turns.iter().zip(lists(&case["penalties"])).zip(case["chosen"].as_array().unwrap()) {
        assert_eq!([turn.penalty.strength, turn.penalty.l1_ratio], penalty[..]);
        let chosen: Vec<bool> = chosen.as_array().unwrap().iter().map(|flag| flag.as_bool().unwrap()).collect();
        assert_eq!(turn.chosen, chosen);
    }
    // At the tolerance that suites use, the same to six digits.
    let usual = nested_elastic_net(&columns(&x), &y, &groups(case), &Grid { tolerance: 1e-7, ..grid }).unwrap();
    assert!((usual.q2.q2 - found.q2.q2).abs() < 1e-6);
}
