//! Crossing corpora, models, datasets, metrics and protocols into cells.

use std::{collections::HashSet, path::Path};

use clmbench_fetch::Wanted;
use clmbench_protocol::{CorpusSource, Number, Pretrain, ScheduleKind, TaskInfo, TokeniseCorpus, TokenizerSpec, revision};

use super::{
    Plan, PlanError, PlannedCell, Terms,
    bind::Draft,
    checkpoints::{HubLookup, imports},
    datasets::dataset_of,
    estimate, margins,
    metrics::metrics,
    models::{Model, Trained, models, threads},
    pool::{Member, pool},
    transfers::Transferred,
};
use crate::{
    corpora::{self, CorpusLookup, LocalFile},
    plugins::{Plugin, PluginSet},
    suite::{CorpusEntry, ModelEntry, Suite},
};

/// A dataset cell and what it offers.
pub(super) struct DatasetCell {
    pub cell: usize,
    pub name: String,
    pub dataset: String,
    pub tasks: Vec<TaskInfo>,
}

/// A corpus cell.
struct CorpusCell {
    cell: usize,
    name: String,
    /// The cell of the smallest subset of the same corpus.
    smallest: usize,
}

/// A run: a pretrain cell, or the import of a checkpoint of others.
pub(super) struct RunCell<'m> {
    pub cell: usize,
    /// Part of keys, such as `bert-0.06M/mixed-5000/seed0`.
    pub name: String,
    /// Index of its pretraining seed.
    pub seed: u32,
    /// Pretraining seeds of its model.
    pub seeds: u32,
    /// The corpus whose held-out sample it is measured on; none where the suite has none.
    pub corpus: Option<usize>,
    /// The cell of the smallest subset of that corpus.
    pub smallest: Option<usize>,
    /// Which set of dataset cells has its tokens.
    pub datasets: usize,
    pub model: &'m Model,
    pub control: bool,
    /// Whether it is a checkpoint of others.
    pub imported: bool,
    /// Checkpoints that it will leave, in order of tokens.
    pub checkpoints: Vec<Planned>,
}

/// A checkpoint that a run will leave.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub folder: String,
    pub annealed: bool,
    pub last: bool,
}

/// Checkpoints of a pretraining in order of tokens.
fn checkpoints(entry: &ModelEntry, control: bool) -> Vec<Planned> {
    if control {
        return vec![Planned { folder: "checkpoint-0".into(), annealed: true, last: true }];
    }
    let all = entry.schedule.kind == ScheduleKind::ConstantWithCooldown;
    let planned = |number: u32| {
        let last = number == entry.checkpoints;
        Planned { folder: format!("checkpoint-{number}"), annealed: all || last, last }
    };
    (1..=entry.checkpoints).map(planned).collect()
}

/// Plans a suite. `corpora` finds a corpus by name; [`crate::corpora::catalogue`] is the one in use. `hub` finds models of the hub in the
/// cache; those that are not there are in [`Plan::hub`].
///
/// # Errors
/// The first name or parameter that the plugins at hand cannot serve, with file, line and what to do.
pub fn build(suite: &Suite, plugins: &PluginSet, corpora: &CorpusLookup<'_>, hub: &HubLookup<'_>) -> Result<Plan, PlanError> {
    let models = models(suite, plugins)?;
    let found = imports(suite, plugins, hub)?;
    let metrics = metrics(suite, plugins)?;
    let mut builder = Builder {
        suite,
        cells: Vec::new(),
        sources: Vec::new(),
        local: Vec::new(),
        terms: Vec::new(),
        tasks: Vec::new(),
        transferred: Transferred::default(),
    };
    builder.own(found.local);
    // Own tokens are for models to pretrain and for baselines, which read no tokens at all.
    let own = !models.is_empty() || !suite.baselines.is_empty() || found.checkpoints.is_empty();
    let mut datasets = vec![builder.datasets(plugins, own)?];
    margins::check(suite, &builder.tasks)?;
    let drawn_from = builder.drawn_from(corpora)?;
    let corpora =
        if models.is_empty() && !found.checkpoints.is_empty() { Vec::new() } else { builder.corpora(&drawn_from, &datasets[0]) };
    batches_fit(suite)?;
    let mut runs = builder.runs(&models, &corpora);
    let sample = suite.corpora.first().zip(drawn_from.first().map(Vec::as_slice)).filter(|_| !metrics.is_empty());
    let (imported, groups) = builder.imports(&found.checkpoints, plugins, sample, datasets.len())?;
    runs.extend(imported);
    datasets.extend(groups.into_iter().map(|group| group.datasets));
    builder.baselines(&datasets[0]);
    builder.transfers(&runs, &datasets);
    builder.measures(&runs, &datasets, &metrics);

    spread_not_applicable(&mut builder.cells);

    let mut keys = HashSet::new();
    if let Some(cell) = builder.cells.iter().find(|cell| !keys.insert(cell.key.as_str())) {
        return Err(PlanError::Key { file: suite.file.clone(), key: cell.key.clone() });
    }
    let used = |plugin: &&Plugin| {
        let file = plugin.file();
        builder.cells.iter().any(|cell| cell.plugins.contains(&file))
    };
    let counted = runs.iter().filter(|run| !run.control && builder.cells[run.cell].not_applicable.is_none());
    let members: Vec<Member> = counted.map(|run| Member::of(run, !builder.cells[run.cell].draft.is_unsettled())).collect();
    Ok(Plan {
        suite: suite.clone(),
        plugins: plugins.plugins().iter().filter(used).cloned().collect(),
        runs: members.len(),
        imports: found.checkpoints.len(),
        pool: pool(&members, &|_| None),
        members,
        sources: builder.sources,
        local: builder.local,
        terms: builder.terms,
        hub: found.wanted,
        cells: builder.cells,
    })
}

pub(super) struct Builder<'s> {
    pub suite: &'s Suite,
    pub cells: Vec<PlannedCell>,
    sources: Vec<Wanted>,
    local: Vec<LocalFile>,
    terms: Vec<Terms>,
    /// Dataset and task of everything that may be transferred to.
    tasks: Vec<(String, TaskInfo)>,
    pub transferred: Transferred,
}

impl Builder<'_> {
    pub fn push(&mut self, cell: PlannedCell) -> usize {
        self.cells.push(cell);
        self.cells.len() - 1
    }

    fn source(&mut self, file: &Wanted) {
        let same = |other: &Wanted| (&other.file, &other.reference, &other.terms) == (&file.file, &file.reference, &file.terms);
        if !self.sources.iter().any(same) {
            self.sources.push(file.clone());
        }
    }

    /// Dataset cells in our own tokens, if there is a use for them; the files of the datasets and their terms in any case.
    fn datasets(&mut self, plugins: &PluginSet, wanted: bool) -> Result<Vec<DatasetCell>, PlanError> {
        let suite = self.suite;
        let all: Vec<&String> = suite.datasets.iter().flat_map(|entry| &entry.names).collect();
        let mut cells = Vec::new();
        for entry in &suite.datasets {
            for dataset in &entry.names {
                let found = dataset_of(suite, entry, dataset, plugins)?;
                let files = Wanted::of_dataset(found.info);
                files.iter().for_each(|file| self.source(file));
                self.own(found.local);
                self.tasks.extend(found.tasks.iter().map(|task| (dataset.clone(), task.clone())));
                self.terms.extend(found.info.opt_in.clone().map(|terms| Terms {
                    dataset: format!("{}/{dataset}", entry.source),
                    terms,
                    files,
                }));
                if !wanted {
                    continue;
                }
                let name = Self::dataset_name(&all, &entry.source, dataset);
                let draft = Draft::Dataset { spec: found.spec, tokenizer: None };
                let mut cell = planned("tokenise", format!("tokenise/{name}"), Vec::new(), draft);
                cell.plugins = vec![found.plugin];
                cells.push(DatasetCell { cell: self.push(cell), name, dataset: dataset.clone(), tasks: found.tasks });
            }
        }
        Ok(cells)
    }

    /// Files of the user's, each once.
    fn own(&mut self, files: impl IntoIterator<Item = LocalFile>) {
        for file in files {
            if !self.local.contains(&file) {
                self.local.push(file);
            }
        }
    }

    /// What a dataset is called in keys: two sources may have one of the same name.
    pub fn dataset_name(all: &[&String], source: &str, dataset: &String) -> String {
        let shared = all.iter().filter(|name| **name == dataset).count() > 1;
        if shared { format!("{source}.{dataset}") } else { dataset.clone() }
    }

    /// Sources of each corpus.
    fn drawn_from(&mut self, lookup: &CorpusLookup<'_>) -> Result<Vec<Vec<CorpusSource>>, PlanError> {
        let suite = self.suite;
        let mut drawn_from = Vec::new();
        for entry in &suite.corpora {
            let found = corpora::sources(Path::new(&suite.file), entry, lookup)?;
            found.fetched.iter().for_each(|file| self.source(file));
            self.own(found.local);
            drawn_from.push(found.sources);
        }
        subsets_differ(&suite.corpora, &drawn_from)?;
        Ok(drawn_from)
    }

    /// A subset in our own tokens, without sources and excluded datasets.
    pub fn corpus_spec(seed: u64, entry: &CorpusEntry, size: u64) -> TokeniseCorpus {
        TokeniseCorpus {
            revision: revision::TOKENISE,
            corpus: entry.name.clone(),
            size,
            heldout: entry.heldout,
            sources: Vec::new(),
            seed,
            form: entry.form,
            tokenizer: TokenizerSpec::default(),
            exclude: Vec::new(),
        }
    }

    fn corpora(&mut self, drawn_from: &[Vec<CorpusSource>], datasets: &[DatasetCell]) -> Vec<CorpusCell> {
        let suite = self.suite;
        let excluded: Vec<usize> = datasets.iter().map(|dataset| dataset.cell).collect();
        let mut cells: Vec<CorpusCell> = Vec::new();
        for (entry, sources) in suite.corpora.iter().zip(drawn_from) {
            let first = cells.len();
            for size in &entry.sizes {
                let spec = TokeniseCorpus { sources: sources.clone(), ..Self::corpus_spec(suite.seed, entry, *size) };
                let name = format!("{}-{size}", entry.name);
                let draft = Draft::Corpus { spec, datasets: excluded.clone(), tokenizer: None };
                let mut cell = planned("tokenise", format!("tokenise/{name}"), excluded.clone(), draft);
                cell.work = estimate::corpus_work(*size, entry.heldout);
                cell.kind = "tokenise:corpus".into();
                cells.push(CorpusCell { cell: self.push(cell), name, smallest: 0 });
            }
            let smallest =
                entry.sizes.iter().zip(&cells[first..]).min_by_key(|(size, _)| **size).map_or(0, |(_, cell)| cell.cell);
            cells[first..].iter_mut().for_each(|cell| cell.smallest = smallest);
        }
        cells
    }

    fn runs<'m>(&mut self, models: &'m [Trained], corpora: &[CorpusCell]) -> Vec<RunCell<'m>> {
        let mut runs = Vec::new();
        let run = |cell: usize, name: String, seed: u32, trained: &'m Trained, corpus: &CorpusCell, control: bool| RunCell {
            cell,
            name,
            seed,
            seeds: trained.entry.seeds,
            corpus: Some(corpus.cell),
            smallest: Some(corpus.smallest),
            datasets: 0,
            model: &trained.model,
            control,
            imported: false,
            checkpoints: checkpoints(&trained.entry, control),
        };
        for trained in models {
            for corpus in corpora {
                for seed in 0..trained.entry.seeds {
                    let name = format!("{}/{}/seed{seed}", trained.model.label, corpus.name);
                    let cell = self.pretrain(trained, corpus, seed, format!("pretrain/{name}"), false);
                    runs.push(run(cell, name, seed, trained, corpus, false));
                }
            }
        }
        // Controls come last: they are quick, and the long runs should start first.
        for (trained, corpus) in models.iter().filter_map(|trained| Some((trained, corpora.first()?))) {
            let name = format!("control/{}/{}/seed0", trained.model.label, corpus.name);
            let cell = self.pretrain(trained, corpus, 0, name.clone(), true);
            runs.push(run(cell, name, 0, trained, corpus, true));
        }
        runs
    }

    fn pretrain(&mut self, trained: &Trained, corpus: &CorpusCell, seed: u32, key: String, control: bool) -> usize {
        let Trained { model, entry, .. } = trained;
        let tokens = if control { 0 } else { entry.tokens };
        let spec = Pretrain {
            revision: revision::PRETRAIN,
            plugin: model.plugin.clone(),
            architecture: model.info.name.clone(),
            config: model.config.clone(),
            objective: model.info.objective,
            corpus_digest: String::new(),
            tokenizer_digest: String::new(),
            tokens,
            checkpoints: if control { 1 } else { entry.checkpoints },
            batch: entry.batch,
            accumulate: entry.accumulate,
            learning_rate: Number(trained.learning_rate),
            schedule: entry.schedule.clone(),
            mask_ratio: Number(trained.mask_ratio),
            weight_decay: Number(0.01),
            betas: (Number(0.9), Number(0.999)),
            clip: Number(1.0),
            seed: self.derived_seed(seed),
            precision: model.precision,
            threads: threads(&model.config),
        };
        let draft = Draft::Pretrain { spec: Box::new(spec), corpus: corpus.cell };
        let mut cell = planned("pretrain", key, vec![corpus.cell], draft);
        cell.plugins = vec![model.file.clone()];
        cell.threads = threads(&model.config);
        cell.work = estimate::pretrain_work(&model.config, tokens);
        self.push(cell)
    }

    /// Seed of the `index`-th pretraining or transfer seed.
    pub fn derived_seed(&self, index: u32) -> u64 {
        self.suite.seed * 1000 + u64::from(index)
    }
}

/// Refuses a batch that no corpus subset fills: every step would be another size than the suite says.
fn batches_fit(suite: &Suite) -> Result<(), PlanError> {
    for model in &suite.models {
        for corpus in &suite.corpora {
            if let Some(size) = corpus.sizes.iter().copied().filter(|size| *size < u64::from(model.batch)).min() {
                return Err(PlanError::Batch {
                    place: model.place.clone(),
                    batch: model.batch,
                    corpus: corpus.name.clone(),
                    size,
                });
            }
        }
    }
    Ok(())
}

/// Refuses one subset under two names: its runs would be planned as two and be one.
fn subsets_differ(entries: &[CorpusEntry], sources: &[Vec<CorpusSource>]) -> Result<(), PlanError> {
    for (index, (entry, own)) in entries.iter().zip(sources).enumerate() {
        let same = |earlier: &CorpusEntry| {
            earlier.heldout == entry.heldout
                && earlier.form == entry.form
                && earlier.sizes.iter().any(|size| entry.sizes.contains(size))
        };
        let twin = entries[..index].iter().zip(sources).find(|(earlier, others)| same(earlier) && *others == own);
        if let Some((earlier, _)) = twin {
            let label = |entry: &CorpusEntry| format!("corpus {}", entry.name);
            return Err(PlanError::Same { place: entry.place.clone(), first: label(earlier), second: label(entry) });
        }
    }
    Ok(())
}

/// What needs a cell that does not apply does not apply either, for the same reason.
fn spread_not_applicable(cells: &mut [PlannedCell]) {
    for index in 0..cells.len() {
        let reason = cells[index].needs.iter().find_map(|need| cells[*need].not_applicable.clone());
        if cells[index].not_applicable.is_none() {
            cells[index].not_applicable = reason;
        }
    }
}

/// A cell with the usual values; the key starts with its stage, except a control's.
pub(super) fn planned(stage: &'static str, key: String, needs: Vec<usize>, draft: Draft) -> PlannedCell {
    let label = key.strip_prefix(stage).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&key).to_owned();
    PlannedCell {
        key,
        stage,
        label,
        needs,
        not_applicable: None,
        plugins: Vec::new(),
        threads: 1,
        kind: stage.to_owned(),
        work: 1.0,
        size_unknown: false,
        gradient_equivalents: 0.0,
        draft,
    }
}
