//! `model describe`: an architecture, a checkpoint of others, or a run of the store.

use std::path::Path;

use clmbench_protocol::{CheckpointOutput, Special, TokenizerSpec};
use clmbench_runner::{nearest::nearest, plugins::PluginSet, run::file_state};
use clmbench_store::{Store, StoreError};

use super::{
    architecture,
    chosen::{Kind, Run},
    coverage::{self, Covered},
    facts::{Facts, Origin, Tokenizer},
    import, page, tokens,
};
use crate::{
    arguments::{DescribeModelArguments, Global},
    console::{Console, one_line},
    error::CliError,
    interrupt, plugins,
};

/// Describes what the name means: an architecture, a folder, a run, a model of a hub, in this order.
///
/// # Errors
/// [`CliError::Usage`] for what names none of them; what [`import::read`] says; [`CliError::Store`].
pub fn run(arguments: &DescribeModelArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    let (name, plugins) = (arguments.name.as_str(), &discovery.plugins);
    if let Ok(offer) = plugins.architecture(name) {
        return architecture::describe(arguments, offer, console);
    }
    if let Some(preset) = &arguments.preset {
        let message = format!("--preset {} is of an architecture, and `{}` is none", one_line(preset, 40), one_line(name, 80));
        return Err(CliError::Usage { message, hint: known(name, plugins) });
    }
    let of_store = if Path::new(name).is_dir() { None } else { stored(name, global)? };
    let facts = match of_store {
        Some((store, run)) => of_run(&run, &store, arguments, plugins, console)?,
        None if !name.contains(['/', '@']) && !Path::new(name).exists() => {
            let message =
                format!("no plugin offers architecture `{}`, and no folder and no run is called so", one_line(name, 80));
            return Err(CliError::Usage { message, hint: known(name, plugins) });
        }
        None => import::read(name, &arguments.reading, &arguments.dataset, plugins, console)?,
    };
    if arguments.json.json {
        return console.json("model-checkpoint", &[facts]);
    }
    console.print(&page::of(&facts, console))?;
    if facts.coverage.is_empty() {
        console.note("--dataset SOURCE/NAME (or `cached`) says how much of a dataset its vocabulary covers");
    }
    Ok(())
}

/// The architectures that there are.
fn known(name: &str, plugins: &PluginSet) -> String {
    let known: Vec<&str> = plugins.architectures().map(|offer| offer.info.name.as_str()).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? `clmbench model list` shows all"),
        None => format!("there are: {}", known.join(", ")),
    }
}

/// The run of that name, where there is a store.
fn stored(name: &str, global: &Global) -> Result<Option<(Store, Run)>, CliError> {
    let store = match Store::open_reader(&global.store) {
        Ok(store) => store,
        Err(StoreError::Missing { .. } | StoreError::Older { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Run::find(&store, name, None)?.map(|run| (store, run)))
}

fn of_run(
    run: &Run,
    store: &Store,
    arguments: &DescribeModelArguments,
    plugins: &PluginSet,
    console: Console,
) -> Result<Facts, CliError> {
    let checkpoint = run.checkpoint(None)?;
    let folder = store.artifact_dir(&run.identity).join(&checkpoint.folder);
    refuse_lost(run, store, checkpoint)?;
    let (info, plugin, version) = run.info(store)?;
    let class = info.and_then(|info| info.hub).and_then(|hub| hub.class);
    let key = run.detail.row.key.clone();
    let checkpoints = run.checkpoints().iter().map(|checkpoint| checkpoint.folder.clone()).collect();
    let source = |tokens, training| Origin::Run {
        key: key.clone(),
        identity: run.identity.clone(),
        suite: run.detail.suite.clone(),
        checkpoint: checkpoint.folder.clone(),
        checkpoints,
        tokens,
        training,
    };
    let mut facts = match run.kind() {
        Some(Kind::Ours(spec, output)) => {
            let record = tokens::read(&folder.join("clmbench.json")).unwrap_or_default();
            let whole = |name: &str| record["vocabulary"][name].as_u64().unwrap_or_default();
            let diverged = output.divergence.as_ref().map(|why| format!("; diverged: {why}")).unwrap_or_default();
            Facts {
                name: key.clone(),
                architecture: spec.architecture.clone(),
                objective: spec.objective,
                config: spec.config.clone(),
                plugin,
                version,
                transformers_class: class,
                non_embedding_parameters: output.non_embedding_parameters,
                total_parameters: output.total_parameters,
                forward_flops_per_token: output.non_embedding_parameters.saturating_mul(2),
                training_flops_per_token: output.non_embedding_parameters.saturating_mul(6),
                tokenizer: Tokenizer {
                    kind: "SMILES regex".to_owned(),
                    entries: whole("size"),
                    embedding_rows: whole("size"),
                    digest: spec.tokenizer_digest.clone(),
                    special: tokens::special(&folder, &Special::default()),
                },
                max_tokens: whole("max_tokens"),
                max_positions: None,
                head_is_random: None,
                weights_digest: checkpoint.weights_digest.clone(),
                notes: Vec::new(),
                source: source(
                    Some(checkpoint.tokens),
                    format!(
                        "pretrained here on {} molecules, {} tokens in all, seed {}{diverged}",
                        output.corpus_molecules, spec.tokens, spec.seed
                    ),
                ),
                suite_table: None,
                coverage: Vec::new(),
            }
        }
        Some(Kind::Theirs(spec, output)) => Facts {
            name: key.clone(),
            architecture: output.architecture.clone(),
            objective: output.objective,
            config: output.config.clone(),
            plugin,
            version,
            transformers_class: class,
            non_embedding_parameters: output.non_embedding_parameters,
            total_parameters: output.total_parameters,
            forward_flops_per_token: output.non_embedding_parameters.saturating_mul(2),
            training_flops_per_token: output.non_embedding_parameters.saturating_mul(6),
            tokenizer: Tokenizer {
                kind: output.tokenizer_kind.clone(),
                entries: output.tokenizer_entries,
                embedding_rows: output.vocabulary,
                digest: output.tokenizer_digest.clone(),
                special: tokens::special(&folder, &output.special),
            },
            max_tokens: u64::from(output.max_tokens),
            max_positions: Some(output.max_positions),
            head_is_random: Some(output.head_is_random),
            weights_digest: checkpoint.weights_digest.clone(),
            notes: output.notes.clone(),
            source: source(None, theirs(spec, run.origin(store)?.as_deref())),
            suite_table: None,
            coverage: Vec::new(),
        },
        None => {
            let message = format!("{} is no run", one_line(&key, 200));
            return Err(CliError::Usage { message, hint: "name a cell of the stages pretrain or import".to_owned() });
        }
    };
    facts.coverage = covered(run, &facts, store, arguments, plugins, &folder, console)?;
    Ok(facts)
}

/// What a checkpoint of others was read from, in words.
fn theirs(spec: &clmbench_protocol::Import, origin: Option<&str>) -> String {
    let origin = origin.map(|origin| format!("{origin}, ")).unwrap_or_default();
    let weights = spec.files.iter().filter(|file| file.name.ends_with(".safetensors"));
    let weights: Vec<String> =
        weights.map(|file| format!("{} with SHA-256 {}", file.name, &file.sha256[..file.sha256.len().min(16)])).collect();
    match spec.control {
        Some(seed) => {
            format!("control of a checkpoint of others: {origin}its architecture and tokenizer, random weights of seed {seed}")
        }
        None => format!("checkpoint of others: {origin}{}", weights.join(", ")),
    }
}

/// What its suite counted, and what is asked for besides.
fn covered(
    run: &Run,
    facts: &Facts,
    store: &Store,
    arguments: &DescribeModelArguments,
    plugins: &PluginSet,
    folder: &Path,
    console: Console,
) -> Result<Vec<Covered>, CliError> {
    let mut found: Vec<Covered> = match &run.detail.suite {
        Some(name) => {
            let datasets = store.datasets(store.suite(Some(name))?.id)?;
            datasets.iter().filter(|row| row.tokenizer_digest == facts.tokenizer.digest).map(Covered::from).collect()
        }
        None => Vec::new(),
    };
    found.sort_by(|a, b| a.dataset.cmp(&b.dataset));
    found.dedup();
    let max_tokens = u32::try_from(facts.max_tokens).unwrap_or(u32::MAX);
    let tokenizer = match run.kind() {
        Some(Kind::Theirs(_, output)) => TokenizerSpec {
            kind: "file".to_owned(),
            max_tokens,
            digest: Some(output.tokenizer_digest.clone()),
            special: Some(output.special.clone()),
        },
        _ => TokenizerSpec { max_tokens, ..TokenizerSpec::default() },
    };
    let asked: Vec<String> =
        arguments.dataset.iter().filter(|name| !found.iter().any(|row| row.dataset == **name)).cloned().collect();
    interrupt::listen();
    let more = coverage::of(&asked, (tokenizer, folder.join("tokenizer.json")), plugins, console)?;
    let fresh: Vec<Covered> = more.into_iter().filter(|row| !found.iter().any(|known| known.dataset == row.dataset)).collect();
    found.extend(fresh);
    Ok(found)
}

/// Files of the run that are read here must be as they were written.
fn refuse_lost(run: &Run, store: &Store, checkpoint: &CheckpointOutput) -> Result<(), CliError> {
    let place = store.artifact_dir(&run.identity);
    for name in ["clmbench.json", "tokenizer.json"] {
        let path = format!("{}/{name}", checkpoint.folder);
        let Some(file) = run.report.files.iter().find(|file| file.path == path) else { continue };
        let state = file_state(&place, file, false).word();
        if matches!(state, "missing" | "damaged") {
            return Err(CliError::FileLost { run: run.detail.row.key.clone(), file: path, state });
        }
    }
    Ok(())
}
