//! Correlations beside Spearman's: coverage of their intervals with normal runs.

use clmbench_stats::{
    Column, Correlated, fisher, kendall_error, kendall_tau_b, numeric::mean, partial_spearman, pearson, student,
    weighted_kendall, weighted_kendall_error,
};
use rand_chacha::ChaCha8Rng;

use super::{
    draw::{Design, normal},
    row::{Claim, Found, Plan, Row, simulate, staged},
};

const SECTION: &str = "Coverage of the 95 % interval of other correlations";
const NAMES: [&str; 4] =
    ["Pearson, Fisher's z", "Kendall, jackknife and t", "weighted Kendall, jackknife and t", "partial Spearman"];

/// An estimate and both ends; none where it has no interval.
type Estimated = Option<(f64, f64, f64)>;

/// Metric, score and two covariates that both follow.
fn draw(n: usize, r: f64, rng: &mut ChaCha8Rng) -> [Vec<f64>; 4] {
    let (metric, score) = Design::Normal.draw(n, r, rng);
    let [first, second] = [0, 1].map(|_| (0..n).map(|_| normal(rng)).collect::<Vec<f64>>());
    [metric, score, first, second]
}

/// What follows the covariates as well.
fn with(values: &[f64], first: &[f64], second: &[f64]) -> Vec<f64> {
    values.iter().zip(first).zip(second).map(|((value, first), second)| value + first - 0.5 * second).collect()
}

fn partial([metric, score, first, second]: &[Vec<f64>; 4]) -> Estimated {
    let (metric, score) = (with(metric, first, second), with(score, first, second));
    let covariates = [Column { name: "first", values: first }, Column { name: "second", values: second }];
    let found = partial_spearman(Column { name: "metric", values: &metric }, &score, &covariates).ok()?;
    let ends = found.ends.ok()?;
    Some((found.r, ends.low95, ends.high95))
}

/// Estimate and interval of each; none where it has none.
fn four(n: usize, r: f64, rng: &mut ChaCha8Rng) -> [Estimated; 4] {
    let drawn = draw(n, r, rng);
    let [metric, score, ..] = &drawn;
    let of_pearson = pearson(metric, score).ok().and_then(|r| {
        let ends = fisher(r, n, 0, Correlated::Values).ok()?;
        Some((r, ends.low95, ends.high95))
    });
    let of_kendall = |tau: f64, error: Option<(f64, usize)>| {
        let (error, df) = error.filter(|(error, _)| *error > 1e-12)?;
        let ends = student(tau, error, df).ok()?.ends;
        Some((tau, ends.low95.max(-1.0), ends.high95.min(1.0)))
    };
    [
        of_pearson,
        of_kendall(kendall_tau_b(metric, score).unwrap(), kendall_error(metric, score).map(|error| (error, n - 1))),
        of_kendall(weighted_kendall(metric, score).unwrap(), weighted_kendall_error(metric, score)),
        partial(&drawn),
    ]
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for &r in plan.choose(&[0.0, 0.5, 0.8, 0.95], &[0.5]) {
        let many =
            simulate(&format!("population of a partial correlation {r}"), 200, |rng| partial(&draw(2_000, r, rng)).unwrap().0);
        for &n in plan.choose(&[8, 12, 24, 48], &[12]) {
            // Its weights go by rank, so it is a number of its own for every n.
            let weighted = simulate(&format!("population of a weighted Kendall {r} {n}"), 20_000, |rng| {
                let [metric, score, ..] = draw(n, r, rng);
                weighted_kendall(&metric, &score).unwrap()
            });
            let truths = [r, std::f64::consts::FRAC_2_PI * r.asin(), mean(&weighted), mean(&many)];
            let claims = |found: &[[Estimated; 4]]| -> Vec<Found> {
                let one = |place: usize| {
                    let (truth, name) = (truths[place], NAMES[place]);
                    let some: Vec<(f64, f64, f64)> = found.iter().filter_map(|found| found[place]).collect();
                    let given = 100.0 * some.len() as f64 / found.len() as f64;
                    let average = mean(&some.iter().map(|found| found.0).collect::<Vec<f64>>());
                    let note = format!("{truth:.3}: mean estimate {average:.3}; has an interval in {given:.0} %");
                    let covered = some.iter().map(|(_, low, high)| *low <= truth && truth <= *high).collect();
                    Claim::new(SECTION, name, format!("normal, r = {r}"), n).within(0.93, 1.0).note(note).found(covered)
                };
                let few = if n < 10 { 3 } else { 4 };
                (0..few).map(one).collect()
            };
            rows.extend(staged(&format!("correlations {r} {n}"), plan.simulations(), |rng| four(n, r, rng), claims));
        }
    }
    rows
}
