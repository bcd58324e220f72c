//! `landscape/finetuned_barrier`: barrier of the pretraining loss on the way to fine-tuned weights.

use clmbench_sdk::prelude::*;

use crate::{losses, others, others::Others, segment};

/// [`crate::InterpolationBarrier`] of the pretraining loss between a checkpoint and its fine-tuned weights, averaged over the seeds of a
/// dataset and then over datasets: whether fine-tuning leaves the basin of pretraining.
pub struct FinetunedBarrier;

impl Metric for FinetunedBarrier {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "landscape/finetuned_barrier".into(),
            doc: "Barrier of the pretraining loss on the straight line from a checkpoint to its fine-tuned weights: greatest height above the \
                  chord, 0 where the line stays below it, averaged over the fine-tunings of a dataset and then over datasets, and of each \
                  fine-tuning; also by how much the pretraining loss rises in fine-tuning, averaged alike. A diagnostic: it is \
                  known only after fine-tuning. Fine-tuning drops the output layer's use, so that a rise says as well that it drifted. \
                  `se_estimator` holds the masks and, where every dataset has two seeds, the seeds of fine-tuning."
                .into(),
            citation: "Hao et al. 2019, arXiv:1908.05620, section 3 (one-dimensional loss curves); barrier as in Entezari et al. 2022, \
                       arXiv:2110.06296, definition 2.1"
                .into(),
            unit: "nats/token".into(),
            primary: "barrier".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Transfer,
            cost: CostClass::Moderate,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: segment::parameters(11),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let others = Others::read(probe)?;
        let count = others.rows.len();
        if count == 0 {
            return Err(PluginError::Input("there are no fine-tuned weights: the metric needs a finetune protocol".into()));
        }
        let (lines, molecules, stopped) = segment::measure(probe, params, count, |index| Ok(others.moved(probe, index)?.0))?;
        let groups = others.groups();
        let heights: Vec<Vec<f64>> = lines.iter().map(|line| line.height(line.top())).collect();
        let ends: Vec<Vec<f64>> = lines.iter().map(|line| end_less_start(line.alphas().len())).collect();
        let mut each = Vec::new();
        for (line, height) in lines.iter().zip(&heights) {
            let value = line.value("", height);
            each.push(Value { value: value.value.max(0.0), ..value });
        }
        let barriers: Vec<f64> = each.iter().map(|value| value.value).collect();
        let rises: Vec<f64> = lines.iter().zip(&ends).map(|(line, end)| line.value("", end).value).collect();
        let mut values = Vec::new();
        for (name, coefficients, found) in [("barrier", &heights, &barriers), ("rise_to_finetuned", &ends, &rises)] {
            // One table for all lines, so that molecules and masks that they share count once.
            let mut table: Vec<Vec<f64>> = Vec::new();
            for (_, members) in &groups {
                for member in members {
                    let weight = 1.0 / (groups.len() * members.len()) as f64;
                    let weighted: Vec<f64> = coefficients[*member].iter().map(|coefficient| coefficient * weight).collect();
                    add(&mut table, lines[*member].combined(&weighted));
                }
            }
            let value = losses::value(name, &table, &lines[0].tokens());
            let mean = |kept: &[Vec<usize>]| others::mean_of_means(kept, found);
            let members: Vec<Vec<usize>> = groups.iter().map(|(_, members)| members.clone()).collect();
            let seeds = others::over_members(&groups, mean);
            let se_estimator = match (value.se_estimator, seeds) {
                (Some(masks), Some(seeds)) => Some(masks.hypot(seeds)),
                (masks, seeds) => masks.or(seeds),
            };
            values.push(Value { value: mean(&members), se_estimator, ..value });
        }
        let mut text = String::from("name,alpha,loss\n");
        for ((line, row), value) in lines.iter().zip(&others.rows).zip(each) {
            line.write(&mut text, &row.name);
            values.push(Value { name: format!("barrier/{}", row.name), ..value });
        }
        Ok(Measurement { values, artifacts: vec![("lines.csv".into(), text.into_bytes())], molecules, stopped })
    }
}

/// Coefficients of the loss at the end less that at the start.
fn end_less_start(points: usize) -> Vec<f64> {
    let mut coefficients = vec![0.0; points];
    coefficients[0] = -1.0;
    coefficients[points - 1] = 1.0;
    coefficients
}

fn add(sum: &mut Vec<Vec<f64>>, table: Vec<Vec<f64>>) {
    if sum.is_empty() {
        *sum = table;
        return;
    }
    for (sum, row) in sum.iter_mut().zip(table) {
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
    }
}
