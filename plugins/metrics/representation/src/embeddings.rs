//! The embeddings that a score is of, and the groups of molecules that its error leaves out.

use std::ops::Range;

use clmbench_sdk::{estimation::Molecules, prelude::*};

/// Molecules that are used unless the suite says otherwise: the whole held-out sample.
pub const MOLECULES: i64 = 4_096;
/// Groups of molecules that the jackknife leaves out one by one.
pub const GROUPS: usize = 16;
/// Fewest molecules: two in each group.
pub const LEAST: usize = 2 * GROUPS;
/// Spread relative to size under which embeddings do not differ: squares of what float32 rounds.
const ROUNDING: f64 = 1e-12;

/// Embeddings in float64.
pub struct Embeddings {
    /// Rows [N, D], on the CPU.
    pub rows: Tensor,
    /// Which molecules they are of.
    pub molecules: Molecules,
    /// N.
    pub count: usize,
    /// D.
    pub width: usize,
}

impl Embeddings {
    /// Those of the molecules that the parameters name.
    ///
    /// # Errors
    /// [`PluginError::Input`] below [`LEAST`] molecules, [`PluginError::Shape`] for a tensor that is not [N, D],
    /// [`PluginError::NonFinite`] when a number of it is not finite or all are 0; whatever the host refuses.
    pub fn read(probe: &Probe<'_>, params: &Params) -> Result<Self, PluginError> {
        let molecules = Molecules::read(probe, params)?;
        if molecules.count < LEAST as u64 {
            let text = "molecules are too few for an error over 16 groups of them: take at least 32 (parameter `molecules`)";
            return Err(PluginError::Input(format!("{} {text}", molecules.count)));
        }
        probe.progress(0, 2, "embedding")?;
        let rows = probe.embed(molecules.part, 0, molecules.count)?;
        probe.progress(1, 2, "score of the embeddings")?;
        let shape = rows.size();
        let (count, width) = match shape[..] {
            [count, width] if count as u64 == molecules.count && width > 0 => (count as usize, width as usize),
            _ => return Err(PluginError::Shape(format!("embeddings of {} molecules have the shape {shape:?}", molecules.count))),
        };
        let rows = rows.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?;
        let finite = rows.f_isfinite()?.f_all_dim(1, false)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        if finite != count as i64 {
            let text = format!("embeddings of {} of {count} molecules are not finite", count as i64 - finite);
            return Err(PluginError::NonFinite(format!("{text}: has the run diverged?")));
        }
        if rows.f_abs()?.f_max()?.f_double_value(&[])? == 0.0 {
            return Err(PluginError::NonFinite(format!("the embeddings of all {count} molecules are 0")));
        }
        Ok(Self { rows, molecules, count, width })
    }

    /// The rows less their mean.
    ///
    /// # Errors
    /// [`PluginError::NonFinite`] when they do not differ: by no more than float32 rounds.
    pub fn centred(&self) -> Result<Tensor, PluginError> {
        let centred = self.rows.f_subtract(&self.rows.f_mean_dim(&[0_i64][..], true, Kind::Double)?)?;
        let size =
            |tensor: &Tensor| -> Result<f64, PluginError> { Ok(tensor.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?) };
        if size(&centred)? <= ROUNDING * size(&self.rows)? {
            return Err(PluginError::NonFinite(format!("all {} molecules have the same embedding: nothing spreads", self.count)));
        }
        Ok(centred)
    }

    /// The rows, each of length 1.
    ///
    /// # Errors
    /// [`PluginError::NonFinite`] when one is 0 and has no direction.
    pub fn directions(&self) -> Result<Tensor, PluginError> {
        let lengths = self.rows.f_norm_scalaropt_dim(2.0, &[1_i64][..], true)?;
        let zeros = self.count as i64 - lengths.f_count_nonzero(None)?.f_int64_value(&[])?;
        if zeros > 0 {
            return Err(PluginError::NonFinite(format!("the embeddings of {zeros} of {} molecules are 0", self.count)));
        }
        Ok(self.rows.f_div(&lengths)?)
    }
}

/// [`GROUPS`] ranges of nearly equal size that hold every one of `count` molecules once.
pub fn groups(count: usize) -> Vec<Range<usize>> {
    (0..GROUPS).map(|group| count * group / GROUPS..count * (group + 1) / GROUPS).collect()
}

/// The value of the whole, which stands first, with the jackknife of the values without each molecule or group of them, which follow.
pub fn value(name: &str, unit: &str, each: &[f64]) -> Result<Value, PluginError> {
    let (whole, left_out) = each.split_first().map_or((f64::NAN, each), |(whole, rest)| (*whole, rest));
    if let Some(odd) = each.iter().find(|value| !value.is_finite()) {
        return Err(PluginError::NonFinite(format!("`{name}` is {odd}, with or without some of the molecules")));
    }
    Ok(Value::estimate(name, whole, unit, 0.0, statistics::jackknife_error(left_out)))
}

/// Elements of a tensor in float64.
pub fn numbers(tensor: &Tensor) -> Result<Vec<f64>, PluginError> {
    Ok(Vec::<f64>::try_from(tensor.f_to_kind(Kind::Double)?.f_contiguous()?.f_flatten(0, -1)?)?)
}
