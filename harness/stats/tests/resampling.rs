//! Agreement with numpy, scipy and statsmodels on stored values (`fixtures/resampling.py` writes them).
#![allow(clippy::unwrap_used, missing_docs)]

use clmbench_stats::{
    Task, broken_line, generator, joint_permutation_test, pooled_spearman, rank_stability,
    reliability::{intraclass_correlation, reliability_from_errors},
};
use serde_json::Value;

fn cases(name: &str) -> Vec<Value> {
    let golden: Value = serde_json::from_str(include_str!("fixtures/resampling.json")).unwrap();
    golden[name].as_array().unwrap().clone()
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|entry| entry.as_f64().unwrap()).collect()
}

fn lists(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(list).collect()
}

#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(error <= 1e-8 * expected.abs().max(1.0), "{what}: {found} against {expected}");
}

#[track_caller]
fn all_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    found.iter().zip(expected).for_each(|(found, expected)| close(*found, *expected, what));
}

#[test]
fn pooled_over_tasks_as_every_order_looked_at_by_scipy() {
    let cases = cases("pooled");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let (metric, score) = (lists(&case["metric"]), lists(&case["score"]));
        let tasks: Vec<Task<'_>> =
            metric.iter().zip(&score).map(|(metric, score)| Task { name: "task", metric, score }).collect();
        let pooled = pooled_spearman(&tasks).unwrap();
        all_close(&pooled.per_task, &list(&case["per_task"]), "rho of each task");
        close(pooled.mean, case["mean"].as_f64().unwrap(), "mean rho");
        let test = joint_permutation_test(&tasks, &mut generator(1, "unused")).unwrap();
        assert!(test.exact);
        close(test.p_value, case["p_value"].as_f64().unwrap(), "joint p");
    }
}

#[test]
fn random_orders_approach_the_exact_p() {
    // Nine runs are too many for the exact test; here all their orders are looked at.
    let metric = [0.3, 1.2, -0.4, 2.2, 0.9, -1.5, 0.1, 1.1, -0.7];
    let scores = [[0.1, 0.9, -0.2, 0.4, 1.4, -0.3, 0.8, 0.2, -1.0], [1.0, 0.2, 0.3, 0.8, -0.1, -0.6, 0.5, 0.4, -0.9]];
    let tasks: Vec<Task<'_>> = scores.iter().map(|score| Task { name: "task", metric: &metric, score }).collect();
    let observed = pooled_spearman(&tasks).unwrap().mean.abs();
    let found = joint_permutation_test(&tasks, &mut generator(1, "orders")).unwrap();
    assert!(!found.exact && found.orders == 9_999);
    let (mut extreme, mut all) = (0u32, 0u32);
    let mut order = metric;
    permutations(&mut order, 9, &mut |order: &[f64; 9]| {
        let moved: Vec<Task<'_>> = scores.iter().map(|score| Task { name: "task", metric: order, score }).collect();
        all += 1;
        extreme += u32::from(pooled_spearman(&moved).unwrap().mean.abs() >= observed - 1e-9);
    });
    assert_eq!(all, 362_880);
    let exact = f64::from(extreme) / f64::from(all);
    let error = (exact * (1.0 - exact) / 9_999.0).sqrt();
    assert!((found.p_value - exact).abs() < 4.0 * error, "{} against {exact}", found.p_value);
}

/// Heap's algorithm, written anew.
fn permutations(items: &mut [f64; 9], size: usize, visit: &mut impl FnMut(&[f64; 9])) {
    if size == 1 {
        return visit(items);
    }
    for index in 0..size {
        permutations(items, size - 1, visit);
        items.swap(if size.is_multiple_of(2) { index } else { 0 }, size - 1);
    }
}

#[test]
fn reliabilities_as_the_analysis_of_variance() {
    let cases_of = cases("seeds");
    assert_eq!(cases_of.len(), 4);
    for case in cases_of {
        let groups: Vec<usize> = list(&case["groups"]).iter().map(|group| *group as usize).collect();
        close(intraclass_correlation(&list(&case["values"]), &groups).unwrap(), case["value"].as_f64().unwrap(), "ICC(1)");
    }
    for case in cases("errors") {
        let found = reliability_from_errors(&list(&case["values"]), &list(&case["std_errors"])).unwrap();
        close(found, case["value"].as_f64().unwrap(), "reliability from errors");
    }
}

#[test]
fn the_best_knee_as_statsmodels_at_every_run() {
    let cases = cases("broken");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let found = broken_line(&list(&case["x"]), &list(&case["y"])).unwrap();
        let expected = ["knee", "height", "before", "past", "squares"].map(|name| case[name].as_f64().unwrap());
        all_close(&[found.knee, found.height, found.before, found.past, found.squares], &expected, "broken line");
    }
}

#[test]
fn spreads_of_ranks_as_scipy() {
    for case in cases("rankings") {
        let draws: Vec<Vec<Option<f64>>> =
            lists(&case["draws"]).into_iter().map(|draw| draw.into_iter().map(Some).collect()).collect();
        let found = rank_stability(&list(&case["full"]), &draws).unwrap();
        let pick = |get: fn(&clmbench_stats::RankSpread) -> f64| found.entries.iter().map(get).collect::<Vec<f64>>();
        all_close(&pick(|entry| entry.mean), &list(&case["mean"]), "mean rank");
        all_close(&pick(|entry| entry.low90), &list(&case["low90"]), "best rank at 90 %");
        all_close(&pick(|entry| entry.high95), &list(&case["high95"]), "worst rank at 95 %");
        all_close(&pick(|entry| entry.top1), &list(&case["top1"]), "first");
        all_close(&pick(|entry| entry.top3), &list(&case["top3"]), "among three");
        close(found.tau, case["tau"].as_f64().unwrap(), "mean tau");
    }
}
