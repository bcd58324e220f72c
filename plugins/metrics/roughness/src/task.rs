//! The labelled embeddings that a score is of.

use clmbench_sdk::prelude::*;

use crate::distances::{Distances, ZERO};

/// Fewest molecules: 16 in each half.
pub const LEAST: usize = 32;

/// Most molecules: their distances take 6.4 GB.
pub const MOST: u64 = 20_000;

/// Embeddings, as distances, and labels of a task's training molecules.
pub struct Labelled {
    /// Distances between all of them.
    pub distances: Distances,
    /// Labels, in the same order.
    pub labels: Vec<f64>,
}

/// The parameter `molecules`.
pub fn parameter() -> ParameterInfo {
    let doc = "training molecules that are used, the first in their random order; 0 = all, up to 20,000. Memory: 16 bytes times their \
               square, 64 MB for 2,000 and 1.6 GB for 10,000";
    ParameterInfo::integer("molecules", 2_000, doc).between(0.0, MOST as f64)
}

/// How many of all molecules are used; 0 wants all.
fn used(all: u64, wanted: u64) -> u64 {
    let most = if wanted == 0 { MOST } else { wanted.min(MOST) };
    most.min(all)
}

impl Labelled {
    /// Those of the probe's task; no more than the parameter `molecules`.
    ///
    /// # Errors
    /// [`PluginError::Input`] below [`LEAST`] molecules; [`PluginError::NonFinite`] for embeddings or labels that are not finite, and
    /// for embeddings that do not differ; whatever the host refuses.
    pub fn read(probe: &Probe<'_>, params: &Params) -> Result<Self, PluginError> {
        let (all, wanted) = (probe.molecules(SamplePart::Task)?, params.integer("molecules")?.unsigned_abs());
        let count = used(all, wanted);
        if count < LEAST as u64 {
            let text = format!("the task has {all} labelled training molecules, and {count} are used");
            return Err(PluginError::Input(format!("{text}; at least {LEAST} are needed for an error")));
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
        let distances = Distances::new(&rows)?;
        let size = rows.f_abs()?.f_max()?.f_double_value(&[])?;
        if distances.largest(&distances.all())? <= ZERO * size {
            return Err(PluginError::NonFinite(format!("all {count} molecules have the same embedding: nothing is near or far")));
        }
        Ok(Self { distances, labels })
    }

    /// Labels of these molecules.
    ///
    /// # Errors
    /// [`PluginError::Input`] when they do not differ.
    pub fn differing(&self, left: &[usize]) -> Result<Vec<f64>, PluginError> {
        let labels: Vec<f64> = left.iter().map(|index| self.labels[*index]).collect();
        if labels.windows(2).any(|pair| pair[0] != pair[1]) {
            return Ok(labels);
        }
        Err(PluginError::Input(if left.len() == self.labels.len() {
            let text = format!("the labels of all {} molecules are {}", self.labels.len(), self.labels[0]);
            format!("{text}: constant labels are neither smooth nor rough; leave this task out")
        } else {
            let text = "labels differ in so few molecules that those of a random half are equal";
            format!("{text}: no error can be told; take more (parameter `molecules`)")
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn all_molecules_are_no_more_than_memory_holds() {
        assert_eq!([used(100, 0), used(100, 40), used(100, 200)], [100, 40, 100]);
        assert_eq!([used(1_000_000, 0), used(1_000_000, 30_000)], [20_000; 2]);
    }
}
