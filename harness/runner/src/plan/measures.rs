//! Measure cells: what each metric is measured on follows from its scope.
//!
//! | scope | cells | what it reads beside the checkpoint |
//! |---|---|---|
//! | checkpoint | one a checkpoint | the held-out molecules |
//! | checkpoint and dataset | one an annealed checkpoint, dataset and task | labels and embeddings of the task's training molecules |
//! | run | one, at the last checkpoint | the training losses of the run, the weights of its checkpoints in order of tokens |
//! | pair | one a pair of pretraining seeds of a model and corpus, at the last checkpoint of the first | the other's weights |
//! | transfer | one a checkpoint that is fine-tuned | the fine-tuned weights of all its fine-tunings |

use clmbench_protocol::{Measure, Precision, RunFacts, Scope, TaskInfo, TaskKind, revision};

use super::{
    bind::{Draft, Labelled, Other, Weights, blank_checkpoint},
    build::{Builder, DatasetCell, Planned, RunCell, planned},
    estimate,
    metrics::{Metric, gradient_equivalents},
    models::{Model, threads, words},
};

/// A measurement on a checkpoint.
#[derive(Default)]
struct Extent {
    /// End of the key, with its `/`.
    end: String,
    labelled: Option<Labelled>,
    history: bool,
    others: Vec<Other>,
    /// Cells of those others and of the labelled molecules.
    needs: Vec<usize>,
    not_applicable: Option<String>,
}

impl Extent {
    fn not_applicable(end: String, reason: String) -> Self {
        Self { end, not_applicable: Some(reason), ..Self::default() }
    }
}

impl Builder<'_> {
    /// Every measurement of every run; controls are not measured.
    pub fn measures(&mut self, runs: &[RunCell<'_>], datasets: &[Vec<DatasetCell>], metrics: &[Metric]) {
        for run in runs.iter().filter(|run| !run.control) {
            for checkpoint in &run.checkpoints {
                for metric in metrics {
                    for extent in self.extents(run, checkpoint, runs, &datasets[run.datasets], metric) {
                        self.measure(run, &checkpoint.folder, metric, extent);
                    }
                }
            }
        }
    }

    /// What a metric is measured on at a checkpoint; often nothing.
    fn extents(
        &mut self,
        run: &RunCell<'_>,
        checkpoint: &Planned,
        runs: &[RunCell<'_>],
        datasets: &[DatasetCell],
        metric: &Metric,
    ) -> Vec<Extent> {
        if let Some(reason) = run.imported.then(|| not_for_imports(run, metric)).flatten() {
            return vec![Extent::not_applicable(String::new(), reason)];
        }
        match metric.info.scope {
            Scope::Checkpoint => vec![Extent::default()],
            Scope::CheckpointDataset if checkpoint.annealed => {
                let tasks = datasets.iter().flat_map(|dataset| dataset.tasks.iter().map(move |task| (dataset, task)));
                tasks.map(|(dataset, task)| self.labelled(run, &checkpoint.folder, dataset, task, metric)).collect()
            }
            // The record of a whole run is read once, at its end.
            Scope::Run if checkpoint.last => vec![whole_run(run)],
            Scope::Pair if checkpoint.last => pairs(run, runs, metric),
            Scope::Transfer => self.finetuned(run, checkpoint, metric),
            Scope::CheckpointDataset | Scope::Run | Scope::Pair => Vec::new(),
        }
    }

    fn labelled(&mut self, run: &RunCell<'_>, folder: &str, dataset: &DatasetCell, task: &TaskInfo, metric: &Metric) -> Extent {
        let end = format!("/{}/{}", dataset.name, task.name);
        let reason = wrong_objective(metric, run.model).or_else(|| wrong_task(metric, dataset, task));
        if let Some(reason) = reason {
            return Extent::not_applicable(end, reason);
        }
        let embed = self.embed(run, folder, dataset);
        let labelled = Labelled { dataset: dataset.cell, embed, task: task.name.clone() };
        Extent { end, labelled: Some(labelled), needs: vec![dataset.cell, embed], ..Extent::default() }
    }

    fn finetuned(&self, run: &RunCell<'_>, checkpoint: &Planned, metric: &Metric) -> Vec<Extent> {
        let finetuned = self.transferred.finetuned(run.cell, &checkpoint.folder);
        if finetuned.is_empty() {
            let none = format!(
                "`{}` is a diagnostic of fine-tuned weights, and the suite fine-tunes nothing: add a [[protocol]] with \
                 kind = \"finetune\"",
                metric.info.id
            );
            // Where only the last checkpoint is fine-tuned, nothing is missing at the others.
            return if checkpoint.last { vec![Extent::not_applicable(String::new(), none)] } else { Vec::new() };
        }
        let other = |finetuned: &super::transfers::Finetuned| Other {
            name: finetuned.name.clone(),
            group: finetuned.dataset.clone(),
            from: Weights::Finetuned { cell: finetuned.cell },
        };
        let needs = finetuned.iter().map(|finetuned| finetuned.cell).collect();
        vec![Extent { others: finetuned.iter().map(other).collect(), needs, ..Extent::default() }]
    }

    fn measure(&mut self, run: &RunCell<'_>, folder: &str, metric: &Metric, extent: Extent) {
        let spec = Measure {
            revision: revision::MEASURE,
            plugin: metric.plugin.clone(),
            metric: metric.info.id.clone(),
            params: metric.params.clone(),
            budget: metric.budget,
            checkpoint: blank_checkpoint(run.model),
            record: RunFacts {
                non_embedding_parameters: 0,
                total_parameters: 0,
                tokens: None,
                corpus_molecules: None,
                training_flops: None,
            },
            heldout_digest: String::new(),
            tokenizer_digest: String::new(),
            train: None,
            seed: self.suite.seed,
            precision: Precision::Float32,
            threads: threads(&run.model.config),
            dataset: None,
            embeddings: None,
            history: None,
            others: Vec::new(),
        };
        let key = format!("measure/{}/{folder}/{}{}", run.name, metric.label, extent.end);
        let mut needs: Vec<usize> = [run.cell].into_iter().chain(run.corpus).collect();
        let train = run.smallest.filter(|_| on_training_molecules(metric));
        needs.extend(train);
        needs.extend(extent.needs);
        let mut seen = std::collections::HashSet::new();
        needs.retain(|need| seen.insert(*need));
        let variant = metric.label.split_once('@').map_or(String::new(), |(_, variant)| format!("@{variant}"));
        let draft = Draft::Measure {
            spec: Box::new(spec),
            name: format!("{}{variant}", metric.info.id),
            scope: metric.info.scope,
            run: run.cell,
            folder: folder.to_owned(),
            corpus: run.corpus,
            train,
            labelled: extent.labelled,
            history: extent.history,
            others: extent.others,
        };
        let mut cell = planned("measure", key, needs, draft);
        cell.not_applicable = wrong_objective(metric, run.model).or(extent.not_applicable);
        cell.plugins = vec![run.model.file.clone()];
        if metric.file != run.model.file {
            cell.plugins.push(metric.file.clone());
        }
        cell.threads = threads(&run.model.config);
        cell.kind = estimate::measure_kind(&metric.info.id);
        (cell.work, cell.size_unknown) = (estimate::pass_work(&run.model.config), run.imported);
        cell.gradient_equivalents = gradient_equivalents(metric.info.cost, metric.budget);
        self.push(cell);
    }
}

/// Whether a metric is measured on training molecules.
fn on_training_molecules(metric: &Metric) -> bool {
    metric.params.get("sample").and_then(serde_json::Value::as_str) == Some("train")
}

/// Why a metric does not apply to a checkpoint of others, if it does not.
fn not_for_imports(run: &RunCell<'_>, metric: &Metric) -> Option<String> {
    let (id, name) = (&metric.info.id, &run.name);
    match metric.info.scope {
        Scope::Run => Some(format!("`{id}` reads the losses of a whole training, and nothing is known of that of `{name}`")),
        Scope::Pair => Some(format!("`{id}` compares two pretraining seeds, and `{name}` is a checkpoint that stands alone")),
        _ if run.corpus.is_none() => {
            Some(format!("`{id}` is measured with held-out molecules at hand, and the suite has none: add a [[corpus]]"))
        }
        _ if on_training_molecules(metric) => {
            Some(format!("`{id}` is measured on training molecules, and those of `{name}` are not known"))
        }
        _ => None,
    }
}

/// The training losses and all checkpoints of a run, in order of tokens.
fn whole_run(run: &RunCell<'_>) -> Extent {
    let other = |checkpoint: Planned| Other {
        name: checkpoint.folder.clone(),
        group: run.name.clone(),
        from: Weights::Checkpoint { run: run.cell, folder: checkpoint.folder },
    };
    let others = run.checkpoints.iter().cloned().map(other).collect();
    Extent { history: true, others, ..Extent::default() }
}

/// A run and each run of the same model and corpus with a later seed.
fn pairs(run: &RunCell<'_>, runs: &[RunCell<'_>], metric: &Metric) -> Vec<Extent> {
    if run.seeds < 2 {
        let reason = format!(
            "`{}` compares the final checkpoints of two pretraining seeds, and the suite has one: set seeds = 2 in its [[model]]",
            metric.info.id
        );
        return vec![Extent::not_applicable(String::new(), reason)];
    }
    let same = |other: &&RunCell<'_>| {
        !other.control && other.corpus == run.corpus && std::ptr::eq(other.model, run.model) && other.seed > run.seed
    };
    let partner = |other: &RunCell<'_>| {
        let last = other.checkpoints.iter().find(|checkpoint| checkpoint.last)?;
        let weights = Other {
            name: last.folder.clone(),
            group: other.name.clone(),
            from: Weights::Checkpoint { run: other.cell, folder: last.folder.clone() },
        };
        let end = format!("/with-seed{}", other.seed);
        Some(Extent { end, others: vec![weights], needs: vec![other.cell], ..Extent::default() })
    };
    runs.iter().filter(same).filter_map(partner).collect()
}

/// Why a metric does not apply to a model, if it does not.
fn wrong_objective(metric: &Metric, model: &Model) -> Option<String> {
    let (info, objective) = (&metric.info, model.info.objective);
    (!info.objectives.is_empty() && !info.objectives.contains(&objective)).then(|| {
        format!(
            "`{}` applies to {}, and `{}` is trained by {}",
            info.id,
            info.objectives.iter().map(|known| words(*known)).collect::<Vec<_>>().join(" or "),
            model.info.name,
            words(objective)
        )
    })
}

/// Why a metric does not apply to a task, if it does not, and which one does.
fn wrong_task(metric: &Metric, dataset: &DatasetCell, task: &TaskInfo) -> Option<String> {
    let applies = |tasks: &[TaskKind]| tasks.is_empty() || tasks.contains(&task.kind);
    if applies(&metric.info.tasks) {
        return None;
    }
    let kinds: Vec<&str> = metric.info.tasks.iter().map(|kind| kind.word()).collect();
    let instead: Vec<String> =
        metric.siblings.iter().filter(|(_, tasks)| applies(tasks)).map(|(id, _)| format!("`{id}`")).collect();
    let instead = if instead.is_empty() { String::new() } else { format!("; {} does", instead.join(" or ")) };
    let (id, task_name, kind, dataset) = (&metric.info.id, &task.name, task.kind.word(), &dataset.name);
    Some(format!("`{id}` applies to {}, and `{task_name}` of `{dataset}` is a {kind}{instead}", kinds.join(" or ")))
}
