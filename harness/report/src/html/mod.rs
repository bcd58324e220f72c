//! A suite as one self-contained HTML page: what was run, the leaderboards, figures, what failed, where the data are from.
//!
//! The page loads nothing: its policy is `default-src 'none'` with the hashes of its one style sheet and its one script, which sorts
//! and filters tables and saves figures; without it the page says the same. All foreign text is escaped by one function (`node`);
//! nothing of it becomes markup, an attribute's name or an address. The same store gives the same bytes: no clock is read.

mod answer;
mod axis;
mod cells;
mod data;
mod failures;
mod figures;
mod forest;
mod frame;
mod models;
mod node;
mod plot;
mod predictors;
mod reading;
mod statistics;
mod summary;
mod table;

use std::collections::BTreeSet;

use clmbench_analysis::{Expectation, ModelBoard, PredictorBoard};
use clmbench_protocol::{CorpusOutput, DatasetOutput, PluginManifest};
use clmbench_store::{CellRow, FitsState, RunRow, SuiteRow};
use sha2::{Digest, Sha256};

pub use figures::{ArtifactTable, EmbeddingMap, EmbeddingPoint, FigureInputs, TaskPredictions};

use figures::Figure;
use frame::Room;
use node::{Element, Node, element, with_text};

pub use frame::FigureFile;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// Everything a page says.
#[derive(Debug)]
pub struct Report<'a> {
    /// Program and version.
    pub generated_by: &'a str,
    /// The suite.
    pub suite: &'a SuiteRow,
    /// When its fits were stored, if they were.
    pub fitted: Option<&'a FitsState>,
    /// Its fits.
    pub predictors: &'a PredictorBoard,
    /// Its scores.
    pub models: &'a ModelBoard,
    /// What it expects and what came out, if it expects something.
    pub expectation: Option<&'a Expectation>,
    /// Its runs, controls among them.
    pub runs: &'a [RunRow],
    /// Its cells.
    pub cells: &'a [CellRow],
    /// Its datasets.
    pub datasets: &'a [DatasetOutput],
    /// How they are split.
    pub splits: &'a [DatasetSplit],
    /// Its corpus subsets.
    pub corpora: &'a [CorpusOutput],
    /// Where the molecules of its corpora are from.
    pub sources: &'a [CorpusSourceTerms],
    /// The plugins that it uses.
    pub plugins: &'a [PluginManifest],
    /// What figures need beside all that.
    pub figures: &'a FigureInputs,
}

/// How a dataset is split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSplit {
    /// Source.
    pub source: String,
    /// Dataset.
    pub dataset: String,
    /// Its split in words, such as `random, seed 7, 80 : 10 : 10`.
    pub split: String,
}

/// Where molecules of a corpus are from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CorpusSourceTerms {
    /// Corpus.
    pub corpus: String,
    /// Group of sources, such as `moses`.
    pub group: String,
    /// Files in the group.
    pub files: usize,
    /// Licence, as far as it is known.
    pub licence: String,
    /// Citation.
    pub citation: String,
}

/// The figures of the page, each as SVG and CSV, and then those for which the page has no room.
pub fn figure_files(report: &Report<'_>) -> Vec<FigureFile> {
    let mut names = Names::default();
    let Drawn { figures, intervals } = Drawn::of(report, &mut names);
    let rest = figures::rest(report).into_iter().map(|figure| names.named(figure));
    figures.into_iter().chain(intervals.into_iter().flatten()).chain(rest).map(|figure| frame::file(&figure)).collect()
}

/// The figures of a page, each with a name of its own.
struct Drawn {
    figures: Vec<Figure>,
    /// One a group of predictors.
    intervals: Vec<Option<Figure>>,
}

impl Drawn {
    fn of(report: &Report<'_>, names: &mut Names) -> Self {
        let figures = figures::all(report).into_iter().map(|figure| names.named(figure)).collect();
        let intervals = predictors::figures(report).into_iter().map(|figure| figure.map(|figure| names.named(figure))).collect();
        Self { figures, intervals }
    }
}

/// Longest name of a figure, in letters.
const LONGEST_NAME: usize = 120;

/// The names that are given away: a figure's, and those of its parts.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// The figure with a name that no other has.
    fn named(&mut self, figure: Figure) -> Figure {
        let name: String = figure.id.chars().take(LONGEST_NAME).collect();
        let again = (2..).map(|number| format!("{name}-{number}"));
        let id = std::iter::once(name.clone()).chain(again).find(|id| self.take(id)).unwrap_or(name);
        Figure { id, ..figure }
    }

    fn take(&mut self, id: &str) -> bool {
        let parts = ["", "-title", "-text"].map(|part| format!("{id}{part}"));
        let free = parts.iter().all(|part| !self.0.contains(part));
        if free {
            self.0.extend(parts);
        }
        free
    }
}

/// The page.
pub fn html_page(report: &Report<'_>) -> String {
    let title = format!("clmbench report: {}", report.suite.name);
    let head = element("head")
        .child(element("meta").attribute("charset", "utf-8"))
        .child(element("meta").attribute("http-equiv", "Content-Security-Policy").attribute("content", policy()))
        .child(element("meta").attribute("name", "viewport").attribute("content", "width=device-width, initial-scale=1"))
        .child(element("meta").attribute("name", "generator").attribute("content", report.generated_by))
        .child(element("meta").attribute("name", "referrer").attribute("content", "no-referrer"))
        .child(with_text("title", title.clone()))
        .child(Node::Style(STYLE));
    let mut room = Room::new();
    let Drawn { figures, intervals } = Drawn::of(report, &mut Names::default());
    let drawn: Vec<Element> = figures.iter().map(|figure| frame::framed(figure, &mut room)).collect();
    let notes = report.figures.notes.iter().map(note);
    let drawn = (!drawn.is_empty())
        .then(|| std::iter::once(element("div").class("figures").children(drawn).into()).chain(notes).collect::<Vec<Node>>());
    let sections = [
        Some(("reading", "How to read this", reading::section(report))),
        drawn.map(|nodes| ("figures", "Figures", nodes)),
        Some(("predictors", "Predictors of transfer", predictors::section(report, &intervals, &mut room))),
        Some(("models", "Models by score", models::section(report))),
        statistics::section(report).map(|nodes| ("statistics", "Statistics", nodes)),
        Some(("failures", "What failed, was refused or diverged", failures::section(report))),
        Some(("data", "Data, licences and citations", data::section(report))),
        Some(("metrics", "What was measured", data::metrics(report))),
        Some(("runs", "Runs", models::runs(report))),
        Some(("cells", "Cells", cells::section(report))),
        Some(("suite", "The suite", suite(report))),
    ];
    let sections: Vec<_> = sections.into_iter().flatten().collect();
    let entries =
        sections.iter().map(|(id, name, _)| element("li").child(with_text("a", *name).attribute("href", format!("#{id}"))));
    let contents = element("nav").attribute("aria-label", "Contents").child(element("ul").children(entries));
    let main = sections.into_iter().map(|(id, name, nodes)| {
        let heading = with_text("h2", name).attribute("id", format!("{id}-heading"));
        let section = element("section").attribute("id", id).attribute("aria-labelledby", format!("{id}-heading"));
        section.child(heading).children(nodes)
    });
    let body = element("body")
        .child(element("header").child(with_text("h1", title)).children(summary::header(report)))
        .child(contents)
        .child(element("main").child(summary::section(report)).children(main))
        .child(note(format!(
            "Written by {}. Every number of this page: clmbench export fits, models, results, statistics, cells or predictions; the \
             numbers behind every figure: clmbench report --figures DIR.",
            report.generated_by
        )))
        .child(Node::Script(SCRIPT));
    let mut page = String::from("<!DOCTYPE html>\n");
    Node::from(element("html").attribute("lang", "en").child(head).child(body)).write(&mut page);
    page.push('\n');
    page
}

/// Nothing may be loaded or sent; the one style sheet and the one script are named by their hashes.
fn policy() -> String {
    let digest = |text: &str| base64(&Sha256::digest(text.as_bytes()));
    let (style, script) = (digest(STYLE), digest(SCRIPT));
    format!("default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'")
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0u32, |number, byte| (number << 8) | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// The text of the suite.
fn suite(report: &Report<'_>) -> Vec<Node> {
    let text = element("pre")
        .attribute("tabindex", "0")
        .attribute("aria-label", "Text of the suite file")
        .text(report.suite.toml.replace("\r\n", "\n"));
    vec![
        with_text("p", "The file that was run, as it was written. The same file and the same plugins make the same cells.")
            .into(),
        element("details").child(with_text("summary", "Text of the suite file")).child(text).into(),
    ]
}

/// A paragraph.
fn paragraph(text: impl Into<String>) -> Node {
    with_text("p", text).into()
}

/// A paragraph in small print.
fn note(text: impl Into<String>) -> Node {
    with_text("p", text).class("note").into()
}

/// A list.
fn list(items: impl IntoIterator<Item = String>) -> Element {
    element("ul").children(items.into_iter().map(|item| with_text("li", item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_figures_have_a_name_or_a_part_in_common() {
        let mut names = Names::default();
        let mut named = |id: &str| {
            let data = figures::Data::default();
            let [title, caption, alternative] = [(); 3].map(|()| String::new());
            names.named(Figure { id: id.to_owned(), title, caption, alternative, drawing: element("svg"), data }).id
        };
        assert_eq!(["a", "a", "a-title", "a-2", "b"].map(&mut named), ["a", "a-2", "a-title-2", "a-2-2", "b"]);
        let long = "x".repeat(500);
        assert_eq!((named(&long).len(), named(&long).len()), (LONGEST_NAME, LONGEST_NAME + 2));
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in pairs {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn the_style_holds_no_markup_and_no_address() {
        assert!(!STYLE.contains('<') && !STYLE.contains("url(") && !STYLE.contains("@import"));
    }

    #[test]
    fn the_script_is_short_and_makes_no_markup() {
        assert!(SCRIPT.len() < 10_000, "{}", SCRIPT.len());
        // Without `<` nothing in it can end it or open another.
        for word in ["<", "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval", "fetch("] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }
}
