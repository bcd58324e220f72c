use super::{
    super::row::{Contents, File},
    *,
};

fn row(name: &str) -> Row {
    let contents = Contents {
        rows: 1_128,
        invalid: 0,
        first_invalid: None,
        tasks: 617,
        positive_share: Some((Number(0.012), Number(0.456))),
        missing: 0,
        missing_share: Number(0.123),
        duplicate_groups: 1_234,
        conflicting: 123,
        multi_fragment: 0,
        longer: 1_234,
        unknown_tokens: Number(0.0123),
        unknown_tokens_named: Some(Number(0.0123)),
        sha256_csv: String::new(),
        data_digest: String::new(),
    };
    let file = |kind| File { name: String::new(), kind, from: String::new(), remark: None };
    Row {
        name: name.to_owned(),
        verdict: Verdict::Ok,
        reasons: Vec::new(),
        places: Vec::new(),
        files: ["mirror", "wheel", "folder"].map(file).into(),
        contents: Some(contents),
        splits: Vec::new(),
        tasks: 617,
    }
}

#[test]
fn a_wide_table_is_shown_only_where_no_row_takes_two_lines() {
    let rows = [row("moleculeace/CHEMBL4203_Ki"), row("tox21")];
    for (width, wide) in [(80, false), (110, false), (160, true)] {
        let (table, is_wide) = fitting(&rows, Style::new(width));
        assert!(table.lines().all(|line| line.chars().count() <= width), "{table}");
        assert_eq!(is_wide, wide, "{width}:\n{table}");
        assert!(!is_wide || table.lines().count() == rows.len() + 4, "{table}");
    }
}
