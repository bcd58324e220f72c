//! `loss/mlm_loss`: held-out masked-LM loss.

use clmbench_sdk::prelude::*;

/// Mean negative log likelihood per predicted token on the held-out sample, in nats:
/// `L = sum_i nll_i / sum_i tokens_i` over molecules i and mask draws.
///
/// Averaged over predicted tokens of the whole sample, not over batches, so batch size does not leak in. Masks of a draw
/// are the same for every checkpoint with the same tokenizer. `se_estimator` comes from the spread of each molecule's loss
/// over the mask draws; `se_sample` from the jackknife over molecules, which holds the noise of these masks as well, so that
/// their root sum of squares is a little too large rather than too small.
pub struct MlmLoss;

impl Metric for MlmLoss {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "loss/mlm_loss".into(),
            doc: "Held-out masked-LM loss: mean negative log likelihood per predicted token over the held-out sample and \
                  `masks` mask draws shared by all checkpoints. Fails only where the model's loss is not finite."
                .into(),
            citation: "Devlin et al. 2019, arXiv:1810.04805, section 3.1 (15 %, 80/10/10)".into(),
            unit: "nats/token".into(),
            primary: "mlm_loss".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Cheap,
            comparable: Comparable::SameEvaluation,
            objectives: vec![Objective::MaskedLm],
            tasks: Vec::new(),
            parameters: vec![ParameterInfo::integer("masks", 2, "mask draws; at least 2 for an error").between(2.0, 64.0)],
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let draws = params.integer("masks")?.unsigned_abs();
        let (mut nll, mut tokens) = (Vec::new(), Vec::new());
        for draw in 0..draws {
            probe.progress(draw, draws, "mask draw")?;
            let rows = probe.loss(Sample { part: SamplePart::Heldout, start: 0, count: 0, draw }, None)?;
            nll.push(rows.nll);
            tokens.push(rows.tokens);
        }
        let (loss, se_sample) = statistics::ratio_with_jackknife(&over_draws(&nll), &over_draws(&tokens));
        let se_estimator = statistics::error_of_draws(&nll, &tokens);
        let value = Value::estimate("mlm_loss", loss, "nats/token", se_estimator, se_sample);
        Ok(Measurement::complete(vec![value], nll.first().map_or(0, Vec::len) as u64))
    }
}

/// Sum of each molecule's values over the draws.
pub(crate) fn over_draws(table: &[Vec<f64>]) -> Vec<f64> {
    let molecules = table.first().map_or(0, Vec::len);
    (0..molecules).map(|molecule| table.iter().map(|draw| draw[molecule]).sum()).collect()
}
