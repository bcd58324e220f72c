//! Baseline cells: models without a CLM, which need their dataset alone.

use clmbench_protocol::{BaselineFeatures, BaselineProtocol, Protocol};

use super::{
    bind::Draft,
    build::{Builder, DatasetCell, planned},
    estimate,
    models::plain,
};
use crate::suite::BaselineEntry;

/// Threads of a baseline; its values do not depend on them.
const THREADS: u32 = 2;

impl Builder<'_> {
    /// Every baseline on every dataset.
    pub fn baselines(&mut self, datasets: &[DatasetCell]) {
        let suite = self.suite;
        for entry in &suite.baselines {
            for features in &entry.features {
                for dataset in datasets {
                    (0..entry.seeds).for_each(|seed| self.baseline(entry, *features, dataset, seed));
                }
            }
        }
    }

    fn baseline(&mut self, entry: &BaselineEntry, features: BaselineFeatures, dataset: &DatasetCell, index: u32) {
        let seeded = entry.is_seeded();
        let seed = if seeded { self.derived_seed(index) } else { 0 };
        let protocol = BaselineProtocol { features, model: entry.model.clone(), seed, threads: THREADS };
        let label = plain(&entry.label(features).replace(", ", "-"));
        let end = if seeded { format!("/seed{index}") } else { String::new() };
        let (kind, work) = estimate::baseline_kind_and_work(&dataset.dataset, &protocol);
        let spec = self.transfer_to(dataset, Protocol::Baseline(protocol));
        let draft = Draft::Baseline { spec, dataset: dataset.cell };
        let mut cell = planned("transfer", format!("transfer/baseline/{label}/{}{end}", dataset.name), vec![dataset.cell], draft);
        cell.threads = THREADS;
        (cell.kind, cell.work) = (kind, work);
        self.push(cell);
    }
}
