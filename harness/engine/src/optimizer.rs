//! AdamW with savable state: fused steps, weight decay on matrices only.

use clmbench_torch_ext::{AdamGroup, fused_adamw};
use tch::{Kind, Tensor};

use crate::failure::{OrFail, Result};

/// AdamW's epsilon.
const EPSILON: f64 = 1e-8;

/// Moments of one group of parameters that share a weight decay.
#[derive(Debug)]
struct Group {
    members: Vec<usize>,
    weight_decay: f64,
}

/// AdamW (Loshchilov & Hutter 2019) over a fixed list of parameters.
#[derive(Debug)]
pub struct AdamW {
    parameters: Vec<Tensor>,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
    steps: Vec<Tensor>,
    groups: Vec<Group>,
    betas: (f64, f64),
}

impl AdamW {
    /// Over these parameters; `weight_decay` acts on those with two or more dimensions.
    pub fn new(parameters: Vec<Tensor>, betas: (f64, f64), weight_decay: f64) -> Self {
        let zeros = |tensor: &Tensor| tensor.zeros_like().set_requires_grad(false);
        let (first, second) = (parameters.iter().map(zeros).collect(), parameters.iter().map(zeros).collect());
        let steps = parameters.iter().map(|tensor| Tensor::zeros([], (Kind::Float, tensor.device()))).collect();
        let members = |matrix: bool| (0..parameters.len()).filter(|i| (parameters[*i].dim() > 1) == matrix).collect();
        let groups = vec![Group { members: members(true), weight_decay }, Group { members: members(false), weight_decay: 0.0 }];
        Self { first, second, steps, groups, betas, parameters }
    }

    /// One step with gradients in the order of the parameters. Undefined ones leave their parameter as it is.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn step(&mut self, gradients: &[Tensor], rate: f64) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for group in &self.groups {
            let used: Vec<usize> = group.members.iter().copied().filter(|i| gradients[*i].defined()).collect();
            if used.is_empty() {
                continue;
            }
            let pick = |list: &[Tensor]| used.iter().map(|i| list[*i].shallow_clone()).collect::<Vec<_>>();
            let steps = pick(&self.steps);
            for counter in &steps {
                let _ = counter.shallow_clone().f_add_scalar_(1.0).or_fail()?;
            }
            let group = AdamGroup {
                parameters: &pick(&self.parameters),
                gradients: &pick(gradients),
                first_moments: &pick(&self.first),
                second_moments: &pick(&self.second),
                steps: &steps,
                weight_decay: group.weight_decay,
            };
            fused_adamw(&group, rate, self.betas, EPSILON).or_fail()?;
        }
        Ok(())
    }

    /// All state in a fixed order: parameters, first moments, second moments, step counters.
    pub fn state(&self) -> impl Iterator<Item = &Tensor> {
        self.parameters.iter().chain(&self.first).chain(&self.second).chain(&self.steps)
    }

    /// A copy of all state.
    pub fn snapshot(&self) -> Vec<Tensor> {
        let _guard = tch::no_grad_guard();
        self.state().map(|tensor| tensor.detach().copy()).collect()
    }

    /// Puts a copy back, bit for bit.
    ///
    /// # Errors
    /// When the copy is of another model.
    pub fn restore(&mut self, snapshot: &[Tensor]) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for (tensor, saved) in self.state().zip(snapshot) {
            tensor.shallow_clone().f_copy_(saved).or_fail()?;
        }
        Ok(())
    }
}
