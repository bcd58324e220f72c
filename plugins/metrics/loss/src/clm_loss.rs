//! `loss/clm_loss`: causal loss.

use clmbench_sdk::{estimation::Molecules, prelude::*};

/// Mean negative log likelihood per next token of the sample, in nats: `L = sum_i nll_i / sum_i tokens_i` over molecules i, the end
/// token among the predicted ones, the start token not.
///
/// Averaged over tokens of the whole sample, not over batches. Every token is predicted, so that the value is exact for the
/// sample: there is no `se_estimator`; `se_sample` is the jackknife over molecules. Its exponential is the perplexity per token.
pub struct ClmLoss;

impl Metric for ClmLoss {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "loss/clm_loss".into(),
            doc: "Causal loss: mean negative log likelihood per next token, over the held-out sample by default. Exact for the sample; \
                  not comparable with `loss/mlm_loss`, which predicts masked tokens. Fails only where the model's loss is not \
                  finite."
                .into(),
            citation: "Radford et al. 2018, \"Improving language understanding by generative pre-training\", equation 1".into(),
            unit: "nats/token".into(),
            primary: "clm_loss".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Cheap,
            comparable: Comparable::SameEvaluation,
            objectives: vec![Objective::CausalLm],
            tasks: Vec::new(),
            parameters: Molecules::parameters(0).into(),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let molecules = Molecules::read(probe, params)?;
        let rows = probe.loss(molecules.whole(0), None)?;
        let (loss, error) = statistics::ratio_with_jackknife(&rows.nll, &rows.tokens);
        let value = Value { se_sample: Some(error), ..Value::exact("clm_loss", loss, "nats/token") };
        Ok(Measurement::complete(vec![value], molecules.count))
    }
}
