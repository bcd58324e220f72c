//! `export predictions`: every test prediction behind the scores of a suite, written as it is read.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use clmbench_protocol::Number;
use clmbench_store::{ScoreRow, Store};
use serde::Serialize;

use crate::{
    arguments::{ExportArguments, Format, Global},
    console::Console,
    error::CliError,
};

/// Columns in order.
const COLUMNS: [&str; 9] = ["run", "checkpoint", "dataset", "task", "protocol", "seed", "row", "label", "prediction"];

/// A molecule's prediction.
#[derive(Debug, Serialize)]
struct Row<'a> {
    run: &'a str,
    checkpoint: &'a str,
    dataset: &'a str,
    task: &'a str,
    protocol: &'a str,
    /// Transfer seed of a fine-tuning; a probe has none.
    seed: Option<u64>,
    row: u64,
    label: Number,
    prediction: Number,
}

/// Writes the predictions to standard output or a file.
///
/// # Errors
/// [`CliError::Store`]; [`CliError::Usage`] when no prediction is of the dataset and protocol asked for;
/// [`CliError::Output`] and [`CliError::File`].
pub fn predictions(arguments: &ExportArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(arguments.suite.as_deref())?;
    let labels: HashMap<String, String> = store.runs(suite.id)?.into_iter().map(|run| (run.run, run.label)).collect();
    let scores: Vec<ScoreRow> = store.score_rows(suite.id)?.into_iter().filter(|row| row.primary).collect();
    let wanted = |row: &&ScoreRow| {
        arguments.dataset.as_ref().is_none_or(|dataset| row.dataset == *dataset)
            && arguments.protocol.as_ref().is_none_or(|protocol| row.protocol == *protocol)
    };
    let chosen: Vec<&ScoreRow> = scores.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let known: BTreeSet<String> = scores.iter().map(|row| format!("{} ({})", row.dataset, row.protocol)).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(CliError::Usage {
            message: format!("suite {} has no such predictions", suite.name),
            hint: if known.is_empty() { "`clmbench run` computes scores".into() } else { format!("it has those of {known}") },
        });
    }
    let Some(path) = &arguments.out else {
        let mut out = BufWriter::new(io::stdout().lock());
        return write(&mut out, &store, &labels, &chosen, arguments.format);
    };
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}.partial", std::process::id()));
    let beside = std::path::PathBuf::from(beside);
    let file = |error| CliError::File { path: path.clone(), error };
    let mut out = BufWriter::new(File::create(&beside).map_err(file)?);
    let written = write(&mut out, &store, &labels, &chosen, arguments.format)
        .and_then(|()| finish(out, &beside, path).map_err(|error| CliError::File { path: path.clone(), error }));
    match written {
        Ok(()) => console.note(&format!("{} written", path.display())),
        Err(_) => _ = std::fs::remove_file(&beside),
    }
    written
}

fn finish(out: BufWriter<File>, beside: &Path, path: &Path) -> io::Result<()> {
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(beside, path)
}

fn write(
    out: &mut impl Write,
    store: &Store,
    labels: &HashMap<String, String>,
    scores: &[&ScoreRow],
    format: Format,
) -> Result<(), CliError> {
    match format {
        Format::Csv => writeln!(out, "{}", COLUMNS.join(",")).map_err(CliError::Output)?,
        Format::Json => {
            let version = env!("CARGO_PKG_VERSION");
            write!(out, "{{\"schema\":\"clmbench/predictions/1\",\"generated_by\":\"clmbench {version}\",\"rows\":[")
                .map_err(CliError::Output)?;
        }
    }
    let mut first = true;
    for score in scores {
        let run = labels.get(&score.run).unwrap_or(&score.run);
        for (row, label, prediction) in store.predictions(&score.cell, &score.task)? {
            let row = Row {
                run,
                checkpoint: &score.checkpoint,
                dataset: &score.dataset,
                task: &score.task,
                protocol: &score.protocol,
                seed: (score.protocol == "finetune").then_some(score.seed),
                row,
                label: label.into(),
                prediction: prediction.into(),
            };
            let line = match format {
                Format::Csv => csv(&row),
                Format::Json => serde_json::to_string(&row).map_err(|error| CliError::Output(error.into()))?,
            };
            let before = if format == Format::Json && !first { ",\n" } else { "" };
            let after = if format == Format::Csv { "\n" } else { "" };
            write!(out, "{before}{line}{after}").map_err(CliError::Output)?;
            first = false;
        }
    }
    if format == Format::Json {
        out.write_all(b"]}\n").map_err(CliError::Output)?;
    }
    out.flush().map_err(CliError::Output)
}

fn csv(row: &Row<'_>) -> String {
    let texts = [row.run, row.checkpoint, row.dataset, row.task, row.protocol].map(cell);
    let seed = row.seed.map_or_else(String::new, |seed| seed.to_string());
    format!("{},{seed},{},{},{}", texts.join(","), row.row, row.label.0, row.prediction.0)
}

/// Foreign text as one cell: what a spreadsheet would take for a formula gets a `'` before it, and what holds a separator is
/// quoted.
fn cell(text: &str) -> String {
    let safe = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas_and_no_two_cells() {
        let cases = [
            ("bert/mixed-5000/seed0", "bert/mixed-5000/seed0"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("@x", "'@x"),
            ("-1", "'-1"),
            ("a,b", "\"a,b\""),
            ("+a\"b", "\"'+a\"\"b\""),
            ("a\nb", "\"a\nb\""),
        ];
        for (text, expected) in cases {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn numbers_keep_every_bit_and_their_sign() {
        let (label, prediction) = (Number(-0.1), Number(f64::NAN));
        let (run, checkpoint, dataset, task, protocol) = ("r", "checkpoint-1", "d", "t", "probe");
        let row = Row { run, checkpoint, dataset, task, protocol, seed: None, row: 7, label, prediction };
        assert_eq!(csv(&row), "r,checkpoint-1,d,t,probe,,7,-0.1,NaN");
    }
}
