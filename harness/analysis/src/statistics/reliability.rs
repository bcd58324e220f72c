//! How much of what runs differ by is noise, and what the correlation of a fit would be without it.
//!
//! Two estimates of each reliability stand side by side: from standard errors, and from pretraining seeds where configurations have
//! several. The ceiling and the disattenuated r use the latter where there is one: the test molecules (and the held-out sample) are the
//! same for all runs, so much of a standard error over molecules moves all runs alike and is no noise of their ranking.

use std::collections::BTreeSet;

use clmbench_stats::{
    Attenuation, AttenuationIntervals, Interval, Noisy, Refusal, Source, attenuation_intervals, generator,
    reliability::{disattenuated, intraclass_correlation, reliability_from_errors},
};
use clmbench_store::StatisticRow;
use serde_json::json;

use super::{
    Fitted,
    covariates::configurations,
    numbers::{bounded, detailed, refused, valued},
};
use crate::fit::SEED;

const KIND: &str = "reliability";
/// Least degrees of freedom within configurations for a reliability over pretraining seeds.
const SMALLEST_SEEDS: usize = 8;

/// The columns of a fit with their noise, owned.
struct Columns<'a> {
    fitted: &'a Fitted<'a>,
    metric_errors: Vec<f64>,
    score_errors: Vec<f64>,
    groups: Vec<usize>,
}

impl<'a> Columns<'a> {
    fn new(fitted: &'a Fitted<'a>) -> Self {
        let points = &fitted.details.points;
        let score_error = |point: &crate::FitPoint| point.score_se_test.0.hypot(point.score_se_seed.map_or(0.0, |error| error.0));
        Self {
            fitted,
            metric_errors: points.iter().map(|point| point.metric_std_error.0).collect(),
            score_errors: points.iter().map(score_error).collect(),
            groups: configurations(fitted),
        }
    }

    fn noisy(&self) -> Noisy<'_> {
        let Self { fitted, metric_errors, score_errors, groups } = self;
        Noisy { metric: &fitted.metric, metric_errors, score: &fitted.score, score_errors, groups }
    }
}

/// ICC(1) over pretraining seeds, where they are enough: of 24 runs that are noise alone it is over .5 in half of all suites with one
/// run beyond the first of its configuration, in 19 % with 5, in 9 % with 8 (4,000 simulations each).
fn from_seeds(values: &[f64], groups: &[usize]) -> Result<f64, Refusal> {
    let found = intraclass_correlation(values, groups)?;
    let seeds = groups.len() - groups.iter().max().map_or(0, |last| last + 1);
    if seeds < SMALLEST_SEEDS {
        let what = "a reliability over pretraining seeds (runs beyond the first of each configuration)".to_owned();
        return Err(Refusal::TooFew { what, n: seeds, needed: SMALLEST_SEEDS });
    }
    Ok(found)
}

/// Reliability of the scores of a fit: from pretraining seeds where there are several, else from standard errors.
pub(super) fn of_score(fitted: &Fitted<'_>) -> Result<f64, Refusal> {
    from_seeds(&fitted.score, &configurations(fitted))
        .or_else(|_| reliability_from_errors(&fitted.score, &Columns::new(fitted).score_errors))
}

/// Six rows a fit: both reliabilities from both sources, the noise ceiling, and the disattenuated r.
pub(super) fn rows(fitted: &Fitted<'_>) -> Vec<StatisticRow> {
    let columns = Columns::new(fitted);
    let noisy = columns.noisy();
    let label = fitted.label(KIND);
    let by = |source: Source| {
        let stream = format!("{source:?} {label}");
        (noisy.attenuation(source), attenuation_intervals(&noisy, source, &mut generator(SEED, &stream)))
    };
    let errors = by(Source::Errors);
    let seeds = from_seeds(noisy.score, noisy.groups).map(|_| by(Source::Seeds));
    let mut rows = Vec::with_capacity(6);
    let mut one = |name: &str, value: Result<f64, Refusal>, interval: Result<Interval, Refusal>| {
        let row = fitted.statistic(KIND, name);
        rows.push(match value {
            Ok(value) => bounded(valued(row, value), &interval),
            Err(refusal) => refused(row, &refusal),
        });
    };
    // One column at a time: that of the other may be constant.
    let alone = |found: Result<f64, Refusal>, name: &str| {
        found.map_err(|refusal| match refusal {
            Refusal::Constant { .. } => Refusal::Constant { name: name.to_owned() },
            other => other,
        })
    };
    let metric = &fitted.row.metric;
    let ends = |of: &Result<AttenuationIntervals, Refusal>, get: fn(&AttenuationIntervals) -> &Result<Interval, Refusal>| {
        of.as_ref().map_err(Clone::clone).and_then(|found| get(found).clone())
    };
    let from_errors = |values, errors, name| alone(reliability_from_errors(values, errors), name);
    one("metric_reliability", from_errors(noisy.metric, noisy.metric_errors, metric), ends(&errors.1, |found| &found.metric));
    one("score_reliability", from_errors(noisy.score, noisy.score_errors, "score"), ends(&errors.1, |found| &found.score));
    let over_seeds = |get: fn(&AttenuationIntervals) -> &Result<Interval, Refusal>| match &seeds {
        Ok((_, intervals)) => ends(intervals, get),
        Err(refusal) => Err(refusal.clone()),
    };
    let of_seeds = |values, name| alone(from_seeds(values, noisy.groups), name);
    one("metric_seed_reliability", of_seeds(noisy.metric, metric), over_seeds(|found| &found.metric));
    one("score_seed_reliability", of_seeds(noisy.score, "score"), over_seeds(|found| &found.score));
    let (source, (found, intervals)) = match seeds {
        Ok(seeds) => (Source::Seeds, seeds),
        Err(_) => (Source::Errors, errors),
    };
    rows.extend(ceiling(fitted, source, found, &intervals));
    rows
}

/// The noise ceiling and the disattenuated r.
fn ceiling(
    fitted: &Fitted<'_>,
    source: Source,
    found: Result<Attenuation, Refusal>,
    intervals: &Result<AttenuationIntervals, Refusal>,
) -> [StatisticRow; 2] {
    let [ceiling, r] = ["noise_ceiling", "disattenuated_r"].map(|name| fitted.statistic(KIND, name));
    let found = match found {
        Ok(found) => found,
        Err(refusal) => return [refused(ceiling, &refusal), refused(r, &refusal)],
    };
    let groups = configurations(fitted);
    let beyond = groups.len() - groups.iter().collect::<BTreeSet<_>>().len();
    let details = json!({
        "source": source, "seeds_beyond_the_first": beyond, "metric_reliability": found.metric, "score_reliability": found.score, "spearman": fitted.row.spearman,
        "degenerate": intervals.as_ref().ok().and_then(|intervals| intervals.r.as_ref().ok()).map(|interval| interval.degenerate),
    });
    let ends = |get: fn(&AttenuationIntervals) -> &Result<Interval, Refusal>| match intervals {
        Ok(intervals) => get(intervals).clone(),
        Err(refusal) => Err(refusal.clone()),
    };
    let ceiling = bounded(valued(ceiling, found.ceiling), &ends(|intervals| &intervals.ceiling));
    let r = match disattenuated(fitted.row.spearman.unwrap_or(f64::NAN), found.metric, found.score) {
        Err(refusal) => refused(r, &refusal),
        Ok(value) => {
            let mut row = bounded(valued(r, value), &ends(|intervals| &intervals.r));
            if value.abs() > 1.0 {
                row.reason.get_or_insert_with(|| "over 1, since reliabilities are estimates: read it as `near 1`".to_owned());
            }
            row
        }
    };
    [detailed(ceiling, &details), detailed(r, &details)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{fit::fit_rows, inputs::Inputs, sample::suite, statistics::fitted};

    fn of(inputs: &Inputs, metric: &str) -> Vec<StatisticRow> {
        let fits = fit_rows(inputs).unwrap();
        let all = fitted(inputs, &fits).unwrap();
        all.iter().filter(|fitted| fitted.row.metric == metric).flat_map(rows).collect()
    }

    fn named<'r>(rows: &'r [StatisticRow], name: &str) -> &'r StatisticRow {
        rows.iter().find(|row| row.name == name).unwrap()
    }

    /// Twenty-four runs: twelve configurations of two seeds.
    fn seeded() -> Inputs {
        let mut inputs = suite(24);
        for (number, run) in inputs.runs.iter_mut().enumerate() {
            run.configuration = format!("configuration {}", number / 2);
        }
        inputs
    }

    #[test]
    fn errors_alone_without_seeds() {
        let rows = of(&suite(24), "loss/mlm_loss");
        assert_eq!(rows.len(), 6);
        let metric = named(&rows, "metric_reliability");
        assert!(metric.value.unwrap() > 0.99 && metric.low95.unwrap() > 0.9, "{metric:?}");
        let none = named(&rows, "score_seed_reliability");
        assert_eq!((none.value, none.refusal.as_deref()), (None, Some("no_values")));
        assert!(none.reason.as_ref().unwrap().contains("two seeds"), "{none:?}");
        let ceiling = named(&rows, "noise_ceiling");
        let expected = (metric.value.unwrap() * named(&rows, "score_reliability").value.unwrap()).sqrt();
        assert!((ceiling.value.unwrap() - expected).abs() < 1e-12);
        assert!(ceiling.details_json.as_ref().unwrap().contains("\"source\":\"errors\""));
    }

    #[test]
    fn seeds_count_where_there_are_several() {
        let rows = of(&seeded(), "loss/mlm_loss");
        let r = named(&rows, "disattenuated_r");
        assert!(r.details_json.as_ref().unwrap().contains("\"source\":\"seeds\""), "{r:?}");
        assert!(r.value.unwrap() > 0.9 && r.low95.unwrap() < r.high95.unwrap(), "{r:?}");
        assert!(named(&rows, "score_seed_reliability").value.unwrap() > 0.9);
        // Of a metric that is the same for both seeds nothing is noise.
        let mut inputs = seeded();
        let sizes: Vec<u64> = (0..12).map(|number| 60_000 * (1 + number % 4)).collect();
        let of_run = |run: &str| sizes[run[3..].parse::<usize>().unwrap() / 2] as f64;
        for row in inputs.metrics.iter_mut().filter(|row| row.metric == "trivial/parameters") {
            row.value = of_run(&row.run);
        }
        assert_eq!(named(&of(&inputs, "trivial/parameters"), "metric_seed_reliability").value, Some(1.0));
    }

    #[test]
    fn a_few_seeds_do_not_count() {
        let mut inputs = suite(24);
        let first = inputs.runs[0].configuration.clone();
        inputs.runs[1].configuration = first;
        let rows = of(&inputs, "loss/mlm_loss");
        let seeds = named(&rows, "score_seed_reliability");
        assert_eq!((seeds.value, seeds.refusal.as_deref()), (None, Some("too_few")), "{seeds:?}");
        assert!(named(&rows, "noise_ceiling").details_json.as_ref().unwrap().contains("\"source\":\"errors\""));
        // Noise is as reliable as its errors say, whatever one pair of seeds happened to do.
        let fits = fit_rows(&inputs).unwrap();
        let fitted = &fitted(&inputs, &fits).unwrap()[0];
        assert_eq!(of_score(fitted), reliability_from_errors(&fitted.score, &Columns::new(fitted).score_errors));
    }

    #[test]
    fn noise_alone_is_refused() {
        let mut inputs = suite(24);
        inputs.scores.iter_mut().for_each(|row| row.se_test = 50.0);
        let rows = of(&inputs, "loss/mlm_loss");
        assert_eq!(named(&rows, "score_reliability").value, Some(0.0));
        let r = named(&rows, "disattenuated_r");
        assert_eq!((r.value, r.refusal.as_deref()), (None, Some("unreliable")));
        let three = of(&suite(2), "loss/mlm_loss");
        assert!(three.iter().all(|row| row.value.is_none() && row.refusal.is_some()), "{three:?}");
    }
}
