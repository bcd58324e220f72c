//! What each metric of a suite costs, in gradient-equivalents: the table under a plan.

use std::collections::BTreeMap;

use clmbench_report::Style;
use clmbench_runner::plan::MetricCost;

/// Below so many columns the scope is left out, so that names stay whole.
const NARROW: usize = 100;

/// The cost of all metrics in a few words; none where no metric takes a pass through a model.
pub(super) fn in_all(costs: &[MetricCost]) -> Option<String> {
    let applicable: Vec<&MetricCost> = costs.iter().filter(|cost| cost.cells > 0).collect();
    let total: f64 = applicable.iter().map(|cost| cost.gradient_equivalents).sum();
    let known = applicable.iter().filter(|cost| cost.spent.is_some()).count();
    let total = number(total);
    match known {
        _ if total == "0" => None,
        0 => Some(format!("metrics about {total} gradient-equivalents by their cost class")),
        known if known == applicable.len() => Some(format!("metrics about {total} gradient-equivalents, as past cells spent")),
        known => Some(format!(
            "metrics about {total} gradient-equivalents ({known} of {} as past cells spent, the others by their cost class)",
            applicable.len()
        )),
    }
}

/// The metrics that cost something as a table, the dearest first, and notes (label, text) on the rest.
pub(super) fn page(costs: &[MetricCost], style: Style) -> (String, Vec<(&'static str, String)>) {
    let mut dear: Vec<&MetricCost> = costs.iter().filter(|cost| cost.cells > 0 && cost.gradient_equivalents > 0.0).collect();
    dear.sort_by(|left, right| right.gradient_equivalents.total_cmp(&left.gradient_equivalents));
    let budgets: Vec<String> = dear.iter().map(|cost| format!("{:?}", cost.budget).to_lowercase()).collect();
    let several = budgets.iter().any(|budget| *budget != budgets[0]);
    let wide = style.width >= NARROW;
    let mut headers = vec!["metric"];
    headers.extend(wide.then_some("scope"));
    headers.extend(several.then_some("budget"));
    headers.extend(["cells", "a cell", "in all", "told by"]);
    let row = |(cost, budget): (&&MetricCost, &String)| {
        let mut row = vec![cost.metric.clone()];
        row.extend(wide.then(|| cost.scope.word().to_owned()));
        row.extend(several.then(|| budget.clone()));
        let (a_cell, by) = match &cost.spent {
            Some(spent) => (spent.mean, crate::units::counted(spent.cells, "past cell")),
            None => (cost.by_class, "class".to_owned()),
        };
        row.extend([cost.cells.to_string(), number(a_cell), number(cost.gradient_equivalents), by]);
        row
    };
    let rows: Vec<Vec<String>> = dear.iter().zip(&budgets).map(row).collect();
    let table = if rows.is_empty() { String::new() } else { clmbench_report::table_in(&headers, &rows, style) };
    let mut notes = Vec::new();
    if !rows.is_empty() {
        let which = "gradients over the whole held-out sample (a forward pass is a third). By class: what such a metric takes, \
                     at most its budget, which the last step of some goes over";
        notes.push(("cost in", which.to_owned()));
    }
    let free: Vec<&str> =
        costs.iter().filter(|cost| cost.cells > 0 && cost.gradient_equivalents <= 0.0).map(|cost| cost.metric.as_str()).collect();
    if !free.is_empty() {
        notes.push(("free", format!("{}: {}", crate::units::counted(free.len(), "metric"), families(&free))));
    }
    let without: Vec<&MetricCost> = costs.iter().filter(|cost| cost.cells == 0).collect();
    for (index, cost) in without.iter().enumerate() {
        let reason = cost.reasons.iter().next().map_or("", String::as_str);
        notes.push((if index == 0 { "without" } else { "" }, reason.to_owned()));
    }
    (table, notes)
}

/// `representation/rankme, alpha_req; trivial/parameters`.
fn families(ids: &[&str]) -> String {
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for id in ids {
        let (family, name) = id.split_once('/').unwrap_or(("", id));
        families.entry(family).or_default().push(name);
    }
    families.iter().map(|(family, names)| format!("{family}/{}", names.join(", "))).collect::<Vec<_>>().join("; ")
}

/// Three digits or so.
fn number(value: f64) -> String {
    match value {
        value if value <= 0.0 => "0".to_owned(),
        value if value < 0.1 => format!("{value:.3}"),
        value if value < 10.0 && value.fract() != 0.0 => format!("{value:.2}"),
        value if value < 100.0 && value.fract() != 0.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clmbench_protocol::{Budget, Scope};
    use clmbench_runner::plan::Spent;

    use super::*;

    fn cost(metric: &str, cells: usize, by_class: f64, spent: Option<f64>) -> MetricCost {
        MetricCost {
            metric: metric.into(),
            scope: Scope::Checkpoint,
            budget: Budget::Quick,
            cells,
            not_applicable: usize::from(cells == 0),
            reasons: if cells == 0 { BTreeSet::from([format!("`{metric}` needs two seeds")]) } else { BTreeSet::new() },
            by_class,
            spent: spent.map(|mean| Spent { cells: 12, mean, largest: mean }),
            gradient_equivalents: cells as f64 * spent.unwrap_or(by_class),
        }
    }

    #[test]
    fn the_dearest_stand_first_and_the_free_in_one_line() {
        let costs = [
            cost("loss/mlm_loss", 8, 1.0, Some(0.6667)),
            cost("hessian/trace", 8, 20.0, None),
            cost("trivial/tokens", 8, 0.0, None),
            cost("representation/rankme", 8, 0.0, Some(0.0)),
            cost("trivial/flops", 8, 0.0, None),
            cost("landscape/barrier", 0, 20.0, None),
        ];
        let (table, notes) = page(&costs, Style::ascii(80));
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1].join(" "), "metric cells a cell in all told by");
        assert_eq!(rows[3], ["hessian/trace", "8", "20", "160", "class"]);
        assert_eq!(rows[4], ["loss/mlm_loss", "8", "0.67", "5.33", "12", "past", "cells"]);
        assert_eq!(notes[1], ("free", "3 metrics: representation/rankme; trivial/tokens, flops".to_owned()));
        assert_eq!(notes[2], ("without", "`landscape/barrier` needs two seeds".to_owned()));
        assert!(page(&costs, Style::ascii(120)).0.contains("scope"));
        assert_eq!(
            in_all(&costs).as_deref(),
            Some("metrics about 165 gradient-equivalents (2 of 5 as past cells spent, the others by their cost class)")
        );
        assert_eq!(in_all(&costs[1..3]).as_deref(), Some("metrics about 160 gradient-equivalents by their cost class"));
        assert_eq!(in_all(&costs[..1]).as_deref(), Some("metrics about 5.33 gradient-equivalents, as past cells spent"));
        assert_eq!((in_all(&costs[2..5]), in_all(&costs[5..])), (None, None));
    }
}
