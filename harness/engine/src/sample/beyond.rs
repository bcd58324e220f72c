//! What metrics of a task, a run, a pair of seeds or fine-tuned weights are tried on. All of it is made up, by rules that stand
//! here, so that such a metric meets every kind of input in seconds; its values mean nothing.

use clmbench_molecules::{Part, PreparedDataset, TokenCache};
use clmbench_protocol::{DatasetOutput, MetricInfo, Objective, OtherWeights, Scope, TaskInfo, TaskKind};
use tch::Tensor;

use super::{Sample, training};
use crate::{
    failure::{OrFail, Result},
    files,
    masking::{MaskKey, uniform},
    model::Model,
    probe::{ProbeHost, others::Other, task::TaskSample},
    report::Reporter,
    seed, weights,
};

/// Labels of the made-up task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labelling {
    /// Heavy atoms and noise of standard deviation 1.2; for classification, whether that is above its median.
    Useful,
    /// 1 for all.
    Constant,
    /// 1 for one molecule, 0 for all others.
    Lone,
}

/// Molecules of the made-up task: about as many as are held out, so that costs are those of a suite.
const LABELLED: usize = 96;
/// The files of other weights: how far they are on the straight way from the untrained to the trained weights, and the standard
/// deviation of the noise added to each weight.
const RUN: [(f64, f64); 4] = [(0.1, 0.02), (0.3, 0.015), (0.6, 0.01), (1.0, 0.0)];
const PARTNER: [(f64, f64); 1] = [(0.9, 0.02)];
const FINETUNED: [(f64, f64); 3] = [(1.0, 0.02), (1.0, 0.025), (1.0, 0.04)];
/// Their names and groups.
const SEEDS: [(&str, &str); 3] = [
    ("regression/finetune/seed0", "regression"),
    ("regression/finetune/seed1", "regression"),
    ("classification/finetune/seed0", "classification"),
];

/// The word of a kind of task.
pub fn word(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Regression => "regression",
        TaskKind::Classification => "classification",
    }
}

/// Kinds of made-up tasks that a metric is tried on; none alone for a metric that reads no labels.
pub fn kinds(info: &MetricInfo) -> Vec<Option<TaskKind>> {
    if info.scope != Scope::CheckpointDataset {
        return vec![None];
    }
    let all = [TaskKind::Regression, TaskKind::Classification].into_iter();
    all.filter(|kind| info.tasks.is_empty() || info.tasks.contains(kind)).map(Some).collect()
}

impl Sample {
    /// [`Sample::probe`] with what the scope of the metric needs beside the checkpoint; a task of this kind where it needs one.
    ///
    /// # Errors
    /// What cannot be written or read.
    pub fn probe_for<'a>(
        &self,
        info: &'a MetricInfo,
        kind: Option<TaskKind>,
        model: &'a Model,
        (objective, trained): (Objective, bool),
        reporter: &'a Reporter,
    ) -> Result<ProbeHost<'a>> {
        let mut probe = self.probe(model, objective, trained, &info.id, reporter)?;
        if let Some(kind) = kind {
            probe = probe.with_task(self.task(kind, Labelling::Useful)?);
        }
        if info.scope == Scope::Run {
            probe = probe.with_history(history());
        }
        Ok(probe.with_others(self.others(info.scope, objective)?))
    }

    /// Molecules that the bundled checkpoints were trained on with made-up labels, and embeddings at no price, as in a suite.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn task(&self, kind: TaskKind, labelling: Labelling) -> Result<TaskSample> {
        let tokens = TokenCache::open(&self.path().join("train.bin")).or_fail()?;
        let smiles = self.smiles[..tokens.len()].to_vec();
        let info = TaskInfo { name: "made-up".into(), kind, unit: String::new(), score: String::new() };
        let output = DatasetOutput {
            multi_fragment: 0,
            tokens: (0, 0),
            checks: Vec::new(),
            source: "bundled".into(),
            dataset: "sample".into(),
            tasks: vec![info],
            rows: tokens.len() as u64,
            invalid: Vec::new(),
            counts: (tokens.len() as u64, 0, 0),
            truncated: 0,
            unknown_token_molecules: 0,
            duplicate_groups: 0,
            leaked: 0,
            sha256_csv: String::new(),
            // The order of the molecules hangs on it.
            data_digest: self.order.into(),
            split_digest: String::new(),
            tokenizer_digest: String::new(),
            train_sd: Vec::new(),
        };
        let data = PreparedDataset {
            output,
            rows: (0..tokens.len() as u64).collect(),
            canonical: smiles.clone(),
            scaffolds: vec![String::new(); tokens.len()],
            parts: vec![Part::Train; tokens.len()],
            labels: labels(&smiles[..LABELLED.min(smiles.len())], kind, labelling, smiles.len()),
            subsets: Vec::new(),
            smiles,
            tokens,
        };
        Ok(TaskSample::new(data, "made-up")?.with_free_embeddings())
    }

    /// Other weights for a scope: four checkpoints of a run, the last of them the bundled one; the partner of a pair; the
    /// fine-tuned weights of two datasets.
    ///
    /// # Errors
    /// What cannot be written or read.
    pub fn others(&self, scope: Scope, objective: Objective) -> Result<Vec<Other>> {
        let (stem, places): (&str, &[(f64, f64)]) = match scope {
            Scope::Checkpoint | Scope::CheckpointDataset => return Ok(Vec::new()),
            Scope::Run => ("checkpoint", &RUN),
            Scope::Pair => ("partner", &PARTNER),
            Scope::Transfer => ("finetuned", &FINETUNED),
        };
        let mut others = Vec::new();
        for (index, place) in places.iter().enumerate() {
            let (name, group) = match scope {
                Scope::Transfer => (SEEDS[index].0.to_owned(), SEEDS[index].1),
                Scope::Pair => ("checkpoint-4".to_owned(), "sample/seed1"),
                _ => (format!("checkpoint-{}", index + 1), "sample/seed0"),
            };
            let file = format!("{stem}-{index}-{objective:?}.safetensors");
            let path = self.path().join(&file);
            if !path.exists() {
                self.write_between(&path, objective, *place, index as u64)?;
            }
            let blake3 = files::digest_of(&path)?;
            let weights = OtherWeights { name, group: group.into(), file, blake3 };
            others.push(Other { weights, folder: self.path().to_owned() });
        }
        Ok(others)
    }

    /// Writes weights at this share of the way from the untrained to the trained ones, with this much noise.
    fn write_between(&self, path: &std::path::Path, objective: Objective, place: (f64, f64), number: u64) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let (share, deviation) = place;
        let (from, to) = (self.untrained(objective)?, self.trained(objective)?);
        let mut rows = Vec::new();
        for (row, (a, b)) in from.parameters.iter().zip(&to.parameters).enumerate() {
            let key = MaskKey { seed: 41, draw: number };
            // Uniform noise of variance 1 has a half-width of the root of 3.
            let noise: Vec<f32> = (0..a.tensor.numel() as u64)
                .map(|entry| ((uniform(key, row as u64, entry) - 0.5) * 12.0_f64.sqrt() * deviation) as f32)
                .collect();
            let noise = Tensor::from_slice(&noise).f_view_as(&a.tensor).or_fail()?;
            let moved = if share < 1.0 { &a.tensor + (&b.tensor - &a.tensor) * share } else { b.tensor.detach().copy() };
            rows.push((a.name.clone(), if deviation > 0.0 { moved + noise } else { moved }));
        }
        let named: Vec<(String, &Tensor)> = rows.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
        weights::write(path, &named).map(drop)
    }
}

/// Training losses that fall along a power law, with noise: nobody's run.
pub fn history() -> Vec<f64> {
    let key = MaskKey { seed: 43, draw: 0 };
    let noise = |step: usize| 0.2 * (uniform(key, step as u64, 0) - 0.5);
    (0..training::STEPS).map(|step| 0.4 + 2.6 * ((1 + step) as f64).powf(-0.3) + noise(step)).collect()
}

/// Labels of these molecules; none for those behind them, up to so many.
fn labels(smiles: &[String], kind: TaskKind, labelling: Labelling, all: usize) -> Vec<f64> {
    let mut labels = labels_of(smiles, kind, labelling);
    labels.resize(all, f64::NAN);
    labels
}

fn labels_of(smiles: &[String], kind: TaskKind, labelling: Labelling) -> Vec<f64> {
    if labelling == Labelling::Constant {
        return vec![1.0; smiles.len()];
    }
    let useful: Vec<f64> = smiles.iter().map(|text| heavy_atoms(text) + noise(text)).collect();
    let mut sorted = useful.clone();
    sorted.sort_by(f64::total_cmp);
    let bound = if labelling == Labelling::Lone { sorted.len().saturating_sub(2) } else { sorted.len() / 2 };
    match (kind, labelling) {
        (TaskKind::Regression, Labelling::Useful) => useful,
        _ => useful.iter().map(|label| f64::from(u8::from(*label > sorted[bound]))).collect(),
    }
}

/// Heavy atoms of a molecule of the sample, whose only atom of two letters is Cl.
fn heavy_atoms(smiles: &str) -> f64 {
    smiles.chars().filter(|letter| letter.is_ascii_alphabetic() && !matches!(letter, 'l' | 'H')).count() as f64
}

/// Uniform, of standard deviation 1.2, a function of the molecule.
fn noise(smiles: &str) -> f64 {
    let unit = (seed::derive("made-up label", &[smiles.as_bytes()]) >> 11) as f64 / (1_u64 << 53) as f64;
    (unit - 0.5) * 12.0_f64.sqrt() * 1.2
}
