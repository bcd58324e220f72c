//! `loss/tse_ema`: training speed as an exponentially weighted mean of the training loss.

use clmbench_sdk::prelude::*;

use crate::history::{History, exponential_mean};

/// `TSE-EMA = sum_t gamma^(T - t) l_t / sum_t gamma^(T - t)` over all steps t of a run of T steps; l_t is the mean loss per
/// predicted token of step t.
///
/// Ru et al. weight epochs and do not divide by the weights; here steps are weighted, with gamma of Frey et al., and the mean does not
/// depend on the number of steps but by what they are. The plain sum is given beside it.
pub struct TseEma;

impl Metric for TseEma {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "loss/tse_ema".into(),
            doc: "Training speed (TSE-EMA): mean training loss of a run's steps with weights that fall by `gamma` from each step to the one \
                  before; also the weighted sum. At 0.999 the last 1,000 steps carry 63 % of the weight: a run much shorter than that \
                  gets nearly its plain mean. Warm-up and cool-down count as they are weighted. The error is the noise of the steps' \
                  batches, from second differences of the means of up to 64 contiguous blocks of the steps that carry 95 % of the \
                  weight; it says nothing about another pretraining seed. Refused below 16 steps and where a step's loss is not finite."
                .into(),
            citation: "Ru et al. 2021, arXiv:2006.04492, section 3 (TSE-EMA); for molecules Frey et al. 2023, \
                       doi:10.1038/s42256-023-00740-3"
                .into(),
            unit: "nats/token".into(),
            primary: "tse_ema".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Run,
            cost: CostClass::Free,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: vec![
                ParameterInfo::float("gamma", 0.999, "weight of a step as a share of that of the step after it").between(0.5, 0.999_999),
            ],
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let history = History::read(probe)?;
        let (mean, error, weights) = exponential_mean(history.all(), params.float("gamma")?);
        let estimate = |name, factor: f64| {
            let value = Value::exact(name, factor * mean, "nats/token");
            Value { se_estimator: Some(factor * error), ..value }
        };
        let steps = Value::exact("steps", history.all().len() as f64, "steps");
        Ok(Measurement::complete(vec![estimate("tse_ema", 1.0), estimate("tse_ema_sum", weights), steps], 0))
    }
}
