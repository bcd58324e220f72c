//! Barriers, paths and task vectors that are known by hand.

use std::ops::Range;

use clmbench_plugin_landscape::{FinetunedBarrier, InterpolationBarrier, TaskVectorCosine, TaskVectorNorm, TrajectoryPca};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{
        Nothing, Quadratic, TestModel, TestProbe,
        oracle::{Check, covered, exact},
    },
};

use super::{named, on, value};

/// Molecule i has one token with loss `2 + c_i (x^2 - 1)^2 + t x`, x the first weight, and noise of the draw on c_i
/// and on the level 2. On the line from
/// x = -1 to 1 the slope t lies in the chord, and the barrier is the mean of the c_i, half way.
struct Wells {
    weights: Tensor,
    heights: Vec<f64>,
    slope: f64,
    noise: f64,
}

impl Wells {
    fn new(molecules: u64, noise: f64) -> Self {
        let heights = (0..molecules).map(|molecule| 0.5 + (molecule % 4) as f64 / 4.0).collect();
        Self { weights: Tensor::from_slice(&[-1.0, 0.3]), heights, slope: 0.2, noise }
    }
}

impl TestModel for Wells {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        vec![("weight".into(), Role::Weight, vec![1, 2])]
    }

    fn weights(&self) -> Tensor {
        self.weights.shallow_clone()
    }

    fn tokens(&self) -> Vec<u64> {
        vec![1; self.heights.len()]
    }

    fn losses(&self, weights: &Tensor, of: Range<u64>, _: Labels, stream: &mut Stream) -> Result<Tensor, PluginError> {
        let x = weights.select(0, 0);
        let well = (x.square() - 1.0).square();
        let each = of.map(|molecule| {
            let height = self.heights[molecule as usize] + self.noise * (stream.uniform() - 0.5);
            // The noise of a level is the same all along the line.
            let level = 2.0 + self.noise * (stream.uniform() - 0.5);
            let loss: Tensor = &well * height + &x * self.slope + level;
            loss.unsqueeze(0)
        });
        Ok(Tensor::f_cat(&each.collect::<Vec<_>>(), 0)?)
    }
}

fn at(x: f64) -> Tensor {
    Tensor::from_slice(&[x, 0.3])
}

#[test]
fn two_wells_are_parted_by_a_barrier() {
    let wells = Wells::new(8, 0.0);
    let measured = on(
        &InterpolationBarrier,
        &TestProbe::new(&wells, 1, 1e9).with_others(vec![("final", "run-b", at(1.0))]),
        serde_json::json!({"points": 5}),
    );
    let measured = measured.unwrap();
    let mean = 0.875;
    let truths = [
        ("barrier", mean),
        // 2 + c at the top, over 2 + 0 at both ends on average.
        ("instability", mean),
        ("height_halfway", mean),
        // Trapezoids over x = -1, -1/2, 0, 1/2, 1: (9/16 + 1 + 9/16) / 4.
        ("mean_height", mean * 2.125 / 4.0),
        ("barrier_at", 0.5),
        ("distance", 2.0 / 1.09_f64.sqrt()),
    ];
    for (name, truth) in truths {
        let check = Check { metric: "landscape/interpolation_barrier", value: name, oracle: "double well with a slope" };
        exact(check, truth, value(&measured, name), 1e-12);
    }
    // No draw changes anything: one is enough, and there is no error of masks; the jackknife is the error of the mean height.
    let barrier = named(&measured, "barrier");
    let spread = statistics::mean_with_error(&wells.heights).1;
    assert_eq!((measured.stopped, barrier.se_estimator), ("complete", None));
    assert!((barrier.se_sample.unwrap() - spread).abs() < 1e-12);
    let line = String::from_utf8(measured.artifacts[0].1.clone()).unwrap();
    let lines: Vec<&str> = line.lines().collect();
    assert_eq!((lines.len(), lines[0], &lines[1][..10]), (6, "name,alpha,loss", "\"final\",0,"));
    // The way back has the same barrier.
    let back = Wells { weights: at(1.0), ..Wells::new(8, 0.0) };
    let host = TestProbe::new(&back, 1, 1e9).with_others(vec![("final", "run-a", at(-1.0))]);
    let back = on(&InterpolationBarrier, &host, serde_json::json!({"points": 5})).unwrap();
    assert!((value(&back, "barrier") - mean).abs() < 1e-12);
}

#[test]
fn the_error_of_a_barrier_covers_that_without_masks() {
    let wells = Wells::new(40, 1.0);
    let check = Check { metric: "landscape/interpolation_barrier", value: "barrier", oracle: "double well under noise of draws" };
    covered(check, 0.875, 1.96, |seed| {
        let host = TestProbe::new(&wells, seed, 1e9).with_others(vec![("final", "run-b", at(1.0))]);
        let measured = on(&InterpolationBarrier, &host, serde_json::json!({"points": 5})).unwrap();
        (value(&measured, "barrier"), named(&measured, "barrier").se_estimator.unwrap())
    });
}

#[test]
fn a_bowl_has_no_barrier() {
    // Height above the chord: -a (1 - a) / 2 d H d.
    let quadratic = Quadratic::new(&[&[4, 5], &[3]], 16, 3).unwrap();
    let step = Stream::new(4).normals(&quadratic.weights).unwrap();
    let bend = step.dot(&quadratic.hessian().mv(&step)).double_value(&[]);
    let host = TestProbe::new(&quadratic, 1, 1e9).with_others(vec![("final", "b", &quadratic.weights + &step)]);
    let measured = on(&InterpolationBarrier, &host, serde_json::json!({"points": 11})).unwrap();
    let mean: f64 = (1..10).map(|point| f64::from(point) / 10.0).map(|a| -a * (1.0 - a) / 2.0 / 10.0).sum();
    let check = |value| Check { metric: "landscape/interpolation_barrier", value, oracle: "quadratic" };
    exact(check("barrier"), 0.0, value(&measured, "barrier"), 0.0);
    exact(check("mean_height"), mean * bend, value(&measured, "mean_height"), 1e-9);
    exact(check("height_halfway"), -bend / 8.0, value(&measured, "height_halfway"), 1e-9);
    // The error is that of the highest inner point, not 0.
    assert!(named(&measured, "barrier").se_sample.unwrap() > 0.0);
}

#[test]
fn barriers_to_fine_tuned_weights_count_datasets_alike() {
    let wells = Wells::new(8, 0.0);
    // Two seeds of one dataset cross over or go nowhere near it, the other dataset goes down hill within the first well.
    let others = vec![("a/0", "a", at(1.0)), ("a/1", "a", at(-1.5)), ("b/0", "b", at(0.0))];
    let host = TestProbe::new(&wells, 1, 1e9).with_others(others);
    let measured = on(&FinetunedBarrier, &host, serde_json::json!({"points": 5})).unwrap();
    let well = |x: f64| 0.875 * (x * x - 1.0) * (x * x - 1.0) + 0.2 * x + 2.0;
    let barrier = |end: f64| {
        let heights = (1..4)
            .map(|point| f64::from(point) / 4.0)
            .map(|a| well(-1.0 + a * (end + 1.0)) - (1.0 - a) * well(-1.0) - a * well(end));
        heights.fold(0.0, f64::max)
    };
    let [first, second, third] = [1.0, -1.5, 0.0].map(barrier);
    assert!(second == 0.0 && third > 0.0);
    let rise = |end: f64| well(end) - well(-1.0);
    let truths = [
        ("barrier", ((first + second) / 2.0 + third) / 2.0),
        ("barrier/a/0", first),
        ("barrier/a/1", second),
        ("barrier/b/0", third),
        ("rise_to_finetuned", ((rise(1.0) + rise(-1.5)) / 2.0 + rise(0.0)) / 2.0),
    ];
    for (name, truth) in truths {
        let check = Check { metric: "landscape/finetuned_barrier", value: name, oracle: "double well with a slope" };
        exact(check, truth, value(&measured, name), 1e-12);
    }
    // A dataset with one seed has no spread over seeds.
    let barrier = named(&measured, "barrier");
    assert!(barrier.se_estimator.is_none() && barrier.se_sample.unwrap() > 0.0);
}

fn known(weights: &[f64]) -> Known {
    Known(Tensor::from_slice(weights))
}

/// Weights without a loss.
struct Known(Tensor);

impl TestModel for Known {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        vec![("weight".into(), Role::Weight, vec![1, self.0.numel() as i64])]
    }

    fn weights(&self) -> Tensor {
        self.0.shallow_clone()
    }

    fn tokens(&self) -> Vec<u64> {
        Nothing.tokens()
    }

    fn losses(&self, weights: &Tensor, of: Range<u64>, labels: Labels, stream: &mut Stream) -> Result<Tensor, PluginError> {
        Nothing.losses(weights, of, labels, stream)
    }
}

fn on_others(metric: &dyn Metric, own: &[f64], others: &[(&str, &str, &[f64])]) -> Result<Measurement, PluginError> {
    let model = known(own);
    let others = others.iter().map(|(name, group, weights)| (*name, *group, Tensor::from_slice(weights))).collect();
    on(metric, &TestProbe::new(&model, 1, 1.0).with_others(others), serde_json::json!({}))
}

#[test]
fn a_trajectory_of_known_singular_values() {
    // Columns of coordinates that are centred and stand at right angles, (-1, 0, 1) sqrt(1/2) * 6 and (1, -2, 1) sqrt(1/6) * 2, along two
    // directions at right angles in a space of 7, away from the origin.
    let (wide, narrow) = (6.0 / 2.0_f64.sqrt(), 2.0 / 6.0_f64.sqrt());
    let point = |a: f64, b: f64| {
        let (a, b) = (a * wide, b * narrow);
        [1.0 + a * 0.6, 2.0 + b, a * 0.8, 0.0, 0.0, 5.0, 1.0]
    };
    let points = [point(-1.0, 1.0), point(0.0, -2.0), point(1.0, 1.0)];
    let others = [("c-1", "run", &points[0][..]), ("c-2", "run", &points[1][..]), ("c-3", "run", &points[2][..])];
    let measured = on_others(&TrajectoryPca, &points[2], &others).unwrap();
    let (leg, way) = ((wide * wide + 9.0 * narrow * narrow).sqrt(), 2.0 * wide);
    let last = points[2].iter().map(|x| x * x).sum::<f64>().sqrt();
    let truths = [
        ("explained_1", 0.9),
        ("explained_2", 0.1),
        ("path_over_displacement", 2.0 * leg / way),
        ("displacement", way / last),
        ("checkpoints", 3.0),
    ];
    for (name, truth) in truths {
        let check = Check { metric: "landscape/trajectory_pca", value: name, oracle: "three points of singular values 6 and 2" };
        exact(check, truth, value(&measured, name), 1e-12);
    }
    let table = String::from_utf8(measured.artifacts[0].1.clone()).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["checkpoint", "component_1", "component_2"]);
    for (row, (a, b)) in rows[1..].iter().zip([(-1.0, 1.0), (0.0, -2.0), (1.0, 1.0)]) {
        let [first, second] = [1, 2].map(|column| row[column].parse::<f64>().unwrap());
        assert!((first - a * wide).abs() < 1e-9 && (second - b * narrow).abs() < 1e-9, "{row:?}");
    }
    // A straight path, and one that ends where it began, which has no displacement to be compared with.
    let straight = [("a", "", &[0.0, 0.0][..]), ("b", "", &[1.0, 2.0]), ("c", "", &[3.0, 6.0]), ("d", "", &[4.0, 8.0])];
    let measured = on_others(&TrajectoryPca, &[4.0, 8.0], &straight).unwrap();
    for name in ["explained_1", "path_over_displacement"] {
        exact(
            Check { metric: "landscape/trajectory_pca", value: name, oracle: "a straight path" },
            1.0,
            value(&measured, name),
            1e-12,
        );
    }
    let round = [("a", "", &[1.0, 0.0][..]), ("b", "", &[0.0, 1.0]), ("c", "", &[1.0, 0.0])];
    let measured = on_others(&TrajectoryPca, &[1.0, 0.0], &round).unwrap();
    assert!(measured.values.iter().all(|value| value.name != "path_over_displacement" && value.value.is_finite()));
}

#[test]
fn task_vectors_by_hand() {
    let own = [2.0, 0.0, 0.0];
    let others = [
        ("a/0", "a", &[3.0, 0.0, 0.0][..]),
        ("a/1", "a", &[2.0, 2.0, 0.0]),
        ("b/0", "b", &[5.0, 4.0, 0.0]),
        ("b/1", "b", &[2.0, 0.0, 1.0]),
    ];
    let measured = on_others(&TaskVectorNorm, &own, &others).unwrap();
    // Lengths 1, 2, 5 and 1 over that of the weights, 2.
    let truths = [("norm", (0.75 + 1.5) / 2.0), ("norm/a/0", 0.5), ("norm/a/1", 1.0), ("norm/b/0", 2.5), ("norm/b/1", 0.5)];
    for (name, truth) in truths {
        exact(
            Check { metric: "landscape/task_vector_norm", value: name, oracle: "by hand" },
            truth,
            value(&measured, name),
            1e-12,
        );
    }
    // The variance of a mean of two is the square of half their difference.
    let error = (0.25_f64.powi(2) + 1.0_f64.powi(2)).sqrt() / 2.0;
    assert!((named(&measured, "norm").se_estimator.unwrap() - error).abs() < 1e-12);

    // Steps in a plane keep their lengths and distances there.
    let measured = on_others(&TaskVectorNorm, &own, &others[..3]).unwrap();
    let [(name, bytes)] = measured.artifacts.as_slice() else { unreachable!("{:?}", measured.artifacts) };
    assert_eq!(name, "task_vectors.csv");
    let text = std::str::from_utf8(bytes).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("weights,dataset,component_1,component_2"));
    assert_eq!(lines.next(), Some("pretrained,,0,0"));
    let places: Vec<(f64, f64)> = lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[2].parse().unwrap(), cells[3].parse().unwrap())
        })
        .collect();
    let distance = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1);
    let origin = (0.0, 0.0);
    let found = [
        distance(places[0], origin),
        distance(places[1], origin),
        distance(places[2], origin),
        distance(places[0], places[1]),
        distance(places[0], places[2]),
        distance(places[1], places[2]),
    ];
    for (found, truth) in found.into_iter().zip([1.0, 2.0, 5.0, 5f64.sqrt(), 20f64.sqrt(), 13f64.sqrt()]) {
        assert!((found - truth).abs() < 1e-6, "{found} against {truth}");
    }
    // One step has no plane.
    assert!(on_others(&TaskVectorNorm, &own, &others[..1]).unwrap().artifacts.is_empty());

    let measured = on_others(&TaskVectorCosine, &own, &others).unwrap();
    // a/0 = e1, a/1 = e2, b/0 = 0.6 e1 + 0.8 e2, b/1 = e3.
    let truths = [("cosine", 1.4 / 4.0), ("cosine_of_seeds", 0.0), ("cosine/a/b", 1.4 / 4.0)];
    for (name, truth) in truths {
        let check = Check { metric: "landscape/task_vector_cosine", value: name, oracle: "by hand" };
        exact(check, truth, value(&measured, name), 1e-12);
    }
    // Leaving out a/0, a/1, b/0, b/1: 0.4, 0.3, 0, 0.7.
    let error = (2.0 * 0.05_f64.powi(2) / 2.0 + 2.0 * 0.35_f64.powi(2) / 2.0).sqrt();
    assert!((named(&measured, "cosine").se_estimator.unwrap() - error).abs() < 1e-12);
    // With one seed of a dataset there is no spread, and no cosine of seeds.
    let measured = on_others(&TaskVectorCosine, &own, &others[1..]).unwrap();
    assert_eq!(named(&measured, "cosine"), &Value::exact("cosine", value(&measured, "cosine"), "1"));
    assert!(measured.values.iter().all(|value| value.name != "cosine_of_seeds"));
}

#[test]
fn the_spread_over_seeds_covers_the_mean_norm() {
    // Two datasets of four seeds: lengths 1 and 3 with noise; Welch's degrees of freedom are 6.
    let check = Check { metric: "landscape/task_vector_norm", value: "norm", oracle: "lengths 1 and 3 with noise of seeds" };
    covered(check, 2.0, 2.4469, |seed| {
        let mut stream = Stream::new(seed + 1);
        let names = ["a", "a", "a", "a", "b", "b", "b", "b"];
        let mut normal = || (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0;
        let weights = names.map(|group| [1.0, if group == "a" { 1.0 } else { 3.0 } + 0.2 * normal()]);
        let labels: Vec<String> = (0..8).map(|index| format!("{index}")).collect();
        let others: Vec<(&str, &str, &[f64])> =
            (0..8).map(|index| (labels[index].as_str(), names[index], &weights[index][..])).collect();
        let measured = on_others(&TaskVectorNorm, &[1.0, 0.0], &others).unwrap();
        (value(&measured, "norm"), named(&measured, "norm").se_estimator.unwrap())
    });
}

#[test]
fn what_has_no_other_weights_is_told() {
    let input = |text: &str| Err(PluginError::Input(text.into()));
    let own = [1.0, 2.0];
    let (same, other) = (("a/0", "a", &[1.0, 2.0][..]), ("b/0", "b", &[2.0, 2.0][..]));
    let words = "the weights are fine-tuned on 1 dataset(s); a cosine between datasets needs two or more";
    assert_eq!(on_others(&TaskVectorCosine, &own, &[other]), input(words));
    let words = "`a/0` has the weights of the checkpoint itself: there is no way between them";
    assert_eq!(on_others(&TaskVectorCosine, &own, &[same, other]), input(words));
    assert_eq!(on_others(&InterpolationBarrier, &own, &[same]), input(words));
    let words = "the run has 2 checkpoint(s); a path needs 3 or more: set checkpoints in its [[model]]";
    assert_eq!(on_others(&TrajectoryPca, &own, &[same, other]), Err(PluginError::Unsupported(words.into())));
    let words = "all 3 checkpoints have the same weights: there is no path";
    assert_eq!(on_others(&TrajectoryPca, &own, &[same, same, same]), input(words));
    let words = "all weights of the checkpoint are 0";
    assert_eq!(on_others(&TaskVectorNorm, &[0.0, 0.0], &[other]), input(words));
    for metric in [&TaskVectorNorm as &dyn Metric, &InterpolationBarrier, &FinetunedBarrier] {
        let found = on_others(metric, &own, &[("b/0", "b", &[2.0][..])]);
        assert!(found.is_err(), "{}", metric.info().id);
        let found = on_others(metric, &own, &[("b/0", "b", &[f64::NAN, 1.0][..])]);
        assert!(found.is_err(), "{}", metric.info().id);
    }
    let found = on_others(&TaskVectorNorm, &own, &[("b/0", "b", &[2.0][..])]);
    assert_eq!(found, Err(PluginError::Shape("`b/0` has 1 parameters, and the checkpoint 2".into())));
    let found = on_others(&TaskVectorNorm, &own, &[("b/0", "b", &[f64::NAN, 1.0][..])]);
    assert_eq!(found, Err(PluginError::NonFinite("a weight of `b/0` is not finite".into())));
}

#[test]
fn a_line_through_losses_that_are_not_finite_is_refused() {
    let wells = Wells { slope: f64::INFINITY, ..Wells::new(4, 0.0) };
    let host = TestProbe::new(&wells, 1, 1e9).with_others(vec![("final", "b", at(1.0))]);
    let found = on(&InterpolationBarrier, &host, serde_json::json!({})).unwrap_err();
    assert_eq!(found, PluginError::NonFinite("the loss of molecule 0 at the weights is -inf".into()));
    let mut wells = Wells::new(4, 0.0);
    wells.heights = vec![1.0];
    let host = TestProbe::new(&wells, 1, 1e9).with_others(vec![("final", "b", at(1.0))]);
    let words = "the sample has 1 molecule(s); at least 2 are needed for an error over molecules";
    assert_eq!(on(&FinetunedBarrier, &host, serde_json::json!({})), Err(PluginError::Input(words.into())));
}
