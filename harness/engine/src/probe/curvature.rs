//! Gradients and Hessian-vector products.

use clmbench_api::{AttentionMode, HvpMethod, Labels, ParameterRow, Sample, SamplePart};
use clmbench_protocol::{Failure, FailureKind};
use clmbench_torch_ext::vector_jacobian;
use tch::{Kind, Tensor};

use super::{Piece, ProbeHost, Read};
use crate::{
    failure::{OrFail, Result},
    model::backward,
};

/// Root mean square of the step that finite differences first take. Measured in float32 on encoders of 280 to 1,000,000 parameters,
/// trained and not: of 1e-6 to 3e-3, the best one for random directions.
const STEP: f64 = 1e-4;
/// Change of the gradient over a step, relative to its length, that finite differences aim at. Where it is between 3e-3 and 1e-2,
/// products were within 2e-4 of those by double backward on all of those models, along random directions, the gradient and the
/// eigenvector of the largest eigenvalue; at the fixed step, the last was off by half of its length on untrained models.
const CHANGED: f64 = 5e-3;
/// The largest such change that is left as it is.
const MOST_CHANGED: f64 = 1e-2;
/// Steps that are tried at most.
const ROUNDS: usize = 4;

/// 2-norm.
fn length(tensor: &Tensor) -> f64 {
    tensor.square().sum(Kind::Double).double_value(&[]).sqrt()
}

/// Tensors side by side in one [P]; zeros where there is none.
fn flat(parts: &[Tensor], like: &[Tensor]) -> Result<Tensor> {
    let pieces = parts.iter().zip(like);
    let pieces =
        pieces.map(|(part, like)| if part.defined() { part.flatten(0, -1) } else { like.detach().zeros_like().flatten(0, -1) });
    Tensor::f_cat(&pieces.collect::<Vec<_>>(), 0).or_fail()
}

/// Views of a flat [P] in the shapes of the parameters.
fn pieces_of(flat: &Tensor, like: &[Tensor]) -> Result<Vec<Tensor>> {
    let mut offset = 0;
    let pieces = like.iter().map(|like| {
        let count = like.numel() as i64;
        offset += count;
        flat.f_narrow(0, offset - count, count).or_fail()?.f_view_as(like).or_fail()
    });
    pieces.collect()
}

/// Libtorch faults when it differentiates what hangs on no weight.
fn depends(value: &Tensor, otherwise: &str) -> Result<()> {
    if value.requires_grad() { Ok(()) } else { Err(cut_off(otherwise)) }
}

fn cut_off(what: &str) -> Failure {
    let text = format!("{what}: the architecture's hidden or logits are cut off from its parameters");
    Failure::new(FailureKind::PluginError, text)
}

impl ProbeHost<'_> {
    /// Which parameters get a gradient from the pretraining loss.
    pub(super) fn reached(&self) -> Result<Vec<bool>> {
        if let Some(known) = self.with_gradient.borrow().as_ref() {
            return Ok(known.clone());
        }
        let sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };
        // A few molecules are enough, unless their masks left no token to predict.
        let (all, mut count) = (self.heldout.len(), self.heldout.len().min(8));
        let piece = loop {
            let molecules: Vec<u32> = (0..count as u32).collect();
            let batch = self.batch(sample, &molecules)?;
            if batch.predicted() > 0 {
                break Piece { members: molecules.clone(), molecules, batch };
            }
            if count == all {
                return Err(Failure::new(FailureKind::BadInput, "the held-out sample has no token to predict"));
            }
            count = (2 * count).min(all);
        };
        let sum = self.nll(&piece, AttentionMode::Fast, Labels::Data, 0)?.sum(Kind::Float);
        let gradients = backward(&sum, &self.model.tensors())?;
        let reached: Vec<bool> = gradients.iter().map(Tensor::defined).collect();
        *self.with_gradient.borrow_mut() = Some(reached.clone());
        Ok(reached)
    }

    /// The parameter table.
    pub(super) fn table(&self) -> Result<Vec<ParameterRow>> {
        let mut offset = 0;
        let rows = self.model.parameters.iter().zip(self.reached()?).map(|(row, reached)| {
            let at = if reached { offset } else { -1 };
            offset += if reached { row.tensor.numel() as i64 } else { 0 };
            ParameterRow { name: row.name.as_str().into(), offset: at, shape: row.tensor.size().into(), role: row.role }
        });
        Ok(rows.collect())
    }

    /// The parameters that make up P.
    pub(super) fn tensors(&self) -> Result<Vec<Tensor>> {
        let pairs = self.model.tensors().into_iter().zip(self.reached()?);
        Ok(pairs.filter(|(_, reached)| *reached).map(|(tensor, _)| tensor).collect())
    }

    /// A copy of the weights [P].
    pub(super) fn flat_weights(&self) -> Result<Tensor> {
        self.note_read(Read::Weights);
        let tensors = self.tensors()?;
        let _guard = tch::no_grad_guard();
        let parts: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
        flat(&parts, &tensors)
    }

    /// Gradient [P] of the mean loss per predicted token.
    pub(super) fn gradient(&self, sample: Sample, labels: Labels) -> Result<Tensor> {
        let tensors = self.tensors()?;
        let sums: Vec<Tensor> = tensors.iter().map(|tensor| tensor.detach().zeros_like()).collect();
        let (_, predicted) = self.each(sample, 1.0, |piece| {
            let total = self.nll(piece, AttentionMode::Fast, labels, sample.draw)?.sum(Kind::Float);
            let gradients = backward(&total, &tensors)?;
            let _guard = tch::no_grad_guard();
            for (sum, gradient) in sums.iter().zip(&gradients).filter(|(_, gradient)| gradient.defined()) {
                let _ = sum.shallow_clone().f_add_(gradient).or_fail()?;
            }
            Ok(())
        })?;
        Ok(flat(&sums, &tensors)? / (predicted.max(1) as f64))
    }

    /// Hessian-vector products by backward through the gradient, [k, P].
    fn products(&self, sample: Sample, vectors: &Tensor) -> Result<Tensor> {
        let tensors = self.tensors()?;
        let sums = vectors.zeros_like();
        let count = vectors.size()[0];
        // The charge of a suite's plan. In CPU time on one thread, the shared part took 1.05 gradients and each product 2.2 (encoders
        // of 0.18 and 1.07 million parameters, 64 molecules of 40 tokens).
        let (_, predicted) = self.each(sample, 1.0 + 1.5 * count as f64, |piece| {
            let total = self.nll(piece, AttentionMode::TwiceDifferentiable, Labels::Data, sample.draw)?.sum(Kind::Float);
            depends(&total, "the loss depends on no weight")?;
            let gradients = Tensor::f_run_backward(&[&total], &tensors, true, true).or_fail()?;
            // Only what depends on a weight can be differentiated again.
            let live: Vec<usize> =
                (0..gradients.len()).filter(|at| gradients[*at].defined() && gradients[*at].requires_grad()).collect();
            if live.is_empty() {
                return Err(cut_off("the gradient depends on no weight"));
            }
            let outputs: Vec<Tensor> = live.iter().map(|at| gradients[*at].shallow_clone()).collect();
            for row in 0..count {
                let vector = pieces_of(&vectors.select(0, row), &tensors)?;
                let along: Vec<Tensor> = live.iter().map(|at| vector[*at].shallow_clone()).collect();
                let seconds = vector_jacobian(&outputs, &along, &tensors, row + 1 < count).or_fail()?;
                let _guard = tch::no_grad_guard();
                for (sum, second) in pieces_of(&sums.select(0, row), &tensors)?.iter_mut().zip(&seconds) {
                    if second.defined() {
                        let _ = sum.f_add_(second).or_fail()?;
                    }
                }
            }
            Ok(())
        })?;
        Ok(sums / predicted.max(1) as f64)
    }

    /// Hessian-vector products by central differences of the gradient, [k, P].
    fn differences(&self, sample: Sample, vectors: &Tensor) -> Result<Tensor> {
        let rows: Vec<Tensor> =
            (0..vectors.size()[0]).map(|row| self.difference(sample, &vectors.select(0, row))).collect::<Result<_>>()?;
        Tensor::f_stack(&rows, 0).or_fail()
    }

    /// One of them, [P]. The weights first move by [`STEP`] (root mean square); where the gradient changes too much on the way, the
    /// direction is a sharp one, and the step is shortened in proportion.
    fn difference(&self, sample: Sample, vector: &Tensor) -> Result<Tensor> {
        let mut step = STEP * (vector.numel() as f64).sqrt() / length(vector).max(f64::MIN_POSITIVE);
        for round in 1.. {
            let [up, down] = [step, -step].map(|step| self.shifted(Some(vector * step), || self.gradient(sample, Labels::Data)));
            let (up, down) = (up?, down?);
            let changed = up - &down;
            let share = length(&changed) / (2.0 * length(&down)).max(f64::MIN_POSITIVE);
            // NaN is not above it either: who called is told by the product.
            if share > MOST_CHANGED && round < ROUNDS {
                step *= CHANGED / share.min(1.0);
                continue;
            }
            return Ok(changed / (2.0 * step));
        }
        Err(Failure::new(FailureKind::NonFinite, "no step of finite differences; report this as a bug of clmbench"))
    }

    /// Hessian-vector products [k, P] of the mean loss per predicted token, for vectors [k, P].
    pub(super) fn hessian(&self, sample: Sample, vectors: &Tensor, method: HvpMethod) -> Result<Tensor> {
        let all: i64 = self.tensors()?.iter().map(|tensor| tensor.numel() as i64).sum();
        if vectors.dim() != 2 || vectors.size()[1] != all || vectors.size()[0] == 0 {
            let text = format!("vectors have shape {:?}; [k, {all}] with k > 0 is needed", vectors.size());
            return Err(Failure::new(FailureKind::WrongShape, text));
        }
        match method {
            HvpMethod::DoubleBackward => self.products(sample, vectors),
            HvpMethod::FiniteDifference => self.differences(sample, vectors),
        }
    }
}
