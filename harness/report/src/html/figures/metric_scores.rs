//! Score against each metric with the fitted line and its band: a figure a metric and protocol, a panel a task.

use std::collections::BTreeSet;

use clmbench_analysis::{ModelRow, PredictorRow};
use clmbench_stats::{Column, Ols, SMALLEST_N_FOR_INTERVALS, ols};
use clmbench_store::StatisticRow;

use super::{Data, Figure, pooled, slug, task_name};
use crate::{
    html::{
        axis::Axis,
        figure::with_error,
        node::Element,
        plot::{Area, Plot, band, sheet},
        predictors::sign,
    },
    text::{interval, plural, two, two_or_missing},
};

/// Figures of a protocol, tasks of a figure, and points of all figures, shared evenly by the protocols: the page stays small.
const MOST_METRICS: usize = 6;
const MOST_TASKS: usize = 9;
const MOST_POINTS: usize = 4_000;
const SIZE: (f64, f64) = (250.0, 200.0);

/// The metrics that say most: those with a verdict, then by the size of their pooled (or mean) correlation.
pub(super) fn figures(rows: &[PredictorRow], statistics: &[StatisticRow], models: &[ModelRow]) -> Vec<Figure> {
    let protocols: BTreeSet<&str> = rows.iter().map(|row| row.fit.protocol.as_str()).collect();
    let share = MOST_POINTS / protocols.len().max(1);
    let mut figures = Vec::new();
    for protocol in protocols {
        let mut points = 0;
        let of_protocol: Vec<&PredictorRow> = rows.iter().filter(|row| row.fit.protocol == protocol).collect();
        let metrics: BTreeSet<&str> = of_protocol.iter().map(|row| row.fit.metric.as_str()).collect();
        let mut metrics: Vec<(usize, f64, &str)> = metrics
            .into_iter()
            .map(|metric| {
                let own: Vec<&PredictorRow> = of_protocol.iter().copied().filter(|row| row.fit.metric == metric).collect();
                let predicts = own.iter().filter(|row| row.fit.verdict == "predicts" || row.fit.reversed).count();
                (predicts, strength(&own, statistics), metric)
            })
            .collect();
        metrics.sort_by(|left, right| right.0.cmp(&left.0).then(right.1.total_cmp(&left.1)).then(left.2.cmp(right.2)));
        let drawn = |metric: &str| -> Vec<&PredictorRow> {
            of_protocol.iter().copied().filter(|row| row.fit.metric == metric && drawable(row)).collect()
        };
        let size = |metric: &str| drawn(metric).iter().take(MOST_TASKS).map(|row| row.details.points.len()).sum::<usize>();
        // The first is drawn however many points it has, so that no protocol is without a figure.
        let fits = metrics.iter().take(MOST_METRICS).take_while(|(_, _, metric)| {
            points += size(metric);
            points <= share || points == size(metric)
        });
        let shown = fits.count();
        let unshown = metrics.len() - shown;
        for (_, _, metric) in metrics.into_iter().take(shown) {
            let own = drawn(metric);
            let all = || of_protocol.iter().map(|row| (row.fit.dataset.as_str(), row.fit.task.as_str()));
            let names: Vec<String> = own.iter().map(|row| task_name(&row.fit.dataset, &row.fit.task, all())).collect();
            figures.extend(figure(metric, protocol, &own, &names, statistics, models, unshown));
        }
    }
    figures
}

fn drawable(row: &PredictorRow) -> bool {
    row.details.points.iter().any(|point| point.metric.0.is_finite() && point.score.0.is_finite())
}

fn strength(rows: &[&PredictorRow], statistics: &[StatisticRow]) -> f64 {
    let over_all = rows.first().and_then(|row| pooled(statistics, &row.fit)).and_then(|row| row.value);
    let all: Vec<f64> = rows.iter().filter_map(|row| row.fit.spearman).collect();
    let mean = (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64);
    over_all.or(mean).map_or(-1.0, f64::abs)
}

/// A straight line with its band, in the units of metric and score.
struct Straight {
    fit: Ols,
    middle: f64,
    spread: f64,
    /// Student's t of the 95 % interval; none where no interval is shown.
    t: Option<f64>,
}

impl Straight {
    fn of(row: &PredictorRow) -> Option<Self> {
        let points = row.details.points.iter().filter(|point| point.metric.0.is_finite() && point.score.0.is_finite());
        let (x, y): (Vec<f64>, Vec<f64>) = points.map(|point| (point.metric.0, point.score.0)).unzip();
        let fit = ols(&[Column { name: &row.fit.metric, values: &x }], &y, 0.95).ok()?;
        let middle = x.iter().sum::<f64>() / x.len() as f64;
        let spread = x.iter().map(|x| (x - middle).powi(2)).sum();
        let slope = &fit.coefficients[1];
        let t = (slope.ci_high - slope.estimate) / slope.std_error;
        let t = (fit.n >= SMALLEST_N_FOR_INTERVALS && t.is_finite()).then_some(t);
        Some(Self { fit, middle, spread, t })
    }

    fn at(&self, x: f64) -> f64 {
        self.fit.coefficients[0].estimate + self.fit.coefficients[1].estimate * x
    }

    /// Half the width of the band of the mean.
    fn reach(&self, x: f64) -> Option<f64> {
        let variance = 1.0 / self.fit.n as f64 + (x - self.middle).powi(2) / self.spread;
        self.t.map(|t| t * self.fit.residual_sd * variance.sqrt())
    }
}

fn figure(
    metric: &str,
    protocol: &str,
    rows: &[&PredictorRow],
    names: &[String],
    statistics: &[StatisticRow],
    models: &[ModelRow],
    unshown: usize,
) -> Option<Figure> {
    let first = rows.first()?;
    let unit = first.details.unit.as_str();
    let x_label = if matches!(unit, "" | "1") { metric.to_owned() } else { format!("{metric} ({unit})") };
    let drawn = rows.iter().zip(names).take(MOST_TASKS);
    let panels: Vec<Element> = drawn.map(|(row, name)| panel(row, name, &x_label, models)).collect();
    let title = format!("Score against {metric}, {protocol}");
    let better = |word: &str| if word == "lower_is_better" { "smaller" } else { "larger" };
    let seeds = rows.iter().any(|row| row.details.points.iter().any(|point| point.score_se_seed.is_some()));
    let errors = if seeds { "test molecules and transfer seeds" } else { "test molecules" };
    let over_all = pooled(statistics, &first.fit).and_then(|row| Some((row, row.value?))).map(|(row, value)| {
        let verdict = row.verdict.as_deref().unwrap_or("no verdict").replace('_', " ");
        format!("over all tasks r = {} {}, {verdict}", two(value), interval(row.low95, row.high95))
    });
    let correlations: Vec<String> = rows
        .iter()
        .zip(names)
        .map(|(row, name)| {
            let range = row
                .fit
                .spearman_low
                .map_or_else(String::new, |_| format!(" {}", interval(row.fit.spearman_low, row.fit.spearman_high)));
            format!(
                "{name} r = {}{range} ({}, n = {})",
                two_or_missing(row.fit.spearman),
                row.fit.verdict.replace('_', " "),
                row.fit.n
            )
        })
        .collect();
    let more = match (rows.len().saturating_sub(MOST_TASKS), unshown) {
        (0, 0) => String::new(),
        (tasks, metrics) => format!(" Not drawn: {}, {}.", plural(tasks, "task"), plural(metrics, "weaker metric")),
    };
    Some(Figure {
        id: format!("score-against-{}-{}", slug(metric), slug(protocol)),
        caption: format!(
            "Marks: runs at their last checkpoint; bars: one standard error ({errors}; and of the metric). Line: least squares over runs; \
             band: 95 % interval of the line (Student's t, runs as points; none below {SMALLEST_N_FOR_INTERVALS} runs). r: Spearman, \
             oriented by the claim ({} is better). ✓ predicts, ✗ does not predict, ? cannot tell, – refused.{more}",
            better(&first.fit.metric_orientation)
        ),
        alternative: format!(
            "{metric} under {protocol}: {}{}.",
            over_all.map_or_else(String::new, |text| format!("{text}; ")),
            correlations.join("; ")
        ),
        drawing: sheet(&title, 3, SIZE, panels, &[]),
        data: data(rows),
        title,
    })
}

fn panel(row: &PredictorRow, name: &str, x_label: &str, models: &[ModelRow]) -> Element {
    let area = Area::of(SIZE.0, SIZE.1);
    let score_error =
        |point: &clmbench_analysis::FitPoint| point.score_se_test.0.hypot(point.score_se_seed.map_or(0.0, |error| error.0));
    let points = || row.details.points.iter().filter(|point| point.metric.0.is_finite() && point.score.0.is_finite());
    let x = Axis::linear_over(&points().map(|point| (point.metric.0, 0.0)).collect::<Vec<_>>(), area.left, area.right);
    let y =
        Axis::linear_over(&points().map(|point| (point.score.0, score_error(point))).collect::<Vec<_>>(), area.bottom, area.top);
    let mut plot = Plot::new(area, x, y);
    if let Some(line) = Straight::of(row) {
        let ends = points().map(|point| point.metric.0);
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let places: Vec<f64> = (0..=20).map(|step| low + (high - low) * f64::from(step) / 20.0).collect();
        let edge = |side: f64| -> Option<Vec<(f64, f64)>> {
            places.iter().map(|x| Some(plot.at(*x, line.at(*x) + side * line.reach(*x)?))).collect()
        };
        if let (Some(upper), Some(lower)) = (edge(1.0), edge(-1.0)) {
            plot.add(band(1, &upper, &lower));
        }
        plot.line(1, false, "least squares", &[(low, line.at(low)), (high, line.at(high))]);
    }
    for point in points() {
        let (metric, score) = ((point.metric.0, point.metric_std_error.0), (point.score.0, score_error(point)));
        let text = format!("{}: {}, {}", point.label, with_error(metric), with_error(score));
        plot.point(0, true, text, metric, score);
    }
    let same = |model: &&ModelRow| model.dataset == row.fit.dataset && model.task == row.fit.task && model.score == row.fit.score;
    let unit = models.iter().find(same).map_or("", |model| model.unit.as_str());
    let score = if unit.is_empty() { row.fit.score.clone() } else { format!("{} ({unit})", row.fit.score) };
    plot.finish(&format!("{name} {} r = {}", sign(&row.fit), two_or_missing(row.fit.spearman)), x_label, &score)
}

fn data(rows: &[&PredictorRow]) -> Data {
    let mut data =
        Data::new(&["dataset", "task", "score", "run", "metric", "metric_std_error", "value", "se_test", "se_seed", "fitted"]);
    for row in rows {
        let line = Straight::of(row);
        for point in &row.details.points {
            data.rows.push(vec![
                row.fit.dataset.clone(),
                row.fit.task.clone(),
                row.fit.score.clone(),
                point.label.clone(),
                point.metric.0.to_string(),
                point.metric_std_error.0.to_string(),
                point.score.0.to_string(),
                point.score_se_test.0.to_string(),
                super::digits(point.score_se_seed.map(|error| error.0)),
                super::digits(line.as_ref().map(|line| line.at(point.metric.0))),
            ]);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::html::figures::made_up::{drawn, predictor};

    #[test]
    fn a_panel_has_its_runs_its_line_and_its_band() {
        let figures = figures(&[predictor("a/<b>", "esol", 0.6), predictor("a/<b>", "lipo", 0.2)], &[], &[]);
        let [figure] = figures.as_slice() else { unreachable!("{figures:?}") };
        let text = drawn(figure);
        assert_eq!((text.matches("class=\"mark s0\"").count(), text.matches("class=\"band s1\"").count()), (24, 2));
        assert!(text.contains("esol ? r = 0.60") && text.contains("a/&lt;b&gt;"), "{text}");
        assert_eq!(figure.data.rows.len(), 24);
        assert!(figure.alternative.contains("lipo r = 0.20 [0.00, 0.40] (cannot tell, n = 12)"), "{}", figure.alternative);
    }

    #[test]
    fn every_protocol_has_its_share_and_says_what_is_not_drawn() {
        let mut rows = Vec::new();
        for protocol in ["finetune", "probe"] {
            for metric in ["a/b", "c/d", "e/f"] {
                let mut row = predictor(metric, "esol", 0.6);
                row.fit.protocol = protocol.into();
                let point = row.details.points[0].clone();
                row.details.points.resize(900, point);
                rows.push(row);
            }
        }
        let figures = figures(&rows, &[], &[]);
        // 2,000 points each: two of three metrics.
        let of = |protocol: &str| figures.iter().filter(|figure| figure.id.ends_with(protocol)).count();
        assert_eq!((of("finetune"), of("probe")), (2, 2));
        assert!(figures.iter().all(|figure| figure.caption.contains("1 weaker metric.")), "{}", figures[0].caption);
    }

    #[test]
    fn the_band_is_that_of_the_formula() {
        // y = 2 x with residuals of ±0.5 in turn: slope and band by hand from the normal equations.
        let row = predictor("a/b", "esol", 0.6);
        let line = Straight::of(&row).unwrap();
        let (middle, spread) = (5.5, 143.0);
        let slope = 2.0 + (0..12).map(|x| (f64::from(x) - middle) * if x % 2 == 0 { 0.5 } else { -0.5 }).sum::<f64>() / spread;
        assert!((line.fit.coefficients[1].estimate - slope).abs() < 1e-12);
        // t(0.975, 10) = 2.228138851964939
        let reach = 2.228138851964939 * line.fit.residual_sd * (1.0 / 12.0 + (11.0f64 - middle).powi(2) / spread).sqrt();
        assert!((line.reach(11.0).unwrap() - reach).abs() < 1e-9, "{reach}");
    }

    #[test]
    fn few_runs_have_no_band_and_none_no_figure() {
        let mut row = predictor("a/b", "esol", 0.6);
        row.details.points.truncate(6);
        let text = drawn(&figures(&[row.clone()], &[], &[])[0]);
        assert!(!text.contains("class=\"band") && text.contains("class=\"curve s1 d1\""));
        row.details.points.clear();
        assert!(figures(&[row], &[], &[]).is_empty());
    }
}
