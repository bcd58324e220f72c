//! The leaderboard of predictors as a table.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_analysis::{PredictorBoard, PredictorRow};

use crate::{
    Style,
    layout::{Column, draw},
    overview, pooled,
    text::{MISSING, finish, interval, label_lines, p_value, plain, plural, refused_lines, seconds, two, two_or_missing, wrap},
};

/// The board as a table with its footer; of many fits an overview that fits one screen.
pub fn predictor_table(board: &PredictorBoard, style: Style) -> String {
    predictor_page(board, false, style)
}

/// [`predictor_table`]; `all` shows every metric and task of an overview, however many lines they take.
pub fn predictor_page(board: &PredictorBoard, all: bool, style: Style) -> String {
    let width = style.columns();
    if board.rows.is_empty() {
        let text = format!(
            "No fits in suite {} yet: they are made when `clmbench run` has finished at least one run with a metric and a score.",
            plain(&board.suite)
        );
        return finish(wrap(&text, width), style);
    }
    let shared = Shared::of(&board.rows);
    let mut text = wrap(&title(board, &shared), width);
    if overview::wanted(&board.rows) {
        let over_tasks = pooled::blocks(board, all, style);
        let of_tasks = overview::blocks(&board.rows, all, style);
        text.push_str(&over_tasks);
        // Where both do not fit one screen, what is over all tasks stands for them.
        let shown = all || over_tasks.is_empty() || over_tasks.lines().count() + of_tasks.lines().count() <= ONE_SCREEN;
        if shown {
            text.push_str(&of_tasks);
            text.push_str(&wrap(overview::LEGEND, width));
            if !all && overview::folded(&board.rows) {
                text.push_str(&wrap(overview::FOLDED, width));
            }
        } else {
            text.push_str(&wrap(NOT_SHOWN, width));
        }
        if !over_tasks.is_empty() {
            pooled::lines(board).iter().for_each(|line| text.push_str(&wrap(&plain(line), width)));
        }
        for line in footer(board, &shared, &IN_NO_OVERVIEW.map(str::to_owned)) {
            text.push_str(&wrap(&plain(&line), width));
        }
        return finish(text, style);
    }
    let (table, left_out) = draw(columns(&board.rows, &shared, width), style);
    text.push_str(&table);
    for line in footer(board, &shared, &left_out) {
        text.push_str(&wrap(&plain(&line), width));
    }
    finish(text, style)
}

/// Lines of tables that an overview may have.
const ONE_SCREEN: usize = 50;
const NOT_SHOWN: &str = "Single tasks: --all, or `--dataset NAME` and `--protocol KIND` for the whole of one.";

/// Columns that an overview of many fits has not.
const IN_NO_OVERVIEW: [&str; 12] =
    ["mde", "p", "p raw", "tau", "slope/SD", "R2", "Q2", "gain [95 %]", "gain verdict", "cost", "flags", "verdict"];

/// What is the same in all rows stands in the title instead of a column.
struct Shared {
    dataset: bool,
    task: bool,
    protocol: bool,
    score: bool,
    /// Letter of each pool name, where one task has several.
    pools: BTreeMap<String, char>,
    /// Letter of each flag.
    flags: BTreeMap<String, char>,
}

impl Shared {
    fn of(rows: &[PredictorRow]) -> Self {
        let same = |get: fn(&PredictorRow) -> &String| rows.iter().all(|row| get(row) == get(&rows[0]));
        // Splits differ between datasets by nature, and metrics that ignore the evaluation sample differ in that only.
        let apart = |row: &PredictorRow| {
            let pool = &row.details.pool;
            (pool.objective, pool.tokenizer_digest.clone(), row.fit.dataset.clone(), pool.split_digest.clone())
        };
        let samples: BTreeSet<_> = rows.iter().filter_map(|row| row.details.pool.evaluation_digest.clone()).collect();
        let divided: BTreeSet<_> = rows.iter().map(apart).collect();
        let datasets: BTreeSet<_> = rows.iter().map(|row| row.fit.dataset.clone()).collect();
        let several = divided.len() > datasets.len() || samples.len() > 1;
        let names: BTreeSet<String> = rows.iter().filter(|_| several).map(|row| row.fit.pool.clone()).collect();
        let words: BTreeSet<String> = rows.iter().flat_map(|row| row.fit.flags.clone()).collect();
        Self {
            dataset: same(|row| &row.fit.dataset),
            task: same(|row| &row.fit.task),
            protocol: same(|row| &row.fit.protocol),
            score: same(|row| &row.fit.score),
            pools: names.into_iter().zip('A'..='Z').collect(),
            flags: words.into_iter().zip('a'..='z').collect(),
        }
    }
}

fn title(board: &PredictorBoard, shared: &Shared) -> String {
    let first = &board.rows[0].fit;
    let mut parts = vec![format!("Predictors of transfer in suite {}", board.suite)];
    let words = [
        (shared.dataset, &first.dataset),
        (shared.task, &first.task),
        (shared.score, &first.score),
        (shared.protocol, &first.protocol),
    ];
    let fixed: Vec<&str> = words.iter().filter(|(same, _)| *same).map(|(_, word)| word.as_str()).collect();
    if !fixed.is_empty() {
        parts.push(fixed.join(", "));
    }
    plain(&parts.join(": "))
}

fn columns(rows: &[PredictorRow], shared: &Shared, width: usize) -> Vec<Column> {
    let column = |get: &dyn Fn(&PredictorRow) -> String| rows.iter().map(get).collect::<Vec<String>>();
    let mut columns = vec![Column::left("predictor", 0, column(&|row| name(row))).capped(width / 4)];
    if !shared.dataset {
        columns.push(Column::left("dataset", 0, column(&|row| row.fit.dataset.clone())));
    }
    if !shared.task {
        columns.push(Column::left("task", 1, column(&|row| row.fit.task.clone())));
    }
    if !shared.score {
        columns.push(Column::left("score", 6, column(&|row| row.fit.score.clone())));
    }
    if !shared.protocol {
        columns.push(Column::left("protocol", 1, column(&|row| row.fit.protocol.clone())));
    }
    if !shared.pools.is_empty() {
        let letter = |row: &PredictorRow| shared.pools.get(&row.fit.pool).map_or(String::new(), char::to_string);
        columns.push(Column::left("pool", 1, column(&letter)));
    }
    let same_n = rows.iter().all(|row| row.fit.n == rows[0].fit.n);
    columns.extend([
        Column::right("n", 0, column(&|row| row.fit.n.to_string())),
        Column::right("r", 0, column(&|row| two_or_missing(row.fit.spearman))),
        // No estimate without its uncertainty.
        Column::right("95 % interval", 0, column(&|row| interval(row.fit.spearman_low, row.fit.spearman_high))),
        Column::right("mde", if same_n { 9 } else { 3 }, column(&|row| two_or_missing(row.fit.mde))),
        Column::right("p", 2, column(&|row| p_value(row.fit.p_value))),
        Column::right("p raw", 9, column(&|row| p_value(row.fit.p_raw))),
        Column::right("tau", 10, column(&|row| two_or_missing(row.fit.kendall))),
        Column::right("slope/SD", 8, column(&|row| two_or_missing(row.fit.slope))),
        Column::right("R2", 8, column(&|row| two_or_missing(row.fit.r2))),
        Column::right("Q2", 6, column(&|row| two_or_missing(row.fit.q2))),
        // No gain without its uncertainty: where both do not fit, the verdict stands alone.
        Column::right("gain [95 %]", 5, column(&|row| gain(row))),
        Column::left("gain verdict", 1, column(&|row| row.fit.gain_verdict.clone().unwrap_or_else(|| MISSING.to_owned()))),
        Column::right("cost", 7, column(&|row| seconds(row.fit.cost_seconds))),
    ]);
    if !shared.flags.is_empty() {
        let letters = |row: &PredictorRow| row.fit.flags.iter().filter_map(|flag| shared.flags.get(flag)).collect::<String>();
        columns.push(Column::left("flags", 2, column(&letters)));
    }
    columns.push(Column::left("verdict", 0, column(&|row| verdict(row))));
    columns
}

fn name(row: &PredictorRow) -> String {
    if row.fit.trivial { format!("{} *", row.fit.metric) } else { row.fit.metric.clone() }
}

fn gain(row: &PredictorRow) -> String {
    match row.fit.gain {
        None => MISSING.to_owned(),
        Some(value) => format!("{} {}", two(value), interval(row.fit.gain_low, row.fit.gain_high)),
    }
}

fn verdict(row: &PredictorRow) -> String {
    if row.fit.reversed { format!("{} !", row.fit.verdict) } else { row.fit.verdict.clone() }
}

fn footer(board: &PredictorBoard, shared: &Shared, left_out: &[String]) -> Vec<String> {
    let rows = &board.rows;
    let overview = overview::wanted(rows);
    let shown = |header: &str| !left_out.iter().any(|left| left == header);
    let mut lines = Vec::new();
    let checkpoints = rows.iter().map(|row| row.fit.n_checkpoints).max().unwrap_or_default();
    lines.push(format!(
        "n: runs, one point each ({}); controls and diverged runs are not counted.{}{}",
        plural(checkpoints as usize, "annealed checkpoint"),
        if rows.iter().any(|row| row.fit.trivial) { " *: trivial predictor, which gains are measured over." } else { "" },
        if rows.iter().any(|row| row.fit.reversed) { " !: reversed, significant against its claim." } else { "" },
    ));
    lines.push("r: Spearman, above 0 as claimed. Intervals: 95 %, over whole runs; designs and splits are not in it.".to_owned());
    if shown("p") {
        lines.extend(p_line(rows));
    }
    let gains = shown("gain [95 %]") || shown("gain verdict");
    lines.extend(gain_line(rows, shown("gain [95 %]")).filter(|_| gains));
    lines.extend(verdict_line(board));
    lines.push(power_line(board));
    for ((what, reason), fits) in reasons(rows, gains) {
        lines.push(format!("{MISSING} {what} of {}: {reason}.", listed(rows, &fits)));
    }
    for (flag, letter) in &shared.flags {
        // Without the column its letters point nowhere: the rows are named.
        if shown("flags") {
            lines.push(format!("{letter}: {flag}, {}.", flag_meaning(flag)));
        } else {
            let flagged: Vec<&PredictorRow> = rows.iter().filter(|row| row.fit.flags.contains(flag)).collect();
            let named = match flagged.len() == rows.len() {
                true => "all".to_owned(),
                false if overview => overview::where_they_are(&flagged),
                false => listed(rows, &flagged),
            };
            lines.push(format!("{flag} ({}): {named}.", flag_meaning(flag)));
        }
    }
    if !shared.pools.is_empty() {
        lines.push(
            "pool: runs that one fit compares; objective, tokenizer, held-out sample (one [[corpus]] table and longest sequence), \
             split and protocol are the same."
                .to_owned(),
        );
    }
    for (pool, letter) in &shared.pools {
        lines.push(format!("pool {letter}: {pool}."));
    }
    let excluded: BTreeSet<(&str, &str)> = rows
        .iter()
        .filter(|row| row.fit.n > 0)
        .flat_map(|row| &row.details.excluded)
        .map(|run| (run.label.as_str(), run.reason.as_str()))
        .collect();
    if !excluded.is_empty() {
        let names: Vec<String> = excluded.iter().take(4).map(|(label, reason)| format!("{label} ({reason})")).collect();
        let more = if excluded.len() > 4 { format!(" and {} more", excluded.len() - 4) } else { String::new() };
        lines.push(format!("Not counted: {}{more}.", names.join(", ")));
    }
    if !left_out.is_empty() && !overview {
        lines.push(format!("Not shown at this width: {}; --json has every column.", left_out.join(", ")));
    }
    lines.extend(label_lines(&board.labels, rows.iter().map(|row| row.fit.dataset.as_str())));
    lines.extend(refused_lines(&board.refused));
    lines.extend(lacking_line(board));
    if board.stale {
        lines.push("Cells were finished after these fits: `clmbench run` fits anew.".to_owned());
    }
    lines
}

/// Metrics that were refused for some runs, for the same reason together; none if there are none.
fn lacking_line(board: &PredictorBoard) -> Option<String> {
    const MOST: usize = 4;
    let named = board.lacking.iter().take(MOST);
    let named: Vec<String> =
        named.map(|lack| format!("{} of {} ({})", lack.metric, plural(lack.cells, "checkpoint"), lack.reason)).collect();
    let more = match board.lacking.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!named.is_empty()).then(|| format!("Refused: {}{more}. `clmbench status` lists them.", named.join("; ")))
}

/// How the p-values were found and adjusted; none if no fit has one.
fn p_line(rows: &[PredictorRow]) -> Option<String> {
    let tested = rows.iter().filter(|row| row.details.family_size > 0);
    let families: BTreeMap<&str, (usize, &str)> =
        tested.map(|row| (row.details.family.as_str(), (row.details.family_size, row.fit.protocol.as_str()))).collect();
    let over = match families.values().collect::<Vec<_>>()[..] {
        [] => return None,
        [(size, _)] => plural(*size, "test"),
        _ => {
            let each = families.values().map(|(size, protocol)| format!("{} ({protocol})", plural(*size, "test")));
            each.collect::<Vec<_>>().join(" and ")
        }
    };
    let exact = rows.iter().filter_map(|row| row.details.permutation).all(|test| test.exact);
    let orders = if exact { "all orders" } else { "9,999 random orders" };
    Some(format!("p: permutation of runs ({orders}), two-sided, Holm over {over}."))
}

/// The footer of some of a board's rows, one line each, without what has a column of its own on a page.
pub(crate) fn footer_of(board: &PredictorBoard, rows: &[PredictorRow]) -> Vec<String> {
    let part = PredictorBoard {
        schema: board.schema,
        generated_by: board.generated_by,
        rows: rows.to_vec(),
        order: board.order,
        pooled: Vec::new(),
        suite: board.suite.clone(),
        expect: board.expect.clone(),
        useful_effect: board.useful_effect,
        refused: Vec::new(),
        lacking: Vec::new(),
        stale: false,
        labels: board.labels.clone(),
    };
    let shared = Shared { flags: BTreeMap::new(), pools: BTreeMap::new(), ..Shared::of(rows) };
    footer(&part, &shared, &[])
}

fn gain_line(rows: &[PredictorRow], interval: bool) -> Option<String> {
    let gain = rows.iter().find_map(|row| row.details.gain.as_ref())?;
    let used = if gain.used.is_empty() { "the mean".to_owned() } else { gain.used.join(" + ") };
    let dropped = match gain.dropped.join(", ") {
        names if names.is_empty() => String::new(),
        names => format!(" (not {names}: constant or implied)"),
    };
    let coverage = match rows.iter().any(|row| row.fit.gain_low.is_some()) {
        true if interval => " Its interval is too wide rather than too narrow: 97-100 % coverage in simulation.",
        true => " Its interval covers 97-100 %, not 95 %.",
        false => "",
    };
    Some(format!("gain: leave-one-run-out Q2 added to {used}{dropped}.{coverage}"))
}

/// What `does_not_predict` rests on, where a row says so: an end that is not in the table.
fn verdict_line(board: &PredictorBoard) -> Option<String> {
    let ruled_out = |row: &&PredictorRow| row.fit.verdict == "does_not_predict" && !row.fit.reversed;
    let rows: Vec<&PredictorRow> = board.rows.iter().filter(ruled_out).collect();
    let ends: Vec<String> =
        rows.iter().take(3).filter_map(|row| Some(format!("{} {}", row.fit.metric, two(row.spearman_high90?)))).collect();
    let more = if rows.len() > 3 { format!(" and {} more", rows.len() - 3) } else { String::new() };
    (!rows.is_empty()).then(|| {
        format!(
            "does_not_predict: the upper end of the 90 % interval ({}{more}) is below the useful effect {}.",
            ends.join(", "),
            board.useful_effect
        )
    })
}

/// What the design could have seen, for the three largest n, and what it would take.
fn power_line(board: &PredictorBoard) -> String {
    let mut by_n: BTreeMap<u32, &PredictorRow> = BTreeMap::new();
    for row in &board.rows {
        by_n.entry(row.fit.n).or_insert(row);
    }
    let mut parts: Vec<String> = by_n.iter().rev().take(3).filter_map(|(n, row)| power_of(*n, row)).collect();
    if let Some(needed) = board.rows.iter().find_map(|row| row.fit.n_needed) {
        parts.push(format!("The useful effect |r| = {} takes {needed} runs.", board.useful_effect));
    }
    parts.join(" ")
}

fn power_of(n: u32, row: &PredictorRow) -> Option<String> {
    let mde = two(row.fit.mde?);
    let band = row
        .details
        .random_band
        .map_or(String::new(), |band| format!("; 95 % of random predictors reach at most {}", two(band.p95)));
    Some(format!("n = {n} detects |r| of {mde} or more (mde: 80 % power){band}."))
}

/// Why numbers are missing: (what, reason) -> predictors.
fn reasons(rows: &[PredictorRow], gains: bool) -> BTreeMap<(&'static str, String), Vec<&PredictorRow>> {
    let mut reasons: BTreeMap<(&'static str, String), Vec<&PredictorRow>> = BTreeMap::new();
    for row in rows {
        let mut missing = |what, absent: bool, reason: Option<&String>| {
            if absent {
                let reason = reason.cloned().unwrap_or_else(|| "no reason was stored".to_owned());
                reasons.entry((what, reason)).or_default().push(row);
            }
        };
        let fit = &row.fit;
        if fit.verdict == "refused" {
            missing("fit", true, fit.verdict_reason.as_ref());
            continue;
        }
        missing("interval", fit.spearman_low.is_none(), row.details.spearman_interval_reason.as_ref());
        // That trivial predictors have none is said beside the asterisk.
        missing("gain", gains && !fit.trivial && fit.gain.is_none(), fit.gain_reason.as_ref());
        missing("gain interval", gains && fit.gain.is_some() && fit.gain_low.is_none(), fit.gain_reason.as_ref());
        missing("slope, R2, Q2", fit.slope.is_none(), row.details.fit_reason.as_ref());
        let lone = "one run alone holds up the slope".to_owned();
        missing("Q2", fit.slope.is_some() && fit.q2.is_none(), Some(&lone));
    }
    reasons
}

/// Up to three names, then a count; all trivial predictors in three words.
fn listed(rows: &[PredictorRow], fits: &[&PredictorRow]) -> String {
    let trivial = rows.iter().filter(|row| row.fit.trivial).count();
    if fits.len() > 1 && fits.len() == trivial && fits.iter().all(|row| row.fit.trivial) {
        return "the trivial predictors".to_owned();
    }
    let names: BTreeSet<&str> = fits.iter().map(|row| row.fit.metric.as_str()).collect();
    if names.len() > 3 {
        let first: Vec<&str> = names.iter().take(2).copied().collect();
        format!("{} and {} more", first.join(", "), names.len() - 2)
    } else {
        names.into_iter().collect::<Vec<&str>>().join(", ")
    }
}

/// What a flag warns of.
pub(crate) fn flag_meaning(flag: &str) -> &'static str {
    match flag {
        "leaked" => "test molecules are also in training or validation: scores may be too good",
        "out_of_vocabulary" => "over 20 % of the molecules hold tokens or positions that a corpus or tokenizer lacks",
        "mixed_precision" => "runs trained in different number formats",
        "mixed_device" => "values from different classes of device",
        "mixed_libtorch" => "values from different libtorch versions",
        "imported" => "checkpoints of others: whether annealed, or trained on test molecules, is not known",
        "same_weights" => "checkpoints with the weights of another run are not counted",
        "diverged_runs" => "diverged runs are not counted",
        "incomplete" => "runs without a value or a score are not counted, or some lack transfer seeds",
        "fixed_learning_rate" => "one learning rate for all sizes, not searched for: scores may flatten with size because of it",
        "tokens_vary_with_corpus" => "tokens rise with the corpus: their effects cannot be told apart",
        _ => "see the documentation",
    }
}
