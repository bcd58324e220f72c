//! Ridge regression at all strengths from one SVD.
//!
//! Features are standardised by training mean and standard deviation (constant ones drop out), the target is centred;
//! `w(s) = V diag(d / (d^2 + s)) U^T y` minimises `|y - Xw|^2 + s |w|^2` (Hastie et al. 2009, eq. 3.47).

use tch::{Kind, Tensor};

use crate::{
    failure::{OrFail, Result},
    standard::Standard,
};

/// The decomposition of a training set.
#[derive(Debug)]
pub struct Ridge {
    standard: Standard,
    target_mean: f64,
    singular: Tensor,
    right: Tensor,
    projected: Tensor,
}

impl Ridge {
    /// Decomposes features [N, D] and target [N], both f64.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn new(features: &Tensor, target: &Tensor) -> Result<Self> {
        let _guard = tch::no_grad_guard();
        let standard = Standard::of(features)?;
        let (left, singular, right) = standard.apply(features)?.f_svd(true, true).or_fail()?;
        let target_mean = target.mean(Kind::Double).f_double_value(&[]).or_fail()?;
        let projected = left.f_transpose(0, 1).or_fail()?.f_matmul(&(target - target_mean)).or_fail()?;
        Ok(Self { standard, target_mean, singular, right, projected })
    }

    /// Predictions [M] for features [M, D] at this strength.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn predict(&self, features: &Tensor, strength: f64) -> Result<Vec<f64>> {
        let _guard = tch::no_grad_guard();
        let shrunk = &self.singular / (self.singular.square() + strength) * &self.projected;
        let weights = self.right.f_matmul(&shrunk).or_fail()?;
        let predicted = self.standard.apply(features)?.f_matmul(&weights).or_fail()? + self.target_mean;
        Vec::<f64>::try_from(predicted.contiguous()).or_fail()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_sdk::draw::drawn;
    use tch::{Device, Kind, Tensor};

    use super::Ridge;

    /// The normal equations, solved another way.
    fn reference(x: &Tensor, y: &Tensor, at: &Tensor, strength: f64) -> Vec<f64> {
        let mean = x.mean_dim(&[0_i64][..], true, Kind::Double);
        let spread = (x - &mean).square().mean_dim(&[0_i64][..], true, Kind::Double).sqrt();
        let z = (x - &mean) / &spread;
        let gram = z.transpose(0, 1).matmul(&z) + Tensor::eye(x.size()[1], (Kind::Double, Device::Cpu)) * strength;
        let centred = y - y.mean(Kind::Double);
        let w = Tensor::linalg_solve(&gram, &z.transpose(0, 1).matmul(&centred).unsqueeze(1), true);
        let predicted = ((at - &mean) / &spread).matmul(&w).squeeze_dim(1) + y.mean(Kind::Double);
        Vec::try_from(predicted).unwrap()
    }

    #[test]
    fn predictions_solve_the_normal_equations_at_every_strength() {
        let options = (Kind::Double, Device::Cpu);
        let (x, y, at) =
            drawn(5, || (Tensor::randn([40, 7], options), Tensor::randn([40], options), Tensor::randn([9, 7], options)));
        let x = x * 3.0 + 1.0;
        let ridge = Ridge::new(&x, &y).unwrap();
        for strength in [1e-4, 1.0, 50.0, 1e6] {
            for (found, wanted) in ridge.predict(&at, strength).unwrap().iter().zip(reference(&x, &y, &at, strength)) {
                assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted} at {strength}");
            }
        }
    }

    #[test]
    fn constant_features_and_more_features_than_rows_are_harmless() {
        let options = (Kind::Double, Device::Cpu);
        let (x, y) = drawn(6, || (Tensor::randn([6, 20], options), Tensor::randn([6], options)));
        let x = Tensor::cat(&[x, Tensor::full([6, 1], 4.0, options)], 1);
        let predicted = Ridge::new(&x, &y).unwrap().predict(&x, 1e-9).unwrap();
        for (found, wanted) in predicted.iter().zip(Vec::<f64>::try_from(&y).unwrap()) {
            assert!((found - wanted).abs() < 1e-6, "{found} is not {wanted}");
        }
    }

    #[test]
    fn linfa_finds_the_same_predictions() {
        use linfa::{
            Dataset,
            traits::{Fit, Predict},
        };
        use linfa_elasticnet::ElasticNet;
        let options = (Kind::Double, Device::Cpu);
        let (x, noise) = drawn(7, || (Tensor::randn([60, 5], options), Tensor::randn([60], options)));
        let x = x * 2.0 - 3.0;
        let y = x.matmul(&Tensor::from_slice(&[1.0, -0.5, 0.0, 2.0, 0.3])) + noise;
        let ridge = Ridge::new(&x, &y).unwrap();
        // linfa centres the target but not the features, and its penalty is ours per molecule: both are done by hand.
        let z = super::Standard::of(&x).unwrap().apply(&x).unwrap();
        let z = ndarray::Array2::from_shape_vec((60, 5), Vec::try_from(z.reshape([300])).unwrap()).unwrap();
        let target = ndarray::Array1::from_vec(Vec::<f64>::try_from(&y).unwrap());
        let data = Dataset::new(z, target);
        for strength in [0.01, 1.0, 30.0, 1000.0] {
            let fitted =
                ElasticNet::ridge().penalty(strength / 60.0).tolerance(1e-14).max_iterations(100_000).fit(&data).unwrap();
            let found = ridge.predict(&x, strength).unwrap();
            for (found, wanted) in found.iter().zip(fitted.predict(&data).iter()) {
                assert!((found - wanted).abs() < 1e-6, "{found} is not linfa's {wanted} at {strength}");
            }
        }
    }
}
