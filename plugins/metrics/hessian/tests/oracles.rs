//! Every estimate against a dense Hessian: exact answers, and honest errors over many seeds.
#![allow(missing_docs, clippy::unwrap_used)]

use clmbench_plugin_hessian::{LambdaMax, LambdaMin, LayerTrace, SpectralDensity, TraceFisher, TraceHutchinson, TraceHutchpp};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{
        Block, Quadratic, Softmax, TestModel, TestProbe,
        oracle::{Check, covered, exact},
    },
};

mod common;
use common::{NO_END, dense, eigenvalues, measure, named, trace};

const BLOCK: &str = "dense Hessian of a transformer block, 222 parameters";

/// Coverage and bias of some values of a metric, the molecules held fixed.
fn covers(
    metric: &dyn Metric,
    model: &dyn TestModel,
    oracle: &str,
    changed: &[(&str, serde_json::Value)],
    reach: f64,
    truths: &[(&str, f64)],
) {
    // All values of a seed come from one measurement.
    let measured: Vec<Measurement> =
        (0..clmbench_sdk::testing::oracle::seeds()).map(|seed| measure(metric, model, seed, NO_END, changed)).collect();
    let id = metric.info().id;
    for (name, truth) in truths {
        covered(Check { metric: &id, value: name, oracle }, *truth, reach, |seed| {
            let found = named(&measured[seed as usize], name);
            (found.value, found.se_estimator.unwrap())
        });
    }
}

#[test]
fn hutchinson_finds_the_traces_of_a_dense_hessian() {
    let block = Block::new(4, 3).unwrap();
    let [raw, adaptive] = dense(&block);
    // Student's t: 4 groups, 7 degrees of freedom each.
    let truths = [("trace", trace(&raw)), ("trace_adaptive", trace(&adaptive))];
    covers(&TraceHutchinson, &block, BLOCK, &[("probes", 8.into())], 2.048, &truths);
}

#[test]
fn hutchpp_finds_them_too() {
    let block = Block::new(4, 3).unwrap();
    let [raw, adaptive] = dense(&block);
    let truths = [("trace", trace(&raw)), ("trace_adaptive", trace(&adaptive))];
    // Student's t: 2 groups, 7 degrees of freedom each.
    covers(&TraceHutchpp, &block, BLOCK, &[("draws", 8.into()), ("sketch", 1.into()), ("groups", 2.into())], 2.145, &truths);
}

#[test]
fn a_sketch_that_spans_the_hessian_leaves_nothing_to_chance() {
    // Rank 3: A = R R^T of three vectors.
    let mut quadratic = Quadratic::new(&[&[30, 2]], 12, 4).unwrap();
    let root = quadratic.minima.narrow(0, 0, 3);
    quadratic.matrix = root.transpose(0, 1).matmul(&root);
    let found = measure(&TraceHutchpp, &quadratic, 1, NO_END, &[("draws", 2.into()), ("sketch", 3.into())]);
    let check = Check { metric: "hessian/trace_hutchpp", value: "trace", oracle: "quadratic of rank 3, sketch of 3" };
    exact(check, trace(&quadratic.hessian()), named(&found, "trace").value, 1e-9);
    assert!(named(&found, "trace").se_estimator.unwrap() < 1e-9);
}

#[test]
fn fisher_is_the_hessian_of_softmax_regression() {
    let softmax = Softmax::new(6, 8, 20, 2).unwrap();
    let [raw, adaptive] = dense(&softmax);
    let oracle = "dense Hessian of softmax regression, 48 parameters";
    exact(
        Check {
            metric: "hessian/trace_fisher",
            value: "trace of the dense Hessian",
            oracle: "softmax regression in closed form",
        },
        softmax.trace().unwrap(),
        trace(&raw),
        1e-9,
    );
    let truths = [("trace", trace(&raw)), ("trace_adaptive", trace(&adaptive))];
    covers(&TraceFisher, &softmax, oracle, &[("draws", 12.into()), ("groups", 5.into())], 2.004, &truths);
}

#[test]
fn traces_of_layers_are_those_of_the_diagonal_blocks() {
    let block = Block::new(4, 3).unwrap();
    let [raw, adaptive] = dense(&block);
    let (mut at, mut shares, mut truths) = (0, 0.0, Vec::new());
    let layers = ["words", "query", "key", "value", "output", "norm"];
    for layer in layers {
        let size = if layer == "norm" { 12 } else { 42 };
        let of = |matrix: &Tensor| matrix.diag(0).narrow(0, at, size).sum(Kind::Double).double_value(&[]);
        truths.push((format!("trace:{layer}"), of(&raw)));
        truths.push((format!("adaptive:{layer}"), of(&adaptive)));
        shares += of(&raw) / size as f64 / layers.len() as f64;
        at += size;
    }
    assert_eq!(at, raw.size()[0]);
    // Those of attention are too small beside their noise for a mean over seeds to say something.
    truths.retain(|(name, _)| !["query", "key", "value", "output"].iter().any(|part| name.ends_with(part)));
    truths.push(("mean_per_parameter".into(), shares));
    let truths: Vec<(&str, f64)> = truths.iter().map(|(name, truth)| (name.as_str(), *truth)).collect();
    covers(&LayerTrace, &block, BLOCK, &[("probes", 8.into())], 2.048, &truths);
    // But with the same signs all layers make up the whole.
    let found = measure(&LayerTrace, &block, 5, NO_END, &[("probes", 3.into())]);
    let whole = measure(&TraceHutchinson, &block, 5, NO_END, &[("probes", 3.into())]);
    for (kind, name) in [("trace", "trace"), ("adaptive", "trace_adaptive")] {
        let sum: f64 = layers.iter().map(|layer| named(&found, &format!("{kind}:{layer}")).value).sum();
        let check =
            Check { metric: "hessian/layer_trace", value: name, oracle: "sum of the layers, trace_hutchinson of the same signs" };
        exact(check, named(&whole, name).value, sum, 1e-9);
    }
}

/// Molecules drawn anew for each seed: 32 curvatures `1 + 0.3 |normal|` of one matrix, whose mean is known.
#[test]
fn the_whole_error_holds_the_trace_of_the_population() {
    let template = Quadratic::new(&[&[4, 3]], 2, 9).unwrap();
    let (matrix, weights) = (template.matrix.copy(), template.weights.copy());
    let truth = trace(&matrix) * (1.0 + 0.3 * (2.0 / std::f64::consts::PI).sqrt());
    let check = Check { metric: "hessian/trace_hutchinson", value: "trace", oracle: "population of quadratics, both errors" };
    // Student's t with 15 degrees of freedom: 16 groups. 20 probes leave little noise beside that of the molecules.
    covered(check, truth, 2.131, |seed| {
        let mut model = Quadratic::new(&[&[4, 3]], 32, 1000 + seed).unwrap();
        (model.matrix, model.weights) = (matrix.copy(), weights.copy());
        let found = measure(&TraceHutchinson, &model, seed, NO_END, &[("probes", 20.into()), ("adaptive", false.into())]);
        let found = named(&found, "trace");
        (found.value, found.se_estimator.unwrap().hypot(found.se_sample.unwrap()))
    });
}

#[test]
fn the_ends_of_the_spectrum_are_those_of_the_dense_hessian() {
    let block = Block::new(6, 3).unwrap();
    for (matrix, adaptive) in dense(&block).iter().zip([false, true]) {
        let all = eigenvalues(matrix);
        let cases: [(&dyn Metric, &str, f64, f64); 2] =
            [(&LambdaMax, "lambda_max", all[all.len() - 1], all[all.len() - 2]), (&LambdaMin, "lambda_min", all[0], all[1])];
        for (metric, name, truth, second) in cases {
            let found = measure(
                metric,
                &block,
                1,
                NO_END,
                &[("steps", 200.into()), ("tolerance", 1e-8.into()), ("adaptive", adaptive.into())],
            );
            let id = metric.info().id;
            let oracle = if adaptive { "dense W H W of a transformer block" } else { BLOCK };
            exact(Check { metric: &id, value: name, oracle }, truth, named(&found, name).value, 1e-7);
            exact(Check { metric: &id, value: "ritz_2", oracle }, second, named(&found, "ritz_2").value, 1e-3);
            assert_eq!(found.stopped, "precision");
            // A loose one says how loose it is.
            for steps in [4, 12, 30] {
                let loose = measure(
                    metric,
                    &block,
                    2,
                    NO_END,
                    &[("steps", steps.into()), ("tolerance", 1e-8.into()), ("adaptive", adaptive.into())],
                );
                let loose = named(&loose, name);
                let bound = loose.residual_bound.unwrap();
                let nearest = all.iter().map(|value| (value - loose.value).abs()).fold(f64::MAX, f64::min);
                assert!(nearest <= bound * (1.0 + 1e-9), "{loose:?}");
                assert!(loose.value >= all[0] - 1e-9 && loose.value <= all[all.len() - 1] + 1e-9);
            }
        }
    }
}

/// The values of a whole spectrum.
fn of_spectrum(all: &[f64]) -> Vec<(&'static str, f64)> {
    let sizes: f64 = all.iter().map(|value| value.abs()).sum();
    let entropy: f64 =
        -all.iter().map(|value| value.abs() / sizes).filter(|share| *share > 0.0).map(|share| share * share.ln()).sum::<f64>();
    let negative = all.iter().filter(|value| **value < 0.0).map(|value| -value).sum::<f64>() / sizes;
    let squares = all.iter().map(|value| value * value).sum::<f64>();
    vec![
        ("spectral_entropy", entropy),
        ("effective_rank", entropy.exp()),
        ("negative_mass", negative),
        ("trace", all.iter().sum()),
        ("trace_of_square", squares),
    ]
}

#[test]
fn sums_over_a_spectrum_are_those_of_the_dense_hessian() {
    // Indefinite, with many small eigenvalues: what the Hessian of a network looks like.
    let mut quadratic = Quadratic::new(&[&[10, 6]], 8, 2).unwrap();
    let ramp = Tensor::linspace(-1.0, 1.0, 60, (Kind::Double, Device::Cpu));
    let (_, basis) = quadratic.matrix.linalg_eigh("L");
    let bent = ramp.pow_tensor_scalar(3) * (ramp.ge(0.0).to_kind(Kind::Double) * 4.0 + 0.5);
    quadratic.matrix = (&basis * bent.unsqueeze(0)).matmul(&basis.transpose(0, 1));
    let truths = of_spectrum(&eigenvalues(&quadratic.hessian()));
    let oracle = "eigenvalues of an indefinite quadratic, 60 parameters";
    // Student's t with 7 degrees of freedom: 8 runs. As many steps as parameters: what is left is the noise of the runs.
    covers(&SpectralDensity, &quadratic, oracle, &[("steps", 60.into()), ("runs", 8.into())], 2.365, &truths);
}

#[test]
fn moments_of_the_density_are_those_of_the_dense_hessian() {
    let block = Block::new(4, 3).unwrap();
    let measured = measure(&SpectralDensity, &block, 6, NO_END, &[("steps", 12.into()), ("runs", 2.into())]);
    let host = TestProbe::new(&block, 6, NO_END);
    for (index, matrix) in dense(&block).iter().enumerate() {
        // Of each run z' H z and |H z|^2: the first two moments of a quadrature are exact.
        let adaptive = index == 1;
        let changed = [("steps", 12.into()), ("runs", 2.into()), ("adaptive", adaptive.into())];
        let measured = if adaptive { measure(&SpectralDensity, &block, 6, NO_END, &changed) } else { measured.clone() };
        let (mut first, mut second) = (0.0, 0.0);
        for run in 0..2 {
            let signs = Stream::new(host.probe().rng(&format!("start {run}"))).signs(&block.weights).unwrap();
            let image = matrix.mv(&signs);
            first += signs.dot(&image).double_value(&[]) / 2.0;
            second += image.dot(&image).double_value(&[]) / 2.0;
        }
        for (value, truth) in [("trace", first), ("trace_of_square", second)] {
            let oracle = if adaptive {
                "dense W H W of a transformer block, the same signs"
            } else {
                "dense Hessian of a transformer block, the same signs"
            };
            exact(Check { metric: "hessian/spectral_density", value, oracle }, truth, named(&measured, value).value, 1e-9);
        }
    }
}
