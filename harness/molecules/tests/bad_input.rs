//! Bad input on the whole way from a table to a prepared dataset: a typed error, or a counted and visible skip; nothing else is lost.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use clmbench_molecules::{MoleculesError, Part, PreparedDataset, RawTable, prepare_dataset, table_split, user_table};
use clmbench_protocol::{DatasetOutput, TaskInfo, TaskKind};

fn table(rows: &[(&str, &str)], kind: TaskKind) -> RawTable {
    RawTable {
        smiles: rows.iter().map(|row| row.0.to_owned()).collect(),
        labels: rows.iter().map(|row| vec![row.1.to_owned()]).collect(),
        tasks: vec![TaskInfo { name: "y".into(), kind, unit: String::new(), score: "rmse".into() }],
        subsets: Vec::new(),
        parts: Vec::new(),
    }
}

fn prepared(table: &RawTable) -> Result<(DatasetOutput, PreparedDataset), MoleculesError> {
    let folder = tempfile::tempdir().unwrap();
    let output = prepare_dataset(table, &common::dataset_spec("set"), folder.path())?;
    Ok((output, PreparedDataset::open(folder.path())?))
}

/// A peptide of so many alanines.
fn peptide(length: usize) -> String {
    format!("{}O", "N[C@@H](C)C(=O)".repeat(length))
}

#[test]
fn odd_molecules_are_kept_and_what_is_none_is_skipped_with_its_reason() {
    let long = peptide(110);
    assert!(long.len() > 1_340, "as long as the longest of SIDER");
    let rows = [
        ("[Na+].[Cl-]", "1"),
        ("CC(=O)O.c1ccncc1", "2"),
        ("CC1.C1C", "3"), // one molecule in two pieces of text
        ("Cl[Pt]Cl", "4"),
        ("[Cu+2].[O-]S(=O)(=O)[O-]", "5"),
        ("[2H]C([2H])([2H])O", "6"),
        ("[13CH4]", "7"),
        (long.as_str(), "8"),
        ("", "9"),
        ("   ", "10"),
        ("C(C)(C)(C)(C)C", "11"),
        ("NA", "12"),
        ("C C", "13"),
        ("C1CC", "14"),
        ("[Xx]", "15"),
        ("C\u{e9}", "16"),
        (" CCO\r", "17"),
    ];
    let (output, dataset) = prepared(&table(&rows, TaskKind::Regression)).unwrap();
    assert_eq!((output.rows, dataset.len(), output.multi_fragment), (17, 9, 3));
    let reasons: Vec<(u64, &str)> = output.invalid.iter().map(|(row, why)| (*row, why.split(':').next().unwrap())).collect();
    assert_eq!(
        reasons,
        [
            (8, "empty"),
            (9, "empty"),
            (10, "not a possible molecule"),
            (11, "not a SMILES"),
            (12, "a blank, control or non-ASCII character at position 1"),
            (13, "not a SMILES"),
            (14, "not a SMILES"),
            (15, "a blank, control or non-ASCII character at position 1"),
        ]
    );
    // Everything else is there, each with its own label and row.
    assert_eq!(dataset.rows, [0, 1, 2, 3, 4, 5, 6, 7, 16]);
    assert_eq!(dataset.task("y").unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 17.0]);
    assert_eq!((dataset.canonical[2].as_str(), dataset.smiles[8].as_str()), ("CCCC", "CCO"));
    assert_eq!(dataset.canonical[5], "[2H]C([2H])([2H])O", "isotopes stay");
    // The long one is cut to the longest sequence and counted; its tokens are counted whole, ten for `N[C@@H](C)C(=O)`.
    assert_eq!((output.truncated, dataset.tokens.get(7).len()), (1, 128));
    let tokens = 3 + 16 + 4 + 3 + 13 + 9 + 1 + (110 * 10 + 1) + 3;
    let pieces = ["[Pt]", "[2H]", "[13CH4]", "[Cu+2]"];
    assert_eq!(output.tokens.0, tokens, "counted by hand");
    assert!(
        output.tokens.1 <= pieces.len() as u64 + 2 && output.tokens.1 >= output.unknown_token_molecules,
        "{:?}",
        output.tokens
    );
    assert_eq!(output.checks[0].labels.0 + output.checks[0].labels.1 + output.checks[0].labels.2, 9);
}

#[test]
fn labels_that_are_none_are_refused_by_row_and_column_and_empty_ones_are_missing() {
    for text in ["NA", "nan", "inf", "-inf", "Infinity", "None", "null", "?", "1e999", "1,5", "\u{2212}1", "1 2"] {
        let error = prepared(&table(&[("C", "1"), ("CC", text)], TaskKind::Regression)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "test/set, row 1, column `y`: `{text}` is not a finite number; correct it, or leave the field empty if the label is missing"
            )
        );
        assert_eq!(error.kind(), clmbench_protocol::FailureKind::BadInput);
    }
    let (output, dataset) = prepared(&table(&[("C", ""), ("CC", " 1.0\r"), ("N", "\t")], TaskKind::Classification)).unwrap();
    assert_eq!((output.checks[0].missing, dataset.task("y").unwrap()[1]), (2, 1.0));
}

#[test]
fn columns_of_one_name_are_refused() {
    let mut twice = table(&[("C", "1")], TaskKind::Regression);
    twice.tasks.push(twice.tasks[0].clone());
    twice.labels[0].push("2".into());
    let error = prepared(&twice).unwrap_err();
    assert_eq!(error.to_string(), "test/set has the column `y` more than once; rename or remove all but one");
}

#[test]
fn a_table_in_text_survives_windows_and_quotes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let text = "\u{feff}id,smiles,note\r\n1,CCO,\"two\r\nlines, and a \"\"quote\"\"\"\r\n\r\n2,\"c1ccccc1\r\n\",\r\n3,C(,x\r\n";
    std::fs::write(&path, text).unwrap();
    let table = user_table::read(&path, "t.csv", user_table::Columns::default()).unwrap();
    assert_eq!(table.smiles, ["CCO", "c1ccccc1", "C("]);
    let rows = table_split::TableRows { name: "t.csv", smiles: &table.smiles, ..Default::default() };
    let split = table_split::split_table(rows, &common::dataset_spec("t").split).unwrap();
    assert_eq!((split.valid().count(), split.invalid().next().unwrap().0), (2, 2));
}

#[test]
fn invalid_rows_empty_scaffolds_and_ties_split_as_deepchem_does() {
    // Ten rows, two invalid: limits 8 and 9 of all ten. Chains share the empty scaffold (3 rows, first 0), pyridines are 3 (first 2): among
    // equals the later one first; then indole (1, row 8) before benzene (1, row 7).
    let texts = ["CCO", "CCN", "c1ccncc1", "Cc1ccncc1", "C(", "Oc1ccncc1", "CC", "c1ccccc1", "c1ccc2[nH]ccc2c1", ""];
    let rows: Vec<(&str, &str)> = texts.iter().map(|text| (*text, "1")).collect();
    let (output, dataset) = prepared(&table(&rows, TaskKind::Regression)).unwrap();
    assert_eq!(output.invalid.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [4, 9]);
    assert_eq!(dataset.parts, [Part::Train; 8], "3 + 3 + 1 + 1 of at most 8");
    let (_, dataset) = {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = common::dataset_spec("set");
        spec.split.fractions = (0.6.into(), 0.1.into());
        let output = prepare_dataset(&table(&rows, TaskKind::Regression), &spec, folder.path()).unwrap();
        (output, PreparedDataset::open(folder.path()).unwrap())
    };
    use Part::{Test, Train, Valid};
    assert_eq!(dataset.parts, [Train, Train, Train, Train, Train, Train, Test, Valid].map(|part| part), "{:?}", dataset.rows);
}

/// Sets whose odd rows are known, where they are at hand.
#[test]
fn real_odd_rows_are_kept_or_counted() {
    let Some(shared) = common::shared() else { return };
    for (name, invalid, longest) in [("sider", 0, 1_340), ("tox21", 8, 342), ("clintox", 0, 339)] {
        let path = shared.join(format!("{name}.csv.gz"));
        if !path.exists() {
            eprintln!("skipped: there is no {name} beside the checkout");
            continue;
        }
        let table = common::table(&common::unzipped(&path), TaskKind::Classification);
        let (output, dataset) = prepared(&table).unwrap();
        assert_eq!(table.smiles.iter().map(String::len).max(), Some(longest), "{name}");
        assert_eq!((output.invalid.len(), dataset.len()), (invalid, table.smiles.len() - invalid), "{name}");
        let (a, b, c) = output.counts;
        assert_eq!((a + b + c) as usize, dataset.len(), "{name}");
        for (task, check) in output.checks.iter().enumerate() {
            let labelled =
                dataset.labels.iter().skip(task).step_by(table.tasks.len()).filter(|label| !label.is_nan()).count() as u64;
            assert_eq!(check.labels.0 + check.labels.1 + check.labels.2, labelled, "{name} {}", check.task);
            assert_eq!(check.missing, dataset.len() as u64 - labelled, "{name} {}", check.task);
        }
    }
}
