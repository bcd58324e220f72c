//! The speed of embedding: both models in turn on this machine, now.
//!
//! Seconds that are stored with cells are of the moment when each was computed, beside other work and perhaps on another machine; how
//! much such moments differ is not known, so no verdict comes from them.

mod pairs;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clmbench_analysis::gate::{RunRecord, SideRecord, SpeedTurns};
use clmbench_protocol::{CellOutput, CellSpec};
use clmbench_runner::{executor::Limits, plugins::PluginSet};
use clmbench_store::{CellStatus, Store};

use self::pairs::{Again, Dataset, LONGEST_TURN, Pair, Side, fitting, pairs};
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
    let of = |side: &str, record: &SideRecord| -> Result<Result<Side, String>, CliError> {
        let Some(run) = record.runs.first() else { return Ok(Err(format!("{side} has no run"))) };
        let found = cells(store, run, &discovery.plugins)?;
        if found.is_empty() {
            return Ok(Err(format!(
                "the store has no weights of {side} with embeddings of a dataset (a gate baseline that was carried as a file has none): \
                 compute the suite of the gate baseline, with a probe, on this machine"
            )));
        }
        Ok(Ok(found))
    };
    let (first, second) = match (of("the gate baseline", baseline)?, of("the candidate", candidate)?) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(reason), _) | (_, Err(reason)) => return Ok(Err(reason)),
    };
    let mut pairs = match pairs(&first, &second) {
        Ok(pairs) => pairs,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut lone = Lone::new(None, Limits::default())?;
    let mut seconds = Vec::new();
    for number in 0..=TURNS {
        let took = match turn(&mut lone, &pairs, number) {
            Ok(took) => took,
            Err(Ended::Failed(failure)) => return Ok(Err(one_line(&failure.message, 300))),
            Err(Ended::Otherwise(error)) => return Err(*error),
        };
        if number == 0 {
            pairs.truncate(fitting(took.iter().map(|(first, second)| first + second)));
            let names: Vec<&str> = pairs.iter().map(|pair| pair.name.as_str()).collect();
            let names = one_line(&names.join(", "), 200);
            console.note(&format!("speed   both models embed {names} in turn, {TURNS} times and once before"));
        } else {
            seconds.push(took.into_iter().fold((0.0, 0.0), |sum, took| (sum.0 + took.0, sum.1 + took.1)));
        }
    }
    Ok(Ok(SpeedTurns { datasets: pairs.into_iter().map(|pair| pair.name).collect(), seconds }))
}

/// Seconds of each pair in a turn. The first one ends when it is long enough: what stored seconds foretold may be otherwise now.
fn turn(lone: &mut Lone, pairs: &[Pair], number: usize) -> Result<Vec<(f64, f64)>, Ended> {
    let (mut took, mut total) = (Vec::new(), 0.0);
    for pair in pairs {
        let mut compute = |side: usize| {
            let Again { spec, inputs, plugin, .. } = pair.sides[side].clone();
            lone.compute(CellSpec::Embed(spec), vec![plugin], inputs).map(|(report, _)| report.seconds)
        };
        // Who is first changes from turn to turn, so that what slows down or warms up in time hits both alike.
        let (first, second) = if number.is_multiple_of(2) {
            let first = compute(0)?;
            (first, compute(1)?)
        } else {
            let second = compute(1)?;
            (compute(0)?, second)
        };
        took.push((first, second));
        total += first + second;
        if number == 0 && total > LONGEST_TURN {
            break;
        }
    }
    Ok(took)
}

/// Finished embed cells of a run's last weights by dataset, with what it takes to compute them again.
fn cells(store: &Store, run: &RunRecord, plugins: &PluginSet) -> Result<Side, CliError> {
    let Some(checkpoint) = last_checkpoint(store, &run.identity)?.filter(|folder| folder.is_dir()) else {
        return Ok(Side::new());
    };
    let (mut datasets, mut embeds) = (BTreeMap::<String, BTreeMap<Dataset, PathBuf>>::new(), Vec::new());
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
                    let folder = store.artifact_dir(&identity);
                    if folder.is_dir() {
                        let dataset = Dataset { source: output.source, name: output.dataset, sha256_csv: output.sha256_csv };
                        datasets.entry(output.data_digest).or_default().insert(dataset, folder);
                    }
                }
                (CellSpec::Embed(spec), CellOutput::Embed(output)) if spec.checkpoint.weights_digest == run.weights_digest => {
                    embeds.push((spec, output.rows, Again::seconds(&report.device, report.seconds)));
                }
                _ => {}
            }
        }
    }
    let mut found = Side::new();
    for (spec, rows, seconds) in embeds {
        let plugin = plugins.architecture(&spec.checkpoint.architecture).ok().map(|offer| offer.plugin);
        let Some(plugin) = plugin.filter(|plugin| plugin.reference() == spec.checkpoint.plugin) else { continue };
        for (dataset, folder) in datasets.get(&spec.data_digest).into_iter().flatten() {
            let inputs = [("checkpoint", &checkpoint), ("dataset", folder)];
            let inputs = inputs.map(|(role, folder)| (role.to_owned(), folder.display().to_string())).into();
            let again = Again { spec: spec.clone(), inputs, plugin: plugin.file(), rows, seconds };
            found.entry(dataset.clone()).or_default().push(again);
        }
    }
    Ok(found)
}
