#![allow(clippy::unwrap_used)]
use rand::Rng;

use super::*;
use crate::seed::generator;

fn column<'a>(name: &'a str, values: &'a [f64]) -> Column<'a> {
    Column { name, values }
}

fn runs(n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut rng = generator(5, "elastic net");
    let mut draw = || (0..n).map(|_| rng.random::<f64>()).collect::<Vec<f64>>();
    (draw(), draw(), draw())
}

/// The optimality conditions (Friedman, Hastie and Tibshirani 2010): an oracle that knows nothing of how the answer was found.
#[track_caller]
fn is_optimal(found: &ElasticNet, columns: &[&[f64]], y: &[f64], penalty: Penalty) {
    let n = y.len() as f64;
    let spread = (sum_of_squares(y) / n).sqrt();
    let rest: Vec<f64> = (0..y.len()).map(|row| y[row] - found.predict(columns.iter().map(|values| values[row]))).collect();
    for (values, weight) in columns.iter().zip(&found.standardised) {
        let (centre, scale) = (mean(values), (sum_of_squares(values) / n).sqrt());
        let pull: f64 = values.iter().zip(&rest).map(|(value, rest)| (value - centre) / scale * rest).sum::<f64>() / n;
        let charged = penalty.strength * spread * (1.0 - penalty.l1_ratio) * weight;
        let limit = penalty.strength * spread * penalty.l1_ratio;
        match *weight == 0.0 {
            true => assert!(pull.abs() <= limit + 1e-9),
            false => assert!((pull - charged - limit * weight.signum()).abs() < 1e-9, "{pull} {charged} {limit}"),
        }
    }
}

#[test]
fn answers_are_optimal_and_sparse() {
    let (a, b, noise) = runs(50);
    let y: Vec<f64> = (0..50).map(|i| 3.0 * a[i] + 0.02 * noise[i]).collect();
    for strength in [0.5, 0.1, 0.01] {
        let penalty = Penalty { strength, l1_ratio: 0.5 };
        let found = elastic_net(&[column("a", &a), column("b", &b)], &y, penalty, 1e-12).unwrap();
        is_optimal(&found, &[&a, &b], &y, penalty);
        assert!(found.gap <= 1e-12 && found.coefficients[0] > 0.0);
    }
    let strong = elastic_net(&[column("a", &a), column("b", &b)], &y, Penalty { strength: 1.1, l1_ratio: 1.0 }, 1e-9).unwrap();
    assert_eq!(strong.coefficients, [0.0, 0.0]);
    assert!((strong.intercept - mean(&y)).abs() < 1e-12);
}

#[test]
fn collinear_columns_share_and_units_do_not_matter() {
    let (a, b, noise) = runs(40);
    let y: Vec<f64> = (0..40).map(|i| a[i] + b[i] + 0.3 * noise[i]).collect();
    let scaled: Vec<f64> = a.iter().map(|value| 1e9 - 1e6 * value).collect();
    let penalty = Penalty { strength: 0.05, l1_ratio: 0.5 };
    let found = elastic_net(&[column("a", &a), column("copy", &scaled), column("b", &b)], &y, penalty, 1e-10).unwrap();
    let [first, copy, _] = found.standardised[..] else { panic!() };
    assert!((first + copy).abs() < 1e-5 && first > 0.0, "{first} {copy}");
}

#[test]
fn descent_goes_on_where_linfa_stops() {
    // From nothing, without linfa: the same answer.
    let (a, b, noise) = runs(40);
    let close: Vec<f64> = (0..40).map(|i| a[i] + 1e-3 * b[i]).collect();
    let y: Vec<f64> = (0..40).map(|i| a[i] - close[i] * 0.5 + noise[i]).collect();
    let penalty = Penalty { strength: 0.01, l1_ratio: 0.3 };
    let found = elastic_net(&[column("a", &a), column("close", &close)], &y, penalty, 1e-13).unwrap();
    let n = 40.0;
    let standard = |values: &[f64]| -> Vec<f64> {
        let (centre, scale) = (mean(values), scale(values));
        values.iter().map(|value| (value - centre) / scale).collect()
    };
    let columns = [standard(&a), standard(&close)];
    let centred: Vec<f64> = y.iter().map(|value| value - mean(&y)).collect();
    let spread = scale(&y);
    let mut descent = Descent::new(&columns, &centred, 0.01 * spread * 0.3 * n, 0.01 * spread * 0.7 * n);
    let before = descent.gap();
    (0..20_000).for_each(|_| descent.sweep());
    assert!(descent.gap() < 1e-10 * before);
    let weights = descent.into_weights();
    assert!(weights.iter().zip(&found.standardised).all(|(a, b)| (a - b).abs() < 1e-7), "{weights:?} {found:?}");
}

#[test]
fn close_to_collinear_columns_converge_or_are_refused() {
    let (a, b, noise) = runs(40);
    let y: Vec<f64> = (0..40).map(|i| b[i] + 0.1 * noise[i]).collect();
    let mut needed_more = 0;
    for distance in [1e-2, 1e-3, 1e-4] {
        let close: Vec<f64> = (0..40).map(|i| a[i] + distance * b[i]).collect();
        let columns = [column("a", &a), column("close", &close)];
        for strength in [1e-3, 1e-5] {
            let penalty = Penalty { strength, l1_ratio: 0.3 };
            let found = elastic_net(&columns, &y, penalty, 1e-7).unwrap();
            assert!(found.gap <= 1e-7);
            needed_more += u32::from(found.more_rounds > 0);
        }
        // Closer than rounding allows.
        let refused = elastic_net(&columns, &y, Penalty { strength: 1e-5, l1_ratio: 0.3 }, 1e-30);
        assert!(matches!(refused, Err(Refusal::NotConverged { gap, .. }) if gap > 1e-30), "{refused:?}");
    }
    assert!(needed_more >= 4, "linfa alone was far off: {needed_more}");
}

#[test]
fn refusals_are_typed() {
    let (a, b, y) = runs(8);
    let fine = Penalty { strength: 0.1, l1_ratio: 0.5 };
    let of = |columns: &[Column<'_>], y: &[f64], penalty| elastic_net(columns, y, penalty, 1e-9).unwrap_err();
    assert_eq!(of(&[column("a", &[2.0; 8])], &y, fine), Refusal::Constant { name: "a".into() });
    assert_eq!(of(&[column("a", &a)], &[1.0; 8], fine), Refusal::Constant { name: "score".into() });
    let mut broken = b.clone();
    broken[3] = f64::NAN;
    assert_eq!(of(&[column("b", &broken)], &y, fine), Refusal::NonFinite { name: "b".into(), index: 3 });
    assert!(matches!(of(&[column("a", &a[..5])], &y, fine), Refusal::Lengths { found: 5, wanted: 8, .. }));
    assert!(matches!(of(&[column("a", &a[..2])], &y[..2], fine), Refusal::TooFew { n: 2, needed: 3, .. }));
    for (strength, l1_ratio) in [(0.0, 0.5), (f64::NAN, 0.5), (0.1, 0.0), (0.1, 1.5), (0.1, f64::NAN)] {
        let refused = of(&[column("a", &a)], &y, Penalty { strength, l1_ratio });
        assert!(matches!(refused, Refusal::Parameter { .. }), "{strength} {l1_ratio}");
    }
}
