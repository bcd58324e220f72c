//! The labelled embeddings that a score is of.

use clmbench_sdk::prelude::*;

use crate::distances::Distances;

/// Groups of molecules that the jackknife leaves out one by one.
pub const GROUPS: usize = 16;
/// Fewest molecules: two in each group.
pub const LEAST: usize = 2 * GROUPS;

/// Embeddings, as distances, and labels of a task's training molecules.
pub struct Labelled {
    /// Distances between all of them.
    pub distances: Distances,
    /// Labels, in the same order.
    pub labels: Vec<f64>,
    /// Embeddings [N, D] in float64.
    rows: Tensor,
}

/// The parameter `molecules`.
pub fn parameter() -> ParameterInfo {
    let doc = "training molecules that are used, the first in their random order; 0 = all. Memory: 16 bytes times their square, 64 MB \
               for 2,000 and 1.6 GB for 10,000";
    ParameterInfo::integer("molecules", 2_000, doc).between(0.0, 20_000.0)
}

impl Labelled {
    /// Those of the probe's task; no more than the parameter `molecules`.
    ///
    /// # Errors
    /// [`PluginError::Input`] below [`LEAST`] molecules; [`PluginError::NonFinite`] for embeddings or labels that are not finite, and
    /// for embeddings that do not differ; whatever the host refuses.
    pub fn read(probe: &Probe<'_>, params: &Params) -> Result<Self, PluginError> {
        let (all, wanted) = (probe.molecules(SamplePart::Task)?, params.integer("molecules")?.unsigned_abs());
        let count = if wanted == 0 { all } else { wanted.min(all) };
        if count < LEAST as u64 {
            let text = format!("the task has {all} labelled training molecules, and {count} are used");
            return Err(PluginError::Input(format!(
                "{text}; at least {LEAST} are needed for an error over {GROUPS} groups of them"
            )));
        }
        let count = count as usize;
        let labels = Vec::<f64>::try_from(probe.labels()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?)?;
        let rows = probe.embed(SamplePart::Task, 0, count as u64)?;
        if rows.size().first() != Some(&(count as i64)) || rows.dim() != 2 || labels.len() as u64 != all {
            let text = format!("{} labels and embeddings {:?} of {count} of {all} molecules", labels.len(), rows.size());
            return Err(PluginError::Shape(text));
        }
        let labels = labels[..count].to_vec();
        let rows = rows.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?;
        let finite = rows.f_isfinite()?.f_all_dim(1, false)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        if finite != count as i64 {
            let text = format!("embeddings of {} of {count} molecules are not finite", count as i64 - finite);
            return Err(PluginError::NonFinite(format!("{text}: has the run diverged?")));
        }
        if let Some(label) = labels.iter().find(|label| !label.is_finite()) {
            return Err(PluginError::NonFinite(format!("a label is {label}")));
        }
        let groups = (0..GROUPS).map(|group| count * group / GROUPS..count * (group + 1) / GROUPS).collect();
        let distances = Distances::new(&rows, groups)?;
        let size = rows.f_abs()?.f_max()?.f_double_value(&[])?;
        let flat = |without: Option<usize>| distances.largest(without) <= crate::distances::ZERO * size;
        if flat(None) || (0..GROUPS).any(|group| flat(Some(group))) {
            return Err(PluginError::NonFinite(format!(
                "nearly all of {count} molecules have the same embedding: nothing is near or far"
            )));
        }
        Ok(Self { distances, labels, rows })
    }

    /// The same molecules with these in each group instead; the molecules are put in that order.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn regrouped(self, groups: &[Vec<usize>]) -> Result<Self, PluginError> {
        let order: Vec<usize> = groups.iter().flatten().copied().collect();
        let index = Tensor::f_from_slice(&order.iter().map(|index| *index as i64).collect::<Vec<_>>())?;
        let rows = self.rows.f_index_select(0, &index)?;
        let mut start = 0;
        let ranges = groups.iter().map(|group| {
            start += group.len();
            start - group.len()..start
        });
        let distances = Distances::new(&rows, ranges.collect())?;
        Ok(Self { distances, labels: order.iter().map(|index| self.labels[*index]).collect(), rows })
    }

    /// Refuses labels that do not differ, also without one of the groups.
    ///
    /// # Errors
    /// [`PluginError::Input`].
    pub fn refuse_constant(&self) -> Result<(), PluginError> {
        let constant = |without: Option<usize>| {
            let left = self.distances.left(without);
            left.windows(2).all(|pair| self.labels[pair[0]] == self.labels[pair[1]])
        };
        if constant(None) {
            let text = format!("the labels of all {} molecules are {}", self.labels.len(), self.labels[0]);
            return Err(PluginError::Input(format!("{text}: constant labels are neither smooth nor rough; leave this task out")));
        }
        if (0..self.distances.groups()).any(|group| constant(Some(group))) {
            let text = "labels differ within one sixteenth of the molecules only: no error can be told; take more (parameter `molecules`)";
            return Err(PluginError::Input(text.into()));
        }
        Ok(())
    }
}

/// The value of the whole, which stands first, with the jackknife of the values without each group, which follow.
pub fn value(name: &str, each: &[f64]) -> Result<Value, PluginError> {
    let (whole, left_out) = each.split_first().map_or((f64::NAN, each), |(whole, rest)| (*whole, rest));
    if let Some(odd) = each.iter().find(|value| !value.is_finite()) {
        return Err(PluginError::NonFinite(format!("`{name}` is {odd}, of all molecules or of fifteen sixteenths of them")));
    }
    Ok(Value::estimate(name, whole, "1", 0.0, statistics::jackknife_error(left_out)))
}
