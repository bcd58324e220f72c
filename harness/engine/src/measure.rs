//! Measures a metric on a checkpoint and checks what it gives back.

use std::path::Path;

use clmbench_api::PluginModuleRef;
use clmbench_protocol::{ErrorKind, Failure, FailureKind, Measure, MeasureOutput, MetricInfo, MetricValue};

use crate::{
    checkpoint,
    failure::{OrFail, Result},
    loader::Plugins,
    model::Model,
    probe_host::{ProbeHost, Setting},
    report::Reporter,
};

/// Computes a measure cell from the folders of checkpoint and corpus.
///
/// # Errors
/// Unreadable inputs, what the metric refuses, values that break its contract.
pub fn run(
    spec: &Measure,
    identity: &str,
    plugins: &mut Plugins,
    folders: (&Path, &Path),
    reporter: &Reporter,
) -> Result<MeasureOutput> {
    let (checkpoint_folder, corpus) = folders;
    let model = checkpoint::open(checkpoint_folder, &spec.checkpoint, plugins)?;
    crate::files::expect_digest(&corpus.join("tokenizer.json"), &spec.tokenizer_digest)?;
    let plugin = plugins.get(&spec.plugin.name)?.clone();
    let info = plugin.manifest.metrics.iter().find(|info| info.id == spec.metric).ok_or_else(|| {
        Failure::new(FailureKind::Protocol, format!("plugin `{}` exports no metric `{}`", spec.plugin.name, spec.metric))
    })?;
    let setting =
        Setting { facts: spec.record.clone(), identity, seed: spec.seed, budget: spec.budget, note: spec.metric.as_str() };
    let probe = ProbeHost::new(&model, corpus, setting, reporter)?;
    if probe.heldout_digest() != spec.heldout_digest {
        let text = format!("the held-out sample in {} is not the one planned with; run again to rebuild it", corpus.display());
        return Err(Failure::new(FailureKind::CorruptFile, text));
    }
    let params = serde_json::Value::Object(spec.params.clone()).to_string();
    call(plugin.module, info, &params, &model, &probe)
}

/// Calls the metric and checks its values and the weights.
///
/// # Errors
/// What the metric refuses; [`FailureKind::NonFinite`], [`FailureKind::WeightsChanged`], [`FailureKind::PluginError`].
pub fn call(
    module: PluginModuleRef,
    info: &MetricInfo,
    params: &str,
    model: &Model,
    probe: &ProbeHost<'_>,
) -> Result<MeasureOutput> {
    let before = model.memory_digest();
    let answer = module.measure()(info.id.as_str().into(), params.into(), probe.edge());
    if model.memory_digest() != before {
        let text =
            format!("metric `{}` changed the weights; metrics must be functional: pass a delta to the probe instead", info.id);
        return Err(Failure::new(FailureKind::WeightsChanged, text));
    }
    let answer = answer.or_fail()?;
    let refused = |text: String| Err(Failure::new(FailureKind::PluginError, format!("metric `{}`: {text}", info.id)));
    let mut values = Vec::new();
    for value in answer.values {
        let primary = value.name == info.primary;
        let name = String::from(value.name);
        let parts = [value.se_estimator.into_option(), value.se_sample.into_option()];
        let bound = value.residual_bound.into_option();
        let sum = parts.iter().flatten().map(|part| part * part).sum::<f64>().sqrt();
        let (std_error, error_kind) = match (bound, parts) {
            (Some(bound), _) => (bound, ErrorKind::ResidualBound),
            (None, [None, None]) => (0.0, ErrorKind::Exact),
            (None, _) => (sum, ErrorKind::Statistical),
        };
        if primary && !(value.value.is_finite() && std_error.is_finite()) {
            let text = format!(
                "metric `{}`: its primary value `{name}` is {} +- {std_error}, which is not finite",
                info.id, value.value
            );
            return Err(Failure::new(FailureKind::NonFinite, text));
        }
        if values.iter().any(|known: &MetricValue| known.name == name) {
            return refused(format!("value `{name}` stands twice"));
        }
        let number = |part: Option<f64>| part.map(Into::into);
        let (se_estimator, se_sample) = (number(parts[0]), number(parts[1]));
        let (value, unit, std_error) = (value.value.into(), value.unit.into(), std_error.into());
        values.push(MetricValue { name, value, unit, se_estimator, se_sample, std_error, error_kind, primary });
    }
    if !values.iter().any(|value| value.primary) {
        return refused(format!("its primary value `{}` is not among those it gave", info.primary));
    }
    Ok(MeasureOutput {
        values,
        molecules: answer.molecules,
        gradient_equivalents: probe.cost().into(),
        stopped: answer.stopped.into(),
    })
}
