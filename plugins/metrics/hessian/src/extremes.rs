//! `hessian/lambda_max` and `hessian/lambda_min`: the ends of the Hessian's spectrum.

use std::fmt::Write;

use clmbench_sdk::{estimation::Molecules, prelude::*, random::Stream};

use crate::{
    draws::dot,
    lanczos::{Lanczos, Ritz},
    operator::{self, Memory, Operator},
};

/// Ritz values that are given beside.
const BESIDE: usize = 5;

/// The largest (algebraic) eigenvalue of the Hessian of the mean loss per predicted token.
pub struct LambdaMax;

/// The smallest (algebraic) eigenvalue; below 0 wherever the checkpoint is no minimum.
pub struct LambdaMin;

fn info(id: &str, end: &str, beside: &str) -> MetricInfo {
    let mut parameters = vec![
        ParameterInfo::integer("steps", 30, "steps of Lanczos' method, a product each; fewer where the budget pays no more")
            .between(2.0, 10_000.0),
        ParameterInfo::float(
            "tolerance",
            0.0,
            "residual, relative to the eigenvalue, at which it stops before all steps are done; 0: never, so that the number of \
             steps, which the value depends on, is the same for all checkpoints",
        )
        .between(0.0, 1.0),
        ParameterInfo::integer("count", 1, "eigenvalues from this end that must be within the tolerance").between(1.0, 5.0),
        operator::memory_parameter(),
        operator::adaptive_parameter(),
    ];
    parameters.extend(Molecules::parameters(128));
    MetricInfo {
        id: id.into(),
        doc: format!(
            "{end} eigenvalue of the Hessian of the loss under one draw of masks (algebraic, not by size), by Lanczos' method with \
             full re-orthogonalisation from a random start. Its error is the length of H v - t v: an eigenvalue is that near, \
             though not by proof the outermost one; it is approached from inside. se_sample beside it: jackknife of v' H v over \
             groups of molecules (one for every 8, from 4 to 16); the standard error is the root of the sum of both squares. A maximum over directions fitted to the molecules used: more molecules give a smaller |t|. \
             Also ritz_2 .. ritz_5 with bounds, the {beside} end, steps; ritz.csv. Takes all `steps` that \
             the budget pays; where `tolerance` is above 0 it stops at |H v - t v| <= `tolerance` |t| (or 1e-4 of the largest \
             size) for the `count` outermost. Holds steps + 4 vectors of P numbers; `memory_mib` caps the steps. \
             Depends on the parametrisation unless `adaptive`."
        ),
        citation: "Lanczos 1950; Parlett 1980, The Symmetric Eigenvalue Problem, chapter 13; Yao et al. 2020 (PyHessian), arXiv:1912.07145"
            .into(),
        unit: "nats/token".into(),
        primary: id.trim_start_matches("hessian/").into(),
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

impl Metric for LambdaMax {
    fn info(&self) -> MetricInfo {
        info("hessian/lambda_max", "Largest", "smallest")
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        extreme(probe, params, true)
    }
}

impl Metric for LambdaMin {
    fn info(&self) -> MetricInfo {
        // Strongly negative curvature is no flat minimum.
        MetricInfo { direction: Direction::HigherIsBetter, ..info("hessian/lambda_min", "Smallest", "largest") }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        extreme(probe, params, false)
    }
}

fn extreme(probe: &Probe<'_>, params: &Params, largest: bool) -> Result<Measurement, PluginError> {
    let weights = probe.weights()?;
    let wanted = params.integer("steps")?.unsigned_abs().min(weights.numel() as u64);
    let memory = Memory::plan(params, &weights, wanted + 4, 1, 6.min(weights.numel() as u64 + 4))?;
    let most = memory.vectors - 4;
    probe.progress(0, most, &format!("Lanczos: {memory}"))?;
    let operator = Operator::new(probe, params)?;
    let start = Stream::new(probe.rng("start")).normals(&weights)?;
    let mut lanczos = Lanczos::new(&start, most)?;
    let (tolerance, count) = (params.float("tolerance")?, params.integer("count")?.unsigned_abs() as usize);
    // The last product checks the result.
    let planned = (operator.affordable()? - 1.0).clamp(2.0, most as f64) as u64;
    let mut stopped = "complete";
    while lanczos.step(&operator)? {
        probe.progress(lanczos.steps() as u64, most, "step")?;
        let (ritz, steps) = (lanczos.ritz()?, lanczos.steps());
        let size = ritz.values.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
        let known = |index: usize| {
            let at = end(&ritz, largest, index);
            tolerance > 0.0 && ritz.bounds[at] <= (tolerance * ritz.values[at].abs()).max(1e-4 * size)
        };
        if steps > count && (0..count).all(known) {
            stopped = "precision";
            break;
        }
        if steps as u64 == planned && planned < most {
            stopped = "budget";
            break;
        }
    }
    if lanczos.exhausted {
        stopped = "precision";
    }
    let ritz = lanczos.ritz()?;
    let vector = lanczos.vector(&ritz, end(&ritz, largest, 0))?;
    let mut values = vec![checked(&operator, &vector, if largest { "lambda_max" } else { "lambda_min" })?];
    let beside = |name: String, at: usize| Value {
        residual_bound: Some(ritz.bounds[at]),
        ..Value::exact(&name, ritz.values[at], "nats/token")
    };
    values.extend(
        (1..BESIDE.min(ritz.values.len())).map(|index| beside(format!("ritz_{}", index + 1), end(&ritz, largest, index))),
    );
    values.push(beside("other_end".into(), end(&ritz, !largest, 0)));
    values.push(Value::exact("steps", lanczos.steps() as f64, "steps"));
    values.push(Value::exact("memory_bytes", memory.bytes as f64, "bytes"));
    let mut table = "ritz_value,residual_bound\n".to_owned();
    for (value, bound) in ritz.values.iter().zip(&ritz.bounds).rev() {
        // A String takes every write.
        let _ = writeln!(table, "{value},{bound}");
    }
    let artifacts = vec![("ritz.csv".to_owned(), table.into_bytes())];
    Ok(Measurement { values, artifacts, molecules: operator.molecules(), stopped })
}

/// Index of the n-th Ritz value from an end.
fn end(ritz: &Ritz, largest: bool, nth: usize) -> usize {
    if largest { ritz.values.len() - 1 - nth } else { nth }
}

/// The Rayleigh quotient of a vector, its residual by a product of its own, and its jackknife error over molecules: to first
/// order a group moves the eigenvalue by `v^T H_g v`.
fn checked(operator: &Operator<'_, '_>, vector: &Tensor, name: &str) -> Result<Value, PluginError> {
    let length = dot(vector, vector)?;
    let (mut tops, mut bottoms, mut image) = (Vec::new(), Vec::new(), vector.f_zeros_like()?);
    operator.by_groups(vector, |tokens, product| {
        tops.push(tokens * dot(&product, vector)? / length);
        bottoms.push(tokens);
        image += product * tokens;
        Ok(())
    })?;
    let (value, se_sample) = statistics::ratio_with_jackknife(&tops, &bottoms);
    let image = image.f_div_scalar(bottoms.iter().sum::<f64>())?;
    let residual = image.f_sub(&(vector * value))?;
    let bound = (dot(&residual, &residual)? / length).sqrt();
    Ok(Value { residual_bound: Some(bound), se_sample: Some(se_sample), ..Value::exact(name, value, "nats/token") })
}
