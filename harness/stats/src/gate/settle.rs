//! What would settle an undecided comparison, if the difference stayed what it is.

use serde::{Deserialize, Serialize};

use super::{
    GateRefusal,
    estimate::{Uncertain, degrees_of_freedom, t_quantile},
};

/// Most seeds that are proposed.
const MOST_SEEDS: usize = 200;

/// What would settle it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Settle {
    /// So many seeds on each side.
    Seeds {
        /// Of each side.
        each: usize,
    },
    /// Noise of the test set alone leaves it open: no number of seeds will settle it.
    TestMolecules {
        /// Test molecules that would, about.
        molecules: usize,
    },
    /// The difference lies where neither verdict holds, however well it is known.
    Nothing,
    /// A first idea of the spread over seeds.
    FirstSeeds {
        /// Of each side.
        each: usize,
    },
    /// A more precise measurement of the value.
    Precision {
        /// Standard error that would do.
        std_error: f64,
    },
}

impl std::fmt::Display for Settle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seeds { each } => write!(formatter, "about {each} seeds on each side would settle it"),
            Self::TestMolecules { molecules } => {
                write!(
                    formatter,
                    "test-set noise dominates: no number of seeds will settle it, about {molecules} test molecules would"
                )
            }
            Self::Nothing => formatter.write_str("more data would hardly settle it: the difference is about minus the margin"),
            Self::FirstSeeds { each } => write!(formatter, "at least {each} seeds on each side show their spread"),
            Self::Precision { std_error } => write!(formatter, "a standard error of about {std_error:.2e} would settle it"),
        }
    }
}

/// For an undecided difference. An interval shorter than the distance to the nearer of the two ends (0 from below, -margin from
/// above) settles it.
pub(super) fn settle(found: &Uncertain, margin: f64) -> Option<Settle> {
    let estimate = &found.estimate;
    let wanted = (margin + estimate.difference).max(-estimate.difference);
    if !(wanted > 0.0 && wanted.is_finite()) {
        return Some(Settle::Nothing);
    }
    if found.molecules == 0 {
        return Some(Settle::Precision { std_error: wanted / t_quantile(estimate.degrees_of_freedom) });
    }
    let molecules = found.molecules as f64;
    let of_test = estimate.se_test * estimate.se_test;
    let shortest = t_quantile(Some(molecules - 1.0)) * estimate.se_test;
    if found.seeds.is_empty() || shortest >= wanted {
        let needed = molecules * (shortest / wanted).powi(2);
        return Some(Settle::TestMolecules { molecules: (needed.ceil() as usize).max(found.molecules + 1) });
    }
    let now = found.seeds.iter().map(|one| one.seeds).min().unwrap_or(2);
    let enough = |each: &usize| {
        let grown: Vec<_> = found
            .seeds
            .iter()
            .map(|one| {
                let ratio = one.seeds as f64 / *each as f64;
                super::estimate::Component {
                    variance: one.variance * ratio,
                    degrees_of_freedom: *each as f64 - 1.0,
                    seeds: *each,
                    ..*one
                }
            })
            .collect();
        let df = degrees_of_freedom(of_test, molecules - 1.0, &grown);
        let variance = of_test + grown.iter().map(|one| one.variance).sum::<f64>();
        t_quantile(Some(df)) * variance.sqrt() < wanted
    };
    let each = (now + 1..=MOST_SEEDS).find(enough);
    Some(each.map_or(Settle::Nothing, |each| Settle::Seeds { each }))
}

/// For a comparison that was refused.
pub(super) fn of_refusal(refusal: &GateRefusal) -> Option<Settle> {
    match refusal {
        GateRefusal::OneSeed { .. } => Some(Settle::FirstSeeds { each: super::SEEDS_OF_A_RECIPE }),
        GateRefusal::TooFewMolecules { needed, .. } => Some(Settle::TestMolecules { molecules: *needed }),
        _ => None,
    }
}
