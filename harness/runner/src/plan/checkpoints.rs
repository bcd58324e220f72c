//! Checkpoints of others: found in a folder or in the hub's cache, hashed, and given to the architecture that reads them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clmbench_checkpoint::{Folder, model_type};
use clmbench_protocol::{ArchitectureInfo, CorpusSource, FileRef, Import, Precision, TokeniseCorpus, revision};
use serde_json::{Map, Value};

use super::{
    PlanError,
    bind::Draft,
    build::{Builder, DatasetCell, Planned, RunCell, planned},
    datasets::dataset_of,
    estimate,
    models::{Model, threads},
};
use crate::{
    corpora::{LocalFile, hashed},
    nearest::hint,
    plugins::{NoReader, Offer, PluginSet},
    suite::{CheckpointEntry, CheckpointOrigin, CorpusEntry, Place, Suite},
};

/// A model of the hub as it lies in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubModel {
    /// Its folder.
    pub folder: PathBuf,
    /// SHA-256 of its files by name, as far as they are known; others are computed.
    pub sha256: BTreeMap<String, String>,
}

/// Finds a model of the hub in the cache by repository and commit; asks nobody. Tests bring their own.
pub type HubLookup<'a> = dyn Fn(&str, &str) -> Option<HubModel> + 'a;

/// A model of the hub that is not in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubWanted {
    /// Name of the checkpoint in the suite.
    pub name: String,
    /// `owner/name`.
    pub repo: String,
    /// The commit; none where the suite does not pin one.
    pub commit: Option<String>,
    /// Where it is written.
    pub place: Place,
}

/// Files that say how molecules become tokens.
const TOKENIZER_FILES: [&str; 7] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
];

/// What checkpoints must have in common to read the same tokens: their tokenizer's files, and where molecules are cut. `None` of a
/// checkpoint that is not there yet: such ones are taken to share a tokenizer until they are.
type Tokens = (u32, Option<(Vec<FileRef>, String)>);

/// A checkpoint of a suite.
pub(super) struct Imported<'s> {
    pub model: Model,
    pub entry: &'s CheckpointEntry,
    /// Files of its folder, sorted by name; none where it is not there yet.
    files: Option<Vec<FileRef>>,
    tokens: Tokens,
}

/// The checkpoints of a suite, the files that they are read from, and the models of the hub that are not there.
pub(super) struct Imports<'s> {
    pub checkpoints: Vec<Imported<'s>>,
    pub local: Vec<LocalFile>,
    pub wanted: Vec<HubWanted>,
}

/// Finds the checkpoints of a suite.
///
/// # Errors
/// A folder that cannot be read or is refused; a `model_type` that no architecture, or more than one, reads; the same files twice; an
/// architecture that is not told where the folder is not there.
pub(super) fn imports<'s>(suite: &'s Suite, plugins: &PluginSet, hub: &HubLookup<'_>) -> Result<Imports<'s>, PlanError> {
    let mut found = Imports { checkpoints: Vec::new(), local: Vec::new(), wanted: Vec::new() };
    for entry in &suite.checkpoints {
        let named = entry.architecture.as_deref().map(|name| plugins.named_reader(name));
        let named = named.transpose().map_err(|why| no_reader(entry, "", why))?;
        let there = match &entry.origin {
            CheckpointOrigin::Folder(_) => {
                entry.origin.path(Path::new(&suite.file)).map(|folder| HubModel { folder, sha256: BTreeMap::new() })
            }
            CheckpointOrigin::Hub { repo, commit } => {
                let there = commit.as_deref().and_then(|commit| hub(repo, commit));
                if there.is_none() {
                    let (name, place) = (entry.name.clone(), entry.place.clone());
                    found.wanted.push(HubWanted { name, repo: repo.clone(), commit: commit.clone(), place });
                }
                there
            }
        };
        let (offer, files, tokens) = match there {
            Some(there) => {
                let (offer, files, tokens) = of_folder(entry, &there, plugins, &mut found.local)?;
                (offer, Some(files), (entry.max_tokens, Some(tokens)))
            }
            None => match named {
                Some(offer) => (offer, None, (entry.max_tokens, None)),
                None => return Err(PlanError::NotFetched { place: entry.place.clone(), source_text: entry.origin.source() }),
            },
        };
        let model = Model {
            label: entry.name.clone(),
            info: offer.info.clone(),
            plugin: offer.plugin.reference(),
            file: offer.plugin.file(),
            config: Map::new(),
            precision: Precision::Float32,
        };
        let weights = |files: &Option<Vec<FileRef>>| -> Option<Vec<String>> {
            let weights = files.as_ref()?.iter().filter(|file| file.name.ends_with(".safetensors"));
            Some(weights.map(|file| file.sha256.clone()).collect())
        };
        let twin = found.checkpoints.iter().find(|earlier| files.is_some() && weights(&earlier.files) == weights(&files));
        if let Some(earlier) = twin {
            let (first, second) = (earlier.entry.name.clone(), entry.name.clone());
            return Err(PlanError::Same { place: entry.place.clone(), first, second });
        }
        found.checkpoints.push(Imported { model, entry, files, tokens });
    }
    Ok(found)
}

/// Why no architecture is known to read a checkpoint, in the words of a suite. `found` is its `model_type`.
fn no_reader(entry: &CheckpointEntry, found: &str, why: NoReader) -> PlanError {
    let (place, found) = (entry.place.clone(), found.to_owned());
    match why {
        NoReader::NotOffered(source) => PlanError::NotOffered { place, source },
        NoReader::ReadsNone { architecture, readers } => PlanError::ReadsNoFolders { place, architecture, readers },
        NoReader::OtherModelType { architecture, known } => PlanError::OtherModelType { place, architecture, known, found },
        NoReader::Unknown { known } => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            PlanError::UnknownModelType { place, hint: hint(&found, &known), found }
        }
        NoReader::Several { architectures } => {
            let names = architectures.iter().map(|name| format!("`architecture = \"{name}\"`")).collect();
            PlanError::SeveralReaders { place, found, names }
        }
    }
}

/// Architecture, hashed files, and what tells the tokens: the tokenizer's files and the longest molecule.
type OfFolder<'p> = (Offer<'p, ArchitectureInfo>, Vec<FileRef>, (Vec<FileRef>, String));

/// What a folder that is there holds.
fn of_folder<'p>(
    entry: &CheckpointEntry,
    there: &HubModel,
    plugins: &'p PluginSet,
    local: &mut Vec<LocalFile>,
) -> Result<OfFolder<'p>, PlanError> {
    let refused = |reason: String| PlanError::Checkpoint {
        place: entry.place.clone(),
        source_text: match &entry.origin {
            CheckpointOrigin::Folder(_) => there.folder.display().to_string(),
            hub @ CheckpointOrigin::Hub { .. } => hub.source(),
        },
        // A message that ends with lines of code has no full stop.
        reason: if reason.contains('\n') { reason } else { format!("{}.", reason.trim_end_matches('.')) },
    };
    let folder = Folder::open(&there.folder).map_err(|error| refused(error.to_string()))?;
    let config = folder.config().map_err(|error| refused(error.to_string()))?;
    let word = model_type(&config).map_err(|error| refused(error.to_string()))?;
    let offer = plugins.reader(entry.architecture.as_deref(), &word).map_err(|why| no_reader(entry, &word, why))?;
    let mut files = Vec::new();
    for (name, _) in folder.files() {
        let Some(path) = folder.path(name) else { continue };
        let file = match there.sha256.get(name) {
            Some(sha256) => LocalFile { path: path.to_owned(), sha256: sha256.clone(), cached: true },
            None => hashed(path).map_err(|reason| refused(format!("`{name}` cannot be read: {reason}")))?,
        };
        files.push(FileRef { name: name.to_owned(), sha256: file.sha256.clone() });
        local.push(file);
    }
    files.sort_by(|left, right| left.name.cmp(&right.name));
    let tokenizer = files.iter().filter(|file| TOKENIZER_FILES.contains(&file.name.as_str())).cloned().collect();
    Ok((offer, files, (tokenizer, limits(&config))))
}

/// What of a configuration decides how molecules are cut, and which ids are special: models of one tokenizer may differ in both. Too
/// much of it costs nothing, since cells of one definition are computed once.
fn limits(config: &Map<String, Value>) -> String {
    let decides = |key: &str| ["position", "length", "seq", "n_ctx", "token_id"].iter().any(|part| key.contains(part));
    let found: BTreeMap<&String, &Value> = config.iter().filter(|(key, _)| decides(key)).collect();
    serde_json::to_string(&found).unwrap_or_default()
}

/// Import cells that share their tokens, and what is tokenised for them.
pub(super) struct Group<'i> {
    tokens: &'i Tokens,
    pub datasets: Vec<DatasetCell>,
    /// The cell of the first corpus' smallest subset.
    pub corpus: Option<usize>,
}

impl Builder<'_> {
    /// The import cells of a suite: checkpoints first, then a control of each. `own` counts the sets of datasets before those of the groups.
    pub fn imports<'m>(
        &mut self,
        checkpoints: &'m [Imported<'_>],
        plugins: &PluginSet,
        sources: Option<(&CorpusEntry, &[CorpusSource])>,
        own: usize,
    ) -> Result<(Vec<RunCell<'m>>, Vec<Group<'m>>), PlanError> {
        let cells: Vec<usize> = checkpoints.iter().map(|checkpoint| self.import(checkpoint, None)).collect();
        let mut groups: Vec<Group<'m>> = Vec::new();
        let mut group_of = Vec::new();
        for (checkpoint, cell) in checkpoints.iter().zip(&cells) {
            let known = groups.iter().position(|group| *group.tokens == checkpoint.tokens);
            let place = match known {
                Some(place) => place,
                None => {
                    groups.push(self.group(checkpoint, *cell, plugins, sources)?);
                    groups.len() - 1
                }
            };
            group_of.push(place);
        }
        let mut runs = Vec::new();
        for control in [false, true] {
            for ((checkpoint, cell), group) in checkpoints.iter().zip(&cells).zip(&group_of) {
                let seed = self.derived_seed(0);
                let cell = if control { self.import(checkpoint, Some(seed)) } else { *cell };
                let corpus = groups[*group].corpus;
                runs.push(RunCell {
                    cell,
                    name: if control { format!("control/{}", checkpoint.entry.name) } else { checkpoint.entry.name.clone() },
                    seed: 0,
                    seeds: 1,
                    corpus,
                    smallest: corpus,
                    datasets: own + group,
                    model: &checkpoint.model,
                    control,
                    imported: true,
                    checkpoints: vec![Planned { folder: "checkpoint-0".into(), annealed: true, last: true }],
                });
            }
        }
        Ok((runs, groups))
    }

    fn import(&mut self, checkpoint: &Imported<'_>, control: Option<u64>) -> usize {
        let (entry, model) = (checkpoint.entry, &checkpoint.model);
        let threads = threads(&model.config);
        let spec = Import {
            revision: revision::IMPORT,
            plugin: model.plugin.clone(),
            architecture: model.info.name.clone(),
            files: checkpoint.files.clone().unwrap_or_default(),
            max_tokens: entry.max_tokens,
            control,
            threads,
        };
        let draft = Draft::Import {
            spec: Box::new(spec),
            there: checkpoint.files.is_some(),
            origin: super::Provenance { source: entry.origin.source(), tokens: entry.tokens, molecules: entry.molecules },
        };
        let key = format!("{}/{}", if control.is_some() { "control" } else { "import" }, entry.name);
        let mut cell = planned("import", key, Vec::new(), draft);
        cell.plugins = vec![model.file.clone()];
        cell.threads = threads;
        cell.size_unknown = true;
        self.push(cell)
    }

    /// The datasets, and the smallest subset of the first corpus, in the tokens of a checkpoint.
    fn group<'m>(
        &mut self,
        checkpoint: &'m Imported<'_>,
        import: usize,
        plugins: &PluginSet,
        corpus: Option<(&CorpusEntry, &[CorpusSource])>,
    ) -> Result<Group<'m>, PlanError> {
        let suite = self.suite;
        let first = &checkpoint.entry.name;
        let all: Vec<&String> = suite.datasets.iter().flat_map(|entry| &entry.names).collect();
        let mut datasets = Vec::new();
        for entry in &suite.datasets {
            for dataset in &entry.names {
                let found = dataset_of(suite, entry, dataset, plugins)?;
                let name = Self::dataset_name(&all, &entry.source, dataset);
                let draft = Draft::Dataset { spec: found.spec, tokenizer: Some(import) };
                let mut cell = planned("tokenise", format!("tokenise/{name}@{first}"), vec![import], draft);
                cell.plugins = vec![found.plugin];
                let cell = self.push(cell);
                datasets.push(DatasetCell { cell, name, dataset: dataset.clone(), tasks: found.tasks });
            }
        }
        let smallest = corpus.and_then(|(entry, sources)| Some((entry, sources, *entry.sizes.iter().min()?)));
        let corpus = smallest.map(|(entry, sources, size)| {
            let spec = TokeniseCorpus { sources: sources.to_vec(), ..Self::corpus_spec(suite.seed, entry, size) };
            let excluded: Vec<usize> = datasets.iter().map(|dataset| dataset.cell).collect();
            let needs = excluded.iter().copied().chain([import]).collect();
            let draft = Draft::Corpus { spec, datasets: excluded, tokenizer: Some(import) };
            let mut cell = planned("tokenise", format!("tokenise/{}-{size}@{first}", entry.name), needs, draft);
            cell.work = estimate::corpus_work(size, entry.heldout);
            cell.kind = "tokenise:corpus".into();
            self.push(cell)
        });
        Ok(Group { tokens: &checkpoint.tokens, datasets, corpus })
    }
}
