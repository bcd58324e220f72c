//! Independent draws over groups of molecules: what every trace is made of, and the two errors that come of it.

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
};

/// Groups that the molecules are split into at most, unless more are asked for.
const GROUPS: u64 = 16;
/// Groups at least, where there are as many molecules: a jackknife over them has one degree of freedom less.
const LEAST_GROUPS: u64 = 4;
/// Molecules of a group, so that a pass over it is not tiny.
const OF_A_GROUP: u64 = 8;
/// Draws before the standard error is trusted: below, an early stop can come by chance.
const LEAST: usize = 4;
/// Degrees of freedom before it is trusted: an error within 13 %.
const FREEDOM: usize = 30;

/// One draw on one group of molecules.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    /// Predicted tokens of the group.
    tokens: f64,
    /// Estimates for the group's own mean loss per predicted token; the first one decides when to stop.
    numbers: Vec<f64>,
}

/// Draws [draws][groups], independent of one another for given molecules: signs, masks and sampled labels are fresh in every one.
///
/// What is estimated is linear in the data, so that the mean over groups, weighted by their predicted tokens, estimates it for all
/// molecules. Since groups do not share their signs, their noise does not add up: it falls with the number of groups, at the price
/// of the same number of products.
#[derive(Debug)]
pub struct Draws {
    /// Molecules used.
    pub molecules: u64,
    /// Why there are no more.
    pub stopped: &'static str,
    table: Vec<Vec<Part>>,
}

/// Which masks a draw takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masks {
    /// The k-th draw those of draw `k + first`.
    From(u64),
    /// All those of draw 0.
    One,
}

impl Masks {
    /// The parameter `masks`.
    pub fn parameter() -> ParameterInfo {
        let doc = "`fresh` masks in every draw, or `one`: those of draw 0, of which the value then is, without their noise";
        ParameterInfo::text("masks", "fresh", &["fresh", "one"], doc)
    }

    /// What the parameter says.
    ///
    /// # Errors
    /// [`PluginError::Input`].
    pub fn read(params: &Params) -> Result<Self, PluginError> {
        match params.text("masks")?.as_str() {
            "fresh" => Ok(Self::From(0)),
            "one" => Ok(Self::One),
            other => Err(PluginError::Input(format!("parameter `masks` is `{other}`; there are: fresh, one"))),
        }
    }

    fn of(self, draw: u64) -> u64 {
        match self {
            Self::From(first) => first + draw,
            Self::One => 0,
        }
    }
}

/// Groups for so many molecules: as many as asked for (at least two, or there is no error), or for 0 one for every 8 molecules,
/// but no fewer than 4 and no more than 16.
pub fn groups(asked: u64, molecules: u64) -> u64 {
    match asked {
        0 => (molecules / OF_A_GROUP).clamp(LEAST_GROUPS, GROUPS),
        asked => asked.max(2),
    }
}

/// Parameters of every metric that draws: how many draws, groups and molecules.
pub fn parameters(draws: &str, default: i64, doc: &str, molecules: i64) -> Vec<ParameterInfo> {
    let groups = "groups of molecules, each with signs (or labels) of its own; the error over molecules is a jackknife over them; \
                  0: one for every 8 molecules, but from 4 to 16";
    let mut all = vec![
        ParameterInfo::integer(draws, default, doc).between(2.0, 100_000.0),
        ParameterInfo::integer("groups", 0, groups).between(0.0, 4096.0),
    ];
    all.extend(Molecules::parameters(molecules));
    all
}

impl Draws {
    /// Draws until the first number is precise, the budget is spent, or there are `most`. `draw` gives the numbers of the k-th
    /// draw on a group under the masks that `masks` says.
    ///
    /// # Errors
    /// [`PluginError::Input`] where a draw has no token to predict; [`PluginError::NonFinite`]; whatever `draw` refuses.
    pub fn take(
        probe: &Probe<'_>,
        params: &Params,
        (masks, most): (Masks, i64),
        mut draw: impl FnMut(u64, Sample) -> Result<Vec<f64>, PluginError>,
    ) -> Result<Self, PluginError> {
        let molecules = Molecules::read(probe, params)?;
        let groups = groups(params.integer("groups")?.unsigned_abs(), molecules.count);
        let most = most.unsigned_abs() as usize;
        let mut found = Self { molecules: molecules.count, stopped: "complete", table: Vec::new() };
        // Precision is judged here, by the pooled error, which has many more degrees of freedom than the spread of the draws.
        let stopping = Stopping { least: usize::MAX, most };
        let mut means = Vec::new();
        loop {
            let k = found.table.len() as u64;
            let of = masks.of(k);
            probe.progress(found.table.len() as u64, most as u64, "draw")?;
            let parts: Result<Vec<Part>, PluginError> =
                molecules.groups(groups, of).into_iter().map(|sample| part(probe, sample, |sample| draw(k, sample))).collect();
            let parts = parts?;
            let tokens: f64 = parts.iter().map(|part| part.tokens).sum();
            if tokens == 0.0 {
                return Err(nothing_predicted(molecules.whole(of)));
            }
            means.push(parts.iter().map(|part| part.tokens * part.number(0)).sum::<f64>() / tokens);
            found.table.push(parts);
            if let Some(reason) = stopping.reason(probe, &means)? {
                found.stopped = reason;
                return Ok(found);
            }
            if found.precise(&means) {
                found.stopped = "precision";
                return Ok(found);
            }
        }
    }

    /// Number of draws.
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// Whether the first number is known to 5 %, or to 0.5 % of the mean size of a draw.
    fn precise(&self, means: &[f64]) -> bool {
        let groups = self.table.first().map_or(0, Vec::len);
        if means.len() < LEAST || groups * (means.len() - 1) < FREEDOM {
            return false;
        }
        let size = means.iter().map(|mean| mean.abs()).sum::<f64>() / means.len() as f64;
        let first = self.value("", "", |numbers| numbers[0]);
        first.se_estimator.is_some_and(|error| error <= (0.05 * first.value.abs()).max(0.005 * size))
    }

    /// The mean over draws and groups of a linear combination of the numbers.
    ///
    /// `se_estimator` pools the spread over draws within each group. `se_sample` is the jackknife over groups less that part, which
    /// the spread over groups holds as well, and 0 where the rest is negative: together they are no less than the jackknife.
    pub fn value(&self, name: &str, unit: &str, of: impl Fn(&[f64]) -> f64) -> Value {
        let each = |part: &Part| if part.numbers.is_empty() { 0.0 } else { part.tokens * of(&part.numbers) };
        let table = |of: &dyn Fn(&Part) -> f64| -> Vec<Vec<f64>> {
            self.table.iter().map(|draw| draw.iter().map(of).collect()).collect()
        };
        let (tops, bottoms) = (table(&each), table(&|part| part.tokens));
        let groups = self.table.first().map_or(0, Vec::len);
        let sums =
            |table: &[Vec<f64>]| -> Vec<f64> { (0..groups).map(|group| table.iter().map(|draw| draw[group]).sum()).collect() };
        let (mean, jackknife) = statistics::ratio_with_jackknife(&sums(&tops), &sums(&bottoms));
        let estimator = statistics::error_of_draws(&tops, &bottoms);
        Value::estimate(name, mean, unit, estimator, statistics::error_less(jackknife, estimator))
    }
}

impl Part {
    fn number(&self, index: usize) -> f64 {
        self.numbers.get(index).copied().unwrap_or(0.0)
    }
}

/// One draw on one group; a group without a token to predict carries no weight, and costs no pass.
fn part(
    probe: &Probe<'_>,
    sample: Sample,
    draw: impl FnOnce(Sample) -> Result<Vec<f64>, PluginError>,
) -> Result<Part, PluginError> {
    let tokens: f64 = probe.predicted(sample)?.iter().sum();
    if tokens == 0.0 {
        return Ok(Part { tokens, numbers: Vec::new() });
    }
    let numbers = draw(sample)?;
    if let Some(bad) = numbers.iter().find(|number| !number.is_finite()) {
        return Err(not_finite(sample, *bad));
    }
    Ok(Part { tokens, numbers })
}

/// The curvature is not finite: no mean will come of it.
pub fn not_finite(sample: Sample, found: f64) -> PluginError {
    let end = sample.start + sample.count;
    PluginError::NonFinite(format!(
        "the curvature of the loss on molecules {}..{end} (draw {}) is {found}; the loss or its derivatives overflow at these \
         weights: look at loss/mlm_loss, and measure an earlier checkpoint",
        sample.start, sample.draw
    ))
}

/// No token is predicted: there is no loss.
pub fn nothing_predicted(sample: Sample) -> PluginError {
    PluginError::Input(format!(
        "no token is predicted in the {} molecules used (draw {}), so that there is no loss; raise `molecules`",
        sample.count, sample.draw
    ))
}

/// Sum of products of two tensors, in float64.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn dot(a: &Tensor, b: &Tensor) -> Result<f64, PluginError> {
    Ok(a.f_mul(b)?.f_sum(Kind::Double)?.f_double_value(&[])?)
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn groups_hold_eight_molecules_where_four_groups_are_left() {
        for (molecules, wanted) in [(2, 4), (16, 4), (32, 4), (64, 8), (100, 12), (128, 16), (4096, 16)] {
            assert_eq!(groups(0, molecules), wanted);
        }
        assert_eq!([groups(1, 64), groups(5, 64), groups(100, 64)], [2, 5, 100]);
    }
}
