//! Seconds of the resampling statistics for 50 metrics x 20 tasks over 32 runs, on two threads: one JSON line each.
//!
//! `cargo run --release -p clmbench-analysis --example statistics_speed`
#![allow(clippy::print_stdout)]

use std::time::Instant;

use clmbench_stats::{
    Column, Noisy, Source, Task, TwoWay, attenuation_intervals, gain, generator, joint_permutation_test, permutation_test,
    rank_stability, resampled_counts, selection, spearman_interval, two_way_bootstrap, two_way_interval,
};
use rand::Rng;
use rayon::prelude::*;

const RUNS: usize = 32;
const METRICS: usize = 50;
const TASKS: usize = 20;

fn columns(count: usize, label: &str) -> Vec<Vec<f64>> {
    let mut rng = generator(1, label);
    (0..count).map(|_| (0..RUNS).map(|_| rng.random::<f64>()).collect()).collect()
}

/// Times `count` computations and prints what they were; `work` says whether one gave a value.
fn timed(what: &str, count: usize, work: impl Fn(usize) -> bool + Sync) {
    let start = Instant::now();
    let done = (0..count).into_par_iter().filter(|&number| work(number)).count();
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "what": what, "count": count, "values": done, "seconds": seconds }));
}

fn main() -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global()?;
    let (metrics, scores) = (columns(METRICS, "metrics"), columns(TASKS, "scores"));
    let of = |number: usize| (&metrics[number % METRICS], &scores[number / METRICS]);
    let stream = |what: &str, number: usize| generator(2, &format!("{what} {number}"));
    let tasks = |metric: usize| -> Vec<Task<'_>> {
        scores.iter().map(|score| Task { name: "task", metric: &metrics[metric], score }).collect()
    };
    let fits = METRICS * TASKS;
    timed("permutation test of r, 9,999 orders", fits, |number| {
        let (metric, score) = of(number);
        permutation_test(metric, score, &mut stream("permutation", number)).is_ok()
    });
    timed("interval of r, 4,999 resamples", fits, |number| {
        let (metric, score) = of(number);
        spearman_interval(metric, score, &mut stream("interval", number)).is_ok()
    });
    let trivial = columns(3, "trivial");
    timed("gain and its interval, 1,999 resamples", fits, |number| {
        let (metric, score) = of(number);
        let trivial: Vec<Column<'_>> =
            ["size", "tokens", "corpus"].iter().zip(&trivial).map(|(name, values)| Column { name, values }).collect();
        gain(score, metric, &trivial, &mut stream("gain", number)).is_ok()
    });
    let (errors, groups) = (vec![0.05; RUNS], (0..RUNS).map(|run| run / 2).collect::<Vec<usize>>());
    timed("reliabilities and disattenuated r, 999 resamples from either source", fits, |number| {
        let (metric, score) = of(number);
        let noisy = Noisy { metric, metric_errors: &errors, score, score_errors: &errors, groups: &groups };
        [Source::Seeds, Source::Errors]
            .into_iter()
            .any(|source| attenuation_intervals(&noisy, source, &mut stream("reliability", number)).is_ok())
    });
    timed("regret and recall of one and three", fits, |number| {
        let (metric, score) = of(number);
        [1, 3].into_iter().all(|k| selection(metric, score, k).is_ok())
    });
    timed("joint permutation test over 20 tasks, 9,999 orders", METRICS, |metric| {
        joint_permutation_test(&tasks(metric), &mut stream("joint", metric)).is_ok()
    });
    timed("two-way interval over 20 tasks, 1,999 resamples", METRICS, |metric| {
        two_way_interval(&tasks(metric), two_way_bootstrap::RESAMPLES, &mut stream("two-way", metric)).is_ok()
    });
    timed("stability of the ranking of 50 metrics over 20 tasks, 999 resamples", 1, |_| {
        let all: Vec<TwoWay> = (0..METRICS).filter_map(|metric| TwoWay::new(&tasks(metric)).ok()).collect();
        let full: Vec<f64> = all.iter().filter_map(|one| one.mean(&[1; RUNS], &[1; TASKS])).collect();
        let draws: Vec<Vec<Option<f64>>> = (0..999)
            .into_par_iter()
            .map(|draw| {
                let mut rng = stream("stability", draw);
                let (runs, tasks) = (resampled_counts(RUNS, &mut rng), resampled_counts(TASKS, &mut rng));
                all.iter().map(|one| one.mean(&runs, &tasks)).collect()
            })
            .collect();
        rank_stability(&full, &draws).is_ok()
    });
    Ok(())
}
