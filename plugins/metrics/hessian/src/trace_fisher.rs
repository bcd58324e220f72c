//! `hessian/trace_fisher`: trace of the Fisher matrix by sampled labels.

use clmbench_sdk::prelude::*;

use crate::{
    draws::{self, Draws, Masks, dot},
    traces,
};

/// Trace of the Fisher matrix, the mean over predicted tokens of `E_y |grad log p(y | x)|^2` with labels y drawn from the model's
/// own prediction.
///
/// Gradients of sampled labels have mean zero and are independent, so that for B tokens with mean gradient g the number
/// `B |g|^2` has this mean: one backward pass gives an unbiased estimate, without second derivatives. It is taken for each
/// group of molecules apart (cross terms of groups have mean zero and would only add noise), weighted by the groups' tokens.
/// The Fisher matrix is the Hessian for models that are linear in their parameters, the Gauss-Newton part of it for deep ones, and
/// the whole in expectation where the model predicts the data's distribution. Adaptive: `sum_i w_i^2 g_i^2` instead of `|g|^2`.
pub struct TraceFisher;

impl Metric for TraceFisher {
    fn info(&self) -> MetricInfo {
        let mut parameters =
            draws::parameters("draws", 64, "draws of labels at most, each with its own masks", traces::MOLECULES);
        parameters.push(traces::adaptive("from the same gradient"));
        MetricInfo {
            id: "hessian/trace_fisher".into(),
            doc: "Trace of the Fisher matrix of the model's own predictions, B |g|^2 over gradients with sampled labels (no second \
                  derivatives); tr(F), tr(F)/P, and adaptive tr(W F W) with W = diag |w|. Stops at SE <= 5 % of the trace (from \
                  4 draws on), after `draws`, or at the budget. Never negative; equals the Hessian's trace only where the model \
                  is linear in its parameters or predicts the data's distribution. Raw values depend on the parametrisation."
                .into(),
            citation: "Liu et al. 2022, arXiv:2210.14199 (trace by sampled labels); Liu et al. 2023 (Sophia), \
                       arXiv:2305.14342, section 2.3 (Gauss-Newton-Bartlett estimator)"
                .into(),
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
        let squares = probe.weights()?.f_square()?;
        let adaptive = params.boolean("adaptive")?;
        let draws = Draws::take(probe, params, (Masks::From(0), params.integer("draws")?), |_, sample| {
            let gradient = probe.grad(sample, None, Labels::Sampled)?.f_square()?;
            let tokens: f64 = probe.predicted(sample)?.iter().sum();
            let mut numbers = vec![tokens * gradient.f_sum(Kind::Double)?.f_double_value(&[])?];
            if adaptive {
                numbers.push(tokens * dot(&gradient, &squares)?);
            }
            Ok(numbers)
        })?;
        traces::measurement(probe, &draws, adaptive)
    }
}
