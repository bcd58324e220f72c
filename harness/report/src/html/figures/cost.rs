//! What a metric costs against how well it predicts: mean seconds and pooled correlation.

use std::collections::BTreeSet;

use clmbench_analysis::PredictorRow;
use clmbench_store::{FitRow, StatisticRow};

use super::{Data, Figure, digits, over_tasks, pooled, slug};
use crate::{
    html::{
        axis::Axis,
        node::{Element, element, with_text},
        plot::{Anchor, Area, Plot, cut, line, sheet, words},
    },
    text::{interval, plural, seconds, two},
};

const WIDTH: f64 = 640.0;
/// Room for the names on the right.
const NAMES: f64 = 210.0;
const STEP: f64 = 13.0;
const MOST: usize = 40;
/// Shorter is not told apart.
const SHORTEST: f64 = 1e-3;

struct Entry<'a> {
    fit: &'a FitRow,
    /// With the pool of runs where the metric has several.
    name: String,
    pooled: &'a StatisticRow,
    cost: f64,
    value: f64,
}

/// A figure a protocol, where correlations are pooled over tasks.
pub(super) fn figures(rows: &[PredictorRow], statistics: &[StatisticRow]) -> Vec<Figure> {
    let protocols: BTreeSet<&str> = rows.iter().map(|row| row.fit.protocol.as_str()).collect();
    protocols.into_iter().filter_map(|protocol| figure(rows, statistics, protocol)).collect()
}

fn figure(rows: &[PredictorRow], statistics: &[StatisticRow], protocol: &str) -> Option<Figure> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for fit in rows.iter().map(|row| &row.fit).filter(|fit| fit.protocol == protocol) {
        let Some(pooled) = pooled(statistics, fit) else { continue };
        let (Some(value), Some(_)) = (pooled.value.filter(|value| value.is_finite()), fit.cost_seconds) else { continue };
        if entries.iter().any(|entry| std::ptr::eq(entry.pooled, pooled)) {
            continue;
        }
        // Of a metric that is measured for each task, the mean over tasks.
        let pool = over_tasks(&fit.pool);
        let same = || rows.iter().filter(|row| row.fit.metric == fit.metric && row.fit.protocol == protocol);
        let own = same().filter(|row| over_tasks(&row.fit.pool) == pool);
        let costs: Vec<f64> = own.filter_map(|row| row.fit.cost_seconds).filter(|cost| cost.is_finite()).collect();
        let of_pool = if same().any(|row| over_tasks(&row.fit.pool) != pool) { format!(" ({pool})") } else { String::new() };
        let name = format!("{}{}{of_pool}", fit.metric, if fit.trivial { " *" } else { "" });
        if !costs.is_empty() {
            entries.push(Entry { fit, name, pooled, cost: costs.iter().sum::<f64>() / costs.len() as f64, value });
        }
    }
    entries.sort_by(|left, right| right.value.total_cmp(&left.value).then_with(|| left.name.cmp(&right.name)));
    if entries.is_empty() {
        return None;
    }
    let title = format!("Cost of a metric against how well it predicts, {protocol}");
    let unshown = match entries.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" {} more are in the data only.", plural(more, "metric")),
    };
    Some(Figure {
        id: format!("cost-{}", slug(protocol)),
        caption: format!(
            "Mean wall time of a metric on one checkpoint (logarithmic; it depends on machine and budget) against its oriented Spearman \
             correlation, mean over tasks. Bars: 95 % interval over runs and tasks; none below 8 runs. Squares with *: trivial predictors.\
             {unshown}"
        ),
        alternative: alternative(&entries),
        drawing: drawing(&title, &entries[..entries.len().min(MOST)]),
        data: data(&entries),
        title,
    })
}

fn drawing(title: &str, entries: &[Entry<'_>]) -> Element {
    let height = (60.0 + STEP * entries.len() as f64).max(280.0);
    let area = Area { right: WIDTH - NAMES, ..Area::nameless(WIDTH, height) };
    let costs: Vec<(f64, f64)> = entries.iter().map(|entry| (entry.cost.max(SHORTEST), 0.0)).collect();
    let ends = entries.iter().flat_map(|entry| [Some(entry.value), entry.pooled.low95, entry.pooled.high95, Some(0.0)]);
    let heights: Vec<(f64, f64)> = ends.flatten().filter(|end| end.is_finite()).map(|end| (end, 0.0)).collect();
    let x = Axis::logarithmic_over(&costs, area.left, area.right);
    let mut plot = Plot::new(area, x, Axis::linear_over(&heights, area.bottom, area.top));
    let zero = plot.y.place(0.0);
    plot.add(line("axis", (area.left, zero), (area.right, zero)));
    // Names stand beside the marks' heights, each below the one before.
    let mut free = area.top;
    let room = area.bottom + 20.0 - STEP * entries.len() as f64;
    for (index, entry) in entries.iter().enumerate() {
        let (across, up) = plot.at(entry.cost.max(SHORTEST), entry.value);
        let style = usize::from(entry.fit.trivial);
        let name = &entry.name;
        let text = format!("{name}: {}, r = {}", seconds(Some(entry.cost)), said(entry));
        let place = (up + 4.0).max(free).min(room + STEP * (index + 1) as f64);
        free = place + STEP;
        let mut group = element("g").child(with_text("title", text));
        if let (Some(low), Some(high)) = (entry.pooled.low95, entry.pooled.high95) {
            group = group.child(crate::html::plot::bar(style, (across, plot.y.place(low)), (across, plot.y.place(high))));
        }
        group = group.child(line("grid", (across, up), (area.right + 8.0, place - 4.0)));
        group = group.child(crate::html::plot::mark(style, true, across, up));
        let words = words(area.right + 10.0, place, Anchor::Start, &cut(&format!("{name} {}", two(entry.value)), 36));
        plot.add(group.child(words.class("small")));
    }
    sheet(title, 1, (WIDTH, height), vec![plot.finish("", "mean seconds on a checkpoint, logarithmic", "pooled r")], &[])
}

fn said(entry: &Entry<'_>) -> String {
    match entry.pooled.low95 {
        Some(_) => format!("{} {}", two(entry.value), interval(entry.pooled.low95, entry.pooled.high95)),
        None => two(entry.value),
    }
}

fn alternative(entries: &[Entry<'_>]) -> String {
    let one = |entry: &Entry<'_>| format!("{} (r = {}, {})", entry.name, said(entry), seconds(Some(entry.cost)));
    let best = entries.first().map_or_else(String::new, one);
    let cheap = entries.iter().filter(|entry| !entry.fit.trivial).min_by(|left, right| left.cost.total_cmp(&right.cost));
    let costly = entries.iter().max_by(|left, right| left.cost.total_cmp(&right.cost));
    let mut text = format!("{} with a pooled correlation. Largest: {best}.", plural(entries.len(), "metric"));
    if let (Some(cheap), Some(costly)) = (cheap, costly) {
        text.push_str(&format!(" Cheapest that is not trivial: {}. Most expensive: {}.", one(cheap), one(costly)));
    }
    text
}

fn data(entries: &[Entry<'_>]) -> Data {
    let mut data = Data::new(&["metric", "pool", "trivial", "seconds", "r", "low95", "high95", "n", "verdict"]);
    for entry in entries {
        let mut row = vec![entry.fit.metric.clone(), over_tasks(&entry.fit.pool), entry.fit.trivial.to_string()];
        row.extend([Some(entry.cost), Some(entry.value), entry.pooled.low95, entry.pooled.high95].map(digits));
        row.extend([entry.pooled.n.to_string(), entry.pooled.verdict.clone().unwrap_or_default()]);
        data.rows.push(row);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::figures::made_up::{drawn, predictor, statistic};

    #[test]
    fn a_metric_is_one_mark_at_its_mean_cost() {
        let mut rows = vec![predictor("a/<b>", "esol", 0.6), predictor("a/<b>", "lipo", 0.2), predictor("t/size", "esol", 0.1)];
        (rows[1].fit.cost_seconds, rows[2].fit.trivial) = (Some(4.0), true);
        let pool = |metric: &str, value| {
            let row = statistic("pooled", "spearman", metric);
            StatisticRow { value: Some(value), low95: Some(value - 0.2), high95: Some(value + 0.2), ..row }
        };
        let figures = figures(&rows, &[pool("a/<b>", 0.4), pool("t/size", 0.1)]);
        let [figure] = figures.as_slice() else { unreachable!("{figures:?}") };
        let text = drawn(figure);
        assert_eq!((text.matches("class=\"mark s0\"").count(), text.matches("class=\"mark s1\"").count()), (1, 1));
        assert_eq!(text.matches("class=\"whisker").count(), 2);
        assert!(text.contains("a/&lt;b&gt;: 3.0 s, r = 0.40 [0.20, 0.60]"), "{text}");
        assert_eq!(figure.data.rows[0][..5], ["a/<b>", "masked_lm tokenizer:0 sample:1 probe", "false", "3", "0.4"]);
        assert!(figure.alternative.contains("Largest: a/<b>"), "{}", figure.alternative);
    }

    #[test]
    fn a_metric_of_two_pools_is_two_marks_with_their_pools() {
        let mut rows = vec![predictor("a/b", "esol", 0.6), predictor("a/b", "esol", 0.2), predictor("c/d", "esol", 0.2)];
        (rows[1].fit.pool, rows[1].fit.cost_seconds) = ("causal_lm tokenizer:0 sample:1 split:2 probe".into(), Some(9.0));
        let pool = |metric: &str, of: &str, value| {
            let pool = Some(format!("{of} tokenizer:0 sample:1 probe"));
            StatisticRow { value: Some(value), pool, ..statistic("pooled", "spearman", metric) }
        };
        let pooled = [pool("a/b", "masked_lm", 0.4), pool("a/b", "causal_lm", 0.1), pool("c/d", "masked_lm", 0.2)];
        let text = drawn(&figures(&rows, &pooled)[0]);
        assert!(text.contains("a/b (masked_lm tokenizer:0 sample:1 probe): 2.0 s, r = 0.40"), "{text}");
        assert!(text.contains("a/b (causal_lm tokenizer:0 sample:1 probe): 9.0 s, r = 0.10"), "{text}");
        assert!(text.contains("<title>c/d: 2.0 s"), "{text}");
    }

    #[test]
    fn without_pooled_correlations_there_is_none() {
        assert!(figures(&[predictor("a/b", "esol", 0.6)], &[]).is_empty());
    }
}
