//! Embeddings made by a rule, and what a metric says of them.
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
    smiles: &[String],
    params: &[(&str, i64)],
) -> Result<Measurement, PluginError> {
    let host = TestProbe::new(&Nothing, 1, 1e9).with_embeddings(rows.shallow_clone()).with_smiles(smiles.to_vec());
    let mut all: serde_json::Map<_, _> =
        metric.info().parameters.into_iter().map(|parameter| (parameter.name, parameter.default)).collect();
    all.insert("molecules".into(), 0.into());
    all.extend(params.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
    metric.measure(&host.probe(), &Params::from(all))
}

pub fn measure(metric: &dyn Metric, rows: &Tensor) -> Measurement {
    measure_with(metric, rows, &[], &[]).unwrap()
}

pub fn named(measured: &Measurement, name: &str) -> Value {
    measured.values.iter().find(|value| value.name == name).unwrap().clone()
}

/// Normal numbers [N, D]. From here on with one thread: these tensors are too small for two to be of use.
pub fn normals(count: i64, width: i64, seed: u64) -> Tensor {
    tch::set_num_threads(1);
    Stream::new(seed).normals(&Tensor::zeros([count, width], (Kind::Double, Device::Cpu))).unwrap()
}

/// Rows of mean 0 [N, D] whose scatter X^T X has exactly these D eigenvalues, along random directions.
pub fn with_spectrum(count: i64, eigenvalues: &[f64], seed: u64) -> Tensor {
    let width = eigenvalues.len() as i64;
    let raw = normals(count, width, seed);
    let (basis, _) = Tensor::linalg_qr(&(&raw - raw.mean_dim(&[0_i64][..], true, Kind::Double)), "reduced");
    (basis * Tensor::from_slice(eigenvalues).sqrt()).matmul(&rotation(width, seed + 1))
}

/// An orthogonal matrix [D, D].
pub fn rotation(width: i64, seed: u64) -> Tensor {
    Tensor::linalg_qr(&normals(width, width, seed), "reduced").0
}

/// Elements, row by row.
pub fn table(tensor: &Tensor) -> Vec<Vec<f64>> {
    Vec::<Vec<f64>>::try_from(tensor.to_kind(Kind::Double)).unwrap()
}
