//! Metrics of a suite: selections resolved, parameters filled in.

use std::collections::HashSet;

use clmbench_protocol::{Budget, CostClass, MetricInfo, PluginFile, PluginRef, TaskKind};
use serde_json::{Map, Value};

use super::{PlanError, models::plain, params::fill};
use crate::{
    nearest::hint,
    plugins::{Offer, PluginSet},
    suite::{MetricEntry, Place, Suite, Which},
};

/// A metric with its parameters and budget.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    /// Part of a key, such as `loss.mlm_loss`.
    pub label: String,
    pub info: MetricInfo,
    pub plugin: PluginRef,
    pub file: PluginFile,
    pub params: Map<String, Value>,
    pub budget: Budget,
    /// Metrics at hand that differ from it in the binning of labels alone (`gbc` and `gbc_q5`), with the kinds of tasks they apply to.
    pub siblings: Vec<(String, Vec<TaskKind>)>,
    place: Place,
    given: Map<String, Value>,
}

/// Every metric that the suite names, in order. A metric named by `id` is not selected; one that several selections meet belongs to the
/// first.
pub(super) fn metrics(suite: &Suite, plugins: &PluginSet) -> Result<Vec<Metric>, PlanError> {
    let named: Vec<&str> = suite
        .metrics
        .iter()
        .filter_map(|entry| match &entry.which {
            Which::Id(id) => Some(id.as_str()),
            _ => None,
        })
        .collect();
    let mut metrics: Vec<Metric> = Vec::new();
    let mut selected: HashSet<String> = HashSet::new();
    for entry in &suite.metrics {
        let offers: Vec<Offer<'_, MetricInfo>> = match &entry.which {
            Which::Id(id) => {
                vec![plugins.metric(id).map_err(|source| PlanError::NotOffered { place: entry.place.clone(), source })?]
            }
            selection => select(selection, plugins, &entry.place)?
                .into_iter()
                .filter(|offer| !named.contains(&offer.info.id.as_str()) && selected.insert(offer.info.id.clone()))
                .collect(),
        };
        let mut declared: Vec<&str> =
            offers.iter().flat_map(|offer| &offer.info.parameters).map(|parameter| parameter.name.as_str()).collect();
        declared.sort_unstable();
        declared.dedup();
        if let (Some(key), false) = (unread(entry, &declared), offers.is_empty()) {
            let (place, hint) = (entry.place.clone(), hint(key, &declared));
            return Err(PlanError::UnreadParameter { place, key: key.clone(), hint });
        }
        for offer in offers {
            let siblings = siblings(&offer.info.id, plugins);
            let metric = metric(entry, offer, siblings)?;
            let twin = metrics.iter().find(|earlier| {
                earlier.info.id == metric.info.id && earlier.budget == metric.budget && earlier.params == metric.params
            });
            if let Some(earlier) = twin {
                return Err(PlanError::Same {
                    place: entry.place.clone(),
                    first: format!("{} on line {}", earlier.info.id, earlier.place.line),
                    second: metric.info.id,
                });
            }
            metrics.push(metric);
        }
    }
    name_variants(&mut metrics);
    Ok(metrics)
}

fn select<'a>(which: &Which, plugins: &'a PluginSet, place: &Place) -> Result<Vec<Offer<'a, MetricInfo>>, PlanError> {
    let family = |offer: &Offer<'a, MetricInfo>| offer.info.id.split_once('/').map_or("", |(family, _)| family);
    let selected: Vec<_> = plugins
        .metrics()
        .filter(|offer| match which {
            Which::All => true,
            Which::Cost(cost) => dearness(offer.info.cost) <= dearness(*cost),
            Which::Family(wanted) => family(offer) == wanted,
            Which::Id(id) => offer.info.id == *id,
        })
        .collect();
    if !selected.is_empty() {
        return Ok(selected);
    }
    let mut families: Vec<&str> = plugins.metrics().map(|offer| family(&offer)).collect();
    families.dedup();
    let (selection, hint) = match which {
        Which::Family(wanted) => (format!("family:{wanted}"), hint(wanted, &families)),
        Which::Cost(cost) => (format!("cost:{cost:?}").to_lowercase(), String::new()),
        Which::All | Which::Id(_) => ("all".into(), String::new()),
    };
    Err(PlanError::EmptySelection { place: place.clone(), selection, hint })
}

/// A parameter of a selection that none of its metrics has.
fn unread<'e>(entry: &'e MetricEntry, declared: &[&str]) -> Option<&'e String> {
    if matches!(entry.which, Which::Id(_)) {
        return None;
    }
    entry.params.keys().find(|key| !declared.contains(&key.as_str()))
}

/// What a table gives a metric: everything if it names it, else the parameters that it has.
fn given(entry: &MetricEntry, info: &MetricInfo) -> Map<String, Value> {
    let has = |key: &str| info.parameters.iter().any(|parameter| parameter.name == key);
    let all = matches!(entry.which, Which::Id(_));
    entry.params.iter().filter(|(key, _)| all || has(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The id without the number of bins at its end.
fn unbinned(id: &str) -> &str {
    match id.rsplit_once("_q") {
        Some((stem, bins)) if !bins.is_empty() && bins.bytes().all(|byte| byte.is_ascii_digit()) => stem,
        _ => id,
    }
}

fn siblings(id: &str, plugins: &PluginSet) -> Vec<(String, Vec<TaskKind>)> {
    let others = plugins.metrics().filter(|offer| offer.info.id != id && unbinned(&offer.info.id) == unbinned(id));
    others.map(|offer| (offer.info.id.clone(), offer.info.tasks.clone())).collect()
}

fn metric(
    entry: &MetricEntry,
    offer: Offer<'_, MetricInfo>,
    siblings: Vec<(String, Vec<TaskKind>)>,
) -> Result<Metric, PlanError> {
    let owner = format!("metric `{}`", offer.info.id);
    let given = given(entry, offer.info);
    Ok(Metric {
        label: plain(&offer.info.id.replace('/', ".")),
        params: fill(&owner, &offer.info.parameters, &given, &entry.place)?,
        info: offer.info.clone(),
        plugin: offer.plugin.reference(),
        file: offer.plugin.file(),
        budget: entry.budget,
        siblings,
        place: entry.place.clone(),
        given,
    })
}

/// Tells a metric's variants apart by what the suite says of them: `loss.mlm_loss@quick,probes=8`.
fn name_variants(metrics: &mut [Metric]) {
    let labels: Vec<String> = metrics.iter().map(|metric| metric.label.clone()).collect();
    for metric in metrics {
        if labels.iter().filter(|label| **label == metric.label).count() > 1 {
            let budget = format!("{:?}", metric.budget).to_lowercase();
            let given = metric.given.iter().map(|(key, value)| format!(",{key}={value}"));
            metric.label = format!("{}@{budget}{}", metric.label, given.collect::<String>());
        }
    }
}

fn dearness(cost: CostClass) -> u8 {
    match cost {
        CostClass::Free => 0,
        CostClass::Cheap => 1,
        CostClass::Moderate => 2,
        CostClass::Expensive => 3,
    }
}

/// Estimated cost in gradients over the evaluation sample; the rule is documented at
/// [`super::Plan::gradient_equivalents`].
pub(super) fn gradient_equivalents(cost: CostClass, budget: Budget) -> f64 {
    let usual: f64 = match cost {
        CostClass::Free => 0.0,
        CostClass::Cheap => 1.0,
        CostClass::Moderate => 100.0,
        CostClass::Expensive => 1000.0,
    };
    usual.min(budget.gradient_equivalents())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_stand_at_the_end_of_an_id() {
        assert_eq!(
            ["a/gbc", "a/gbc_q5", "a/gbc_q10", "a/gbc_quick", "a/gbc_q"].map(unbinned),
            ["a/gbc", "a/gbc", "a/gbc", "a/gbc_quick", "a/gbc_q"]
        );
    }

    #[test]
    fn no_metric_costs_more_than_its_budget() {
        let costs = |budget| {
            [CostClass::Free, CostClass::Cheap, CostClass::Moderate, CostClass::Expensive]
                .map(|cost| gradient_equivalents(cost, budget))
        };
        assert_eq!(costs(Budget::Quick), [0.0, 1.0, 20.0, 20.0]);
        assert_eq!(costs(Budget::Standard), [0.0, 1.0, 100.0, 100.0]);
        assert_eq!(costs(Budget::Thorough), [0.0, 1.0, 100.0, 1000.0]);
    }
}
