//! Source files of all sorts: good ones with odd dress, bad ones with a typed error.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use clmbench_molecules::{
    MoleculesError,
    source::{MAX_ROW_BYTES, Rows, Selection, read_smiles},
};
use clmbench_protocol::SourceFormat;

fn read_as(name: &str, bytes: &[u8], column: &str, only: Option<(&str, &str)>) -> Result<Vec<String>, MoleculesError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    let mut found = Vec::new();
    let format = if name.ends_with(".csv") { SourceFormat::Csv } else { SourceFormat::Lines };
    let rows = read_smiles(&path, Selection { name, format, column, only }, |_, text| found.push(text.to_owned()))?;
    assert!(rows.rows >= found.len() as u64);
    Ok(found)
}

fn read(bytes: &[u8]) -> Result<Vec<String>, MoleculesError> {
    read_as("set.csv", bytes, "smiles", None)
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn odd_but_good_files_are_read() {
    let wanted = ["CCO", "c1ccccc1"];
    let plain = b"name,smiles\na,CCO\nb,c1ccccc1\n";
    assert_eq!(read(plain).unwrap(), wanted);
    assert_eq!(read(b"\xef\xbb\xbfsmiles,name\r\nCCO,a\r\nc1ccccc1,b\r\n").unwrap(), wanted, "BOM and CRLF");
    assert_eq!(
        read(b"name,smiles\n\"a,\nb\",CCO\nb,\" c1ccccc1\n\"").unwrap(),
        wanted,
        "line ends inside quotes, as in ZINC250k"
    );
    assert_eq!(read(&zipped(plain)).unwrap(), wanted, "gzip is told by its bytes");
    assert_eq!(read(&[zipped(b"smiles\nCCO\n"), zipped(b"c1ccccc1\n")].concat()).unwrap(), wanted, "gzip in two members");
    assert_eq!(read_as("list.smi", b"CCO ethanol\n\n  c1ccccc1\tbenzene", "", None).unwrap(), wanted);
    assert_eq!(read_as("list.smi.gz", &zipped(b"CCO\r\nc1ccccc1\r\n"), "", None).unwrap(), wanted);
    assert_eq!(read_as("list.txt", b"\xef\xbb\xbfCCO\rc1ccccc1\r", "", None).unwrap(), wanted, "BOM, CR alone");
    assert_eq!(read_as("list.txt", b"# a list\nCCO\n\n \t\n#c\nc1ccccc1 #5", "", None).unwrap(), wanted, "comments");
    assert_eq!(read(b"smiles\nCCO\nc1ccccc1").unwrap(), wanted, "no line end at the end");
}

#[test]
fn only_the_wanted_rows_are_taken() {
    let bytes = b"smiles,split\nC,train\nCC,test\nCCC, train \n";
    assert_eq!(read_as("set.csv", bytes, "smiles", Some(("split", "train"))).unwrap(), ["C", "CCC"]);
    assert!(read_as("set.csv", bytes, "smiles", Some(("split", "none"))).unwrap().is_empty());
    let missing = read_as("set.csv", bytes, "smiles", Some(("Split", "train"))).unwrap_err();
    assert!(matches!(&missing, MoleculesError::MissingColumn { near: Some(near), .. } if near == "split"), "{missing}");
    assert!(matches!(read_as("set.smi", bytes, "", Some(("split", "train"))), Err(MoleculesError::Setting { .. })));
}

#[test]
fn bytes_that_are_no_text_and_endless_lines_pass_through_to_the_check_of_molecules() {
    let odd = read(b"smiles\nC\0C\n\xff\xfe\nCCO\n").unwrap();
    assert_eq!((odd.len(), odd[2].as_str()), (3, "CCO"));
    let odd = read_as("list.smi", b"C\0C a\n\xff\xfe\nCCO\n", "", None).unwrap();
    assert_eq!((odd.len(), odd[2].as_str()), (3, "CCO"));
    let long = [b"smiles\n".to_vec(), vec![b'C'; 1 << 20], b"\nCCO\n".to_vec()].concat();
    let found = read(&long).unwrap();
    assert_eq!((found[0].len(), found[1].as_str()), (1 << 20, "CCO"));
    assert_eq!(read_as("list.smi", &long[7..], "", None).unwrap(), found);
    assert_eq!(read_as("list.smi.gz", &zipped(&long[7..]), "", None).unwrap(), found);
}

#[test]
fn rows_beyond_the_bound_are_errors_that_name_file_and_row() {
    let row = |length: usize| [b"smiles\nCCO\n".to_vec(), vec![b'C'; length], b"\nCCO\n".to_vec()].concat();
    assert_eq!(read(&row(MAX_ROW_BYTES)).unwrap()[1].len(), MAX_ROW_BYTES);
    assert_eq!(read_as("list.smi", &row(MAX_ROW_BYTES - 1), "", None).unwrap()[2].len(), MAX_ROW_BYTES - 1);
    for length in [MAX_ROW_BYTES + 1, MAX_ROW_BYTES + 100_000, 3 * MAX_ROW_BYTES] {
        for bytes in [row(length), zipped(&row(length))] {
            let error = read(&bytes).unwrap_err();
            assert!(matches!(error, MoleculesError::Table { row: 1, .. }), "{error}");
            assert!(error.to_string().contains("set.csv, row 1: ") && error.to_string().contains("longer than"), "{error}");
            let error = read_as("list.smi", &bytes, "", None).unwrap_err();
            assert!(error.to_string().contains("list.smi, row 2: longer than"), "{error}");
        }
    }
    // A stray quote over megabytes of rows, which csv would read as one field.
    let quoted = [b"smiles\n\"".to_vec(), b"CCO\n".repeat(MAX_ROW_BYTES)].concat();
    assert!(matches!(read(&quoted).unwrap_err(), MoleculesError::Table { row: 0, .. }));
}

#[test]
fn lists_count_their_rows_with_what_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    std::fs::write(&path, "# names\nCCO a\n\nfoo\n").unwrap();
    let mut rows = Vec::new();
    let selection = Selection { name: "list.smi", format: SourceFormat::Lines, column: "", only: None };
    let found = read_smiles(&path, selection, |row, text| rows.push((row, text.to_owned()))).unwrap();
    assert_eq!(found, Rows { rows: 2, skipped: 2 });
    assert_eq!(rows, [(1, "CCO".to_owned()), (3, "foo".to_owned())]);
    let error = read_smiles(&path, Selection { column: "smiles", ..selection }, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("list.smi is a list without columns"), "{error}");
}

#[test]
fn what_is_neither_text_nor_gzip_is_named() {
    for (bytes, what) in [(&b"PK\x03\x04..."[..], "a zip archive"), (b"\xff\xfeC\0\n\0", "UTF-16"), (b"\xfd7zXZ\0", "by xz")] {
        let error = read(bytes).unwrap_err();
        assert!(matches!(error, MoleculesError::NotText { .. }) && error.to_string().contains(what), "{error}");
    }
}

#[test]
fn bad_files_are_typed_errors_that_name_the_file() {
    let whole = zipped(&[b"smiles\n".to_vec(), b"CCO,c1ccccc1\n".repeat(5_000)].concat());
    for empty in [&b""[..], b"smiles\n", b"\n\n", &zipped(b"")] {
        assert!(matches!(read(empty), Err(MoleculesError::Empty { .. })), "{empty:?}");
    }
    let missing = read(b"SMILES,y\nC,1\n").unwrap_err();
    assert!(matches!(&missing, MoleculesError::MissingColumn { near: Some(near), .. } if near == "SMILES"), "{missing}");
    assert!(missing.to_string().contains("set.csv") && missing.to_string().contains("did you mean `SMILES`"), "{missing}");
    assert!(matches!(read(b"a,b\nC,1\n"), Err(MoleculesError::MissingColumn { near: None, .. })));
    assert!(matches!(read(b"smiles,y,smiles\nC,1,C\n"), Err(MoleculesError::DuplicateColumn { .. })));
    assert!(matches!(read(b"smiles,y\nC,1\nC\n"), Err(MoleculesError::Table { row: 1, .. })));
    assert!(matches!(read(b"smiles\nC\n\"CC\nCCC\nCCCC\n"), Err(MoleculesError::Table { row: 1, .. })), "a stray quote");
    let short = zipped(b"smiles\nCCO\n");
    for length in [1, 9, short.len() - 9, short.len() - 1] {
        let error = read(&short[..length]).unwrap_err();
        assert!(error.to_string().contains("set.csv"), "{error}");
    }
    assert!(matches!(read(&whole[..whole.len() / 2]), Err(MoleculesError::Table { .. })));
}
