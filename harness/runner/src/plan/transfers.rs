//! Transfer cells, and the embeddings that probes and label-aware metrics read.

use std::collections::HashMap;

use clmbench_protocol::{
    Embed, FinetuneProtocol, Number, Precision, ProbeProtocol, Protocol, TaskInfo, Transfer, TransferTask, revision,
};

use super::{
    bind::{Draft, blank_checkpoint},
    build::{Builder, DatasetCell, Planned, RunCell, planned},
    estimate,
    models::threads,
};
use crate::suite::{Checkpoints, FinetuneEntry, ProtocolEntry, ProtocolKind, STRENGTHS};

/// Resamples of the test molecules.
const BOOTSTRAP: u32 = 1000;

/// What metrics may read of the transfers, by the pretrain cell and the folder of the checkpoint.
#[derive(Default)]
pub(super) struct Transferred {
    /// Embed cells, by the dataset's cell too.
    embeds: HashMap<(usize, String, usize), usize>,
    /// Fine-tunings.
    finetuned: HashMap<(usize, String), Vec<Finetuned>>,
}

impl Transferred {
    /// Fine-tunings of a checkpoint.
    pub fn finetuned(&self, run: usize, folder: &str) -> &[Finetuned] {
        self.finetuned.get(&(run, folder.to_owned())).map_or(&[], Vec::as_slice)
    }
}

/// A fine-tuning of a checkpoint.
#[derive(Debug, Clone)]
pub(super) struct Finetuned {
    /// Such as `freesolv/finetune/seed0`.
    pub name: String,
    pub dataset: String,
    pub cell: usize,
}

impl Builder<'_> {
    /// Every transfer of every annealed checkpoint.
    pub fn transfers(&mut self, runs: &[RunCell<'_>], datasets: &[Vec<DatasetCell>]) {
        let suite = self.suite;
        for run in runs {
            let datasets = &datasets[run.datasets];
            for Planned { folder, last, .. } in run.checkpoints.iter().filter(|checkpoint| checkpoint.annealed) {
                let taken = |protocol: &&ProtocolEntry| protocol.checkpoints == Checkpoints::All || *last;
                for dataset in datasets {
                    for protocol in suite.protocols.iter().filter(taken) {
                        match &protocol.kind {
                            ProtocolKind::Probe => self.probe(run, folder, dataset),
                            ProtocolKind::Finetune(finetune) => {
                                (0..finetune.seeds).for_each(|seed| self.finetune(run, folder, dataset, finetune, seed));
                            }
                        }
                    }
                }
            }
        }
    }

    /// The cell that embeds a dataset with a checkpoint, planned once.
    pub fn embed(&mut self, run: &RunCell<'_>, folder: &str, dataset: &DatasetCell) -> usize {
        let place = (run.cell, folder.to_owned(), dataset.cell);
        if let Some(cell) = self.transferred.embeds.get(&place) {
            return *cell;
        }
        let spec = Embed {
            revision: revision::EMBED,
            checkpoint: blank_checkpoint(run.model),
            data_digest: String::new(),
            tokenizer_digest: String::new(),
            pooling: "mean".into(),
            precision: Precision::Float32,
            threads: threads(&run.model.config),
        };
        let key = format!("embed/{}/{folder}/{}", run.name, dataset.name);
        let draft = Draft::Embed { spec: Box::new(spec), run: run.cell, folder: folder.to_owned(), dataset: dataset.cell };
        let mut cell = planned("embed", key, vec![run.cell, dataset.cell], draft);
        cell.plugins = vec![run.model.file.clone()];
        cell.threads = threads(&run.model.config);
        (cell.work, cell.size_unknown) = (estimate::pass_work(&run.model.config), run.imported);
        let index = self.push(cell);
        self.transferred.embeds.insert(place, index);
        index
    }

    /// A definition in which the digests of upstream outputs are blank.
    pub fn transfer_to(&self, dataset: &DatasetCell, protocol: Protocol) -> Box<Transfer> {
        let task = |task: &TaskInfo| TransferTask { name: task.name.clone(), kind: task.kind, score: task.score.clone() };
        Box::new(Transfer {
            revision: revision::TRANSFER,
            protocol,
            weights_digest: String::new(),
            data_digest: String::new(),
            split_digest: String::new(),
            dataset: dataset.dataset.clone(),
            tasks: dataset.tasks.iter().map(task).collect(),
            bootstrap: BOOTSTRAP,
            seed: self.suite.seed,
        })
    }

    /// An embed cell and the probe on it.
    fn probe(&mut self, run: &RunCell<'_>, folder: &str, dataset: &DatasetCell) {
        let embed = self.embed(run, folder, dataset);
        let strengths = STRENGTHS.map(Number).to_vec();
        let spec = self.transfer_to(dataset, Protocol::Probe(ProbeProtocol { embedding_digest: String::new(), strengths }));
        let key = format!("transfer/{}/{folder}/{}/probe", run.name, dataset.name);
        let draft = Draft::Probe { spec, embed, run: run.cell, folder: folder.to_owned(), dataset: dataset.cell };
        let mut cell = planned("transfer", key, vec![embed, run.cell, dataset.cell], draft);
        cell.kind = estimate::PROBE.into();
        self.push(cell);
    }

    fn finetune(&mut self, run: &RunCell<'_>, folder: &str, dataset: &DatasetCell, entry: &FinetuneEntry, seed: u32) {
        let config = &run.model.config;
        let protocol = FinetuneProtocol {
            checkpoint: blank_checkpoint(run.model),
            tokenizer_digest: String::new(),
            learning_rates: entry.learning_rates.iter().copied().map(Number).collect(),
            searched: entry.searched,
            epochs: entry.epochs,
            patience: entry.patience,
            batch: entry.batch,
            warmup: Number(0.1),
            weight_decay: Number(0.01),
            betas: (Number(0.9), Number(0.999)),
            clip: Number(1.0),
            seed: self.derived_seed(seed),
            precision: run.model.precision,
            threads: threads(config),
        };
        let work = estimate::finetune_work(&protocol);
        let spec = self.transfer_to(dataset, Protocol::Finetune(Box::new(protocol)));
        let key = format!("transfer/{}/{folder}/{}/finetune/seed{seed}", run.name, dataset.name);
        let draft = Draft::Finetune { spec, run: run.cell, folder: folder.to_owned(), dataset: dataset.cell };
        let mut cell = planned("transfer", key, vec![run.cell, dataset.cell], draft);
        cell.plugins = vec![run.model.file.clone()];
        cell.threads = threads(config);
        cell.kind = estimate::finetune_kind(&dataset.dataset);
        (cell.work, cell.size_unknown) = (work, run.imported);
        let index = self.push(cell);
        let finetuned =
            Finetuned { name: format!("{}/finetune/seed{seed}", dataset.name), dataset: dataset.name.clone(), cell: index };
        self.transferred.finetuned.entry((run.cell, folder.to_owned())).or_default().push(finetuned);
    }
}
