//! Disjoint batches of m molecules: the sample of m-sharpness.

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
};

/// Batches before the standard error is trusted.
const LEAST: usize = 8;

/// Disjoint batches of equal size.
#[derive(Debug, Clone, Copy)]
pub struct Batches {
    molecules: Molecules,
    /// Molecules m of a batch.
    pub size: u64,
    /// How many there are.
    pub count: u64,
}

impl Batches {
    /// The parameters `batch`, `sample` and `molecules`.
    pub fn parameters() -> Vec<ParameterInfo> {
        let batch = "molecules m of a batch; half the sample where that is less; part of the definition";
        let mut parameters = vec![ParameterInfo::integer("batch", 128, batch).between(1.0, 1e6)];
        parameters.extend(Molecules::parameters(1024));
        parameters
    }

    /// What the parameters say; at least two batches.
    ///
    /// # Errors
    /// As [`Molecules::read`].
    pub fn read(probe: &Probe<'_>, params: &Params) -> Result<Self, PluginError> {
        let molecules = Molecules::read(probe, params)?;
        let size = params.integer("batch")?.unsigned_abs().min(molecules.count / 2).max(1);
        Ok(Self { molecules, size, count: molecules.count / size })
    }

    /// A batch under the masks of a draw.
    pub fn sample(&self, batch: u64, draw: u64) -> Sample {
        Sample { start: batch * self.size, count: self.size, ..self.molecules.whole(draw) }
    }

    /// Whether another draw gives other masks.
    ///
    /// # Errors
    /// Whatever the host refuses.
    pub fn draws_differ(&self, probe: &Probe<'_>) -> Result<bool, PluginError> {
        self.molecules.draws_differ(probe)
    }

    /// When to stop.
    pub fn stopping(&self) -> Stopping {
        Stopping { least: LEAST, most: self.count as usize }
    }
}

/// How many of the wanted iterations, of this cost in passes over `molecules`, the budget pays for `times` over.
///
/// It is the same for every checkpoint and batch: it depends on numbers of molecules and the budget alone.
///
/// # Errors
/// [`PluginError::Input`] where it pays for none.
pub fn affordable(probe: &Probe<'_>, molecules: u64, times: u64, each: f64, wanted: u64) -> Result<u64, PluginError> {
    let share = molecules as f64 * times as f64 / probe.molecules(SamplePart::Heldout)?.max(1) as f64;
    // The loss at the weights themselves comes first; the last bits of a division are no reason for one fewer.
    let paid = ((probe.budget() / share - 1.0 / 3.0) / each * (1.0 + 1e-9)).floor();
    if paid < 1.0 {
        let text = format!(
            "one iteration over {times} x {molecules} molecules costs {:.1} gradient-equivalents, more than the budget of {:.1}; take \
             fewer molecules or a larger budget",
            share * (each + 1.0 / 3.0),
            probe.budget()
        );
        return Err(PluginError::Input(text));
    }
    Ok(wanted.min(paid as u64))
}
