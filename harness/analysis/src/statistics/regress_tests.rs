//! Tests of regression, influence, q2, correlation, stratum and elastic_net: rows of made-up suites, against what they were made of.
#![allow(clippy::unwrap_used)]

use clmbench_stats::{Column, multiple_regression, ols, pearson, q2_by_groups, spearman};
use clmbench_store::StatisticRow;

use super::{Fitted, correlation, covariates::Losses, elastic_net, fitted, influence, q2, regression, statistic_rows, stratum};
use crate::{
    fit::fit_rows,
    inputs::Inputs,
    sample::{metric_info, metric_row, run_row, score_row, suite},
};

/// Rows of the fits of one metric.
fn of(inputs: &Inputs, metric: &str, rows: impl Fn(&Fitted<'_>) -> Vec<StatisticRow>) -> Vec<StatisticRow> {
    let fits = fit_rows(inputs).unwrap();
    let all = fitted(inputs, &fits).unwrap();
    all.iter().filter(|fit| fit.row.metric == metric).flat_map(rows).collect()
}

#[track_caller]
fn named<'a>(rows: &'a [StatisticRow], name: &str) -> &'a StatisticRow {
    let mut found = rows.iter().filter(|row| row.name == name);
    let row = found.next().unwrap();
    assert!(found.next().is_none(), "one `{name}`");
    row
}

fn details(row: &StatisticRow) -> serde_json::Value {
    serde_json::from_str(row.details_json.as_ref().unwrap()).unwrap()
}

#[test]
fn the_slope_is_that_of_the_fit() {
    let inputs = suite(24);
    let fit = fit_rows(&inputs).unwrap().into_iter().find(|row| row.metric == "loss/mlm_loss").unwrap();
    let rows = of(&inputs, "loss/mlm_loss", regression::rows);
    let slope = named(&rows, "slope");
    let close = |found: Option<f64>, wanted: Option<f64>| assert!((found.unwrap() - wanted.unwrap()).abs() < 1e-12);
    close(slope.value, fit.slope);
    close(slope.std_error, fit.std_error);
    close(slope.low95, fit.ci_low);
    close(slope.high95, fit.ci_high);
    assert!(slope.low95 < slope.low90 && slope.low90 < slope.value && slope.p_raw.unwrap() < 1e-6);
    assert_eq!((slope.n, slope.kind.as_str(), slope.dataset.as_deref()), (24, "regression", Some("freesolv")));
    let robust = named(&rows, "slope_hc3");
    assert!(robust.value == slope.value && robust.std_error != slope.std_error);
    let scores: Vec<f64> = inputs.scores.iter().map(|row| -row.value).collect();
    let mean = scores.iter().sum::<f64>() / 24.0;
    assert!((named(&rows, "intercept").value.unwrap() - mean).abs() < 1e-12, "the score of an average metric");
}

#[test]
fn the_multiple_regression_holds_size_and_corpus_fixed() {
    let inputs = suite(24);
    let rows = of(&inputs, "loss/mlm_loss", regression::rows);
    let terms: Vec<&str> = rows.iter().filter(|row| row.name == "coefficient").map(|row| row.term.as_deref().unwrap()).collect();
    assert_eq!(terms, ["log non-embedding parameters", "log corpus size", "metric"]);
    let whole = named(&rows, "multiple_r2");
    assert_eq!(details(whole)["dropped"][0], "log tokens");
    // The oracle in raw units: t and R2 do not depend on them.
    let size: Vec<f64> = inputs.runs.iter().map(|run| (run.non_embedding_parameters as f64).ln()).collect();
    let corpus: Vec<f64> = inputs.runs.iter().map(|run| (run.corpus_molecules.unwrap() as f64).ln()).collect();
    let metric: Vec<f64> = inputs.metrics.iter().filter(|row| row.metric == "loss/mlm_loss").map(|row| -row.value).collect();
    let score: Vec<f64> = inputs.scores.iter().map(|row| -row.value).collect();
    let column = |name, values| Column { name, values };
    let all = [column("size", &size[..]), column("corpus", &corpus), column("metric", &metric)];
    let oracle = multiple_regression(&all, &score, 0.95).unwrap();
    let without = ols(&all[..2], &score, 0.95).unwrap();
    assert!((whole.value.unwrap() - oracle.r2).abs() < 1e-12);
    let last = |name: &str| rows.iter().rfind(|row| row.name == name).unwrap();
    assert!((last("coefficient").p_raw.unwrap() - oracle.coefficients[3].p_value).abs() < 1e-12);
    let share = last("partial_r2");
    assert!((share.value.unwrap() - (1.0 - (1.0 - oracle.r2) / (1.0 - without.r2))).abs() < 1e-9);
    assert!(share.low95.unwrap() <= share.value.unwrap() && share.value.unwrap() <= share.high95.unwrap());
}

#[test]
fn small_and_collinear_designs_say_what_they_lack() {
    let rows = of(&suite(12), "loss/mlm_loss", regression::rows);
    let refused = named(&rows, "multiple_r2");
    assert_eq!(refused.refusal.as_deref(), Some("too_few"));
    assert_eq!(refused.reason.as_deref(), Some("a multiple regression on 3 columns needs 20 runs and has 12"));
    assert_eq!(named(&rows, "slope_hc3").reason.as_deref(), Some("an HC3 standard error needs 20 runs and has 12"));
    let six = of(&suite(6), "loss/mlm_loss", regression::rows);
    let slope = named(&six, "slope");
    assert!(slope.std_error.is_some() && slope.low95.is_none() && slope.reason.as_ref().unwrap().contains("needs 8"));
    let rows = of(&suite(24), "trivial/parameters", regression::rows);
    let refused = named(&rows, "multiple_r2");
    assert_eq!(refused.refusal.as_deref(), Some("rank_deficient"));
    assert!(refused.reason.as_ref().unwrap().starts_with("`trivial/parameters` is a linear combination"));
}

#[test]
fn the_run_that_was_moved_is_the_influential_one() {
    let mut inputs = suite(24);
    let moved = inputs.runs[23].clone();
    inputs.scores[23].value += 1.0;
    let rows = of(&inputs, "loss/mlm_loss", influence::rows);
    let largest = rows.iter().filter(|row| row.name == "cooks_distance").max_by(|a, b| a.value.partial_cmp(&b.value).unwrap());
    let largest = largest.unwrap();
    assert_eq!((largest.term.as_deref(), largest.verdict.as_deref()), (Some(moved.label.as_str()), Some("influential")));
    let residual = named(&rows, "largest_studentised_residual");
    assert!(residual.value.unwrap() < -4.0 && residual.p_value.unwrap() < 0.01, "an error that is larger is a worse score");
    assert_eq!(rows.iter().filter(|row| row.name == "cooks_distance").count(), 24);
    assert!(details(largest)["leverage"].as_f64().unwrap() <= named(&rows, "largest_leverage").value.unwrap());
}

#[test]
fn q2_without_a_run_is_that_of_the_fit_and_without_a_size_by_refitting() {
    let inputs = suite(24);
    let fit = fit_rows(&inputs).unwrap().into_iter().find(|row| row.metric == "loss/mlm_loss").unwrap();
    let rows = of(&inputs, "loss/mlm_loss", q2::rows);
    let run = named(&rows, "leave_one_run_out");
    assert!((run.value.unwrap() - fit.q2.unwrap()).abs() < 1e-12 && run.std_error.unwrap() > 0.0);
    let metric: Vec<f64> = inputs.metrics.iter().filter(|row| row.metric == "loss/mlm_loss").map(|row| -row.value).collect();
    let score: Vec<f64> = inputs.scores.iter().map(|row| -row.value).collect();
    let sizes: Vec<usize> = (0..24).map(|number| number % 4).collect();
    let oracle = q2_by_groups(&[Column { name: "metric", values: &metric }], &score, &sizes).unwrap();
    let size = named(&rows, "leave_one_size_out");
    assert!((size.value.unwrap() - oracle).abs() < 1e-9);
    assert_eq!(details(size)["groups"], 4);
    assert!(details(size)["mean_predictor"].as_f64().unwrap() < 0.0);
    let mut inputs = inputs;
    inputs.runs.iter_mut().enumerate().for_each(|(number, run)| run.non_embedding_parameters = 1 + (number % 2) as u64);
    let two = of(&inputs, "loss/mlm_loss", q2::rows);
    let reason = named(&two, "leave_one_size_out").reason.clone();
    assert_eq!(reason.as_deref(), Some("leaving out one size takes 3 sizes and there are 2"));
}

#[test]
fn correlations_beside_spearmans() {
    let inputs = suite(24);
    let losses = Losses::of(&inputs);
    let rows = of(&inputs, "loss/mlm_loss", |fit| correlation::rows(fit, &losses));
    let columns = |fit: &Fitted<'_>| (fit.metric.clone(), fit.score.clone());
    let fits = fit_rows(&inputs).unwrap();
    let all = fitted(&inputs, &fits).unwrap();
    let (metric, score) = columns(all.iter().find(|fit| fit.row.metric == "loss/mlm_loss").unwrap());
    let linear = named(&rows, "pearson");
    assert_eq!(linear.value, pearson(&metric, &score).ok());
    assert!(linear.low95.unwrap() < linear.value.unwrap() && linear.p_raw.unwrap() < 1e-6);
    let kendall = named(&rows, "kendall");
    assert_eq!(kendall.value, all[0].row.kendall);
    assert!(kendall.std_error.unwrap() > 0.0 && kendall.high95.unwrap() <= 1.0 && kendall.p_raw.is_none());
    assert!(named(&rows, "weighted_kendall").value.unwrap() > 0.5);
    // The loss given the loss: nothing is left of it.
    let own = named(&rows, "partial_spearman");
    assert_eq!(own.refusal.as_deref(), Some("rank_deficient"));
    let mut inputs = suite(24);
    inputs.infos.push(metric_info("test/other"));
    let others: Vec<_> =
        inputs.runs.iter().enumerate().map(|(i, run)| metric_row(&run.run, "test/other", ((i * 5) % 7) as f64)).collect();
    inputs.metrics.extend(others);
    let losses = Losses::of(&inputs);
    let rows = of(&inputs, "test/other", |fit| correlation::rows(fit, &losses));
    let other = named(&rows, "partial_spearman");
    assert_eq!(other.term.as_deref(), Some("given log non-embedding parameters, held-out loss"));
    assert!(other.value.unwrap().abs() < 0.6 && other.low95.is_some());
    // A loss that falls strictly with size has the ranks of the size, though it is no multiple of it: size alone is held fixed.
    let mut ordered = inputs.clone();
    for (number, run) in ordered.runs.iter_mut().enumerate() {
        run.non_embedding_parameters = 1_000 * (number as u64 + 1).pow(2);
        let row = ordered.metrics.iter_mut().find(|row| row.run == run.run && row.metric == "loss/mlm_loss").unwrap();
        row.value = 1.0 + 3.0 / (number as f64 + 1.0);
    }
    let losses = Losses::of(&ordered);
    let rows = of(&ordered, "test/other", |fit| correlation::rows(fit, &losses));
    let other = named(&rows, "partial_spearman");
    assert_eq!(other.term.as_deref(), Some("given log non-embedding parameters"));
    assert!(other.value.is_some() && details(other)["dropped"] == serde_json::json!(["held-out loss"]), "{other:?}");
    // Losses in another setting, or of raw checkpoints, are no losses of this column.
    let mut mixed = inputs.clone();
    let row = mixed.metrics.iter_mut().find(|row| row.metric == "loss/mlm_loss").unwrap();
    row.params_json = r#"{"mask_share":0.3}"#.into();
    let losses = Losses::of(&mixed);
    let rows = of(&mixed, "test/other", |fit| correlation::rows(fit, &losses));
    assert_eq!(named(&rows, "partial_spearman").refusal.as_deref(), Some("no_values"));
    let lost = inputs.metrics.iter().position(|row| row.metric == "loss/mlm_loss").unwrap();
    inputs.metrics[lost].annealed = false;
    let losses = Losses::of(&inputs);
    let rows = of(&inputs, "test/other", |fit| correlation::rows(fit, &losses));
    assert_eq!(named(&rows, "partial_spearman").refusal.as_deref(), Some("no_values"));
}

#[test]
fn false_discoveries_share_the_family_of_holm() {
    let inputs = suite(12);
    let fits = fit_rows(&inputs).unwrap();
    let rows = correlation::false_discoveries(&fitted(&inputs, &fits).unwrap());
    assert_eq!(rows.len(), 2);
    for row in rows {
        let fit = fits.iter().find(|fit| Some(&fit.metric) == row.metric.as_ref()).unwrap();
        assert_eq!((row.p_raw, &details(&row)["family_size"]), (fit.p_raw, &serde_json::json!(2)));
        assert!(row.p_value >= row.p_raw && row.p_value <= fit.p_value && row.value == row.p_value);
    }
}

#[test]
fn strata_hold_the_size_fixed() {
    let mut inputs = suite(24);
    // Within each size loss and score agree perfectly; now not in the second.
    let first = inputs.scores[1].value;
    inputs.scores[1].value = inputs.scores[5].value;
    inputs.scores[5].value = first;
    let rows = of(&inputs, "loss/mlm_loss", stratum::rows);
    let sizes: Vec<&StatisticRow> = rows.iter().filter(|row| row.name == "within_size").collect();
    assert_eq!(sizes.len(), 4);
    let fits = fit_rows(&inputs).unwrap();
    let all = fitted(&inputs, &fits).unwrap();
    let fit = all.iter().find(|fit| fit.row.metric == "loss/mlm_loss").unwrap();
    let pick = |values: &[f64]| -> Vec<f64> { values.iter().skip(1).step_by(4).copied().collect() };
    let second = sizes.iter().find(|row| row.term.as_deref() == Some("240000 parameters")).unwrap();
    assert_eq!((second.n, second.value), (6, spearman(&pick(&fit.metric), &pick(&fit.score)).ok()));
    assert!(second.reason.as_ref().unwrap().contains("an interval needs 8 runs and has 6"));
    let mean = named(&rows, "within_size_mean");
    let expected = sizes.iter().map(|row| row.value.unwrap()).sum::<f64>() / 4.0;
    assert!((mean.value.unwrap() - expected).abs() < 1e-12 && mean.low95.is_some() && mean.p_raw.unwrap() < 0.05);
    assert_eq!(rows.iter().filter(|row| row.name == "within_corpus").count(), 2);
    // A metric that is the size says nothing within a size.
    let rows = of(&inputs, "trivial/parameters", stratum::rows);
    assert!(rows.iter().filter(|row| row.name == "within_size").all(|row| row.refusal.as_deref() == Some("constant")));
    assert_eq!(named(&rows, "within_size_mean").refusal.as_deref(), Some("no_values"));
    // Two runs of a size are no stratum, one size is none either.
    let perfect = of(&suite(24), "loss/mlm_loss", stratum::rows);
    let mean = named(&perfect, "within_size_mean");
    assert_eq!((mean.value, mean.low95), (Some(1.0), None));
    assert!(mean.reason.as_ref().unwrap().starts_with("the fit is perfect"));
    let eight = of(&suite(8), "loss/mlm_loss", stratum::rows);
    let two = eight.iter().find(|row| row.name == "within_size").unwrap();
    assert_eq!(two.reason.as_deref(), Some("a correlation within one stratum needs 4 runs and has 2"));
    let mut one = suite(8);
    one.runs.iter_mut().for_each(|run| run.non_embedding_parameters = 5);
    let rows = of(&one, "loss/mlm_loss", stratum::rows);
    assert_eq!(named(&rows, "within_size_mean").reason.as_deref(), Some("`size` has the same value in every run"));
}

/// `n` runs of pairs of seeds, with a metric that says the score, one that says nothing and one that never changes.
fn wide(n: usize) -> Inputs {
    let mut inputs = suite(n);
    for (number, run) in inputs.runs.iter_mut().enumerate() {
        run.configuration = format!("configuration {}", number / 2);
    }
    for (metric, value) in [("test/noise", 0), ("test/constant", 1)] {
        inputs.infos.push(metric_info(metric));
        let of_run = |number: usize| if value == 1 { 1.0 } else { ((number * 11) % 17) as f64 };
        let rows: Vec<_> = (0..n).map(|number| metric_row(&run_row(number).run, metric, of_run(number))).collect();
        inputs.metrics.extend(rows);
    }
    inputs
}

#[test]
fn the_elastic_net_finds_the_loss() {
    let inputs = wide(40);
    let fits = fit_rows(&inputs).unwrap();
    let rows = elastic_net::rows(&fitted(&inputs, &fits).unwrap());
    let q2 = named(&rows, "q2");
    assert!(q2.value.unwrap() > 0.9 && q2.std_error.unwrap() > 0.0 && q2.metric.is_none());
    assert_eq!(q2.pool.as_deref(), Some("probe MaskedLm tokenizer:tokenizer"));
    let about = details(q2);
    assert_eq!((&about["turns"], &about["metrics"]), (&serde_json::json!(20), &serde_json::json!(3)));
    assert_eq!(about["left_out"]["constant"][0], "test/constant");
    let of = |name: &str, metric: &str| {
        rows.iter().find(|row| row.name == name && row.term.as_deref() == Some(metric)).unwrap().value.unwrap()
    };
    assert_eq!(of("chosen_share", "loss/mlm_loss"), 1.0);
    assert!(of("coefficient", "loss/mlm_loss") > 10.0 * of("coefficient", "test/noise").abs());
}

#[test]
fn below_forty_runs_there_is_no_elastic_net() {
    let inputs = wide(32);
    let fits = fit_rows(&inputs).unwrap();
    let rows = elastic_net::rows(&fitted(&inputs, &fits).unwrap());
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.name.as_str(), row.refusal.as_deref()), ("q2", Some("too_few")));
    assert_eq!(row.reason.as_deref(), Some("an elastic net needs 40 runs and has 32"));
}

/// The kinds that these tests are about.
fn ours(inputs: &Inputs) -> Vec<StatisticRow> {
    let kinds = ["regression", "influence", "q2", "correlation", "stratum", "elastic_net"];
    let rows = statistic_rows(inputs, &fit_rows(inputs).unwrap()).unwrap();
    rows.into_iter().filter(|row| kinds.contains(&row.kind.as_str())).collect()
}

#[test]
fn bad_input_gives_refusals_and_no_panic() {
    for n in [1, 2, 3] {
        let rows = ours(&suite(n));
        assert!(rows.len() > 10 && rows.iter().all(|row| row.value.is_none() && row.refusal.is_some()), "{n}: {rows:?}");
    }
    // Tied scores, tied metrics, and a score that is the metric.
    let mut tied = suite(12);
    tied.scores.iter_mut().for_each(|row| row.value = 1.0);
    let mut flat = suite(12);
    flat.metrics.iter_mut().for_each(|row| row.value = 1.0);
    for inputs in [tied, flat] {
        let rows = ours(&inputs);
        assert!(rows.len() > 10 && rows.iter().all(|row| row.value.is_none() && row.refusal.is_some()), "{rows:?}");
    }
    let mut same = suite(12);
    let losses: Vec<f64> = same.metrics.iter().filter(|row| row.metric == "loss/mlm_loss").map(|row| row.value).collect();
    same.scores.iter_mut().zip(losses).for_each(|(row, loss)| row.value = 2.0 * loss);
    let rows = of(&same, "loss/mlm_loss", influence::rows);
    assert_eq!(rows[0].refusal.as_deref(), Some("perfect_fit"));
    // Not finite: typed, wherever it comes from.
    let mut broken = suite(12);
    broken.scores[3] = score_row(&broken.runs[3].run, f64::NAN);
    let rows = of(&broken, "loss/mlm_loss", regression::rows);
    assert!(rows.iter().all(|row| row.refusal.as_deref() == Some("non_finite")), "{rows:?}");
}
