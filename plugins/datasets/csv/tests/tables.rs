//! Whole tables: what they are read as, and what is refused, word for word.
#![allow(clippy::unwrap_used)]

use clmbench_plugin_csv::{Csv, parse};
use clmbench_sdk::{prelude::*, protocol::SPLIT_COLUMN};
use serde_json::{Map, json};

fn request(targets: &[(&str, TaskKind)], params: serde_json::Value) -> DatasetRequest {
    let task = |(name, kind): &(&str, TaskKind)| TaskInfo {
        name: (*name).into(),
        kind: *kind,
        unit: String::new(),
        score: String::new(),
    };
    // As the host sends it: every parameter filled in.
    let mut filled: Map<String, serde_json::Value> =
        Csv.infos()[0].parameters.iter().map(|info| (info.name.clone(), info.default.clone())).collect();
    filled.extend(params.as_object().unwrap().clone());
    DatasetRequest { source: "csv".into(), name: "own".into(), tasks: targets.iter().map(task).collect(), params: filled }
}

const TWO: [(&str, TaskKind); 2] = [("toxic", TaskKind::Classification), ("logS", TaskKind::Regression)];

#[test]
fn a_table_from_a_spreadsheet_is_read_as_it_stands() {
    let text = "\u{feff}id;SMILES;\"logS\";toxic;note;fold\r\n\
                1;CCO; -0.77 ;1;\"two\r\nlines; and \"\"quotes\"\"\";Train\r\n\
                2;\"c1ccccc1\";;0;;val\r\n\
                \r\n\
                3;not a molecule;1e-3;;;TEST\r\n";
    let table = parse("csv/own", text.as_bytes(), &request(&TWO, json!({ (SPLIT_COLUMN): "fold" }))).unwrap();
    assert_eq!(table.smiles, ["CCO", "c1ccccc1", "not a molecule"]);
    assert_eq!(table.labels, [["1", "-0.77"], ["0", ""], ["", "1e-3"]]);
    assert_eq!(table.parts, ["train", "valid", "test"]);
    let silent = parse("csv/own", text.as_bytes(), &request(&TWO, json!({}))).unwrap();
    assert!(silent.parts.is_empty());
}

#[test]
fn every_error_names_its_place() {
    let refused = |text: &str, params: serde_json::Value| parse("csv/own", text.as_bytes(), &request(&TWO, params)).unwrap_err();
    let good = "smiles,logS,toxic,fold\nC,1,0,train\n\"N\",2,1,test\n";
    assert!(parse("csv/own", good.as_bytes(), &request(&TWO, json!({}))).is_ok());
    let cases = [
        (
            good.replace("N\",2", "N\nN\",NA"),
            "csv/own, line 3 (row 1), column `logS`: `NA` is not a finite number; correct it, or leave the field empty if the label \
             is missing",
        ),
        (
            format!("{good}\n\nO,3,yes,test\n"),
            "csv/own, line 6 (row 2), column `toxic`: `yes` is not a class, 0 or 1; correct it, or leave the field empty if the label \
             is missing",
        ),
        (
            good.replace("toxic", "tox"),
            "csv/own: there is no column `toxic` (did you mean `tox`?); the columns are `smiles`, `logS`, `tox`, `fold`",
        ),
        (good.replace("fold", "logS"), "csv/own: the column `logS` occurs twice in the header; rename or remove one"),
        ("smiles,logS,toxic,fold\n".into(), "csv/own: the file has a header line but no rows"),
        (String::new(), "csv/own: the file is empty; it must have a header line and rows"),
    ];
    for (text, message) in cases {
        assert_eq!(refused(&text, json!({})), message);
    }
    assert_eq!(
        refused(&good.replace("train", "fit"), json!({ (SPLIT_COLUMN): "fold" })),
        "csv/own, line 2 (row 0), column `fold`: `fit` is not a part of a split; write train, valid or test"
    );
    assert_eq!(
        refused(good, json!({ "smiles": "Smiles" })),
        "csv/own: there is no column `Smiles` (did you mean `smiles`?); the columns are `smiles`, `logS`, `toxic`, `fold`"
    );
}

/// Nothing that a file can hold may panic.
#[test]
fn garbage_is_refused_or_read() {
    let seeds: [&[u8]; 6] =
        [b"smiles,logS,toxic\nC,1,0\n", b"\"", b"\xef\xbb\xbf", b"\x1f\x8b", b",,,\n,,,\n", b"smiles\tlogS\ttoxic\r\n\"\r"];
    let mut state = 7_u64;
    for round in 0..3000 {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..round % 9 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (state >> 33) as usize % (bytes.len() + 1);
            bytes.insert(place, b"\",;\t\r\n\0\xff1C"[(state >> 20) as usize % 10]);
        }
        let _ = parse("csv/own", &bytes, &request(&TWO, json!({})));
    }
}
