//! What the metrics promise, on models whose curvature is known.
#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::Range;

use clmbench_plugin_hessian::{LambdaMax, LambdaMin, LayerTrace, SpectralDensity, TraceFisher, TraceHutchinson, TraceHutchpp};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{Block, Quadratic, TestModel, TestProbe},
};

mod common;
use common::{NO_END, measure, named, params, trace, try_measure};

#[test]
fn a_diagonal_hessian_needs_one_probe_and_a_model_of_many_parameters_is_found_too() {
    let mut quadratic = Quadratic::new(&[&[30, 20], &[20]], 32, 4).unwrap();
    let diagonal = quadratic.matrix.diag(0).diag_embed(0, 0, 1);
    let full = std::mem::replace(&mut quadratic.matrix, diagonal);
    let truth = trace(&quadratic.hessian());
    let measured = measure(&TraceHutchinson, &quadratic, 1, NO_END, &[("probes", 2.into())]);
    let found = named(&measured, "trace");
    assert!((found.value - truth).abs() < 1e-9 * truth && found.se_estimator.unwrap() < 1e-9 * truth);
    let per = named(&measured, "trace_per_parameter");
    assert!((per.value - truth / 620.0).abs() < 1e-12 * truth);

    // 620 parameters, a full matrix of the same diagonal: precise after the fewest draws that are trusted.
    quadratic.matrix = full;
    let measured = measure(&TraceHutchinson, &quadratic, 1, NO_END, &[("probes", 1000.into()), ("groups", 16.into())]);
    let found = named(&measured, "trace");
    assert_eq!((measured.stopped, named(&measured, "draws").value), ("precision", 4.0));
    assert!((found.value - truth).abs() < 4.0 * found.se_estimator.unwrap(), "{found:?} {truth}");
    // Two groups have as many degrees of freedom only after 16 draws.
    let measured = measure(&TraceHutchinson, &quadratic, 1, NO_END, &[("probes", 1000.into()), ("groups", 2.into())]);
    assert_eq!((measured.stopped, named(&measured, "draws").value), ("precision", 16.0));
}

#[test]
fn signs_of_their_own_for_each_group_lower_the_variance() {
    // Molecules of one curvature: with 16 groups the variance of a draw is a sixteenth of that with one v for all.
    let mut quadratic = Quadratic::new(&[&[30, 20]], 32, 4).unwrap();
    quadratic.excess = quadratic.excess.zeros_like();
    let square = |groups: u64| {
        let measured = measure(&TraceHutchinson, &quadratic, 3, NO_END, &[("probes", 60.into()), ("groups", groups.into())]);
        named(&measured, "trace").se_estimator.unwrap().powi(2) * named(&measured, "draws").value
    };
    // Off the diagonal: 2 (|H|^2 - sum H_ii^2).
    let off = &quadratic.matrix - quadratic.matrix.diag(0).diag_embed(0, 0, 1);
    let one = 2.0 * off.square().sum(Kind::Double).double_value(&[]);
    for groups in [2_u64, 16] {
        let ratio = square(groups) * groups as f64 / one;
        assert!((0.5..2.0).contains(&ratio), "{groups} groups: {ratio}");
    }
}

#[test]
fn the_error_over_molecules_is_that_of_the_molecules_curvatures() {
    // Molecule i has curvature 1 + s_i, so a diagonal quadratic has no noise of probes: what is left is the error of the mean
    // of s over the groups of molecules.
    let mut quadratic = Quadratic::new(&[&[5, 3]], 64, 9).unwrap();
    quadratic.matrix = quadratic.matrix.diag(0).diag_embed(0, 0, 1);
    let whole = trace(&quadratic.matrix);
    let curvatures = Vec::<f64>::try_from(&quadratic.excess).unwrap();
    let groups: Vec<f64> = curvatures.chunks(8).map(|group| 1.0 + group.iter().sum::<f64>() / 8.0).collect();
    let (mean, error) = statistics::mean_with_error(&groups);
    let largest = quadratic.matrix.diag(0).max().double_value(&[]);
    let cases: [(&dyn Metric, &str, &str, f64, f64); 4] = [
        (&TraceHutchinson, "probes", "trace", whole, 1e-9),
        (&LayerTrace, "probes", "mean_per_parameter", whole / 15.0, 1e-9),
        (&LambdaMax, "steps", "lambda_max", largest, 1e-6),
        // Sums over the spectrum: to first order, here exactly, and without noise of the signs.
        (&SpectralDensity, "steps", "trace", whole, 1e-9),
    ];
    for (metric, name, value, size, tolerance) in cases {
        let count = if name == "steps" { 15 } else { 2 };
        let mut changed = vec![(name, count.into())];
        if value == "lambda_max" {
            changed.push(("tolerance", 1e-8.into()));
        }
        let measured = measure(metric, &quadratic, 1, NO_END, &changed);
        let found = named(&measured, value);
        assert!((found.value - size * mean).abs() < tolerance * size * mean, "{value}: {found:?}");
        assert!((found.se_sample.unwrap() - size * error).abs() < 1e-3 * size * error, "{value}: {found:?}, {}", size * error);
    }
}

/// A metric, what its draws are called, how many; the values that stay and those that move.
type Moved<'a> = (&'a dyn Metric, &'a str, i64, &'a [&'a str], &'a [&'a str]);

#[test]
fn rescaled_heads_leave_adaptive_values_alone_and_move_raw_ones() {
    let block = Block::new(16, 5).unwrap();
    let other = block.rescaled([3.0, 0.25], [0.2, 5.0]).unwrap();
    let pairs: [Moved<'_>; 4] = [
        (&TraceHutchinson, "probes", 4, &["trace_adaptive", "trace_adaptive_per_parameter"], &["trace"]),
        (&TraceFisher, "draws", 4, &["trace_adaptive"], &["trace"]),
        (
            &LayerTrace,
            "probes",
            4,
            &["adaptive:query", "adaptive:key", "adaptive:value", "adaptive:output", "adaptive:words"],
            &["trace:query", "trace:key", "trace:value", "trace:output"],
        ),
        (&TraceHutchpp, "draws", 2, &["trace_adaptive"], &["trace"]),
    ];
    for (metric, draws, count, still, moving) in pairs {
        let [a, b] = [&block, &other].map(|model| measure(metric, model, 7, NO_END, &[(draws, count.into())]));
        for name in still {
            let (before, after) = (named(&a, name).value, named(&b, name).value);
            assert!((before - after).abs() < 1e-7 * before.abs(), "{name}: {before} {after}");
        }
        for name in moving {
            let (before, after) = (named(&a, name).value, named(&b, name).value);
            assert!((before - after).abs() > 0.1 * before.abs(), "{name}: {before} {after}");
        }
    }
    let spectra: [(&dyn Metric, &str); 3] =
        [(&LambdaMax, "lambda_max"), (&LambdaMin, "lambda_min"), (&SpectralDensity, "trace_of_square")];
    for (metric, name) in spectra {
        let of = |model: &Block, adaptive: bool| {
            let mut changed = vec![("steps", 40.into()), ("adaptive", adaptive.into())];
            if name == "trace_of_square" {
                changed.push(("runs", 2.into()));
            }
            named(&measure(metric, model, 7, NO_END, &changed), name).value
        };
        let (before, after) = (of(&block, true), of(&other, true));
        assert!((before - after).abs() < 1e-3 * before.abs(), "{name}: {before} {after}");
        let (before, after) = (of(&block, false), of(&other, false));
        assert!((before - after).abs() > 0.02 * before.abs(), "{name}: {before} {after}");
    }
}

#[test]
fn the_budget_ends_it_within_one_draw() {
    // The two-headed block is noisy: far from 5 % after a few draws. A draw costs 4 gradients (two products), or 1.
    let block = Block::new(24, 3).unwrap();
    let cases: [(&dyn Metric, &str, f64, f64); 3] =
        [(&TraceHutchinson, "probes", 4.0, 0.0), (&TraceFisher, "draws", 1.0, 0.0), (&LayerTrace, "probes", 4.0, 0.0)];
    for (metric, draws, cost, before) in cases {
        // As few groups as there can be, so that precision is not trusted that early.
        let changed = [(draws, 1000.into()), ("groups", 2.into())];
        let measured = measure(metric, &block, 1, before + 4.5 * cost, &changed);
        assert_eq!((measured.stopped, named(&measured, "draws").value), ("budget", 5.0));
        // An error needs two draws, whatever the budget.
        let measured = measure(metric, &block, 1, 0.1, &changed);
        assert_eq!((measured.stopped, named(&measured, "draws").value), ("budget", 2.0));
    }
    // A sketch of one vector for each of both traces is a pass of two products; a draw is one of four.
    let changed = [("draws", 1000.into()), ("groups", 2.into()), ("sketch", 1.into())];
    let measured = measure(&TraceHutchpp, &block, 1, 4.0 + 4.5 * 7.0, &changed);
    assert_eq!((measured.stopped, named(&measured, "draws").value), ("budget", 5.0));
    // Lanczos keeps a product for its check: 8 in all.
    let host = TestProbe::new(&block, 1, 20.0);
    let measured = LambdaMax.measure(&host.probe(), &params(&LambdaMax, &[("tolerance", 1e-8.into())])).unwrap();
    assert_eq!((measured.stopped, named(&measured, "steps").value), ("budget", 7.0));
    assert!((host.probe().spent().unwrap() - 20.0).abs() < 1e-6);
}

/// Losses `w' D w / 2` of this many parameters, D from 1 to 2.
struct Diagonal(i64);

impl TestModel for Diagonal {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        vec![("weight".into(), Role::Weight, vec![self.0])]
    }

    fn weights(&self) -> Tensor {
        Tensor::ones([self.0], (Kind::Double, Device::Cpu))
    }

    fn tokens(&self) -> Vec<u64> {
        vec![1; 4]
    }

    fn losses(&self, weights: &Tensor, of: Range<u64>, _: Labels, _: &mut Stream) -> Result<Tensor, PluginError> {
        let curvature = Tensor::linspace(1.0, 2.0, self.0, (Kind::Double, Device::Cpu));
        let loss = (weights.square() * curvature).sum(Kind::Double) * 0.5;
        Ok(loss.unsqueeze(0).expand([(of.end - of.start) as i64], false))
    }
}

#[test]
fn memory_is_told_and_caps_the_steps() {
    // 1 MiB holds 13 vectors of 10,000 numbers in float64.
    let mut quadratic = Diagonal(10_000);
    let measured = measure(&LambdaMax, &quadratic, 1, NO_END, &[("memory_mib", 1.into()), ("tolerance", 1e-8.into())]);
    assert_eq!((measured.stopped, named(&measured, "steps").value), ("complete", 9.0));
    assert_eq!(named(&measured, "memory_bytes").value, 13.0 * 8.0 * 10_000.0);
    let measured = measure(&SpectralDensity, &quadratic, 1, NO_END, &[("memory_mib", 1.into()), ("runs", 2.into())]);
    assert_eq!(named(&measured, "memory_bytes").value, 13.0 * 8.0 * 10_000.0);
    let measured = measure(&TraceHutchpp, &quadratic, 1, NO_END, &[("memory_mib", 3.into()), ("draws", 2.into())]);
    assert_eq!(named(&measured, "sketch").value, 2.0);
    quadratic.0 = 20_000;
    let refused = try_measure(&SpectralDensity, &quadratic, 1, NO_END, &[("memory_mib", 1.into())]).unwrap_err();
    assert_eq!(
        refused,
        PluginError::Input(
            "`memory_mib` = 1 holds 6 vector(s) of 20000 parameters and 11 are needed; set it to 2 or more".into()
        )
    );
}

#[test]
fn a_matrix_of_few_parameters_ends_lanczos_exactly() {
    let quadratic = Quadratic::new(&[&[3]], 8, 4).unwrap();
    let all = common::eigenvalues(&quadratic.hessian());
    for (metric, name, truth) in [(&LambdaMax as &dyn Metric, "lambda_max", all[2]), (&LambdaMin, "lambda_min", all[0])] {
        let measured = measure(metric, &quadratic, 1, NO_END, &[("tolerance", 1e-8.into())]);
        let found = named(&measured, name);
        assert!(
            (found.value - truth).abs() < 1e-9 * all[2] && found.residual_bound.unwrap() < 1e-9 * all[2],
            "{found:?} {all:?}"
        );
        assert_eq!((measured.stopped, named(&measured, "steps").value), ("precision", 3.0));
    }
}

#[test]
fn the_density_is_one() {
    let block = Block::new(6, 3).unwrap();
    let measured = measure(&SpectralDensity, &block, 1, NO_END, &[("runs", 2.into())]);
    let text = |name: &str| {
        let (_, bytes) = measured.artifacts.iter().find(|(known, _)| known == name).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    };
    let rows = |text: &str| -> Vec<Vec<f64>> {
        text.lines().skip(1).map(|line| line.split(',').map(|word| word.parse().unwrap()).collect()).collect()
    };
    let density = rows(&text("density.csv"));
    let area: f64 = density.windows(2).map(|pair| (pair[1][0] - pair[0][0]) * (pair[0][1] + pair[1][1]) / 2.0).sum();
    assert!((area - 1.0).abs() < 1e-3, "{area}");
    let nodes = rows(&text("nodes.csv"));
    assert_eq!(nodes.len(), 40);
    assert!((nodes.iter().map(|row| row[2]).sum::<f64>() - 2.0).abs() < 1e-9);
}
