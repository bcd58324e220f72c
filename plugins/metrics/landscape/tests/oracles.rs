//! Metrics of the landscape against models whose answers are known: around the weights here, towards other weights in
//! `oracles/other_weights.rs`.
#![allow(missing_docs, clippy::unwrap_used)]

use clmbench_plugin_landscape::{BasinRadius, Flatness1d, Flatness2d, RelativeFlatness};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{
        Block, Quadratic, Softmax, TestModel, TestProbe, dense_hessian,
        oracle::{Check, covered, exact},
    },
};

#[path = "oracles/other_weights.rs"]
mod other_weights;

const ALL: Sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };

/// Parameters of a metric: the defaults, all molecules, and what is given.
fn params(metric: &dyn Metric, given: serde_json::Value) -> Params {
    let mut all: serde_json::Map<_, _> = metric.info().parameters.into_iter().map(|row| (row.name, row.default)).collect();
    if all.contains_key("molecules") {
        all.insert("molecules".into(), 0.into());
    }
    all.extend(given.as_object().unwrap().clone());
    all.into()
}

fn on(metric: &dyn Metric, host: &TestProbe<'_>, given: serde_json::Value) -> Result<Measurement, PluginError> {
    // Tests run side by side, on tensors too small to share between threads.
    tch::set_num_threads(1);
    metric.measure(&host.probe(), &params(metric, given))
}

fn measure(metric: &dyn Metric, model: &dyn TestModel, seed: u64, given: serde_json::Value) -> Measurement {
    on(metric, &TestProbe::new(model, seed, 1e9), given).unwrap()
}

fn named<'a>(measured: &'a Measurement, name: &str) -> &'a Value {
    measured.values.iter().find(|value| value.name == name).unwrap_or_else(|| panic!("{name}: {measured:?}"))
}

fn value(measured: &Measurement, name: &str) -> f64 {
    named(measured, name).value
}

/// A bowl of the same curvature everywhere, a matrix of 4 rows and 5 columns, with its minimum this far from the weights.
fn bowl(bend: f64, away: f64, excess: &Tensor) -> Quadratic {
    let mut bowl = Quadratic::new(&[&[4, 5]], excess.size()[0], 3).unwrap();
    let step = Stream::new(8).normals(&bowl.weights).unwrap();
    bowl.matrix = Tensor::eye(20, (Kind::Double, Device::Cpu)) * bend;
    bowl.minima = (&bowl.weights + &step * (away / step.norm().double_value(&[]))).unsqueeze(0).repeat([excess.size()[0], 1]);
    bowl.excess = excess.shallow_clone();
    bowl
}

fn zeros(count: i64) -> Tensor {
    Tensor::zeros([count], (Kind::Double, Device::Cpu))
}

#[test]
fn the_radius_of_a_bowl() {
    // All directions have the length of the weights: bend / 2 (alpha |w|)^2 = tau.
    let model = bowl(3.0, 1e-9, &zeros(6));
    let length = model.weights.norm().double_value(&[]);
    let check = |value, oracle| Check { metric: "landscape/basin_radius", value, oracle };
    for (tau, seed) in [(0.1, 1), (2.0, 2)] {
        let measured = measure(&BasinRadius, &model, seed, serde_json::json!({"tau": tau}));
        let truth = (2.0_f64 * tau / 3.0).sqrt() / length;
        exact(check("radius", "isotropic quadratic"), truth, value(&measured, "radius"), 1e-6);
        assert_eq!((measured.stopped, value(&measured, "directions")), ("precision", 8.0));
    }
    // Away from its minimum the gradient leads up: bend / 2 s^2 + bend away s = tau with s = alpha |w|.
    let model = bowl(3.0, 0.2, &zeros(6));
    let truth = (-0.2 + (0.04_f64 + 2.0 * 0.1 / 3.0).sqrt()) / length;
    let measured = measure(&BasinRadius, &model, 1, serde_json::json!({}));
    exact(check("radius_sam", "isotropic quadratic"), truth, value(&measured, "radius_sam"), 1e-6);
    assert!(value(&measured, "radius_sam") < value(&measured, "radius"));
}

#[test]
fn the_jackknife_of_a_radius_covers_that_of_all_molecules() {
    // Curvatures of molecules are drawn as in `Quadratic::new`, with mean 1 + 0.3 sqrt(2 / pi).
    let mean = 1.0 + 0.3 * (2.0 / std::f64::consts::PI).sqrt();
    let length = bowl(1.0, 0.0, &zeros(2)).weights.norm().double_value(&[]);
    let truth = (0.2 / mean).sqrt() / length;
    let check = Check { metric: "landscape/basin_radius", value: "radius", oracle: "bowls of 48 molecules drawn at random" };
    covered(check, truth, 2.012, |seed| {
        let excess = Stream::new(seed + 1000).normals(&zeros(48)).unwrap().abs() * 0.3;
        let measured = measure(&BasinRadius, &bowl(1.0, 1e-9, &excess), seed, serde_json::json!({"directions": 2}));
        (value(&measured, "radius"), named(&measured, "radius").se_sample.unwrap())
    });
}

#[test]
fn planes_of_a_quadratic() {
    // Slopes cancel on a grid that is its own mirror image, and so do the mixed terms: what remains is the mean of
    // (a^2 d H d + b^2 e H e) / 2 over the points within the radius, and E d H d = sum_f |w_f|^2 tr(H_ff) / n_f for both.
    let quadratic = Quadratic::new(&[&[4, 5], &[3]], 16, 3).unwrap();
    let rows = |tensor: Tensor| tensor.narrow(0, 0, 20).view([4, 5]).sum_dim_intlist(&[1_i64][..], false, Kind::Double);
    let bends = rows(quadratic.weights.square()) * rows(quadratic.hessian().diag(0)) / 5.0;
    let points = [-1.0, -0.5, 0.0, 0.5, 1.0];
    for (name, radius) in [("rise_within_050", 0.5), ("rise_within_100", 1.0)] {
        let inside = points
            .iter()
            .flat_map(|a| points.iter().map(move |b: &f64| (*a, *b)))
            .filter(|(a, b): &(f64, f64)| a.hypot(*b) <= radius);
        let squares: Vec<f64> = inside.map(|(a, _)| a * a).collect();
        let truth = squares.iter().sum::<f64>() / squares.len() as f64 * bends.sum(Kind::Double).double_value(&[]);
        let check = Check { metric: "landscape/flatness_2d", value: name, oracle: "quadratic, expectation over filters" };
        // Student's t with 5 degrees of freedom; no stop before.
        covered(check, truth, 2.5706, |seed| {
            let measured = measure(&Flatness2d, &quadratic, seed + 1000, serde_json::json!({"points": 5, "pairs": 6}));
            let found = named(&measured, name);
            (found.value, found.se_estimator.unwrap())
        });
    }
}

#[test]
fn the_flat_part_of_a_bowl_is_a_disc() {
    // bend / 2 |w|^2 r^2 <= tau with r^2 = a^2 + b^2: the disc's area over that of the square, up to the grid's triangles.
    let model = bowl(1.0, 0.0, &zeros(3));
    let length = model.weights.norm().double_value(&[]);
    let tau = 0.32 * length * length;
    let measured = measure(&Flatness2d, &model, 1, serde_json::json!({"points": 41, "pairs": 2, "tau": tau}));
    let check =
        Check { metric: "landscape/flatness_2d", value: "share_below", oracle: "isotropic quadratic, a disc of radius 0.8" };
    exact(check, 0.64 * std::f64::consts::PI / 4.0, value(&measured, "share_below"), 2e-3);
    // All molecules are alike, so that leaving one out changes nothing; and so are all planes.
    assert!(
        named(&measured, "share_below").se_sample.unwrap() < 1e-9 && named(&measured, "share_below").se_estimator.unwrap() < 1e-9
    );
    let planes = String::from_utf8(measured.artifacts[0].1.clone()).unwrap();
    assert_eq!((measured.artifacts[0].0.as_str(), planes.lines().count()), ("planes.csv", 1 + 2 * 41 * 41));
    let corner = planes.lines().nth(1).unwrap();
    let found: f64 = corner.strip_prefix("0,-1,-1,").unwrap().parse().unwrap();
    assert!((found - 1.0 - length * length).abs() < 1e-6 * found, "{corner}");
}

/// `sum_ss' <w_s, w_s'> tr(H_ss')` from the dense Hessian.
fn kappa(model: &dyn TestModel, layer: &str) -> f64 {
    let host = TestProbe::new(model, 1, 1.0);
    let probe = host.probe();
    let row = probe.parameters().unwrap().into_iter().find(|row| row.name == layer).unwrap();
    let (rows, columns) = (row.shape[0], row.shape[1]);
    let size = rows * columns;
    let matrix = probe.weights().unwrap().narrow(0, row.offset, size).view([rows, columns]);
    let products = matrix.matmul(&matrix.transpose(0, 1));
    let dense = dense_hessian(&probe, ALL).unwrap().narrow(0, row.offset, size).narrow(1, row.offset, size);
    let blocks = dense.view([rows, columns, rows, columns]).diagonal(0, 1, 3).sum_dim_intlist(&[-1_i64][..], false, Kind::Double);
    (products * blocks).sum(Kind::Double).double_value(&[])
}

#[test]
fn relative_flatness_is_that_of_the_dense_hessian() {
    let block = Block::new(4, 1).unwrap();
    let softmax = Softmax::new(4, 3, 6, 5).unwrap();
    let cases: [(&dyn TestModel, &str, &str, &str); 2] = [
        (&block, "output.weight", "auto", "dense Hessian of a transformer block, output"),
        (&softmax, "weight", "auto", "dense Hessian of softmax regression"),
    ];
    for (model, layer, asked, oracle) in cases {
        let truth = kappa(model, layer);
        // 16 draws with no stop before, 15 degrees of freedom.
        covered(Check { metric: "landscape/relative_flatness", value: "kappa_trace", oracle }, truth, 2.1314, |seed| {
            let measured = measure(&RelativeFlatness, model, seed, serde_json::json!({"layer": asked, "probes": 16}));
            let found = named(&measured, "kappa_trace");
            (found.value, found.se_estimator.unwrap())
        });
    }
}

#[test]
fn which_metrics_move_when_heads_are_rescaled() {
    let block = Block::new(16, 5).unwrap();
    // Factors that differ between the heads for query, key and value, and within rows of the output.
    let other = block.rescaled([3.0, 0.25], [4.0, 0.5]).unwrap();
    let of = |model: &Block, layer: &str| {
        let given = serde_json::json!({"layer": layer, "probes": 8});
        value(&measure(&RelativeFlatness, model, 3, given), "kappa_trace")
    };
    for layer in ["query.weight", "value.weight"] {
        let (a, b) = (of(&block, layer), of(&other, layer));
        assert!((a - b).abs() < 1e-8 * a.abs(), "{layer}: {a} {b}");
    }
    let (a, b) = (of(&block, "output.weight"), of(&other, "output.weight"));
    assert!((a - b).abs() > 0.05 * a.abs(), "{a} {b}");
    // A whole layer that is scaled leaves it alone, which a raw trace would not.
    let whole = block.rescaled([1.0, 1.0], [4.0, 4.0]).unwrap();
    let (a, b) = (of(&block, "output.weight"), of(&whole, "output.weight"));
    assert!((a - b).abs() < 1e-8 * a.abs(), "{a} {b}");

    // Directions go by filter: factors that are the same within every row leave planes and radii alone, except the steepest.
    let other = block.rescaled([3.0, 0.25], [4.0, 4.0]).unwrap();
    let small = serde_json::json!({"points": 5, "pairs": 2});
    let both = |metric: &dyn Metric, given: &serde_json::Value, name: &str| {
        [&block, &other].map(|model| value(&measure(metric, model, 7, given.clone()), name))
    };
    for name in ["rise_within_050", "rise_within_100", "share_below"] {
        let [a, b] = both(&Flatness2d, &small, name);
        assert!((a - b).abs() < 1e-7 * a.abs(), "{name}: {a} {b}");
    }
    let few = serde_json::json!({"directions": 2});
    let [a, b] = both(&BasinRadius, &few, "radius");
    assert!((a - b).abs() < 1e-5 * a.abs(), "{a} {b}");
    let [a, b] = both(&BasinRadius, &few, "radius_sam");
    assert!((a - b).abs() > 0.05 * a.abs(), "{a} {b}");
}

#[test]
fn the_budget_ends_planes_radii_and_products() {
    let block = Block::new(16, 5).unwrap();
    let cases: [(&dyn Metric, serde_json::Value, &str, f64); 3] = [
        // 25 losses a plane, of a third of a gradient each.
        (&Flatness2d, serde_json::json!({}), "pairs", 20.0),
        (&BasinRadius, serde_json::json!({}), "directions", 20.0),
        // 2.5 gradients a product.
        (&RelativeFlatness, serde_json::json!({}), "draws", 12.0),
    ];
    for (metric, given, name, budget) in cases {
        let measured = on(metric, &TestProbe::new(&block, 1, budget), given).unwrap();
        let draws = value(&measured, name);
        assert!(
            measured.stopped == "budget" && (2.0..6.0).contains(&draws),
            "{}: {draws} {}",
            metric.info().id,
            measured.stopped
        );
    }
}

#[test]
fn few_steps_find_the_same_radii() {
    let block = Block::new(16, 5).unwrap();
    for seed in [1, 2, 3] {
        let [short, long] = [20.0, 1e9]
            .map(|budget| on(&BasinRadius, &TestProbe::new(&block, seed, budget), serde_json::json!({"directions": 2})).unwrap());
        for name in ["radius", "radius_sam"] {
            let (short, long) = (value(&short, name), value(&long, name));
            assert!((short - long).abs() < 1e-4 * long, "{name}: {short} {long}");
        }
    }
}

#[test]
fn what_cannot_be_measured_is_told() {
    let block = Block::new(6, 2).unwrap();
    let refused =
        |metric: &dyn Metric, model: &dyn TestModel, given| on(metric, &TestProbe::new(model, 1, 1e9), given).unwrap_err();
    let input = |text: &str| PluginError::Input(text.into());
    let words = "parameter `points` is 10; give an odd number from 5 on, so that the weights are a point of the grid";
    assert_eq!(refused(&Flatness2d, &block, serde_json::json!({"points": 10})), input(words));
    let dear = on(&Flatness2d, &TestProbe::new(&block, 1, 20.0), serde_json::json!({"points": 7})).unwrap_err();
    let words =
        "two planes of 7 x 7 points are 98 losses, but the budget allows 60: lower `points` or `molecules`, or raise the budget";
    assert_eq!(dear, input(words));
    let words = "the gradient is 0 for all matrices: there is no steepest direction";
    assert_eq!(refused(&BasinRadius, &bowl(1.0, 0.0, &zeros(3)), serde_json::json!({})), input(words));
    let words = "the sample has 1 molecule(s); at least 2 are needed for an error over molecules";
    for metric in [&Flatness2d as &dyn Metric, &BasinRadius, &RelativeFlatness] {
        assert_eq!(refused(metric, &Block::new(1, 2).unwrap(), serde_json::json!({})), input(words));
    }
    let flat = refused(&BasinRadius, &bowl(1e-6, 1e-3, &zeros(3)), serde_json::json!({"farthest": 1.0})).to_string();
    assert!(
        flat.starts_with("along a direction the loss rises by ") && flat.ends_with("lower `tau` or raise `farthest`"),
        "{flat}"
    );
    let words = "parameter `layer` is `head`, no matrix that is trained; there are: `words.weight`, `query.weight`, `key.weight`, \
                 `value.weight`, `output.weight`";
    assert_eq!(refused(&RelativeFlatness, &block, serde_json::json!({"layer": "head"})), input(words));
    let broken = bowl(f64::INFINITY, 0.1, &zeros(3));
    for metric in [&Flatness2d as &dyn Metric, &BasinRadius, &RelativeFlatness] {
        let found = refused(metric, &broken, serde_json::json!({}));
        assert!(matches!(found, PluginError::NonFinite(_)), "{}: {found}", metric.info().id);
    }
}

#[test]
fn the_rise_along_directions_of_a_quadratic() {
    // Four filters of five weights: a direction is uniform on the sphere of each filter's length, so that
    // E[d H d] = sum_f |w_f|^2 tr(H_ff) / 5 (cross terms of filters vanish), and the rise at 1/2 is an eighth of it.
    let quadratic = Quadratic::new(&[&[4, 5]], 16, 3).unwrap();
    let rows = |of: Tensor| Vec::<f64>::try_from(of).unwrap();
    let (diagonal, weights) = (rows(quadratic.hessian().diag(0).contiguous()), rows(quadratic.weights.shallow_clone()));
    let filter = |part: (&[f64], &[f64])| part.0.iter().map(|w| w * w).sum::<f64>() * part.1.iter().sum::<f64>() / 5.0;
    let truth = weights.chunks(5).zip(diagonal.chunks(5)).map(filter).sum::<f64>() / 8.0;
    let check =
        Check { metric: "landscape/flatness_1d", value: "rise_050", oracle: "filter traces of a quadratic, 20 parameters" };
    // Student's t with 6 degrees of freedom.
    covered(check, truth, 2.4469, |seed| {
        let measured = measure(&Flatness1d, &quadratic, seed, serde_json::json!({"directions": 7}));
        let rise = named(&measured, "rise_050");
        (rise.value, rise.se_estimator.unwrap())
    });
}
