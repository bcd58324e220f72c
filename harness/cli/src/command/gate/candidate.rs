//! What `--candidate` names: folders, runs of the store, models of a hub.

use std::path::{Path, PathBuf};

use clmbench_analysis::gate::choose;
use clmbench_fetch::{
    cache_dir,
    hub::{Hub, HubPlace},
};
use clmbench_store::{Store, StoreError};

use crate::{arguments::Global, command::model::last_checkpoint, console::one_line, error::CliError, interrupt};

/// Where the weights of a candidate are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    /// A folder.
    Folder(PathBuf),
    /// A model of a hub at a commit.
    Hub {
        /// `owner/name`.
        repo: String,
        /// 40 hexadecimal digits.
        commit: String,
    },
}

/// A run of the store.
struct Stored {
    suite_id: i64,
    label: String,
}

/// Everything that was named, one entry a pretraining seed.
pub struct Found {
    /// Where the weights are.
    pub candidates: Vec<Candidate>,
    /// Those that are runs of the store.
    stored: Vec<Stored>,
}

impl Found {
    /// Looks for folders first, then for runs of the store, then for models of a hub, whose branches are asked for their commit.
    ///
    /// # Errors
    /// [`CliError::Usage`] for what names none of them, [`CliError::Fetch`], [`CliError::Store`].
    pub fn of(named: &[String], global: &Global) -> Result<Self, CliError> {
        let mut found = Self { candidates: Vec::new(), stored: Vec::new() };
        for text in named {
            let path = Path::new(text);
            if path.is_dir() {
                found.candidates.push(Candidate::Folder(path.to_owned()));
            } else if path.exists() {
                let message = format!("{} is a file, not a checkpoint's folder", one_line(text, 200));
                let hint = "name the folder that holds config.json, model.safetensors and the tokenizer".to_owned();
                return Err(CliError::Usage { message, hint });
            } else if !found.of_store(text, global)? {
                found.candidates.push(of_hub(text)?);
            }
        }
        Ok(found)
    }

    /// The suite and labels where every candidate is a run of one suite of the store.
    pub fn stored(&self) -> Option<(i64, Vec<String>)> {
        let first = self.stored.first()?.suite_id;
        let all = self.stored.len() == self.candidates.len() && self.stored.iter().all(|run| run.suite_id == first);
        all.then(|| (first, self.stored.iter().map(|run| run.label.clone()).collect()))
    }

    /// Takes the runs of this name in the newest suite that has it; false if none has.
    fn of_store(&mut self, text: &str, global: &Global) -> Result<bool, CliError> {
        let store = match Store::open_reader(&global.store) {
            Ok(store) => store,
            Err(StoreError::Missing { .. } | StoreError::Older { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        for suite in store.suites()? {
            let runs = store.runs(suite.id)?;
            let Ok(chosen) = choose(&runs, &[text.to_owned()]) else { continue };
            for run in chosen {
                if run.diverged {
                    let rule = run.divergence.as_deref().map(|rule| format!(": {rule}")).unwrap_or_default();
                    let message = one_line(&format!("run {} diverged{rule}", run.label), 400);
                    return Err(CliError::Usage {
                        message,
                        hint: "a run that diverged has no score that could be judged".to_owned(),
                    });
                }
                let Some(folder) = last_checkpoint(&store, &run.run)? else {
                    let message = format!("run {} has no checkpoint", one_line(&run.label, 200));
                    return Err(CliError::Usage { message, hint: "name another run, or a folder".to_owned() });
                };
                self.candidates.push(Candidate::Folder(folder));
                self.stored.push(Stored { suite_id: suite.id, label: run.label.clone() });
            }
            return Ok(true);
        }
        Ok(false)
    }
}

fn of_hub(text: &str) -> Result<Candidate, CliError> {
    let place = match HubPlace::parse(text) {
        Ok(place) if !text.starts_with(['.', '/', '~']) => place,
        _ => {
            let message = format!(
                "there is no folder {}, no run of the store is called so, and it names no model of a hub",
                one_line(text, 200)
            );
            let hint =
                "name a folder as `transformers` writes it, the label of a run (`clmbench leaderboard models` shows them), or \
                        owner/name@REVISION"
                    .to_owned();
            return Err(CliError::Usage { message, hint });
        }
    };
    let commit = match place.commit() {
        Some(commit) => commit.to_owned(),
        None => Hub::from_environment(&cache_dir()?)?.stopped_by(interrupt::flag()).commit(&place)?,
    };
    Ok(Candidate::Hub { repo: place.repo, commit })
}
