//! `report`: a suite as one HTML page, and its figures as files.

mod artifact;
mod embeddings;
mod inputs;

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use clmbench_fetch::catalogue;
use clmbench_protocol::{CellSpec, SplitSpec, split as words};
use clmbench_report::html::{CorpusSourceTerms, DatasetSplit, FigureFile, Report, figure_files, html_page};
use clmbench_store::{Store, StoreError};

use crate::{
    arguments::{Global, ReportArguments},
    console::Console,
    error::CliError,
    output::write_to,
};

/// Writes the page, and prints where it is.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Analysis`], [`CliError::Output`] and [`CliError::File`].
pub fn run(arguments: &ReportArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(arguments.suite.as_deref())?;
    let predictors = clmbench_analysis::predictors(&store, suite.id)?;
    let expected = suite.expect.as_deref().filter(|_| !predictors.rows.is_empty());
    let expectation = expected.map(|expect| clmbench_analysis::expectation(&predictors, expect)).transpose()?;
    let fitted = store.fits_state(suite.id)?;
    let models = clmbench_analysis::models(&store, suite.id)?;
    let (runs, cells, datasets) = (store.runs(suite.id)?, store.cells(suite.id)?, store.datasets(suite.id)?);
    let (splits, corpora, sources) = (splits(&store, suite.id)?, store.corpora(suite.id)?, sources(&store, suite.id)?);
    let plugins = store.suite_plugins(suite.id)?;
    let figures = inputs::read(&store, suite.id)?;
    let report = Report {
        generated_by: concat!("clmbench ", env!("CARGO_PKG_VERSION")),
        suite: &suite,
        fitted: fitted.as_ref(),
        predictors: &predictors,
        models: &models,
        expectation: expectation.as_ref(),
        runs: &runs,
        cells: &cells,
        datasets: &datasets,
        splits: &splits,
        corpora: &corpora,
        sources: &sources,
        plugins: &plugins,
        figures: &figures,
    };
    let page = html_page(&report);
    let path = place(arguments.out.as_deref(), &suite.name);
    write_to(path.as_deref(), |out| out.write_all(page.as_bytes()).map_err(CliError::Output))?;
    if let Some(path) = path {
        console.print(&path.display().to_string())?;
    }
    match &arguments.figures {
        Some(folder) => save(&figure_files(&report), folder, arguments.out.as_deref() == Some(Path::new("-")), console),
        None => Ok(()),
    }
}

/// Writes the figures, and says where unless standard output is the page.
fn save(files: &[FigureFile], folder: &Path, quiet: bool, console: Console) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|error| CliError::file(folder, error))?;
    for file in files {
        for (ending, text) in [("svg", &file.svg), ("csv", &file.csv)] {
            let path = folder.join(format!("{}.{ending}", file.name));
            write_to(Some(&path), |out| out.write_all(text.as_bytes()).map_err(CliError::Output))?;
        }
    }
    if quiet {
        return Ok(());
    }
    let word = if files.len() == 1 { "figure" } else { "figures" };
    console.print(&format!("{} {word} in {} (SVG and CSV)", files.len(), folder.display()))
}

/// The file to write; none for standard output.
fn place(out: Option<&Path>, suite: &str) -> Option<PathBuf> {
    // A suite's name has no such letters, unless the store was made by others.
    let safe: String =
        suite.chars().map(|letter| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' }).collect();
    let name = format!("clmbench-report-{safe}.html");
    match out {
        None => Some(PathBuf::from(name)),
        Some(path) if path == Path::new("-") => None,
        Some(path) if path.is_dir() => Some(path.join(name)),
        Some(path) => Some(path.to_owned()),
    }
}

/// Where the molecules of the corpora are from: sources that this project pins have their terms, others are the user's.
fn sources(store: &Store, suite_id: i64) -> Result<Vec<CorpusSourceTerms>, StoreError> {
    let mut files: BTreeMap<(String, String), std::collections::BTreeSet<String>> = BTreeMap::new();
    for spec in store.specs(suite_id, "tokenise_corpus")? {
        let CellSpec::TokeniseCorpus(spec) = spec else { continue };
        for source in spec.sources {
            files.entry((spec.corpus.clone(), source.group)).or_default().insert(source.file.sha256);
        }
    }
    let terms = |((corpus, group), files): ((String, String), std::collections::BTreeSet<String>)| {
        let pinned = catalogue::CORPORA.contains(&corpus.as_str());
        let known = catalogue::corpus_terms(&group).filter(|_| pinned);
        let (licence, citation) = known.unwrap_or(("not known: a file of the user's", ""));
        CorpusSourceTerms { corpus, group, files: files.len(), licence: licence.to_owned(), citation: citation.to_owned() }
    };
    Ok(files.into_iter().map(terms).collect())
}

/// How the datasets of a suite are split.
fn splits(store: &Store, suite_id: i64) -> Result<Vec<DatasetSplit>, StoreError> {
    let of = |spec| match spec {
        CellSpec::TokeniseDataset(spec) => {
            Some(DatasetSplit { split: in_words(&spec.split), source: spec.source, dataset: spec.dataset })
        }
        _ => None,
    };
    Ok(store.specs(suite_id, "tokenise_dataset")?.into_iter().filter_map(of).collect())
}

/// `random, seed 7, 80 : 10 : 10`; without shares where the source or a file gives the parts.
fn in_words(split: &SplitSpec) -> String {
    let mut parts = vec![split.algorithm.clone()];
    parts.extend(split.seed.map(|seed| format!("seed {seed}")));
    if split.algorithm != words::GIVEN && split.algorithm != words::FILE {
        let (train, validation) = (100.0 * split.fractions.0.0, 100.0 * split.fractions.1.0);
        parts.push(format!("{train:.0} : {validation:.0} : {:.0}", 100.0 - train - validation));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use clmbench_protocol::Number;

    use super::*;

    #[test]
    fn a_split_is_said_in_words() {
        let split = |algorithm: &str, seed| SplitSpec {
            algorithm: algorithm.into(),
            seed,
            fractions: (Number(0.7), Number(0.1)),
            file: None,
        };
        assert_eq!(in_words(&split("random", Some(7))), "random, seed 7, 70 : 10 : 20");
        assert_eq!(
            (in_words(&split("scaffold", None)), in_words(&split("given", None))),
            ("scaffold, 70 : 10 : 20".into(), "given".into())
        );
    }

    #[test]
    fn the_page_has_a_name_that_leads_nowhere_else() {
        let name = |out: Option<&str>, suite| place(out.map(Path::new), suite);
        assert_eq!(name(None, "demo-1.2"), Some("clmbench-report-demo-1.2.html".into()));
        assert_eq!(name(None, "../x<y"), Some("clmbench-report-.._x_y.html".into()));
        assert_eq!(name(Some("-"), "demo"), None);
        assert_eq!(name(Some("page.html"), "demo"), Some("page.html".into()));
        assert_eq!(name(Some("/"), "demo"), Some("/clmbench-report-demo.html".into()));
    }
}
