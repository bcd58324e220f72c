//! Numbers and foreign text on their way to a terminal.

use std::collections::BTreeSet;

use clmbench_analysis::{LabelNote, RefusedTask};

use crate::Style;

/// Stands for a number that is missing; the footer says why.
pub(crate) const MISSING: &str = "–";

/// Foreign text (SMILES, names, errors, plugin docs) made harmless for a terminal: line breaks and tabs become spaces,
/// control characters, bidirectional overrides and invisible characters are dropped.
pub fn plain(text: &str) -> String {
    text.chars()
        .filter_map(|character| match character {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' => None,
            '\u{61c}' | '\u{e0000}'..='\u{e007f}' => None,
            control if control.is_control() => None,
            other => Some(other),
        })
        .collect()
}

/// The finished text in the characters that the style allows, one for one.
pub(crate) fn finish(text: String, style: Style) -> String {
    if !style.ascii {
        return text;
    }
    text.chars()
        .map(|character| match character {
            character if character.is_ascii() => character,
            '–' | '─' => '-',
            '…' => '~',
            '×' => 'x',
            '±' => '~',
            _ => '?',
        })
        .collect()
}

/// Lines of at most `width` characters, all but the first indented by two; words that are longer are cut.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let indent = if lines.is_empty() { 0 } else { 2 };
            let used = if line.is_empty() { indent } else { line.chars().count() + 1 };
            if used + word.len() <= width {
                if line.is_empty() {
                    line.push_str(&" ".repeat(indent));
                } else {
                    line.push(' ');
                }
                line.extend(word.iter());
                break;
            }
            if line.is_empty() {
                let rest = word.split_off(width.saturating_sub(indent).max(1));
                lines.push(format!("{}{}", " ".repeat(indent), word.iter().collect::<String>()));
                word = rest;
            } else {
                lines.push(std::mem::take(&mut line));
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Tasks without a score, one sentence each.
pub(crate) fn refused_lines(tasks: &[RefusedTask]) -> Vec<String> {
    const MOST: usize = 6;
    let line = |task: &RefusedTask| {
        let runs = plural(task.runs, "model");
        format!("{MISSING} score of {} {} ({}, {runs}): {}.", task.dataset, task.task, task.protocol, task.reason)
    };
    let mut lines: Vec<String> = tasks.iter().take(MOST).map(line).collect();
    if tasks.len() > MOST {
        lines.push(format!("{} more tasks have no score; `clmbench show` of a transfer cell says why.", tasks.len() - MOST));
    }
    lines
}

/// What is wrong with the labels of the datasets that are shown, a line each.
pub(crate) fn label_lines<'a>(labels: &[LabelNote], shown: impl Iterator<Item = &'a str>) -> Vec<String> {
    let shown: BTreeSet<&str> = shown.collect();
    labels.iter().filter(|note| shown.contains(note.dataset.as_str())).map(|note| format!("{}.", note.text)).collect()
}

/// Two decimals.
pub(crate) fn two(value: f64) -> String {
    let text = format!("{value:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { text }
}

/// Two decimals or [`MISSING`].
pub(crate) fn two_or_missing(value: Option<f64>) -> String {
    value.map_or_else(|| MISSING.to_owned(), two)
}

/// `[low, high]` or [`MISSING`].
pub(crate) fn interval(low: Option<f64>, high: Option<f64>) -> String {
    low.zip(high).map_or_else(|| MISSING.to_owned(), |(low, high)| format!("[{}, {}]", two(low), two(high)))
}

/// A p-value with three decimals, never shown as 0.
pub(crate) fn p_value(value: Option<f64>) -> String {
    match value {
        None => MISSING.to_owned(),
        Some(value) if value < 0.001 => "<0.001".to_owned(),
        Some(value) => format!("{value:.3}"),
    }
}

/// Decimals that show four significant digits of the largest value of a column.
pub(crate) fn decimals(largest: f64) -> usize {
    if largest > 0.0 && largest.is_finite() { (3 - largest.log10().floor() as i32).clamp(0, 6) as usize } else { 3 }
}

/// Counts such as `5k`, `0.83M`, `1M`.
pub(crate) fn count(value: u64) -> String {
    let (scaled, unit) = match value {
        0..=999 => return value.to_string(),
        1_000..=49_999 => (value as f64 / 1e3, "k"),
        50_000..=999_999_999 => (value as f64 / 1e6, "M"),
        _ => (value as f64 / 1e9, "G"),
    };
    let text = format!("{scaled:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A duration such as `0.3 s`, `12 min`, `5.1 h`.
pub(crate) fn seconds(value: Option<f64>) -> String {
    match value {
        None => MISSING.to_owned(),
        Some(value) if value < 0.1 => format!("{:.0} ms", value * 1e3),
        Some(value) if value < 100.0 => format!("{value:.1} s"),
        Some(value) if value < 6_000.0 => format!("{:.0} min", value / 60.0),
        Some(value) => format!("{:.1} h", value / 3_600.0),
    }
}

/// `1 run`, `2 runs`.
pub(crate) fn plural(number: usize, word: &str) -> String {
    if number == 1 { format!("{number} {word}") } else { format!("{number} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(plain("\u{1b}[31mred\u{7}\u{9b}2J"), "[31mred2J");
        assert_eq!(plain("two\nlines\tand\r\u{202e}back\u{200b}"), "two lines and back");
        assert_eq!(plain("C[C@@H](N)C(=O)O é 分子"), "C[C@@H](N)C(=O)O é 分子");
    }

    #[test]
    fn lines_are_never_too_long() {
        let text = "one two three four fifteen-characters-and-more five";
        for width in 4..30 {
            let wrapped = wrap(text, width);
            assert!(wrapped.lines().all(|line| line.chars().count() <= width), "{width}: {wrapped}");
            let joined: String = wrapped.split_whitespace().collect();
            assert_eq!(joined, text.split_whitespace().collect::<String>());
        }
        assert_eq!(wrap("a b c d", 4), "a b\n  c\n  d\n");
    }

    #[test]
    fn numbers() {
        assert_eq!((two(-0.001), two(0.555), two(-1.0)), ("0.00".into(), "0.56".into(), "-1.00".into()));
        assert_eq!((p_value(Some(0.0001)), p_value(Some(0.05)), p_value(None)), ("<0.001".into(), "0.050".into(), "–".into()));
        assert_eq!([0.71, 2.4, 12.0, 1_234.5, 0.0, f64::NAN].map(decimals), [4, 3, 2, 0, 3, 3]);
        let shown: Vec<String> = [512, 5_000, 60_096, 830_000, 1_000_000, 86_240_000].into_iter().map(count).collect();
        assert_eq!(shown, ["512", "5k", "0.06M", "0.83M", "1M", "86.24M"]);
        let shown: Vec<String> = [0.012, 2.0, 720.0, 18_360.0].into_iter().map(|value| seconds(Some(value))).collect();
        assert_eq!(shown, ["12 ms", "2.0 s", "12 min", "5.1 h"]);
    }

    #[test]
    fn ascii_keeps_widths() {
        let text = "– ─ é 分".to_owned();
        let shown = finish(text.clone(), Style::ascii(80));
        assert_eq!(shown, "- - ? ?");
        assert_eq!(shown.chars().count(), text.chars().count());
    }
}
