//! `data check` for people: a table of datasets, one of their splits, then what there is to say.

use clmbench_protocol::{Number, split};
use clmbench_report::Style;

use super::row::{Row, Verdict};
use crate::{command::wrapped, console::one_line, units::counted};

/// Columns from which the wide table is shown.
const WIDE: usize = 110;

const NARROW_LEGEND: &str = "positive: share of class 1, smallest and largest over tasks. missing: share of labels that are not there. \
                             repeated: molecules that are in several rows. leaked: test molecules that are in another part too.";
const LEGEND: &str = "positive: share of class 1, smallest and largest over tasks. missing: share of labels that are not there. repeated: \
                      molecules that are in several rows; differ: of these with labels that differ, over tasks. invalid: rows without a \
                      valid molecule. long: molecules longer than a model reads. unknown: share of tokens outside the vocabulary. leaked: \
                      test molecules that are in another part too.";

/// Everything that is printed.
pub fn text(rows: &[Row], style: Style) -> String {
    let (mut page, is_wide) = fitting(rows, style);
    let splits = splits(rows, style);
    if !splits.is_empty() {
        page.push_str(&splits);
    }
    let mut lines = Vec::new();
    for row in rows.iter().filter(|row| !row.reasons.is_empty() || !row.places.is_empty()) {
        lines.push(format!("{}: {}", one_line(&row.name, 60), row.verdict.word()));
        for place in &row.places {
            lines.push(below(&format!("{}: {}", place.place, place.reason), style));
        }
        for reason in &row.reasons {
            lines.push(below(reason, style));
        }
    }
    if rows.iter().any(|row| row.contents.is_some()) {
        lines.push(wrapped("", if is_wide { LEGEND } else { NARROW_LEGEND }, style.width));
    }
    lines.push(wrapped("", &format!("{}.", summary(rows)), style.width));
    format!("{page}{}", lines.join("\n"))
}

/// A line two columns in, wrapped.
fn below(text: &str, style: Style) -> String {
    let lines: Vec<String> = text.lines().map(|line| wrapped("", line, style.width.saturating_sub(2))).collect();
    lines.join("\n").lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The widest table that needs no second line for a row, and whether it is a wide one.
fn fitting(rows: &[Row], style: Style) -> (String, bool) {
    // Three rules and a header.
    let fits = |table: &String| table.lines().count() == rows.len() + 4;
    let wide = [&["differ", "invalid", "long", "unknown", "from"][..], &["differ", "invalid", "long", "unknown"]];
    let mut tables = wide.into_iter().filter(|_| style.width >= WIDE).map(|more| datasets(rows, more, style));
    tables.find(fits).map_or_else(|| (datasets(rows, &[], style), false), |table| (table, true))
}

fn datasets(rows: &[Row], more: &[&'static str], style: Style) -> String {
    let wide = !more.is_empty();
    let mut headers = vec!["dataset", "rows", "tasks", "positive", "missing", "repeated"];
    headers.extend(more);
    headers.push("verdict");
    let cells = |row: &Row| {
        let mut cells = vec![one_line(&row.name, if wide { 40 } else { 28 })];
        match &row.contents {
            None => {
                cells.extend(["-".to_owned(), row.tasks().to_string()]);
                cells.extend(vec!["-".to_owned(); headers.len() - 4]);
            }
            Some(found) => {
                let positive = match found.positive_share {
                    None => "-".to_owned(),
                    Some((low, high)) if low == high => percent(low),
                    Some((low, high)) => format!("{}-{}", percent(low).trim_end_matches(" %"), percent(high)),
                };
                let numbers = [found.rows.to_string(), found.tasks.to_string(), positive, percent(found.missing_share)];
                cells.extend(numbers);
                cells.push(found.duplicate_groups.to_string());
                if wide {
                    let unknown = match found.unknown_tokens_named {
                        Some(named) => format!("{} / {}", percent(found.unknown_tokens), percent(named)),
                        None => percent(found.unknown_tokens),
                    };
                    let mut from: Vec<&str> = row.files.iter().map(|file| file.kind).collect();
                    from.dedup();
                    cells.extend([found.conflicting.to_string(), found.invalid.to_string(), found.longer.to_string()]);
                    cells.extend([unknown, from.join(", ")]);
                    cells.truncate(headers.len() - 1);
                }
            }
        }
        cells.push(row.verdict.short().to_owned());
        cells
    };
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    clmbench_report::table_in(&headers, &cells, style)
}

fn splits(rows: &[Row], style: Style) -> String {
    let corpus = rows.iter().flat_map(|row| &row.splits).any(|split| split.in_corpus.is_some());
    let mut headers = vec!["dataset", "split", "train", "valid", "test", "leaked"];
    if corpus {
        headers.push("in corpus");
    }
    headers.push("digest");
    let mut cells = Vec::new();
    for row in rows {
        for found in &row.splits {
            let seed = found.spec.seed.filter(|_| found.spec.algorithm != split::GIVEN);
            let seed = seed.map(|seed| format!(" {seed}")).unwrap_or_default();
            let (train, valid, test) = found.parts;
            let mut line = vec![one_line(&row.name, if style.width >= WIDE { 40 } else { 28 })];
            line.push(format!("{}{seed}", found.spec.algorithm));
            line.extend([train, valid, test, found.leaked].map(|count| count.to_string()));
            if corpus {
                line.push(found.in_corpus.map_or("-".to_owned(), |held| held.to_string()));
            }
            line.push(found.digest.get(..12).unwrap_or(&found.digest).to_owned());
            cells.push(line);
        }
    }
    if cells.is_empty() { String::new() } else { clmbench_report::table_in(&headers, &cells, style) }
}

/// `3 datasets: 1 ok, 1 warn, 1 not reachable (moleculenet/qm7)`.
fn summary(rows: &[Row]) -> String {
    let mut parts = Vec::new();
    for verdict in [Verdict::Ok, Verdict::Warn, Verdict::Refused, Verdict::NotReachable, Verdict::NeedsTerms] {
        let names: Vec<&str> = rows.iter().filter(|row| row.verdict == verdict).map(|row| row.name.as_str()).collect();
        match (names.len(), verdict) {
            (0, _) => {}
            (count, Verdict::Ok | Verdict::Warn) => parts.push(format!("{count} {}", verdict.word())),
            (count, _) => parts.push(format!("{count} {} ({})", verdict.word(), names.join(", "))),
        }
    }
    format!("{}: {}", counted(rows.len(), "dataset"), parts.join(", "))
}

fn percent(share: Number) -> String {
    match 100.0 * share.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 0.095 => format!("{percent:.2} %"),
        percent => format!("{percent:.1} %"),
    }
}

#[cfg(test)]
mod tests;
