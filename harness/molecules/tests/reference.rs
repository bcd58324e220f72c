//! Checks on real data in the folder `../shared/data` beside the checkout; each says so when it is skipped.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::path::Path;

use clmbench_molecules::{
    PreparedDataset, SmilesTokenizer,
    digest::sha256_hex,
    prepare_dataset, smiles, source,
    table_split::{SplitRow, TableRows, split_table},
    user_table,
};
use clmbench_protocol::{SourceFormat, SplitSpec, TaskKind, TokenizerSpec};

const SCAFFOLD_SETS: [(&str, TaskKind); 5] = [
    ("freesolv", TaskKind::Regression),
    ("esol", TaskKind::Regression),
    ("bbbp", TaskKind::Classification),
    ("bace", TaskKind::Classification),
    ("clintox", TaskKind::Classification),
];

#[test]
fn splits_scaffolds_and_canonical_forms_are_those_of_deepchem_and_rdkit_row_for_row() {
    let Some(shared) = common::shared() else { return };
    for (name, kind) in SCAFFOLD_SETS {
        let table = common::table(&common::unzipped(&shared.join(format!("{name}.csv.gz"))), kind);
        let folder = tempfile::tempdir().unwrap();
        let output = prepare_dataset(&table, &common::dataset_spec(name), folder.path()).unwrap();
        let dataset = PreparedDataset::open(folder.path()).unwrap();
        assert_eq!(dataset.output.data_digest, output.data_digest);
        let reference = common::unzipped(&shared.join(format!("scaffold/{name}.csv.gz")));
        let mut places = 0;
        for record in csv::Reader::from_reader(&reference[..]).records() {
            let record = record.unwrap();
            let row: u64 = record[0].parse().unwrap();
            if record[1].is_empty() {
                assert!(output.invalid.iter().any(|(invalid, _)| *invalid == row), "{name} {row}");
                continue;
            }
            assert_eq!(dataset.rows[places], row, "{name}");
            assert_eq!(dataset.canonical[places], record[3], "{name} {row}");
            assert_eq!(dataset.scaffolds[places], record[2], "{name} {row}");
            assert_eq!(dataset.parts[places].word(), &record[1], "{name} {row}");
            places += 1;
        }
        assert_eq!(places, dataset.len(), "{name}");
        eprintln!(
            "{name}: {places} rows equal, {:?}, {} leaked, {} repeated",
            output.counts, output.leaked, output.duplicate_groups
        );
    }
}

/// SHA-256 of the lines `row,part` that RDKit 2026.09.1 gives under DeepChem's rule, the shares being of all rows; an invalid row has
/// no part. Scaffolds were compared too, when these were made: all are equal but 17 of `hiv`, which move no row.
const WHOLE_TABLES: [(&str, usize, &str); 5] = [
    ("lipo", 0, "0c9e74fa6fdf860305ac488157a3f692103380d9912a56e23259d9ae519d694f"),
    ("hiv", 7, "0f354ce3f81d4099d96b20006e5a8c124207a40bca32ee6a5bcb7aa5e63c5c69"),
    ("sider", 0, "04b6ea0f3808250f39815b066ad75b0250f6c7c2704a3f58074451cc43528393"),
    ("tox21", 8, "68f5ea2389c91fb2c2d2c05d360566c0f2acc8bc9c49d128b4336764a5a1f779"),
    ("toxcast", 0, "90a3382f4ac78a08b666be78079898aac25cfa49369b32bcf7228f1162b7878a"),
];

#[test]
fn whole_tables_are_split_as_by_rdkit_and_deepchem_row_for_row() {
    let Some(shared) = common::shared() else { return };
    for (name, invalid, digest) in WHOLE_TABLES {
        let path = shared.join(format!("{name}.csv.gz"));
        if !path.exists() {
            eprintln!("skipped: there is no {name} beside the checkout");
            continue;
        }
        assert_eq!(split_digest(&path, name, "scaffold"), (invalid, digest.to_owned()), "{name}");
    }
}

/// SHA-256 of the lines `row,part` that DeepChem's `ButinaSplitter` rule gives on fingerprints and `Butina.ClusterData` of RDKit 2026.09.1.
const CLUSTERED_TABLES: [(&str, &str); 6] = [
    ("freesolv", "9cd45d38a5361b969ba77aaf1a6cfb2f7c67c4c863865b4de0bd6bb2ab7a32b6"),
    ("esol", "e12f1d13ed879e36e7977cb3fd9deacf14a067fcacb17695146ac24b9de8ec93"),
    ("bbbp", "c03e430e934a59397edd61f703e1f169e2a2df10e948bd9497e147f716b9b8c4"),
    ("bace", "216ffb1cf1369f40586ed86a1536a48142d1707dc5c9f6706853939b93f09c9e"),
    ("clintox", "b129be8f92d91c7b5262d2ac98abb46698a10251197ccd41d4117e39cf80a3bb"),
    ("sider", "ab009f9fbff056d41c253879a5157dfd3638a75879ee8665f487e12b23f910df"),
];

#[test]
fn clusters_are_split_as_by_rdkit_and_deepchem_row_for_row() {
    let Some(shared) = common::shared() else { return };
    for (name, digest) in CLUSTERED_TABLES {
        let path = shared.join(format!("{name}.csv.gz"));
        if !path.exists() {
            eprintln!("skipped: there is no {name} beside the checkout");
            continue;
        }
        assert_eq!(split_digest(&path, name, "butina").1, digest, "{name}");
    }
}

/// Rows in no part, and the SHA-256 of the lines `row,part`.
fn split_digest(path: &Path, name: &str, algorithm: &str) -> (usize, String) {
    let table = user_table::read(path, name, user_table::Columns::default()).unwrap();
    let rows = TableRows { name, smiles: &table.smiles, ..TableRows::default() };
    let spec = SplitSpec { algorithm: algorithm.into(), ..common::dataset_spec(name).split };
    let split = split_table(rows, &spec).unwrap();
    let word = |row: &Result<_, String>| row.as_ref().map_or("", |row: &SplitRow| row.part.word());
    let lines: String = split.rows.iter().enumerate().map(|(row, found)| format!("{row},{}\n", word(found))).collect();
    (split.invalid().count(), sha256_hex(lines.as_bytes()))
}

/// SHA-256 of the normal form of those tables whose file is not in it (numbers such as `-1.0` and `.34`), as Python makes it:
/// `format(Decimal(repr(float('%.11e' % x))), 'f')` without zeros at its end, written by its `csv` module.
const NORMAL_FORMS: [(&str, &str); 3] = [
    ("esol", "161585a5451951c0802fb7949bd1e91e206eae7d38b7833a04b69cef64c860ca"),
    ("freesolv", "2bfd85e03c790f40ca511efbde8d6095d2e40bf5a70450e29450cd68aecbef01"),
    ("lipo", "53f4d75dad1ff26224df1fe0523de4af1ecf867855f18c1794a1a20de44d42da"),
];

#[test]
fn normal_forms_are_those_that_python_makes_of_the_files_of_the_manifest() {
    let Some(shared) = common::shared() else { return };
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(shared.join("MANIFEST.json")).unwrap()).unwrap();
    let mut checked = 0;
    for entry in manifest["datasets"].as_array().unwrap() {
        let path = shared.join(entry["file"].as_str().unwrap());
        if !path.exists() || entry["n_tasks"] == 0 {
            continue;
        }
        let name = entry["name"].as_str().unwrap();
        let kind = if entry["task_type"] == "regression" { TaskKind::Regression } else { TaskKind::Classification };
        let bytes = common::unzipped(&path);
        assert_eq!(sha256_hex(&bytes), entry["sha256_csv"].as_str().unwrap(), "{name}: the file is the manifest's");
        let table = common::table(&bytes, kind);
        let found = table.sha256_csv(&table.check(name).unwrap()).unwrap();
        let changed = NORMAL_FORMS.iter().find(|(set, _)| *set == name).map(|(_, digest)| *digest);
        assert_eq!(found, changed.unwrap_or(entry["sha256_csv"].as_str().unwrap()), "{name}");
        checked += 1;
    }
    assert!(checked >= 5);
}

#[test]
fn no_character_is_lost_unknown_tokens_are_rare_and_random_forms_are_the_same_molecule() {
    let Some(shared) = common::shared() else { return };
    let tokenizer = SmilesTokenizer::new(&TokenizerSpec::default()).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(&shared).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".csv.gz"));
    files.sort();
    // Every molecule of the small sets, every STRIDE-th of the large ones; CLMBENCH_ALL_ROWS=1 takes all of all.
    let all = std::env::var_os("CLMBENCH_ALL_ROWS").is_some();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut texts = Vec::new();
        source::read_smiles(
            &path,
            source::Selection { name: &name, format: SourceFormat::Csv, column: "smiles", only: None },
            |_, text| texts.push(text.to_owned()),
        )
        .unwrap();
        let stride = if all || texts.len() < 5_000 { 1 } else { texts.len() / 2_500 };
        let (mut molecules, mut unknown, mut truncated) = (0_u32, 0_u32, 0_u32);
        for text in texts.iter().step_by(stride) {
            assert_eq!(&tokenizer.pieces(text).unwrap().concat(), text, "{name}");
            let Ok(canonical) = smiles::canonical(text) else { continue };
            assert_eq!(tokenizer.pieces(&canonical).unwrap().concat(), canonical, "{name}");
            let tokens = tokenizer.encode(&canonical).unwrap();
            molecules += 1;
            unknown += u32::from(tokens.unknown);
            if molecules % 5 == 0 {
                let random = smiles::random(&canonical, u64::from(molecules)).unwrap();
                assert_eq!(smiles::canonical(&random).as_ref(), Ok(&canonical), "{name}: {random}");
            }
            truncated += u32::from(tokens.truncated);
        }
        let share = f64::from(unknown) / f64::from(molecules);
        eprintln!("{name}: {molecules} molecules, {unknown} with an unknown token ({:.3} %), {truncated} cut", 100.0 * share);
        assert!(share < 0.01, "{name}: {share}");
    }
}
