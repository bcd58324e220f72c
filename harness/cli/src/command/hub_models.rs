//! Checkpoints of the hub in a suite: found in the cache, fetched before a run, pinned to a commit.

use std::path::PathBuf;

use clmbench_fetch::{
    FetchError,
    hub::{self, Hub, HubPlace},
};
use clmbench_runner::{
    Suite,
    plan::{HubModel, HubWanted},
    suite::{CheckpointOrigin, Place},
};

use crate::{console::Console, error::CliError, interrupt, progress::FetchProgress};

/// The branch that is asked where a suite pins no commit.
const BRANCH: &str = "main";

/// A model at a commit, if the cache has it; asks nobody.
pub fn cached(repo: &str, commit: &str) -> Option<HubModel> {
    let found = hub::cached(repo, commit, &cache().ok()?)?;
    let sha256 = found.files.into_iter().map(|file| (file.name, file.sha256)).collect();
    Some(HubModel { folder: found.folder, sha256 })
}

fn cache() -> Result<PathBuf, FetchError> {
    Ok(clmbench_fetch::Fetcher::from_environment()?.cache().to_owned())
}

/// The models of a suite that the cache lacks.
pub fn missing(suite: &Suite) -> Vec<HubWanted> {
    let wanted = suite.checkpoints.iter().filter_map(|entry| match &entry.origin {
        CheckpointOrigin::Folder(_) => None,
        CheckpointOrigin::Hub { repo, commit } => {
            let (name, place) = (entry.name.clone(), entry.place.clone());
            Some(HubWanted { name, repo: repo.clone(), commit: commit.clone(), place })
        }
    });
    wanted.filter(|wanted| wanted.commit.as_ref().is_none_or(|commit| cached(&wanted.repo, commit).is_none())).collect()
}

/// Fetches the models that the cache lacks.
///
/// # Errors
/// [`CliError::Unpinned`] if a suite pins one to no commit; [`CliError::Fetch`], [`CliError::Interrupted`].
pub fn fetch(wanted: &[HubWanted], console: Console) -> Result<(), CliError> {
    require_pinned(wanted)?;
    if wanted.is_empty() {
        return Ok(());
    }
    let hub = Hub::from_environment(&cache()?)?.stopped_by(interrupt::flag());
    let mut progress = FetchProgress::new(console);
    for model in wanted {
        let place = HubPlace::new(&model.repo, model.commit.as_deref().unwrap_or(BRANCH))?;
        let found = hub.fetch(&place, &mut |step| progress.step(&step));
        if interrupt::requested() {
            progress.close();
            return Err(CliError::Interrupted);
        }
        found?;
    }
    progress.close();
    Ok(())
}

/// That a suite says of every model which commit it is; else the lines that would, as the hub has them now.
fn require_pinned(wanted: &[HubWanted]) -> Result<(), CliError> {
    let open: Vec<&HubWanted> = wanted.iter().filter(|model| model.commit.is_none()).collect();
    let Some(first) = open.first() else { return Ok(()) };
    let place: Place = first.place.clone();
    let asked = open.iter().map(|model| Ok((*model, now(&model.repo)?))).collect::<Result<Vec<_>, FetchError>>();
    let (lines, next) = match asked {
        Ok(found) => {
            let lines =
                found.iter().map(|(model, commit)| (model.place.line, model.repo.clone(), format!("revision = \"{commit}\"")));
            (lines.collect(), format!("write these lines in place of `revision = \"unpinned\"`: they are what `{BRANCH}` is now"))
        }
        Err(error) => {
            let ask = |model: &&HubWanted| {
                (model.place.line, model.repo.clone(), format!("clmbench model import {}@{BRANCH}", model.repo))
            };
            let next = format!("these commands say which commits to write; the hub could not be asked now: {error}");
            (open.iter().map(ask).collect(), next)
        }
    };
    Err(CliError::Unpinned { place, lines, next })
}

/// The commit that the branch is now.
fn now(repo: &str) -> Result<String, FetchError> {
    Hub::from_environment(&cache()?)?.commit(&HubPlace::new(repo, BRANCH)?)
}
