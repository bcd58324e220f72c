//! `loss/task_loss`: the pretraining loss on the molecules of a task.

use clmbench_sdk::prelude::*;

use crate::mlm_loss::over_draws;

/// Mean negative log likelihood per predicted token of the training molecules of a task, in nats:
/// `L = sum_i nll_i / sum_i tokens_i` over molecules i and mask draws; its exponential is the (pseudo-)perplexity. No label is read.
///
/// A masked model predicts some tokens under each of `masks` draws, as in pretraining; a causal one predicts every token, so that the
/// value is exact for the molecules and there is no `se_estimator`. Which of the two it is shows in the losses: a second draw that
/// changes none of them is the last. `se_sample` is the jackknife over molecules.
pub struct TaskLoss;

/// Loss is the same under two draws when no molecule's differs by more than this share.
const ROUNDING: f64 = 1e-6;

impl Metric for TaskLoss {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "loss/task_loss".into(),
            doc: "Pretraining loss on the molecules of a task: mean negative log likelihood per predicted token over the training molecules \
                  that have a label, whose values are not read, and `masks` mask draws (every token for causal models); also its \
                  exponential, the pseudo-perplexity. Predicted tokens are masked at the rate of pretraining, several at a time, not \
                  one by one as in Salazar et al. Tokens that the corpus lacks raise it. Refused where fewer than two molecules have a \
                  predicted token, and where a loss is not finite."
                .into(),
            citation: "Salazar et al. 2020, arXiv:1910.14659, equations 1 and 2 (pseudo-log-likelihood); masks as in Devlin et al. 2019, \
                       arXiv:1810.04805, section 3.1"
                .into(),
            unit: "nats/token".into(),
            primary: "task_loss".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::CheckpointDataset,
            // A task may hold several times the molecules of the held-out sample.
            cost: CostClass::Moderate,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: vec![
                ParameterInfo::integer("masks", 4, "mask draws for masked models; at least 2 for an error").between(2.0, 64.0),
                ParameterInfo::integer("molecules", 0, "training molecules that are used; 0 = all").between(0.0, 1e9),
            ],
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let draws = params.integer("masks")?.unsigned_abs();
        let (all, wanted) = (probe.molecules(SamplePart::Task)?, params.integer("molecules")?.unsigned_abs());
        let count = if wanted == 0 { all } else { wanted.min(all) };
        if count < 2 {
            let text = format!("the task offers {count} training molecule(s) with a label; at least 2 are needed for an error");
            return Err(PluginError::Input(text));
        }
        let (mut nll, mut tokens) = (Vec::new(), Vec::new());
        for draw in 0..draws {
            probe.progress(draw, draws, "mask draw")?;
            let rows = probe.loss(Sample { part: SamplePart::Task, start: 0, count, draw }, None)?;
            check(&rows)?;
            if nll.first().is_some_and(|first: &Vec<f64>| same(first, &rows.nll)) {
                break;
            }
            nll.push(rows.nll);
            tokens.push(rows.tokens);
        }
        let (tops, bottoms) = (over_draws(&nll), over_draws(&tokens));
        let predicted = bottoms.iter().filter(|tokens| **tokens > 0.0).count();
        if predicted < 2 {
            let text =
                format!("{predicted} of {count} training molecules have a predicted token; at least 2 are needed: raise `masks`");
            return Err(PluginError::Input(text));
        }
        let (loss, se_sample) = statistics::ratio_with_jackknife(&tops, &bottoms);
        let se_estimator = (nll.len() > 1).then(|| statistics::error_of_draws(&nll, &tokens));
        let value = Value { se_estimator, se_sample: Some(se_sample), ..Value::exact("task_loss", loss, "nats/token") };
        Ok(Measurement::complete(vec![perplexity(&value), value], count))
    }
}

/// Refuses losses that are not finite.
fn check(rows: &LossRows) -> Result<(), PluginError> {
    let Some(molecule) = rows.nll.iter().position(|nll| !nll.is_finite()) else { return Ok(()) };
    let text = format!("the loss of training molecule {molecule} is {}; look at the checkpoint", rows.nll[molecule]);
    Err(PluginError::NonFinite(text))
}

/// Whether two draws gave the same losses, so that every token was predicted both times.
fn same(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= ROUNDING * a.abs())
}

/// The exponential of a loss, its errors by the delta method.
fn perplexity(loss: &Value) -> Value {
    let value = loss.value.exp();
    let scaled = |error: Option<f64>| error.map(|error| value * error);
    let (se_estimator, se_sample) = (scaled(loss.se_estimator), scaled(loss.se_sample));
    Value { se_estimator, se_sample, ..Value::exact("pseudo_perplexity", value, "1") }
}
