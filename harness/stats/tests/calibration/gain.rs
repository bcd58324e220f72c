//! The gain over size, tokens and corpus: coverage of its interval, and verdicts.

use clmbench_stats::{Column, Gain, GainVerdict, cross_validation::q2_of_resample, gain, numeric::mean};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    draw::normal,
    row::{Claim, Plan, Row, simulate, staged},
};

const SECTION: &str = "Gain";

/// Four sizes x two corpora, a metric that follows the size by half, and a score.
struct Suite {
    size: Vec<f64>,
    corpus: Vec<f64>,
    metric: Vec<f64>,
    score: Vec<f64>,
}

/// What the score follows: size, what only the metric tells, noise.
#[derive(Clone, Copy)]
struct Weights {
    name: &'static str,
    size: f64,
    metric: f64,
    noise: f64,
}

const DESIGNS: [Weights; 3] = [
    Weights { name: "nothing to gain", size: 1.0, metric: 0.0, noise: 0.5 },
    Weights { name: "something to gain", size: 1.0, metric: 0.5, noise: 0.7 },
    Weights { name: "much to gain", size: 0.5, metric: 1.0, noise: 0.5 },
];

fn suite(n: usize, weights: Weights, rng: &mut impl Rng) -> Suite {
    let mut suite = Suite { size: Vec::new(), corpus: Vec::new(), metric: Vec::new(), score: Vec::new() };
    for run in 0..n {
        let (size, corpus) = ((run % 4) as f64 / 1.25f64.sqrt(), ((run / 4) % 2) as f64 * 2.0 - 1.0);
        let own = normal(rng);
        suite.size.push(size);
        suite.corpus.push(corpus);
        suite.metric.push(0.5 * size + own);
        suite.score.push(weights.size * size + 0.3 * corpus + weights.metric * own + weights.noise * normal(rng));
    }
    suite
}

impl Suite {
    fn gain(&self, rng: &mut impl Rng) -> Gain {
        let trivial = [Column { name: "size", values: &self.size }, Column { name: "corpus", values: &self.corpus }];
        gain(&self.score, &self.metric, &trivial, rng).unwrap()
    }

    /// The gain alone.
    fn estimate(&self) -> f64 {
        let once = vec![1.0; self.score.len()];
        let all = q2_of_resample(&[&self.size, &self.corpus, &self.metric], &self.score, &once);
        all.unwrap() - q2_of_resample(&[&self.size, &self.corpus], &self.score, &once).unwrap()
    }
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for weights in DESIGNS {
        for &n in plan.choose(&[8, 12, 24, 48], &[12]) {
            let truth =
                mean(&simulate(&format!("mean gain {} {n}", weights.name), 20_000, |rng| suite(n, weights, rng).estimate()));
            let design = format!("{}: mean gain {truth:.2}", weights.name);
            let one = |rng: &mut ChaCha8Rng| {
                let found = suite(n, weights, rng).gain(rng);
                let covered = found.interval.is_some_and(|interval| interval.low95 <= truth && truth <= interval.high95);
                (covered, found.verdict == GainVerdict::Better)
            };
            let claims = |found: &[(bool, bool)]| {
                let claim = Claim::new(SECTION, "95 % interval covers the mean gain", design.clone(), n).within(0.93, 1.0);
                let covers = claim.note("cautious: too wide rather than too narrow");
                let claim = Claim::new(SECTION, "`better`", design.clone(), n);
                let better = if weights.metric == 0.0 { claim.within(0.0, 0.025) } else { claim.known("power") };
                vec![
                    covers.found(found.iter().map(|(covered, _)| *covered).collect()),
                    better.found(found.iter().map(|(_, better)| *better).collect()),
                ]
            };
            rows.extend(staged(&format!("gain {} {n}", weights.name), plan.simulations(), one, claims));
        }
    }
    rows
}
