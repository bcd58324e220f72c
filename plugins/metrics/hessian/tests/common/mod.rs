//! What the tests of this family share.
#![allow(dead_code)]

use clmbench_plugin_hessian::{LambdaMax, LambdaMin, LayerTrace, SpectralDensity, TraceFisher, TraceHutchinson, TraceHutchpp};
use clmbench_sdk::{
    prelude::*,
    testing::{TestModel, TestProbe, dense_hessian},
};

/// All molecules under the masks of draw 0.
pub const ALL: Sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };
/// A budget that nothing spends.
pub const NO_END: f64 = 1e9;

/// Every metric of the family, and what its longest loop is called.
pub const METRICS: [(&dyn Metric, &str); 7] = [
    (&TraceHutchinson, "probes"),
    (&TraceHutchpp, "draws"),
    (&TraceFisher, "draws"),
    (&LayerTrace, "probes"),
    (&LambdaMax, "steps"),
    (&LambdaMin, "steps"),
    (&SpectralDensity, "runs"),
];

/// Parameters: the defaults but for these, on the whole held-out sample unless `molecules` is among them.
pub fn params(metric: &dyn Metric, changed: &[(&str, serde_json::Value)]) -> Params {
    let mut all: serde_json::Map<String, serde_json::Value> =
        metric.info().parameters.into_iter().map(|parameter| (parameter.name, parameter.default)).collect();
    all.insert("molecules".into(), 0.into());
    for (name, value) in changed {
        assert!(all.insert((*name).into(), value.clone()).is_some(), "{name} is no parameter");
    }
    all.into()
}

/// Measures on a model of closed form.
pub fn measure(
    metric: &dyn Metric,
    model: &dyn TestModel,
    seed: u64,
    budget: f64,
    changed: &[(&str, serde_json::Value)],
) -> Measurement {
    try_measure(metric, model, seed, budget, changed).unwrap()
}

/// The same, errors and all.
pub fn try_measure(
    metric: &dyn Metric,
    model: &dyn TestModel,
    seed: u64,
    budget: f64,
    changed: &[(&str, serde_json::Value)],
) -> Result<Measurement, PluginError> {
    tch::set_num_threads(1);
    metric.measure(&TestProbe::new(model, seed, budget).probe(), &params(metric, changed))
}

/// A value by its name.
pub fn named<'a>(measured: &'a Measurement, name: &str) -> &'a Value {
    measured.values.iter().find(|value| value.name == name).unwrap_or_else(|| panic!("no value {name}"))
}

/// The Hessian and `W H W` of a model, by P products.
pub fn dense(model: &dyn TestModel) -> [Tensor; 2] {
    let host = TestProbe::new(model, 0, 1.0);
    let matrix = dense_hessian(&host.probe(), ALL).unwrap();
    let sizes = model.weights().abs();
    let scaled = &matrix * sizes.unsqueeze(0) * sizes.unsqueeze(1);
    [matrix, scaled]
}

/// Sum of the diagonal.
pub fn trace(matrix: &Tensor) -> f64 {
    matrix.diag(0).sum(Kind::Double).double_value(&[])
}

/// Eigenvalues in ascending order.
pub fn eigenvalues(matrix: &Tensor) -> Vec<f64> {
    let symmetric = (matrix + matrix.transpose(0, 1)) * 0.5;
    Vec::try_from(symmetric.linalg_eigvalsh("L").to_kind(Kind::Double)).unwrap()
}
