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
fn no_row_takes_two_lines_at_any_usual_width() {
    let rows = [row("moleculeace/CHEMBL4203_Ki_of_a_long_name"), row("tox21")];
    for (width, wide) in [(80, false), (110, false), (120, false), (132, true), (160, true)] {
        let (table, is_wide) = fitting(&rows, Style::new(width));
        assert!(table.lines().all(|line| line.chars().count() <= width), "{table}");
        assert_eq!((table.lines().count(), is_wide), (rows.len() + 4, wide), "{width}:\n{table}");
        assert_eq!(table.contains("mirror, wheel, folder"), width == 160, "{table}");
    }
}
