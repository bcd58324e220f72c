//! What estimators share: which molecules they look at, and when they stop.

use clmbench_api::SamplePart;
use clmbench_protocol::ParameterInfo;

use crate::{Params, PluginError, Probe, Sample, statistics};

/// The molecules that a metric looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Molecules {
    /// Part that they are of.
    pub part: SamplePart,
    /// How many: the first ones of the part, which are in drawing order, that is, at random.
    pub count: u64,
}

impl Molecules {
    /// The two parameters `sample` (`heldout` or `train`) and `molecules`.
    pub fn parameters(default: i64) -> [ParameterInfo; 2] {
        let sample = "molecules: `heldout`, in no corpus subset, or `train`, the smallest training subset of the suite";
        [
            ParameterInfo::text("sample", "heldout", &["heldout", "train"], sample),
            ParameterInfo::integer("molecules", default, "molecules of the sample that are used; 0 = all").between(0.0, 1e9),
        ]
    }

    /// What the parameters `sample` and `molecules` say; no more than there are.
    ///
    /// # Errors
    /// When the host does not offer the sample; [`PluginError::Input`] below two molecules, which have no error.
    pub fn read(probe: &Probe<'_>, params: &Params) -> Result<Self, PluginError> {
        let part = match params.text("sample")?.as_str() {
            "heldout" => SamplePart::Heldout,
            "train" => SamplePart::Train,
            other => return Err(PluginError::Input(format!("parameter `sample` is `{other}`; there are: heldout, train"))),
        };
        let (all, wanted) = (probe.molecules(part)?, params.integer("molecules")?.unsigned_abs());
        let count = if wanted == 0 { all } else { wanted.min(all) };
        if count < 2 {
            let text = format!("the sample has {count} molecule(s); at least 2 are needed for an error over molecules");
            return Err(PluginError::Input(text));
        }
        Ok(Self { part, count })
    }

    /// All of them in one sample.
    pub fn whole(&self, draw: u64) -> Sample {
        Sample { part: self.part, start: 0, count: self.count, draw }
    }

    /// Whether another draw gives other masks: not where every token is predicted (causal LM).
    ///
    /// # Errors
    /// Whatever the host refuses.
    pub fn draws_differ(&self, probe: &Probe<'_>) -> Result<bool, PluginError> {
        Ok(probe.predicted(self.whole(0))? != probe.predicted(self.whole(1))?)
    }

    /// `most` groups of nearly equal size, fewer if there are fewer molecules; together they hold every molecule once.
    pub fn groups(&self, most: u64, draw: u64) -> Vec<Sample> {
        let groups = most.clamp(1, self.count);
        let edge = |group: u64| (u128::from(self.count) * u128::from(group) / u128::from(groups)) as u64;
        let sample = |group: u64| Sample { start: edge(group), count: edge(group + 1) - edge(group), ..self.whole(draw) };
        (0..groups).map(sample).collect()
    }
}

/// When a sequence of independent draws of an estimate ends.
///
/// After `most` draws (`complete`); from `least` draws on, as soon as the standard error of their mean is at most 5 % of
/// |mean| or 0.5 % of the mean |draw|, whichever is larger (`precision`); from two draws on, once the budget is spent
/// (`budget`). The last draw may go beyond the budget, by less than its own cost. A budget that draws meet exactly is spent, whatever
/// the rounding of the sum of their costs, which differs between batch sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopping {
    /// Draws before the standard error is trusted.
    pub least: usize,
    /// Draws at most.
    pub most: usize,
}

impl Stopping {
    /// Why to stop after these draws, if so.
    ///
    /// # Errors
    /// [`PluginError::NonFinite`] when the last draw is not finite: no mean will come of it.
    pub fn reason(&self, probe: &Probe<'_>, draws: &[f64]) -> Result<Option<&'static str>, PluginError> {
        if let Some(last) = draws.last().filter(|last| !last.is_finite()) {
            return Err(PluginError::NonFinite(format!("draw {} of the estimate is {last}", draws.len())));
        }
        Ok(if draws.len() >= self.most {
            Some("complete")
        } else if draws.len() >= self.least.max(2) && precise(draws) {
            Some("precision")
        } else if draws.len() >= 2 && is_spent(probe.spent()?, probe.budget()) {
            Some("budget")
        } else {
            None
        })
    }
}

/// Relative rounding allowed in a sum of costs: far more than 10^5 additions make, far less than any draw costs.
const ROUNDING: f64 = 1e-9;

/// Whether a sum of costs has reached the budget, but for rounding.
fn is_spent(spent: f64, budget: f64) -> bool {
    spent >= budget * (1.0 - ROUNDING)
}

/// The rule of precision alone.
fn precise(draws: &[f64]) -> bool {
    let (mean, error) = statistics::mean_with_error(draws);
    let size = draws.iter().map(|draw| draw.abs()).sum::<f64>() / draws.len() as f64;
    error <= (0.05 * mean.abs()).max(0.005 * size)
}

#[cfg(test)]
mod tests {
    use clmbench_api::SamplePart;

    use super::{Molecules, is_spent, precise};

    #[test]
    fn groups_hold_every_molecule_once() {
        for (count, most) in [(256_u64, 16_u64), (10, 16), (37, 5), (2, 1)] {
            let groups = Molecules { part: SamplePart::Heldout, count }.groups(most, 3);
            assert_eq!(groups.len() as u64, most.min(count));
            let mut next = 0;
            for group in &groups {
                assert_eq!((group.start, group.draw), (next, 3));
                assert!(group.count >= count / most.min(count) && group.count > 0);
                next += group.count;
            }
            assert_eq!(next, count);
        }
    }

    #[test]
    fn precision_is_relative_to_the_mean_or_to_the_size_of_the_draws() {
        // Mean 10, standard error 0.5: just precise; a spread a little larger is not.
        assert!(precise(&[9.5, 10.5]) && !precise(&[9.4, 10.6]));
        // Mean near 0: 0.5 % of the size of the draws decides.
        let balanced = |n: usize| (0..n).map(|k| if k % 2 == 0 { 1.0 } else { -1.0 }).collect::<Vec<f64>>();
        assert!(!precise(&balanced(30_000)) && precise(&balanced(50_000)));
    }

    #[test]
    fn a_budget_that_is_met_exactly_is_spent_whatever_the_batches() {
        // 100 in 300 passes over everything, each in another number of batches: the sums differ in the last bits, the answer does not.
        let sums: Vec<f64> =
            [1_u32, 3, 7, 10, 49].map(|parts| (0..300 * parts).map(|_| 1.0 / 3.0 / f64::from(parts)).sum()).into();
        assert!(sums.iter().any(|sum| *sum < 100.0) && sums.iter().any(|sum| *sum >= 100.0), "{sums:?}");
        assert!(sums.iter().all(|sum| is_spent(*sum, 100.0)), "{sums:?}");
        assert!(!is_spent(99.999, 100.0));
    }
}
