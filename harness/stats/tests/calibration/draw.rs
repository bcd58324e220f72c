//! Designs: suites of runs whose truth is known.

pub use clmbench_stats::seed::normal;
use clmbench_stats::{generator, spearman};
use rand::Rng;

/// How metric and score of runs go together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Design {
    /// Metric and score normal.
    Normal,
    /// The metric takes four values, a size each, in n / 4 runs; normal noise in the score.
    FourSizes,
    /// Sizes x corpora x seeds: the metric has eight values.
    Grid,
    /// Student's t with 3 degrees of freedom in both, from time to time a run far off in both.
    HeavyTails,
    /// The noise of the score grows with the metric.
    GrowingSpread,
    /// Poor runs agree, good ones hardly (the copula of Clayton 1978). The interval was chosen without it.
    PoorRunsAgree,
}

impl Design {
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::FourSizes => "four sizes",
            Self::Grid => "sizes x corpora",
            Self::HeavyTails => "heavy tails",
            Self::GrowingSpread => "growing spread",
            Self::PoorRunsAgree => "poor runs agree",
        }
    }

    /// Metric and score of n runs with the latent correlation r.
    pub fn draw(self, n: usize, r: f64, rng: &mut impl Rng) -> (Vec<f64>, Vec<f64>) {
        let rest = (1.0 - r * r).sqrt();
        let one = |run: usize| match self {
            Self::Normal => {
                let metric = normal(rng);
                (metric, r * metric + rest * normal(rng))
            }
            Self::FourSizes => {
                // Variance 1.
                let metric = (run % 4) as f64 / 1.25f64.sqrt();
                (metric, r * metric + rest * normal(rng))
            }
            Self::Grid => {
                let corpus = if (run / 4).is_multiple_of(2) { 0.3 } else { -0.3 };
                let metric = ((run % 4) as f64 + corpus) / 1.34f64.sqrt();
                (metric, r * metric + rest * normal(rng))
            }
            Self::HeavyTails => {
                let metric = normal(rng);
                let score = r * metric + rest * normal(rng);
                let chi_squared: f64 = (0..3).map(|_| normal(rng).powi(2)).sum();
                let stretch = (3.0 / chi_squared).sqrt();
                (metric * stretch, score * stretch)
            }
            Self::GrowingSpread => {
                let metric = normal(rng);
                (metric, r * metric + rest * normal(rng) * (0.5 * metric - 0.125).exp())
            }
            Self::PoorRunsAgree => {
                // Kendall's tau of normal runs with this r.
                let tau = 2.0 / std::f64::consts::PI * r.asin();
                let theta = 2.0 * tau / (1.0 - tau);
                let (metric, other) = (1.0 - rng.random::<f64>(), 1.0 - rng.random::<f64>());
                if theta == 0.0 {
                    return (metric, other);
                }
                let score = (metric.powf(-theta) * (other.powf(-theta / (1.0 + theta)) - 1.0) + 1.0).powf(-1.0 / theta);
                (metric, score)
            }
        };
        (0..n).map(one).unzip()
    }

    /// Spearman's rho of very many such runs: in closed form, or of 400,000 runs in ten parts.
    pub fn rho(self, r: f64) -> f64 {
        if self == Self::Normal {
            return 6.0 / std::f64::consts::PI * (r / 2.0).asin();
        }
        let part = |seed: u64| {
            let (x, y) = self.draw(40_000, r, &mut generator(seed, &format!("population {} {r}", self.name())));
            spearman(&x, &y).unwrap()
        };
        (0..10).map(part).sum::<f64>() / 10.0
    }
}

/// The latent correlation of normal runs whose Spearman's rho is `rho`.
pub fn latent(rho: f64) -> f64 {
    2.0 * (std::f64::consts::PI * rho / 6.0).sin()
}
