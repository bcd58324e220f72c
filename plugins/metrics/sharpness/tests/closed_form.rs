//! Sharpness of models where it is known.
#![allow(missing_docs, clippy::unwrap_used)]

use clmbench_plugin_sharpness::{AverageL2, Sam};
use clmbench_sdk::{
    prelude::*,
    testing::{Block, Quadratic, TestModel, TestProbe},
};

const NO_END: f64 = 1e9;

fn measure(metric: &dyn Metric, model: &dyn TestModel, seed: u64, budget: f64, params: &str) -> Measurement {
    let host = TestProbe::new(model, seed, budget);
    metric.measure(&host.probe(), &Params::parse(params).unwrap()).unwrap()
}

fn named<'a>(measured: &'a Measurement, name: &str) -> &'a Value {
    measured.values.iter().find(|value| value.name == name).unwrap()
}

fn number(tensor: Tensor) -> f64 {
    tensor.double_value(&[])
}

const SAM: &str = r#"{"rho": 0.3, "rho_adaptive": 0.7, "batch": 8, "masks": 2, "sample": "heldout", "molecules": 0}"#;

#[test]
fn one_ascent_step_on_a_quadratic_is_known() {
    let quadratic = Quadratic::new(&[&[4, 5], &[4]], 32, 1).unwrap();
    // L(w + d) - L(w) = g d + d H d / 2 with each batch's own g and H.
    let (mut raw, mut adaptive) = (Vec::new(), Vec::new());
    let sizes = quadratic.weights.abs();
    for start in (0..32).step_by(8) {
        let factors = quadratic.excess.narrow(0, start, 8) + 1.0;
        let away = &quadratic.weights - quadratic.minima.narrow(0, start, 8);
        let gradient = (away.matmul(&quadratic.matrix) * factors.unsqueeze(1)).mean_dim(&[0_i64][..], false, Kind::Double);
        let hessian = &quadratic.matrix * number(factors.mean(Kind::Double));
        let rise = |step: Tensor| number(gradient.dot(&step)) + number(step.dot(&hessian.mv(&step))) / 2.0;
        let scaled = &gradient * &sizes;
        raw.push(rise(&gradient * (0.3 / number(gradient.norm()))));
        adaptive.push(rise(&scaled * &sizes * (0.7 / number(scaled.norm()))));
    }
    let measured = measure(&Sam, &quadratic, 1, NO_END, SAM);
    for (name, rises) in [("rise", raw), ("rise_adaptive", adaptive)] {
        let ((mean, error), found) = (statistics::mean_with_error(&rises), named(&measured, name));
        assert!((found.value - mean).abs() < 1e-9 * mean, "{name}: {found:?} is not {mean}");
        assert!((found.se_sample.unwrap() - error).abs() < 1e-9 * mean && found.se_estimator == Some(0.0));
    }
    assert_eq!((measured.stopped, measured.molecules), ("complete", 32));
}

#[test]
fn sam_stops_at_its_budget_and_halves_a_sample_smaller_than_two_batches() {
    let block = Block::new(40, 3).unwrap();
    // A batch of 2 costs 2/40 of a gradient and three losses, that is 0.1.
    let few = r#"{"rho": 0.05, "rho_adaptive": 0.5, "batch": 2, "masks": 2, "sample": "heldout", "molecules": 0}"#;
    let measured = measure(&Sam, &block, 1, 0.35, few);
    assert_eq!((measured.stopped, measured.molecules), ("budget", 8));
    let large = few.replace("\"batch\": 2", "\"batch\": 64");
    assert_eq!(named(&measure(&Sam, &block, 1, NO_END, &large), "batch").value, 20.0);
}

fn average(draws: u64) -> String {
    format!(r#"{{"rho": 0.2, "rho_adaptive": 0.4, "draws": {draws}, "sample": "heldout", "molecules": 0}}"#)
}

#[test]
fn average_sharpness_of_a_quadratic_is_half_the_scaled_trace() {
    // 64 weights: a mean over many squares, so that seven draws are nearly normal.
    let quadratic = Quadratic::new(&[&[8, 8]], 16, 2).unwrap();
    let diagonal = quadratic.hessian().diag(0);
    let raw = 0.04 / 2.0 * number(diagonal.sum(Kind::Double));
    let adaptive = 0.16 / 2.0 * number((&diagonal * quadratic.weights.square()).sum(Kind::Double));
    // 100 seeds, 7 pairs each (fewer than the stopping rule looks at): mean within 4 standard errors; 95 % intervals (Student's
    // t, 6 degrees) hold the truth in 88 to 99 of 100 cases, the binomial's central 99.8 %.
    let measured: Vec<Measurement> = (0..100).map(|seed| measure(&AverageL2, &quadratic, seed, NO_END, &average(7))).collect();
    for (name, truth) in [("rise", raw), ("rise_adaptive", adaptive)] {
        let values: Vec<f64> = measured.iter().map(|measured| named(measured, name).value).collect();
        let (mean, error) = statistics::mean_with_error(&values);
        assert!((mean - truth).abs() < 4.0 * error && error < 0.1 * truth, "{name}: {mean} +- {error} is not {truth}");
        let within = |measured: &&Measurement| {
            let value = named(measured, name);
            (value.value - truth).abs() <= 2.4469 * value.se_estimator.unwrap()
        };
        let covered = measured.iter().filter(within).count();
        assert!((88..=99).contains(&covered), "{name}: {covered} of 100 intervals hold {truth}");
    }
    let one = &measured[0];
    assert!((named(one, "rise_per_parameter").value - named(one, "rise").value / 64.0).abs() < 1e-15);
}

#[test]
fn a_slope_alone_has_no_average_sharpness() {
    // A quadratic without curvature but far from its minima would rise on one side only; pairs cancel it.
    let mut quadratic = Quadratic::new(&[&[3, 4]], 16, 2).unwrap();
    quadratic.matrix = &quadratic.matrix * 1e-8;
    quadratic.minima = &quadratic.minima + 1e4;
    let found = measure(&AverageL2, &quadratic, 1, NO_END, &average(4));
    assert!(named(&found, "rise").value.abs() < 1e-6, "{found:?}");
}

#[test]
fn the_error_over_molecules_is_the_jackknife_of_their_rises() {
    // With one parameter and many pairs, molecule i rises by rho^2 / 2 (1 + s_i) A times the mean square of the noise.
    let quadratic = Quadratic::new(&[&[1, 1]], 40, 6).unwrap();
    let measured = measure(&AverageL2, &quadratic, 1, NO_END, &average(50));
    let found = named(&measured, "rise");
    let each = Vec::<f64>::try_from(&quadratic.excess + 1.0).unwrap();
    let (mean, error) = statistics::mean_with_error(&each);
    assert!((found.se_sample.unwrap() / found.value - error / mean).abs() < 1e-9, "{found:?}");
}

#[test]
fn rescaled_heads_leave_adaptive_average_sharpness_alone_and_move_the_raw_ones() {
    let block = Block::new(16, 5).unwrap();
    let other = block.rescaled([3.0, 0.25], [0.2, 5.0]).unwrap();
    let cases: [(&dyn Metric, String); 2] = [(&AverageL2, average(4)), (&Sam, SAM.to_owned())];
    for (metric, params) in cases {
        let [a, b] = [&block, &other].map(|model| measure(metric, model, 7, NO_END, &params));
        let of = |name: &str| (named(&a, name).value, named(&b, name).value);
        let (before, after) = of("rise_adaptive");
        assert!((before - after).abs() < 1e-8 * before.abs(), "{before} {after}");
        let (before, after) = of("rise");
        assert!((before - after).abs() > 1e-3 * before.abs(), "{before} {after}");
    }
}
