//! The split of a table's rows by itself, without labels and tokens: what `clmbench data split` prints. The rules are those of
//! [`crate::dataset::prepare_dataset`].

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use clmbench_protocol::SplitSpec;

use crate::{
    error::MoleculesError,
    prepared::{Part, PreparedDataset},
    smiles::{self, InvalidMolecule},
    split::{self, Molecules},
};

/// Rows that a thread takes at once.
const CHUNK: usize = 256;

/// A row of a table that holds a valid molecule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitRow {
    /// Canonical SMILES.
    pub canonical: String,
    /// Scaffold; empty for a molecule without rings.
    pub scaffold: String,
    /// Its part.
    pub part: Part,
}

/// A table's split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSplit {
    /// Every row of the table; why it is in no part where it holds no valid molecule.
    pub rows: Vec<Result<SplitRow, String>>,
    /// [`split::split_digest`].
    pub digest: String,
}

impl TableSplit {
    /// The valid rows with their places in the table.
    pub fn valid(&self) -> impl Iterator<Item = (usize, &SplitRow)> {
        self.rows.iter().enumerate().filter_map(|(row, found)| found.as_ref().ok().map(|found| (row, found)))
    }

    /// The rows without a valid molecule.
    pub fn invalid(&self) -> impl Iterator<Item = (usize, &str)> {
        self.rows.iter().enumerate().filter_map(|(row, found)| found.as_ref().err().map(|reason| (row, reason.as_str())))
    }

    /// Molecules (rows) and different scaffolds of a part.
    pub fn count(&self, part: Part) -> (usize, usize) {
        let members: Vec<&SplitRow> = self.valid().map(|(_, row)| row).filter(|row| row.part == part).collect();
        let scaffolds: HashSet<&str> = members.iter().map(|row| row.scaffold.as_str()).collect();
        (members.len(), scaffolds.len())
    }

    /// The split of a dataset that was prepared as a cell.
    pub fn of(dataset: &PreparedDataset) -> Self {
        let output = &dataset.output;
        let mut rows: Vec<Result<SplitRow, String>> = vec![Err("not read".to_owned()); output.rows as usize];
        let mut put = |row: u64, found| {
            if let Some(place) = rows.get_mut(row as usize) {
                *place = found;
            }
        };
        output.invalid.iter().for_each(|(row, reason)| put(*row, Err(reason.clone())));
        for (place, row) in dataset.rows.iter().enumerate() {
            let (canonical, scaffold) = (dataset.canonical[place].clone(), dataset.scaffolds[place].clone());
            put(*row, Ok(SplitRow { canonical, scaffold, part: dataset.parts[place] }));
        }
        Self { rows, digest: output.split_digest.clone() }
    }

    /// Groups of rows that hold the same molecule, and molecules of the test part that are in another part too.
    pub fn repeats(&self) -> (usize, usize) {
        let mut found: HashMap<&str, Vec<Part>> = HashMap::new();
        self.valid().for_each(|(_, row)| found.entry(&row.canonical).or_default().push(row.part));
        let leaks = |parts: &&Vec<Part>| parts.contains(&Part::Test) && parts.iter().any(|part| *part != Part::Test);
        (found.values().filter(|parts| parts.len() > 1).count(), found.values().filter(leaks).count())
    }
}

/// What of a table its split may need.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableRows<'a> {
    /// What errors call the table.
    pub name: &'a str,
    /// SMILES of each row.
    pub smiles: &'a [String],
    /// Part of each row as the table or a file ([`split::file::read`]) gives it; empty where there is none.
    pub given: &'a [String],
    /// Label of each row, NaN = missing, for the split `stratified`; empty for a table without.
    pub labels: &'a [f64],
}

/// Splits the rows of a table. The shares of the `scaffold` split are of all rows, as they are where DeepChem's splitter meets the invalid
/// ones.
///
/// # Errors
/// See [`split::split`]; [`MoleculesError::NoMolecules`] if no row is valid.
pub fn split_table(table: TableRows<'_>, spec: &SplitSpec) -> Result<TableSplit, MoleculesError> {
    let TableRows { name, smiles, given, labels } = table;
    let mut rows = examine(smiles);
    let (mut places, mut scaffolds, mut valid, mut labelled) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (row, found) in rows.iter().enumerate() {
        if let Ok(found) = found {
            places.push(row as u64);
            scaffolds.push(found.scaffold.clone());
            valid.push(smiles[row].clone());
            labelled.extend(labels.get(row));
        }
    }
    if places.is_empty() {
        let first = rows.iter().find_map(|row| row.as_ref().err()).cloned().unwrap_or_default();
        return Err(MoleculesError::NoMolecules { file: name.into(), rows: smiles.len() as u64, first });
    }
    let molecules = Molecules {
        name,
        smiles: &valid,
        scaffolds: &scaffolds,
        labels: &labelled,
        tasks: usize::from(!labels.is_empty()),
        rows: &places,
        all_rows: smiles.len(),
        given,
    };
    let parts = split::split(spec, molecules)?;
    let digest = split::split_digest(spec, &places, &parts);
    rows.iter_mut().flatten().zip(parts).for_each(|(row, part)| row.part = part);
    Ok(TableSplit { rows, digest })
}

/// Canonical SMILES and scaffold of every row, on all cores; the part is still blank.
fn examine(smiles: &[String]) -> Vec<Result<SplitRow, String>> {
    let chunks = smiles.len().div_ceil(CHUNK);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(chunks).max(1);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            let Some(texts) = smiles.chunks(CHUNK).nth(chunk) else { return done };
            done.push((chunk, texts.iter().map(|text| one(text).map_err(|reason| reason.to_string())).collect::<Vec<_>>()));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for helper in helpers {
            // A chunk that is missing would shift the rows after it, so a panic goes on.
            done.extend(helper.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)));
        }
        done
    });
    done.sort_by_key(|(chunk, _)| *chunk);
    done.into_iter().flat_map(|(_, rows)| rows).collect()
}

fn one(text: &str) -> Result<SplitRow, InvalidMolecule> {
    let canonical = smiles::canonical(text)?;
    Ok(SplitRow { canonical, scaffold: smiles::scaffold(text)?, part: Part::Test })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::Number;

    use super::*;

    fn of(texts: &[String], spec: &SplitSpec) -> Result<TableSplit, MoleculesError> {
        split_table(TableRows { name: "t", smiles: texts, ..TableRows::default() }, spec)
    }

    fn spec(algorithm: &str) -> SplitSpec {
        SplitSpec { algorithm: algorithm.into(), seed: None, fractions: (Number(0.8), Number(0.1)), file: None }
    }

    #[test]
    fn every_row_is_there_and_invalid_ones_count_for_the_shares_only() {
        // Five benzenes, a pyridine, a chain, three invalid rows: limits of 10 are 8 and 9, so all seven train; of 7 they would be 5.6
        // and 6.3.
        let texts = ["c1ccccc1", "", "Cc1ccccc1", "CC", "Oc1ccccc1", "C(", "Nc1ccccc1", "c1ccncc1", "C(C)(C)(C)(C)C", "c1ccccc1"];
        let table = of(&texts.map(String::from), &spec("scaffold")).unwrap();
        assert_eq!(table.rows.len(), 10);
        assert_eq!(table.invalid().map(|(row, _)| row).collect::<Vec<_>>(), [1, 5, 8]);
        assert_eq!(table.count(Part::Train), (7, 3));
        assert_eq!((table.count(Part::Valid), table.count(Part::Test)), ((0, 0), (0, 0)));
        assert_eq!(table.rows[7].as_ref().unwrap().scaffold, "c1ccncc1");
        // Rows 0 and 9 hold the same molecule.
        assert_eq!(table.repeats(), (1, 0));
    }

    #[test]
    fn the_order_of_rows_does_not_depend_on_threads() {
        let texts: Vec<String> = (0..1_500).map(|row| "C".repeat(row % 37 + 1)).collect();
        let table = of(&texts, &spec("random")).unwrap();
        assert!(table.valid().all(|(row, found)| found.canonical == texts[row]));
        assert_eq!((table.count(Part::Train).0, table.count(Part::Valid).0, table.count(Part::Test).0), (1_200, 150, 150));
        assert_eq!(table.repeats().0, 37, "37 chains");
    }

    #[test]
    fn without_a_valid_molecule_there_is_nothing_to_split() {
        let error = of(&["C(".into()], &spec("scaffold")).unwrap_err().to_string();
        assert!(error.starts_with("t: none of 1 rows holds a valid molecule (first: not a SMILES"), "{error}");
    }
}
