//! Metrics: what is measured on a checkpoint and claimed to predict transfer.

use clmbench_api::Artifact;
use clmbench_protocol::MetricInfo;

use crate::{Params, PluginError, Probe};

/// A metric. Functional: it asks the probe and never sees, let alone changes, the weights themselves.
pub trait Metric {
    /// Id, claim, unit, cost, scope, parameters.
    fn info(&self) -> MetricInfo;

    /// Measures it. `params` holds every declared parameter.
    ///
    /// # Errors
    /// Whatever keeps it from a value; the error becomes the reason in the cell's row.
    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError>;
}

/// One value with its uncertainty.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Name; the primary one is named in [`MetricInfo::primary`].
    pub name: String,
    /// Value.
    pub value: f64,
    /// Unit.
    pub unit: String,
    /// Standard error from probes or masks, the sample held fixed.
    pub se_estimator: Option<f64>,
    /// Standard error from the molecules of the sample (jackknife).
    pub se_sample: Option<f64>,
    /// A bound on the error from a residual, instead of standard errors.
    pub residual_bound: Option<f64>,
}

impl Value {
    /// A value without any error: exact.
    pub fn exact(name: &str, value: f64, unit: &str) -> Self {
        Self { name: name.into(), value, unit: unit.into(), se_estimator: None, se_sample: None, residual_bound: None }
    }

    /// An estimate with both components of its standard error.
    pub fn estimate(name: &str, value: f64, unit: &str, se_estimator: f64, se_sample: f64) -> Self {
        Self { se_estimator: Some(se_estimator), se_sample: Some(se_sample), ..Self::exact(name, value, unit) }
    }
}

/// What a metric found.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Values, the primary one among them.
    pub values: Vec<Value>,
    /// Files beside the values (name of letters, digits, `.`, `-` and `_`; content), such as a density or a grid.
    pub artifacts: Vec<(String, Vec<u8>)>,
    /// Molecules used.
    pub molecules: u64,
    /// Why it stopped: `budget`, `precision` or `complete`.
    pub stopped: &'static str,
}

impl Measurement {
    /// A measurement that went through all of its molecules.
    pub fn complete(values: Vec<Value>, molecules: u64) -> Self {
        Self { values, artifacts: Vec::new(), molecules, stopped: "complete" }
    }

    /// To the edge.
    pub fn into_edge(self) -> clmbench_api::Measurement {
        let values = self.values.into_iter().map(|value| clmbench_api::Value {
            name: value.name.into(),
            value: value.value,
            unit: value.unit.into(),
            se_estimator: value.se_estimator.into(),
            se_sample: value.se_sample.into(),
            residual_bound: value.residual_bound.into(),
        });
        let artifacts = self.artifacts.into_iter();
        clmbench_api::Measurement {
            values: values.collect(),
            artifacts: artifacts.map(|(name, bytes)| Artifact { name: name.into(), bytes: bytes.into() }).collect(),
            molecules: self.molecules,
            stopped: self.stopped.into(),
        }
    }
}
