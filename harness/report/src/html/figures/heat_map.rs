//! Heat map of oriented correlations, metric x task, one a protocol, with verdicts; the pooled correlation first.

use std::collections::BTreeSet;

use clmbench_analysis::PredictorRow;
use clmbench_store::{FitRow, StatisticRow};

use super::{Data, Figure, digits, over_tasks, pooled, slug, task_name};
use crate::{
    html::{
        node::{Element, element, with_text},
        plot::{Anchor, canvas, cut, px, rectangle, words},
        predictors::sign,
    },
    text::{interval, p_value, plural, two},
};

/// Columns and rows that are drawn at most; the data hold all.
const MOST_TASKS: usize = 16;
const MOST_METRICS: usize = 60;
const LEFT: f64 = 196.0;
const WIDE: f64 = 68.0;
const HIGH: f64 = 22.0;
const TOP: f64 = 44.0;

/// A row of the map.
struct Line<'a> {
    name: String,
    pooled: Option<&'a StatisticRow>,
    /// By column.
    fits: Vec<Option<&'a FitRow>>,
}

/// A protocol's map; none without a correlation.
pub(super) fn figures(rows: &[PredictorRow], statistics: &[StatisticRow]) -> Vec<Figure> {
    let protocols: BTreeSet<&str> = rows.iter().map(|row| row.fit.protocol.as_str()).collect();
    protocols.into_iter().filter_map(|protocol| figure(rows, statistics, protocol)).collect()
}

fn figure(rows: &[PredictorRow], statistics: &[StatisticRow], protocol: &str) -> Option<Figure> {
    let fits: Vec<&FitRow> = rows.iter().map(|row| &row.fit).filter(|fit| fit.protocol == protocol).collect();
    if !fits.iter().any(|fit| fit.spearman.is_some()) {
        return None;
    }
    let place = |fit: &FitRow| (fit.dataset.clone(), fit.task.clone(), fit.score.clone());
    let columns: Vec<(String, String, String)> = fits.iter().map(|fit| place(fit)).collect::<BTreeSet<_>>().into_iter().collect();
    // A metric has a line in every pool of runs; the split is not told apart here, so of several splits the first counts.
    let runs = |fit: &FitRow| over_tasks(&fit.pool);
    let names: BTreeSet<(bool, &str, String)> = fits.iter().map(|fit| (fit.trivial, fit.metric.as_str(), runs(fit))).collect();
    let several = |metric: &str| names.iter().filter(|(_, name, _)| *name == metric).count() > 1;
    let mut lines: Vec<(bool, Line<'_>)> = Vec::new();
    for (trivial, metric, pool) in &names {
        let own = || fits.iter().copied().filter(|fit| fit.metric == *metric && runs(fit) == *pool);
        let of_column = |column: &(String, String, String)| own().find(|fit| place(fit) == *column);
        let star = if *trivial { " *" } else { "" };
        let name = if several(metric) { format!("{metric}{star} ({pool})") } else { format!("{metric}{star}") };
        let pooled = own().next().and_then(|fit| pooled(statistics, fit));
        lines.push((*trivial, Line { name, pooled, fits: columns.iter().map(of_column).collect() }));
    }
    let height = |line: &Line<'_>| line.pooled.and_then(|row| row.value).or_else(|| mean(line)).unwrap_or(f64::NEG_INFINITY);
    lines.sort_by(|(left_trivial, left), (right_trivial, right)| {
        left_trivial.cmp(right_trivial).then(height(right).total_cmp(&height(left))).then_with(|| left.name.cmp(&right.name))
    });
    let lines: Vec<Line<'_>> = lines.into_iter().map(|(_, line)| line).collect();
    let all = || fits.iter().map(|fit| (fit.dataset.as_str(), fit.task.as_str()));
    let heads: Vec<String> = columns.iter().map(|(dataset, task, _)| task_name(dataset, task, all())).collect();
    let left_out = match (columns.len().saturating_sub(MOST_TASKS), lines.len().saturating_sub(MOST_METRICS)) {
        (0, 0) => String::new(),
        (tasks, metrics) => {
            format!(" Not drawn, but in the data: {}, {}.", plural(tasks, "task"), plural(metrics, "metric"))
        }
    };
    let title = format!("Correlation of every metric with every task, {protocol}");
    Some(Figure {
        id: format!("correlations-{}", slug(protocol)),
        caption: format!(
            "Oriented Spearman correlation over runs: blue above 0 (as the metric claims), orange below, stronger colour for larger \
             |r|. First column: mean over the tasks. Of several splits of a task the first is drawn. ✓ predicts, ✗ does not predict (! significant against its claim), ? cannot tell, – \
             refused; * trivial predictor. The interval, p and n of a cell stand in its text; the colour holds no uncertainty.{left_out}"
        ),
        alternative: alternative(&lines, columns.len(), protocol),
        drawing: drawing(&title, &lines, &heads),
        data: data(&lines, &columns),
        title,
    })
}

fn mean(line: &Line<'_>) -> Option<f64> {
    let values: Vec<f64> = line.fits.iter().flatten().filter_map(|fit| fit.spearman).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn drawing(title: &str, lines: &[Line<'_>], heads: &[String]) -> Element {
    let (tasks, metrics) = (heads.len().min(MOST_TASKS), lines.len().min(MOST_METRICS));
    // Wide enough for the words below it, however few the tasks.
    let width = (LEFT + WIDE * (tasks + 1) as f64 + 8.0).max(LEFT + 420.0);
    let bottom = TOP + HIGH * metrics as f64;
    let mut map = canvas(width, bottom + 34.0, title);
    for (index, head) in ["all tasks"].into_iter().chain(heads.iter().map(String::as_str)).take(tasks + 1).enumerate() {
        let middle = LEFT + WIDE * (index as f64 + 0.5);
        let (first, second) = head.split_once(' ').unwrap_or((head, ""));
        let text = words(middle, TOP - 20.0, Anchor::Middle, &cut(first, 11)).child(with_text("title", head));
        map = map.child(text).child(words(middle, TOP - 7.0, Anchor::Middle, &cut(second, 11)).class("small"));
    }
    for (row, line) in lines.iter().take(metrics).enumerate() {
        let up = TOP + HIGH * row as f64;
        let name = words(LEFT - 8.0, up + 15.0, Anchor::End, &cut(&line.name, 31)).child(with_text("title", line.name.clone()));
        map = map.child(name);
        if let Some(pooled) = line.pooled {
            map = map.child(cell(LEFT, up, pooled.value, pooled_sign(pooled), pooled_text(line, pooled)));
        }
        for (index, (fit, head)) in line.fits.iter().zip(heads).take(tasks).enumerate() {
            let Some(fit) = fit else { continue };
            let sign = if fit.reversed { "✗!" } else { sign(fit) };
            map = map.child(cell(LEFT + WIDE * (index + 1) as f64, up, fit.spearman, sign, fit_text(fit, head)));
        }
    }
    map.children(legend(LEFT, bottom + 10.0))
}

fn cell(left: f64, top: f64, value: Option<f64>, sign: &str, text: String) -> Element {
    let group = element("g").child(with_text("title", text));
    let shown = match value.filter(|value| value.is_finite()) {
        Some(value) => format!("{} {sign}", two(value)),
        None => "–".to_owned(),
    };
    let middle = left + (WIDE - 2.0) / 2.0;
    group.child(field(left, top, WIDE - 2.0, HIGH - 2.0, value)).child(words(middle, top + 14.5, Anchor::Middle, &shown))
}

/// A rectangle in the colour of a correlation.
fn field(left: f64, top: f64, width: f64, height: f64, value: Option<f64>) -> Element {
    let (class, strength) = match value.filter(|value| value.is_finite()) {
        None => ("blank", 0.0),
        Some(value) if value < 0.0 => ("minus", -value),
        Some(value) => ("plus", value),
    };
    let field = rectangle(class, left, top, width, height);
    if class == "blank" { field } else { field.attribute("fill-opacity", format!("{:.2}", 0.65 * strength.min(1.0))) }
}

fn legend(left: f64, top: f64) -> Vec<Element> {
    let mut parts = Vec::new();
    for step in 0..9 {
        let (value, right) = (-1.0 + 0.25 * f64::from(step), left + 30.0 * f64::from(step));
        parts.push(field(right, top, 30.0, 10.0, Some(value)));
        if step % 2 == 0 {
            parts.push(words(right + 15.0, top + 22.0, Anchor::Middle, &px(value)).class("small"));
        }
    }
    parts.push(words(left - 8.0, top + 9.0, Anchor::End, "r").class("small"));
    parts
}

fn pooled_sign(row: &StatisticRow) -> &'static str {
    match row.verdict.as_deref() {
        Some("predicts") => "✓",
        Some("does_not_predict") if reversed(row) => "✗!",
        Some("does_not_predict") => "✗",
        Some("refused") | None => "–",
        _ => "?",
    }
}

/// Whether it is significant against its claim.
fn reversed(row: &StatisticRow) -> bool {
    let details = row.details_json.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    details.is_some_and(|details| details["reversed"].as_bool() == Some(true))
}

fn verdict(word: &str) -> String {
    word.replace('_', " ")
}

fn pooled_text(line: &Line<'_>, row: &StatisticRow) -> String {
    let said = row.verdict.as_deref().or(row.refusal.as_deref()).unwrap_or("no verdict");
    match row.value {
        Some(value) => {
            let range = interval(row.low95, row.high95);
            let (p, n) = (p_value(row.p_value), plural(row.n as usize, "run"));
            format!("{}, all tasks: r = {} {range}, p = {p}, {n}, {}", line.name, two(value), verdict(said))
        }
        None => format!("{}, all tasks: {}", line.name, row.reason.as_deref().unwrap_or(said)),
    }
}

fn fit_text(fit: &FitRow, head: &str) -> String {
    match fit.spearman {
        Some(value) => {
            let (range, p) = (interval(fit.spearman_low, fit.spearman_high), p_value(fit.p_value));
            let reversed = if fit.reversed { ", reversed" } else { "" };
            let n = plural(fit.n as usize, "run");
            format!("{}, {head}: r = {} {range}, p = {p}, {n}, {}{reversed}", fit.metric, two(value), verdict(&fit.verdict))
        }
        None => format!("{}, {head}: {}", fit.metric, fit.verdict_reason.as_deref().unwrap_or("refused")),
    }
}

/// How many of each verdict, and the metrics at both ends.
fn alternative(lines: &[Line<'_>], tasks: usize, protocol: &str) -> String {
    let fits: Vec<&FitRow> = lines.iter().flat_map(|line| line.fits.iter().flatten().copied()).collect();
    let of = |word: &str| fits.iter().filter(|fit| fit.verdict == word).count();
    let reversed = fits.iter().filter(|fit| fit.reversed).count();
    let mut text = format!(
        "{} and {} under {protocol}: of {} correlations {} predict, {} do not predict ({reversed} reversed), {} cannot tell, {} are refused.",
        plural(lines.len(), "metric"),
        plural(tasks, "task"),
        fits.len(),
        of("predicts"),
        of("does_not_predict"),
        of("cannot_tell"),
        of("refused"),
    );
    let said = |line: &Line<'_>| -> Option<String> {
        let row = line.pooled?;
        let value = row.value?;
        let verdict = row.verdict.as_deref().map_or_else(String::new, |word| format!(", {}", verdict(word)));
        Some(format!("{} {} {}{verdict}", line.name, two(value), interval(row.low95, row.high95)))
    };
    let mut pooled: Vec<&Line<'_>> = lines.iter().filter(|line| said(line).is_some()).collect();
    let value = |line: &Line<'_>| line.pooled.and_then(|row| row.value).unwrap_or(f64::NAN);
    pooled.sort_by(|left, right| value(right).total_cmp(&value(left)));
    if let (Some(best), Some(worst)) = (pooled.first().and_then(|line| said(line)), pooled.last().and_then(|line| said(line))) {
        text.push_str(&format!(" Mean over tasks: largest {best}; smallest {worst}."));
    }
    text
}

fn data(lines: &[Line<'_>], columns: &[(String, String, String)]) -> Data {
    let names = ["metric", "dataset", "task", "score", "r", "low95", "high95", "p_value", "p_raw", "n", "verdict", "reversed"];
    let mut data = Data::new(&names);
    for line in lines {
        if let Some(row) = line.pooled {
            let words = |text: &Option<String>| text.clone().unwrap_or_default();
            let numbers = [row.value, row.low95, row.high95, row.p_value, row.p_raw].map(digits);
            let mut cells = vec![line.name.clone(), "all".into(), "all".into(), String::new()];
            cells.extend(numbers);
            cells.extend([row.n.to_string(), words(&row.verdict), String::new()]);
            data.rows.push(cells);
        }
        for (fit, (dataset, task, score)) in line.fits.iter().zip(columns) {
            let Some(fit) = fit else { continue };
            let mut cells = vec![line.name.clone(), dataset.clone(), task.clone(), score.clone()];
            cells.extend([fit.spearman, fit.spearman_low, fit.spearman_high, fit.p_value, fit.p_raw].map(digits));
            cells.extend([fit.n.to_string(), fit.verdict.clone(), fit.reversed.to_string()]);
            data.rows.push(cells);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::html::figures::made_up::{drawn, predictor, statistic};

    #[test]
    fn every_cell_has_its_number_its_verdict_and_its_text() {
        let mut rows = vec![predictor("a/<b>", "esol", 0.62), predictor("a/<b>", "lipo", -0.3), predictor("c/d", "esol", 0.1)];
        rows[0].fit.verdict = "predicts".into();
        rows[1].fit.reversed = true;
        let mut pool = statistic("pooled", "spearman", "a/<b>");
        (pool.value, pool.verdict) = (Some(0.16), Some("cannot_tell".into()));
        let figures = figures(&rows, &[pool]);
        let [figure] = figures.as_slice() else { unreachable!("{figures:?}") };
        let text = drawn(figure);
        // Three fits, a pooled value and nine steps of the legend.
        assert_eq!(text.matches("<path").count(), 3 + 1 + 9);
        for part in ["0.62 ✓", "-0.30 ✗!", "0.10 ?", "0.16 ?", "fill-opacity=\"0.40\"", "class=\"minus\"", "&lt;b&gt;"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("<b>"));
        assert_eq!(figure.data.rows.len(), 4);
        assert!(figure.alternative.contains("2 metrics and 2 tasks"), "{}", figure.alternative);
        assert!(figure.alternative.contains("largest a/<b> 0.16"), "{}", figure.alternative);
    }

    #[test]
    fn a_mean_is_of_its_own_pool_and_marked_where_it_is_reversed() {
        let mut pool = statistic("pooled", "spearman", "a/b");
        (pool.value, pool.verdict, pool.pool) = (Some(-0.4), Some("does_not_predict".into()), Some("causal_lm".into()));
        pool.details_json = Some("{\"reversed\":true}".into());
        let row = predictor("a/b", "esol", 0.6);
        assert!(!drawn(&figures(std::slice::from_ref(&row), std::slice::from_ref(&pool))[0]).contains("-0.40"), "of other runs");
        pool.pool = Some("masked_lm tokenizer:0 sample:1 probe".into());
        assert!(drawn(&figures(&[row], &[pool])[0]).contains("-0.40 ✗!"));
    }

    #[test]
    fn nothing_to_draw_is_no_figure() {
        assert!(figures(&[], &[]).is_empty());
        let mut row = predictor("a/b", "esol", 0.0);
        row.fit.spearman = None;
        assert!(figures(&[row], &[]).is_empty());
    }
}
