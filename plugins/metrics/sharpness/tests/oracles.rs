//! Sharpness of models where it is known.
#![allow(missing_docs, clippy::unwrap_used)]

use clmbench_plugin_sharpness::{AsamM, Average, Keskar, Norm, PacBayesSigma, SamM, Worst};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{
        Block, Quadratic, TestProbe, dense_hessian,
        oracle::{Check, covered, exact},
    },
};
use serde_json::json;
use support::{NO_END, largest, measure, named, number, scaled};

mod support;

const ALL: Sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };

fn check<'a>(metric: &'a str, oracle: &'a str) -> Check<'a> {
    Check { metric, value: "rise", oracle }
}

/// Gradient [P] and Hessian [P, P] of a quadratic's molecules `start..start + count`, by the formula.
fn derivatives(quadratic: &Quadratic, start: i64, count: i64) -> (Tensor, Tensor) {
    let factors = quadratic.excess.narrow(0, start, count) + 1.0;
    let away = &quadratic.weights - quadratic.minima.narrow(0, start, count);
    let gradient = (away.matmul(&quadratic.matrix) * factors.unsqueeze(1)).mean_dim(&[0_i64][..], false, Kind::Double);
    (gradient, &quadratic.matrix * number(factors.mean(Kind::Double)))
}

fn rise(gradient: &Tensor, hessian: &Tensor, step: &Tensor) -> f64 {
    number(gradient.dot(step)) + number(step.dot(&hessian.mv(step))) / 2.0
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn one_ascent_step_on_a_quadratic_is_known() {
    let quadratic = Quadratic::new(&[&[4, 5], &[4]], 32, 1).unwrap();
    let sizes = quadratic.weights.abs();
    let oracle = "quadratic, 24 parameters, each batch's gradient and Hessian";
    let step = |scale: &Tensor, rho: f64| -> Vec<f64> {
        let batches = (0..32).step_by(8).map(|start| {
            let (gradient, hessian) = derivatives(&quadratic, start, 8);
            let scaled = &gradient * scale;
            rise(&gradient, &hessian, &(&scaled * scale * (rho / number(scaled.norm()))))
        });
        batches.collect()
    };
    let sam = measure(&SamM, &quadratic, 1, &json!({ "rho": 0.3, "batch": 8 }));
    let truth = step(&sizes.ones_like(), 0.3);
    exact(check("sharpness/sam_m", oracle), mean(&truth), named(&sam, "rise").value, 1e-9);
    let error = statistics::mean_with_error(&truth).1;
    assert!((named(&sam, "rise").se_sample.unwrap() - error).abs() < 1e-9 && named(&sam, "rise").se_estimator == Some(0.0));
    assert_eq!((sam.stopped, sam.molecules), ("complete", 32));
    // Its tensors are called `part.0` and `part.1`: no `weight` among them, so T = 1.
    let asam = measure(&AsamM, &quadratic, 1, &json!({ "rho": 0.7, "batch": 8 }));
    let value = Check { value: "rise_elementwise", ..check("sharpness/asam_m", oracle) };
    exact(value, mean(&step(&sizes, 0.7)), named(&asam, "rise_elementwise").value, 1e-9);
    exact(check("sharpness/asam_m", oracle), mean(&step(&sizes.ones_like(), 0.7)), named(&asam, "rise").value, 1e-9);
}

#[test]
fn the_authors_step_adds_eta_on_tensors_named_weight() {
    let block = Block::new(16, 4).unwrap();
    let rho = 1e-5;
    let measured = measure(&AsamM, &block, 1, &json!({ "rho": rho, "eta": 0.25, "batch": 8 }));
    // words 42; query, key, value, output of 36 + 6 each; norm 6 + 6: biases stand at the end of each.
    let sizes = block.weights.abs() + 0.25;
    for start in [78, 120, 162, 204, 216] {
        let _ = sizes.narrow(0, start, 6).fill_(1.0);
    }
    let host = TestProbe::new(&block, 1, NO_END);
    let of = |start: u64| {
        let gradient = host.probe().grad(Sample { start, count: 8, ..ALL }, None, Labels::Data).unwrap();
        rho * number((gradient * &sizes).norm())
    };
    let oracle = "transformer block, 222 parameters: to first order rho |T g|";
    exact(check("sharpness/asam_m", oracle), (of(0) + of(8)) / 2.0, named(&measured, "rise").value, 1e-3);
}

#[test]
fn errors_over_batches_hold_the_mean_over_all_molecules() {
    let mut quadratic = Quadratic::new(&[&[4, 4]], 64, 3).unwrap();
    let draw = |seed: u64, count: i64| {
        let mut stream = Stream::new(seed);
        let minima = stream.normals(&Tensor::zeros([count, 16], (Kind::Double, Device::Cpu))).unwrap();
        let excess = stream.normals(&Tensor::zeros([count], (Kind::Double, Device::Cpu))).unwrap().abs() * 0.3;
        (minima, excess)
    };
    // 20,000 batches of 4 by the formula: their mean is known 35 times better than that of 16 batches.
    (quadratic.minima, quadratic.excess) = draw(1 << 40, 80_000);
    let factors = (&quadratic.excess + 1.0).view([-1, 4]);
    let away = (&quadratic.weights - &quadratic.minima).matmul(&quadratic.matrix).view([-1, 4, 16]);
    let gradients = (away * factors.unsqueeze(2)).mean_dim(&[1_i64][..], false, Kind::Double); // [batches, P]
    let lengths = gradients.square().sum_dim_intlist(&[1_i64][..], true, Kind::Double).sqrt();
    let steps = &gradients / &lengths * 0.3;
    let bends = (steps.matmul(&quadratic.matrix) * &steps).sum_dim_intlist(&[1_i64][..], false, Kind::Double);
    let rises = lengths.squeeze_dim(1) * 0.3 + bends * factors.mean_dim(&[1_i64][..], false, Kind::Double) / 2.0;
    let truth = number(rises.mean(Kind::Double));
    // Student's t, 15 degrees of freedom; no early stop, since 5 % are not reached by 16 batches.
    covered(check("sharpness/sam_m", "quadratic, 16 parameters, 20,000 further batches"), truth, 2.1314, |seed| {
        (quadratic.minima, quadratic.excess) = draw(seed, 64);
        let measured = measure(&SamM, &quadratic, 1, &json!({ "rho": 0.3, "batch": 4 }));
        (named(&measured, "rise").value, named(&measured, "rise").se_sample.unwrap())
    });
}

#[test]
fn average_sharpness_of_a_quadratic_is_half_the_scaled_trace() {
    // 64 weights: a mean over many squares, so that seven draws (fewer than the stopping rule looks at) are nearly normal.
    let quadratic = Quadratic::new(&[&[8, 8]], 4, 2).unwrap();
    let diagonal = quadratic.hessian().diag(0);
    for (norm, variance) in [(Norm::L2, 1.0), (Norm::Linf, 1.0 / 3.0)] {
        for adaptive in [false, true] {
            let squares = if adaptive { quadratic.weights.square() } else { quadratic.weights.ones_like() };
            let truth = 0.04 / 2.0 * variance * number((&diagonal * squares).sum(Kind::Double));
            let metric = Average::new(norm, adaptive);
            let id = metric.info().id;
            let oracle = "quadratic, 64 parameters: rho^2 / 2 tr(C H C), a third of it for uniform noise";
            covered(check(&id, oracle), truth, 2.4469, |seed| {
                let measured = measure(&metric, &quadratic, seed, &json!({ "rho": 0.2, "draws": 7 }));
                let found = named(&measured, "rise");
                let each = named(&measured, "rise_per_parameter").value;
                assert!((each - found.value / 64.0).abs() < 1e-15);
                (found.value, found.se_estimator.unwrap())
            });
        }
    }
}

#[test]
fn average_sharpness_of_a_small_radius_is_that_of_the_dense_hessian() {
    let block = Block::new(6, 3).unwrap();
    let host = TestProbe::new(&block, 1, NO_END);
    let diagonal = dense_hessian(&host.probe(), ALL).unwrap().diag(0);
    for (norm, adaptive) in [(Norm::L2, false), (Norm::Linf, true)] {
        let squares = if adaptive { block.weights.square() } else { block.weights.ones_like() };
        let variance = if norm == Norm::L2 { 1.0 } else { 1.0 / 3.0 };
        let truth = 1e-6 / 2.0 * variance * number((&diagonal * squares).sum(Kind::Double));
        let metric = Average::new(norm, adaptive);
        let id = metric.info().id;
        covered(check(&id, "dense Hessian of a transformer block, 222 parameters"), truth, 2.4469, |seed| {
            let measured = measure(&metric, &block, seed, &json!({ "rho": 1e-3, "draws": 7 }));
            (named(&measured, "rise").value, named(&measured, "rise").se_estimator.unwrap())
        });
    }
}

#[test]
fn the_worst_rise_at_a_minimum_is_that_of_the_top_eigenvalue() {
    let mut quadratic = Quadratic::new(&[&[4, 5]], 16, 5).unwrap();
    quadratic.minima = quadratic.weights.unsqueeze(0).expand([16, 20], false).copy();
    let oracle = "quadratic at its minimum, 20 parameters: rho^2 / 2 lambda_max(C H C)";
    for adaptive in [false, true] {
        let scale = if adaptive { quadratic.weights.abs() } else { quadratic.weights.ones_like() };
        let truth = 0.09 / 2.0 * largest(&scaled(&quadratic.hessian(), &scale));
        let metric = Worst::new(Norm::L2, adaptive);
        let params = json!({ "rho": 0.3, "batch": 4, "iterations": 100, "starts": 3 });
        let measured = measure(&metric, &quadratic, 1, &params);
        let found = named(&measured, "rise").value;
        assert!(found <= truth * (1.0 + 1e-9), "{found} is above the maximum {truth}");
        exact(check(&metric.info().id, oracle), truth, found, 1e-3);
    }
}

/// The largest `g d + d H d / 2` with |d| <= rho: `d = (m - H)^-1 g` with |d| = rho (Moré & Sorensen 1983), by bisection on m.
fn trust_region(gradient: &Tensor, hessian: &Tensor, rho: f64) -> f64 {
    let (values, vectors) = hessian.linalg_eigh("L");
    let along = vectors.transpose(0, 1).mv(gradient);
    let step = |m: f64| &along / (m - &values);
    let top = number(values.max());
    let (mut low, mut high) = (top, top + number(gradient.norm()) / rho);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        *(if number(step(middle).norm()) > rho { &mut low } else { &mut high }) = middle;
    }
    let step = step(high);
    number((&along * &step).sum(Kind::Double)) + number((&values * step.square()).sum(Kind::Double)) / 2.0
}

#[test]
fn the_worst_rise_in_a_ball_on_a_slope_is_the_trust_region_maximum() {
    let quadratic = Quadratic::new(&[&[4, 5]], 16, 6).unwrap();
    let oracle = "quadratic on a slope, 20 parameters: trust region by eigenvalues";
    for adaptive in [false, true] {
        let scale = if adaptive { quadratic.weights.abs() } else { quadratic.weights.ones_like() };
        let truths = (0..16).step_by(4).map(|start| {
            let (gradient, hessian) = derivatives(&quadratic, start, 4);
            trust_region(&(gradient * &scale), &scaled(&hessian, &scale), 1.5)
        });
        let truths: Vec<f64> = truths.collect();
        let metric = Worst::new(Norm::L2, adaptive);
        // The default of 20 iterations.
        let measured = measure(&metric, &quadratic, 1, &json!({ "rho": 1.5, "batch": 4 }));
        exact(check(&metric.info().id, oracle), mean(&truths), named(&measured, "rise").value, 1e-4);
        let error = statistics::mean_with_error(&truths).1;
        assert!((named(&measured, "rise").se_sample.unwrap() / error - 1.0).abs() < 1e-3);
        if adaptive {
            // The reference's way of projecting is a lower bound of the same maximum, and a slower one.
            let params = json!({ "rho": 1.5, "batch": 4, "projection": "euclidean" });
            let share = named(&measure(&metric, &quadratic, 1, &params), "rise").value / mean(&truths);
            assert!((0.9..=1.0 + 1e-9).contains(&share), "{share}");
        }
    }
}

#[test]
fn worst_rises_of_a_small_radius_are_those_of_first_order() {
    let block = Block::new(16, 8).unwrap();
    let host = TestProbe::new(&block, 1, NO_END);
    let gradients = [0, 8].map(|start| host.probe().grad(Sample { start, count: 8, ..ALL }, None, Labels::Data).unwrap());
    for adaptive in [false, true] {
        let scale = if adaptive { block.weights.abs() } else { block.weights.ones_like() };
        let [l2, linf] = [Norm::L2, Norm::Linf].map(|norm| Worst::new(norm, adaptive));
        let measured = |metric| named(&measure(metric, &block, 1, &json!({ "rho": 1e-6, "batch": 8 })), "rise").value;
        let lengths = gradients.each_ref().map(|gradient| 1e-6 * number((gradient * &scale).norm()));
        let sums = gradients.each_ref().map(|gradient| 1e-6 * number((gradient * &scale).abs().sum(Kind::Double)));
        let oracle = "transformer block, 222 parameters, to first order: rho |c g|";
        exact(check(&l2.info().id, oracle), mean(&lengths), measured(&l2), 1e-4);
        let oracle = "transformer block, 222 parameters, to first order: rho sum |c g|";
        exact(check(&linf.info().id, oracle), mean(&sums), measured(&linf), 1e-4);
    }
}

/// A quadratic of separate coordinates, whose maximum in a box is the corner in the direction of the gradient.
fn separate() -> Quadratic {
    let mut quadratic = Quadratic::new(&[&[4, 6]], 24, 9).unwrap();
    quadratic.matrix = quadratic.matrix.diag(0).diag(0);
    quadratic
}

fn corner(quadratic: &Quadratic, start: i64, count: i64, widths: &Tensor) -> f64 {
    let (gradient, hessian) = derivatives(quadratic, start, count);
    rise(&gradient, &hessian, &(gradient.sign() * widths))
}

#[test]
fn the_worst_rise_in_a_box_is_at_its_corner() {
    let quadratic = separate();
    let oracle = "separable quadratic, 24 parameters: the corner along the gradient";
    for adaptive in [false, true] {
        let widths = 0.3 * if adaptive { quadratic.weights.abs() } else { quadratic.weights.ones_like() };
        let truths: Vec<f64> = (0..24).step_by(6).map(|start| corner(&quadratic, start, 6, &widths)).collect();
        let metric = Worst::new(Norm::Linf, adaptive);
        let measured = measure(&metric, &quadratic, 1, &json!({ "rho": 0.3, "batch": 6 }));
        exact(check(&metric.info().id, oracle), mean(&truths), named(&measured, "rise").value, 1e-9);
    }
}

#[test]
fn keskar_on_a_separable_quadratic_is_at_the_corner_of_its_box() {
    let quadratic = separate();
    let oracle = "separable quadratic, 24 parameters: the corner along the gradient";
    let loss = |quadratic: &Quadratic| {
        let host = TestProbe::new(quadratic, 1, NO_END);
        mean(&host.probe().loss(ALL, None).unwrap().nll)
    };
    for epsilon in [1e-3, 0.1] {
        let widths = (quadratic.weights.abs() + 1.0) * epsilon;
        let phi = |quadratic: &Quadratic| {
            100.0 * corner(quadratic, 0, quadratic.excess.numel() as i64, &widths) / (1.0 + loss(quadratic))
        };
        let measured = measure(&Keskar, &quadratic, 1, &json!({ "epsilon": epsilon }));
        let found = named(&measured, "phi");
        exact(Check { value: "phi", ..check("sharpness/keskar", oracle) }, phi(&quadratic), found.value, 1e-9);
        // The error is the jackknife with the maximiser held; with the maximum sought anew for each molecule left out it is this.
        let left_out: Vec<f64> = (0..24)
            .map(|out: i64| {
                let kept: Vec<i64> = (0..24).filter(|molecule| *molecule != out).collect();
                let kept = Tensor::from_slice(&kept);
                let mut rest = separate();
                (rest.minima, rest.excess) = (rest.minima.index_select(0, &kept), rest.excess.index_select(0, &kept));
                phi(&rest)
            })
            .collect();
        let error = statistics::mean_with_error(&left_out).1 * 23.0;
        assert!((found.se_sample.unwrap() / error - 1.0).abs() < 0.05, "{found:?}: {error}");
    }
}

#[test]
fn the_sigma_of_a_quadratic_follows_from_its_trace() {
    let quadratic = Quadratic::new(&[&[8, 8]], 4, 2).unwrap();
    let diagonal = quadratic.hessian().diag(0);
    for adaptive in [false, true] {
        let squares = if adaptive { quadratic.weights.square() } else { quadratic.weights.ones_like() };
        let truth = (2.0 * 0.1 / number((&diagonal * squares).sum(Kind::Double))).sqrt();
        let metric = PacBayesSigma { adaptive };
        let id = metric.info().id;
        let oracle = "quadratic, 64 parameters: sigma^2 / 2 tr(C H C) = rise";
        let value = Check { value: "sigma", ..check(&id, oracle) };
        // Student's t, 15 degrees of freedom.
        covered(value, truth, 2.1314, |seed| {
            let measured = measure(&metric, &quadratic, seed, &json!({ "rise": 0.1, "draws": 16 }));
            let found = named(&measured, "sigma");
            assert!((named(&measured, "flatness").value * found.value.powi(2) - 1.0).abs() < 1e-12);
            (found.value, found.se_estimator.unwrap())
        });
    }
}
