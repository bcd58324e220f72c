//! Saturation: coverage of the slope past the knee, and verdicts on ends that are flat or rise by the margin.

use clmbench_stats::{Saturation, saturation, saturation::SaturationVerdict};
use rand::Rng;

use super::{
    draw::normal,
    row::{Claim, Plan, Row, staged},
};

const SECTION: &str = "Saturation";
const MARGIN: f64 = 0.02;

/// How the losses lie, and the score's slope before and past 1.7 halvings.
#[derive(Clone, Copy)]
struct Curve {
    name: &'static str,
    /// Four clusters of losses, as of four sizes, or spread evenly.
    clusters: bool,
    before: f64,
    past: f64,
    noise: f64,
}

const CURVES: [Curve; 5] = [
    Curve { name: "flat past the knee", clusters: false, before: 0.05, past: 0.0, noise: 0.02 },
    Curve { name: "flat past the knee, little noise", clusters: false, before: 0.05, past: 0.0, noise: 0.005 },
    Curve { name: "rises by the margin past the knee", clusters: false, before: 0.05, past: MARGIN, noise: 0.02 },
    Curve { name: "flat past the knee, four sizes, little noise", clusters: true, before: 0.05, past: 0.0, noise: 0.005 },
    Curve { name: "flat, no knee, four sizes", clusters: true, before: 0.0, past: 0.0, noise: 0.02 },
];

impl Curve {
    fn judged(self, n: usize, rng: &mut impl Rng) -> Option<Saturation> {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for run in 0..n {
            let cluster = [0.0, 1.1, 2.2, 3.2][run % 4];
            let halvings: f64 = if self.clusters { cluster + 0.1 * normal(rng) } else { 3.46 * rng.random::<f64>() };
            x.push(halvings);
            y.push(self.before * halvings.min(1.7) + self.past * (halvings - 1.7).max(0.0) + self.noise * normal(rng));
        }
        // Where too few resamples have a knee it is refused: nothing is claimed.
        saturation(&x, &y, MARGIN, rng).ok()
    }
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for curve in CURVES {
        for &n in plan.choose(&[8, 12, 24, 48], &[8, 24]) {
            let claims = |found: &[Option<Saturation>]| {
                let found: Vec<&Saturation> = found.iter().flatten().collect();
                let share = |holds: &dyn Fn(&Saturation) -> bool| found.iter().map(|found| holds(found)).collect::<Vec<bool>>();
                let covered = share(&|found| found.interval.low95 <= curve.past && curve.past <= found.interval.high95);
                let claim = Claim::new(SECTION, "95 % interval covers the slope past the knee", curve.name, n).within(0.93, 1.0);
                let covers = claim.note("cautious: too wide rather than too narrow");
                let (what, wrong): (&str, &[SaturationVerdict]) = match curve.past {
                    0.0 => ("`improves` or `degrades`", &[SaturationVerdict::Improves, SaturationVerdict::Degrades]),
                    _ => ("`saturates` or `degrades`", &[SaturationVerdict::Saturates, SaturationVerdict::Degrades]),
                };
                let errs = Claim::new(SECTION, what, curve.name, n).within(0.0, 0.05);
                vec![covers.found(covered), errs.found(share(&|found| wrong.contains(&found.verdict)))]
            };
            rows.extend(staged(
                &format!("saturation {} {n}", curve.name),
                plan.simulations(),
                |rng| curve.judged(n, rng),
                claims,
            ));
        }
    }
    rows
}
