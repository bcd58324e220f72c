//! Least squares: size of t, HC3, and of points that are no runs; coverage of the slope's interval.

use clmbench_stats::{Column, Ols, ols};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{
    draw::{Design, normal},
    row::{Claim, Plan, Row},
};

const SIZE: &str = "Size of tests";
const COVERAGE: &str = "Coverage of the 95 % interval of the slope";

fn fit(x: &[f64], y: &[f64]) -> Ols {
    ols(&[Column { name: "metric", values: x }], y, 0.95).unwrap()
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    let spread = "t takes the spread as equal in all runs; HC3 does not";
    for &n in plan.runs() {
        for design in [Design::Normal, Design::FourSizes, Design::GrowingSpread] {
            // Normal noise of one spread: the test is exact, and 4 to 6 % is what SCIENCE asks of asymptotic ones.
            let size = Claim::new(SIZE, "t of the slope", design.name(), n).within(0.04, 0.06);
            let size = if design == Design::GrowingSpread { size.known(spread) } else { size };
            rows.push(size.count(plan.simulations(), |rng| {
                let (x, y) = design.draw(n, 0.0, rng);
                fit(&x, &y).coefficients[1].p_value <= 0.05
            }));
            let cover = Claim::new(COVERAGE, "t interval", design.name(), n).within(0.93, 0.97);
            let cover = if design == Design::GrowingSpread { cover.known(spread) } else { cover };
            rows.push(cover.count(plan.simulations(), |rng| {
                let (x, y) = design.draw(n, 0.5, rng);
                let slope = &fit(&x, &y).coefficients[1];
                slope.ci_low <= 0.5 && 0.5 <= slope.ci_high
            }));
        }
        if n >= 20 {
            let student = StudentsT::new(0.0, 1.0, n as f64 - 2.0).unwrap();
            for design in [Design::Normal, Design::FourSizes, Design::GrowingSpread] {
                let claim = Claim::new(SIZE, "t of the slope with the HC3 error", design.name(), n).within(0.04, 0.06);
                rows.push(claim.count(plan.simulations(), |rng| {
                    let (x, y) = design.draw(n, 0.0, rng);
                    let slope = &fit(&x, &y).coefficients[1];
                    let t = slope.estimate / slope.hc3_std_error.unwrap();
                    2.0 * student.sf(t.abs()) <= 0.05
                }));
            }
        }
    }
    rows.extend(checkpoints_as_points(plan, &|claim| claim.known("never done here: why the unit is a run")));
    rows
}

/// Five checkpoints of each run as points of their own, with nothing related: what the unit of a fit must not be.
/// `claimed` says whether it must keep its level.
pub fn checkpoints_as_points(plan: &Plan, claimed: &dyn Fn(Claim) -> Claim) -> Vec<Row> {
    let rows = plan.runs().iter().map(|&n| {
        let claim = Claim::new(SIZE, "t of the slope, 5 checkpoints a run as points", "normal", n).within(0.04, 0.06);
        claimed(claim).count(plan.simulations(), |rng| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            for _ in 0..n {
                let (metric, score) = (normal(rng), normal(rng));
                for _ in 0..5 {
                    x.push(metric + 0.2 * normal(rng));
                    y.push(score + 0.2 * normal(rng));
                }
            }
            fit(&x, &y).coefficients[1].p_value <= 0.05
        })
    });
    rows.collect()
}
