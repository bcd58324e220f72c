//! Simulated curves of each kind, and how often the verdict is wrong.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::seed::{generator, normal};

/// Scores that rise by `before` a halving up to 1.7 halvings and by `past` from there on.
fn curve(n: usize, before: f64, past: f64, noise: f64, rng: &mut impl Rng) -> (Vec<f64>, Vec<f64>) {
    (0..n)
        .map(|_| {
            let x = 3.46 * rng.random::<f64>();
            (x, before * x.min(1.7) + past * (x - 1.7).max(0.0) + noise * normal(rng))
        })
        .unzip()
}

/// How often each verdict comes out in 200 draws: improves, degrades, saturates, cannot tell.
fn verdicts(n: usize, before: f64, past: f64, noise: f64) -> [usize; 4] {
    let mut rng = generator(17, &format!("curve {n} {before} {past} {noise}"));
    let mut counts = [0; 4];
    for draw in 0..200 {
        let (x, y) = curve(n, before, past, noise, &mut rng);
        // Eight runs of which too few resamples have a knee are refused: nothing is claimed of them.
        match saturation_of(&x, &y, 0.02, 299, &mut generator(draw, "saturation")) {
            Ok(found) => counts[found.verdict as usize] += 1,
            Err(refusal) => assert!(n == 8 && matches!(refusal, Refusal::Degenerate { .. }), "{refusal}"),
        }
    }
    counts
}

#[test]
fn each_kind_is_told() {
    let [improves, ..] = verdicts(32, 0.05, 0.05, 0.01);
    assert!(improves >= 180, "{improves} of 200 lines that rise");
    let [_, degrades, ..] = verdicts(32, 0.05, -0.05, 0.01);
    assert!(degrades >= 180, "{degrades} of 200 that fall past the knee");
    let flat = verdicts(32, 0.05, 0.0, 0.005);
    assert!(flat[2] >= 170, "{flat:?} of 200 that are flat past the knee");
    let unclear = verdicts(32, 0.05, 0.0, 0.1);
    assert!(unclear[3] >= 160, "{unclear:?} of 200 drowned in noise");
}

/// What is claimed of a flat end, and of one that rises by exactly the margin, is wrong in 5 % at most (200 draws: up to 14 of them).
#[test]
fn errors_are_rare() {
    for n in [8, 12, 24, 48] {
        let [improves, degrades, ..] = verdicts(n, 0.05, 0.0, 0.02);
        assert!(improves + degrades <= 14, "{n} runs: {improves} rise and {degrades} fall, of 200 that are flat");
        let at_margin = verdicts(n, 0.05, 0.02, 0.02);
        assert!(at_margin[2] + at_margin[1] <= 14, "{n} runs: {at_margin:?}, of 200 that rise by the margin");
    }
    let [improves, degrades, ..] = verdicts(24, 0.0, 0.0, 0.02);
    assert!(improves + degrades <= 14, "{improves} rise and {degrades} fall, of 200 without any knee");
}

#[test]
fn the_best_knee_of_an_exact_line() {
    let x: Vec<f64> = (0..12).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| 1.0 + 0.5 * x.min(6.0) - 0.25 * (x - 6.0).max(0.0)).collect();
    let found = broken_line(&x, &y).unwrap();
    assert_eq!(found.knee, 6.0);
    for (found, expected) in [(found.height, 4.0), (found.before, 0.5), (found.past, -0.25), (found.squares, 0.0)] {
        assert!((found - expected).abs() < 1e-12, "{found} against {expected}");
    }
    // Doubling every run changes nothing.
    let doubled = Knees::new(&x, &y).best(&[2; 12]).unwrap();
    assert!((doubled.past - found.past).abs() < 1e-12 && doubled.knee == found.knee);
}

#[test]
fn the_axis_spans_the_same_halvings_everywhere() {
    let found = halvings(&[2.0, 1.5, 1.0]).unwrap();
    assert!((found.floor - 0.9).abs() < 1e-12);
    assert!((found.halvings[2] - found.halvings[0] - 11f64.log2()).abs() < 1e-9);
    assert!(found.halvings[1] > found.halvings[0]);
    assert_eq!(halvings(&[1.0, 1.0]), Err(Refusal::Constant { name: "loss".into() }));
    assert!(matches!(halvings(&[1.0, f64::NAN]), Err(Refusal::NonFinite { index: 1, .. })));
}

#[test]
fn refusals_are_typed() {
    let x: Vec<f64> = (0..7).map(f64::from).collect();
    assert!(matches!(broken_line(&x, &x), Err(Refusal::TooFew { n: 7, needed: 8, .. })));
    let four: Vec<f64> = (0..12).map(|run| f64::from(run % 4)).collect();
    assert!(matches!(broken_line(&four, &four), Err(Refusal::TooFew { n: 4, needed: 5, .. })));
    // Nearly all runs at one end.
    let lopsided: Vec<f64> = (0..16).map(|run| f64::from((run - 11).max(0))).collect();
    assert!(matches!(broken_line(&lopsided, &lopsided), Err(Refusal::NoValues { .. })));
    let one = saturation(&four, &four, 0.02, &mut generator(1, "s"));
    assert!(one.is_err());
}
