//! Labelled embeddings, and what a metric says of them.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{Nothing, TestProbe},
};

/// What a metric says, with these parameters beside its defaults.
pub fn measure_with(
    metric: &dyn Metric,
    rows: &Tensor,
    labels: &Tensor,
    params: &[(&str, f64)],
) -> Result<Measurement, PluginError> {
    let info = metric.info();
    let host = TestProbe::new(&Nothing, 1, 1e9).with_embeddings(rows.shallow_clone()).with_labels(info.tasks[0], labels.copy());
    let mut all: serde_json::Map<_, _> =
        info.parameters.into_iter().map(|parameter| (parameter.name, parameter.default)).collect();
    for (name, value) in params {
        let whole = all[*name].is_i64();
        all.insert((*name).into(), if whole { (*value as i64).into() } else { (*value).into() });
    }
    metric.measure(&host.probe(), &Params::from(all))
}

pub fn measure(metric: &dyn Metric, rows: &Tensor, labels: &Tensor) -> Measurement {
    measure_with(metric, rows, labels, &[]).unwrap()
}

pub fn named(measured: &Measurement, name: &str) -> Value {
    measured.values.iter().find(|value| value.name == name).unwrap().clone()
}

/// Normal numbers [N, D]. From here on with one thread: these tensors are too small for two to be of use.
pub fn normals(count: i64, width: i64, seed: u64) -> Tensor {
    tch::set_num_threads(1);
    Stream::new(seed).normals(&Tensor::zeros([count, width], (Kind::Double, Device::Cpu))).unwrap()
}

/// Elements, row by row.
pub fn table(tensor: &Tensor) -> Vec<Vec<f64>> {
    Vec::<Vec<f64>>::try_from(tensor.to_kind(Kind::Double)).unwrap()
}

/// Euclidean distances, each from its definition.
pub fn distances_one_by_one(rows: &Tensor) -> Vec<Vec<f64>> {
    let rows = table(rows);
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
    rows.iter().map(|a| rows.iter().map(|b| distance(a, b)).collect()).collect()
}
