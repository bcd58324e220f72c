//! Reads back a dataset that [`crate::dataset::prepare_dataset`] left in a folder.

use std::path::Path;

use clmbench_protocol::DatasetOutput;

use crate::{
    cache::TokenCache,
    dataset::{COLUMNS, Saved, data_digest},
    error::MoleculesError,
    split::split_digest,
};

/// Part of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Training.
    Train,
    /// Validation.
    Valid,
    /// Test.
    Test,
}

impl Part {
    /// The word in files: `train`, `valid` or `test`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }

    /// The part of this word.
    pub fn read(word: &str) -> Option<Self> {
        [Self::Train, Self::Valid, Self::Test].into_iter().find(|part| part.word() == word)
    }
}

/// A prepared dataset: valid molecules only, in the order of the source.
#[derive(Debug)]
pub struct PreparedDataset {
    /// What preparing it found: tasks, digests, counts.
    pub output: DatasetOutput,
    /// Row of each molecule in the source, from 0.
    pub rows: Vec<u64>,
    /// SMILES as written in the source.
    pub smiles: Vec<String>,
    /// Canonical SMILES.
    pub canonical: Vec<String>,
    /// Scaffold; empty for molecules without rings.
    pub scaffolds: Vec<String>,
    /// Part of each molecule.
    pub parts: Vec<Part>,
    /// Labels, row-major [molecules * tasks]; NaN = missing.
    pub labels: Vec<f64>,
    /// Subsets by name, and whether each molecule is a member.
    pub subsets: Vec<(String, Vec<bool>)>,
    /// Tokens of each molecule.
    pub tokens: TokenCache,
}

impl PreparedDataset {
    /// Opens the folder.
    ///
    /// # Errors
    /// [`MoleculesError::Io`] if a file cannot be read, [`MoleculesError::Damaged`] if one is damaged or they do not fit together.
    pub fn open(folder: &Path) -> Result<Self, MoleculesError> {
        let Saved { output, split, subsets } = read_saved(folder)?;
        let tokens = TokenCache::open(&folder.join("tokens.bin"))?;
        let path = folder.join("molecules.csv");
        let damaged = |what: String| MoleculesError::damaged(&path, what);
        let file = std::fs::File::open(&path).map_err(MoleculesError::io("open", &path))?;
        let mut reader = csv::Reader::from_reader(file);
        let header = reader.headers().map_err(|error| damaged(error.to_string()))?;
        let tasks = output.tasks.iter().map(|task| task.name.as_str());
        if !header.iter().eq(COLUMNS.into_iter().chain(tasks).chain(subsets.iter().map(String::as_str))) {
            return Err(damaged("its columns are not those of the dataset".into()));
        }
        let labelled = COLUMNS.len() + output.tasks.len();
        let mut dataset = Self {
            output,
            rows: Vec::new(),
            smiles: Vec::new(),
            canonical: Vec::new(),
            scaffolds: Vec::new(),
            parts: Vec::new(),
            labels: Vec::new(),
            subsets: subsets.iter().map(|name| (name.clone(), Vec::new())).collect(),
            tokens,
        };
        let mut texts: Vec<Vec<String>> = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| damaged(error.to_string()))?;
            dataset.rows.push(record[0].parse().map_err(|_| damaged(format!("`{}` is no row", &record[0])))?);
            dataset.smiles.push(record[1].to_owned());
            dataset.canonical.push(record[2].to_owned());
            dataset.scaffolds.push(record[3].to_owned());
            dataset.parts.push(Part::read(&record[4]).ok_or_else(|| damaged(format!("`{}` is no part", &record[4])))?);
            texts.push(record.iter().skip(COLUMNS.len()).map(str::to_owned).collect());
            let members = record.iter().skip(labelled).map(|text| text == "1");
            dataset.subsets.iter_mut().zip(members).for_each(|((_, list), member)| list.push(member));
            for text in record.iter().take(labelled).skip(COLUMNS.len()) {
                let label = if text.is_empty() { Ok(f64::NAN) } else { text.parse::<f64>() };
                dataset.labels.push(label.map_err(|_| damaged(format!("`{text}` is no label")))?);
            }
        }
        let counts = dataset.output.counts;
        if dataset.rows.len() as u64 != counts.0 + counts.1 + counts.2 || dataset.tokens.len() != dataset.rows.len() {
            return Err(damaged(format!(
                "{} molecules, but tokens of {} and {} when it was written",
                dataset.rows.len(),
                dataset.tokens.len(),
                counts.0 + counts.1 + counts.2
            )));
        }
        let molecules = dataset.rows.iter().zip(&dataset.canonical).zip(&texts);
        let molecules = molecules.map(|((row, canonical), texts)| (*row, canonical.as_str(), texts.as_slice()));
        let data_digest = data_digest((&dataset.output.tasks, &subsets), molecules, dataset.tokens.digest());
        let split_digest = split_digest(&split, &dataset.rows, &dataset.parts);
        if (&data_digest, &split_digest) != (&dataset.output.data_digest, &dataset.output.split_digest) {
            return Err(damaged("its molecules, labels, tokens or split are not those that were written".into()));
        }
        Ok(dataset)
    }

    /// Molecules.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Labels of a task by molecule, NaN = missing; none if there is no such task.
    pub fn task(&self, name: &str) -> Option<Vec<f64>> {
        let width = self.output.tasks.len();
        let place = self.output.tasks.iter().position(|task| task.name == name)?;
        Some(self.labels.iter().skip(place).step_by(width).copied().collect())
    }

    /// Which molecules are members of a subset; none if there is no such subset.
    pub fn subset(&self, name: &str) -> Option<&[bool]> {
        self.subsets.iter().find(|(subset, _)| subset == name).map(|(_, members)| members.as_slice())
    }

    /// Places (not source rows) of the molecules of a part.
    pub fn places(&self, part: Part) -> Vec<usize> {
        self.parts.iter().enumerate().filter(|(_, other)| **other == part).map(|(place, _)| place).collect()
    }
}

/// Reads `dataset.json` of a prepared dataset.
fn read_saved(folder: &Path) -> Result<Saved, MoleculesError> {
    let path = folder.join("dataset.json");
    let bytes = std::fs::read(&path).map_err(MoleculesError::io("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|error| MoleculesError::damaged(&path, error.to_string()))
}
