//! Spearman's rho: size of its permutation test, coverage of its interval.

use std::collections::BTreeMap;

use clmbench_stats::{average_ranks, bca, generator, permutation_test, spearman, spearman_interval};
use rand_chacha::ChaCha8Rng;

use super::{
    draw::{Design, normal},
    row::{Claim, Plan, Row, staged},
};

const SIZE: &str = "Size of tests";
const COVERAGE: &str = "Coverage of the 95 % interval of r";

/// Rejections at 5 % where nothing is related. An exact test rejects at most 5 %, less where few values are possible.
pub fn sizes(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for &n in plan.choose(&[6, 8, 12, 24, 48], &[8, 12]) {
        let method = if n <= 8 { "exact" } else { "9,999 orders" };
        for design in [Design::Normal, Design::FourSizes] {
            let claim = Claim::new(SIZE, format!("permutation test of r, {method}"), design.name(), n).within(0.0, 0.05);
            rows.push(claim.count(plan.simulations(), |rng| {
                let (x, y) = design.draw(n, 0.0, rng);
                permutation_test(&x, &y, rng).unwrap().p_value <= 0.05
            }));
        }
    }
    rows
}

/// Whether the interval holds the truth. Where rho has few possible values, coverage moves in steps as large as the most frequent
/// of them, so it may be above 97 % by that much, never below 93 %.
pub fn coverage(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    let designs =
        [Design::Normal, Design::FourSizes, Design::Grid, Design::HeavyTails, Design::GrowingSpread, Design::PoorRunsAgree];
    for design in designs {
        for &r in plan.choose(&[0.0, 0.5, 0.8, 0.95], &[0.0, 0.8]) {
            let truth = design.rho(r);
            for &n in plan.runs() {
                let what = format!("r = {r}, rho = {truth:.3}");
                let label = format!("{COVERAGE} {what} {} {n}", design.name());
                let one = |rng: &mut ChaCha8Rng| {
                    let (x, y) = design.draw(n, r, rng);
                    let interval = spearman_interval(&x, &y, rng).unwrap();
                    (spearman(&x, &y).unwrap().to_bits(), interval.low95 <= truth && truth <= interval.high95)
                };
                let claims = |found: &[(u64, bool)]| {
                    let claim = Claim::new(COVERAGE, what.clone(), design.name(), n);
                    let claim = claim.within(0.93, (0.97 + most_frequent(found)).min(1.0));
                    let claim = match design {
                        Design::Grid => claim.known("the design is fixed, the method takes it as drawn: it is cautious here"),
                        _ => claim,
                    };
                    vec![claim.found(found.iter().map(|(_, covered)| *covered).collect())]
                };
                rows.extend(staged(&label, plan.simulations(), one, claims));
            }
        }
    }
    for &n in plan.choose(&[8, 12, 24, 48], &[]) {
        rows.push(bca_of_four_sizes(plan, n, &|claim| claim.known("not used: this is why")));
    }
    rows
}

/// Share of the most frequent value of rho.
fn most_frequent(found: &[(u64, bool)]) -> f64 {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    found.iter().for_each(|(rho, _)| *counts.entry(*rho).or_default() += 1);
    counts.values().copied().max().unwrap_or(0) as f64 / found.len() as f64
}

/// The interval that stood here first, where it fails. `claimed` says whether it must keep its level.
pub fn bca_of_four_sizes(plan: &Plan, n: usize, claimed: &dyn Fn(Claim) -> Claim) -> Row {
    let truth = Design::FourSizes.rho(0.95);
    let claim = Claim::new(COVERAGE, "BCa of 999 resamples, r = 0.95", "four sizes", n).within(0.93, 0.97);
    claimed(claim).count(plan.simulations(), |rng| {
        let (x, y) = Design::FourSizes.draw(n, 0.95, rng);
        let interval = bca(n, 999, rng, |indices| {
            let pick = |values: &[f64]| indices.iter().map(|&index| values[index]).collect::<Vec<f64>>();
            spearman(&pick(&x), &pick(&y)).ok()
        });
        interval.is_ok_and(|interval| interval.low95 <= truth && truth <= interval.high95)
    })
}

/// Five checkpoints a run taken for runs of their own: an interval that is far too short.
pub fn interval_of_checkpoints(plan: &Plan, n: usize) -> Row {
    let claim = Claim::new(COVERAGE, "checkpoints as points", "normal", n).within(0.93, 1.0);
    claim.count(plan.simulations(), |rng| {
        let (x, y) = Design::Normal.draw(n, 0.0, rng);
        let mut copies = |values: &[f64]| -> Vec<f64> {
            values.iter().flat_map(|value| [*value; 5]).map(|value| value + 0.01 * normal(rng)).collect()
        };
        let (x, y) = (copies(&x), copies(&y));
        let interval = spearman_interval(&x, &y, &mut generator(1, "unused")).unwrap();
        interval.low95 <= 0.0 && 0.0 <= interval.high95
    })
}

#[test]
fn the_population_is_that_of_the_ranks() {
    // Four sizes far apart in score: rho_max = sqrt(15 / 16) of very many runs.
    let (x, y) = Design::FourSizes.draw(4_000, 0.9999, &mut generator(1, "far apart"));
    assert!((spearman(&x, &y).unwrap() - (15.0f64 / 16.0).sqrt()).abs() < 1e-3);
    assert_eq!(average_ranks(&x)[0], 500.5);
}
