#![allow(clippy::unwrap_used)]
use clmbench_sdk::draw::drawn;
use linfa::{Dataset, traits::Fit};
use linfa_logistic::LogisticRegression;
use tch::{Device, Kind, Tensor};

use super::*;

const OPTIONS: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Features [N, D] and labels [N] of which about a third are 1.
fn example(rows: i64, width: i64, seed: i64) -> (Tensor, Tensor) {
    let (features, chances) = drawn(seed, || (Tensor::randn([rows, width], OPTIONS), Tensor::rand([rows], OPTIONS)));
    let features = features * 2.0 + 5.0;
    let logits = (&features - 5.0).matmul(&Tensor::linspace(1.0, -0.5, width, OPTIONS)) - 1.5;
    let labels = chances.less_tensor(&logits.sigmoid()).to_kind(Kind::Double);
    (features, labels)
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.contiguous().view(-1)).unwrap()
}

#[test]
fn linfa_finds_the_same_weights() {
    let (features, labels) = example(200, 6, 1);
    let strengths = [0.01, 1.0, 30.0];
    let fitted = Logistic::new(&features, &labels, &strengths).unwrap();
    let standardised = numbers(&fitted.standard.apply(&features).unwrap());
    let classes: Vec<u8> = numbers(&labels).into_iter().map(|label| label as u8).collect();
    // The trap of linfa-logistic is at work here: its positive class is the more frequent one.
    assert!(classes.iter().filter(|class| **class == 1).count() < 100);
    let design = ndarray::Array2::from_shape_vec((200, 6), standardised).unwrap();
    let data = Dataset::new(design, ndarray::Array1::from_vec(classes));
    for (index, strength) in strengths.into_iter().enumerate() {
        let oracle = LogisticRegression::default().alpha(strength).gradient_tolerance(1e-9).max_iterations(100_000);
        let oracle = oracle.fit(&data).unwrap();
        let sign = if oracle.labels().pos.class == 1 { 1.0 } else { -1.0 };
        let (weights, intercept) = fitted.weights(index).unwrap();
        for (found, wanted) in numbers(&weights).iter().zip(oracle.params()) {
            assert!((found - sign * wanted).abs() < 1e-6, "{found} is not linfa's {wanted} at {strength}");
        }
        assert!((intercept - sign * oracle.intercept()).abs() < 1e-6);
    }
}

/// Largest entry of the gradient of the penalised loss, written out with loops.
fn largest_gradient(fitted: &Logistic, index: usize, strength: f64, features: &Tensor, labels: &Tensor) -> f64 {
    let (weights, _) = fitted.weights(index).unwrap();
    let (rows, width) = features.size2().unwrap();
    let logits = fitted.logits(features, index).unwrap();
    let (x, y, w) = (numbers(&fitted.standard.apply(features).unwrap()), numbers(labels), numbers(&weights));
    let residuals: Vec<f64> = logits.iter().zip(&y).map(|(logit, label)| 1.0 / (1.0 + (-logit).exp()) - label).collect();
    let slope = |feature: usize| {
        let data: f64 = (0..rows as usize).map(|row| residuals[row] * x[row * width as usize + feature]).sum();
        (data + strength * w[feature]).abs()
    };
    (0..width as usize).map(slope).fold(residuals.iter().sum::<f64>().abs(), f64::max)
}

#[test]
fn the_gradient_vanishes_at_every_strength_also_for_separable_classes_and_wide_features() {
    let strengths: Vec<f64> = (-4..=8).map(|power| 10_f64.powi(power)).collect();
    for (rows, width) in [(150, 4), (40, 30), (20, 64)] {
        let (features, mut labels) = example(rows, width, rows);
        if width == 30 {
            labels = features.select(1, 0).greater(5.0).to_kind(Kind::Double);
        }
        let fitted = Logistic::new(&features, &labels, &strengths).unwrap();
        for (index, strength) in strengths.iter().enumerate() {
            let largest = largest_gradient(&fitted, index, *strength, &features, &labels);
            assert!(largest < 1e-8, "gradient {largest:e} at strength {strength:e} with {rows} x {width}");
        }
    }
}

#[test]
fn the_strongest_penalty_leaves_the_prevalence() {
    let (features, labels) = example(90, 5, 4);
    let fitted = Logistic::new(&features, &labels, &[1e12]).unwrap();
    let prevalence = labels.mean(Kind::Double).double_value(&[]);
    for logit in fitted.logits(&features, 0).unwrap() {
        assert!((1.0 / (1.0 + (-logit).exp()) - prevalence).abs() < 1e-6);
    }
}

#[test]
fn constant_features_are_harmless_and_odd_strengths_refused() {
    let (features, labels) = example(50, 3, 5);
    let wider = Tensor::cat(&[&features, &Tensor::full([50, 1], 4.0, OPTIONS)], 1);
    let (plain, wide) = (Logistic::new(&features, &labels, &[1.0]).unwrap(), Logistic::new(&wider, &labels, &[1.0]).unwrap());
    for (a, b) in plain.logits(&features, 0).unwrap().iter().zip(wide.logits(&wider, 0).unwrap()) {
        assert!((a - b).abs() < 1e-9);
    }
    for strength in [0.0, -1.0, f64::NAN] {
        assert_eq!(Logistic::new(&features, &labels, &[1.0, strength]).unwrap_err().kind, FailureKind::BadInput);
    }
}
