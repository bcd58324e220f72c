//! Principal components agree with numpy (`fixtures/principal_components.py` writes the values).
#![allow(clippy::unwrap_used, missing_docs)]

use clmbench_stats::{Refusal, principal_components};
use serde_json::Value;

#[test]
fn components_agree_with_numpy() {
    let golden: Value = serde_json::from_str(include_str!("fixtures/principal_components.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let points: Vec<Vec<f64>> = serde_json::from_value(case["points"].clone()).unwrap();
        let expected: Vec<[f64; 2]> = serde_json::from_value(case["coordinates"].clone()).unwrap();
        let shares: [f64; 2] = serde_json::from_value(case["shares"].clone()).unwrap();
        let found = principal_components(&points).unwrap();
        for (found, expected) in found.shares.iter().zip(shares) {
            assert!((found - expected).abs() < 1e-8, "{found} against {expected}");
        }
        for (found, expected) in found.coordinates.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-5, "{found} against {expected}");
        }
    }
}

#[test]
fn what_has_no_components_is_refused() {
    assert!(matches!(principal_components(&[]), Err(Refusal::FewDistinct { .. })));
    assert!(matches!(principal_components(&vec![vec![1.0, 2.0]; 5]), Err(Refusal::Constant { .. })));
    assert!(matches!(principal_components(&[vec![1.0, 2.0], vec![1.0], vec![0.0, 0.0]]), Err(Refusal::Lengths { .. })));
    let broken = [vec![1.0, 2.0], vec![f64::NAN, 1.0], vec![0.0, 0.0]];
    assert!(matches!(principal_components(&broken), Err(Refusal::NonFinite { index: 1, .. })));
    // Points on a line have one component.
    let line: Vec<Vec<f64>> = (0..5).map(|index| vec![f64::from(index), 2.0 * f64::from(index), 0.0]).collect();
    let found = principal_components(&line).unwrap();
    assert!((found.shares[0] - 1.0).abs() < 1e-12 && found.shares[1] < 1e-12);
}
