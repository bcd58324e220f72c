//! The molecules of a task as a metric sees them: training molecules with a label, in a random order. Those of validation and
//! test are dropped here, so that no call can give their labels away.

use std::path::Path;

use clmbench_api::SamplePart;
use clmbench_molecules::{Part, PreparedDataset, TokenCache};
use clmbench_protocol::{Failure, FailureKind, TaskFacts};
use tch::Tensor;

use super::{ProbeHost, Read};
use crate::{
    embed,
    failure::{OrFail, Result},
    report::Reporter,
    seed,
};

/// Labelled molecules below which nothing can be said of a task.
const LEAST: usize = 2;

/// Labelled training molecules of a task, in the order in which metrics are offered them.
#[derive(Debug)]
pub struct TaskSample {
    facts: TaskFacts,
    /// Tokens of every molecule of the dataset.
    tokens: TokenCache,
    /// Places of the molecules in the dataset.
    places: Vec<u32>,
    labels: Vec<f64>,
    smiles: Vec<String>,
    embeddings: Embeddings,
}

/// Where the embeddings of a task's molecules come from.
#[derive(Debug)]
enum Embeddings {
    /// From the embed cell: [N, D] of every molecule of the dataset.
    Cached(Tensor),
    /// From the model, at the price of a forward pass or, in place of a cache, for nothing.
    Computed { charged: bool },
}

impl TaskSample {
    /// The labelled training molecules of a task, in an order that depends on the dataset and the task alone: the first n of
    /// them are a random sample, the same for every checkpoint.
    ///
    /// # Errors
    /// [`FailureKind::BadInput`] when there is no such task, or fewer than two labelled training molecules.
    pub fn new(data: PreparedDataset, task: &str) -> Result<Self> {
        let dataset = data.output.dataset.clone();
        let info = data.output.tasks.iter().find(|info| info.name == task).cloned();
        let (Some(info), Some(labels)) = (info, data.task(task)) else {
            let known: Vec<&str> = data.output.tasks.iter().map(|info| info.name.as_str()).collect();
            let text = format!("dataset {dataset} has no task `{task}`; there is: {}", known.join(", "));
            return Err(Failure::new(FailureKind::BadInput, text));
        };
        let mut places = data.places(Part::Train);
        places.retain(|place| !labels[*place].is_nan());
        if places.len() < LEAST {
            let (count, s) = (places.len(), if places.len() == 1 { "" } else { "s" });
            let text = format!(
                "task `{task}` of {dataset} has {count} labelled training molecule{s}; at least {LEAST} are needed: leave the task \
                 out, or choose another split"
            );
            return Err(Failure::new(FailureKind::BadInput, text));
        }
        let key = |place: &usize| {
            let keys = [data.output.data_digest.as_bytes(), task.as_bytes(), &data.rows[*place].to_le_bytes()];
            (seed::derive("order of a task's molecules", &keys), *place)
        };
        places.sort_by_cached_key(key);
        Ok(Self {
            facts: TaskFacts { dataset, task: info },
            labels: places.iter().map(|place| labels[*place]).collect(),
            smiles: places.iter().map(|place| data.canonical.get(*place).cloned().unwrap_or_default()).collect(),
            places: places.iter().map(|place| *place as u32).collect(),
            tokens: data.tokens,
            embeddings: Embeddings::Computed { charged: true },
        })
    }

    /// Reads them from the folder of a dataset cell: (data digest, split digest, task) as planned with, and the tokenizer of the
    /// checkpoint.
    ///
    /// # Errors
    /// [`FailureKind::CorruptFile`] for another dataset or split; those of [`TaskSample::new`].
    pub fn open(folder: &Path, planned: &(String, String, String), tokenizer_digest: &str) -> Result<Self> {
        crate::files::expect_digest(&folder.join("tokenizer.json"), tokenizer_digest)?;
        let data = PreparedDataset::open(folder).or_fail()?;
        let (data_digest, split_digest, task) = planned;
        for (what, found, wanted) in
            [("dataset", &data.output.data_digest, data_digest), ("split", &data.output.split_digest, split_digest)]
        {
            if found != wanted {
                let text = format!("{} is not the {what} {wanted} planned with; run again to rebuild it", folder.display());
                return Err(Failure::new(FailureKind::CorruptFile, text));
            }
        }
        Self::new(data, task)
    }

    /// The same molecules with embeddings that an embed cell computed of the whole dataset, in this folder.
    ///
    /// # Errors
    /// [`FailureKind::CorruptFile`] for a file with another digest; [`FailureKind::WrongShape`] when they are not one a molecule.
    pub fn with_embeddings(self, folder: &Path, digest: &str) -> Result<Self> {
        let path = folder.join("embeddings.safetensors");
        let matrix = embed::read(&path, digest, self.tokens.len(), &self.facts.dataset)?;
        Ok(Self { embeddings: Embeddings::Cached(matrix), ..self })
    }

    /// The same molecules with embeddings by the model that cost nothing, as if they had been cached.
    pub fn with_free_embeddings(self) -> Self {
        Self { embeddings: Embeddings::Computed { charged: false }, ..self }
    }

    /// Tokens of every molecule of the dataset.
    pub(super) fn tokens(&self) -> &TokenCache {
        &self.tokens
    }

    /// Places in the dataset, in order.
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// Canonical SMILES, in order.
    pub(super) fn smiles(&self) -> &[String] {
        &self.smiles
    }

    /// What the task is.
    pub(super) fn facts(&self) -> &TaskFacts {
        &self.facts
    }

    /// Labels [N], in order, float64.
    pub(super) fn labels(&self) -> Tensor {
        Tensor::from_slice(&self.labels)
    }
}

impl ProbeHost<'_> {
    /// The task that is measured.
    pub(super) fn task_sample(&self) -> Result<&TaskSample> {
        self.task.as_ref().ok_or_else(|| {
            let text = "no task was planned for this metric; declare scope CheckpointDataset in its info() to read labels";
            Failure::new(FailureKind::Unsupported, text)
        })
    }

    /// Mean-pooled embeddings [N, D] of molecules of a part.
    pub(super) fn embeddings(&self, part: SamplePart, start: u64, count: u64) -> Result<Tensor> {
        let chosen = self.chosen(part, start, count)?;
        self.note_read(Read::Embeddings);
        let source = if part == SamplePart::Task { Some(&self.task_sample()?.embeddings) } else { None };
        if let Some(Embeddings::Cached(matrix)) = source {
            let rows: Vec<i64> = chosen.iter().map(|place| i64::from(*place)).collect();
            return matrix.f_index_select(0, &Tensor::from_slice(&rows)).or_fail();
        }
        let (cache, _) = self.part(part)?;
        if !matches!(source, Some(Embeddings::Computed { charged: false })) {
            let tokens = chosen.iter().map(|molecule| cache.get(*molecule as usize).len() as u64).sum();
            self.charge(tokens, 1.0 / 3.0);
        }
        embed::pooled_in_batches(self.model, cache, &chosen, self.batch_tokens, &Reporter::silent())
    }
}
