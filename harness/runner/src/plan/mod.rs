//! From a suite and the plugins at hand to a graph of cells.
//!
//! # Rules that turn a suite into numbers
//! They are part of every cell's identity, so they depend on the suite and the plugins alone, never on the machine; but for
//! the number format of training steps, which follows from the processor too ([`precision`]).
//! - **Seeds.** With suite seed `s`: corpora are drawn with seed `s`; the run of pretraining seed index `i` (from 0) has
//!   seed `1000 s + i`; metrics (probes, masks) and the bootstrap of transfer have seed `s`, the same for all checkpoints.
//! - **Threads.** A model with `12 x layers x width^2` below 3,000,000 is computed on 1 libtorch thread, any other
//!   (also one whose configuration lacks `layers` or `width`) on 2.
//! - **Learning rate.** `lr = "preset"` is the preset's own rate; an override takes that of the preset nearest in
//!   `log(12 x layers x width^2)`, the first of two equally near ones.
//! - **Training.** Warm-up over 5 % of all tokens, cool-down over 15 % of the tokens up to a checkpoint, 15 % of tokens
//!   masked unless the suite says otherwise, AdamW with betas (0.9, 0.999) and weight decay 0.01, gradient norm clipped to 1.
//! - **Number format.** bfloat16 or float32 for the steps of pretraining and fine-tuning, by the rule of [`precision`]; float32 for all else.
//! - **Checkpoints.** A run of `N` checkpoints leaves them in folders `checkpoint-1` to `checkpoint-N`, the last at the end;
//!   all are annealed, but under a cosine only the last. A control leaves `checkpoint-0`. Annealed ones are measured and
//!   transferred, raw ones only measured.
//! - **Checkpoints of others.** One import each, whose `max_tokens`, configuration and tokenizer the rest follows; datasets and the smallest
//!   subset of the first corpus are tokenised once for all that share a tokenizer. Each counts as one run, and has a control of its own
//!   configuration with random weights of seed `1000 s`.
//! - **Control.** One random-initialised model (0 tokens) for each model configuration, on the suite's first corpus
//!   and size, seed index 0. It is transferred, never measured, never counted as a run.
//! - **Transfer.** Mean pooling; 13 L2 strengths, the powers of ten from 1e-4 to 1e8, which multiply the identity in
//!   the penalised normal equations on standardised features; 1,000 bootstrap resamples; split 80 : 10 : 10 unless the suite says otherwise. Fine-tuning of
//!   transfer seed index `k` has seed `1000 s + k`; warm-up over 10 % of the steps, AdamW as in training.
//! - **Baselines.** One cell a `[[baseline]]`, its features, dataset and, of a forest, seed index `k` (seed `1000 s + k`); 2 threads. They
//!   belong to no run and are never counted.
//! - **Recommended splits.** `split = "recommended"` is the split, seed and shares that the dataset's plugin recommends; what the
//!   suite writes beside it goes first.
//! - **Scopes.** A metric of one checkpoint is measured on every checkpoint; of a checkpoint and a dataset on every annealed one, for
//!   each task that it applies to, on the same molecules, split and embeddings as the probe; of a run, a pair of seeds or
//!   fine-tuned weights on the last one, or where fine-tuning took place (a table is in `measures.rs`).
//! - **Samples.** A metric with `sample = "train"` draws from the smallest subset of the run's corpus.

mod baselines;
mod bind;
mod build;
mod checkpoints;
mod cost;
mod datasets;
mod error;
mod estimate;
mod margins;
mod measures;
mod metrics;
mod models;
mod params;
mod pool;
mod select;
mod settle;
mod split;
mod transfers;

use std::{collections::BTreeMap, path::PathBuf};

use clmbench_fetch::Wanted;
use clmbench_protocol::{FileRef, OptIn, PluginFile, Scope};
use serde::Serialize;

pub use bind::{Bound, Finished, Input, Refusal};
pub use build::build;
pub use checkpoints::{HubLookup, HubModel, HubWanted};
pub use cost::{MetricCost, Spent};
pub use error::PlanError;
pub(crate) use estimate::bytes;
pub use estimate::{Estimator, StageSurvey, Survey, past_cells, survey};
pub use models::{core_parameters, precision, threads};
pub use params::convert as parameter_value;
pub use pool::Pool;
pub use select::{NoMatch, STAGES, Selection};

use crate::{corpora::LocalFile, plugins::Plugin, suite::Suite};
use bind::Draft;

/// What a run of a suite will do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The suite.
    pub suite: Suite,
    /// The cells; each needs only earlier ones.
    pub cells: Vec<PlannedCell>,
    /// Files that must be fetched before the run, each once.
    pub sources: Vec<Wanted>,
    /// Files of the user's that it reads, each once.
    pub local: Vec<LocalFile>,
    /// Terms that must be accepted before its files are fetched.
    pub terms: Vec<Terms>,
    /// Plugins that its cells use, each once.
    pub plugins: Vec<Plugin>,
    /// Models of the hub that are not in the cache: they must be fetched, and the plan made again, before it can be run.
    pub hub: Vec<HubWanted>,
    /// Pretraining runs, checkpoints of others among them (controls not counted).
    pub runs: usize,
    /// Checkpoints of others.
    pub imports: usize,
    /// Most runs of one objective and tokenizer on one `[[corpus]]` table, whose sizes share their held-out sample: the `n` of a fit
    /// of a metric that is measured on it. Only metrics that need no sample may have more, from several tables. By the files alone;
    /// [`Survey::pool`] knows more where checkpoints of others were read.
    pub pool: Pool,
    members: Vec<pool::Member>,
}

/// Where a checkpoint of others comes from, and what the suite says of its training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// `hub:owner/name@commit`, or `folder:` and the folder's name.
    pub source: String,
    /// Tokens that it was trained on, if the suite says so.
    pub tokens: Option<u64>,
    /// Molecules that it was trained on, if the suite says so.
    pub molecules: Option<u64>,
}

/// Terms of a dataset that must be accepted before its files are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Source and name.
    pub dataset: String,
    /// The terms.
    pub terms: OptIn,
    /// The files.
    pub files: Vec<Wanted>,
}

/// A cell before its identity is known.
#[derive(Debug, Clone)]
pub struct PlannedCell {
    /// Readable name, unique in the plan, such as `pretrain/bert-0.06M/mixed-5000/seed0`.
    pub key: String,
    /// `import`, `tokenise`, `pretrain`, `embed`, `measure` or `transfer`.
    pub stage: &'static str,
    /// What users see: the key without its stage.
    pub label: String,
    /// Indices of the cells whose results it needs.
    pub needs: Vec<usize>,
    /// Why it does not apply, if it does not; such a cell is never computed.
    pub not_applicable: Option<String>,
    /// Plugins a worker must load for it.
    pub plugins: Vec<PluginFile>,
    /// libtorch threads it is computed with.
    pub threads: u32,
    /// Kind for estimates: the stage, or `measure:<metric>`.
    pub kind: String,
    /// Size of the work within its kind, for estimates only.
    pub work: f64,
    /// Whether `work` says nothing, since the size of a checkpoint of others is not known before it is read.
    pub size_unknown: bool,
    /// Estimated cost in gradient-equivalents (measure cells only).
    pub gradient_equivalents: f64,
    draft: Draft,
}

impl PlannedCell {
    /// Where the checkpoint of an import comes from; none for other cells.
    pub fn provenance(&self) -> Option<&Provenance> {
        match &self.draft {
            Draft::Import { origin, .. } => Some(origin),
            _ => None,
        }
    }
}

/// A plan in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanSummary {
    /// Cells, without those that do not apply.
    pub cells: usize,
    /// Cells by stage, without those that do not apply.
    pub stages: BTreeMap<&'static str, usize>,
    /// Cells that do not apply.
    pub not_applicable: usize,
    /// Pretraining runs, checkpoints of others among them.
    pub runs: usize,
    /// Checkpoints of others.
    pub imports: usize,
    /// Names of the baselines that scores are compared with, in the order of the suite.
    pub baselines: Vec<String>,
    /// Tokens that all runs are trained on.
    pub training_tokens: u64,
    /// Floating-point operations of all runs, 6 x non-embedding parameters x tokens (Kaplan et al. 2020); runs of
    /// configurations without `layers` and `width` are not in it.
    pub training_flops: f64,
    /// Most runs that may stand in one fit of a metric on the held-out sample: see [`Plan::pool`].
    pub pool: usize,
    /// Whether they are as many only if checkpoints of others that were not read yet have equal tokenizers.
    pub pool_is_conditional: bool,
    /// Smallest |r| that the runs of such a pool could detect, by the function given; none when too few.
    pub mde: Option<f64>,
    /// Estimated cost of all metrics in gradient-equivalents, by a coarse rule: see [`Plan::gradient_equivalents`].
    pub gradient_equivalents: f64,
}

impl Plan {
    /// Index of the cell with this key.
    pub fn find(&self, key: &str) -> Option<usize> {
        self.cells.iter().position(|cell| cell.key == key)
    }

    /// The path of one of the user's own files, checked again; none for a file that is fetched.
    pub(crate) fn local_file(&self, file: &FileRef) -> Option<Result<PathBuf, Box<dyn std::error::Error + Send + Sync>>> {
        let local = self.local.iter().find(|local| local.sha256 == file.sha256)?;
        Some(match clmbench_fetch::sha256_file(&local.path) {
            Ok(found) if found == file.sha256 => Ok(local.path.clone()),
            Ok(_) if local.cached => {
                let folder = local.path.parent().unwrap_or(&local.path).display();
                Err(format!("{} is damaged. Remove {folder} and run again, so that it is fetched anew", local.path.display())
                    .into())
            }
            Ok(_) => Err(format!("{} was changed since the plan was made. Run again to plan anew", local.path.display()).into()),
            Err(error) => Err(error.into()),
        })
    }

    /// Whether a cell measures a checkpoint of others or a whole run, which may lack what its metric needs.
    pub(crate) fn may_lack(&self, index: usize) -> bool {
        match &self.cells[index].draft {
            Draft::Measure { run, scope, .. } => *scope == Scope::Run || self.cells[*run].provenance().is_some(),
            _ => false,
        }
    }

    /// The source files that the cells of a selection read, each once.
    pub fn sources_of(&self, selection: &Selection) -> Vec<&Wanted> {
        let read = |file: &FileRef| {
            self.cells.iter().enumerate().filter(|(index, _)| selection.holds(*index)).any(|(_, cell)| cell.draft.reads(file))
        };
        self.sources.iter().filter(|source| read(&source.reference)).collect()
    }

    /// The source files that the cell with this key reads.
    pub fn sources_of_cell(&self, key: &str) -> Vec<&Wanted> {
        let Some(cell) = self.find(key).map(|index| &self.cells[index]) else { return Vec::new() };
        self.sources.iter().filter(|source| cell.draft.reads(&source.reference)).collect()
    }

    /// Applicable cells by stage.
    pub fn stages(&self) -> BTreeMap<&'static str, usize> {
        let mut stages = BTreeMap::new();
        for cell in self.cells.iter().filter(|cell| cell.not_applicable.is_none()) {
            *stages.entry(cell.stage).or_insert(0) += 1;
        }
        stages
    }

    /// Estimated cost of all metrics, in gradients over the evaluation sample. Coarse: a free metric costs 0, a cheap
    /// one 1 (three forward passes), a moderate one 100 and an expensive one 1,000, but none more than its budget, after
    /// which it is stopped ([`clmbench_protocol::Budget::gradient_equivalents`]). [`Survey::metrics`] has it by metric, and
    /// what past cells really spent.
    pub fn gradient_equivalents(&self) -> f64 {
        self.cells.iter().filter(|cell| cell.not_applicable.is_none()).map(|cell| cell.gradient_equivalents).sum()
    }

    /// The plan in numbers. `minimum_detectable` maps a number of runs to the smallest |r| that they could detect.
    pub fn summary(&self, minimum_detectable: &dyn Fn(usize) -> Option<f64>) -> PlanSummary {
        let stages = self.stages();
        let cells = stages.values().sum();
        let training: Vec<(u64, f64)> =
            self.cells.iter().filter(|cell| cell.not_applicable.is_none()).filter_map(|cell| cell.draft.training()).collect();
        PlanSummary {
            training_tokens: training.iter().map(|(tokens, _)| tokens).sum(),
            training_flops: training.iter().map(|(_, flops)| flops).sum(),
            cells,
            not_applicable: self.cells.len() - cells,
            stages,
            runs: self.runs,
            imports: self.imports,
            baselines: self.suite.baseline_labels(),
            pool: self.pool.runs,
            pool_is_conditional: self.pool.conditional,
            mde: minimum_detectable(self.pool.runs),
            gradient_equivalents: self.gradient_equivalents(),
        }
    }
}
