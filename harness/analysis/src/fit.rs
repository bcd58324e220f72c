//! Fits: every primary value against every score, pool by pool, then the family's Holm adjustment, then the verdicts.

use std::collections::BTreeMap;

use clmbench_protocol::{Direction, MetricInfo, Scope};
use clmbench_stats::{
    Column, Evidence, GainVerdict, Interval, Refusal, Verdict, gain, generator, holm, judge, kendall_tau_b, minimum_detectable_r,
    numeric::sample_sd,
    ols, permutation_test, random_band, runs_needed, spearman, spearman_interval,
    verdict::{SMALLEST_N_FOR_FIT, SMALLEST_N_FOR_VERDICT},
};
use clmbench_store::FitRow;
use rayon::prelude::*;

use crate::{
    AnalysisError,
    details::{Details, GainDetails},
    flags::flags,
    inputs::Inputs,
    labels::Faults,
    points::{Point, PoolPoints, Score, ScoreGroup, pools, scores_by_group},
    trivial::{NO_GAIN_OVER_ITSELF, columns, trivial},
    variant::{Variant, variants},
};

/// Seed of every permutation and resample; the stream is the fit's own name, so that no other fit moves it.
pub(crate) const SEED: u64 = 260_211_618;

/// What simulation says of the gain's interval (see `clmbench_stats::gain`).
const CONSERVATIVE_GAIN_INTERVAL: &str = "conservative_gain_interval: too wide rather than too narrow; 95 % intervals cover 95 % or more in simulation (benchmarks/CALIBRATION.md)";

/// A fit before the family's adjustment.
struct Draft {
    row: FitRow,
    details: Details,
    family: String,
    spearman: Result<f64, Refusal>,
    interval: Result<Interval, Refusal>,
}

/// Fits every primary value to every score. Rows are in order of metric, dataset, task, protocol and pool.
///
/// # Errors
/// A measured metric is described by no plugin.
pub fn fit_rows(inputs: &Inputs) -> Result<Vec<FitRow>, AnalysisError> {
    let groups: Vec<(ScoreGroup, BTreeMap<String, Score>)> = scores_by_group(&inputs.scores).into_iter().collect();
    let measured = inputs.metrics.iter().map(Variant::of);
    let mut pairs = Vec::new();
    for (variant, name) in variants(measured.chain(inputs.failed.iter().map(|cell| cell.variant.clone()))) {
        let info = inputs.info(&variant.metric)?;
        if !matches!(info.scope, Scope::Pair | Scope::Transfer) {
            pairs.extend((0..groups.len()).map(|group| (variant.clone(), name.clone(), info, group)));
        }
    }
    // Each fit has random numbers of its own, so they come out the same on any number of threads.
    let of_pair = |(variant, name, info, group): &(Variant, String, &MetricInfo, usize)| {
        let (group, scores) = &groups[*group];
        let pools = pools(inputs, variant, info.comparable, group, scores);
        pools.iter().map(|pool| draft(inputs, (name, variant), info, group, pool)).collect::<Vec<Draft>>()
    };
    let mut drafts: Vec<Draft> = pairs.par_iter().flat_map_iter(of_pair).collect();
    adjust(&mut drafts);
    drafts.into_iter().map(|draft| finish(draft, inputs.useful_effect)).collect()
}

/// Everything that needs only the runs of the fit.
fn draft(
    inputs: &Inputs,
    (name, variant): (&str, &Variant),
    info: &MetricInfo,
    group: &ScoreGroup,
    pool: &PoolPoints<'_>,
) -> Draft {
    let points = &pool.points;
    let n = points.len();
    let label = format!("{name} {} {} {} {}", group.dataset, group.task, group.score, pool.pool.name());
    let score_sign = if group.higher_is_better { 1.0 } else { -1.0 };
    let metric_sign = match info.direction {
        Direction::HigherIsBetter => 1.0,
        Direction::LowerIsBetter => -1.0,
    };
    let score: Vec<f64> = points.iter().map(|point| score_sign * point.score.value).collect();
    let metric: Vec<f64> = points.iter().map(|point| metric_sign * point.metric.value).collect();

    let enough = || match n {
        0 => Err(Refusal::NoValues { what: no_values(pool.failed) }),
        n if n < SMALLEST_N_FOR_FIT => Err(Refusal::TooFew { what: "a fit".into(), n, needed: SMALLEST_N_FOR_FIT }),
        _ => Ok(()),
    };
    let rho = enough().and_then(|()| spearman(&metric, &score)).map_err(|refusal| named(refusal, name));
    let tau = enough().and_then(|()| kendall_tau_b(&metric, &score)).ok();
    let interval = spearman_interval(&metric, &score, &mut generator(SEED, &format!("interval {label}")));
    let permutation =
        enough().and_then(|()| permutation_test(&metric, &score, &mut generator(SEED, &format!("permutation {label}")))).ok();
    // One unit of the column is one standard deviation of the metric.
    let spread = if n > 1 { sample_sd(&metric) } else { f64::NAN };
    let standardised: Vec<f64> = metric.iter().map(|value| value / spread).collect();
    let line = rho.clone().and_then(|_| ols(&[Column { name: "metric", values: &standardised }], &score, 0.95));
    let (gained, gain_reason) = gained(info, points, &metric, &score, (name, &label));
    let slope = line.as_ref().ok().map(|line| &line.coefficients[1]);
    let wide_enough = n >= SMALLEST_N_FOR_VERDICT;
    let seconds: Vec<f64> = points.iter().map(|point| point.metric.seconds).collect();
    let gain_interval = gained.as_ref().and_then(|gained| gained.interval);

    let row = FitRow {
        metric: name.to_owned(),
        dataset: group.dataset.clone(),
        task: group.task.clone(),
        protocol: group.protocol.clone(),
        pool: pool.pool.name(),
        score: group.score.clone(),
        n: n as u32,
        n_checkpoints: points.iter().map(|point| point.run.n_checkpoints).sum(),
        slope: slope.map(|slope| slope.estimate),
        std_error: slope.map(|slope| slope.std_error),
        ci_low: slope.filter(|_| wide_enough).map(|slope| slope.ci_low),
        ci_high: slope.filter(|_| wide_enough).map(|slope| slope.ci_high),
        r2: line.as_ref().ok().map(|line| line.r2),
        q2: line.as_ref().ok().and_then(|line| line.q2),
        spearman: rho.clone().ok(),
        spearman_low: interval.as_ref().ok().map(|interval| interval.low95),
        spearman_high: interval.as_ref().ok().map(|interval| interval.high95),
        kendall: tau,
        p_value: None,
        p_raw: permutation.map(|test| test.p_value),
        gain: gained.as_ref().map(|gained| gained.gain),
        gain_low: gain_interval.map(|interval| interval.low95),
        gain_high: gain_interval.map(|interval| interval.high95),
        gain_verdict: match &gained {
            Some(gained) => Some(gained.verdict.word().to_owned()),
            None if info.trivial => None,
            None => Some(GainVerdict::CannotTell.word().to_owned()),
        },
        gain_reason: Some(gain_reason),
        verdict: String::new(),
        verdict_reason: None,
        refusal: None,
        reversed: false,
        mde: minimum_detectable_r(n),
        cost_seconds: (n > 0).then(|| seconds.iter().sum::<f64>() / n as f64),
        flags: flags(
            points,
            &pool.excluded,
            inputs,
            (group, Faults::of(&inputs.datasets, &group.data_digest, &group.split_digest, &group.task).is_leaked()),
        ),
        metric_orientation: match info.direction {
            Direction::HigherIsBetter => "higher_is_better".to_owned(),
            Direction::LowerIsBetter => "lower_is_better".to_owned(),
        },
        score_orientation: if group.higher_is_better { "higher_is_better" } else { "lower_is_better" }.to_owned(),
        trivial: info.trivial,
        n_needed: runs_needed(inputs.useful_effect).and_then(|runs| u32::try_from(runs).ok()),
        details_json: String::new(),
    };
    let first = points.first();
    let details = Details {
        pool: pool.pool.clone(),
        family: pool.pool.family(),
        family_size: 0,
        params_json: variant.params_json.clone(),
        value_name: first.map_or_else(|| info.primary.clone(), |point| point.metric.value_name.clone()),
        unit: first.map_or_else(|| info.unit.clone(), |point| point.metric.unit.clone()),
        useful_effect: inputs.useful_effect,
        permutation,
        spearman_interval: interval.as_ref().ok().copied(),
        spearman_interval_reason: interval.as_ref().err().map(|refusal| named(refusal.clone(), name).to_string()),
        fit_reason: line.as_ref().err().map(|refusal| named(refusal.clone(), name).to_string()),
        hc3_std_error: slope.and_then(|slope| slope.hc3_std_error),
        gain: gained.map(|gained| GainDetails {
            q2_trivial: gained.q2_trivial,
            q2_with_metric: gained.q2_with_metric,
            used: gained.used,
            dropped: gained.dropped,
            interval_note: gained.interval.map(|_| CONSERVATIVE_GAIN_INTERVAL.to_owned()),
            interval: gained.interval,
        }),
        // The same band for every fit with n runs.
        random_band: random_band(n, &mut generator(SEED, &format!("random predictor {n}"))),
        points: points.iter().map(Point::record).collect(),
        excluded: pool.excluded.clone(),
    };
    Draft { row, details, family: pool.pool.family(), spearman: rho, interval }
}

/// A refusal in which the column `metric` bears the metric's own name.
pub(crate) fn named(mut refusal: Refusal, metric: &str) -> Refusal {
    if let Refusal::Constant { name } | Refusal::NonFinite { name, .. } | Refusal::RankDeficient { name } = &mut refusal
        && name == "metric"
    {
        metric.clone_into(name);
    }
    refusal
}

/// Why a fit has no points.
fn no_values(failed: usize) -> String {
    match failed {
        0 => "no value: no counted run has one".to_owned(),
        1 => "no value: 1 cell failed".to_owned(),
        _ => format!("no value: {failed} cells failed"),
    }
}

/// Gain over log size, log tokens and log corpus size, with the reason for its verdict or absence.
fn gained(
    info: &MetricInfo,
    points: &[Point<'_>],
    metric: &[f64],
    score: &[f64],
    (name, label): (&str, &str),
) -> (Option<clmbench_stats::Gain>, String) {
    if info.trivial {
        return (None, NO_GAIN_OVER_ITSELF.to_owned());
    }
    let trivial = match trivial(points.iter().map(|point| point.run)) {
        Ok(trivial) => trivial,
        Err(refusal) => return (None, format!("{refusal}, and gains are measured over them")),
    };
    match gain(score, metric, &columns(&trivial), &mut generator(SEED, &format!("gain {label}"))) {
        Err(refusal) => (None, named(refusal, name).to_string()),
        Ok(gained) => {
            let interval = gained.interval.as_ref().ok_or(gained.interval_refusal.as_ref());
            let reason = interval.map_or_else(
                |refusal| refusal.map_or_else(|| "no interval".to_owned(), ToString::to_string),
                |interval| gain_reason(gained.verdict, Ok(interval)),
            );
            (Some(gained), reason)
        }
    }
}

/// Why a gain has its verdict.
pub(crate) fn gain_reason(verdict: GainVerdict, interval: Result<&Interval, &Refusal>) -> String {
    let side = match verdict {
        GainVerdict::Better => "is above 0",
        GainVerdict::NotBetter => "is not above 0",
        GainVerdict::CannotTell => "holds 0",
    };
    match interval {
        Ok(interval) => format!("the 95 % interval [{:.2}, {:.2}] {side}", interval.low95, interval.high95),
        Err(refusal) => refusal.to_string(),
    }
}

/// Holm within each family; fits without a p-value are not part of it.
fn adjust(drafts: &mut [Draft]) {
    let mut families: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        if draft.row.p_raw.is_some() {
            families.entry(draft.family.clone()).or_default().push(index);
        }
    }
    for members in families.values() {
        let raw: Vec<f64> = members.iter().filter_map(|&index| drafts[index].row.p_raw).collect();
        for (&index, adjusted) in members.iter().zip(holm(&raw)) {
            drafts[index].row.p_value = Some(adjusted);
        }
    }
    for draft in drafts {
        draft.details.family_size = families.get(&draft.family).map_or(0, Vec::len);
    }
}

fn finish(draft: Draft, useful_effect: f64) -> Result<FitRow, AnalysisError> {
    let Draft { mut row, details, spearman, interval, .. } = draft;
    let n = row.n as usize;
    let judgement = judge(&Evidence { n, spearman, interval, holm_p: row.p_value, useful_effect });
    if judgement.verdict == Verdict::Refused {
        row.gain_verdict = row.gain_verdict.map(|_| GainVerdict::CannotTell.word().to_owned());
    }
    row.verdict = judgement.verdict.word().to_owned();
    row.verdict_reason = Some(judgement.reason);
    row.refusal = judgement.refusal.map(|refusal| refusal.word().to_owned());
    row.reversed = judgement.reversed;
    row.details_json = serde_json::to_string(&details).map_err(|error| AnalysisError::Details {
        metric: row.metric.clone(),
        dataset: row.dataset.clone(),
        reason: error.to_string(),
    })?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample::{failed_cell, metric_info, metric_row, score_row, suite};

    fn only(rows: &[FitRow], metric: &str) -> FitRow {
        let mut found = rows.iter().filter(|row| row.metric == metric);
        let row = found.next().unwrap().clone();
        assert!(found.next().is_none());
        row
    }

    #[test]
    fn orientation_makes_agreement_positive() {
        // Loss falls (claim: lower is better) and RMSE falls (lower is better) with the run's number.
        let row = only(&fit_rows(&suite(24)).unwrap(), "loss/mlm_loss");
        assert_eq!(row.n, 24);
        assert!(row.spearman.unwrap() > 0.9 && row.slope.unwrap() > 0.0 && row.kendall.unwrap() > 0.7);
        assert_eq!((row.metric_orientation.as_str(), row.score_orientation.as_str()), ("lower_is_better", "lower_is_better"));
        assert_eq!(row.verdict, "predicts");
        assert!(!row.reversed && row.p_value.unwrap() <= 0.05 && row.p_value.unwrap() >= row.p_raw.unwrap());
        assert!(row.spearman_low.unwrap() > 0.0 && row.ci_low.unwrap() > 0.0);
    }

    #[test]
    fn the_wrong_direction_is_reversed() {
        let mut inputs = suite(24);
        inputs.infos[0].direction = Direction::HigherIsBetter;
        let row = only(&fit_rows(&inputs).unwrap(), "loss/mlm_loss");
        assert!(row.spearman.unwrap() < -0.9);
        assert_eq!((row.verdict.as_str(), row.reversed), ("does_not_predict", true));
    }

    #[test]
    fn too_small_designs_say_so() {
        let six = only(&fit_rows(&suite(6)).unwrap(), "loss/mlm_loss");
        assert_eq!(six.verdict, "cannot_tell");
        assert!((six.mde.unwrap() - 0.93).abs() < 0.005 && six.n_needed == Some(31));
        assert_eq!((six.spearman_low, six.ci_low, six.gain), (None, None, None));
        assert!(six.gain_reason.unwrap().contains("needs 8 runs and has 6"));
        assert!(six.spearman.is_some() && six.p_value.is_some());
        let three = only(&fit_rows(&suite(3)).unwrap(), "loss/mlm_loss");
        assert_eq!((three.verdict.as_str(), three.spearman, three.p_value, three.slope), ("refused", None, None, None));
        assert!(three.verdict_reason.unwrap().contains("needs 4 runs"));
    }

    #[test]
    fn trivial_predictors_have_no_gain_and_the_family_holds_both() {
        let rows = fit_rows(&suite(12)).unwrap();
        let trivial = only(&rows, "trivial/parameters");
        assert!(trivial.trivial && trivial.gain.is_none() && trivial.gain_verdict.is_none());
        let details: Details = serde_json::from_str(&trivial.details_json).unwrap();
        assert_eq!(details.family_size, 2);
        assert_eq!(details.points.len(), 12);
        let loss = only(&rows, "loss/mlm_loss");
        let details: Details = serde_json::from_str(&loss.details_json).unwrap();
        assert_eq!(details.gain.unwrap().dropped, ["log tokens"]);
        assert!(loss.gain.is_some() && loss.gain_low.unwrap() <= loss.gain_high.unwrap());
    }

    #[test]
    fn a_metric_without_information_and_a_constant_one() {
        let mut inputs = suite(12);
        inputs.infos.push(metric_info("test/constant"));
        let constant: Vec<_> = inputs.runs.iter().map(|run| metric_row(&run.run, "test/constant", 1.0)).collect();
        inputs.metrics.extend(constant);
        let row = only(&fit_rows(&inputs).unwrap(), "test/constant");
        assert_eq!((row.verdict.as_str(), row.refusal.as_deref(), row.n), ("refused", Some("constant"), 12));
        assert!(row.verdict_reason.unwrap().contains("`test/constant` has the same value in every run"));
        // Two tests in the family, not three: the constant metric has no p-value.
        let details: Details = serde_json::from_str(&row.details_json).unwrap();
        assert_eq!(details.family_size, 2);
    }

    #[test]
    fn a_metric_that_failed_everywhere_has_a_refused_row() {
        let mut inputs = suite(12);
        inputs.infos.push(metric_info("hessian/trace"));
        inputs.failed = (0..24).map(|number| failed_cell("hessian/trace", number)).collect();
        let row = only(&fit_rows(&inputs).unwrap(), "hessian/trace");
        assert_eq!((row.verdict.as_str(), row.refusal.as_deref(), row.n), ("refused", Some("no_values"), 0));
        assert_eq!(row.verdict_reason.as_deref(), Some("no value: 24 cells failed"));
        assert_eq!((row.dataset.as_str(), row.score.as_str(), row.mde, row.cost_seconds), ("freesolv", "rmse", None, None));
        let loss = only(&fit_rows(&inputs).unwrap(), "loss/mlm_loss");
        assert_eq!(row.pool, loss.pool, "it stands where its values would have stood");
        let details: Details = serde_json::from_str(&row.details_json).unwrap();
        assert_eq!((details.family_size, details.value_name.as_str(), details.points.len()), (2, "value", 0));
    }

    #[test]
    fn a_metric_that_failed_somewhere_is_fitted_without_those_runs() {
        let mut inputs = suite(12);
        let lost = inputs.metrics.iter().position(|row| row.metric == "loss/mlm_loss").unwrap();
        inputs.metrics.remove(lost);
        inputs.failed = vec![failed_cell("loss/mlm_loss", 0)];
        let row = only(&fit_rows(&inputs).unwrap(), "loss/mlm_loss");
        assert_eq!((row.n, row.refusal, row.flags), (11, None, vec!["incomplete".to_owned()]));
    }

    #[test]
    fn a_score_over_fewer_transfer_seeds_is_flagged() {
        let mut inputs = suite(12);
        let second: Vec<_> = inputs.scores.iter().map(|row| clmbench_store::ScoreRow { seed: 1, ..row.clone() }).collect();
        inputs.scores.extend(second);
        let flags = |inputs: &Inputs| only(&fit_rows(inputs).unwrap(), "loss/mlm_loss").flags;
        assert!(flags(&inputs).is_empty());
        inputs.scores.pop();
        assert_eq!(flags(&inputs), ["incomplete"]);
    }

    #[test]
    fn nearly_perfect_agreement_of_a_metric_with_ties_has_an_interval_of_some_width() {
        let mut inputs = suite(12);
        for (number, row) in inputs.metrics.iter_mut().filter(|row| row.metric == "loss/mlm_loss").enumerate() {
            row.value = 2.0 - (number / 3) as f64;
        }
        let row = only(&fit_rows(&inputs).unwrap(), "loss/mlm_loss");
        let (low, high) = (row.spearman_low.unwrap(), row.spearman_high.unwrap());
        assert!(row.spearman.unwrap() > 0.9 && row.flags.is_empty(), "{:?} {:?}", row.spearman, row.flags);
        assert!(0.5 < low && low < 0.95 && high < 1.0, "[{low}, {high}]");
    }

    #[test]
    fn one_learning_rate_for_all_sizes_is_flagged() {
        let mut inputs = suite(12);
        inputs.runs.iter_mut().for_each(|run| run.learning_rate = Some(1e-3));
        let row = only(&fit_rows(&inputs).unwrap(), "loss/mlm_loss");
        assert_eq!(row.flags, ["fixed_learning_rate"]);
        inputs.runs.iter_mut().for_each(|run| run.non_embedding_parameters = 1);
        let row = only(&fit_rows(&inputs).unwrap(), "loss/mlm_loss");
        assert!(row.flags.is_empty(), "one size needs one rate: {:?}", row.flags);
    }

    #[test]
    fn tokens_that_follow_the_corpus_do_not_take_the_gain_away() {
        let mut inputs = suite(12);
        inputs.runs.iter_mut().for_each(|run| run.tokens = run.corpus_molecules.map(|molecules| 200 * molecules));
        let row = only(&fit_rows(&inputs).unwrap(), "loss/mlm_loss");
        assert!(row.gain.is_some() && row.gain_low.is_some());
        assert_eq!(row.flags, ["tokens_vary_with_corpus"]);
        let details: Details = serde_json::from_str(&row.details_json).unwrap();
        let gain = details.gain.unwrap();
        assert_eq!(gain.dropped, ["log corpus size"]);
        assert!(gain.interval_note.unwrap().starts_with("conservative_gain_interval"));
    }

    #[test]
    fn a_value_that_is_not_finite_refuses_the_fit_and_survives_storage() {
        let mut inputs = suite(12);
        inputs.metrics[3].value = f64::NAN;
        let broken = inputs.metrics[3].metric.clone();
        let row = only(&fit_rows(&inputs).unwrap(), &broken);
        assert_eq!((row.verdict.as_str(), row.spearman), ("refused", None));
        let details: Details = serde_json::from_str(&row.details_json).unwrap();
        assert!(details.points.iter().any(|point| point.metric.0.is_nan()));
    }

    #[test]
    fn other_fits_do_not_move_a_fit() {
        let mut inputs = suite(12);
        let before = only(&fit_rows(&inputs).unwrap(), "loss/mlm_loss");
        let more = inputs.runs.iter().map(|run| {
            let mut row = score_row(&run.run, 1.0 + run.seed.unwrap_or(0) as f64);
            row.dataset = "esol".into();
            row.split_digest = "esol split".into();
            row
        });
        let more: Vec<_> = more.collect();
        inputs.scores.extend(more);
        let rows = fit_rows(&inputs).unwrap();
        let after = rows.iter().find(|row| row.metric == "loss/mlm_loss" && row.dataset == "freesolv").unwrap();
        assert_eq!(
            (before.p_raw, before.spearman_low, before.gain, before.gain_low),
            (after.p_raw, after.spearman_low, after.gain, after.gain_low)
        );
        // The family grew from 2 to 4.
        assert!(after.p_value.unwrap() >= before.p_value.unwrap());
    }

    #[test]
    fn flags_say_what_to_be_careful_about() {
        let mut inputs = suite(12);
        inputs.runs[0].diverged = true;
        inputs.metrics[5].device = "cuda:0".into();
        inputs.runs[3].precision = "bfloat16".into();
        inputs.corpora[0].coverage[0].untrained_token_share = 0.67.into();
        let flagged = inputs.metrics[5].metric.clone();
        let row = only(&fit_rows(&inputs).unwrap(), &flagged);
        assert_eq!(row.flags, ["out_of_vocabulary", "mixed_device", "mixed_precision", "diverged_runs"]);
        assert_eq!(row.n, 11);
    }

    #[test]
    fn an_undescribed_metric_is_an_error() {
        let mut inputs = suite(6);
        inputs.infos.clear();
        assert!(fit_rows(&inputs).unwrap_err().to_string().contains("no stored plugin describes it"));
    }
}
