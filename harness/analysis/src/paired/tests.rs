#![allow(clippy::unwrap_used)]
use clmbench_stats::{delong_paired, roc_auc};
use rand::Rng as _;

use super::*;

/// Labels 0 and 1, and predictions that separate them by `shift`, in coarse steps so that there are ties.
fn classified(n: u64, shift: f64, name: &str) -> Predictions {
    let mut rng = generator(1, name);
    (0..n)
        .map(|row| {
            let label = (row % 3 == 0) as u8 as f64;
            let noise: f64 = (0..4).map(|_| rng.random_range(-1.0..1.0)).sum();
            (row, label, ((noise + shift * label) * 10.0).round() / 10.0)
        })
        .collect()
}

fn columns(rows: &Predictions) -> (Vec<bool>, Vec<f64>) {
    (rows.iter().map(|row| row.1 > 0.5).collect(), rows.iter().map(|row| row.2).collect())
}

#[test]
fn the_interval_of_two_auc_is_about_that_of_delong() {
    let (ours, others) = (classified(300, 1.5, "ours"), classified(300, 0.8, "others"));
    let (labels, first) = columns(&ours);
    let (_, second) = columns(&others);
    let (a, b, covariance) = delong_paired(&labels, &first, &second).unwrap();
    let spread = (covariance[0][0] + covariance[1][1] - 2.0 * covariance[0][1]).sqrt();
    let found = difference(
        "roc_auc",
        1.0,
        &Side { predictions: vec![&ours], score: a },
        &Side { predictions: vec![&others], score: b },
        "test",
    )
    .unwrap();
    assert!((found.value - (a - b)).abs() < 1e-12);
    let width = (found.interval.high95 - found.interval.low95) / (2.0 * 1.96);
    assert!((width / spread - 1.0).abs() < 0.15, "{width} {spread}");
    assert!(found.interval.low95 < found.value && found.value < found.interval.high95);
}

/// The two sides alone, by the same draws.
fn difference(name: &str, sign: f64, first: &Side<'_>, second: &Side<'_>, label: &str) -> Result<Difference, String> {
    let of = [first, second].map(|side| Side { predictions: side.predictions.clone(), score: side.score });
    let mut found = replicates(name, &of, label).into_iter();
    let (first, second) = (found.next().unwrap()?, found.next().unwrap()?);
    first.minus(&second, sign)
}

/// Errors of both models that are nearly the same: unpaired, the interval would be some ten times as wide.
#[test]
fn what_is_hard_for_both_is_no_uncertainty() {
    let mut rng = generator(3, "shared");
    let hard: Vec<f64> = (0..200).map(|_| rng.random_range(-3.0..3.0)).collect();
    let of = |scale: f64| -> Predictions {
        hard.iter().enumerate().map(|(row, error)| (row as u64, 1.0, 1.0 + scale * error)).collect()
    };
    let rmse = |scale: f64| scale * (hard.iter().map(|error| error * error).sum::<f64>() / 200.0).sqrt();
    let (ours, others) = (of(1.0), of(1.1));
    let sides = |score: f64| Side { predictions: vec![&ours], score };
    let control = Side { predictions: vec![&others], score: rmse(1.1) };
    let found = difference("rmse", -1.0, &sides(rmse(1.0)), &control, "test").unwrap();
    assert!((found.value - 0.1 * rmse(1.0)).abs() < 1e-9, "a smaller error than the control's is positive");
    // The difference is 0.1 x RMSE in every resample: its spread is a tenth of the RMSE's own.
    let squares: Vec<f64> = hard.iter().map(|error| error * error).collect();
    let mean = squares.iter().sum::<f64>() / 200.0;
    let variance = squares.iter().map(|square| (square - mean).powi(2)).sum::<f64>() / 199.0;
    let expected = 0.1 * (variance / 200.0).sqrt() / (2.0 * mean.sqrt());
    let width = (found.interval.high95 - found.interval.low95) / (2.0 * 1.96);
    assert!((width / expected - 1.0).abs() < 0.15, "{width} {expected}");
    let wrong = difference("rmse", -1.0, &sides(9.0), &control, "test").unwrap_err();
    assert!(wrong.contains("not the stored 9.0"), "{wrong}");
}

#[test]
fn several_seeds_are_averaged_and_other_molecules_are_refused() {
    let (one, two, control) = (classified(40, 2.0, "one"), classified(40, 1.0, "two"), classified(40, 0.0, "control"));
    let auc = |rows: &Predictions| roc_auc(&columns(rows).0, &columns(rows).1).unwrap();
    let ours = Side { predictions: vec![&one, &two], score: (auc(&one) + auc(&two)) / 2.0 };
    let others = Side { predictions: vec![&control], score: auc(&control) };
    let found = difference("roc_auc", 1.0, &ours, &others, "test").unwrap();
    assert!((found.value - (ours.score - others.score)).abs() < 1e-12);
    let mut moved = control.clone();
    moved[3].1 = 1.0 - moved[3].1;
    let others = Side { predictions: vec![&moved], score: auc(&moved) };
    assert!(difference("roc_auc", 1.0, &ours, &others, "test").unwrap_err().contains("not of the same test molecules"));
    // The same labels in the same order, but of another row.
    let mut elsewhere = control.clone();
    elsewhere[39].0 = 99;
    let others = Side { predictions: vec![&elsewhere], score: auc(&elsewhere) };
    assert!(difference("roc_auc", 1.0, &ours, &others, "test").unwrap_err().contains("not of the same test molecules"));
    let mut infinite = control.clone();
    infinite[3].2 = f64::NAN;
    let others = Side { predictions: vec![&infinite], score: 0.5 };
    assert!(difference("roc_auc", 1.0, &ours, &others, "test").unwrap_err().contains("not finite"));
    let few: Predictions = control[..7].to_vec();
    let side = || Side { predictions: vec![&few], score: auc(&few) };
    assert!(difference("roc_auc", 1.0, &side(), &side(), "test").unwrap_err().contains("8 test molecules and has 7"));
    let none = Side { predictions: vec![], score: 0.5 };
    assert!(difference("roc_auc", 1.0, &none, &side(), "test").is_err());
}

/// The BCa interval of `stats`, which has oracles of its own, of the same difference on draws of its own.
#[test]
fn the_interval_is_that_of_bca_and_does_not_depend_on_who_else_is_compared() {
    let of = |name: &str, size: f64| -> Predictions {
        let mut rng = generator(7, name);
        (0..90).map(|row| (row, row as f64 / 9.0, row as f64 / 9.0 + size * rng.random_range(-1.0f64..1.5))).collect()
    };
    let models = [of("a", 1.0), of("b", 1.2), of("c", 2.0)];
    let rmse = |rows: &Predictions, indices: &[usize]| {
        (indices.iter().map(|index| (rows[*index].1 - rows[*index].2).powi(2)).sum::<f64>() / indices.len() as f64).sqrt()
    };
    let all: Vec<usize> = (0..90).collect();
    let sides: Vec<Side<'_>> = models.iter().map(|rows| Side { predictions: vec![rows], score: rmse(rows, &all) }).collect();
    let found: Vec<Replicates> = replicates("rmse", &sides, "test").into_iter().map(Result::unwrap).collect();
    let interval = found[0].minus(&found[2], -1.0).unwrap().interval;
    let oracle = clmbench_stats::bca(90, 20_000, &mut generator(8, "oracle"), |indices| {
        Some(rmse(&models[2], indices) - rmse(&models[0], indices))
    })
    .unwrap();
    let width = oracle.high95 - oracle.low95;
    for (end, expected) in [(interval.low95, oracle.low95), (interval.high95, oracle.high95), (interval.low90, oracle.low90)] {
        assert!((end - expected).abs() < 0.05 * width, "{interval:?} {oracle:?}");
    }
    let alone = difference("rmse", -1.0, &sides[0], &sides[2], "test").unwrap().interval;
    assert_eq!(alone, interval);
    let mean = Replicates::mean(&[&found[1], &found[2]]).unwrap();
    assert!((mean.score - (found[1].score + found[2].score) / 2.0).abs() < 1e-15);
    let twice = found[0].minus(&mean, -1.0).unwrap().value;
    assert!((twice - (mean.score - found[0].score)).abs() < 1e-15);
    assert!(Replicates::mean(&[]).is_err());
}
