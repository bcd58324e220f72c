//! `hessian/trace_hutchinson`: trace of the Hessian by random probes.

use clmbench_sdk::{prelude::*, random::Stream};

use crate::{
    draws::{self, Draws, Masks, dot},
    traces,
};

/// Trace of the Hessian H of the mean loss per predicted token: `tr(H) = E[v^T H v]` with independent signs v (Hutchinson 1990;
/// for signs the variance is `2 (|H|_F^2 - sum_i H_ii^2)`, so that a diagonal Hessian needs one probe).
///
/// The trace is linear in the data: with H the mean of the Hessians `H_g` of groups of molecules, each draw takes signs of its own for
/// each group, `mean_g v_g^T H_g v_g`. It is as unbiased as one v for all and costs the same products, but its variance is
/// `mean_g 2 |H_g|_F^2 / G` (off the diagonal): smaller by up to the number of groups G, as far as the groups' Hessians
/// agree. Each draw takes fresh masks, and, if adaptive, a second product in the same pass, `u^T H u` with `u = |w| v`, whose mean
/// is `tr(W H W)`, `W = diag |w|`; it does not move when weights are rescaled without changing the function (attention heads).
pub struct TraceHutchinson;

impl Metric for TraceHutchinson {
    fn info(&self) -> MetricInfo {
        let mut parameters =
            draws::parameters("probes", 64, "random probes of each group at most, each with its own masks", traces::MOLECULES);
        parameters.push(Masks::parameter());
        parameters.push(traces::adaptive("a second product in the same pass (4 gradients instead of 2.5)"));
        MetricInfo {
            id: "hessian/trace_hutchinson".into(),
            doc: "Trace of the Hessian of the loss, E[v' H v] over random signs v by double backward, with signs of their own for \
                  each group of molecules (the trace is linear in the data: unbiased, and of lower variance than one v for \
                  all); tr(H), tr(H)/P, and adaptive tr(W H W) with W = diag |w|. Stops at SE <= 5 % of the trace (from 4 draws \
                  on), after `probes`, or at the budget. Raw values depend on how the same function is parametrised and grow \
                  with P; near a zero trace of an indefinite Hessian the relative error stays large and the budget ends it. Needs an \
                  architecture whose second attention mode is twice differentiable."
                .into(),
            citation: "Hutchinson 1990, Commun. Stat. Simul. Comput. 19; Yao et al. 2020 (PyHessian), arXiv:1912.07145, section III".into(),
            unit: "nats/token".into(),
            primary: "trace".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Moderate,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters,
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let sizes = probe.weights()?.f_abs()?;
        let adaptive = params.boolean("adaptive")?;
        let draws = Draws::take(probe, params, (Masks::read(params)?, params.integer("probes")?), |draw, sample| {
            let signs = signs(probe, draw, sample, &sizes)?;
            let vectors = if adaptive { Tensor::f_stack(&[&signs, &signs.f_mul(&sizes)?], 0)? } else { signs.f_unsqueeze(0)? };
            let products = probe.hvp(sample, &vectors, HvpMethod::DoubleBackward)?; // [1 or 2, P]
            (0..vectors.size()[0]).map(|row| dot(&vectors.f_select(0, row)?, &products.f_select(0, row)?)).collect()
        })?;
        traces::measurement(probe, &draws, adaptive)
    }
}

/// Signs of a draw on a group of molecules, in the shape of the weights.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn signs(probe: &Probe<'_>, draw: u64, sample: Sample, like: &Tensor) -> Result<Tensor, PluginError> {
    Stream::new(probe.rng(&format!("signs {draw} from {}", sample.start))).signs(like)
}
