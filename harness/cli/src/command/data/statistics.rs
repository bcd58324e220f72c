//! What the rows of a prepared dataset hold: labels by task and part, repeats, what is cut, what is longest.

use clmbench_molecules::{Part, PreparedDataset, table::standard_deviation};
use clmbench_protocol::{Number, SplitSpec, TaskCheck, TaskKind};
use serde::Serialize;

/// Longest molecules that are listed.
const LONGEST: usize = 3;

/// Everything that is counted.
#[derive(Debug, Serialize)]
pub struct Contents {
    /// Rows of the files.
    pub rows: u64,
    /// Rows without a valid molecule: row and reason.
    pub invalid: Vec<(u64, String)>,
    /// The split that the parts are of.
    pub split: SplitSpec,
    /// Its digest.
    pub split_digest: String,
    /// Molecules of training, validation and test part.
    pub parts: (u64, u64, u64),
    /// Labels by task and part.
    pub labels: Vec<Labels>,
    /// Groups of rows that hold the same molecule.
    pub duplicate_groups: u64,
    /// Molecules of the test part that are in another part too.
    pub leaked: u64,
    /// Molecules cut to the longest sequence that a model reads.
    pub truncated: u64,
    /// Molecules with a token outside the vocabulary.
    pub unknown_token_molecules: u64,
    /// Molecules of several parts (salts, mixtures).
    pub multi_fragment: u64,
    /// Tokens of all molecules, and those of them outside the vocabulary.
    pub tokens: (u64, u64),
    /// What the labels of each task are.
    pub checks: Vec<TaskCheck>,
    /// The molecules with the longest canonical SMILES.
    pub longest: Vec<Long>,
    /// SHA-256 of the table in normal form.
    pub sha256_csv: String,
    /// BLAKE3 of molecules, labels and tokens.
    pub data_digest: String,
}

/// The labels of a task in a part.
#[derive(Debug, Serialize)]
pub struct Labels {
    /// Task.
    pub task: String,
    /// `train`, `valid` or `test`.
    pub part: &'static str,
    /// Molecules with a label.
    pub labels: usize,
    /// Molecules without.
    pub missing: usize,
    /// Labels that are 1, of a classification.
    pub positives: Option<usize>,
    /// Mean of the labels, of a regression.
    pub mean: Option<Number>,
    /// Their standard deviation (n - 1), of a regression.
    pub sd: Option<Number>,
}

/// A long molecule.
#[derive(Debug, Serialize)]
pub struct Long {
    /// Row, from 0.
    pub row: u64,
    /// Characters of its canonical SMILES.
    pub characters: usize,
    /// Its canonical SMILES.
    pub smiles: String,
}

/// Counts.
pub fn of(dataset: &PreparedDataset, split: &SplitSpec) -> Contents {
    let output = &dataset.output;
    let mut order: Vec<usize> = (0..dataset.len()).collect();
    order.sort_by_key(|place| (std::cmp::Reverse(dataset.canonical[*place].len()), *place));
    let long = |place: &usize| Long {
        row: dataset.rows[*place],
        characters: dataset.canonical[*place].len(),
        smiles: dataset.canonical[*place].clone(),
    };
    Contents {
        rows: output.rows,
        invalid: output.invalid.clone(),
        split: split.clone(),
        split_digest: output.split_digest.clone(),
        parts: output.counts,
        labels: labels(dataset),
        duplicate_groups: output.duplicate_groups,
        leaked: output.leaked,
        truncated: output.truncated,
        unknown_token_molecules: output.unknown_token_molecules,
        multi_fragment: output.multi_fragment,
        tokens: output.tokens,
        checks: output.checks.clone(),
        longest: order.iter().take(LONGEST).map(long).collect(),
        sha256_csv: output.sha256_csv.clone(),
        data_digest: output.data_digest.clone(),
    }
}

fn labels(dataset: &PreparedDataset) -> Vec<Labels> {
    let mut found = Vec::new();
    for task in &dataset.output.tasks {
        let Some(all) = dataset.task(&task.name) else { continue };
        for part in [Part::Train, Part::Valid, Part::Test] {
            let places = dataset.places(part);
            let there: Vec<f64> = places.iter().map(|place| all[*place]).filter(|label| !label.is_nan()).collect();
            let classes = task.kind == TaskKind::Classification;
            let mean = there.iter().sum::<f64>() / there.len() as f64;
            found.push(Labels {
                task: task.name.clone(),
                part: part.word(),
                labels: there.len(),
                missing: places.len() - there.len(),
                positives: classes.then(|| there.iter().filter(|label| **label == 1.0).count()),
                mean: (!classes).then_some(Number(mean)),
                sd: (!classes).then(|| Number(standard_deviation(there.iter().copied()))),
            });
        }
    }
    found
}
