//! Budgets, errors, symmetries, bad input.
#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::Range;

use clmbench_plugin_sharpness::{AsamM, Average, Keskar, Norm, PacBayesSigma, SamM, Worst, onto_ellipsoid};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{Block, Quadratic, TestModel, TestProbe},
};
use serde_json::json;
use support::{NO_END, attempt, measure, named, refused};

mod support;

/// All metrics of the family, by the path that the host takes.
fn all() -> Vec<Box<dyn Metric>> {
    use clmbench_sdk::export::Exports;
    clmbench_plugin_sharpness::__clmbench_export::Exported::metrics()
}

#[test]
fn thirteen_metrics_each_with_its_own_primary_value() {
    let ids: Vec<String> = all().iter().map(|metric| metric.info().id).collect();
    let block = Block::new(12, 1).unwrap();
    assert_eq!(
        ids,
        [
            "sam_m",
            "asam_m",
            "keskar",
            "average_l2",
            "average_l2_adaptive",
            "average_linf",
            "average_linf_adaptive",
            "worst_l2",
            "worst_l2_adaptive",
            "worst_linf",
            "worst_linf_adaptive",
            "pac_bayes_sigma",
            "pac_bayes_sigma_adaptive"
        ]
        .map(|name| format!("sharpness/{name}"))
    );
    for metric in all() {
        let info = metric.info();
        let measured = measure(metric.as_ref(), &block, 1, &json!({}));
        let primary = named(&measured, &info.primary);
        assert!(primary.value.is_finite() && primary.value > 0.0, "{}: {primary:?}", info.id);
        assert!(primary.se_sample.is_some_and(|error| error.is_finite() && error > 0.0), "{}: {primary:?}", info.id);
        assert_eq!(primary.unit, info.unit, "{}", info.id);
    }
}

#[test]
fn every_metric_keeps_to_its_budget() {
    let block = Block::new(64, 3).unwrap();
    for metric in all() {
        let id = metric.info().id;
        // The last draw or batch may go beyond; two are needed.
        let host = TestProbe::new(&block, 1, 20.0);
        let probe = host.probe();
        let measured = metric.measure(&probe, &support::with(metric.as_ref(), &json!({}))).unwrap();
        let spent = probe.spent().unwrap();
        assert!(spent <= 30.0, "{id}: {spent} of 20, stopped by {}", measured.stopped);
    }
}

#[test]
fn sam_stops_at_its_budget_and_halves_a_sample_smaller_than_two_batches() {
    let block = Block::new(40, 3).unwrap();
    // A batch of 2 costs 2/40 of a gradient and two losses, that is 1/12.
    let measured = attempt(&SamM, &block, 1, 0.3, &json!({ "batch": 2 })).unwrap();
    assert_eq!((measured.stopped, measured.molecules), ("budget", 8));
    assert_eq!(named(&measure(&SamM, &block, 1, &json!({ "batch": 64 })), "batch").value, 20.0);
}

#[test]
fn iterations_are_cut_to_the_budget_and_told() {
    let block = Block::new(40, 3).unwrap();
    let worst = Worst::new(Norm::L2, true);
    // Two batches of 10 of 40: 1 = (1/3 + 4/3 n) / 2 leaves one iteration, and 4 leaves five.
    for (budget, iterations) in [(1.0, 1.0), (4.0, 5.0)] {
        let measured = attempt(&worst, &block, 1, budget, &json!({ "batch": 10 })).unwrap();
        assert_eq!((measured.stopped, named(&measured, "iterations").value), ("budget", iterations));
    }
    let measured = attempt(&worst, &block, 1, 1000.0, &json!({ "batch": 10 })).unwrap();
    assert_eq!((measured.stopped, named(&measured, "iterations").value), ("complete", 20.0));
    let table = String::from_utf8(measured.artifacts[0].1.clone()).unwrap();
    assert_eq!((table.lines().count(), table.lines().next()), (1 + 4 * 20, Some("batch,iteration,rise")));
    let text = refused(&worst, &block, 0.5, &json!({ "batch": 10 })).to_string();
    let wanted = "one iteration over 2 x 10 molecules costs 0.8 gradient-equivalents, more than the budget of 0.5; take fewer molecules \
                  or a larger budget";
    assert_eq!(text, wanted);
}

#[test]
fn more_iterations_never_lower_the_worst_rise() {
    let block = Block::new(16, 7).unwrap();
    for norm in [Norm::L2, Norm::Linf] {
        let metric = Worst::new(norm, true);
        let of = |params| named(&measure(&metric, &block, 1, &params), "rise").value;
        let one = of(json!({ "rho": 0.3, "iterations": 1, "batch": 8 }));
        let twenty = of(json!({ "rho": 0.3, "iterations": 20, "batch": 8 }));
        let again = of(json!({ "rho": 0.3, "iterations": 20, "batch": 8, "starts": 3 }));
        assert!(one < twenty && twenty <= again, "{norm:?}: {one} {twenty} {again}");
    }
    // One iteration of the ascent is the step of m-sharpness.
    let sam = named(&measure(&AsamM, &block, 1, &json!({ "rho": 0.3, "batch": 8 })), "rise_elementwise").value;
    let one = json!({ "rho": 0.3, "iterations": 1, "batch": 8 });
    let step = named(&measure(&Worst::new(Norm::L2, true), &block, 1, &one), "rise").value;
    assert!((sam - step).abs() < 1e-12, "{sam} {step}");
}

#[test]
fn a_slope_alone_has_no_average_sharpness() {
    // A quadratic without curvature but far from its minima would rise on one side only; pairs cancel it.
    let mut quadratic = Quadratic::new(&[&[3, 4]], 16, 2).unwrap();
    quadratic.matrix = &quadratic.matrix * 1e-8;
    quadratic.minima = &quadratic.minima + 1e4;
    let found = measure(&Average::new(Norm::L2, false), &quadratic, 1, &json!({ "rho": 0.2, "draws": 4 }));
    assert!(named(&found, "rise").value.abs() < 1e-6, "{found:?}");
}

#[test]
fn the_error_over_molecules_is_the_jackknife_of_their_rises() {
    // With one parameter and many pairs, molecule i rises by rho^2 / 2 (1 + s_i) A times the mean square of the noise.
    let quadratic = Quadratic::new(&[&[1, 1]], 40, 6).unwrap();
    let each = Vec::<f64>::try_from(&quadratic.excess + 1.0).unwrap();
    let (mean, error) = statistics::mean_with_error(&each);
    let measured = measure(&Average::new(Norm::Linf, false), &quadratic, 1, &json!({ "rho": 0.2, "draws": 50 }));
    let found = named(&measured, "rise");
    assert!((found.se_sample.unwrap() / found.value - error / mean).abs() < 1e-9, "{found:?}");
    // sigma^2 is 1 / (1 + s) times as large: half the relative error, to first order.
    let measured = measure(&PacBayesSigma { adaptive: false }, &quadratic, 1, &json!({ "draws": 8 }));
    let found = named(&measured, "sigma");
    assert!((found.se_sample.unwrap() / found.value - error / mean / 2.0).abs() < 1e-3 * error, "{found:?}");
}

#[test]
fn rescaled_heads_leave_adaptive_sharpness_alone_and_move_the_raw() {
    let block = Block::new(16, 5).unwrap();
    let other = block.rescaled([3.0, 0.25], [0.2, 5.0]).unwrap();
    let mut seen = (0, 0);
    for metric in all() {
        let info = metric.info();
        let [a, b] = [&block, &other].map(|model| measure(metric.as_ref(), model, 7, &json!({ "molecules": 16 })));
        let elementwise = a.values.iter().find(|value| value.name == "rise_elementwise");
        let adaptive = info.id.ends_with("_adaptive");
        let name = elementwise.map_or(info.primary.clone(), |value| value.name.clone());
        let of = |name: &str| (named(&a, name).value, named(&b, name).value);
        if adaptive || elementwise.is_some() {
            let (before, after) = of(&name);
            assert!((before - after).abs() < 1e-6 * before.abs(), "{}: {before} {after}", info.id);
            seen.0 += 1;
        }
        if !adaptive {
            let (before, after) = of(&info.primary);
            assert!((before - after).abs() > 1e-3 * before.abs(), "{}: {before} {after}", info.id);
            seen.1 += 1;
        }
    }
    assert_eq!(seen, (6, 8));
}

/// The point of the ellipse nearest to (x, y), by angles: a grid, then ten ever finer ones around its best.
fn nearest_by_angles(point: [f64; 2], axes: [f64; 2]) -> [f64; 2] {
    let at = |angle: f64| [axes[0] * angle.cos(), axes[1] * angle.sin()];
    let distance = |angle: &f64| (at(*angle)[0] - point[0]).hypot(at(*angle)[1] - point[1]);
    let (mut best, mut width) = (0.0, std::f64::consts::PI);
    for _ in 0..10 {
        let grid = (-2000..=2000).map(|step| best + width * f64::from(step) / 2000.0);
        best = grid.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap();
        width /= 500.0;
    }
    at(best)
}

#[test]
fn the_projection_on_an_ellipsoid_is_its_nearest_point() {
    let mut stream = Stream::new(3);
    let projected = |point: [f64; 2], scale: [f64; 2], radius: f64| {
        let found = onto_ellipsoid(&Tensor::from_slice(&point), &Tensor::from_slice(&scale), radius).unwrap();
        Vec::<f64>::try_from(found).unwrap()
    };
    for _ in 0..40 {
        let mut draw = |low: f64, high: f64| low + (high - low) * stream.uniform();
        let (point, scale, radius) = ([draw(-3.0, 3.0), draw(-3.0, 3.0)], [draw(0.01, 1.0), draw(0.1, 2.0)], draw(0.05, 0.8));
        let found = projected(point, scale, radius);
        if (point[0] / scale[0]).hypot(point[1] / scale[1]) <= radius {
            assert!((found[0] - point[0]).abs() + (found[1] - point[1]).abs() < 1e-12, "a point inside moved: {found:?}");
            continue;
        }
        let wanted = nearest_by_angles(point, scale.map(|scale| scale * radius));
        assert!((found[0] - wanted[0]).hypot(found[1] - wanted[1]) < 1e-6, "{found:?} is not {wanted:?}");
    }
    // A flat ellipsoid: what cannot move is 0, the rest a ball.
    let found = projected([2.0, 3.0], [0.0, 0.5], 1.0);
    assert!(found[0] == 0.0 && (found[1] - 0.5).abs() < 1e-9, "{found:?}");
}

/// A quadratic whose losses are changed, or that predicts nothing.
struct Spoiled {
    inner: Quadratic,
    factor: f64,
    tokens: u64,
}

impl TestModel for Spoiled {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        self.inner.table()
    }

    fn weights(&self) -> Tensor {
        self.inner.weights()
    }

    fn tokens(&self) -> Vec<u64> {
        vec![self.tokens; self.inner.tokens().len()]
    }

    fn losses(&self, weights: &Tensor, of: Range<u64>, labels: Labels, stream: &mut Stream) -> Result<Tensor, PluginError> {
        let losses = self.inner.losses(weights, of, labels, stream)? * self.factor;
        let kept = losses.numel() as i64 * self.tokens.min(1) as i64;
        Ok(losses.narrow(0, 0, kept))
    }
}

fn spoiled(factor: f64, tokens: u64) -> Spoiled {
    Spoiled { inner: Quadratic::new(&[&[3, 4]], 16, 2).unwrap(), factor, tokens }
}

#[test]
fn losses_that_are_not_finite_or_not_there_are_refused() {
    for metric in all() {
        let id = metric.info().id;
        let error = refused(metric.as_ref(), &spoiled(f64::NAN, 1), NO_END, &json!({}));
        assert!(matches!(error, PluginError::NonFinite(_)), "{id}: {error}");
        assert!(error.to_string().ends_with("is NaN: the checkpoint has diverged"), "{id}: {error}");
        let error = refused(metric.as_ref(), &spoiled(1.0, 0), NO_END, &json!({}));
        assert!(matches!(error, PluginError::Input(_)), "{id}: {error}");
        assert!(error.to_string().starts_with("no token to predict in molecules 0 to "), "{id}: {error}");
        let error = refused(metric.as_ref(), &Quadratic::new(&[&[3, 4]], 1, 2).unwrap(), NO_END, &json!({}));
        let few = "the sample has 1 molecule(s); at least 2 are needed for an error over molecules";
        assert_eq!(error.to_string(), few, "{id}");
    }
}

#[test]
fn rises_below_rounding_and_levels_never_reached_are_refused() {
    // A loss that does not depend on the weights.
    let flat = {
        let mut flat = spoiled(1.0, 1);
        flat.inner.matrix = flat.inner.matrix.zeros_like();
        flat
    };
    for metric in all() {
        let id = metric.info().id;
        let error = refused(metric.as_ref(), &flat, NO_END, &json!({}));
        assert!(matches!(error, PluginError::Input(_)), "{id}: {error}");
    }
    let text = |metric: &dyn Metric| refused(metric, &flat, NO_END, &json!({})).to_string();
    assert_eq!(
        text(&Average::new(Norm::L2, false)),
        "the loss rises by 0.0e0 nats/token, less than losses in this number format resolve (1.8e-15); take a larger radius"
    );
    assert_eq!(text(&Keskar), "the gradient is zero at the start of the ascent: there is no way up; take `starts` of 2 or more");
    assert_eq!(text(&SamM), "the gradient of batch 0 is zero: there is no direction of ascent");
    assert_eq!(text(&PacBayesSigma { adaptive: false }), "the loss rises by at most 0.000e0 at sigma 1.0e4; take another `rise`");
}
