//! What datasets are compared with: another tokenizer, and a corpus.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use clmbench_fetch::{AcceptedLicences, Fetcher, Wanted, catalogue};
use clmbench_molecules::{
    any_tokenizer::AnyTokenizer,
    smiles::canonical,
    source::{Selection, read_smiles},
    user_table::{self, Columns},
};
use clmbench_protocol::{Number, SourceFormat};

use super::super::sources;
use crate::{console::Console, error::CliError, units::counted};

/// A tokenizer that was named.
pub struct Tokens(AnyTokenizer);

impl Tokens {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`CliError::Molecules`].
    pub fn open(path: &Path) -> Result<Self, CliError> {
        Ok(Self(AnyTokenizer::open(path)?))
    }

    /// Share of the tokens of these molecules that it does not know.
    ///
    /// # Errors
    /// [`CliError::Molecules`] for a molecule that it refuses.
    pub fn unknown_share(&self, smiles: &[String]) -> Result<Number, CliError> {
        let (mut all, mut unknown) = (0, 0);
        for smiles in smiles {
            let (tokens, without) = self.0.count(smiles)?;
            all += tokens;
            unknown += without;
        }
        Ok(Number(unknown as f64 / all.max(1) as f64))
    }
}

/// The molecules of a corpus, by the first half of the BLAKE3 of their canonical SMILES.
pub struct Corpus(HashSet<[u8; 16]>);

impl Corpus {
    /// Reads a file of the user's (a table with a column of SMILES, or a list), or a corpus of the catalogue.
    ///
    /// # Errors
    /// [`CliError::Molecules`] for a file that cannot be read, or holds no molecule; [`CliError::Fetch`].
    pub fn read(what: &str, fetcher: &Fetcher, console: Console) -> Result<Self, CliError> {
        let mut found = Self(HashSet::new());
        let (mut rows, mut invalid) = (0, 0);
        let mut take = |batch: &[String]| {
            let (digests, wrong) = digests(batch);
            rows += batch.len();
            invalid += wrong;
            found.0.extend(digests);
        };
        match catalogue::corpus(what).filter(|_| !Path::new(what).exists()) {
            Some(files) => {
                for file in files {
                    let wanted = [Wanted::of_corpus(what, &file.source)];
                    let there = sources::get(fetcher, &wanted, &AcceptedLicences::default(), console)?;
                    let path = there.first().map_or_else(PathBuf::new, |found| found.path.clone());
                    let only = file.only.as_ref().map(|(column, value)| (column.as_str(), value.as_str()));
                    let (name, column) = (file.source.name.as_str(), file.column.as_str());
                    let selection = Selection { name, format: SourceFormat::Csv, column, only };
                    let mut all = Vec::new();
                    read_smiles(&path, selection, |_, smiles| all.push(smiles.to_owned()))?;
                    take(&all);
                }
            }
            None => take(&own(Path::new(what))?),
        }
        let (molecules, distinct) = (counted(rows, "row"), counted(found.0.len(), "molecule"));
        console.note(&format!("corpus {what}: {molecules}, {distinct}, {invalid} without a valid one"));
        Ok(found)
    }

    /// Whether it holds the molecule of this canonical SMILES.
    pub fn holds(&self, canonical: &str) -> bool {
        self.0.contains(&digest(canonical))
    }
}

fn own(path: &Path) -> Result<Vec<String>, CliError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lower = name.to_lowercase();
    let plain = lower.strip_suffix(".gz").unwrap_or(&lower);
    if [".smi", ".smiles", ".txt"].iter().any(|end| plain.ends_with(end)) {
        let mut all = Vec::new();
        let selection = Selection { name: &name, format: SourceFormat::Lines, column: "", only: None };
        read_smiles(path, selection, |_, smiles| all.push(smiles.to_owned()))?;
        return Ok(all);
    }
    Ok(user_table::read(path, &name, Columns::default())?.smiles)
}

fn digest(canonical: &str) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(canonical.as_bytes()).as_bytes()[..16]);
    half
}

/// Digests of the molecules, and how many rows hold none; on all cores.
fn digests(smiles: &[String]) -> (Vec<[u8; 16]>, usize) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let chunk = smiles.len().div_ceil(cores).max(1);
    let work = |part: &[String]| part.iter().map(|text| canonical(text).ok().map(|text| digest(&text))).collect::<Vec<_>>();
    let all: Vec<Option<[u8; 16]>> = std::thread::scope(|scope| {
        let parts: Vec<_> = smiles.chunks(chunk).map(|part| scope.spawn(move || work(part))).collect();
        // A thread that panicked leaves its part to be done here.
        parts
            .into_iter()
            .zip(smiles.chunks(chunk))
            .flat_map(|(part, smiles)| part.join().unwrap_or_else(|_| work(smiles)))
            .collect()
    });
    let invalid = all.iter().filter(|digest| digest.is_none()).count();
    (all.into_iter().flatten().collect(), invalid)
}
