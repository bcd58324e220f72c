//! What would settle an undecided comparison, if the difference stayed what it is.

use serde::{Deserialize, Serialize};

use super::{
    GateRefusal, GateSide,
    estimate::{Uncertain, degrees_of_freedom, t_quantile},
};

/// Above this many seeds a side the noise of the test set is what decides.
const MOST_SEEDS: usize = 1 << 20;

/// What would settle it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Settle {
    /// So many seeds on each side; a side that has more keeps them.
    Seeds {
        /// Of each side.
        each: usize,
        /// Of those, what the gate baseline still lacks.
        more_of_baseline: usize,
        /// Of those, what the candidate still lacks.
        more_of_candidate: usize,
    },
    /// Noise of the test set alone leaves it open: no number of seeds will settle it.
    TestMolecules {
        /// Test molecules that would, about.
        molecules: usize,
    },
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
            Self::Seeds { each, more_of_baseline, more_of_candidate } => {
                write!(formatter, "about {each} seeds on each side would settle it: {more_of_candidate} more of the candidate")?;
                match more_of_baseline {
                    0 => Ok(()),
                    more => write!(formatter, ", {more} more of the gate baseline, saved anew"),
                }
            }
            Self::TestMolecules { molecules } => {
                write!(
                    formatter,
                    "test-set noise dominates: no number of seeds will settle it, about {molecules} test molecules would"
                )
            }
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
        return None;
    }
    if found.molecules == 0 {
        return Some(Settle::Precision { std_error: wanted / t_quantile(estimate.degrees_of_freedom) });
    }
    let molecules = found.molecules as f64;
    let of_test = estimate.se_test * estimate.se_test;
    let shortest = t_quantile(Some(found.df_test)) * estimate.se_test;
    if found.seeds.is_empty() || shortest >= wanted {
        let needed = molecules * (shortest / wanted).powi(2);
        return Some(Settle::TestMolecules { molecules: (needed.ceil() as usize).max(found.molecules + 1) });
    }
    let fewest =
        |side: GateSide| found.seeds.iter().filter(|one| one.side.is_none_or(|of| of == side)).map(|one| one.seeds).min();
    let now = found.seeds.iter().map(|one| one.seeds).min().unwrap_or(2);
    let enough = |each: usize| {
        let grown: Vec<_> = found
            .seeds
            .iter()
            .map(|one| {
                let seeds = each.max(one.seeds);
                let variance = one.variance * one.seeds as f64 / seeds as f64;
                super::estimate::Component { variance, degrees_of_freedom: seeds as f64 - 1.0, seeds, ..*one }
            })
            .collect();
        let df = degrees_of_freedom(of_test, found.df_test, &grown);
        let variance = of_test + grown.iter().map(|one| one.variance).sum::<f64>();
        t_quantile(Some(df)) * variance.sqrt() < wanted
    };
    let (mut below, mut each) = (now, now + 1);
    while !enough(each) {
        if each > MOST_SEEDS {
            return Some(Settle::TestMolecules { molecules: found.molecules + 1 });
        }
        (below, each) = (each, 2 * each);
    }
    while each - below > 1 {
        let middle = below + (each - below) / 2;
        if enough(middle) { each = middle } else { below = middle }
    }
    let more = |side: GateSide| each.saturating_sub(fewest(side).unwrap_or(each));
    Some(Settle::Seeds { each, more_of_baseline: more(GateSide::Baseline), more_of_candidate: more(GateSide::Candidate) })
}

/// For a comparison that was refused.
pub(super) fn of_refusal(refusal: &GateRefusal) -> Option<Settle> {
    match refusal {
        GateRefusal::OneSeed { .. } => Some(Settle::FirstSeeds { each: super::SEEDS_OF_A_RECIPE }),
        GateRefusal::TooFewMolecules { needed, .. } => Some(Settle::TestMolecules { molecules: *needed }),
        _ => None,
    }
}
