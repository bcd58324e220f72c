//! `hostile/deed`: the metric that does what its parameter says.

use clmbench_sdk::prelude::*;

use crate::{architecture::WEIGHTS, process};

/// The metric.
pub struct Deed;

/// Deeds of this file; those of [`process`] are done to the process.
const DEEDS: [&str; 20] = [
    "nothing",
    "panic",
    "panic_in_libtorch",
    "error_of_libtorch",
    "error_with_escapes",
    "nan",
    "infinite_error",
    "wrong_shape",
    "out_of_range",
    "unsupported",
    "no_primary",
    "twice",
    "stopped",
    "artifact",
    "artifact_outside",
    "artifact_of_the_host",
    "huge_answer",
    "huge_tensor",
    "weights",
    "state",
];

impl Metric for Deed {
    fn info(&self) -> MetricInfo {
        let deeds: Vec<&str> = DEEDS.into_iter().chain(process::DEEDS.map(|(name, _)| name)).collect();
        MetricInfo {
            id: "hostile/deed".into(),
            doc: "Misbehaves; for tests only.".into(),
            citation: "none".into(),
            unit: "1".into(),
            primary: "value".into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Free,
            comparable: Comparable::Any,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: vec![ParameterInfo::text("deed", "nothing", &deeds, "what to do")],
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        // The host must know where it was when something happens, and show no escapes.
        probe.progress(1, 2, "up to \u{1b}[31mno good")?;
        let deed = params.text("deed")?;
        if let Some((_, act)) = process::DEEDS.iter().find(|(name, _)| *name == deed) {
            act();
            return answer(vec![value("value", 1.0)]);
        }
        match deed.as_str() {
            "panic" => panic!("the metric panics on purpose"),
            "panic_in_libtorch" => {
                let product = square().matmul(&oblong());
                answer(vec![value("value", product.double_value(&[0, 0]))])
            }
            "error_of_libtorch" => {
                let product = square().f_matmul(&oblong())?;
                answer(vec![value("value", product.double_value(&[0, 0]))])
            }
            "error_with_escapes" => Err(PluginError::other("it says \u{1b}[31m<b>no</b>\u{7}\nand more")),
            "nan" => answer(vec![value("value", f64::NAN)]),
            "infinite_error" => answer(vec![Value::estimate("value", 1.0, "1", f64::INFINITY, 0.0)]),
            "wrong_shape" => {
                let delta = Tensor::zeros([3], (Kind::Float, Device::Cpu));
                probe.loss(Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 }, Some(&delta))?;
                answer(vec![value("value", 1.0)])
            }
            "out_of_range" => {
                probe.loss(Sample { part: SamplePart::Heldout, start: 1 << 40, count: 1, draw: 0 }, None)?;
                answer(vec![value("value", 1.0)])
            }
            "unsupported" => {
                drop(probe.labels()?);
                answer(vec![value("value", 1.0)])
            }
            "no_primary" => answer(vec![value("another", 1.0)]),
            "twice" => answer(vec![value("value", 1.0), value("more", 2.0), value("more", 3.0)]),
            "stopped" => Ok(Measurement { stopped: "on a whim", ..answer(vec![value("value", 1.0)])? }),
            "artifact" => leave("grid.csv"),
            "artifact_outside" => leave("../outside"),
            "artifact_of_the_host" => leave("cell.json"),
            "huge_answer" => answer(vec![value("value", 1.0), value(&"x".repeat(80 << 20), 2.0)]),
            "huge_tensor" => {
                let tensor = Tensor::f_ones([1 << 42], (Kind::Float, Device::Cpu))?;
                answer(vec![value("value", tensor.double_value(&[0]))])
            }
            "weights" => {
                change_weights();
                answer(vec![value("value", 1.0)])
            }
            "state" => {
                leave_state_behind()?;
                answer(vec![value("value", 1.0)])
            }
            _ => answer(vec![value("value", 1.0)]),
        }
    }
}

fn answer(values: Vec<Value>) -> Result<Measurement, PluginError> {
    Ok(Measurement::complete(values, 1))
}

/// A right answer with a file beside it.
fn leave(name: &str) -> Result<Measurement, PluginError> {
    Ok(Measurement { artifacts: vec![(name.into(), b"left behind".to_vec())], ..answer(vec![value("value", 1.0)])? })
}

fn value(name: &str, value: f64) -> Value {
    Value::exact(name, value, "1")
}

fn square() -> Tensor {
    Tensor::zeros([2, 2], (Kind::Float, Device::Cpu))
}

fn oblong() -> Tensor {
    Tensor::zeros([3, 5], (Kind::Float, Device::Cpu))
}

/// Changes the model's weights in place, behind the probe's back.
fn change_weights() {
    let _guard = tch::no_grad_guard();
    if let Ok(mut weights) = WEIGHTS.lock() {
        for tensor in weights.iter_mut() {
            let _ = tensor.fill_(0.25);
        }
    }
}

/// Changes what cells of one worker share: gradient mode, rounding, threads, generator, folder.
fn leave_state_behind() -> Result<(), PluginError> {
    std::mem::forget(tch::no_grad_guard());
    process::round_upward();
    tch::set_num_threads(2);
    #[allow(clippy::disallowed_methods, reason = "this is what must not be done")]
    tch::manual_seed(1);
    std::env::set_current_dir("/").map_err(|error| PluginError::other(error.to_string()))
}
