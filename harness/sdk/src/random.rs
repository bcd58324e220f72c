//! Random probes from a counter generator: the same numbers for the same seed on every device and thread count, apart from
//! libtorch's global generator.

use tch::Tensor;

use crate::PluginError;

/// A stream of random numbers: SplitMix64 (Steele et al. 2014, figure 15). Seed it with [`crate::Probe::rng`].
#[derive(Debug, Clone)]
pub struct Stream(u64);

impl Stream {
    /// The stream with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Independent signs, each +1 or -1 with probability 1/2, in the shape, number format and on the device of `like`.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn signs(&mut self, like: &Tensor) -> Result<Tensor, PluginError> {
        let count = like.numel();
        let mut values = Vec::with_capacity(count);
        while values.len() < count {
            let bits = self.bits();
            let take = (count - values.len()).min(64);
            values.extend((0..take).map(|bit| if bits >> bit & 1 == 1 { 1.0_f32 } else { -1.0 }));
        }
        shaped(&values, like)
    }

    /// Independent standard normal numbers (Box & Muller 1958), in the shape, number format and on the device of `like`.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn normals(&mut self, like: &Tensor) -> Result<Tensor, PluginError> {
        let count = like.numel();
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            let radius = (-2.0 * self.uniform().ln()).sqrt();
            let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
            values.extend([(radius * cosine) as f32, (radius * sine) as f32]);
        }
        shaped(&values[..count], like)
    }
}

fn shaped(values: &[f32], like: &Tensor) -> Result<Tensor, PluginError> {
    Ok(Tensor::f_from_slice(values)?.f_to_device(like.device())?.f_to_kind(like.kind())?.f_reshape(like.size())?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tch::{Device, Kind, Tensor};

    use super::Stream;

    /// k-th moment of a tensor.
    fn moment(tensor: &Tensor, k: i64) -> f64 {
        tensor.pow_tensor_scalar(k).mean(Kind::Double).double_value(&[])
    }

    #[test]
    fn signs_and_normals_have_their_moments() {
        let like = Tensor::zeros([40_000], (Kind::Double, Device::Cpu));
        let (signs, normals) = (Stream::new(1).signs(&like).unwrap(), Stream::new(2).normals(&like).unwrap());
        // Four standard errors: of a mean of n values with variance 1 (signs, normals), 2 (squares), 96 (fourth powers).
        let bound = |variance: f64| 4.0 * (variance / 40_000.0).sqrt();
        assert!(moment(&signs, 1).abs() < bound(1.0) && (moment(&signs, 2) - 1.0).abs() < 1e-12);
        assert!(moment(&normals, 1).abs() < bound(1.0));
        assert!((moment(&normals, 2) - 1.0).abs() < bound(2.0));
        assert!((moment(&normals, 4) - 3.0).abs() < bound(96.0));
        // Neighbours are independent: the cosine and the sine of one radius as well.
        let product = (normals.narrow(0, 0, 39_999) * normals.narrow(0, 1, 39_999)).mean(Kind::Double).double_value(&[]);
        assert!(product.abs() < bound(1.0), "{product}");
    }

    #[test]
    fn a_seed_gives_one_stream_whatever_the_shape() {
        let flat = Tensor::zeros([7], (Kind::Float, Device::Cpu));
        let longer = Tensor::zeros([2, 5], (Kind::Float, Device::Cpu));
        for draw in [Stream::signs, Stream::normals] {
            let (a, b) = (draw(&mut Stream::new(9), &flat).unwrap(), draw(&mut Stream::new(9), &longer).unwrap());
            assert_eq!(b.size(), [2, 5]);
            assert!(a.equal(&b.flatten(0, -1).narrow(0, 0, 7)));
            assert!(!a.equal(&draw(&mut Stream::new(10), &flat).unwrap()));
        }
    }
}
