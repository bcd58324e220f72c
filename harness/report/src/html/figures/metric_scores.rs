//! Score against each metric with the fitted line and its band: a figure a metric, protocol and pool of runs, a panel a task.

use std::collections::BTreeMap;

use clmbench_analysis::{FitPoint, ModelRow, PredictorRow};
use clmbench_stats::{Column, Ols, SMALLEST_N_FOR_INTERVALS, ols};
use clmbench_store::StatisticRow;

use super::{Data, Figure, over_tasks, pooled, slug, task_name};
use crate::{
    html::{
        axis::{Axis, with_error},
        node::Element,
        plot::{Area, Plot, band, sheet},
        predictors::sign,
    },
    text::{interval, plural, two, two_or_missing},
};

/// Figures of a protocol, tasks of a figure, and points of all figures, shared evenly by the protocols: the page stays small.
const MOST_METRICS: usize = 10;
const MOST_TASKS: usize = 9;
const MOST_POINTS: usize = 4_000;
const SIZE: (f64, f64) = (250.0, 214.0);
/// Pieces of a band.
const STEPS: u8 = 12;

/// A metric on the runs of one pool.
struct Entry<'a> {
    metric: &'a str,
    /// Without the split; empty where the metric has no other.
    pool: String,
    rows: Vec<&'a PredictorRow>,
    /// Fits with a verdict, and the size of the correlation over tasks.
    weight: (usize, f64),
}

impl Entry<'_> {
    fn points(&self) -> usize {
        self.rows.iter().filter(|row| drawable(row)).take(MOST_TASKS).map(|row| row.details.points.len()).sum()
    }
}

/// The metrics of a protocol, those that say most first: those with a verdict, then by the size of their pooled (or mean) correlation.
/// And how many of them a page has room for.
struct Protocol<'a> {
    name: &'a str,
    entries: Vec<Entry<'a>>,
    shown: usize,
}

fn protocols<'a>(rows: &'a [PredictorRow], statistics: &[StatisticRow]) -> Vec<Protocol<'a>> {
    let mut found: BTreeMap<&str, BTreeMap<(&str, String), Vec<&PredictorRow>>> = BTreeMap::new();
    for row in rows {
        let entries = found.entry(&row.fit.protocol).or_default();
        entries.entry((&row.fit.metric, over_tasks(&row.fit.pool))).or_default().push(row);
    }
    let share = MOST_POINTS / found.len().max(1);
    let protocol = |(name, entries): (&'a str, BTreeMap<(&'a str, String), Vec<&'a PredictorRow>>)| {
        let several: Vec<bool> =
            entries.keys().map(|(metric, _)| entries.keys().filter(|(other, _)| other == metric).count() > 1).collect();
        let entry = |(((metric, pool), rows), several): (((&'a str, String), Vec<&'a PredictorRow>), bool)| {
            let decided = rows.iter().filter(|row| row.fit.verdict == "predicts" || row.fit.reversed).count();
            let weight = (decided, strength(&rows, statistics));
            Entry { metric, pool: if several { pool } else { String::new() }, rows, weight }
        };
        let entries = entries.into_iter().zip(several).map(entry);
        let mut entries: Vec<Entry<'_>> = entries.filter(|entry| entry.rows.iter().any(|row| drawable(row))).collect();
        entries.sort_by(|left, right| {
            let by_weight = right.weight.0.cmp(&left.weight.0).then(right.weight.1.total_cmp(&left.weight.1));
            by_weight.then_with(|| (left.metric, &left.pool).cmp(&(right.metric, &right.pool)))
        });
        let mut points = 0;
        // The first is drawn however many points it has, so that no protocol is without a figure.
        let fits = entries.iter().take(MOST_METRICS).take_while(|entry| {
            points += entry.points();
            points <= share || points == entry.points()
        });
        let shown = fits.count();
        Protocol { name, entries, shown }
    };
    found.into_iter().map(protocol).collect()
}

/// The figures of a page.
pub(super) fn figures(rows: &[PredictorRow], statistics: &[StatisticRow], models: &[ModelRow]) -> Vec<Figure> {
    let drawn = |protocol: Protocol<'_>| {
        let unshown = protocol.entries.len() - protocol.shown;
        let shown = protocol.entries.iter().take(protocol.shown);
        shown.filter_map(|entry| figure(entry, protocol.name, statistics, models, unshown)).collect::<Vec<Figure>>()
    };
    protocols(rows, statistics).into_iter().flat_map(drawn).collect()
}

/// Those for which a page has no room.
pub(super) fn rest(rows: &[PredictorRow], statistics: &[StatisticRow], models: &[ModelRow]) -> Vec<Figure> {
    let drawn = |protocol: Protocol<'_>| {
        let others = protocol.entries.iter().skip(protocol.shown);
        others.filter_map(|entry| figure(entry, protocol.name, statistics, models, 0)).collect::<Vec<Figure>>()
    };
    protocols(rows, statistics).into_iter().flat_map(drawn).collect()
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

fn figure(entry: &Entry<'_>, protocol: &str, statistics: &[StatisticRow], models: &[ModelRow], unshown: usize) -> Option<Figure> {
    let (drawn, undrawn): (Vec<&PredictorRow>, Vec<&PredictorRow>) = entry.rows.iter().copied().partition(|row| drawable(row));
    let first = drawn.first()?;
    let (metric, unit) = (entry.metric, first.details.unit.as_str());
    let all = || entry.rows.iter().map(|row| (row.fit.dataset.as_str(), row.fit.task.as_str()));
    let name = |row: &PredictorRow| task_name(&row.fit.dataset, &row.fit.task, all());
    let x_label = if matches!(unit, "" | "1") { metric.to_owned() } else { format!("{metric} ({unit})") };
    let panels = drawn.iter().take(MOST_TASKS).map(|row| panel(row, &name(row), &x_label, models)).collect();
    let of_pool = if entry.pool.is_empty() { String::new() } else { format!(" ({})", entry.pool) };
    let title = format!("Score against {metric}, {protocol}{of_pool}");
    let better = |word: &str| if word == "lower_is_better" { "smaller" } else { "larger" };
    let seeds = drawn.iter().any(|row| row.details.points.iter().any(|point| point.score_se_seed.is_some()));
    let errors = if seeds { "test molecules and transfer seeds" } else { "test molecules" };
    let over_all = pooled(statistics, &first.fit).and_then(|row| Some((row, row.value?))).map(|(row, value)| {
        let verdict = row.verdict.as_deref().unwrap_or("no verdict").replace('_', " ");
        format!("over all tasks r = {} {}, {verdict}", two(value), interval(row.low95, row.high95))
    });
    let said = |row: &&PredictorRow| {
        let fit = &row.fit;
        let range = fit.spearman_low.map_or_else(String::new, |_| format!(" {}", interval(fit.spearman_low, fit.spearman_high)));
        let reason = fit.verdict_reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
        let verdict = fit.verdict.replace('_', " ");
        format!("{} r = {}{range} ({verdict}, n = {}{reason})", name(row), two_or_missing(fit.spearman), fit.n)
    };
    let mut more = String::new();
    match drawn.len().saturating_sub(MOST_TASKS) {
        0 => {}
        tasks => more.push_str(&format!(" {} more are in the data only.", plural(tasks, "task"))),
    }
    if !undrawn.is_empty() {
        let refused = undrawn.iter().map(|row| {
            let reason = row.fit.verdict_reason.as_deref().unwrap_or("no points");
            format!("{} ({reason})", name(row))
        });
        more.push_str(&format!(" Without a point: {}.", refused.collect::<Vec<_>>().join("; ")));
    }
    if unshown > 0 {
        more.push_str(&format!(
            " {} of {protocol} not drawn here: clmbench report --figures DIR draws all.",
            plural(unshown, "weaker metric")
        ));
    }
    Some(Figure {
        id: slug(&format!("score-against-{metric}-{protocol}-{}", entry.pool)),
        caption: format!(
            "Marks: runs at their last checkpoint; bars: one standard error ({errors}; and of the metric). Line: least squares over runs; \
             band: 95 % interval of the line (Student's t, runs as points; none below {SMALLEST_N_FOR_INTERVALS} runs). r: Spearman, \
             oriented: the metric claims that {} is better. ✓ predicts, ✗ does not predict, ? cannot tell, – refused.{more}",
            better(&first.fit.metric_orientation)
        ),
        alternative: format!(
            "{metric} under {protocol}: {}{}.",
            over_all.map_or_else(String::new, |text| format!("{text}; ")),
            drawn.iter().map(said).collect::<Vec<_>>().join("; ")
        ),
        drawing: sheet(&title, 3, SIZE, panels, &[]),
        data: data(&drawn),
        title,
    })
}

fn panel(row: &PredictorRow, name: &str, x_label: &str, models: &[ModelRow]) -> Element {
    let area = Area::of(SIZE.0, SIZE.1);
    let score_error = |point: &FitPoint| point.score_se_test.0.hypot(point.score_se_seed.map_or(0.0, |error| error.0));
    let points = || row.details.points.iter().filter(|point| point.metric.0.is_finite() && point.score.0.is_finite());
    // What spans orders of magnitude (sizes, tokens) is logarithmic across; a score is read in its own unit.
    let x = Axis::over(&points().map(|point| (point.metric.0, 0.0)).collect::<Vec<_>>(), area.left, area.right);
    let y =
        Axis::linear_over(&points().map(|point| (point.score.0, score_error(point))).collect::<Vec<_>>(), area.bottom, area.top);
    let mut plot = Plot::new(area, x, y);
    if let Some(line) = Straight::of(row) {
        let ends = points().map(|point| point.metric.0);
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let between = |share: f64| match plot.x.logarithmic {
            true => low * (high / low).powf(share),
            false => low + (high - low) * share,
        };
        let places: Vec<f64> = (0..=STEPS).map(|step| between(f64::from(step) / f64::from(STEPS))).collect();
        let edge = |side: f64| -> Option<Vec<(f64, f64)>> {
            places.iter().map(|x| Some(plot.at(*x, line.at(*x) + side * line.reach(*x)?))).collect()
        };
        if let (Some(upper), Some(lower)) = (edge(1.0), edge(-1.0)) {
            plot.add(band(1, &upper, &lower));
        }
        // Straight, it needs its ends alone.
        let drawn = places.iter().step_by(if plot.x.logarithmic { 1 } else { STEPS as usize });
        let drawn: Vec<(f64, f64)> = drawn.map(|x| (*x, line.at(*x))).collect();
        plot.line(1, false, "least squares", &drawn);
    }
    for point in points() {
        let (metric, score) = ((point.metric.0, point.metric_std_error.0), (point.score.0, score_error(point)));
        let text = format!("{}: {}, {}", point.label, with_error(metric), with_error(score));
        plot.point(0, true, text, metric, score);
    }
    let same = |model: &&ModelRow| model.dataset == row.fit.dataset && model.task == row.fit.task && model.score == row.fit.score;
    let unit = models.iter().find(same).map_or("", |model| model.unit.as_str());
    let better = if row.fit.score_orientation == "lower_is_better" { "smaller is better" } else { "larger is better" };
    let score = if unit.is_empty() { row.fit.score.clone() } else { format!("{} ({unit})", row.fit.score) };
    let score = format!("{score}, {better}");
    let x_label = if plot.x.logarithmic { format!("{x_label}, logarithmic") } else { x_label.to_owned() };
    plot.finish(&format!("{name} {} r = {}", sign(&row.fit), two_or_missing(row.fit.spearman)), &x_label, &score)
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
        assert!(rest(&[predictor("a/b", "esol", 0.6)], &[], &[]).is_empty());
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
        assert!(figures.iter().all(|figure| figure.caption.contains(" 1 weaker metric of ")), "{}", figures[0].caption);
        let others = rest(&rows, &[], &[]);
        let ids: Vec<&str> = others.iter().map(|figure| figure.id.as_str()).collect();
        assert_eq!(ids, ["score-against-e-f-finetune", "score-against-e-f-probe"], "the others are files");
    }

    #[test]
    fn pools_have_figures_of_their_own_and_refusals_their_reasons() {
        let mut rows = vec![predictor("a/b", "esol", 0.6), predictor("a/b", "lipo", 0.5), predictor("a/b", "esol", 0.1)];
        rows[2].fit.pool = "causal_lm tokenizer:0 sample:1 split:2 probe".into();
        (rows[1].fit.verdict, rows[1].fit.verdict_reason) = ("refused".into(), Some("3 runs, a fit needs 4".into()));
        rows[1].details.points.clear();
        let figures = figures(&rows, &[], &[]);
        assert_eq!(figures.len(), 2);
        assert!(figures[0].title.contains("(masked_lm tokenizer:0 sample:1 probe)"), "{}", figures[0].title);
        assert!(figures[0].caption.contains("Without a point: lipo (3 runs, a fit needs 4)."), "{}", figures[0].caption);
        assert!(figures.iter().all(|figure| figure.data.rows.len() == 12) && figures[0].id != figures[1].id);
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
