//! Metrics `careless/<rule>`: the mean loss of a molecule, measured with one slip each.

use std::sync::atomic::{AtomicU64, Ordering};

use clmbench_sdk::prelude::*;

/// The metric that breaks this rule.
pub struct Careless(pub &'static str);

static CALLS: AtomicU64 = AtomicU64::new(0);

impl Metric for Careless {
    fn info(&self) -> MetricInfo {
        let draws = |default| ParameterInfo::integer("draws", default, "draws").between(1.0, 64.0);
        MetricInfo {
            id: format!("careless/{}", self.0),
            doc: if self.0 == "silent" { String::new() } else { "For tests only.".into() },
            citation: "none".into(),
            unit: "nats/token".into(),
            primary: "value".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: if self.0 == "spends" { CostClass::Moderate } else { CostClass::Cheap },
            comparable: Comparable::SameEvaluation,
            objectives: vec![Objective::CausalLm],
            tasks: Vec::new(),
            parameters: match self.0 {
                "panic_at_maximum" => vec![draws(1)],
                "default" => vec![draws(0)],
                _ => vec![],
            },
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let heldout = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };
        let rows = probe.loss(heldout, None)?;
        let each: Vec<f64> = rows.nll.iter().zip(&rows.tokens).map(|(nll, tokens)| nll / tokens).collect();
        let (mean, error) = statistics::mean_with_error(&each);
        let value = |value| Value { se_sample: Some(error), ..Value::exact("value", value, "nats/token") };
        let value = match self.0 {
            "no_error" => Value::exact("value", mean, "nats/token"),
            // A generator of its own.
            "random" => value(mean + CALLS.fetch_add(1, Ordering::Relaxed) as f64),
            // The last bits of a sum, which every other order of summation changes.
            "bits" => value((rows.nll.iter().sum::<f64>() * 1e8).fract() * 1e3),
            // A trend over numbers that mean nothing.
            "order" => value(each.iter().zip(1..).map(|(loss, number)| loss * f64::from(number)).sum()),
            // NaN is taken for 0.
            "lie" => Value::estimate("value", mean.max(0.0), "nats/token", 0.0, error.max(0.0)),
            "panic_at_maximum" => {
                assert!(params.integer("draws")? < 64, "too many draws");
                value(mean)
            }
            // More than a few forward passes, and beyond any budget.
            "dear" | "spends" => {
                let passes = if self.0 == "dear" { 12 } else { 120 };
                for _ in 0..passes {
                    probe.loss(heldout, None)?;
                }
                value(mean)
            }
            "undeclared" => value(mean * params.float("scale")?),
            "infinite" => Value { se_sample: Some(f64::INFINITY), ..value(mean) },
            _ => value(mean),
        };
        Ok(Measurement::complete(vec![value], each.len() as u64))
    }
}
