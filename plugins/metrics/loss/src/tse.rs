//! `loss/tse`: training speed as the mean training loss of the last part of a run.

use clmbench_sdk::prelude::*;

use crate::history::{History, mean};

/// `TSE-E = 1 / n sum_t l_t` over the last n steps t of a run, a given share E of all of them; l_t is the mean loss per predicted
/// token of step t. With E = 1 it is TSE.
///
/// Ru et al. sum epoch means of the step losses over the last E epochs. Runs here have token budgets that do not depend on the size of
/// their corpus, so that an epoch is no common unit: E is a share of the steps, and the sum is divided by their number, so that
/// runs of different lengths compare. The plain sum is given beside it.
pub struct Tse;

impl Metric for Tse {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "loss/tse".into(),
            doc: "Training speed (TSE-E): mean training loss per step over the last `share` of a run's steps; also their sum, and mean \
                  and sum over all steps (TSE). Losses are those of training, each batch seen for the first time in an epoch, with the \
                  rates and masks of that step: warm-up and cool-down count where the share holds them, and runs on different \
                  corpora differ by their molecules as well. The error is the noise of the steps' batches, from second differences \
                  of the means of up to 64 contiguous blocks (which leave out the fall of the loss); it says nothing about \
                  another pretraining seed. Refused below 16 steps and where a step's loss is not finite."
                .into(),
            citation: "Ru et al. 2021, arXiv:2006.04492, section 3 (TSE, TSE-E); for molecules Frey et al. 2023, \
                       doi:10.1038/s42256-023-00740-3"
                .into(),
            unit: "nats/token".into(),
            primary: "tse_e".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Run,
            cost: CostClass::Free,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: vec![ParameterInfo::float("share", 0.25, "share of the steps, from the end").between(0.001, 1.0)],
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let history = History::read(probe)?;
        let last = history.last(params.float("share")?)?;
        let mut values = Vec::new();
        for (name, losses) in [("tse_e", last), ("tse", history.all())] {
            let (value, error) = mean(losses);
            let steps = losses.len() as f64;
            values.push(Value { se_estimator: Some(error), ..Value::exact(name, value, "nats/token") });
            let sum = Value::exact(&format!("{name}_sum"), steps * value, "nats/token");
            values.push(Value { se_estimator: Some(steps * error), ..sum });
            values.push(Value::exact(&format!("{name}_steps"), steps, "steps"));
        }
        Ok(Measurement::complete(values, 0))
    }
}
