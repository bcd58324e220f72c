//! `data split` by the splits that need more than SMILES: labels, fingerprints, a file.

use std::fs;

use crate::bench::{Answer, Bench, SMALL};

/// Twenty chains with labels 0 to 19 and a row that is no molecule.
fn table() -> String {
    let rows = (0..20).map(|row| format!("{},{}\n", "C".repeat(row + 1), (row * 7) % 20));
    format!("smiles,y\n{}C(,3\n", rows.collect::<String>())
}

fn split(bench: &Bench, more: &[&str]) -> Answer {
    bench.clmbench(&[&["data", "split", "t.csv"], more].concat())
}

/// The part of every row.
fn parts(answer: Answer) -> Vec<String> {
    let rows = answer.code(0).stdout;
    csv::Reader::from_reader(rows.as_bytes()).records().map(|record| record.unwrap()[1].to_owned()).collect()
}

fn bench() -> Bench {
    let bench = Bench::new(SMALL);
    fs::write(bench.path("t.csv"), table()).unwrap();
    bench
}

#[test]
fn stratified_needs_a_label_and_shares_out_every_ten() {
    let bench = bench();
    let found = parts(split(&bench, &["--split", "stratified", "--label", "y", "--seed", "4", "--format", "csv"]));
    for low in [0, 10] {
        let of_ten = |part: &str| (0..20).filter(|row| (low..low + 10).contains(&(row * 7 % 20)) && found[*row] == part).count();
        assert_eq!([of_ten("train"), of_ten("valid"), of_ten("test")], [8, 1, 1]);
    }
    assert_eq!(found[20], "", "it is no molecule");
    let said = split(&bench, &["--split", "stratified"]).code(2).stderr;
    assert_eq!(said, "error: --split stratified puts molecules in the order of a label\n  hint: add --label COLUMN\n");
    let said = split(&bench, &["--label", "y"]).code(2).stderr;
    assert_eq!(
        said,
        "error: --label goes with --split stratified, not with --split scaffold\n  hint: leave one of the two out\n"
    );
    let said = split(&bench, &["--split", "stratified", "--label", "z"]).code(2).stderr;
    assert!(said.starts_with("error: t.csv has no column `z`"), "{said}");
    let said = split(&bench, &["--split", "stratified", "--label", "y", "--fractions", "0.75,0.15,0.1"]).code(2).stderr;
    assert!(said.contains("`stratified` shares out groups of ten molecules, so both must be tenths"), "{said}");
    fs::write(bench.path("t.csv"), table().replace(",3\n", ",\n")).unwrap();
    let said = split(&bench, &["--split", "stratified", "--label", "y"]).code(2).stderr;
    assert!(said.contains("1 of 20 molecules of t.csv have no label"), "{said}");
}

#[test]
fn clusters_keep_like_molecules_together_and_have_no_seed() {
    let bench = bench();
    fs::write(
        bench.path("t.csv"),
        "smiles\nCCCCCCCCO\nOc1ccccc1\nCCCCCCCCCO\nCCCCCCCO\n[Na+].[Cl-]\nCCCCCCCCCCO\nc1ccsc1\nCCCCCCO\nCCCCCCCCCCCO\nO=C=O\n",
    )
    .unwrap();
    let found = parts(split(&bench, &["--split", "butina", "--format", "csv"]));
    // Six alcohols train, then the single ones, the last row first.
    assert_eq!(found, ["train", "test", "train", "train", "valid", "train", "train", "train", "train", "train"]);
    let said = split(&bench, &["--split", "butina", "--seed", "1"]).code(2).stderr;
    assert!(said.contains("the butina split is deterministic and has no seed; leave it out, or take `random`"), "{said}");
}

#[test]
fn what_was_written_is_read_back_as_the_same_parts() {
    let bench = bench();
    let first = split(&bench, &["--split", "random", "--seed", "5", "--out", "mine.csv"]).code(0);
    let rows = fs::read_to_string(bench.path("mine.csv")).unwrap();
    let again = split(&bench, &["--split-file", "mine.csv", "--format", "csv"]).code(0);
    assert_eq!(again.stdout, rows);
    let digest = |text: &str| text.lines().find(|line| line.starts_with("split digest")).map(str::to_owned);
    assert!(digest(&again.stderr).is_some() && digest(&again.stderr) != digest(&first.stdout), "the algorithm is in the digest");
    let page = split(&bench, &["--split", "file", "--split-file", "mine.csv"]).code(0).stdout;
    assert!(page.starts_with("t.csv: file split\n"), "{page}");

    let said = split(&bench, &["--split", "file"]).code(2).stderr;
    assert_eq!(said, "error: --split file needs the file\n  hint: add --split-file FILE; --format csv writes such a file\n");
    let said = split(&bench, &["--split", "random", "--split-file", "mine.csv"]).code(2).stderr;
    assert_eq!(said, "error: --split-file goes with --split file, not with --split random\n  hint: leave one of the two out\n");
    split(&bench, &["--split-file", "none.csv"]).code(2);
    let refused = |rows: &str, wanted: &str| {
        fs::write(bench.path("mine.csv"), rows).unwrap();
        let said = split(&bench, &["--split-file", "mine.csv"]).code(2).stderr;
        assert!(said.contains(wanted), "{said}");
    };
    refused("row,split\n0,train\n0,test\n", "mine.csv, line 3: row 0 stands in an earlier line too");
    refused("row,split\n0,train\n99,test\n", "mine.csv, line 3: the dataset has no row 99: it has 21, counted from 0");
    refused("row,split\n0,\u{1b}[31mtrain\n", "is none of `train`, `valid` and `test`");
    refused("row,split\n0,train\n", "t.csv, row 1: the split file gives it no part");
}
