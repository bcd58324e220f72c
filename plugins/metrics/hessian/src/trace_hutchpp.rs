//! `hessian/trace_hutchpp`: trace of the Hessian, its largest part exactly and the rest by random probes.

use clmbench_sdk::{estimation::Molecules, prelude::*, random::Stream};

use crate::{
    draws::{self, Draws, Masks, dot, not_finite, nothing_predicted},
    operator::{self, Memory},
    trace_hutchinson::signs,
    traces,
};

/// Vectors of P numbers that are held at once for each of the sketch: the two bases, and the vectors and products of a pass.
const HELD: u64 = 6;

/// Hutch++ (Meyer et al. 2021, algorithm 1): `tr(H) = tr(Q^T H Q) + tr((I - Q Q^T) H (I - Q Q^T))` for any orthonormal Q. Where
/// Q spans the largest eigenvectors, little is left to the second term, which is estimated by random signs v.
///
/// Q = orth(H S), S random signs [P, N], comes from the molecules used under the masks of draw 0 and is made once. It helps where H
/// is nearly the same matrix under other masks, but the estimate is unbiased without that: draws 1, 2, ... take masks and signs that are
/// independent of Q, and give both terms for their own H, by groups of molecules with signs of their own as in
/// [`crate::TraceHutchinson`]. So `se_estimator` holds masks and signs. (With masks of draw 0, Q would depend on the H it is
/// used on, which is still unbiased, for that one H; with probes out of S it would not be.) The adaptive trace has a Q of its own.
pub struct TraceHutchpp;

impl Metric for TraceHutchpp {
    fn info(&self) -> MetricInfo {
        let mut parameters = draws::parameters(
            "draws",
            16,
            "draws at most, each with its own masks and `sketch` probes a group",
            traces::MOLECULES,
        );
        parameters
            .push(ParameterInfo::integer("sketch", 4, "vectors N of the sketch, and probes of a draw").between(1.0, 1000.0));
        parameters.push(traces::adaptive("as many products again"));
        parameters.push(operator::memory_parameter());
        MetricInfo {
            id: "hessian/trace_hutchpp".into(),
            doc:
                "Trace of the Hessian of the loss by Hutch++: tr(Q' H Q) for Q = orth(H S) of `sketch` random signs, and random \
                  signs for what Q leaves. Q is made once, under the masks of draw 0; draws use other masks and probes, so that \
                  it is unbiased. tr(H), tr(H)/P, and adaptive tr(W H W). Stops as trace_hutchinson. A draw costs 2 N \
                  products, so that it is worth its price only where few eigenvalues carry the Frobenius norm. Holds 6 N P \
                  numbers at once; `memory_mib` caps N."
                    .into(),
            citation: "Meyer et al. 2021 (Hutch++), SOSA, arXiv:2010.09649, algorithm 1".into(),
            unit: "nats/token".into(),
            primary: "trace".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Expensive,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters,
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let weights = probe.weights()?;
        let wanted = params.integer("sketch")?.unsigned_abs().min(weights.numel() as u64);
        let memory = Memory::plan(params, &weights, wanted, HELD, 1)?;
        probe.progress(0, 1, &format!("sketch: {memory}"))?;
        let sizes = weights.f_abs()?;
        let adaptive = params.boolean("adaptive")?;
        let scales = [Some(weights.f_ones_like()?), adaptive.then_some(sizes)];
        let molecules = Molecules::read(probe, params)?;
        let bases: Result<Vec<(Tensor, Tensor)>, PluginError> = scales
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, scale)| Ok((basis(probe, molecules.whole(0), &scale, memory.vectors, index)?, scale)))
            .collect();
        let bases = bases?;
        let draws = Draws::take(probe, params, (Masks::From(1), params.integer("draws")?), |draw, sample| {
            let signs = signs(probe, draw, sample, &Tensor::f_zeros_like(&bases[0].0)?)?; // [N, P]
            bases.iter().map(|(basis, scale)| estimate(probe, sample, basis, &signs, scale)).collect()
        })?;
        let mut measured = traces::measurement(probe, &draws, adaptive)?;
        measured.values.push(Value::exact("sketch", memory.vectors as f64, "vectors"));
        measured.values.push(Value::exact("memory_bytes", memory.bytes as f64, "bytes"));
        Ok(measured)
    }
}

/// Products of `W H W` with rows [N, P].
fn products(probe: &Probe<'_>, sample: Sample, rows: &Tensor, scale: &Tensor) -> Result<Tensor, PluginError> {
    Ok(probe.hvp(sample, &rows.f_mul(scale)?, HvpMethod::DoubleBackward)?.f_mul(scale)?)
}

/// Orthonormal rows [N, P] that span `W H W S`.
fn basis(probe: &Probe<'_>, sample: Sample, scale: &Tensor, count: u64, index: usize) -> Result<Tensor, PluginError> {
    if probe.predicted(sample)?.iter().sum::<f64>() == 0.0 {
        return Err(nothing_predicted(sample));
    }
    let like = scale.f_unsqueeze(0)?.f_expand([count as i64, -1], false)?;
    let sketch = Stream::new(probe.rng(&format!("sketch {index}"))).signs(&like)?;
    let image = products(probe, sample, &sketch, scale)?;
    let size = dot(&image, &image)?;
    if !size.is_finite() {
        return Err(not_finite(sample, size));
    }
    let (basis, _) = Tensor::f_linalg_qr(&image.f_transpose(0, 1)?, "reduced")?; // [P, N]
    Ok(basis.f_transpose(0, 1)?.f_contiguous()?)
}

/// `tr(Q^T H Q)` and the mean of `r^T H r` over what Q leaves of the signs, in one pass.
fn estimate(probe: &Probe<'_>, sample: Sample, basis: &Tensor, signs: &Tensor, scale: &Tensor) -> Result<f64, PluginError> {
    let inside = signs.f_matmul(&basis.f_transpose(0, 1)?)?.f_matmul(basis)?;
    let rows = Tensor::f_cat(&[basis, &signs.f_sub(&inside)?], 0)?; // [2 N, P]
    let images = products(probe, sample, &rows, scale)?;
    let count = basis.size()[0];
    let sum = |start: i64| dot(&rows.f_narrow(0, start, count)?, &images.f_narrow(0, start, count)?);
    Ok(sum(0)? + sum(count)? / count as f64)
}
