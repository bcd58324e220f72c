//! Power laws agree with scipy (`fixtures/power_law.py` writes the values) and are refused where they say nothing.
#![allow(clippy::unwrap_used, missing_docs)]

use clmbench_stats::{Refusal, power_law};
use serde_json::Value;

#[test]
fn power_laws_agree_with_scipy() {
    let golden: Value = serde_json::from_str(include_str!("fixtures/power_law.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for (number, case) in cases.iter().enumerate() {
        let list =
            |name: &str| -> Vec<f64> { case[name].as_array().unwrap().iter().map(|entry| entry.as_f64().unwrap()).collect() };
        let fit = power_law(&list("x"), &list("y")).unwrap();
        let found = [
            ("a", fit.a),
            ("b", fit.b),
            ("c", fit.c),
            ("std_error", fit.std_error),
            ("low95", fit.interval95.0),
            ("high90", fit.interval90.1),
            ("residual_sd", fit.residual_sd),
        ];
        assert_eq!(fit.with_constant, case["with_constant"].as_bool().unwrap(), "{number}: {fit:?}");
        assert_eq!(fit.without_constant_because.is_none(), fit.with_constant);
        for (name, value) in found {
            let expected = case[name].as_f64().unwrap();
            assert!((value - expected).abs() <= 1e-8 * expected.abs().max(1.0), "{number} {name}: {value} against {expected}");
        }
    }
}

#[test]
fn exact_laws_are_found() {
    let x: Vec<f64> = (0..8).map(|index| 10f64.powi(index)).collect();
    let y: Vec<f64> = x.iter().map(|x| 3.0 * x.powf(-0.25) + 1.5).collect();
    let fit = power_law(&x, &y).unwrap();
    assert!((fit.a - 3.0).abs() < 1e-6 && (fit.b - 0.25).abs() < 1e-7 && (fit.c - 1.5).abs() < 1e-7, "{fit:?}");
    assert!((fit.at(100.0) - y[2]).abs() < 1e-7);
}

#[test]
fn a_curve_that_bends_the_other_way_has_no_constant() {
    // In logarithms it falls faster and faster: a constant above 0 would bend it up.
    let x: Vec<f64> = (1..=8).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| 10.0 - x).collect();
    let fit = power_law(&x, &y).unwrap();
    assert!(!fit.with_constant && fit.c == 0.0);
    assert!(fit.without_constant_because.unwrap().contains("not above 0"));
}

#[test]
fn what_says_nothing_is_refused() {
    let few = power_law(&[1.0, 1.0, 2.0, 2.0, 3.0], &[5.0, 5.1, 4.0, 4.1, 3.0]).unwrap_err();
    assert_eq!(few.to_string(), "a power law needs 4 different values across and has 3");
    assert!(matches!(power_law(&[1.0, 2.0, 3.0, -4.0], &[1.0; 4]), Err(Refusal::NotPositive { index: 3, .. })));
    assert!(matches!(power_law(&[1.0, 2.0, 3.0, 4.0], &[1.0, f64::NAN, 1.0, 1.0]), Err(Refusal::NonFinite { .. })));
    assert!(power_law(&[1.0, 2.0], &[1.0]).is_err() && power_law(&[], &[]).is_err());
    // Constant y is a law with exponent 0.
    let flat = power_law(&[1.0, 2.0, 3.0, 4.0], &[2.0; 4]).unwrap();
    assert!(flat.b.abs() < 1e-12 && flat.std_error < 1e-12);
}
