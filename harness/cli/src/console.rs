//! Everything that is written: results on standard output, progress and advice on standard error.

use std::io::{self, IsTerminal, Write};

use clmbench_protocol::is_unsafe_to_show;
use clmbench_report::Style;
use serde::Serialize;

use crate::error::CliError;

/// Where output goes and how wide it may be.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// No progress and no advice.
    pub quiet: bool,
    /// Columns and characters of tables.
    pub style: Style,
    /// Whether standard error is a terminal that can show moving bars.
    pub live: bool,
}

/// Columns when standard output is not a terminal and `COLUMNS` is not set.
const DEFAULT_WIDTH: usize = 120;

impl Console {
    /// Looks at the terminal and the environment.
    pub fn new(quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let style = Style { width: width(), ascii: !utf8() };
        Self { quiet, style, live: io::stderr().is_terminal() && !dumb }
    }

    /// Writes lines to standard output, without what could steer a terminal, wherever it is from.
    ///
    /// # Errors
    /// [`CliError::Output`]; a closed pipe ends the command quietly (see `main`).
    pub fn print(&self, text: &str) -> Result<(), CliError> {
        let text = plain(text);
        let text = if self.style.ascii { text.replace('±', "+-").replace('…', "~") } else { text };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") })
            .and_then(|()| out.flush())
            .map_err(CliError::Output)
    }

    /// Writes the one JSON object of a command: `{schema, generated_by, rows}`.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn json<Row: Serialize>(&self, schema: &str, rows: &[Row]) -> Result<(), CliError> {
        self.json_of_run(schema, rows, None::<&()>)
    }

    /// [`Console::json`] with one more object `run`, which says how a run stands.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn json_of_run<Row: Serialize, Run: Serialize>(
        &self,
        schema: &str,
        rows: &[Row],
        run: Option<&Run>,
    ) -> Result<(), CliError> {
        let envelope = Envelope {
            schema: format!("clmbench/{schema}/1"),
            generated_by: concat!("clmbench ", env!("CARGO_PKG_VERSION")),
            rows,
            run,
        };
        self.whole_json(&envelope)
    }

    /// Writes an object that is `{schema, generated_by, rows}` already.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn whole_json<Board: Serialize>(&self, board: &Board) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(board).map_err(|error| CliError::Output(error.into()))?;
        self.print(&harmless_json(&text))
    }

    /// Writes advice or progress to standard error, as harmless as [`Console::print`], unless `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{}", plain(text));
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a, Row, Run> {
    schema: String,
    generated_by: &'static str,
    rows: &'a [Row],
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a Run>,
}

/// The text of a JSON value with escapes for what could steer a terminal: a parser reads the same. (Controls below U+0020
/// are escaped in JSON as it is; what is not ASCII stands in strings alone.)
pub fn harmless_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter >= '\u{7f}' && is_unsafe_to_show(letter) {
            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// Text from elsewhere (plugins, SMILES, errors of tools) without control characters, so that it cannot steer the terminal.
/// Line ends of either kind are kept.
pub fn plain(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\n' || c == '\t' || !is_unsafe_to_show(c) { c } else { '\u{fffd}' })
        .collect()
}

/// [`plain`] on one line, at most `longest` characters.
pub fn one_line(text: &str, longest: usize) -> String {
    let joined = plain(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if joined.chars().count() <= longest {
        return joined;
    }
    let mut cut: String = joined.chars().take(longest.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Whether the locale can show more than ASCII; where none is set, it is taken to.
fn utf8() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_none_or(|locale| ["utf-8", "utf8"].iter().any(|word| locale.to_lowercase().contains(word)))
}

/// `COLUMNS`, else the terminal's, else [`DEFAULT_WIDTH`].
fn width() -> usize {
    let wanted = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
    wanted.or_else(terminal_columns).unwrap_or(DEFAULT_WIDTH).clamp(40, 400)
}

fn terminal_columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    // SAFETY: an all-zero winsize is a valid value, and TIOCGWINSZ fills one that lives for the call.
    let (code, size) = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        (libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size), size)
    };
    (code == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn json_says_the_same_in_harmless_letters() {
        let foreign = "é \u{9b}2J \u{202e} \u{e0041} \u{7f} \u{1b}]0;x\u{7}";
        let text = harmless_json(&serde_json::to_string(foreign).unwrap());
        assert!(text.chars().all(|letter| !is_unsafe_to_show(letter)), "{text}");
        assert!(text.contains('é') && text.contains("\\udb40\\udc41"), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), foreign);
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mred\u{7}\nb"), "a\u{fffd}[31mred\u{fffd}\nb");
        assert_eq!(plain("C[C@H](N)C(=O)O"), "C[C@H](N)C(=O)O");
        assert_eq!(plain("x\u{202e}y"), "x\u{fffd}y");
        assert_eq!(plain("a\r\nb\rc"), "a\nb\u{fffd}c");
        assert_eq!(one_line("a\n  b\tc", 80), "a b c");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }
}
