//! What the metrics of a plan cost, one by one, in gradient-equivalents: by a coarse rule before, by what past cells spent after.
//! For people to look at, never part of an identity.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::{Budget, CellOutput, CellReport, Measure, Scope};
use serde::Serialize;

use super::{Plan, bind::Draft};

/// A metric at a budget with its parameters: what decides how much it spends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    metric: String,
    budget: Budget,
    params: String,
}

impl Setting {
    fn of(spec: &Measure) -> Self {
        let params = serde_json::to_string(&spec.params).unwrap_or_default();
        Self { metric: spec.metric.clone(), budget: spec.budget, params }
    }
}

/// What finished cells of a setting spent.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spent {
    /// Cells.
    pub cells: usize,
    /// Mean of their gradient-equivalents.
    pub mean: f64,
    /// Largest of them.
    pub largest: f64,
}

/// What finished measurements spent, by setting.
#[derive(Debug, Clone, Default)]
pub(super) struct PastCosts(BTreeMap<Setting, Spent>);

impl PastCosts {
    /// Learns from a finished measurement.
    pub fn add(&mut self, spec: &Measure, report: &CellReport) {
        let CellOutput::Measure(output) = &report.output else { return };
        let cost = output.gradient_equivalents.0;
        if !cost.is_finite() {
            return;
        }
        let spent = self.0.entry(Setting::of(spec)).or_default();
        spent.cells += 1;
        spent.mean += (cost - spent.mean) / spent.cells as f64;
        spent.largest = spent.largest.max(cost);
    }
}

/// What a metric of a plan costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricCost {
    /// Its id, and what tells it apart where a suite has it twice: `loss/mlm_loss@quick,masks=4`.
    pub metric: String,
    /// What it looks at.
    pub scope: Scope,
    /// Its budget.
    pub budget: Budget,
    /// Cells that apply.
    pub cells: usize,
    /// Cells that do not apply.
    pub not_applicable: usize,
    /// Why not, each reason once.
    pub reasons: BTreeSet<String>,
    /// Gradient-equivalents of a cell by its cost class and budget.
    pub by_class: f64,
    /// What past cells of the same parameters and budget spent; none before there are any.
    pub spent: Option<Spent>,
    /// Gradient-equivalents of all cells: the mean of past cells, or the class, a cell.
    pub gradient_equivalents: f64,
}

impl Plan {
    /// The metrics in the order of their first cells.
    pub(super) fn metric_costs(&self, past: &PastCosts) -> Vec<MetricCost> {
        let mut places: BTreeMap<(&str, Setting), usize> = BTreeMap::new();
        let mut costs: Vec<MetricCost> = Vec::new();
        for cell in &self.cells {
            let Draft::Measure { spec, name, scope, .. } = &cell.draft else { continue };
            let setting = Setting::of(spec);
            let spent = past.0.get(&setting).copied();
            let place = *places.entry((name, setting)).or_insert_with(|| {
                costs.push(MetricCost {
                    metric: name.clone(),
                    scope: *scope,
                    budget: spec.budget,
                    cells: 0,
                    not_applicable: 0,
                    reasons: BTreeSet::new(),
                    by_class: cell.gradient_equivalents,
                    spent,
                    gradient_equivalents: 0.0,
                });
                costs.len() - 1
            });
            let cost = &mut costs[place];
            match &cell.not_applicable {
                Some(reason) => {
                    cost.not_applicable += 1;
                    cost.reasons.insert(reason.clone());
                }
                None => {
                    cost.cells += 1;
                    cost.gradient_equivalents += spent.map_or(cost.by_class, |spent| spent.mean);
                }
            }
        }
        costs
    }
}
