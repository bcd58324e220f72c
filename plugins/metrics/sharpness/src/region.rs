//! Where weights may move: balls and boxes that may follow the sizes of the weights.

use clmbench_sdk::{prelude::*, random::Stream};

/// How the length of a perturbation is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// Euclidean length.
    L2,
    /// Largest coordinate.
    Linf,
}

impl Norm {
    /// As in an id.
    pub fn word(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::Linf => "linf",
        }
    }
}

/// `{ d : |d / c|_p <= radius }` around the weights, with a scale c >= 0 for each weight. All work is done on `u = d / c`, in which
/// the region is a plain ball or box: a direction of steepest ascent there is the same for all weights that give one function by
/// rescaled layers (c = |w|), and a weight with c = 0 stays where it is.
#[derive(Debug)]
pub struct Region {
    /// Norm p.
    pub norm: Norm,
    /// Radius: a length (l2) or a half-width (linf).
    pub radius: f64,
    /// Scale c [P].
    pub scale: Tensor,
    /// Whether steps and projections go by the plain Euclidean distance of d, as in the reference's code, instead of that of u (l2).
    pub euclidean: bool,
}

/// Scale of each weight [P]: 1, or |w| (adaptive).
///
/// # Errors
/// Whatever the host refuses.
pub fn scale(probe: &Probe<'_>, adaptive: bool) -> Result<Tensor, PluginError> {
    let weights = probe.weights()?;
    Ok(if adaptive { weights.f_abs()? } else { weights.f_ones_like()? })
}

impl Region {
    /// A ball or box of this scale, in which distances are those of u.
    pub fn new(norm: Norm, radius: f64, scale: Tensor) -> Self {
        Self { norm, radius, scale, euclidean: false }
    }

    /// The perturbation d of a point u.
    pub fn perturbation(&self, point: &Tensor) -> Tensor {
        point * &self.scale
    }

    /// Direction u [P] in which a function with this gradient [P] rises most in a unit ball: `c g / |c g|` (l2), `sign(c g)` (linf);
    /// none where the gradient is zero.
    ///
    /// # Errors
    /// [`PluginError::NonFinite`] for a gradient that is not finite.
    pub fn steepest(&self, gradient: &Tensor) -> Result<Option<Tensor>, PluginError> {
        let scaled = gradient * &self.scale;
        let length = length(&scaled)?;
        if !length.is_finite() {
            return Err(PluginError::NonFinite(format!("the gradient has length {length}: the checkpoint or the step diverged")));
        }
        if length == 0.0 {
            return Ok(None);
        }
        Ok(Some(match self.norm {
            Norm::Linf => scaled.f_sign()?,
            // A step of d along c g, as the reference takes it.
            Norm::L2 if self.euclidean => gradient * (1.0 / self::length(gradient)?),
            Norm::L2 => scaled * (1.0 / length),
        }))
    }

    /// The nearest point of the region to u.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn project(&self, point: Tensor) -> Result<Tensor, PluginError> {
        Ok(match self.norm {
            Norm::Linf => point.f_clamp(-self.radius, self.radius)?,
            Norm::L2 if self.euclidean => {
                // Where c is 0, d is 0, and so is d / c here.
                let nearest = onto_ellipsoid(&self.perturbation(&point), &self.scale, self.radius)?;
                nearest / self.scale.f_clamp_min(f64::from(f32::MIN_POSITIVE))?
            }
            Norm::L2 => {
                let length = length(&point)?;
                if length > self.radius { point * (self.radius / length) } else { point }
            }
        })
    }

    /// A random point: uniform on the sphere (l2), uniform in the box (linf).
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn random(&self, stream: &mut Stream) -> Result<Tensor, PluginError> {
        Ok(match self.norm {
            Norm::Linf => uniforms(stream, &self.scale)? * self.radius,
            Norm::L2 => {
                let normals = stream.normals(&self.scale)?;
                let length = length(&normals)?;
                normals * (self.radius / length)
            }
        })
    }
}

/// Euclidean length, summed in float64.
pub fn length(tensor: &Tensor) -> Result<f64, PluginError> {
    Ok(tensor.f_to_kind(Kind::Double)?.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?.sqrt())
}

/// Independent numbers uniform in (-1, 1), like `like`.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn uniforms(stream: &mut Stream, like: &Tensor) -> Result<Tensor, PluginError> {
    let values: Vec<f32> = (0..like.numel()).map(|_| (2.0 * stream.uniform() - 1.0) as f32).collect();
    Ok(Tensor::f_from_slice(&values)?.f_to_device(like.device())?.f_to_kind(like.kind())?.f_reshape(like.size())?)
}

/// The nearest point, in plain Euclidean distance, to d [P] in the ellipsoid `|d / c|_2 <= radius`: `d_i / (1 + m / c_i^2)` with the
/// multiplier m >= 0 that makes it touch, by bisection on its logarithm (Andriushchenko et al. 2023, their code, which stops at 1e-5;
/// here to the last bits). Coordinates with c = 0 become 0.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn onto_ellipsoid(point: &Tensor, scale: &Tensor, radius: f64) -> Result<Tensor, PluginError> {
    let (wide, squares) = (point.f_to_kind(Kind::Double)?, scale.f_to_kind(Kind::Double)?.f_square()?);
    // d c^2 / (c^2 + m): 0 where c is 0, for m > 0. Divided by c: d c / (c^2 + m).
    let reach = |multiplier: f64| length(&(&wide * squares.sqrt() / (&squares + multiplier)));
    let moved = |multiplier: f64| Ok((&wide * &squares / (&squares + multiplier)).f_to_kind(point.kind())?);
    let least = f64::MIN_POSITIVE;
    if reach(least)? <= radius {
        return moved(least);
    }
    // |d c / (c^2 + m)| <= |d c| / m: at m = |d c| / radius it is inside.
    let mut high = length(&(&wide * squares.sqrt()))? / radius;
    let mut low = least;
    while high > low * (1.0 + 1e-12) {
        let middle = (low.ln() / 2.0 + high.ln() / 2.0).exp();
        *(if reach(middle)? > radius { &mut low } else { &mut high }) = middle;
    }
    moved(high)
}
