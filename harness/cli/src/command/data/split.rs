//! `data split`: which row of a table comes to which part.

use std::{io::Write, path::Path};

use clmbench_molecules::{
    MoleculesError, Part,
    digest::sha256_file,
    split::file as by_file,
    table_split::{TableRows, TableSplit, split_table},
    user_table::{self, Columns},
};
use clmbench_protocol::{FileRef, SplitSpec, split};

use super::{choice::absent_file, prepare, summary};
use crate::{
    arguments::{Format, Fractions, Global, SplitArguments},
    console::{Console, one_line},
    error::CliError,
    output::write_to,
    rows::{Cell, Column, Kind, Writer, column},
    units::counted,
};

/// Columns in order.
const COLUMNS: [Column; 4] = [
    column("row", Kind::Whole, "row of the table, from 0, without the header"),
    column("split", Kind::Text, "train, valid or test; empty for a row without a valid molecule"),
    column("scaffold", Kind::Text, "scaffold; empty for a molecule without rings"),
    column("reason", Kind::Text, "why it is in no part"),
];

/// Rows without a valid molecule that are named.
const NAMED: usize = 3;

/// Splits and prints.
///
/// # Errors
/// [`CliError::Molecules`] for a table that cannot be read or split; what [`prepare::by_name`] says for a dataset; [`CliError::File`].
pub fn run(arguments: &SplitArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let is_file = is_file(&arguments.what);
    if let Some(absent) = absent_file(&arguments.what).filter(|_| is_file) {
        return Err(absent);
    }
    let spec = spec(arguments, is_file)?;
    if let Some(out) = arguments.out.as_deref().filter(|out| same_file(out, Path::new(&arguments.what))) {
        return Err(CliError::Usage {
            message: format!("--out {} is the table itself, which would be lost", out.display()),
            hint: "name another file".to_owned(),
        });
    }
    let table = if is_file { own(arguments, &spec)? } else { prepare::by_name(arguments, &spec, global, console)? };
    say_invalid(&table, console);
    say_empty(&table, arguments.way.fractions, console);

    let format = if arguments.json.json { Some(Format::Json) } else { arguments.format };
    match (&arguments.out, format) {
        (None, Some(format)) => {
            console.note(&format!("split digest  {}", table.digest));
            write_to(None, |sink| write(&table, Writer::start(sink, "data-split", &COLUMNS, format)?))
        }
        (out, format) => {
            if let Some(path) = out {
                let by_name = if path.extension().is_some_and(|end| end == "json") { Format::Json } else { Format::Csv };
                let format = format.unwrap_or(by_name);
                write_to(Some(path), |sink| write(&table, Writer::start(sink, "data-split", &COLUMNS, format)?))?;
            }
            console.print(&summary::page(&arguments.what, &spec, arguments.way.fractions, &table, console.style))?;
            match out {
                Some(path) => console.note(&format!("{} written", path.display())),
                None => console.note("the rows: --format csv, --json, or --out FILE"),
            }
            Ok(())
        }
    }
}

/// Writes every row of the table, in its order.
fn write<W: Write>(table: &TableSplit, mut writer: Writer<W>) -> Result<(), CliError> {
    for (row, found) in table.rows.iter().enumerate() {
        let (part, scaffold, reason) = match found {
            Ok(found) => (found.part.word(), found.scaffold.as_str(), None),
            Err(reason) => ("", "", Some(reason.as_str())),
        };
        writer.row(&[Cell::Whole(row as u64), Cell::text(part), Cell::text(scaffold), reason.into()])?;
    }
    writer.end()
}

/// Whether a path is meant: something is there, or its end says so.
pub fn is_file(what: &str) -> bool {
    let lower = what.to_lowercase();
    Path::new(what).is_file() || [".csv", ".tsv", ".gz", ".txt", ".smi"].iter().any(|end| lower.ends_with(end))
}

/// Whether both paths lead to one file that is there.
fn same_file(left: &Path, right: &Path) -> bool {
    matches!((left.canonicalize(), right.canonicalize()), (Ok(left), Ok(right)) if left == right)
}

/// The split that is asked for.
fn spec(arguments: &SplitArguments, is_file: bool) -> Result<SplitSpec, CliError> {
    let usage = |message: &str, hint: &str| Err(CliError::Usage { message: message.to_owned(), hint: hint.to_owned() });
    if !is_file && (arguments.smiles.is_some() || arguments.split_column.is_some() || arguments.label.is_some()) {
        return usage(
            "--smiles, --split-column and --label name columns of a table of your own",
            "leave them out, or name a .csv or .tsv file",
        );
    }
    let otherwise = match (&arguments.split_column, &arguments.split_file) {
        (Some(_), _) => split::GIVEN,
        (None, Some(_)) => split::FILE,
        (None, None) => split::SCAFFOLD,
    };
    let mut spec = arguments.way.spec(otherwise);
    let of_one = [
        ("--split-column", arguments.split_column.is_some(), split::GIVEN),
        ("--split-file", arguments.split_file.is_some(), split::FILE),
        ("--label", arguments.label.is_some(), split::STRATIFIED),
    ];
    if let Some((option, _, wanted)) = of_one.iter().find(|(_, named, wanted)| *named && spec.algorithm != *wanted) {
        let message = format!("{option} goes with --split {wanted}, not with --split {}", spec.algorithm);
        return usage(&message, "leave one of the two out");
    }
    if spec.algorithm == split::FILE {
        let Some(path) = &arguments.split_file else {
            return usage("--split file needs the file", "add --split-file FILE; --format csv writes such a file");
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        spec.file = Some(FileRef { name, sha256: sha256_file(path)? });
    }
    if is_file && spec.algorithm == split::STRATIFIED && arguments.label.is_none() {
        return usage("--split stratified puts molecules in the order of a label", "add --label COLUMN");
    }
    Ok(spec)
}

/// A table of the user's own.
fn own(arguments: &SplitArguments, spec: &SplitSpec) -> Result<TableSplit, CliError> {
    let path = Path::new(&arguments.what);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let split = (spec.algorithm == split::GIVEN).then_some(arguments.split_column.as_deref());
    let table =
        user_table::read(path, &name, Columns { smiles: arguments.smiles.as_deref(), split, label: arguments.label.as_deref() })
            .map_err(|error| match error {
                MoleculesError::NoSmilesColumn { .. } | MoleculesError::TwoSmilesColumns { .. } => {
                    CliError::Usage { message: error.to_string(), hint: "add --smiles COLUMN".to_owned() }
                }
                MoleculesError::MissingColumn { .. } if split == Some(None) => {
                    CliError::Usage { message: error.to_string(), hint: "add --split-column COLUMN".to_owned() }
                }
                other => other.into(),
            })?;
    let given = match (&arguments.split_file, &spec.file) {
        (Some(path), Some(file)) => by_file::read(path, &file.name, &table.smiles)?,
        _ => table.parts,
    };
    Ok(split_table(TableRows { name: &name, smiles: &table.smiles, given: &given, labels: &table.labels }, spec)?)
}

/// Says which parts hold no molecule: a split by scaffolds never divides those of one scaffold, or those without rings.
fn say_empty(table: &TableSplit, shares: Fractions, console: Console) {
    let parts = [(Part::Train, shares.training), (Part::Valid, shares.validation), (Part::Test, shares.test)];
    let empty: Vec<&str> = parts
        .into_iter()
        .filter(|(part, share)| *share > 0.0 && table.count(*part).0 == 0)
        .map(|(part, _)| part.word())
        .collect();
    if !empty.is_empty() {
        let parts = empty.join(", ");
        console.note(&format!("note: empty: {parts}. Other --fractions or another --split may fill every part"));
    }
}

/// Says how many rows hold no valid molecule, and why the first of them do not.
fn say_invalid(table: &TableSplit, console: Console) {
    let count = table.invalid().count();
    if count == 0 {
        return;
    }
    let named: Vec<String> =
        table.invalid().take(NAMED).map(|(row, reason)| format!("row {row}: {}", one_line(reason, 80))).collect();
    let more = if count > NAMED { format!("; and {} more", count - NAMED) } else { String::new() };
    let rows = counted(table.rows.len(), "row");
    console.note(&format!("note: {count} of {rows} hold no valid molecule and are in no part ({}{more})", named.join("; ")));
}
