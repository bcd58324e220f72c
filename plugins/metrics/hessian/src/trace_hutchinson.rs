//! `hessian/trace_hutchinson`: trace of the Hessian by random probes.

use clmbench_sdk::{prelude::*, random::Stream};

use crate::traces::{self, GroupDraw, dot};

/// Trace of the Hessian H of the mean loss per predicted token: `tr(H) = E[v^T H v]` with independent signs v (Hutchinson 1990;
/// for signs the variance is `2 (|H|_F^2 - sum_i H_ii^2)`, so that a diagonal Hessian needs one probe).
///
/// Each draw takes fresh signs and fresh masks, and two products in one pass, by backward through the gradient: `v^T H v`, and
/// `u^T H u` with `u = |w| v`, whose mean is the adaptive trace `tr(W H W)`, `W = diag |w|`. The second does not move when
/// weights are rescaled without changing the function (attention heads), the first does. The molecules go through in
/// groups with the same signs, so that `se_sample` (jackknife over groups) costs nothing; `se_estimator` is the spread over draws.
pub struct TraceHutchinson;

impl Metric for TraceHutchinson {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "hessian/trace_hutchinson".into(),
            doc: "Trace of the Hessian of the loss, E[v' H v] over random signs v by double backward; tr(H), tr(H)/P, and adaptive \
                  tr(W H W) with W = diag |w|. Stops at SE <= 5 % of the trace (from 16 probes on), after `probes`, or at the \
                  budget. Raw values depend on how the same function is parametrised and grow with P; near a zero trace of an \
                  indefinite Hessian the relative error stays large and the budget ends it. Needs an architecture whose \
                  second attention mode is twice differentiable."
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
            parameters: traces::parameters("probes", 64, "random probes at most, each with its own masks"),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let sizes = probe.weights()?.f_abs()?;
        // The signs of a draw are the same for all of its groups.
        let mut current: Option<(u64, Tensor)> = None;
        traces::estimate(probe, params, params.integer("probes")?, |draw, sample| {
            let vectors = match &current {
                Some((of, vectors)) if *of == draw => vectors.shallow_clone(),
                _ => {
                    let signs = Stream::new(probe.rng(&format!("signs {draw}"))).signs(&sizes)?;
                    Tensor::f_stack(&[&signs, &(&signs * &sizes)], 0)? // [2, P]
                }
            };
            current = Some((draw, vectors.shallow_clone()));
            let products = probe.hvp(sample, &vectors, HvpMethod::DoubleBackward)?;
            let row = |index: i64| dot(&vectors.f_select(0, index)?, &products.f_select(0, index)?);
            let tokens = probe.predicted(sample)?.iter().sum();
            Ok(GroupDraw { tokens, raw: row(0)?, adaptive: row(1)? })
        })
    }
}
