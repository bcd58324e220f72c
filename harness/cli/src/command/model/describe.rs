//! `model describe`: an architecture, a checkpoint of others, or a run of the store.

use std::path::Path;

use clmbench_protocol::{CheckpointOutput, TokenizerSpec};
use clmbench_runner::{nearest::nearest, plugins::PluginSet, run::file_state};
use clmbench_store::{Store, StoreError};

use super::{
    architecture,
    chosen::{Given, Kind, Run},
    coverage::{self, Covered},
    facts::{Facts, Origin, Reader},
    import, page,
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
    let given = run.given(store)?;
    let reader = Reader { plugin, version, class };
    let source = |tokens, molecules, training| Origin::Run {
        key: key.clone(),
        identity: run.identity.clone(),
        suite: run.detail.suite.clone(),
        checkpoint: checkpoint.folder.clone(),
        checkpoints,
        from: given.source.clone(),
        tokens,
        molecules,
        training,
    };
    let mut facts = match run.kind() {
        Some(Kind::Ours(spec, output)) => {
            let diverged = output.divergence.as_ref().map(|why| format!("; diverged: {why}")).unwrap_or_default();
            let training = format!(
                "pretrained here on {} molecules, {} tokens in all, seed {}{diverged}",
                output.corpus_molecules, spec.tokens, spec.seed
            );
            let source = source(Some(checkpoint.tokens), Some(output.corpus_molecules), training);
            Facts::of_run(key.clone(), (spec, output, checkpoint), reader, &folder, source)
        }
        Some(Kind::Theirs(spec, output)) => {
            let source = source(given.tokens, given.molecules, theirs(spec, &given));
            Facts::of_import(key.clone(), output, reader, &folder, source)
        }
        None => {
            let message = format!("{} is no run", one_line(&key, 200));
            return Err(CliError::Usage { message, hint: "name a cell of the stages pretrain or import".to_owned() });
        }
    };
    facts.coverage = covered(run, &facts, store, arguments, plugins, &folder, console)?;
    Ok(facts)
}

/// What a checkpoint of others was read from, and what its suite says of it, in words.
fn theirs(spec: &clmbench_protocol::Import, given: &Given) -> String {
    let source = given.source.as_ref().map(|source| format!("{source}, ")).unwrap_or_default();
    let weights = spec.files.iter().filter(|file| file.name.ends_with(".safetensors"));
    let weights: Vec<String> =
        weights.map(|file| format!("{} with SHA-256 {}", file.name, &file.sha256[..file.sha256.len().min(16)])).collect();
    let numbers = [(given.tokens, "tokens"), (given.molecules, "molecules")];
    let numbers: Vec<String> = numbers.iter().filter_map(|(number, of)| Some(format!("{} {of}", (*number)?))).collect();
    let trained =
        if numbers.is_empty() { String::new() } else { format!("; trained on {}, as its suite says", numbers.join(" and ")) };
    match spec.control {
        Some(seed) => {
            format!("control of a checkpoint of others: {source}its architecture and tokenizer, random weights of seed {seed}")
        }
        None => format!("checkpoint of others: {source}{}{trained}", weights.join(", ")),
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
