//! Baseline cells: models without a CLM, which need their dataset alone.

use clmbench_protocol::{BaselineFeatures, BaselineModel, BaselineProtocol, Criterion, Protocol, TaskKind};

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
                for dataset in datasets.iter().filter(|dataset| entry.takes(&dataset.dataset)) {
                    (0..entry.seeds).for_each(|seed| self.baseline(entry, *features, dataset, seed));
                }
            }
        }
    }

    fn baseline(&mut self, entry: &BaselineEntry, features: BaselineFeatures, dataset: &DatasetCell, index: u32) {
        let seeded = entry.is_seeded();
        let seed = if seeded { self.derived_seed(index) } else { 0 };
        let protocol = BaselineProtocol { features, model: entry.model.clone(), seed, threads: THREADS };
        let label = plain(&entry.label(features).replace(['(', ')'], "").replace(", ", "-"));
        let end = if seeded { format!("/seed{index}") } else { String::new() };
        let (kind, work) = estimate::baseline_kind_and_work(&dataset.dataset, &protocol);
        let spec = self.transfer_to(dataset, Protocol::Baseline(protocol));
        let draft = Draft::Baseline { spec, dataset: dataset.cell };
        let mut cell = planned("transfer", format!("transfer/baseline/{label}/{}{end}", dataset.name), vec![dataset.cell], draft);
        cell.threads = THREADS;
        (cell.kind, cell.work) = (kind, work);
        cell.not_applicable = wrong_task(&entry.model, dataset);
        self.push(cell);
    }
}

/// Why trees that grow so are not for the tasks of a dataset, if they are not.
fn wrong_task(model: &BaselineModel, dataset: &DatasetCell) -> Option<String> {
    let BaselineModel::RandomForest { growth, .. } = model else { return None };
    let (what, wanted) = match growth.criterion {
        Criterion::Entropy => ("the criterion `entropy`", TaskKind::Classification),
        Criterion::AbsoluteError => ("the criterion `absolute_error`", TaskKind::Regression),
        Criterion::Variance if growth.balanced => ("`balanced`", TaskKind::Classification),
        Criterion::Variance => return None,
    };
    let other = dataset.tasks.iter().find(|task| task.kind != wanted)?;
    Some(format!("{what} is for {}, and `{}` of {} is of {}", wanted.word(), other.name, dataset.name, other.kind.word()))
}
