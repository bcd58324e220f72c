//! `echo/calls`: makes the calls that a probe offers, in one piece and in several, so that a test can compare them.

use clmbench_sdk::prelude::*;

/// The metric.
pub struct Calls;

/// Molecules of a piece; no divisor of any batch.
const PIECE: u64 = 37;

impl Metric for Calls {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "echo/calls".into(),
            doc: "Losses, gradients and embeddings, whole and in pieces.".into(),
            citation: "none".into(),
            unit: "nats/token".into(),
            primary: "loss".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Moderate,
            comparable: Comparable::SameEvaluation,
            objectives: vec![Objective::MaskedLm],
            tasks: Vec::new(),
            parameters: Vec::new(),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, _params: &Params) -> Result<Measurement, PluginError> {
        let molecules = probe.molecules(SamplePart::Heldout)?;
        let (whole, pieces) = (loss(probe, 0, molecules, None)?, in_pieces(probe, molecules)?);
        let rows = probe.parameters()?;
        let parameters: i64 = rows.iter().filter(|row| row.offset >= 0).map(|row| row.shape.iter().product::<i64>()).sum();
        let delta = Tensor::f_full([parameters], 1e-2, (Kind::Float, Device::Cpu))?;
        let shifted = loss(probe, 0, molecules, Some(&delta))?;
        let after = loss(probe, 0, molecules, None)?;
        let gradient = probe.grad(sample(0, molecules), None, Labels::Data)?;
        // The slope along the delta, to compare with a difference of losses.
        let slope = gradient.f_dot(&Tensor::f_ones_like(&gradient)?)?.f_double_value(&[])?;
        let small = Tensor::f_full([parameters], 1e-3, (Kind::Float, Device::Cpu))?;
        let (up, down) = (loss(probe, 0, molecules, Some(&small))?, loss(probe, 0, molecules, Some(&(-&small)))?);
        let vector = Tensor::f_ones([1, parameters], (Kind::Float, Device::Cpu))?;
        let curvature = |method| -> Result<f64, PluginError> {
            Ok(probe.hvp(sample(0, PIECE), &vector, method)?.f_sum(Kind::Float)?.f_double_value(&[])?)
        };
        let embedded = probe.embed(SamplePart::Heldout, 0, 0)?;
        let halves = [probe.embed(SamplePart::Heldout, 0, PIECE)?, probe.embed(SamplePart::Heldout, PIECE, 0)?];
        let apart = (&embedded - Tensor::f_cat(&halves, 0)?).f_abs()?.f_max()?.f_double_value(&[])?;
        let values = [
            ("loss", whole.0 / whole.1),
            ("loss_in_pieces", pieces.0 / pieces.1),
            ("loss_shifted", shifted.0 / shifted.1),
            ("loss_after", after.0 / after.1),
            ("gradient_norm", gradient.f_norm()?.f_double_value(&[])?),
            ("slope", slope),
            ("slope_of_losses", (up.0 / up.1 - down.0 / down.1) / 2e-3),
            ("curvature", curvature(HvpMethod::DoubleBackward)?),
            ("curvature_of_differences", curvature(HvpMethod::FiniteDifference)?),
            ("embedding_norm", embedded.f_norm()?.f_double_value(&[])?),
            ("embedding_difference", apart),
        ];
        let mut values: Vec<Value> = values.into_iter().map(|(name, value)| Value::exact(name, value, "1")).collect();
        let rows = probe.loss(sample(0, molecules), None)?;
        values[0].se_sample = Some(statistics::ratio_with_jackknife(&rows.nll, &rows.tokens).1);
        Ok(Measurement::complete(values, molecules))
    }
}

fn sample(start: u64, count: u64) -> Sample {
    Sample { part: SamplePart::Heldout, start, count, draw: 0 }
}

/// Sum of losses and number of predicted tokens.
fn loss(probe: &Probe<'_>, start: u64, count: u64, delta: Option<&Tensor>) -> Result<(f64, f64), PluginError> {
    let rows = probe.loss(sample(start, count), delta)?;
    Ok((rows.nll.iter().sum(), rows.tokens.iter().sum()))
}

fn in_pieces(probe: &Probe<'_>, molecules: u64) -> Result<(f64, f64), PluginError> {
    let mut sums = (0.0, 0.0);
    for start in (0..molecules).step_by(PIECE as usize) {
        let (nll, tokens) = loss(probe, start, PIECE.min(molecules - start), None)?;
        sums = (sums.0 + nll, sums.1 + tokens);
    }
    Ok(sums)
}
