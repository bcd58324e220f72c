//! `hessian/trace_hutchpp`: trace of the Hessian, its largest part exactly and the rest by random probes.

use clmbench_sdk::{estimation::Molecules, prelude::*, random::Stream};

use crate::{
    draws::{self, Draws, Masks, dot, not_finite, nothing_predicted},
    operator::{self, EACH, Memory, PASS},
    trace_hutchinson::signs,
    traces,
};

/// Vectors of P numbers that are held at once for each of the sketch, raw or adaptive: a basis, what signs it leaves, both scaled as
/// rows of a pass, and their products.
const HELD: u64 = 8;
/// Draws that the sketch leaves the budget for, if it is more than one vector.
const DRAWS: f64 = 3.0;

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
            "draws at most, each with its own masks and as many probes a group as the sketch has vectors",
            traces::MOLECULES,
        );
        parameters.push(
            ParameterInfo::integer(
                "sketch",
                4,
                "vectors N of the sketch, and probes of a draw, at most; fewer where the budget does not pay three draws",
            )
            .between(1.0, 1000.0),
        );
        parameters.push(traces::adaptive("as many products again in the same passes"));
        parameters.push(operator::memory_parameter());
        MetricInfo {
            id: "hessian/trace_hutchpp".into(),
            doc:
                "Trace of the Hessian of the loss by Hutch++: tr(Q' H Q) for Q = orth(H S) of `sketch` random signs, and random \
                  signs for what Q leaves. Q is made once, under the masks of draw 0; draws use other masks and probes, so that \
                  it is unbiased. tr(H), tr(H)/P, and adaptive tr(W H W). Stops as trace_hutchinson. A draw costs 2 N \
                  products, so that it is worth its price only where few eigenvalues carry the Frobenius norm. N is planned from the budget before the start. Holds 8 N P \
                  numbers at once, twice that if adaptive; `memory_mib` caps N."
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
        let adaptive = params.boolean("adaptive")?;
        let molecules = Molecules::read(probe, params)?;
        let mut scales = vec![weights.f_ones_like()?];
        if adaptive {
            scales.push(weights.f_abs()?);
        }
        let kinds = scales.len() as u64;
        let wanted = params.integer("sketch")?.unsigned_abs().min(weights.numel() as u64);
        let wanted = wanted.min(paid(probe, molecules.count, kinds as f64)?);
        let memory = Memory::plan(params, &weights, wanted, HELD * kinds, 1)?;
        probe.progress(0, 1, &format!("sketch: {memory}"))?;
        let bases = bases(probe, molecules.whole(0), &scales, memory.vectors)?;
        let draws = Draws::take(probe, params, (Masks::From(1), params.integer("draws")?), |draw, sample| {
            let signs = signs(probe, draw, sample, &Tensor::f_zeros_like(&bases[0])?)?; // [N, P]
            estimates(probe, sample, &bases, &signs, &scales)
        })?;
        let mut measured = traces::measurement(probe, &draws, adaptive)?;
        measured.values.push(Value::exact("sketch", memory.vectors as f64, "vectors"));
        measured.values.push(Value::exact("memory_bytes", memory.bytes as f64, "bytes"));
        Ok(measured)
    }
}

/// Vectors of the sketch that the budget pays with [`DRAWS`] draws, for raw traces or raw and adaptive ones (`kinds`): the sketch is a pass
/// of N products of each kind, a draw one of 2 N. At least one.
fn paid(probe: &Probe<'_>, molecules: u64, kinds: f64) -> Result<u64, PluginError> {
    // Passes of no product: budget in units of their cost.
    let budget = operator::affordable(probe, molecules, 0.0)? * PASS;
    let vectors = (budget - PASS * (1.0 + DRAWS)) / (EACH * kinds * (1.0 + 2.0 * DRAWS));
    Ok(vectors.floor().max(1.0) as u64)
}

/// Products of `W H W` with rows [N, P], for each W its rows, in one pass.
fn products(probe: &Probe<'_>, sample: Sample, rows: &[Tensor], scales: &[Tensor]) -> Result<Vec<Tensor>, PluginError> {
    let scaled: Result<Vec<Tensor>, PluginError> = rows.iter().zip(scales).map(|(rows, scale)| Ok(rows.f_mul(scale)?)).collect();
    let images = probe.hvp(sample, &Tensor::f_cat(&scaled?, 0)?, HvpMethod::DoubleBackward)?;
    let images = images.f_chunk(rows.len() as i64, 0)?;
    images.iter().zip(scales).map(|(image, scale)| Ok(image.f_mul(scale)?)).collect()
}

/// Orthonormal rows [N, P] that span `W H W S`, for each W.
fn bases(probe: &Probe<'_>, sample: Sample, scales: &[Tensor], count: u64) -> Result<Vec<Tensor>, PluginError> {
    if probe.predicted(sample)?.iter().sum::<f64>() == 0.0 {
        return Err(nothing_predicted(sample));
    }
    let sketch = |(index, scale): (usize, &Tensor)| -> Result<Tensor, PluginError> {
        let like = scale.f_unsqueeze(0)?.f_expand([count as i64, -1], false)?;
        Stream::new(probe.rng(&format!("sketch {index}"))).signs(&like)
    };
    let sketches: Result<Vec<Tensor>, PluginError> = scales.iter().enumerate().map(sketch).collect();
    let basis = |image: Tensor| -> Result<Tensor, PluginError> {
        let size = dot(&image, &image)?;
        if !size.is_finite() {
            return Err(not_finite(sample, size));
        }
        let (basis, _) = Tensor::f_linalg_qr(&image.f_transpose(0, 1)?, "reduced")?; // [P, N]
        Ok(basis.f_transpose(0, 1)?.f_contiguous()?)
    };
    products(probe, sample, &sketches?, scales)?.into_iter().map(basis).collect()
}

/// `tr(Q^T H Q)` and the mean of `r^T H r` over what Q leaves of the signs, for each W.
fn estimates(
    probe: &Probe<'_>,
    sample: Sample,
    bases: &[Tensor],
    signs: &Tensor,
    scales: &[Tensor],
) -> Result<Vec<f64>, PluginError> {
    let both = |basis: &Tensor| -> Result<Tensor, PluginError> {
        let inside = signs.f_matmul(&basis.f_transpose(0, 1)?)?.f_matmul(basis)?;
        Ok(Tensor::f_cat(&[basis, &signs.f_sub(&inside)?], 0)?) // [2 N, P]
    };
    let rows: Result<Vec<Tensor>, PluginError> = bases.iter().map(both).collect();
    let rows = rows?;
    let count = signs.size()[0];
    let estimate = |(rows, images): (&Tensor, &Tensor)| -> Result<f64, PluginError> {
        let sum = |start: i64| dot(&rows.f_narrow(0, start, count)?, &images.f_narrow(0, start, count)?);
        Ok(sum(0)? + sum(count)? / count as f64)
    };
    rows.iter().zip(&products(probe, sample, &rows, scales)?).map(estimate).collect()
}
