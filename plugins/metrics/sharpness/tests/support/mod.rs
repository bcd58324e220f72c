//! What the tests share: measuring with parameters that differ from the defaults.
#![allow(missing_docs, dead_code, clippy::unwrap_used)]

use clmbench_sdk::{
    prelude::*,
    testing::{TestModel, TestProbe},
};
use serde_json::{Map, json};

pub const NO_END: f64 = 1e9;

/// The defaults of a metric, all molecules, with these parameters instead.
pub fn with(metric: &dyn Metric, params: &serde_json::Value) -> Params {
    let info = metric.info();
    let mut all: Map<String, serde_json::Value> =
        info.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone())).collect();
    all.insert("molecules".into(), json!(0));
    for (name, value) in params.as_object().unwrap() {
        assert!(all.insert(name.clone(), value.clone()).is_some(), "{} has no parameter {name}", info.id);
    }
    all.into()
}

pub fn attempt(
    metric: &dyn Metric,
    model: &dyn TestModel,
    seed: u64,
    budget: f64,
    params: &serde_json::Value,
) -> Result<Measurement, PluginError> {
    let host = TestProbe::new(model, seed, budget);
    metric.measure(&host.probe(), &with(metric, params))
}

pub fn measure(metric: &dyn Metric, model: &dyn TestModel, seed: u64, params: &serde_json::Value) -> Measurement {
    attempt(metric, model, seed, NO_END, params).unwrap()
}

pub fn refused(metric: &dyn Metric, model: &dyn TestModel, budget: f64, params: &serde_json::Value) -> PluginError {
    attempt(metric, model, 1, budget, params).unwrap_err()
}

pub fn named<'a>(measured: &'a Measurement, name: &str) -> &'a Value {
    measured.values.iter().find(|value| value.name == name).unwrap()
}

pub fn number(tensor: Tensor) -> f64 {
    tensor.to_kind(Kind::Double).double_value(&[])
}

/// Largest eigenvalue of a symmetric matrix.
pub fn largest(matrix: &Tensor) -> f64 {
    number(matrix.linalg_eigvalsh("L").max())
}

/// C H C for a scale c.
pub fn scaled(hessian: &Tensor, scale: &Tensor) -> Tensor {
    hessian * scale.unsqueeze(0) * scale.unsqueeze(1)
}
