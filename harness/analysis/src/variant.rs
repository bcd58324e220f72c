//! Names of metrics in tables: the id, and what tells two settings of one metric in one suite apart.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::{Budget, Measure};
use clmbench_store::MetricRow;
use serde_json::{Map, Value};

/// One setting of one metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Variant {
    pub metric: String,
    pub params_json: String,
    pub budget: Budget,
}

impl Variant {
    pub fn of(row: &MetricRow) -> Self {
        Self { metric: row.metric.clone(), params_json: row.params_json.clone(), budget: row.budget }
    }

    pub fn of_spec(spec: &Measure) -> Self {
        // As the store writes the parameters of a measured value.
        let params_json = serde_json::to_string(&spec.params).unwrap_or_default();
        Self { metric: spec.metric.clone(), params_json, budget: spec.budget }
    }
}

/// Every setting with its name: `family/name`, or `family/name[probes=8, budget=quick]` where a suite
/// crosses several.
pub(crate) fn variants(all: impl Iterator<Item = Variant>) -> BTreeMap<Variant, String> {
    let all: BTreeSet<Variant> = all.collect();
    all.iter().map(|variant| (variant.clone(), name(variant, &all))).collect()
}

fn name(variant: &Variant, all: &BTreeSet<Variant>) -> String {
    let parameters = |variant: &Variant| {
        let mut map: Map<String, Value> = serde_json::from_str(&variant.params_json).unwrap_or_default();
        map.insert("budget".to_owned(), serde_json::to_value(variant.budget).unwrap_or_default());
        map
    };
    let own = parameters(variant);
    let siblings: Vec<Map<String, Value>> = all.iter().filter(|other| other.metric == variant.metric).map(parameters).collect();
    let differing: Vec<String> = own
        .iter()
        .filter(|(key, value)| siblings.iter().any(|other| other.get(*key) != Some(*value)))
        .map(|(key, value)| format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    if differing.is_empty() { variant.metric.clone() } else { format!("{}[{}]", variant.metric, differing.join(", ")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let row = |metric: &str, params: &str, budget| {
            let mut row = crate::sample::metric_row("run", metric, 1.0);
            row.params_json = params.into();
            row.budget = budget;
            row
        };
        let rows = [
            row("a/one", r#"{"probes":8,"method":"x"}"#, Budget::Quick),
            row("a/one", r#"{"probes":16,"method":"x"}"#, Budget::Quick),
            row("b/two", "{}", Budget::Quick),
            row("c/three", "{}", Budget::Quick),
            row("c/three", "{}", Budget::Standard),
        ];
        let names: Vec<String> = variants(rows.iter().map(Variant::of)).into_values().collect();
        assert_eq!(names, ["a/one[probes=16]", "a/one[probes=8]", "b/two", "c/three[budget=quick]", "c/three[budget=standard]"]);
    }
}
