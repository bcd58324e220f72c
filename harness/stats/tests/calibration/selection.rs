//! Regret and recall of choosing by a metric: why they are shown without an interval.

use clmbench_stats::{
    Selection,
    numeric::{mean, quantile_of_sorted},
    resampled_counts, selection,
};
use rand_chacha::ChaCha8Rng;

use super::{
    draw::{Design, latent},
    row::{Claim, Found, Plan, Row, simulate, staged},
};

const SECTION: &str = "Selection by a metric";
const NAMES: [&str; 3] = ["regret", "share of regret", "recall"];

/// Resamples of the intervals.
const RESAMPLES: usize = 499;

fn three(found: Selection) -> [f64; 3] {
    [found.regret, found.regret_share.unwrap_or(f64::NAN), found.recall]
}

/// 95 % percentile intervals by resampling whole runs, whose copies tie. They are shown nowhere: resamples miss the best run a third of the
/// time. A resample with equal scores is drawn again.
fn intervals(metric: &[f64], score: &[f64], k: usize, rng: &mut ChaCha8Rng) -> [(f64, f64); 3] {
    let mut found: Vec<[f64; 3]> = Vec::with_capacity(RESAMPLES);
    while found.len() < RESAMPLES {
        let counts = resampled_counts(score.len(), rng);
        let copies = |values: &[f64]| -> Vec<f64> {
            values.iter().zip(&counts).flat_map(|(value, count)| vec![*value; *count as usize]).collect()
        };
        found.extend(selection(&copies(metric), &copies(score), k).map(three));
    }
    std::array::from_fn(|place| {
        let mut values: Vec<f64> = found.iter().map(|found| found[place]).filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        (quantile_of_sorted(&values, 0.025), quantile_of_sorted(&values, 0.975))
    })
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for &rho in plan.choose(&[0.0, 0.5, 0.8], &[0.5]) {
        for &k in plan.choose(&[1, 3], &[1]) {
            for &n in plan.choose(&[8, 12, 24, 48], &[24]) {
                let draw = |rng: &mut ChaCha8Rng| Design::Normal.draw(n, latent(rho), rng);
                let population = simulate(&format!("population selection {rho} {k} {n}"), 20_000, |rng| {
                    let (metric, score) = draw(rng);
                    three(selection(&metric, &score, k).unwrap())
                });
                let truths: [f64; 3] =
                    std::array::from_fn(|place| mean(&population.iter().map(|found| found[place]).collect::<Vec<f64>>()));
                let one = |rng: &mut ChaCha8Rng| -> [bool; 3] {
                    let (metric, score) = draw(rng);
                    let found = intervals(&metric, &score, k, rng);
                    std::array::from_fn(|place| found[place].0 <= truths[place] && truths[place] <= found[place].1)
                };
                let claims = |found: &[[bool; 3]]| -> Vec<Found> {
                    let claim = |place: usize| {
                        let what = format!("95 % interval of the {} at {k}", NAMES[place]);
                        let claim = Claim::new(SECTION, what, format!("normal, rho = {rho}"), n).within(0.93, 1.0);
                        let claim = claim.known(format!("not used: this is why; of the mean {:.3}", truths[place]));
                        claim.found(found.iter().map(|found| found[place]).collect())
                    };
                    [0, 1, 2].map(claim).into()
                };
                // Nothing that is shown rests on these rows.
                let few = plan.simulations().min(1_000);
                rows.extend(staged(&format!("selection {rho} {k} {n}"), few, one, claims));
            }
        }
    }
    rows
}
