#![allow(clippy::unwrap_used)]
use std::io::Write;

use super::*;

/// Reads these bytes under this file name.
fn table(file: &str, bytes: &[u8], columns: Columns<'_>) -> Result<UserTable, MoleculesError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    std::fs::write(&path, bytes).unwrap();
    read(&path, file, columns)
}

fn smiles_of(file: &str, bytes: &[u8]) -> Vec<String> {
    table(file, bytes, Columns::default()).unwrap().smiles
}

fn error(bytes: &[u8], columns: Columns<'_>) -> String {
    table("f.csv", bytes, columns).unwrap_err().to_string()
}

#[test]
fn every_form_of_a_table_is_read() {
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"smiles,y\nCCO,1\nC,2\n").unwrap();
        encoder.finish().unwrap()
    };
    let cases: [(&str, &[u8]); 13] = [
        ("f.csv", b"smiles,y\nCCO,1\nC,2\n"),
        ("f.csv", b"smiles,y\r\nCCO,1\r\nC,2\r\n"),
        ("f.csv", b"smiles,y\rCCO,1\rC,2"),
        ("f.csv", b"\xef\xbb\xbfsmiles,y\nCCO,1\n\nC,2"),
        ("f.csv", b"y,SMILES\n\"1\n2\",CCO\n\"a \"\"b\"\"\", C \n"),
        ("f.csv", b"y;Mol;z\n1;CCO;\n2;C;\xff\n"),
        ("f.tsv", b"y\tCanonical_SMILES\n1,5\tCCO\n2\tC\n"),
        ("f.tsv.gz", b"smiles\nCCO\nC\n"),
        ("f.txt", b"y\t\"a,b,c\"\tsmiles\n1\t\tCCO\n2\t\tC\n"),
        ("f.csv", b"structure\nCCO\nC\n"),
        ("f.csv.gz", &gzip),
        ("f.csv", b"\r\n\nsmiles;y\nCCO;1\nC;2\n"),
        ("f.csv", b"smiles\ty,z\nCCO\t1\nC\t2\n"),
    ];
    for (file, bytes) in cases {
        assert_eq!(smiles_of(file, bytes), ["CCO", "C"], "{}", String::from_utf8_lossy(bytes));
    }
    // Nothing is guessed where a column is named.
    let columns = Columns { smiles: Some("other"), ..Columns::default() };
    assert_eq!(table("f.csv", b"smiles,other\nC,N\n", columns).unwrap().smiles, ["N"]);
    // An empty field is a row, which holds no molecule; bytes that are no UTF-8 are none either.
    assert_eq!(smiles_of("f.csv", b"smiles,y\n,1\n\xff,2\n"), ["", "\u{fffd}"]);
}

#[test]
fn a_label_column_is_read_as_numbers_and_nothing_is_a_missing_one() {
    let wanted = Columns { label: Some("y"), ..Columns::default() };
    let labels = table("f.csv", b"smiles,y\nC, .5\nN,\nO,-1e1\n", wanted).unwrap().labels;
    assert_eq!((labels[0], labels[1].is_nan(), labels[2]), (0.5, true, -10.0));
    let wrong =
        "f.csv, row 1, column `y`: `NA` is not a finite number; correct it, or leave the field empty if the label is missing";
    assert_eq!(error(b"smiles,y\nC,1\nN,NA\n", wanted), wrong);
    assert!(table("f.csv", b"smiles,y\nC,NA\n", Columns::default()).unwrap().labels.is_empty());
}

#[test]
fn a_split_column_is_read_in_the_usual_words() {
    let wanted = Columns { split: Some(None), ..Columns::default() };
    let bytes = b"smiles,Split\nC,train\nN,Training\nO,VAL\nF,dev\nS,validation\nP,valid\nI,Test\n";
    let parts = table("f.csv", bytes, wanted).unwrap().parts;
    assert_eq!(parts, ["train", "train", "valid", "valid", "valid", "valid", "test"]);
    let named = Columns { split: Some(Some("set")), ..Columns::default() };
    assert_eq!(table("f.csv", b"smiles,set\nC,test\n", named).unwrap().parts, ["test"]);
    let unread = table("f.csv", b"smiles,split\nC,nonsense\n", Columns::default()).unwrap();
    assert_eq!(unread.parts, Vec::<String>::new());
    assert_eq!(
        error(b"smiles,split\nC,train\nC,maybe\n", wanted),
        "f.csv, row 1: the split given is `maybe`, which is none of `train`, `valid` and `test`; correct the row"
    );
    assert_eq!(error(b"smiles,set\nC,train\n", wanted), "f.csv has no column `split`; its columns are smiles, set");
}

#[test]
fn bad_tables_are_named() {
    let plain = Columns::default();
    let named = Columns { smiles: Some("smile"), ..plain };
    let cases: [(&[u8], Columns<'_>, &str); 14] = [
        (b"", plain, "f.csv has no rows; check that it is the right file and was fetched whole"),
        (b"\n \r\n", plain, "f.csv has no rows; check that it is the right file and was fetched whole"),
        (b"smiles,y\n", plain, "f.csv has no rows; check that it is the right file and was fetched whole"),
        (
            b"a,b\nCCO,1\n",
            plain,
            "f.csv has no column named smiles, canonical_smiles or mol; its columns are a, b; name the one that holds the SMILES",
        ),
        (b"smiles,b\nCCO,1\n", named, "f.csv has no column `smile` (did you mean `smiles`?); its columns are smiles, b"),
        (b"smiles,y,z,y\nC,1,2,3\n", plain, "f.csv has the column `y` more than once; rename or remove all but one"),
        (
            b"smiles,y\nC,1\nCC,2,3\n",
            plain,
            "f.csv, row 1: line 3 has 3 fields, the header has 2; a quote or a separator is missing or stray; repair the row or fetch \
             the file again",
        ),
        (
            b"smiles,y\n\"a\nb\",1\nCC\n",
            plain,
            "f.csv, row 1: line 4 has 1 field, the header has 2; a quote or a separator is missing or stray; repair the row or fetch \
             the file again",
        ),
        (
            b"smiles,y\rC,1\r\rCC\r",
            plain,
            "f.csv, row 1: line 4 has 1 field, the header has 2; a quote or a separator is missing or stray; repair the row or fetch \
             the file again",
        ),
        (
            b"CCO\nCCN\n",
            plain,
            "f.csv has no header: its first line starts with `CCO`, which is a molecule; put a line `smiles` before it, or name the column",
        ),
        (b"smiles,SMILES\nC,C\n", plain, "f.csv: the SMILES may be in `smiles` or in `SMILES`; name the column that holds them"),
        (
            b"smiles,y\nC,1\nC,\"2\nN,3\nO,4\n",
            plain,
            "f.csv, row 1: line 3: a quote is opened and never closed; repair the row or fetch the file again",
        ),
        (b"PK\x03\x04zip", plain, "f.csv is a zip archive; only plain text (UTF-8) and gzip are read, so convert it first"),
        (b"\xff\xfes\0m\0", plain, "f.csv is UTF-16 text; only plain text (UTF-8) and gzip are read, so convert it first"),
    ];
    for (bytes, columns, wanted) in cases {
        assert_eq!(error(bytes, columns), wanted);
    }
    let cut = error(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x2b", plain);
    assert!(cut.starts_with("f.csv, row 0: its gzip is damaged or cut short ("), "{cut}");
    assert!(matches!(read(Path::new("nowhere/f.csv"), "f.csv", plain), Err(MoleculesError::Io { .. })));
}
