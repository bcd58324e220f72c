//! Measures a metric on a checkpoint and checks what it gives back.

use std::path::{Path, PathBuf};

use clmbench_api::PluginModuleRef;
use clmbench_protocol::{ErrorKind, Failure, FailureKind, Measure, MeasureOutput, MetricInfo, MetricValue, Precision};

use crate::{
    checkpoint,
    failure::{OrFail, Result},
    loader::Plugins,
    model::Model,
    probe::{
        ProbeHost, Samples, Setting,
        others::{self, Other},
        task::TaskSample,
    },
    report::Reporter,
};

/// Folders of a measure cell.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// The checkpoint.
    pub checkpoint: &'a Path,
    /// The corpus cell of the run.
    pub corpus: &'a Path,
    /// The smallest corpus cell, when [`Measure::train`] is set.
    pub train: Option<&'a Path>,
    /// The dataset cell, when [`Measure::dataset`] is set.
    pub dataset: Option<&'a Path>,
    /// The embed cell, when [`Measure::embeddings`] is set.
    pub embeddings: Option<&'a Path>,
    /// The pretrain cell, when [`Measure::history`] is set.
    pub run: Option<&'a Path>,
    /// Folders of [`Measure::others`], in their order.
    pub others: &'a [PathBuf],
    /// Where artifacts go.
    pub work: &'a Path,
}

/// Computes a measure cell.
///
/// # Errors
/// Unreadable inputs, what the metric refuses, values that break its contract.
pub fn run(
    spec: &Measure,
    identity: &str,
    plugins: &mut Plugins,
    folders: Folders<'_>,
    reporter: &Reporter,
) -> Result<MeasureOutput> {
    if spec.precision != Precision::Float32 {
        let text = format!("metric `{}`: precision {:?} is not supported yet; there is: float32", spec.metric, spec.precision);
        return Err(Failure::new(FailureKind::Unsupported, text));
    }
    let model = checkpoint::open(folders.checkpoint, &spec.checkpoint, plugins)?;
    let train = match (&spec.train, folders.train) {
        (Some(sample), Some(folder)) => Some((folder, sample)),
        (Some(_), None) => return Err(missing("train")),
        (None, _) => None,
    };
    for folder in [Some(folders.corpus), Some(folders.checkpoint), train.map(|(folder, _)| folder)].into_iter().flatten() {
        crate::files::expect_digest(&folder.join("tokenizer.json"), &spec.tokenizer_digest)?;
    }
    let plugin = plugins.get(&spec.plugin.name)?.clone();
    let info = plugin.manifest.metrics.iter().find(|info| info.id == spec.metric).ok_or_else(|| {
        Failure::new(FailureKind::Protocol, format!("plugin `{}` exports no metric `{}`", spec.plugin.name, spec.metric))
    })?;
    let setting = Setting {
        objective: spec.checkpoint.objective,
        facts: spec.record.clone(),
        identity,
        seed: spec.seed,
        budget: spec.budget,
        note: spec.metric.as_str(),
    };
    let probe = ProbeHost::new(&model, Samples { corpus: folders.corpus, train }, setting, reporter)?;
    let probe = equip(probe, spec, folders)?;
    if probe.heldout_digest() != spec.heldout_digest {
        let text =
            format!("the held-out sample in {} is not the one planned with; run again to rebuild it", folders.corpus.display());
        return Err(Failure::new(FailureKind::CorruptFile, text));
    }
    let params = serde_json::Value::Object(spec.params.clone()).to_string();
    let (output, artifacts) = call(plugin.module, info, &params, &model, &probe)?;
    for (name, bytes) in artifacts {
        crate::files::write(&folders.work.join(name), &bytes)?;
    }
    Ok(output)
}

/// The probe with what the scope of the metric needs beside one checkpoint.
///
/// # Errors
/// Inputs that are not there, or not those planned with; a task without enough labels.
pub fn equip<'a>(mut probe: ProbeHost<'a>, spec: &Measure, folders: Folders<'_>) -> Result<ProbeHost<'a>> {
    if let Some(planned) = &spec.dataset {
        let folder = folders.dataset.ok_or_else(|| missing("dataset"))?;
        let mut task = TaskSample::open(folder, planned, &spec.tokenizer_digest)?;
        if let Some(digest) = &spec.embeddings {
            task = task.with_embeddings(folders.embeddings.ok_or_else(|| missing("embeddings"))?, digest)?;
        }
        probe = probe.with_task(task);
    }
    if let Some(digest) = &spec.history {
        probe = probe.with_history(others::history(folders.run.ok_or_else(|| missing("run"))?, digest)?);
    }
    let mut other = Vec::new();
    for (index, weights) in spec.others.iter().enumerate() {
        let folder = folders.others.get(index).ok_or_else(|| missing(&format!("other:{index}")))?;
        other.push(Other { weights: weights.clone(), folder: folder.clone() });
    }
    Ok(probe.with_others(other))
}

fn missing(role: &str) -> Failure {
    Failure::new(FailureKind::Protocol, format!("the host gave no input `{role}`"))
}

/// How the refusal of a primary value that is not finite ends.
pub const NOT_FINITE: &str = "which is not a finite number with a finite error";

/// Files that a metric leaves beside its values, by name.
pub type Artifacts = Vec<(String, Vec<u8>)>;

/// Standard error of a value with these parts, the estimator's and the sample's, and what it is. A residual bound stands for the
/// estimator's part.
fn whole_error(bound: Option<f64>, [estimator, sample]: [Option<f64>; 2]) -> (f64, ErrorKind) {
    let sum = |parts: [Option<f64>; 2]| parts.iter().flatten().map(|part| part * part).sum::<f64>().sqrt();
    match (bound, estimator, sample) {
        (Some(bound), ..) => (sum([Some(bound), sample]), ErrorKind::ResidualBound),
        (None, None, None) => (0.0, ErrorKind::Exact),
        (None, ..) => (sum([estimator, sample]), ErrorKind::Statistical),
    }
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
) -> Result<(MeasureOutput, Artifacts)> {
    let before = model.memory_digest();
    let answer = module.measure()(info.id.as_str().into(), params.into(), probe.edge());
    if model.memory_digest() != before {
        let text =
            format!("metric `{}` changed the weights; metrics must be functional: pass a delta to the probe instead", info.id);
        return Err(Failure::new(FailureKind::WeightsChanged, text));
    }
    if let Some(fault) = probe.fault() {
        return Err(fault);
    }
    let answer = answer.or_fail()?;
    let refused = |text: String| Err(Failure::new(FailureKind::PluginError, format!("metric `{}`: {text}", info.id)));
    let mut values = Vec::new();
    for value in answer.values {
        let primary = value.name == info.primary;
        let name = String::from(value.name);
        let parts = [value.se_estimator.into_option(), value.se_sample.into_option()];
        let bound = value.residual_bound.into_option();
        let (std_error, error_kind) = whole_error(bound, parts);
        if primary && !(value.value.is_finite() && std_error.is_finite() && std_error >= 0.0) {
            let text =
                format!("metric `{}`: its primary value `{name}` is {} +- {std_error}, {NOT_FINITE}", info.id, value.value);
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
        let given: Vec<String> = values.iter().map(|value| format!("`{}`", value.name)).collect();
        let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
        return refused(format!("its primary value `{}` is not among those it gave ({given})", info.primary));
    }
    if !["complete", "budget", "precision"].contains(&answer.stopped.as_str()) {
        return refused(format!("it says it stopped by `{}`; say complete, budget or precision", answer.stopped));
    }
    let mut artifacts = Artifacts::new();
    for artifact in answer.artifacts {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
        let name = String::from(artifact.name);
        let taken = ["values.json", "cell.json"].contains(&name.as_str())
            || name.starts_with('.')
            || artifacts.iter().any(|(known, _)| *known == name);
        if name.is_empty() || taken || !name.chars().all(plain) {
            return refused(format!(
                "`{name}` is no name for an artifact; use letters, digits, `.`, `-` and `_`, each name once"
            ));
        }
        artifacts.push((name, artifact.bytes.into_vec()));
    }
    let output = MeasureOutput {
        values,
        molecules: answer.molecules,
        gradient_equivalents: probe.cost().into(),
        stopped: answer.stopped.into(),
    };
    Ok((output, artifacts))
}

#[cfg(test)]
mod tests {
    use clmbench_protocol::ErrorKind;

    use super::whole_error;

    #[test]
    fn a_residual_bound_stands_for_the_estimators_part() {
        let cases = [
            (None, [None, None], (0.0, ErrorKind::Exact)),
            (None, [Some(3.0), Some(4.0)], (5.0, ErrorKind::Statistical)),
            (None, [None, Some(4.0)], (4.0, ErrorKind::Statistical)),
            (Some(3.0), [None, None], (3.0, ErrorKind::ResidualBound)),
            (Some(3.0), [None, Some(4.0)], (5.0, ErrorKind::ResidualBound)),
            (Some(3.0), [Some(7.0), Some(4.0)], (5.0, ErrorKind::ResidualBound)),
        ];
        for (bound, parts, wanted) in cases {
            assert_eq!(whole_error(bound, parts), wanted, "{bound:?} {parts:?}");
        }
        // What is not finite stays so, to be refused.
        assert!(whole_error(Some(f64::NAN), [None, Some(1.0)]).0.is_nan());
    }
}
