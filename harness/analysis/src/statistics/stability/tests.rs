#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    fit::fit_rows,
    inputs::Inputs,
    sample::{metric_info, metric_row, score_row, suite},
    statistics::fitted,
};

fn of(inputs: &Inputs) -> Vec<StatisticRow> {
    let fits = fit_rows(inputs).unwrap();
    let fitted = fitted(inputs, &fits).unwrap();
    rows(&OverTasks::all(&fitted))
}

fn named<'r>(rows: &'r [StatisticRow], metric: &str, name: &str) -> &'r StatisticRow {
    rows.iter().find(|row| row.metric.as_deref() == Some(metric) && row.name == name).unwrap()
}

/// Two tasks that the loss ranks well, and a metric that is noise.
fn two_tasks(n: usize) -> Inputs {
    let mut inputs = suite(n);
    inputs.infos.push(metric_info("loss/noise"));
    for number in 0..n {
        let run = format!("run{number:03}");
        let mut row = score_row(&run, 5.0 - 0.1 * number as f64 + 0.05 * ((number * 5) % 7) as f64);
        row.dataset = "esol".into();
        (row.data_digest, row.split_digest) = ("esol data".into(), "esol split".into());
        inputs.scores.push(row);
        inputs.metrics.push(metric_row(&run, "loss/noise", ((number * 11) % 17) as f64));
    }
    inputs
}

#[test]
fn a_clear_winner_stays_first() {
    let rows = of(&two_tasks(24));
    assert_eq!(rows.len(), 17, "three a metric and one of the ranking, by r of three metrics and by gain of two");
    let loss = named(&rows, "loss/mlm_loss", "mean_rank");
    assert!(loss.value.unwrap() < 1.01 && loss.high90 == Some(1.0), "{loss:?}");
    assert!(named(&rows, "loss/mlm_loss", "top1").value.unwrap() > 0.99);
    assert!(named(&rows, "loss/noise", "mean_rank").value.unwrap() > 2.0);
    assert_eq!(named(&rows, "loss/noise", "top3").value, Some(1.0));
    let chances: f64 = rows.iter().filter(|row| row.name == "top1").map(|row| row.value.unwrap()).sum();
    assert!((chances - 1.0).abs() < 1e-9, "one of them is first");
    let tau = rows.iter().find(|row| row.name == "kendall_tau").unwrap();
    assert!(tau.metric.is_none() && tau.value.unwrap() > 0.3 && tau.low90 <= tau.value && tau.value <= tau.high90);
}

#[test]
fn metrics_that_agree_everywhere_share_the_first_place() {
    let mut inputs = two_tasks(24);
    for number in 0..24 {
        let loss =
            inputs.metrics.iter().find(|row| row.metric == "loss/mlm_loss" && row.run == format!("run{number:03}")).unwrap();
        let twin = metric_row(&format!("run{number:03}"), "loss/twin", 2.0 * loss.value);
        inputs.metrics.push(twin);
    }
    inputs.infos.push(metric_info("loss/twin"));
    let rows = of(&inputs);
    let (loss, twin) = (named(&rows, "loss/mlm_loss", "top1"), named(&rows, "loss/twin", "top1"));
    assert!((loss.value.unwrap() - twin.value.unwrap()).abs() < 1e-9 && loss.value.unwrap() < 0.51);
    assert!(named(&rows, "loss/twin", "mean_rank").value.unwrap() >= 1.5);
}

/// A metric on two of three tasks is not ranked beside those on all, and one with few runs takes none from the others.
#[test]
fn ranked_on_the_same_tasks_and_runs() {
    let mut inputs = two_tasks(24);
    for number in 0..24 {
        let mut row = score_row(&format!("run{number:03}"), 4.0 - 0.1 * number as f64 + 0.05 * ((number * 3) % 7) as f64);
        row.dataset = "lipo".into();
        (row.data_digest, row.split_digest) = ("lipo data".into(), "lipo split".into());
        inputs.scores.push(row);
    }
    let before = of(&inputs);
    for name in ["loss/partial", "loss/seldom"] {
        inputs.infos.push(metric_info(name));
    }
    for number in 0..24 {
        let run = format!("run{number:03}");
        if number < 12 {
            inputs.metrics.push(metric_row(&run, "loss/seldom", number as f64));
        }
        for dataset in ["esol", "lipo"] {
            let mut row = metric_row(&run, "loss/partial", number as f64);
            row.dataset = Some((format!("{dataset} data"), format!("{dataset} split"), "expt".into()));
            inputs.metrics.push(row);
        }
    }
    let rows = of(&inputs);
    let partial = named(&rows, "loss/partial", "mean_rank");
    let reason = "the ranking is over 3 tasks, and it has no r on 1 of them (freesolv/expt the first)";
    assert_eq!((partial.value, partial.reason.as_deref()), (None, Some(reason)));
    let seldom = named(&rows, "loss/seldom", "top1");
    assert_eq!((seldom.n, seldom.refusal.as_deref()), (12, Some("too_few")));
    for name in ["mean_rank", "top1"] {
        let (loss, alone) = (named(&rows, "loss/mlm_loss", name), named(&before, "loss/mlm_loss", name));
        assert_eq!((loss.value, loss.low90), (alone.value, alone.low90), "the others stay as they are without them");
    }
}

#[test]
fn refused_below_eight_runs_and_with_one_task() {
    let rows = of(&two_tasks(7));
    assert!(rows.len() == 15 && rows.iter().all(|row| row.refusal.as_deref() == Some("too_few")));
    let one = of(&suite(12));
    assert!(one.len() == 9 && one.iter().all(|row| row.value.is_none() && row.refusal.is_some()), "{one:?}");
}

#[test]
fn by_gain_what_adds_to_size_is_first_and_trivial_predictors_are_not_ranked() {
    let mut inputs = two_tasks(24);
    inputs.infos.push(metric_info("loss/adds"));
    for number in 0..24 {
        // What the size does not tell of either score: its own order, in which r sees less than in the loss.
        let score = |dataset: &str| {
            let of_run = |row: &&clmbench_store::ScoreRow| row.dataset == dataset && row.run == format!("run{number:03}");
            inputs.scores.iter().find(of_run).unwrap().value
        };
        let value = -score("freesolv") - score("esol") + 0.02 * ((number * 7) % 5) as f64;
        inputs.metrics.push(metric_row(&format!("run{number:03}"), "loss/adds", -value));
    }
    let rows = of(&inputs);
    let adds = named(&rows, "loss/adds", "gain_mean_rank");
    assert!(adds.value.unwrap() < 1.3 && adds.low90 == Some(1.0), "{adds:?}");
    let noise = named(&rows, "loss/noise", "gain_mean_rank");
    assert!(noise.value.unwrap() > 2.7, "{noise:?}");
    assert!(!rows.iter().any(|row| row.metric.as_deref() == Some("trivial/parameters") && row.name.starts_with("gain")));
    let first: f64 = rows.iter().filter(|row| row.name == "gain_top1").map(|row| row.value.unwrap()).sum();
    assert!((first - 1.0).abs() < 1e-9);
    let tau = rows.iter().find(|row| row.name == "gain_kendall_tau").unwrap();
    assert!(tau.metric.is_none() && tau.value.unwrap() > 0.5);
}
