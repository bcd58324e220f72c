//! One symmetric matrix, known by its products: the Hessian of the loss on a sample, or `W H W`; and the memory for vectors.

use std::fmt;

use clmbench_sdk::{estimation::Molecules, prelude::*};

use crate::draws::{self, dot, not_finite, nothing_predicted};

/// Gradients that the shared part of a pass of products costs.
pub const PASS: f64 = 1.0;
/// Gradients that each product costs beyond it.
pub const EACH: f64 = 1.5;
/// Part of a product by which a sum of costs may differ from the budget for rounding.
const ROUNDING: f64 = 1e-6;

/// Passes of so many products each, over so many of the molecules of the held-out sample, that what is left of the budget pays: a
/// number that only counts go into.
///
/// # Errors
/// Whatever the host refuses.
pub fn affordable(probe: &Probe<'_>, molecules: u64, products: f64) -> Result<f64, PluginError> {
    let whole = probe.molecules(clmbench_sdk::api::SamplePart::Heldout)?.max(1) as f64;
    let cost = (PASS + EACH * products) * molecules as f64 / whole;
    Ok(((probe.budget() - probe.spent()?) / cost + ROUNDING).floor().max(0.0))
}

/// The Hessian of the mean loss per predicted token of some molecules under the masks of draw 0.
pub struct Operator<'a, 'b> {
    probe: &'a Probe<'b>,
    molecules: Molecules,
    /// |w| [P] where the matrix is `W H W`.
    scale: Option<Tensor>,
}

/// Whether the spectrum is that of `W H W`.
pub fn adaptive_parameter() -> ParameterInfo {
    let doc =
        "the spectrum of W H W with W = diag |w| instead of H: the same for weights that are the same function by rescaling";
    ParameterInfo::boolean("adaptive", false, doc)
}

impl<'a, 'b> Operator<'a, 'b> {
    /// On the molecules that the parameters name.
    ///
    /// # Errors
    /// [`PluginError::Input`] where no token is predicted.
    pub fn new(probe: &'a Probe<'b>, params: &Params) -> Result<Self, PluginError> {
        let molecules = Molecules::read(probe, params)?;
        if probe.predicted(molecules.whole(0))?.iter().sum::<f64>() == 0.0 {
            return Err(nothing_predicted(molecules.whole(0)));
        }
        let scale = if params.boolean("adaptive")? { Some(probe.weights()?.f_abs()?) } else { None };
        Ok(Self { probe, molecules, scale })
    }

    /// Molecules used.
    pub fn molecules(&self) -> u64 {
        self.molecules.count
    }

    /// Product with a vector [P].
    ///
    /// # Errors
    /// [`PluginError::NonFinite`].
    pub fn times(&self, vector: &Tensor) -> Result<Tensor, PluginError> {
        self.on(self.molecules.whole(0), vector)
    }

    /// Products with the whole that what is left of the budget pays.
    ///
    /// # Errors
    /// Whatever the host refuses.
    pub fn affordable(&self) -> Result<f64, PluginError> {
        affordable(self.probe, self.molecules.count, 1.0)
    }

    /// Products with a vector [P] for groups of the molecules, with their predicted tokens: weighted by these, their mean is the
    /// product with the whole.
    ///
    /// # Errors
    /// As [`Operator::times`]; [`PluginError::Input`] where fewer than two groups have a predicted token: there is no error over them.
    pub fn by_groups(
        &self,
        vector: &Tensor,
        mut visit: impl FnMut(f64, Tensor) -> Result<(), PluginError>,
    ) -> Result<(), PluginError> {
        let mut parts = Vec::new();
        for sample in self.molecules.groups(draws::groups(0, self.molecules.count), 0) {
            let tokens: f64 = self.probe.predicted(sample)?.iter().sum();
            if tokens > 0.0 {
                parts.push((sample, tokens));
            }
        }
        if parts.len() < 2 {
            let text = "all predicted tokens stand in one group of molecules, so that there is no error over molecules; raise `molecules`";
            return Err(PluginError::Input(text.into()));
        }
        parts.into_iter().try_for_each(|(sample, tokens)| visit(tokens, self.on(sample, vector)?))
    }

    fn on(&self, sample: Sample, vector: &Tensor) -> Result<Tensor, PluginError> {
        let scaled = |vector: Tensor| -> Result<Tensor, PluginError> {
            Ok(if let Some(scale) = &self.scale { vector.f_mul(scale)? } else { vector })
        };
        let vector = scaled(vector.shallow_clone())?.f_unsqueeze(0)?;
        let product = scaled(self.probe.hvp(sample, &vector, HvpMethod::DoubleBackward)?.f_squeeze_dim(0)?)?;
        let size = dot(&product, &product)?;
        if size.is_finite() { Ok(product) } else { Err(not_finite(sample, size)) }
    }
}

/// How many vectors of P numbers are held, and what they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Vectors that are allowed.
    pub vectors: u64,
    /// Vectors that were wanted.
    pub wanted: u64,
    /// Bytes of all that is held.
    pub bytes: u64,
    parameters: u64,
}

/// The cap on memory.
pub fn memory_parameter() -> ParameterInfo {
    ParameterInfo::integer("memory_mib", 1024, "memory for vectors of P numbers, in MiB; caps their number").between(1.0, 1e9)
}

impl Memory {
    /// As many of the wanted vectors as the parameter `memory_mib` allows, each of them with `held` vectors of P numbers; `least`
    /// are needed.
    ///
    /// # Errors
    /// [`PluginError::Input`] where it does not allow so many.
    pub fn plan(params: &Params, weights: &Tensor, wanted: u64, held: u64, least: u64) -> Result<Self, PluginError> {
        let parameters = weights.numel() as u64;
        let each = held * parameters * weights.kind().elt_size_in_bytes() as u64;
        let mib = params.integer("memory_mib")?.unsigned_abs();
        let vectors = wanted.min(mib.saturating_mul(1 << 20) / each.max(1));
        if vectors < least {
            let needed = (least * each).div_ceil(1 << 20);
            return Err(PluginError::Input(format!(
                "`memory_mib` = {mib} holds {vectors} vector(s) of {parameters} parameters and {least} are needed; set it to {needed} or more"
            )));
        }
        Ok(Self { vectors, wanted, bytes: vectors * each, parameters })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.bytes as f64 / f64::from(1 << 20);
        write!(f, "{} vectors of {} parameters, {mib:.1} MiB", self.vectors, self.parameters)?;
        if self.vectors < self.wanted { write!(f, " (memory_mib allows no more of {})", self.wanted) } else { Ok(()) }
    }
}
