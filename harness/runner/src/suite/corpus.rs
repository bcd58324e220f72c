//! `[[corpus]]` tables: unlabelled molecules by name, from a file, or as a mixture of both.

use std::path::{Path, PathBuf};

use clmbench_protocol::{SmilesForm, SourceFormat};

use super::{
    HELDOUT, Place, SuiteError,
    parse::{LARGEST, check_name},
    reader::Section,
};
use crate::nearest::hint;

/// Keys of `[[corpus]]`.
pub(super) const KEYS: [&str; 7] = ["name", "path", "column", "parts", "sizes", "heldout", "smiles"];
/// Keys of one of its `parts`.
const PART_KEYS: [&str; 4] = ["name", "path", "column", "weight"];
/// Column of the SMILES when the suite is silent.
const COLUMN: &str = "smiles";

/// A `[[corpus]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusEntry {
    /// Name, such as `mixed`; part of keys.
    pub name: String,
    /// What it is drawn from; more than one is a mixture.
    pub parts: Vec<CorpusPartEntry>,
    /// Molecules of the nested subsets.
    pub sizes: Vec<u64>,
    /// Molecules of the held-out sample.
    pub heldout: u64,
    /// How molecules are written.
    pub form: SmilesForm,
    /// Where it is written.
    pub place: Place,
}

/// A part of a corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusPartEntry {
    /// Where its molecules come from.
    pub origin: Origin,
    /// Its share relative to the other parts, above 0.
    pub weight: f64,
    /// Where it is written.
    pub place: Place,
}

/// Where molecules of a corpus come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A corpus of the catalogue.
    Catalogue(String),
    /// A file of the user's.
    File {
        /// Its path as written in the suite; relative to the suite file.
        written: String,
        /// How it is read.
        format: SourceFormat,
        /// Column of the SMILES; empty for lines.
        column: String,
    },
}

impl Origin {
    /// Its path on this machine, for a file; `suite` is the suite's own path.
    pub fn path(&self, suite: &Path) -> Option<PathBuf> {
        match self {
            Self::Catalogue(_) => None,
            Self::File { written, .. } => Some(suite.parent().unwrap_or(Path::new("")).join(written)),
        }
    }
}

/// Reads a `[[corpus]]` table.
pub(super) fn corpus(section: &Section<'_>) -> Result<CorpusEntry, SuiteError> {
    let given = section.string("name", "mixed")?;
    let (name, parts) = match (section.has("path"), section.has("parts")) {
        (true, true) => return Err(section.value_error("parts", "stands beside `path`; write the path as one of the parts.")),
        (true, false) => {
            let origin = file(section)?;
            let name = given.map_or_else(|| stem(section), Ok)?;
            (name, vec![CorpusPartEntry { origin, weight: 1.0, place: section.place.clone() }])
        }
        (false, _) if section.has("column") => {
            return Err(section.value_error("column", "belongs to a file; name it with `path`, or remove the column."));
        }
        (false, true) => {
            let name = given.ok_or_else(|| section.missing("name", "name = \"mine\""))?;
            (name, parts(section)?)
        }
        (false, false) => {
            let example = "name = \"mixed\"` or `path = \"molecules.smi\"";
            let name = given.ok_or_else(|| section.missing("name", example))?;
            let origin = Origin::Catalogue(name.clone());
            (name, vec![CorpusPartEntry { origin, weight: 1.0, place: section.place.clone() }])
        }
    };
    check_name(section, "name", &name)?;
    let example = "sizes = [5_000, 20_000]";
    Ok(CorpusEntry {
        name,
        parts,
        sizes: section.integers("sizes", 1, LARGEST, example)?.ok_or_else(|| section.missing("sizes", example))?,
        heldout: section.integer("heldout", 1, LARGEST, "4096")?.unwrap_or(HELDOUT),
        form: form(section)?,
        place: section.place.clone(),
    })
}

fn form(section: &Section<'_>) -> Result<SmilesForm, SuiteError> {
    match section.string("smiles", "canonical")?.as_deref() {
        None | Some("canonical") => Ok(SmilesForm::Canonical),
        Some("as-written" | "as_written") => Ok(SmilesForm::AsWritten),
        Some("random") => Ok(SmilesForm::Random),
        Some(other) => {
            let known = hint(other, &["canonical", "as-written", "random"]);
            Err(section.value_error("smiles", format!("`{}` is not a way to write molecules.{known}", other.escape_debug())))
        }
    }
}

fn parts(section: &Section<'_>) -> Result<Vec<CorpusPartEntry>, SuiteError> {
    let example = "parts = [{ name = \"moses\", weight = 0.6 }, { path = \"own.smi\", weight = 0.4 }]";
    let mut parts: Vec<CorpusPartEntry> = Vec::new();
    for part in section.sections("parts", &PART_KEYS, example)? {
        let origin = match (part.string("name", "moses")?, part.has("path")) {
            (Some(_), true) => return Err(part.value_error("name", "stands beside `path`; keep one of the two.")),
            (None, true) => file(&part)?,
            (Some(_), false) if part.has("column") => {
                return Err(part.value_error("column", "belongs to a file; name it with `path`, or remove the column."));
            }
            (Some(name), false) => Origin::Catalogue(name),
            (None, false) => return Err(part.missing("name", "name = \"moses\"` or `path = \"own.smi\"")),
        };
        let weight = part.float("weight", "0.5")?.unwrap_or(1.0);
        if weight <= 0.0 {
            return Err(part.value_error("weight", format!("{weight} is not above 0; leave the part out, or give it a share.")));
        }
        if parts.iter().any(|earlier| earlier.origin == origin) {
            return Err(section.value_error("parts", "the same part is written twice; remove one and add up the weights."));
        }
        parts.push(CorpusPartEntry { origin, weight, place: part.place.clone() });
    }
    Ok(parts)
}

/// The file that `path` and `column` name.
fn file(section: &Section<'_>) -> Result<Origin, SuiteError> {
    let written = section.string("path", "molecules.smi")?.unwrap_or_default();
    let lower = written.to_ascii_lowercase();
    let format = if [".csv", ".csv.gz"].iter().any(|ending| lower.ends_with(ending)) {
        SourceFormat::Csv
    } else if [".smi", ".txt"].iter().any(|ending| lower.ends_with(ending)) {
        SourceFormat::Lines
    } else {
        let message = format!(
            "`{}` has no ending that is known: .smi and .txt hold one molecule a line, .csv and .csv.gz a column of them.",
            written.escape_debug()
        );
        return Err(section.value_error("path", message));
    };
    let column = match (format, section.string("column", COLUMN)?) {
        (SourceFormat::Lines, Some(_)) => {
            return Err(section.value_error("column", "a file of lines has no columns; remove the key, or convert it to .csv."));
        }
        (SourceFormat::Lines, None) => String::new(),
        (SourceFormat::Csv, column) => column.unwrap_or_else(|| COLUMN.to_owned()),
    };
    Ok(Origin::File { written, format, column })
}

/// Name of a corpus that has none: the file's without its ending.
fn stem(section: &Section<'_>) -> Result<String, SuiteError> {
    let written = section.string("path", "molecules.smi")?.unwrap_or_default();
    let name = Path::new(&written).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let fits = !stem.is_empty() && stem.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    if fits { Ok(stem.to_owned()) } else { Err(section.missing("name", "name = \"mine\"")) }
}
