//! Means of r within strata: size of their test, coverage of their interval.

use clmbench_stats::strata;
use rand_chacha::ChaCha8Rng;

use super::{
    draw::{Design, latent},
    row::{Claim, Plan, Row, staged},
};

const SIZE: &str = "Size of tests";
const COVERAGE: &str = "Mean r within strata (sizes, corpora)";

/// The mean over `number` strata of n / number normal runs: p, and the interval where there is one.
fn mean(n: usize, number: usize, rho: f64, rng: &mut ChaCha8Rng) -> (f64, Option<(f64, f64)>) {
    let (mut x, mut y, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for stratum in 0..number {
        let (metric, score) = Design::Normal.draw(n / number, latent(rho), rng);
        // What differs between the strata is nothing to a mean within them.
        x.extend(metric.iter().map(|value| value + 10.0 * stratum as f64));
        y.extend(score.iter().map(|value| value - 10.0 * stratum as f64));
        groups.extend(vec![stratum; n / number]);
    }
    let within = strata(&x, &y, &groups).unwrap().within.unwrap();
    (within.p_value, within.ends.ok().map(|ends| (ends.low95, ends.high95)))
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    let designs = [(2, 8), (2, 12), (3, 12), (2, 24), (4, 24), (6, 24), (4, 48), (6, 48)];
    for &(number, n) in plan.choose(&designs, &designs[3..4]) {
        let design = format!("{number} strata of {}", n / number);
        for &rho in plan.choose(&[0.0, 0.5, 0.8, 0.95], &[0.0, 0.5]) {
            let claims = |found: &[(f64, Option<(f64, f64)>)]| {
                let covered: Vec<bool> =
                    found.iter().filter_map(|(_, ends)| ends.map(|(low, high)| low <= rho && rho <= high)).collect();
                let given = 100.0 * covered.len() as f64 / found.len() as f64;
                let covers = Claim::new(COVERAGE, format!("95 % interval, rho = {rho}"), design.clone(), n);
                let covers = covers.within(0.93, 1.0).note(format!("has an interval in {given:.0} %"));
                let mut claims = vec![covers.found(covered)];
                if rho == 0.0 {
                    let size = Claim::new(SIZE, "mean r within strata", design.clone(), n).within(0.0, 0.06);
                    claims.push(size.found(found.iter().map(|(p, _)| *p <= 0.05).collect()));
                }
                claims
            };
            let label = format!("within {design} {rho}");
            rows.extend(staged(&label, plan.simulations(), |rng| mean(n, number, rho, rng), claims));
        }
    }
    rows
}
