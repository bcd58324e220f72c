//! Bad input is refused in words, by every metric of the family.
#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::Range;

use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{Quadratic, TestModel},
};

mod common;
use common::{METRICS, NO_END, try_measure};

/// A quadratic that predicts a label as well, with these tokens and this factor on its losses.
struct Broken {
    inner: Quadratic,
    tokens: u64,
    factor: f64,
    /// Whether the first molecule alone has tokens.
    lone: bool,
}

impl TestModel for Broken {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        self.inner.table()
    }

    fn weights(&self) -> Tensor {
        self.inner.weights()
    }

    fn tokens(&self) -> Vec<u64> {
        let mut tokens = vec![self.tokens; self.inner.tokens().len()];
        if self.lone {
            tokens[1..].fill(0);
        }
        tokens
    }

    fn losses(&self, weights: &Tensor, of: Range<u64>, _: Labels, stream: &mut Stream) -> Result<Tensor, PluginError> {
        // A loss for each predicted token, and so none for molecules without one.
        let of = if self.lone { of.start.min(1)..of.end.min(1) } else { of };
        Ok(self.inner.losses(weights, of, Labels::Data, stream)? * self.factor)
    }
}

fn broken(tokens: u64, factor: f64) -> Broken {
    Broken { inner: Quadratic::new(&[&[4, 3]], 8, 1).unwrap(), tokens, factor, lone: false }
}

#[test]
fn without_a_token_to_predict_there_is_no_loss() {
    for (metric, _) in METRICS {
        let refused = try_measure(metric, &broken(0, 1.0), 1, NO_END, &[]).unwrap_err();
        let words = "no token is predicted in the 8 molecules used (draw 0), so that there is no loss; raise `molecules`";
        assert_eq!(refused, PluginError::Input(words.into()), "{}", metric.info().id);
    }
}

#[test]
fn curvature_that_is_not_finite_is_refused() {
    for factor in [f64::NAN, f64::INFINITY] {
        for (metric, _) in METRICS {
            let refused = try_measure(metric, &broken(1, factor), 1, NO_END, &[]).unwrap_err();
            let PluginError::NonFinite(words) = &refused else { panic!("{}: {refused:?}", metric.info().id) };
            assert!(
                words.starts_with("the curvature of the loss on molecules 0..") && words.contains("measure an earlier"),
                "{words}"
            );
        }
    }
}

#[test]
fn a_hessian_of_zeros_has_no_spectrum_but_a_trace() {
    for (metric, _) in METRICS {
        let id = metric.info().id;
        let found = try_measure(metric, &broken(1, 0.0), 1, NO_END, &[]);
        if id == "hessian/spectral_density" {
            let words = "the Hessian of the loss is zero; it has no spectrum to describe";
            assert_eq!(found.unwrap_err(), PluginError::Input(words.into()));
            continue;
        }
        let found = found.unwrap();
        assert!(found.values.iter().all(|value| value.value.is_finite()), "{id}: {found:?}");
        assert_eq!(found.values.iter().find(|value| value.name == metric.info().primary).unwrap().value, 0.0, "{id}");
    }
}

#[test]
fn one_molecule_has_no_error() {
    let one = Broken { inner: Quadratic::new(&[&[4, 3]], 1, 1).unwrap(), tokens: 1, factor: 1.0, lone: false };
    for (metric, _) in METRICS {
        let refused = try_measure(metric, &one, 1, NO_END, &[]).unwrap_err();
        let words = "the sample has 1 molecule(s); at least 2 are needed for an error over molecules";
        assert_eq!(refused, PluginError::Input(words.into()));
    }
}

#[test]
fn tokens_of_one_molecule_alone_have_no_error_over_molecules() {
    for (metric, _) in METRICS {
        let lone = Broken { lone: true, ..broken(1, 1.0) };
        let id = metric.info().id;
        match try_measure(metric, &lone, 1, NO_END, &[]) {
            Err(refused) => {
                let words = "all predicted tokens stand in one group of molecules, so that there is no error over molecules; raise `molecules`";
                assert_eq!(refused, PluginError::Input(words.into()), "{id}");
            }
            // What the host makes a refusal of: not an error of 0.
            Ok(found) => {
                let primary = found.values.iter().find(|value| value.name == metric.info().primary).unwrap();
                assert!(primary.se_sample.unwrap().is_nan(), "{id}: {primary:?}");
            }
        }
    }
}
