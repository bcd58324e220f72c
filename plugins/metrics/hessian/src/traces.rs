//! What the two traces share: draws over groups of molecules, and the values made of them.

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
};

/// Groups that the molecules are split into; the error over molecules is a jackknife over them.
pub const GROUPS: u64 = 16;
/// Molecules by default.
pub const MOLECULES: i64 = 256;
/// Draws before the standard error is trusted: below, an early stop can come by chance.
const LEAST: usize = 16;

/// One draw of both traces on one group of molecules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupDraw {
    /// Predicted tokens of the group.
    pub tokens: f64,
    /// Estimate of the trace of the group's own mean loss.
    pub raw: f64,
    /// The same in the metric of the weights' sizes, `W H W` with `W = diag |w|`.
    pub adaptive: f64,
}

/// Parameters that both traces take.
pub fn parameters(draws: &str, default: i64, doc: &str) -> Vec<ParameterInfo> {
    let mut all = vec![ParameterInfo::integer(draws, default, doc).between(2.0, 100_000.0)];
    all.extend(Molecules::parameters(MOLECULES));
    all
}

/// Draws until the stopping rule of the raw trace says so. `draw` gives the k-th draw on a group.
pub fn estimate(
    probe: &Probe<'_>,
    params: &Params,
    most: i64,
    mut draw: impl FnMut(u64, Sample) -> Result<GroupDraw, PluginError>,
) -> Result<Measurement, PluginError> {
    let molecules = Molecules::read(probe, params)?;
    let most = most.unsigned_abs() as usize;
    let stopping = Stopping { least: LEAST, most };
    let (mut draws, mut raw) = (Vec::new(), Vec::new());
    let stopped = loop {
        let k = draws.len() as u64;
        probe.progress(k, most as u64, "draw")?;
        let groups: Result<Vec<GroupDraw>, PluginError> =
            molecules.groups(GROUPS, k).into_iter().map(|sample| draw(k, sample)).collect();
        let groups = groups?;
        raw.push(whole(&groups, |group| group.raw));
        draws.push(groups);
        if let Some(reason) = stopping.reason(probe, &raw)? {
            break reason;
        }
    };
    let size = probe.weights()?.numel() as f64;
    let values = vec![
        value("trace", "nats/token", &draws, 1.0, |group| group.raw),
        value("trace_per_parameter", "nats/token", &draws, size, |group| group.raw),
        value("trace_adaptive", "nats/token", &draws, 1.0, |group| group.adaptive),
        value("trace_adaptive_per_parameter", "nats/token", &draws, size, |group| group.adaptive),
        Value::exact("draws", draws.len() as f64, "draws"),
    ];
    Ok(Measurement { values, artifacts: Vec::new(), molecules: molecules.count, stopped })
}

/// A draw over all groups: the trace of the mean loss per token is the mean of the groups' traces, weighted by their tokens.
fn whole(groups: &[GroupDraw], of: impl Fn(&GroupDraw) -> f64) -> f64 {
    let tokens: f64 = groups.iter().map(|group| group.tokens).sum();
    groups.iter().map(|group| group.tokens * of(group)).sum::<f64>() / tokens
}

/// Mean over draws, its error over draws, and the jackknife over groups of molecules.
fn value(name: &str, unit: &str, draws: &[Vec<GroupDraw>], divisor: f64, of: impl Fn(&GroupDraw) -> f64 + Copy) -> Value {
    let each: Vec<f64> = draws.iter().map(|groups| whole(groups, of)).collect();
    let (mean, se_estimator) = statistics::mean_with_error(&each);
    let groups = draws.first().map_or(0, Vec::len);
    let sum = |group: usize, of: &dyn Fn(&GroupDraw) -> f64| draws.iter().map(|draw| of(&draw[group])).sum::<f64>();
    let tops: Vec<f64> = (0..groups).map(|group| sum(group, &|part| part.tokens * of(part))).collect();
    let bottoms: Vec<f64> = (0..groups).map(|group| sum(group, &|part| part.tokens)).collect();
    let (_, se_sample) = statistics::ratio_with_jackknife(&tops, &bottoms);
    Value::estimate(name, mean / divisor, unit, se_estimator / divisor, se_sample / divisor)
}

/// Sum of products of two tensors, in float64.
pub fn dot(a: &Tensor, b: &Tensor) -> Result<f64, PluginError> {
    Ok((a * b).f_sum(Kind::Double)?.f_double_value(&[])?)
}
