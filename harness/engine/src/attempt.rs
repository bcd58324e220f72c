//! `clmbench plugin try`: a plugin run on what is bundled with the worker, outside of any suite.

use std::{collections::BTreeMap, path::Path, time::Instant};

use clmbench_api::SourceBytes;
use clmbench_molecules::{Molecule, RawTable};
use clmbench_protocol::{
    ArchitectureInfo, Attempt, DatasetInfo, DatasetRequest, Failure, FailureKind, MetricInfo, Objective, Outcome, Scope,
    TaskInfo, Tried, TriedArchitecture, TriedDataset, USER_FILE,
};
use serde_json::{Map, Value};

use crate::{
    check::defaults,
    failure::{OrFail, Result, io},
    loader::{self, Plugin},
    measure,
    model::{Model, Vocabulary},
    report::Reporter,
    sample::{Sample, beyond, molecules, training},
    seed, tokenise,
};

/// Steps that an architecture is trained for.
const STEPS: usize = 48;
/// Rows and slips that are shown.
const SHOWN: usize = 5;

/// Tries what the attempt names, or all that the plugin exports.
///
/// # Errors
/// What keeps the plugin from loading, and a name that it does not export; what fails later is an [`Outcome::Failed`].
pub fn run(path: &Path, attempt: &Attempt) -> Result<Vec<Tried>> {
    tch::set_num_threads(1);
    let plugin = loader::open(path)?;
    let wanted = |name: &str| attempt.name.is_empty() || attempt.name == name;
    let mut tried = Vec::new();
    for info in plugin.manifest.metrics.iter().filter(|info| wanted(&info.id)) {
        metric(&mut tried, &plugin, info, attempt)?;
    }
    for info in plugin.manifest.architectures.iter().filter(|info| wanted(&info.name)) {
        tried.push(timed("architecture", &info.name, Some(info.objective), None, || architecture(&plugin, info, attempt)));
    }
    for info in &plugin.manifest.datasets {
        let name = format!("{}/{}", info.source, info.name);
        if wanted(&name) || wanted(&info.source) {
            tried.push(timed("dataset", &name, None, None, || dataset(&plugin, info, attempt)));
        }
    }
    if tried.is_empty() {
        let (name, version) = (&plugin.manifest.name, &plugin.manifest.version);
        let text = format!("plugin {name} {version} exports no `{}`; build it again if its source has it", attempt.name);
        return Err(Failure::new(FailureKind::BadInput, text));
    }
    Ok(tried)
}

fn timed(
    kind: &str,
    name: &str,
    objective: Option<Objective>,
    trained: Option<bool>,
    body: impl FnOnce() -> Result<Outcome>,
) -> Tried {
    let started = Instant::now();
    let outcome = body().unwrap_or_else(Outcome::Failed);
    let seconds = started.elapsed().as_secs_f64().into();
    Tried { kind: kind.into(), name: name.into(), objective, trained, seconds, outcome }
}

fn filled(parameters: &[clmbench_protocol::ParameterInfo], given: &Map<String, Value>) -> Result<Map<String, Value>> {
    let mut filled = defaults(parameters)?;
    filled.extend(
        given.iter().filter(|(key, _)| parameters.iter().any(|info| info.name == **key)).map(|(k, v)| (k.clone(), v.clone())),
    );
    Ok(filled)
}

/// On each bundled checkpoint that the metric applies to, and on the control beside it; label-aware metrics on a made-up task of
/// each kind that they apply to. Metrics of more than one checkpoint have no control.
fn metric(tried: &mut Vec<Tried>, plugin: &Plugin, info: &MetricInfo, attempt: &Attempt) -> Result<()> {
    let sample = Sample::new()?;
    let alone = matches!(info.scope, Scope::Checkpoint | Scope::CheckpointDataset);
    let objectives = [Objective::MaskedLm, Objective::CausalLm].into_iter();
    let objectives: Vec<Objective> =
        objectives.filter(|objective| info.objectives.is_empty() || info.objectives.contains(objective)).collect();
    for kind in beyond::kinds(info) {
        let name = kind.map_or_else(|| info.id.clone(), |kind| format!("{} on a {} task", info.id, beyond::word(kind)));
        for objective in &objectives {
            for trained in [true, false].into_iter().filter(|trained| *trained || alone) {
                let body = || {
                    let params = Value::Object(filled(&info.parameters, &attempt.params)?).to_string();
                    let model = if trained { sample.trained(*objective)? } else { sample.untrained(*objective)? };
                    let reporter = Reporter::silent();
                    let probe = sample.probe_for(info, kind, &model, (*objective, trained), &reporter)?;
                    measure::call(plugin.module, info, &params, &model, &probe).map(|(output, _)| Outcome::Measured(output))
                };
                tried.push(timed("metric", &name, Some(*objective), Some(trained), body));
            }
        }
    }
    Ok(())
}

/// Its smallest preset, with the tokenizer of suites, for a few dozen steps.
fn architecture(plugin: &Plugin, info: &ArchitectureInfo, attempt: &Attempt) -> Result<Outcome> {
    let mut config = defaults(&info.parameters)?;
    let preset = info.presets.iter().min_by_key(|preset| preset.non_embedding_parameters);
    config.extend(preset.map(|preset| preset.config.clone()).unwrap_or_default());
    config.extend(
        attempt
            .params
            .iter()
            .filter(|(key, _)| info.parameters.iter().any(|own| own.name == **key))
            .map(|(k, v)| (k.clone(), v.clone())),
    );
    let folder = tempfile::tempdir().map_err(|error| io(&std::env::temp_dir(), "creating a folder in", &error))?;
    let (rows, tokenizer) = molecules::tokens()?;
    let size = tokenizer.vocabulary_size();
    let mut builder = clmbench_molecules::TokenCacheBuilder::new(tokenizer.max_tokens(), size);
    rows.iter().take(molecules::TRAIN).try_for_each(|ids| builder.push(ids)).or_fail()?;
    builder.write(&folder.path().join("train.bin")).or_fail()?;
    let vocabulary = Vocabulary::new(size as u64, tokenizer.max_tokens() as u64);
    let model = seed::drawn(3, || Model::build(plugin.module, &info.name, &config, vocabulary.clone()))?;
    let rate = preset.map_or(1e-3, |preset| preset.learning_rate);
    let losses = training::train(&model, info.objective, folder.path(), STEPS, rate)?;
    let (inner, all) = model.counts();
    Ok(Outcome::Trained(TriedArchitecture {
        preset: preset.map(|preset| preset.name.clone()).unwrap_or_default(),
        config,
        non_embedding_parameters: inner,
        total_parameters: all,
        vocabulary: vocabulary.size,
        learning_rate: rate.into(),
        losses: losses.into_iter().map(Into::into).collect(),
    }))
}

/// What the plugin reads out of the files that the attempt names.
///
/// # Errors
/// Unreadable files, what the plugin refuses.
pub fn dataset(plugin: &Plugin, info: &DatasetInfo, attempt: &Attempt) -> Result<Outcome> {
    let mut files = BTreeMap::new();
    let names: Vec<&str> =
        if info.user_file.is_some() { vec![USER_FILE] } else { info.files.iter().map(|file| file.name.as_str()).collect() };
    for name in names {
        let Some(path) = attempt.files.get(name).map(Path::new) else {
            return Ok(Outcome::NotTried(match &info.user_file {
                Some(what) => format!("it reads a file of yours ({what}): give one with --file PATH --task NAME=regression"),
                None => format!("file `{name}` is not fetched yet; `clmbench data fetch {}` gets it", info.label()),
            }));
        };
        let content = std::fs::read(path).map_err(|error| io(path, "reading", &error))?;
        files.insert(name.to_owned(), if info.user_file.is_some() { content } else { tokenise::plain(path, content)? });
    }
    if info.user_file.is_some() && attempt.tasks.is_empty() {
        return Ok(Outcome::NotTried("name what its columns are: --task NAME=regression or --task NAME=classification".into()));
    }
    let table = parse(plugin, info, attempt, files)?;
    Ok(Outcome::Parsed(summary(&table)))
}

/// Calls the plugin on these bytes.
///
/// # Errors
/// What the plugin refuses; [`FailureKind::WrongShape`] where rows and tasks do not fit together.
pub fn parse(plugin: &Plugin, info: &DatasetInfo, attempt: &Attempt, files: BTreeMap<String, Vec<u8>>) -> Result<RawTable> {
    let bytes: Vec<SourceBytes> =
        files.into_iter().map(|(name, bytes)| SourceBytes { name: name.into(), bytes: bytes.into() }).collect();
    let tasks: Vec<TaskInfo> = if info.user_file.is_some() { attempt.tasks.clone() } else { info.tasks.clone() };
    let params = filled(&info.parameters, &attempt.params)?;
    let request = DatasetRequest { source: info.source.clone(), name: info.name.clone(), tasks, params };
    tokenise::read(plugin, info, request, &bytes)
}

fn summary(table: &RawTable) -> TriedDataset {
    let mut said = TriedDataset {
        rows: table.smiles.len() as u64,
        tasks: table.tasks.clone(),
        labelled: vec![0; table.tasks.len()],
        invalid: Vec::new(),
        invalid_count: 0,
        bad_labels: Vec::new(),
        bad_label_count: 0,
        parts: BTreeMap::new(),
        first: table.smiles.iter().cloned().zip(table.labels.iter().cloned()).take(SHOWN).collect(),
    };
    for part in &table.parts {
        *said.parts.entry(part.clone()).or_default() += 1;
    }
    for (row, (smiles, labels)) in table.smiles.iter().zip(&table.labels).enumerate() {
        let row = row as u64;
        if let Err(reason) = Molecule::parse(smiles.trim()) {
            said.invalid_count += 1;
            if said.invalid.len() < SHOWN {
                said.invalid.push((row, smiles.clone(), reason.to_string()));
            }
        }
        for (index, (text, task)) in labels.iter().zip(&table.tasks).enumerate() {
            let one = RawTable {
                smiles: vec![smiles.clone()],
                labels: vec![vec![text.clone()]],
                tasks: vec![task.clone()],
                subsets: Vec::new(),
                parts: Vec::new(),
            };
            said.labelled[index] += u64::from(!text.trim().is_empty());
            if one.check("file").is_err() {
                said.bad_label_count += 1;
                if said.bad_labels.len() < SHOWN {
                    said.bad_labels.push((row, task.name.clone(), text.clone()));
                }
            }
        }
    }
    said
}
