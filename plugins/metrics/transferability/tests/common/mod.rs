//! Made-up problems, and a metric's value on them.
#![allow(missing_docs, clippy::unwrap_used, dead_code)]

use clmbench_plugin_transferability::__clmbench_export::Exported;
use clmbench_sdk::{
    export::Exports,
    prelude::*,
    random::Stream,
    testing::{Nothing, TestProbe},
};

pub const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

/// A problem: embeddings [N, D], labels, and, for metrics of masked tokens, one distribution a molecule and draw.
pub struct Problem {
    pub features: Tensor,
    pub labels: Vec<f64>,
    pub kind: TaskKind,
    pub tokens: Vec<u64>,
    pub draws: Vec<Tensor>,
}

pub fn normals(seed: u64, rows: i64, columns: i64) -> Tensor {
    Stream::new(seed).normals(&Tensor::zeros([rows, columns], DOUBLE)).unwrap()
}

impl Problem {
    pub fn new(features: Tensor, labels: Vec<f64>, kind: TaskKind) -> Self {
        let count = labels.len();
        let draws = (0..2).map(|draw| normals(900 + draw, 2 * count as i64, 7).softmax(1, Kind::Double)).collect();
        Self { features, labels, kind, tokens: vec![2; count], draws }
    }

    /// Two classes, a share of `rare` of them the second, `apart` standard deviations apart along the first of `width` coordinates.
    pub fn classes(seed: u64, count: i64, width: i64, apart: f64, rare: f64) -> Self {
        let mut stream = Stream::new(seed ^ 0xC1A55);
        let labels: Vec<f64> = (0..count).map(|_| f64::from(u8::from(stream.uniform() < rare))).collect();
        let features = normals(seed, count, width) + Tensor::from_slice(&labels).unsqueeze(1) * first(width, apart);
        Self::new(features, labels, TaskKind::Classification)
    }

    /// A label that is linear in the first coordinate, with noise.
    pub fn regression(seed: u64, count: i64, width: i64, noise: f64) -> Self {
        let features = normals(seed, count, width);
        let labels = features.select(1, 0) + normals(seed ^ 0xE44, count, 1).squeeze_dim(1) * noise;
        Self::new(features, numbers(&labels), TaskKind::Regression)
    }

    /// With its coordinates scaled by D, D - 1 and so on to 1: a covariance that is not round, which Ledoit and Wolf's shrinkage would replace
    /// wholly.
    pub fn stretched(mut self) -> Self {
        let width = self.features.size()[1];
        self.features = &self.features * (width as f64 - Tensor::arange(width, DOUBLE));
        self
    }

    pub fn host(&self) -> TestProbe<'static> {
        TestProbe::new(&Nothing, 1, 1e9)
            .with_embeddings(self.features.shallow_clone())
            .with_labels(self.kind, Tensor::from_slice(&self.labels))
            .with_token_probs(self.tokens.clone(), self.draws.iter().map(Tensor::shallow_clone).collect())
    }

    /// What a metric finds, with parameters besides the defaults.
    pub fn measure(&self, id: &str, params: serde_json::Value) -> Result<Measurement, PluginError> {
        let metric = metric(id);
        let defaults = metric.info().parameters.into_iter().map(|parameter| (parameter.name, parameter.default));
        let mut filled: serde_json::Map<String, serde_json::Value> = defaults.collect();
        filled.extend(params.as_object().unwrap().clone());
        metric.measure(&self.host().probe(), &Params::from(filled))
    }

    /// The primary value.
    pub fn value(&self, id: &str) -> Value {
        self.with(id, serde_json::json!({}))
    }

    pub fn with(&self, id: &str, params: serde_json::Value) -> Value {
        let primary = metric(id).info().primary;
        let found = self.measure(id, params).unwrap();
        found.values.into_iter().find(|value| value.name == primary).unwrap()
    }

    pub fn refused(&self, id: &str) -> String {
        match self.measure(id, serde_json::json!({})) {
            Err(error @ (PluginError::Input(_) | PluginError::NonFinite(_))) => error.to_string(),
            other => panic!("{id}: {other:?}"),
        }
    }
}

fn first(width: i64, length: f64) -> Tensor {
    let row = Tensor::zeros([1, width], DOUBLE);
    let _ = row.select(1, 0).fill_(length);
    row
}

pub fn metric(id: &str) -> Box<dyn Metric> {
    let name = format!("transferability/{id}");
    Exported::metrics().into_iter().find(|metric| metric.info().id == name).unwrap()
}

/// Ids that apply to a kind of task, without the family.
pub fn ids(kind: TaskKind) -> Vec<String> {
    let infos = Exported::metrics().into_iter().map(|metric| metric.info());
    let fits = infos.filter(|info| info.tasks.is_empty() || info.tasks.contains(&kind));
    fits.map(|info| info.id.trim_start_matches("transferability/").to_owned()).collect()
}

pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.to_kind(Kind::Double).flatten(0, -1).contiguous()).unwrap()
}

pub fn number(tensor: &Tensor) -> f64 {
    tensor.double_value(&[])
}

/// Fifths of the labels by rank, for labels that all differ.
pub fn fifths(labels: &[f64]) -> Vec<usize> {
    labels
        .iter()
        .map(|label| {
            let below = labels.iter().filter(|other| *other < label).count();
            5 * below / labels.len()
        })
        .collect()
}
