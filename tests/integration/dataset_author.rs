//! Adding a dataset is one folder: the one of plugins/README.md, from its first line to a score, with no file of the checkout touched.

use std::{fs, time::Instant};

use clmbench_store::CellStatus;
use sha2::{Digest, Sha256};

use crate::{
    plugin_author::{shell, tracked, untouched, words},
    real::{ECHO, Real, checkout},
};

const SUITE: &str = r#"
schema = 1
[suite]
name = "liquids"
[[corpus]]
name = "moses"
sizes = [200]
heldout = 16
[[model]]
architecture = "echo"
presets = ["tiny"]
tokens = 2000
batch = 16
[[dataset]]
source = "shelf"
names = ["liquids"]
split = "recommended"
"#;

/// The table in normal form: chains of 1 to 20 carbons on two heads, with a number that grows with the chain. A `%.1f` of whole
/// halves has no digit to lose, so its text is the shortest one once `.0` is off.
fn table() -> String {
    let rows = (1..=20_u32).flat_map(|length| {
        ["O", "N"].map(|head| format!("{}{head},{}\n", "C".repeat(length as usize), f64::from(length) * 12.5 - 3.0))
    });
    std::iter::once("smiles,boiling\n".to_owned()).chain(rows).collect()
}

/// The one block of plugins/README.md in this language.
#[track_caller]
fn block(language: &str) -> String {
    let readme = fs::read_to_string(checkout().join("plugins/README.md")).unwrap();
    let start = format!("```{language}\n");
    let blocks: Vec<&str> = readme.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 1, "{language}");
    blocks[0].to_owned()
}

#[test]
fn adding_a_dataset_is_one_folder() {
    let before = tracked();
    let begun = Instant::now();
    let real = Real::new(&[ECHO]);
    let digest: String = Sha256::digest(table()).iter().map(|byte| format!("{byte:02x}")).collect();
    real.write("liquids.toml", SUITE);
    fs::create_dir(real.path("data")).unwrap();
    real.write("data/liquids.csv", &table());

    // The commands of the README, in their order; between the first and the others the author writes the dataset.
    let commands = block("console");
    let (first, others) = commands.split_once('\n').unwrap();
    let said = shell(&real, first);
    assert!(said.status.success(), "{}", words(&said));
    real.write("shelf/src/lib.rs", &block("rust").replace("CONTENT", &digest));
    let output = shell(&real, &format!("set -e\n{others}"));
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    for part in [
        "installed clmbench-plugin-shelf 0.1.0-dev",
        "checks passed",
        "shelf/liquids",
        "Boiling points of the liquids on our shelf",
        "our shelf",
        "CC0",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // The set is in the suite's results as every other one, with the score that it declares.
    assert!(real.rows().iter().all(|row| row.status == CellStatus::Done), "{:?}", real.rows());
    let output = real.output("tokenise/liquids");
    assert_eq!((&output["rows"], &output["counts"]), (&40.into(), &serde_json::json!([32, 4, 4])));
    let board = real.clmbench(&["leaderboard", "models", "--json"]).code(0).rows();
    let row = board.iter().find(|row| row["dataset"] == "liquids").unwrap();
    assert_eq!((&row["task"], &row["score"]), (&"boiling".into(), &"mae".into()), "{row}");

    // Another table under the same name is not the dataset.
    real.write("data/liquids.csv", &table().replace("CCO,22\n", "CCO,23\n"));
    let refused = shell(&real, "rm -rf store; CLMBENCH_DATA=~/data clmbench run liquids.toml");
    let said = words(&refused);
    assert!(!refused.status.success() && said.contains(&digest), "{said}");

    assert!(begun.elapsed().as_secs() < 300, "{:?}", begun.elapsed());
    untouched(before);
}
