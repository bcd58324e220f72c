//! What the metrics of this family say of themselves.

use clmbench_sdk::prelude::*;

use crate::Labelling;

/// What differs between them.
pub struct Card {
    /// Name without family and binning.
    pub name: &'static str,
    /// What it measures, with formula, defaults and failure modes.
    pub doc: &'static str,
    /// Paper and equation.
    pub citation: &'static str,
    /// Unit of the primary value.
    pub unit: &'static str,
    /// Parameters besides `molecules`.
    pub parameters: Vec<ParameterInfo>,
}

/// Molecules at most: costs grow with their number, and errors hardly shrink any more.
pub const MOST: i64 = 10_000;

impl Card {
    /// Of a metric for both kinds of tasks.
    pub fn any_task(self) -> MetricInfo {
        let most = format!("training molecules of the task that are used, the first in random order; 0 = all, up to {MOST}");
        let mut parameters = vec![ParameterInfo::integer("molecules", 0, &most).between(0.0, MOST as f64)];
        parameters.extend(self.parameters);
        MetricInfo {
            id: format!("transferability/{}", self.name),
            doc: self.doc.into(),
            citation: self.citation.into(),
            unit: self.unit.into(),
            primary: self.name.into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::CheckpointDataset,
            cost: CostClass::Cheap,
            comparable: Comparable::Any,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters,
            trivial: false,
        }
    }

    /// Of a metric of classes.
    pub fn classes(self, labelling: Labelling) -> MetricInfo {
        let info = self.any_task();
        match labelling {
            Labelling::Classes => MetricInfo { tasks: vec![TaskKind::Classification], ..info },
            Labelling::Quintiles => MetricInfo {
                id: format!("{}_q5", info.id),
                doc: format!(
                    "{} For regression: classes are the fifths of the training labels, cut at their 20, 40, 60 and 80 % quantiles; \
                     a label that equals a cut is in the lower class, so that equal labels stay together.",
                    info.doc
                ),
                tasks: vec![TaskKind::Regression],
                ..info
            },
        }
    }
}

/// The doc of every error here.
macro_rules! jackknife_doc {
    () => {
        "`se_sample` is a jackknife over ten groups of molecules"
    };
}
pub(crate) use jackknife_doc;
