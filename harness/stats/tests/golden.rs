//! Agreement with scipy, statsmodels and scikit-learn on stored values (`fixtures/make.py` writes them).
#![allow(clippy::unwrap_used, missing_docs)]

use clmbench_stats::{
    Column, average_ranks,
    bootstrap::{acceleration, ends},
    generator, holm, kendall_tau_b, ols, pearson, permutation_test, q2_by_groups, spearman, spearman_interval,
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("fixtures/golden.json")).unwrap()
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|entry| entry.as_f64().unwrap()).collect()
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
fn regressions_agree_with_statsmodels() {
    let golden = golden();
    let cases = golden["regressions"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let x: Vec<Vec<f64>> = case["x"].as_array().unwrap().iter().map(list).collect();
        let y = list(&case["y"]);
        let columns: Vec<Column<'_>> = x.iter().map(|values| Column { name: "x", values }).collect();
        let fit = ols(&columns, &y, 0.95).unwrap();
        let at90 = ols(&columns, &y, 0.90).unwrap();
        let pick = |get: fn(&clmbench_stats::ols::Coefficient) -> f64| -> Vec<f64> { fit.coefficients.iter().map(get).collect() };
        all_close(&pick(|c| c.estimate), &list(&case["estimate"]), "estimate");
        all_close(&pick(|c| c.std_error), &list(&case["std_error"]), "standard error");
        all_close(&pick(|c| c.t), &list(&case["t"]), "t");
        all_close(&pick(|c| c.p_value), &list(&case["p_value"]), "p");
        all_close(&pick(|c| c.ci_low), &list(&case["low95"]), "lower end");
        all_close(&pick(|c| c.ci_high), &list(&case["high95"]), "upper end");
        let low90: Vec<f64> = at90.coefficients.iter().map(|c| c.ci_low).collect();
        all_close(&low90, &list(&case["low90"]), "lower 90 % end");
        close(fit.r2, case["r2"].as_f64().unwrap(), "R2");
        close(fit.residual_sd, case["residual_sd"].as_f64().unwrap(), "residual SD");
        all_close(&fit.leverage, &list(&case["leverage"]), "leverage");
        let groups: Vec<usize> = list(&case["groups"]).iter().map(|group| *group as usize).collect();
        close(q2_by_groups(&columns, &y, &groups).unwrap(), case["q2"].as_f64().unwrap(), "Q2");
        match y.len() {
            ..20 => assert!(fit.coefficients.iter().all(|c| c.hc3_std_error.is_none())),
            _ => all_close(&pick(|c| c.hc3_std_error.unwrap()), &list(&case["hc3"]), "HC3"),
        }
    }
}

#[test]
fn correlations_agree_with_scipy() {
    let golden = golden();
    for case in golden["correlations"].as_array().unwrap() {
        let (x, y) = (list(&case["x"]), list(&case["y"]));
        close(pearson(&x, &y).unwrap(), case["pearson"].as_f64().unwrap(), "Pearson");
        close(spearman(&x, &y).unwrap(), case["spearman"].as_f64().unwrap(), "Spearman");
        close(kendall_tau_b(&x, &y).unwrap(), case["kendall"].as_f64().unwrap(), "Kendall");
        all_close(&average_ranks(&x), &list(&case["ranks_x"]), "ranks");
    }
}

#[test]
fn exact_permutation_p_agrees_with_enumeration_by_scipy() {
    let golden = golden();
    let cases = golden["permutations"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let test = permutation_test(&list(&case["x"]), &list(&case["y"]), &mut generator(1, "unused")).unwrap();
        assert!(test.exact);
        close(test.p_value, case["p_value"].as_f64().unwrap(), "permutation p");
    }
    // Where nothing ties, scipy's own two-sided test is the same one.
    close(cases[0]["p_value"].as_f64().unwrap(), cases[0]["scipy_permutation_test"].as_f64().unwrap(), "scipy");
}

#[test]
fn bca_ends_agree_with_scipy() {
    let golden = golden();
    for case in golden["bca"].as_array().unwrap() {
        let estimate = case["estimate"].as_f64().unwrap();
        let accelerated = acceleration(&list(&case["jackknife"]));
        let draws = list(&case["draws"]);
        for (name, confidence) in [("90", 0.90), ("95", 0.95)] {
            let (low, high) = ends(estimate, &draws, accelerated, confidence).unwrap();
            close(low, case[format!("low{name}")].as_f64().unwrap(), "lower BCa end");
            close(high, case[format!("high{name}")].as_f64().unwrap(), "upper BCa end");
        }
    }
}

#[test]
fn intervals_of_spearman_agree_with_scipy() {
    let golden: Value = serde_json::from_str(include_str!("fixtures/intervals.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 36);
    for (number, case) in cases.iter().enumerate() {
        let found = spearman_interval(&list(&case["x"]), &list(&case["y"]), &mut generator(1, "unused")).unwrap();
        for (value, name) in [(found.low90, "low90"), (found.high90, "high90"), (found.low95, "low95"), (found.high95, "high95")]
        {
            close(value, case[name].as_f64().unwrap(), &format!("{name} of case {number}"));
        }
    }
}

#[test]
fn holm_agrees_with_statsmodels() {
    let golden = golden();
    for case in golden["holm"].as_array().unwrap() {
        all_close(&holm(&list(&case["raw"])), &list(&case["adjusted"]), "Holm");
    }
}
