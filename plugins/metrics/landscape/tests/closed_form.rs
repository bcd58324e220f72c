//! Flatness of models where it is known.
#![allow(missing_docs, clippy::unwrap_used)]

use clmbench_plugin_landscape::Flatness1d;
use clmbench_sdk::{
    prelude::*,
    testing::{Block, Quadratic, TestModel, TestProbe},
};

fn measure(model: &dyn TestModel, seed: u64, budget: f64, directions: u64) -> Measurement {
    let host = TestProbe::new(model, seed, budget);
    let params = format!(r#"{{"directions": {directions}, "sample": "heldout", "molecules": 0}}"#);
    Flatness1d.measure(&host.probe(), &Params::parse(&params).unwrap()).unwrap()
}

fn named<'a>(measured: &'a Measurement, name: &str) -> &'a Value {
    measured.values.iter().find(|value| value.name == name).unwrap()
}

/// Curvature along filter-normalised directions of a quadratic, in expectation: a direction is uniform on the sphere of
/// each filter's length, so that `E d H d = sum_f |w_f|^2 tr(H_ff) / n_f` (cross terms of filters vanish).
fn expected(quadratic: &Quadratic, filters: i64, length: i64) -> f64 {
    let diagonal = quadratic.hessian().diag(0).narrow(0, 0, filters * length).view([filters, length]);
    let weights = quadratic.weights.narrow(0, 0, filters * length).view([filters, length]);
    let sum = |tensor: &Tensor| tensor.sum_dim_intlist(&[1_i64][..], false, Kind::Double);
    (sum(&weights.square()) * sum(&diagonal) / length as f64).sum(Kind::Double).double_value(&[])
}

#[test]
fn a_quadratic_is_a_parabola_along_every_direction() {
    // Four filters of five weights, and a vector that must not move.
    let quadratic = Quadratic::new(&[&[4, 5], &[3]], 16, 3).unwrap();
    let truth = expected(&quadratic, 4, 5);
    let measured: Vec<Measurement> = (0..100).map(|seed| measure(&quadratic, seed, 1e9, 7)).collect();
    for one in &measured {
        // One direction after another, rises are alpha^2 / 2 d H d: all values say the same.
        let bend = named(one, "curvature").value;
        for (name, distance) in [("rise_025", 0.25), ("rise_050", 0.5), ("rise_100", 1.0)] {
            let value = named(one, name).value;
            assert!((value - distance * distance / 2.0 * bend).abs() < 1e-7 * bend, "{name}: {value}, curvature {bend}");
        }
    }
    let values: Vec<f64> = measured.iter().map(|one| named(one, "curvature").value).collect();
    let (mean, error) = statistics::mean_with_error(&values);
    assert!((mean - truth).abs() < 4.0 * error && error < 0.05 * truth, "{mean} +- {error} is not {truth}");
    // 95 % intervals (Student's t, 6 degrees) hold the truth in 88 to 99 of 100 cases, the binomial's central 99.8 %.
    let within = |one: &&Measurement| {
        let value = named(one, "rise_050");
        (value.value - truth / 8.0).abs() <= 2.4469 * value.se_estimator.unwrap()
    };
    let covered = measured.iter().filter(within).count();
    assert!((88..=99).contains(&covered), "{covered} of 100 intervals hold {}", truth / 8.0);
}

#[test]
fn the_loss_doubles_where_the_parabola_says() {
    // One direction: the loss here is L, and doubles at alpha with alpha^2 / 2 d H d = L. Linear interpolation between grid
    // points of a parabola is off by less than an eighth of the squared gap over the point's own size.
    let mut quadratic = Quadratic::new(&[&[1, 6]], 16, 3).unwrap();
    quadratic.minima = quadratic.weights.unsqueeze(0) + &quadratic.minima * 0.01;
    let measured = measure(&quadratic, 1, 1e9, 2);
    let curves = &measured.artifacts.iter().find(|(name, _)| name == "curves.csv").unwrap().1;
    let curves = String::from_utf8(curves.clone()).unwrap();
    let rows: Vec<Vec<f64>> = curves.lines().skip(1).map(|line| line.split(',').map(|x| x.parse().unwrap()).collect()).collect();
    assert_eq!((curves.lines().next().unwrap(), rows.len()), ("direction,alpha,loss", 2 * 13));
    let loss = |direction: f64, alpha: f64| rows.iter().find(|row| row[0] == direction && row[1] == alpha).unwrap()[2];
    let mut doubles = Vec::new();
    for direction in [0.0, 1.0] {
        let bend = loss(direction, 1.0) + loss(direction, -1.0) - 2.0 * loss(direction, 0.0);
        doubles.push((2.0 * loss(direction, 0.0) / bend).sqrt());
    }
    let found = measured.values.iter().find(|value| value.name == "doubling_distance");
    if doubles.iter().all(|distance| *distance <= 1.0) {
        let mean = (doubles[0] + doubles[1]) / 2.0;
        assert!((found.unwrap().value - mean).abs() < 0.02, "{found:?} is not {mean}");
    } else {
        assert!(found.is_none(), "{doubles:?} {found:?}");
    }
}

#[test]
fn heads_rescaled_within_their_filters_leave_it_alone() {
    // Rows of query and key scale with their filter; so do rows of the output if both heads are scaled alike.
    let block = Block::new(16, 5).unwrap();
    let other = block.rescaled([3.0, 0.25], [4.0, 4.0]).unwrap();
    let [a, b] = [&block, &other].map(|model| named(&measure(model, 7, 1e9, 4), "rise_050").value);
    assert!((a - b).abs() < 1e-7 * a.abs(), "{a} {b}");
}

#[test]
fn precision_and_budget_end_it() {
    let block = Block::new(24, 3).unwrap();
    // A direction costs 13 losses, that is 13 / 3.
    let measured = measure(&block, 1, 10.0, 1000);
    assert_eq!((measured.stopped, named(&measured, "directions").value), ("budget", 3.0));
    let measured = measure(&block, 1, 1e9, 1000);
    let value = named(&measured, "rise_050");
    assert!(measured.stopped == "precision" && value.se_estimator.unwrap() <= 0.05 * value.value, "{value:?}");
}
