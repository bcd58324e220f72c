//! Prepares a labelled dataset: checks it, canonicalises it, splits it, tokenises it, and leaves the files that later cells read.
//!
//! | file | what it holds |
//! |---|---|
//! | `molecules.csv` | `row` (of the source, from 0), `smiles`, `canonical`, `scaffold`, `part`, then the labels and the subsets; valid molecules only |
//! | `tokens.bin` | tokens of the canonical SMILES, in the order of `molecules.csv` ([`crate::cache`]) |
//! | `tokenizer.json` | the tokenizer |
//! | `dataset.json` | the [`DatasetOutput`] and the split |

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use clmbench_protocol::{DatasetOutput, Number, SplitSpec, TaskInfo, TokeniseDataset};
use serde::{Deserialize, Serialize};

use crate::{
    cache::TokenCacheBuilder,
    checks,
    digest::{write_bytes, write_whole},
    encoder::Encoder,
    error::MoleculesError,
    prepared::Part,
    smiles, split,
    table::{CheckedTable, RawTable, standard_deviation},
};

/// Columns of `molecules.csv` before the labels.
pub const COLUMNS: [&str; 5] = ["row", "smiles", "canonical", "scaffold", "part"];

/// A valid molecule of the table.
struct Entry {
    row: usize,
    canonical: String,
    scaffold: String,
}

/// Prepares a dataset in a folder with our own tokenizer.
///
/// # Errors
/// See [`prepare_dataset_with`] and [`Encoder::new`].
pub fn prepare_dataset(table: &RawTable, spec: &TokeniseDataset, folder: &Path) -> Result<DatasetOutput, MoleculesError> {
    prepare_dataset_with(table, spec, &Encoder::new(&spec.tokenizer, None)?, folder)
}

/// Prepares a dataset in a folder with the tokenizer of the specification.
///
/// # Errors
/// See [`RawTable::check`], [`split::split`], [`Encoder::encode`]; [`MoleculesError::WrongTable`] if the normalised CSV is not the one that the specification names,
/// [`MoleculesError::NoMolecules`] if no row is valid, [`MoleculesError::Io`] if a file cannot be written.
pub fn prepare_dataset_with(
    table: &RawTable,
    spec: &TokeniseDataset,
    tokenizer: &Encoder,
    folder: &Path,
) -> Result<DatasetOutput, MoleculesError> {
    let name = format!("{}/{}", spec.source, spec.dataset);
    let checked = table.check(&name)?;
    let sha256_csv = table.sha256_csv(&checked)?;
    if let Some(wanted) = spec.sha256_csv.as_ref().filter(|wanted| **wanted != sha256_csv) {
        return Err(MoleculesError::WrongTable { dataset: name, found: sha256_csv, wanted: wanted.clone() });
    }

    let (mut entries, mut invalid) = (Vec::new(), Vec::new());
    for (row, text) in checked.smiles.iter().enumerate() {
        match smiles::canonical(text).and_then(|canonical| Ok((canonical, smiles::scaffold(text)?))) {
            Ok((canonical, scaffold)) => entries.push(Entry { row, canonical, scaffold }),
            Err(reason) => invalid.push((row as u64, reason.to_string())),
        }
    }
    if entries.is_empty() {
        let first = invalid.first().map(|(_, reason)| reason.clone()).unwrap_or_default();
        return Err(MoleculesError::NoMolecules { file: name, rows: checked.smiles.len() as u64, first });
    }
    let scaffolds: Vec<String> = entries.iter().map(|entry| entry.scaffold.clone()).collect();
    let rows: Vec<u64> = entries.iter().map(|entry| entry.row as u64).collect();
    let valid: Vec<String> = entries.iter().map(|entry| checked.smiles[entry.row].clone()).collect();
    let width = table.tasks.len();
    let labels: Vec<f64> =
        entries.iter().flat_map(|entry| &checked.labels[entry.row * width..(entry.row + 1) * width]).copied().collect();
    let molecules = split::Molecules {
        name: &name,
        smiles: &valid,
        scaffolds: &scaffolds,
        labels: &labels,
        tasks: width,
        rows: &rows,
        all_rows: checked.smiles.len(),
        given: &table.parts,
    };
    let parts = split::split(&spec.split, molecules)?;

    let mut tokens = TokenCacheBuilder::new(tokenizer.max_tokens(), tokenizer.vocabulary_size());
    let (mut truncated, mut unknown, mut counted) = (0, 0, (0, 0));
    for entry in &entries {
        let encoded = tokenizer.encode(&entry.canonical)?;
        truncated += u64::from(encoded.truncated);
        unknown += u64::from(encoded.unknown);
        counted = (counted.0 + encoded.counts.0, counted.1 + encoded.counts.1);
        tokens.push(&encoded.ids)?;
    }
    let tokens_digest = tokens.write(&folder.join("tokens.bin"))?;
    tokenizer.write(&folder.join("tokenizer.json"))?;
    write_molecules(&folder.join("molecules.csv"), table, &checked, &entries, &parts)?;

    let (duplicate_groups, leaked) = repeats(&entries, &parts);
    let count = |wanted: Part| parts.iter().filter(|part| **part == wanted).count() as u64;
    let train_sd = (0..width)
        .map(|task| {
            let of_task = labels.iter().skip(task).step_by(width);
            let training = of_task.zip(&parts).filter(|(_, part)| **part == Part::Train).map(|(label, _)| *label);
            Number(standard_deviation(training))
        })
        .collect();
    let canonical: Vec<&str> = entries.iter().map(|entry| entry.canonical.as_str()).collect();
    let output = DatasetOutput {
        multi_fragment: entries.iter().filter(|entry| entry.canonical.contains('.')).count() as u64,
        tokens: counted,
        checks: checks::of_tasks(&table.tasks, &labels, &canonical, &parts),
        source: spec.source.clone(),
        dataset: spec.dataset.clone(),
        tasks: table.tasks.clone(),
        rows: checked.smiles.len() as u64,
        invalid,
        counts: (count(Part::Train), count(Part::Valid), count(Part::Test)),
        truncated,
        unknown_token_molecules: unknown,
        duplicate_groups,
        leaked,
        sha256_csv,
        data_digest: data_digest(
            (&table.tasks, &table.subsets),
            entries.iter().map(|entry| (entry.row as u64, entry.canonical.as_str(), checked.texts[entry.row].as_slice())),
            &tokens_digest,
        ),
        split_digest: split::split_digest(&spec.split, &rows, &parts),
        tokenizer_digest: tokenizer.digest(),
        train_sd,
    };
    let path = folder.join("dataset.json");
    let saved = Saved { output: output.clone(), split: spec.split.clone(), subsets: table.subsets.clone() };
    let json = serde_json::to_vec_pretty(&saved).map_err(|error| MoleculesError::damaged(&path, error.to_string()))?;
    write_bytes(&path, &json)?;
    Ok(output)
}

fn write_molecules(
    path: &Path,
    table: &RawTable,
    checked: &CheckedTable,
    entries: &[Entry],
    parts: &[Part],
) -> Result<(), MoleculesError> {
    write_whole(path, |file| {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(file);
        let tasks = table.tasks.iter().map(|task| task.name.as_str());
        writer.write_record(COLUMNS.into_iter().chain(tasks).chain(table.subsets.iter().map(String::as_str)))?;
        for (entry, part) in entries.iter().zip(parts) {
            let row = entry.row.to_string();
            let fixed = [row.as_str(), &checked.smiles[entry.row], &entry.canonical, &entry.scaffold, part.word()];
            writer.write_record(fixed.into_iter().chain(checked.texts[entry.row].iter().map(String::as_str)))?;
        }
        writer.flush()
    })
}

/// Groups of rows with one canonical SMILES, and canonical SMILES in the test part that are also in another.
fn repeats(entries: &[Entry], parts: &[Part]) -> (u64, u64) {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for entry in entries {
        *counts.entry(&entry.canonical).or_default() += 1;
    }
    let (test, other): (Vec<_>, Vec<_>) = entries.iter().zip(parts).partition(|(_, part)| **part == Part::Test);
    let test: HashSet<&str> = test.into_iter().map(|(entry, _)| entry.canonical.as_str()).collect();
    let other: HashSet<&str> = other.into_iter().map(|(entry, _)| entry.canonical.as_str()).collect();
    (counts.values().filter(|count| **count > 1).count() as u64, test.intersection(&other).count() as u64)
}

/// What `dataset.json` holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    /// What preparing found.
    pub output: DatasetOutput,
    /// The split it was prepared for.
    pub split: SplitSpec,
    /// Names of the subsets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subsets: Vec<String>,
}

/// BLAKE3 of molecules (source row, canonical SMILES), label texts, members of subsets and tokens; the split is not part of it.
pub(crate) fn data_digest<'a>(
    (tasks, subsets): (&[TaskInfo], &[String]),
    molecules: impl Iterator<Item = (u64, &'a str, &'a [String])>,
    tokens_digest: &str,
) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut put = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    put("clmbench data 1");
    put(&tasks.len().to_string());
    for task in tasks {
        put(&task.name);
        put(match task.kind {
            clmbench_protocol::TaskKind::Regression => "regression",
            clmbench_protocol::TaskKind::Classification => "classification",
        });
    }
    if !subsets.is_empty() {
        put("subsets");
        subsets.iter().for_each(|name| put(name));
    }
    for (row, canonical, texts) in molecules {
        put(&row.to_string());
        put(canonical);
        for text in texts {
            put(text);
        }
    }
    put(tokens_digest);
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_leaks_are_counted_once_a_molecule() {
        let entries: Vec<Entry> = ["a", "b", "a", "c", "b", "a", "d"]
            .iter()
            .enumerate()
            .map(|(row, text)| Entry { row, canonical: (*text).to_owned(), scaffold: String::new() })
            .collect();
        let parts = [Part::Train, Part::Train, Part::Test, Part::Test, Part::Valid, Part::Test, Part::Test];
        // `a` and `b` repeat; only `a` is in the test part and in another.
        assert_eq!(repeats(&entries, &parts), (2, 1));
    }
}
