//! L2 logistic regression at all strengths by Newton's method.
//!
//! Features are standardised by training mean and standard deviation (constant ones drop out);
//! `sum_i log(1 + exp(eta_i)) - y_i eta_i + s |w|^2 / 2` with `eta = Xw + b` is minimised for every strength `s`, the intercept
//! `b` without penalty (Hastie et al. 2009, eq. 4.20, with a squared penalty). Each strength starts from the next
//! stronger one. Where there are fewer molecules N than features D, `X = U diag(d) V^T` and `w = V a`: the penalty keeps `w`
//! in the span of the molecules, and `|w| = |a|`, so N numbers are found instead of D.

use clmbench_protocol::{Failure, FailureKind};
use tch::{Kind, Tensor};

use crate::{
    failure::{OrFail, Result},
    standard::{Standard, check_strengths},
};

/// Most Newton steps at one strength.
const MOST_STEPS: u32 = 200;

/// Largest step, relative to the coefficients, at which the minimum is reached: the error left is of the order of its square.
const SMALL_STEP: f64 = 1e-7;

/// Logistic regressions of one training set at several strengths.
#[derive(Debug)]
pub struct Logistic {
    standard: Standard,
    /// V [D, R], where the features were projected.
    basis: Option<Tensor>,
    /// Coefficients and intercept [R + 1] of each strength, in the order given.
    coefficients: Vec<Tensor>,
}

/// What is minimised at one strength.
struct Problem<'a> {
    /// Features and a column of ones [N, R + 1].
    design: &'a Tensor,
    /// 0 or 1 [N].
    labels: &'a Tensor,
    /// Strength of each coefficient [R + 1]; 0 for the intercept.
    penalty: Tensor,
}

impl Logistic {
    /// Fits features [N, D] and labels [N] (0 or 1), both f64, at every strength.
    ///
    /// # Errors
    /// [`FailureKind::BadInput`] for a strength that is not above 0 or at which the minimum is not found; whatever libtorch
    /// refuses.
    pub fn new(features: &Tensor, labels: &Tensor, strengths: &[f64]) -> Result<Self> {
        let _guard = tch::no_grad_guard();
        check_strengths(strengths)?;
        let standard = Standard::of(features)?;
        let standardised = standard.apply(features)?;
        let (rows, width) = standardised.size2().or_fail()?;
        let (reduced, basis) = if rows < width {
            let (left, singular, right) = standardised.f_svd(true, true).or_fail()?;
            (left.f_mul(&singular).or_fail()?, Some(right))
        } else {
            (standardised, None)
        };
        let ones = Tensor::ones([rows, 1], (Kind::Double, features.device()));
        let design = Tensor::f_cat(&[reduced, ones], 1).or_fail()?;
        let mut order: Vec<usize> = (0..strengths.len()).collect();
        order.sort_by(|a, b| strengths[*b].total_cmp(&strengths[*a]));
        let mut current = Tensor::zeros([design.size()[1]], (Kind::Double, features.device()));
        let mut found: Vec<Option<Tensor>> = strengths.iter().map(|_| None).collect();
        for place in order {
            let penalty = Tensor::full_like(&current, strengths[place]);
            let _ = penalty.f_narrow(0, design.size()[1] - 1, 1).or_fail()?.f_fill_(0.0).or_fail()?;
            let problem = Problem { design: &design, labels, penalty };
            current = problem.minimum(current).map_err(|failure| {
                let text = format!("logistic regression at strength {}: {}", strengths[place], failure.message);
                Failure::new(failure.kind, text)
            })?;
            found[place] = Some(current.copy());
        }
        Ok(Self { standard, basis, coefficients: found.into_iter().flatten().collect() })
    }

    /// Logits [M] of class 1 for features [M, D] at the strength with this index.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn logits(&self, features: &Tensor, index: usize) -> Result<Vec<f64>> {
        let _guard = tch::no_grad_guard();
        let (weights, intercept) = self.weights(index)?;
        let logits = self.standard.apply(features)?.f_matmul(&weights).or_fail()? + intercept;
        Vec::<f64>::try_from(logits.contiguous()).or_fail()
    }

    /// Weights [D] of the standardised features, and the intercept, at the strength with this index.
    fn weights(&self, index: usize) -> Result<(Tensor, f64)> {
        let coefficients = self.coefficients.get(index).ok_or_else(|| {
            Failure::new(FailureKind::BadInput, format!("there is no strength {index} of {}", self.coefficients.len()))
        })?;
        let inner = coefficients.size()[0] - 1;
        let reduced = coefficients.f_narrow(0, 0, inner).or_fail()?;
        let weights = match &self.basis {
            Some(basis) => basis.f_matmul(&reduced).or_fail()?,
            None => reduced,
        };
        Ok((weights, coefficients.f_double_value(&[inner]).or_fail()?))
    }
}

impl Problem<'_> {
    /// The penalised loss.
    fn value(&self, at: &Tensor) -> Result<f64> {
        let logits = self.design.f_matmul(at).or_fail()?;
        let losses = logits.f_logaddexp(&logits.zeros_like()).or_fail()? - self.labels * &logits;
        let penalty = (&self.penalty * at.square()).sum(Kind::Double) * 0.5;
        (losses.sum(Kind::Double) + penalty).f_double_value(&[]).or_fail()
    }

    /// Gradient [R + 1] and Newton direction [R + 1], downhill.
    fn direction(&self, at: &Tensor) -> Result<(Tensor, Tensor)> {
        let chances = self.design.f_matmul(at).or_fail()?.f_sigmoid().or_fail()?;
        let transposed = self.design.f_transpose(0, 1).or_fail()?;
        let gradient = transposed.f_matmul(&(&chances - self.labels)).or_fail()? + &self.penalty * at;
        let curvature = (&chances - chances.square()).unsqueeze(1);
        let hessian = transposed.f_matmul(&(self.design * curvature)).or_fail()? + self.penalty.diag(0);
        let step = Tensor::f_linalg_solve(&hessian, &gradient.unsqueeze(1), true).or_fail()?.squeeze_dim(1);
        Ok((gradient, -step))
    }

    /// The minimum: Newton steps, halved until they go downhill.
    fn minimum(&self, start: Tensor) -> Result<Tensor> {
        let (mut at, mut value) = (start.copy(), self.value(&start)?);
        for _ in 0..MOST_STEPS {
            let (gradient, step) = self.direction(&at)?;
            let slope = (&gradient * &step).sum(Kind::Double).f_double_value(&[]).or_fail()?;
            let size = step.abs().max().f_double_value(&[]).or_fail()?;
            if !size.is_finite() {
                break;
            }
            let mut share = 1.0;
            loop {
                let next = &at + &step * share;
                let reached = self.value(&next)?;
                // The last term is what rounding may hide.
                if reached <= value + 1e-4 * share * slope + 1e-12 * (1.0 + value.abs()) {
                    (at, value) = (next, reached);
                    break;
                }
                share *= 0.5;
                if share < 1e-10 {
                    return Err(not_found(&gradient));
                }
            }
            if share == 1.0 && size <= SMALL_STEP * (1.0 + at.abs().max().f_double_value(&[]).or_fail()?) {
                return Ok(at);
            }
        }
        let (gradient, _) = self.direction(&at)?;
        Err(not_found(&gradient))
    }
}

fn not_found(gradient: &Tensor) -> Failure {
    let largest = gradient.abs().max().f_double_value(&[]).unwrap_or(f64::NAN);
    let text = format!("no minimum after Newton's method gave up at a gradient of {largest:e}; leave this strength out");
    Failure::new(FailureKind::BadInput, text)
}

#[cfg(test)]
mod tests;
