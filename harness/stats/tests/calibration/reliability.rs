//! Reliabilities, the noise ceiling and the disattenuated r: coverage of their intervals, and the mean of the estimates.

use clmbench_stats::{AttenuationIntervals, Interval, Noisy, Refusal, Source, attenuation_intervals, numeric::mean};
use rand_chacha::ChaCha8Rng;

use super::{
    draw::{latent, normal},
    row::{Claim, Found, Plan, Row, staged},
};

const SECTION: &str = "Reliability and disattenuated r";

/// Runs whose metric and score are known with noise.
#[derive(Clone, Copy)]
struct Measured {
    source: Source,
    /// Spearman's rho without noise.
    rho: f64,
    /// Variance of the noise, of a variance of 1 without it.
    noise: f64,
}

/// Columns of a simulated suite.
struct Columns {
    metric: Vec<f64>,
    score: Vec<f64>,
    errors: Vec<f64>,
    groups: Vec<usize>,
}

/// An estimate and its interval.
type Estimated = Option<(f64, Interval)>;

const NAMES: [&str; 4] = ["reliability of the metric", "reliability of the score", "noise ceiling", "disattenuated r"];

impl Measured {
    fn reliability(self) -> f64 {
        1.0 / (1.0 + self.noise)
    }

    /// n runs; with seeds, two a configuration.
    fn draw(self, n: usize, rng: &mut ChaCha8Rng) -> Columns {
        let seeds = if self.source == Source::Seeds { 2 } else { 1 };
        let r = latent(self.rho);
        let mut columns = Columns { metric: vec![], score: vec![], errors: vec![], groups: vec![] };
        let noise = self.noise.sqrt();
        for configuration in 0..n / seeds {
            let metric = normal(rng);
            let score = r * metric + (1.0 - r * r).sqrt() * normal(rng);
            for _ in 0..seeds {
                columns.metric.push(metric + noise * normal(rng));
                columns.score.push(score + noise * normal(rng));
                columns.errors.push(noise);
                columns.groups.push(configuration);
            }
        }
        columns
    }

    /// All four with their intervals; none where there is no estimate or no interval.
    fn estimate(self, n: usize, rng: &mut ChaCha8Rng) -> [Estimated; 4] {
        let columns = self.draw(n, rng);
        let noisy = Noisy {
            metric: &columns.metric,
            metric_errors: &columns.errors,
            score: &columns.score,
            score_errors: &columns.errors,
            groups: &columns.groups,
        };
        let Ok(found) = noisy.attenuation(self.source) else { return [None; 4] };
        let intervals = attenuation_intervals(&noisy, self.source, rng);
        let with = |value: f64, get: fn(&AttenuationIntervals) -> &Result<Interval, Refusal>| -> Estimated {
            let interval = get(intervals.as_ref().ok()?).as_ref().ok()?;
            value.is_finite().then_some((value, *interval))
        };
        [
            with(found.metric, |found| &found.metric),
            with(found.score, |found| &found.score),
            with(found.ceiling, |found| &found.ceiling),
            with(found.r, |found| &found.r),
        ]
    }

    fn rows(self, plan: &Plan, n: usize) -> Vec<Row> {
        let reliability = self.reliability();
        let truths = [reliability, reliability, reliability, self.rho];
        let from = if self.source == Source::Seeds { "two seeds a configuration" } else { "standard errors" };
        let design = format!("from {from}: reliabilities {reliability:.2}, r = {}", self.rho);
        let claims = |found: &[[Estimated; 4]]| -> Vec<Found> {
            let one = |place: usize| {
                let some: Vec<(f64, Interval)> = found.iter().filter_map(|found| found[place]).collect();
                let truth = truths[place];
                let covered = some.iter().map(|(_, interval)| interval.low95 <= truth && truth <= interval.high95).collect();
                let estimates: Vec<f64> = some.iter().map(|(estimate, _)| *estimate).collect();
                let given = 100.0 * some.len() as f64 / found.len() as f64;
                let note = format!("{truth:.2}: mean estimate {:.3}; has an interval in {given:.0} %", mean(&estimates));
                let claim = Claim::new(SECTION, format!("95 % interval of the {}", NAMES[place]), design.clone(), n);
                claim.within(0.93, 1.0).note(note).found(covered)
            };
            [0, 2, 3].map(one).into()
        };
        staged(&format!("reliability {design} {n}"), plan.simulations(), |rng| self.estimate(n, rng), claims)
    }
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let errors = |rho, noise| Measured { source: Source::Errors, rho, noise };
    let seeds = |rho, noise| Measured { source: Source::Seeds, rho, noise };
    let all = [errors(0.0, 0.25), errors(0.5, 0.25), errors(0.8, 0.25), errors(0.5, 1.0), errors(0.8, 0.04)];
    let of_seeds = [seeds(0.0, 0.25), seeds(0.5, 0.25), seeds(0.8, 0.25), seeds(0.5, 1.0), seeds(0.8, 0.04)];
    let mut rows = Vec::new();
    for &n in plan.choose(&[8, 12, 24, 48], &[24]) {
        rows.extend(plan.choose(&all, &all[1..2]).iter().flat_map(|design| design.rows(plan, n)));
    }
    for &n in plan.choose(&[16, 24, 48], &[24]) {
        rows.extend(plan.choose(&of_seeds, &of_seeds[1..2]).iter().flat_map(|design| design.rows(plan, n)));
    }
    rows
}
