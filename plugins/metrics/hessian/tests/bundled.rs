//! On the bundled checkpoints and molecules: budgets are kept where a pass over all molecules is dear, and rounding decides nothing.
#![allow(missing_docs, clippy::unwrap_used)]

use clmbench_engine::{report::Reporter, sample::Sample};
use clmbench_plugin_hessian::{LambdaMax, LambdaMin, SpectralDensity, TraceHutchpp};
use clmbench_sdk::prelude::*;

mod common;
use common::named;

/// Measures at the quick budget, 20 gradients, of all 64 molecules; what was spent.
fn measured(sample: &Sample, objective: Objective, metric: &dyn Metric, tokens: Option<usize>) -> (Measurement, f64) {
    tch::set_num_threads(1);
    let model = sample.trained(objective).unwrap();
    let reporter = Reporter::silent();
    let mut host = sample.probe(&model, objective, true, "test", &reporter).unwrap();
    if let Some(tokens) = tokens {
        host = host.with_batches(tokens);
    }
    let probe = Probe::new(host.edge());
    let found = metric.measure(&probe, &common::params(metric, &[])).unwrap();
    let spent = probe.spent().unwrap();
    (found, spent)
}

#[test]
fn sizes_are_planned_from_the_budget() {
    let sample = Sample::new().unwrap();
    for objective in [Objective::MaskedLm, Objective::CausalLm] {
        // Gradients that the last draw may go beyond: one of the sketch takes a pass of two products of each kind.
        let cases: [(&dyn Metric, f64); 4] =
            [(&TraceHutchpp, 7.0), (&SpectralDensity, 0.0), (&LambdaMax, 0.0), (&LambdaMin, 0.0)];
        for (metric, draw) in cases {
            let (found, spent) = measured(&sample, objective, metric, None);
            assert!(spent <= 20.0 + draw + 1e-6, "{}: {spent}", metric.info().id);
            assert_eq!(found.stopped, "budget", "{}", metric.info().id);
        }
    }
}

#[test]
fn rounding_does_not_decide_how_far_the_ends_of_the_spectrum_are_approached() {
    let sample = Sample::new().unwrap();
    let reversed = sample.reversed().unwrap();
    for objective in [Objective::MaskedLm, Objective::CausalLm] {
        for (metric, name) in [(&LambdaMax as &dyn Metric, "lambda_max"), (&LambdaMin, "lambda_min")] {
            let whole = measured(&sample, objective, metric, None).0;
            let single = measured(&sample, objective, metric, Some(1)).0;
            let back = measured(&reversed, objective, metric, None).0;
            for found in [&whole, &single, &back] {
                assert_eq!(named(found, "steps").value, 7.0);
            }
            let [whole, single, back] = [&whole, &single, &back].map(|found| named(found, name));
            let apart = (whole.value - single.value).abs();
            assert!(apart <= 1e-5 * whole.value.abs(), "{whole:?} is not {single:?}");
            let error = |value: &Value| value.residual_bound.unwrap().hypot(value.se_sample.unwrap());
            assert!((whole.value - back.value).abs() <= 4.0 * error(whole).hypot(error(back)), "{whole:?} is not {back:?}");
        }
    }
}
