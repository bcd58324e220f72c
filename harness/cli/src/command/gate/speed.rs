//! The speed of embedding: both models in turn on this machine, now.
//!
//! Seconds that are stored with cells are of the moment when each was computed, beside other work and perhaps on another machine; how
//! much such moments differ is not known, so no verdict comes from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clmbench_analysis::gate::{RunRecord, SideRecord, SpeedTurns};
use clmbench_protocol::{CellOutput, CellSpec, Embed, PluginFile};
use clmbench_runner::{executor::Limits, plugins::PluginSet};
use clmbench_store::{CellStatus, Store};

use crate::{
    arguments::Global,
    command::{
        lone::{Ended, Lone},
        model::last_checkpoint,
    },
    console::{Console, one_line},
    error::CliError,
    plugins,
};

/// Turns that count; one more comes first, in which files and libtorch are read for the first time.
const TURNS: usize = 8;
/// Seconds that both models may take in a turn, by what their cells took; one dataset is embedded in any case.
const LONGEST_TURN: f64 = 30.0;

/// An embed cell that is computed again.
#[derive(Clone)]
struct Again {
    spec: Embed,
    inputs: BTreeMap<String, String>,
    plugin: PluginFile,
    rows: u64,
    /// What it took when it was stored.
    seconds: f64,
}

/// Embeds the same datasets with the first run of both sides in turn; or says why that cannot be done here.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Interrupted`], [`CliError::Run`] without a worker.
pub fn measure(
    store: &Store,
    baseline: &SideRecord,
    candidate: &SideRecord,
    global: &Global,
    console: Console,
) -> Result<Result<SpeedTurns, String>, CliError> {
    let discovery = plugins::find(global)?;
    let mut sides = Vec::new();
    for (side, record) in [("the gate baseline", baseline), ("the candidate", candidate)] {
        let Some(run) = record.runs.first() else { return Ok(Err(format!("{side} has no run"))) };
        let found = cells(store, run, &discovery.plugins)?;
        if found.is_empty() {
            return Ok(Err(format!(
                "the store has no weights of {side} with embeddings of a dataset (a gate baseline that was carried as a file has none): \
                 compute the suite of the gate baseline, with a probe, on this machine"
            )));
        }
        sides.push(found);
    }
    let [first, second] = &sides[..] else { return Ok(Err("a side is missing".to_owned())) };
    let pairs = chosen(first, second);
    if pairs.is_empty() {
        return Ok(Err("no dataset was embedded by both sides with as many molecules".to_owned()));
    }
    let names: Vec<String> = pairs.iter().map(|(name, ..)| name.clone()).collect();
    console
        .note(&format!("speed   both models embed {} in turn, {TURNS} times and once before", one_line(&names.join(", "), 200)));
    let mut lone = Lone::new(None, Limits::default())?;
    let mut turns = SpeedTurns { datasets: names, baseline: Vec::new(), candidate: Vec::new() };
    for turn in 0..=TURNS {
        let mut seconds = [0.0; 2];
        for (_, first, second) in &pairs {
            let both = [first, second];
            // Who is first changes from turn to turn, so that what slows down or warms up in time hits both alike.
            let order = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
            for side in order {
                let again = both[side].clone();
                match lone.compute(CellSpec::Embed(again.spec), vec![again.plugin], again.inputs) {
                    Ok((report, _)) => seconds[side] += report.seconds,
                    Err(Ended::Failed(failure)) => return Ok(Err(one_line(&failure.message, 300))),
                    Err(Ended::Otherwise(error)) => return Err(*error),
                }
            }
        }
        if turn > 0 {
            turns.baseline.push(seconds[0]);
            turns.candidate.push(seconds[1]);
        }
    }
    Ok(Ok(turns))
}

/// Finished embed cells of a run's last weights by dataset, with what it takes to compute them again.
fn cells(store: &Store, run: &RunRecord, plugins: &PluginSet) -> Result<BTreeMap<String, Again>, CliError> {
    let Some(checkpoint) = last_checkpoint(store, &run.identity)?.filter(|folder| folder.is_dir()) else {
        return Ok(BTreeMap::new());
    };
    let (mut datasets, mut embeds) = (BTreeMap::<String, (String, PathBuf)>::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for suite in store.suites()? {
        for cell in store.cells(suite.id)?.into_iter().filter(|cell| cell.status == CellStatus::Done) {
            let Some(identity) = cell.identity.filter(|_| ["tokenise", "embed"].contains(&cell.stage.as_str())) else { continue };
            if !seen.insert(identity.clone()) {
                continue;
            }
            let detail = store.find_cell(&identity)?;
            let (Some(spec), Some(report)) = (detail.spec, detail.report) else { continue };
            match (spec, report.output) {
                (CellSpec::TokeniseDataset(_), CellOutput::TokeniseDataset(output)) => {
                    datasets.insert(output.data_digest, (output.dataset, store.artifact_dir(&identity)));
                }
                (CellSpec::Embed(spec), CellOutput::Embed(output)) if spec.checkpoint.weights_digest == run.weights_digest => {
                    embeds.push((spec, output.rows, report.seconds));
                }
                _ => {}
            }
        }
    }
    let mut found = BTreeMap::new();
    for (spec, rows, seconds) in embeds {
        let Some((dataset, folder)) = datasets.get(&spec.data_digest) else { continue };
        let plugin = plugins.architecture(&spec.checkpoint.architecture).ok().map(|offer| offer.plugin);
        let Some(plugin) = plugin.filter(|plugin| plugin.reference() == spec.checkpoint.plugin && folder.is_dir()) else {
            continue;
        };
        let inputs = [("checkpoint", &checkpoint), ("dataset", folder)];
        let inputs = inputs.map(|(role, folder)| (role.to_owned(), folder.display().to_string())).into();
        found.insert(dataset.clone(), Again { spec, inputs, plugin: plugin.file(), rows, seconds });
    }
    Ok(found)
}

/// Datasets of both sides with as many molecules: the quick ones, as many as a turn holds.
fn chosen(first: &BTreeMap<String, Again>, second: &BTreeMap<String, Again>) -> Vec<(String, Again, Again)> {
    let both = first.iter().filter_map(|(name, one)| Some((name.clone(), one.clone(), second.get(name)?.clone())));
    let mut pairs: Vec<_> = both.filter(|(_, one, other)| one.rows == other.rows).collect();
    let took = |(_, one, other): &(String, Again, Again)| one.seconds + other.seconds;
    pairs.sort_by(|left, right| took(left).total_cmp(&took(right)));
    let mut total = 0.0;
    let fits = |pair: &(String, Again, Again)| {
        total += took(pair);
        total <= LONGEST_TURN
    };
    let count = pairs.iter().map(fits).take_while(|fits| *fits).count().max(1);
    pairs.truncate(count);
    pairs
}
