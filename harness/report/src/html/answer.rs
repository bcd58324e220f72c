//! The answer in brief: does a metric predict transfer, over all tasks of a protocol? From the stored pooled statistics.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_store::StatisticRow;
use serde_json::Value;

use super::{
    Report,
    node::{Element, Node, element, with_text},
    note,
    table::{Set, column, table},
};
use crate::text::{MISSING, interval, p_value, plural, two, two_or_missing};

/// Names in a sentence.
const MOST_NAMES: usize = 6;

/// A metric over all tasks of a protocol.
struct Pooled<'a> {
    row: &'a StatisticRow,
    /// Its mean gain over the trivial predictors, where it has one.
    gain: Option<&'a StatisticRow>,
    metric: &'a str,
    trivial: bool,
    tasks: Option<u64>,
    minimum_detectable: Option<f64>,
    reversed: bool,
    unreliable: Vec<String>,
}

fn pooled<'a>(report: &Report<'a>) -> Vec<Pooled<'a>> {
    let fits = || report.predictors.rows.iter().map(|row| &row.fit);
    let trivial: BTreeSet<&str> = fits().filter(|fit| fit.trivial).map(|fit| fit.metric.as_str()).collect();
    let named = |name: &'static str| report.figures.statistics.iter().filter(move |row| row.kind == "pooled" && row.name == name);
    fn place(row: &StatisticRow) -> [Option<&str>; 3] {
        [&row.metric, &row.protocol, &row.pool].map(|word| word.as_deref())
    }
    let gains: BTreeMap<_, _> = named("gain").filter(|row| row.value.is_some()).map(|row| (place(row), row)).collect();
    let of = |row: &'a StatisticRow| {
        let metric = row.metric.as_deref()?;
        // Written by the program itself; without it the row says less.
        let details: Value = row.details_json.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let names = details["unreliable_tasks"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Some(Pooled {
            row,
            gain: gains.get(&place(row)).copied(),
            metric,
            trivial: trivial.contains(metric),
            tasks: details["n_tasks"].as_u64(),
            minimum_detectable: details["minimum_detectable_r"].as_f64(),
            reversed: details["reversed"].as_bool().unwrap_or(false),
            unreliable: names.map(str::to_owned).collect(),
        })
    };
    named("spearman").filter_map(of).collect()
}

/// A sentence a protocol and pool, and a table of all. Nothing where nothing is pooled.
pub(crate) fn section(report: &Report<'_>) -> Vec<Node> {
    let mut all = pooled(report);
    if all.is_empty() {
        return Vec::new();
    }
    let key = |entry: &Pooled<'_>| (entry.row.protocol.clone(), entry.row.pool.clone());
    // Decided ones first, then by r.
    let rank = |entry: &Pooled<'_>| match entry.row.verdict.as_deref() {
        Some("predicts") => 0,
        Some("refused") => 2,
        _ => 1,
    };
    let value = |entry: &Pooled<'_>| entry.row.value.unwrap_or(f64::NEG_INFINITY);
    all.sort_by(|left, right| (key(left), rank(left)).cmp(&(key(right), rank(right))).then(value(right).total_cmp(&value(left))));
    let mut nodes: Vec<Node> = vec![with_text("h3", "Does a metric predict transfer?").into()];
    let groups: Vec<&[Pooled<'_>]> = all.chunk_by(|left, right| key(left) == key(right)).collect();
    let several = |of: &[Pooled<'_>]| groups.iter().filter(|group| group[0].row.protocol == of[0].row.protocol).count() > 1;
    let sentences = groups.iter().map(|group| with_text("li", sentence(group, several(group))));
    nodes.push(element("ul").children(sentences).into());
    // As the leaderboard stands: by gain, what has none by r.
    all.sort_by(|left, right| {
        let gain = |entry: &Pooled<'_>| entry.gain.and_then(|gain| gain.value).unwrap_or(f64::NEG_INFINITY);
        let order = key(left).cmp(&key(right)).then(gain(right).total_cmp(&gain(left)));
        order.then(value(right).total_cmp(&value(left)))
    });
    nodes.push(board(&all).into());
    let unreliable: BTreeSet<&str> = all.iter().flat_map(|entry| &entry.unreliable).map(String::as_str).collect();
    let mut words = "r: equal-weight mean over tasks of the oriented Spearman correlation; p: runs moved jointly for all tasks, Holm; interval: \
                     two-way bootstrap over runs and tasks; gain: mean over tasks of what the metric adds to the Q2 of size, tokens and corpus, its interval over \
                     runs; mde: the smallest |r| that so many runs find 80 % of the time on one task."
        .to_owned();
    if !unreliable.is_empty() {
        let names: Vec<&str> = unreliable.into_iter().collect();
        words.push_str(&format!(" Scores with a reliability below .5, pooled like the others: {}.", names.join(", ")));
    }
    nodes.push(note(words));
    nodes
}

fn sentence(group: &[Pooled<'_>], several: bool) -> String {
    let first = &group[0];
    // Metrics that need no held-out sample are of another pool than those that do, with the same runs.
    let pool = first.row.pool.as_deref().filter(|_| several).map_or_else(String::new, |pool| format!(" (pool {pool})"));
    let protocol = format!("{}{pool}", first.row.protocol.as_deref().unwrap_or("any protocol"));
    let runs: BTreeSet<u32> = group.iter().filter(|entry| entry.row.refusal.is_none()).map(|entry| entry.row.n).collect();
    let tasks: BTreeSet<u64> = group.iter().filter_map(|entry| entry.tasks).collect();
    let range = |least: Option<String>, most: Option<String>| match (least, most) {
        (Some(least), Some(most)) if least == most => least,
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => MISSING.to_owned(),
    };
    let runs = range(runs.first().map(u32::to_string), runs.last().map(u32::to_string));
    let tasks = range(tasks.first().map(u64::to_string), tasks.last().map(u64::to_string));
    let detectable = group.iter().filter_map(|entry| entry.minimum_detectable).fold(f64::NAN, f64::max);
    let detectable =
        if detectable.is_finite() { format!(", which find |r| of {} or more", two(detectable)) } else { String::new() };
    let mut verdicts: BTreeMap<&str, Vec<&Pooled<'_>>> = BTreeMap::new();
    for entry in group {
        verdicts.entry(entry.row.verdict.as_deref().unwrap_or("refused")).or_default().push(entry);
    }
    let mut parts = Vec::new();
    for (verdict, one, many) in [
        ("predicts", "predicts", "predict"),
        ("does_not_predict", "does not predict", "do not predict"),
        ("cannot_tell", "cannot be told", "cannot be told"),
        ("refused", "is refused", "are refused"),
    ] {
        let found = verdicts.get(verdict).map_or(&[][..], Vec::as_slice);
        let word = if found.len() == 1 { one } else { many };
        let named = if matches!(verdict, "predicts" | "does_not_predict") { names(found) } else { String::new() };
        parts.push(format!("{} {word}{named}", found.len()));
    }
    format!("{protocol}, {tasks} tasks, {runs} runs{detectable}: of {} {}.", plural(group.len(), "metric"), parts.join("; "))
}

/// `: loss/mlm_loss .71 [.52, .84], ...`, the first of them.
fn names(found: &[&Pooled<'_>]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let name = |entry: &&Pooled<'_>| {
        let star = if entry.trivial { " *" } else { "" };
        let ends =
            if entry.row.low95.is_some() { format!(" {}", interval(entry.row.low95, entry.row.high95)) } else { String::new() };
        let reversed = if entry.reversed { ", reversed" } else { "" };
        format!("{}{star} ({}{ends}{reversed})", entry.metric, two_or_missing(entry.row.value))
    };
    let more = if found.len() > MOST_NAMES { format!(" and {} more", found.len() - MOST_NAMES) } else { String::new() };
    format!(": {}{more}", found.iter().take(MOST_NAMES).map(name).collect::<Vec<_>>().join(", "))
}

fn board(all: &[Pooled<'_>]) -> Element {
    let several = all.iter().any(|entry| {
        all.iter().any(|other| {
            let (left, right) = (entry.row, other.row);
            left.protocol == right.protocol && left.metric == right.metric && left.pool != right.pool
        })
    });
    let columns = [
        column(
            "metric",
            Set::Name,
            |entry: &Pooled<'_>| {
                if entry.trivial { format!("{} *", entry.metric) } else { entry.metric.to_owned() }
            },
        ),
        column("protocol", Set::Word, |entry: &Pooled<'_>| entry.row.protocol.clone().unwrap_or_default()).once(),
        column("verdict", Set::Word, |entry: &Pooled<'_>| {
            let word = entry.row.verdict.as_deref().unwrap_or("refused");
            let sign = match word {
                "predicts" => "✓",
                "does_not_predict" => "✗",
                "cannot_tell" => "?",
                _ => "–",
            };
            format!("{sign} {}{}", word.replace('_', " "), if entry.reversed { ", reversed" } else { "" })
        }),
        column("mean r", Set::Number, |entry: &Pooled<'_>| two_or_missing(entry.row.value)).by(|entry| entry.row.value),
        column("95 % interval", Set::Number, |entry: &Pooled<'_>| interval(entry.row.low95, entry.row.high95))
            .by(|entry| entry.row.low95),
        column("p (Holm)", Set::Number, |entry: &Pooled<'_>| p_value(entry.row.p_value)).by(|entry| entry.row.p_value),
        column("mean gain", Set::Number, |entry: &Pooled<'_>| two_or_missing(entry.gain.and_then(|gain| gain.value)))
            .by(|entry| entry.gain.and_then(|gain| gain.value)),
        column("its 95 % interval", Set::Number, |entry: &Pooled<'_>| {
            entry.gain.map_or_else(|| MISSING.to_owned(), |gain| interval(gain.low95, gain.high95))
        })
        .by(|entry| entry.gain.and_then(|gain| gain.low95)),
        column("gain is", Set::Word, |entry: &Pooled<'_>| {
            entry.gain.and_then(|gain| gain.verdict.as_deref()).unwrap_or_default().replace('_', " ")
        }),
        column("runs", Set::Number, |entry: &Pooled<'_>| entry.row.n.to_string()).by(|entry| Some(f64::from(entry.row.n))).once(),
        column("tasks", Set::Number, |entry: &Pooled<'_>| entry.tasks.map_or_else(String::new, |tasks| tasks.to_string()))
            .by(|entry| entry.tasks.map(|tasks| tasks as f64))
            .once(),
        column("mde", Set::Number, |entry: &Pooled<'_>| two_or_missing(entry.minimum_detectable))
            .by(|entry| entry.minimum_detectable)
            .once(),
        column(
            "pool",
            Set::Long,
            move |entry: &Pooled<'_>| {
                if several { entry.row.pool.clone().unwrap_or_default() } else { String::new() }
            },
        ),
        column("why", Set::Long, |entry: &Pooled<'_>| entry.row.reason.clone().unwrap_or_default()),
    ];
    table("Every metric over all tasks of a protocol", all, columns)
}
