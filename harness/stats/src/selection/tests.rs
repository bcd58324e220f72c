//! Choices by hand, and enumerated.
#![allow(clippy::unwrap_used)]
use rand::Rng;

use super::*;
use crate::seed::generator;

#[test]
fn without_ties_by_hand() {
    let score = [1.0, 5.0, 2.0, 4.0];
    let metric = [1.0, 2.0, 4.0, 3.0];
    let first = selection(&metric, &score, 1).unwrap();
    assert_eq!((first.regret, first.recall, first.random_recall), (3.0, 0.0, 0.25));
    // A random one has 3 on average.
    assert!((first.random_regret - 2.0).abs() < 1e-12 && (first.regret_share.unwrap() - 1.5).abs() < 1e-12);
    let three = selection(&metric, &score, 3).unwrap();
    assert_eq!((three.regret, three.recall), (0.0, 1.0));
}

/// All ways to choose k of the runs in which no run is chosen before one with a larger value.
fn choices(values: &[f64], k: usize) -> Vec<Vec<usize>> {
    let n = values.len();
    let subsets = (0u32..1 << n).filter(|mask| mask.count_ones() as usize == k);
    let members = |mask: u32, wanted: bool| (0..n).filter(move |run| (mask >> run & 1 == 1) == wanted);
    let fair = |mask: &u32| members(*mask, true).all(|chosen| members(*mask, false).all(|left| values[chosen] >= values[left]));
    subsets.filter(fair).map(|mask| members(mask, true).collect()).collect()
}

#[test]
fn with_ties_as_all_choices_enumerated() {
    let mut rng = generator(4, "ties");
    for _ in 0..50 {
        let metric: Vec<f64> = (0..8).map(|_| f64::from(rng.random_range(0..3))).collect();
        let score: Vec<f64> = (0..8).map(|_| f64::from(rng.random_range(0..6))).collect();
        let best = score.iter().copied().fold(0.0, f64::max);
        let average = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let regret = |of: &[f64], k| {
            let among = |chosen: &Vec<usize>| chosen.iter().map(|&run| score[run]).fold(f64::NEG_INFINITY, f64::max);
            average(choices(of, k).iter().map(|chosen| best - among(chosen)).collect())
        };
        for k in [1, 3, 5] {
            let Ok(found) = selection(&metric, &score, k) else { panic!("{score:?}") };
            let (by_metric, by_score) = (choices(&metric, k), choices(&score, k));
            let shared = |left: &Vec<usize>, right: &Vec<usize>| left.iter().filter(|run| right.contains(run)).count() as f64;
            let both = by_metric.iter().flat_map(|left| by_score.iter().map(move |right| shared(left, right) / k as f64));
            assert!((found.regret - regret(&metric, k)).abs() < 1e-10, "{found:?}");
            assert!((found.random_regret - regret(&[0.0; 8], k)).abs() < 1e-10, "{found:?}");
            assert!((found.recall - average(both.collect())).abs() < 1e-10, "{found:?}");
        }
    }
}

#[test]
fn no_information_is_a_random_choice() {
    let score = [0.3, 0.1, 0.9, 0.5, 0.2, 0.7, 0.4, 0.8];
    let found = selection(&[1.0; 8], &score, 3).unwrap();
    assert!((found.regret_share.unwrap() - 1.0).abs() < 1e-12 && (found.recall - 0.375).abs() < 1e-12);
}

#[test]
fn refusals_are_typed() {
    let few = selection(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0], 1);
    assert!(matches!(few, Err(Refusal::TooFew { n: 3, needed: 4, .. })));
    let all = selection(&[1.0; 5], &[1.0, 2.0, 3.0, 4.0, 5.0], 5);
    assert!(matches!(all, Err(Refusal::TooFew { n: 5, needed: 6, .. })));
    assert_eq!(selection(&[1.0, 2.0, 3.0, 4.0], &[1.0; 4], 1), Err(Refusal::Constant { name: "score".into() }));
    assert!(matches!(selection(&[f64::NAN; 4], &[1.0; 4], 1), Err(Refusal::NonFinite { .. })));
}
