//! Helpers of the integration tests.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)]

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use clmbench_molecules::{RawTable, digest};
use clmbench_protocol::{
    CorpusSource, FileRef, Number, PluginRef, SmilesForm, SourceFormat, SplitSpec, TaskInfo, TaskKind, TokeniseCorpus,
    TokeniseDataset, TokenizerSpec,
};

/// The folder of reference data beside the checkout, if it is there.
pub fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no folder of reference data beside the checkout");
    None
}

/// Bytes of a gzip file.
pub fn unzipped(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A CSV as a table: SMILES first, then tasks of one kind.
pub fn table(csv: &[u8], kind: TaskKind) -> RawTable {
    let mut reader = csv::Reader::from_reader(csv);
    let tasks = reader
        .headers()
        .unwrap()
        .iter()
        .skip(1)
        .map(|name| TaskInfo { name: name.into(), kind, unit: String::new(), score: "rmse".into() })
        .collect();
    let mut table = RawTable { smiles: Vec::new(), labels: Vec::new(), tasks, subsets: Vec::new(), parts: Vec::new() };
    for record in reader.records() {
        let record = record.unwrap();
        table.smiles.push(record[0].to_owned());
        table.labels.push(record.iter().skip(1).map(str::to_owned).collect());
    }
    table
}

/// A dataset cell with the usual split.
pub fn dataset_spec(name: &str) -> TokeniseDataset {
    TokeniseDataset {
        revision: 1,
        plugin: PluginRef { name: "test".into(), version: "0.1.0".into(), digest: None },
        source: "test".into(),
        dataset: name.into(),
        files: Vec::new(),
        sha256_csv: None,
        tasks: Vec::new(),
        params: Default::default(),
        tokenizer: TokenizerSpec::default(),
        split: SplitSpec { algorithm: "scaffold".into(), seed: None, fractions: (Number(0.8), Number(0.1)), file: None },
    }
}

/// A source of a corpus, with the digest of the file at hand.
pub fn corpus_source(path: &Path, group: &str, weight: f64) -> CorpusSource {
    CorpusSource {
        file: FileRef { name: path.file_name().unwrap().to_str().unwrap().into(), sha256: digest::sha256_file(path).unwrap() },
        format: SourceFormat::Csv,
        column: "smiles".into(),
        only: None,
        group: group.into(),
        weight: Number(weight),
    }
}

/// A corpus cell.
pub fn corpus_spec(sources: Vec<CorpusSource>, size: u64, heldout: u64) -> TokeniseCorpus {
    TokeniseCorpus {
        revision: 1,
        corpus: "test".into(),
        size,
        heldout,
        sources,
        seed: 7,
        form: SmilesForm::Canonical,
        tokenizer: TokenizerSpec::default(),
        exclude: Vec::new(),
    }
}
