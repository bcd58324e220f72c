//! Both traces on models whose traces are known.
#![allow(missing_docs, clippy::unwrap_used)]

use clmbench_plugin_hessian::{TraceFisher, TraceHutchinson};
use clmbench_sdk::{
    prelude::*,
    testing::{Block, Quadratic, Softmax, TestModel, TestProbe, dense_hessian},
};

const ALL: Sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };
const NO_END: f64 = 1e9;

fn measure(metric: &dyn Metric, model: &dyn TestModel, seed: u64, budget: f64, count: (&str, u64)) -> Measurement {
    let host = TestProbe::new(model, seed, budget);
    let params = format!(r#"{{"{}": {}, "sample": "heldout", "molecules": 0}}"#, count.0, count.1);
    metric.measure(&host.probe(), &Params::parse(&params).unwrap()).unwrap()
}

fn named<'a>(measured: &'a Measurement, name: &str) -> &'a Value {
    measured.values.iter().find(|value| value.name == name).unwrap()
}

/// Traces of H and of W H W from the dense Hessian, P products.
fn exact(model: &dyn TestModel) -> (f64, f64) {
    let host = TestProbe::new(model, 0, 1.0);
    let diagonal = dense_hessian(&host.probe(), ALL).unwrap().diag(0);
    let sum = |tensor: Tensor| tensor.sum(Kind::Double).double_value(&[]);
    (sum(diagonal.shallow_clone()), sum(&diagonal * model.weights().square()))
}

/// Measures with 100 seeds and a fixed number of draws: the mean is within 4 of its standard errors of the truth, and 95 %
/// intervals (Student's t with `draws - 1` degrees) hold it in 88 to 99 of 100 cases, the binomial's central 99.8 %.
fn covers(metric: &dyn Metric, model: &dyn TestModel, draws: &str, truths: [(&str, f64); 2]) {
    tch::set_num_threads(1);
    let measured: Vec<Measurement> = (0..100)
        .map(|seed| {
            // Fewer draws than the stopping rule looks at.
            let measured = measure(metric, model, seed, NO_END, (draws, 15));
            assert_eq!(measured.stopped, "complete");
            measured
        })
        .collect();
    for (name, truth) in truths {
        let values: Vec<f64> = measured.iter().map(|measured| named(measured, name).value).collect();
        let (mean, error) = statistics::mean_with_error(&values);
        assert!((mean - truth).abs() < 4.0 * error, "{name}: {mean} +- {error} is not {truth}");
        assert!(error < 0.1 * truth.abs(), "{name}: +- {error} of {truth} says nothing");
        // The 97.5 % point of Student's t with 14 degrees of freedom.
        let within = |measured: &&Measurement| {
            let value = named(measured, name);
            (value.value - truth).abs() <= 2.1448 * value.se_estimator.unwrap()
        };
        let covered = measured.iter().filter(within).count();
        assert!((88..=99).contains(&covered), "{name}: {covered} of 100 intervals hold {truth}");
    }
}

#[test]
fn hutchinson_finds_the_traces_of_a_dense_hessian() {
    let block = Block::new(4, 3).unwrap();
    let (trace, adaptive) = exact(&block);
    covers(&TraceHutchinson, &block, "probes", [("trace", trace), ("trace_adaptive", adaptive)]);
}

#[test]
fn fisher_is_the_hessian_of_softmax_regression() {
    let softmax = Softmax::new(5, 4, 20, 2).unwrap();
    let (trace, adaptive) = exact(&softmax);
    assert!((trace - softmax.trace().unwrap()).abs() < 1e-9 * trace);
    covers(&TraceFisher, &softmax, "draws", [("trace", trace), ("trace_adaptive", adaptive)]);
}

#[test]
fn a_diagonal_hessian_needs_one_probe_and_a_model_of_many_parameters_is_found_too() {
    let mut quadratic = Quadratic::new(&[&[30, 20], &[20]], 32, 4).unwrap();
    let diagonal = quadratic.matrix.diag(0).diag_embed(0, 0, 1);
    let full = std::mem::replace(&mut quadratic.matrix, diagonal);
    let trace = quadratic.hessian().trace().double_value(&[]);
    let measured = measure(&TraceHutchinson, &quadratic, 1, NO_END, ("probes", 2));
    let found = named(&measured, "trace");
    assert!((found.value - trace).abs() < 1e-9 * trace && found.se_estimator.unwrap() < 1e-9 * trace);
    let per = named(&measured, "trace_per_parameter");
    assert!((per.value - trace / 620.0).abs() < 1e-12 * trace);

    // 620 parameters, a full matrix of the same diagonal: precise after the fewest probes that are trusted.
    quadratic.matrix = full;
    let measured = measure(&TraceHutchinson, &quadratic, 1, NO_END, ("probes", 1000));
    let found = named(&measured, "trace");
    assert_eq!((measured.stopped, named(&measured, "draws").value), ("precision", 16.0));
    assert!((found.value - trace).abs() < 4.0 * found.se_estimator.unwrap(), "{found:?} {trace}");
}

#[test]
fn the_error_over_molecules_is_that_of_the_molecules_curvatures() {
    // Molecule i has curvature 1 + s_i, so a diagonal quadratic has no noise of probes: what is left is the error of the mean
    // of s over the groups of molecules.
    let mut quadratic = Quadratic::new(&[&[5, 3]], 64, 9).unwrap();
    quadratic.matrix = quadratic.matrix.diag(0).diag_embed(0, 0, 1);
    let trace = quadratic.matrix.trace().double_value(&[]);
    let curvatures = Vec::<f64>::try_from(&quadratic.excess).unwrap();
    let groups: Vec<f64> = curvatures.chunks(4).map(|group| trace * (1.0 + group.iter().sum::<f64>() / 4.0)).collect();
    let (mean, error) = statistics::mean_with_error(&groups);
    let measured = measure(&TraceHutchinson, &quadratic, 1, NO_END, ("probes", 2));
    let found = named(&measured, "trace");
    assert!((found.value - mean).abs() < 1e-9 * mean && (found.se_sample.unwrap() - error).abs() < 1e-9 * mean, "{found:?}");
}

#[test]
fn rescaled_heads_leave_adaptive_traces_alone_and_move_raw_ones() {
    let block = Block::new(16, 5).unwrap();
    let other = block.rescaled([3.0, 0.25], [0.2, 5.0]).unwrap();
    let cases: [(&dyn Metric, &str); 2] = [(&TraceHutchinson, "probes"), (&TraceFisher, "draws")];
    for (metric, draws) in cases {
        let [a, b] = [&block, &other].map(|model| measure(metric, model, 7, NO_END, (draws, 4)));
        let of = |name: &str| (named(&a, name).value, named(&b, name).value);
        let (before, after) = of("trace_adaptive");
        assert!((before - after).abs() < 1e-8 * before.abs(), "{before} {after}");
        let (before, after) = of("trace");
        assert!((before - after).abs() > 0.1 * before.abs(), "{before} {after}");
    }
}

#[test]
fn the_budget_ends_it_within_one_draw() {
    // The two-headed block is noisy: far from 5 % after a few draws. A draw costs 4 gradients (two products) or 1.
    let block = Block::new(24, 3).unwrap();
    let cases: [(&dyn Metric, &str, f64); 2] = [(&TraceHutchinson, "probes", 4.0), (&TraceFisher, "draws", 1.0)];
    for (metric, draws, cost) in cases {
        let measured = measure(metric, &block, 1, 4.5 * cost, (draws, 1000));
        assert_eq!((measured.stopped, named(&measured, "draws").value), ("budget", 5.0));
        // An error needs two draws, whatever the budget.
        let measured = measure(metric, &block, 1, 0.1, (draws, 1000));
        assert_eq!((measured.stopped, named(&measured, "draws").value), ("budget", 2.0));
    }
}
