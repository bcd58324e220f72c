//! Losses against sums that are known.
#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::Range;

use clmbench_plugin_loss::{ClmLoss, MlmLoss, TaskLoss, Tse, TseEma};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{
        Nothing, Softmax, TestModel, TestProbe,
        oracle::{Check, covered, exact},
    },
};

fn params(json: &str) -> Params {
    Params::parse(json).unwrap()
}

fn named<'a>(measured: &'a Measurement, name: &str) -> &'a Value {
    measured.values.iter().find(|value| value.name == name).unwrap()
}

fn task(model: &dyn TestModel, seed: u64, masks: u64) -> Result<Measurement, PluginError> {
    let labels = Tensor::zeros([model.tokens().len() as i64], (Kind::Double, Device::Cpu));
    let host = TestProbe::new(model, seed, 1e9).with_labels(TaskKind::Regression, labels);
    TaskLoss.measure(&host.probe(), &params(&format!(r#"{{"masks": {masks}, "molecules": 0}}"#)))
}

fn of_history(metric: &dyn Metric, losses: Vec<f64>, json: &str) -> Result<Measurement, PluginError> {
    metric.measure(&TestProbe::new(&Nothing, 1, 1.0).with_history(losses).probe(), &params(json))
}

/// A model whose losses are a level for each molecule and noise that differs between draws and tokens.
struct Noisy {
    levels: Vec<f64>,
    tokens: Vec<u64>,
}

impl Noisy {
    fn new(molecules: u64) -> Self {
        let tokens: Vec<u64> = (0..molecules).map(|molecule| molecule % 4).collect();
        Self { levels: (0..molecules).map(|molecule| 1.0 + (molecule % 5) as f64 / 5.0).collect(), tokens }
    }
}

impl TestModel for Noisy {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        vec![("weight".into(), Role::Weight, vec![1])]
    }

    fn weights(&self) -> Tensor {
        Tensor::zeros([1], (Kind::Double, Device::Cpu))
    }

    fn tokens(&self) -> Vec<u64> {
        self.tokens.clone()
    }

    fn losses(&self, _: &Tensor, of: Range<u64>, _: Labels, stream: &mut Stream) -> Result<Tensor, PluginError> {
        let each = |molecule: u64| vec![self.levels[molecule as usize]; self.tokens[molecule as usize] as usize];
        let losses: Vec<f64> = of.flat_map(each).map(|level| level + stream.uniform() - 0.5).collect();
        Ok(Tensor::from_slice(&losses))
    }
}

#[test]
fn the_task_loss_of_a_causal_model_is_its_mean_and_has_no_error_of_masks() {
    // Softmax regression: log sum exp minus the logit of the label, by hand.
    let model = Softmax::new(5, 3, 12, 7).unwrap();
    let logits = model.features.matmul(&model.weights.view([5, 3]).transpose(0, 1));
    let rows = Vec::<Vec<f64>>::try_from(&logits).unwrap();
    let labels = Vec::<i64>::try_from(&model.targets).unwrap();
    let nll = rows.iter().zip(labels).map(|(row, label)| row.iter().map(|x| x.exp()).sum::<f64>().ln() - row[label as usize]);
    let truth = nll.sum::<f64>() / 24.0;
    let measured = task(&model, 1, 4).unwrap();
    let check = |value| Check { metric: "loss/task_loss", value, oracle: "softmax regression, summed by hand" };
    exact(check("task_loss"), truth, named(&measured, "task_loss").value, 1e-12);
    exact(check("pseudo_perplexity"), truth.exp(), named(&measured, "pseudo_perplexity").value, 1e-12);
    assert_eq!((measured.molecules, named(&measured, "task_loss").se_estimator), (12, None));
    // The same molecules as held-out ones.
    let host = TestProbe::new(&model, 1, 1e9);
    let heldout = ClmLoss.measure(&host.probe(), &params(r#"{"sample": "heldout", "molecules": 0}"#)).unwrap();
    let check = Check { metric: "loss/clm_loss", value: "clm_loss", oracle: "softmax regression, summed by hand" };
    exact(check, truth, named(&heldout, "clm_loss").value, 1e-12);
    let heldout = MlmLoss.measure(&host.probe(), &params(r#"{"masks": 2}"#)).unwrap();
    let check = Check { metric: "loss/mlm_loss", value: "mlm_loss", ..check };
    exact(check, truth, named(&heldout, "mlm_loss").value, 1e-12);
    assert!(named(&measured, "task_loss").se_sample.unwrap() > 0.0);
}

#[test]
fn the_error_of_masks_covers_the_loss_over_all_masks() {
    let model = Noisy::new(200);
    let tokens: Vec<f64> = model.tokens.iter().map(|count| *count as f64).collect();
    let truth = model.levels.iter().zip(&tokens).map(|(level, count)| level * count).sum::<f64>() / tokens.iter().sum::<f64>();
    for (name, truth) in [("task_loss", truth), ("pseudo_perplexity", truth.exp())] {
        let check = Check { metric: "loss/task_loss", value: name, oracle: "known mean losses under uniform noise of draws" };
        covered(check, truth, 1.96, |seed| {
            let measured = task(&model, seed, 4).unwrap();
            (named(&measured, name).value, named(&measured, name).se_estimator.unwrap())
        });
    }
}

/// A loss that falls like a power of the step, and noise.
fn falling(seed: u64, steps: usize, noise: f64) -> Vec<f64> {
    let mut stream = Stream::new(seed);
    (0..steps).map(|step| trend(step) + noise * (stream.uniform() - 0.5)).collect()
}

fn trend(step: usize) -> f64 {
    1.0 + 2.0 * (step as f64 + 50.0).powf(-0.3)
}

#[test]
fn speeds_of_a_known_series() {
    // 1, 2, .., 40: the last quarter is 31 to 40.
    let series: Vec<f64> = (1..=40).map(f64::from).collect();
    let measured = of_history(&Tse, series.clone(), r#"{"share": 0.5}"#).unwrap();
    for (name, truth) in [("tse_e", 30.5), ("tse_e_sum", 610.0), ("tse_e_steps", 20.0), ("tse", 20.5), ("tse_sum", 820.0)] {
        exact(Check { metric: "loss/tse", value: name, oracle: "losses 1 to 40" }, truth, named(&measured, name).value, 1e-12);
    }
    // A straight series has no noise, whatever its slope.
    assert!(named(&measured, "tse_e").se_estimator.unwrap() < 1e-12);
    let measured = of_history(&TseEma, series.clone(), r#"{"gamma": 0.9}"#).unwrap();
    let weights: Vec<f64> = (0..40).map(|age| 0.9_f64.powi(39 - age)).collect();
    let sum: f64 = weights.iter().zip(&series).map(|(weight, loss)| weight * loss).sum();
    for (name, truth) in [("tse_ema", sum / weights.iter().sum::<f64>()), ("tse_ema_sum", sum)] {
        exact(
            Check { metric: "loss/tse_ema", value: name, oracle: "losses 1 to 40" },
            truth,
            named(&measured, name).value,
            1e-12,
        );
    }
}

#[test]
fn errors_of_speeds_cover_the_mean_without_noise() {
    let steps = 1_000;
    let last = (steps * 3 / 4..steps).map(trend).sum::<f64>() / (steps / 4) as f64;
    let oracle = "power law with noise";
    // Second differences of up to 64 block means have about 30 degrees of freedom.
    covered(Check { metric: "loss/tse", value: "tse_e", oracle }, last, 2.04, |seed| {
        let measured = of_history(&Tse, falling(seed, steps, 0.4), r#"{"share": 0.25}"#).unwrap();
        (named(&measured, "tse_e").value, named(&measured, "tse_e").se_estimator.unwrap())
    });
    let weight = |step: usize| 0.99_f64.powi((steps - 1 - step) as i32);
    let mean = (0..steps).map(|step| weight(step) * trend(step)).sum::<f64>() / (0..steps).map(weight).sum::<f64>();
    covered(Check { metric: "loss/tse_ema", value: "tse_ema", oracle }, mean, 2.04, |seed| {
        let measured = of_history(&TseEma, falling(seed, steps, 0.4), r#"{"gamma": 0.99}"#).unwrap();
        (named(&measured, "tse_ema").value, named(&measured, "tse_ema").se_estimator.unwrap())
    });
}

#[test]
fn what_cannot_be_measured_is_told() {
    let text = |found: Result<Measurement, PluginError>| found.unwrap_err().to_string();
    let mut short = falling(1, 40, 0.1);
    assert_eq!(
        text(of_history(&Tse, short.clone(), r#"{"share": 0.25}"#)),
        "the last 0.25 of the run's 40 steps holds 10 training steps; at least 16 are needed for an error: train for more tokens"
    );
    short[6] = f64::NAN;
    let found = of_history(&TseEma, short.clone(), r#"{"gamma": 0.9}"#);
    assert_eq!(found, Err(PluginError::NonFinite("the training loss of step 7 is NaN".into())));
    short.truncate(3);
    short[0] = 1.0;
    let words = "the run holds 3 training steps; at least 16 are needed for an error: train for more tokens";
    assert_eq!(of_history(&TseEma, short, r#"{"gamma": 0.9}"#), Err(PluginError::Input(words.into())));

    let words = "the task offers 1 training molecule(s) with a label; at least 2 are needed for an error";
    assert_eq!(task(&Softmax::new(3, 2, 1, 1).unwrap(), 1, 2), Err(PluginError::Input(words.into())));
    let mut model = Noisy::new(3);
    model.tokens = vec![0, 0, 2];
    let words = "1 of 3 training molecules have a predicted token; at least 2 are needed: raise `masks`";
    assert_eq!(task(&model, 1, 2), Err(PluginError::Input(words.into())));
    model.tokens = vec![1, 1, 2];
    model.levels[1] = f64::INFINITY;
    let words = "the loss of training molecule 1 is inf; look at the checkpoint";
    assert_eq!(task(&model, 1, 2), Err(PluginError::NonFinite(words.into())));
}
