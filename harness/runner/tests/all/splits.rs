//! The split of a dataset: what a suite says, what its plugin recommends, and the file of a split.

use std::path::Path;

use clmbench_protocol::{CellSpec, DatasetInfo, Number, SplitSpec, TokeniseDataset};
use clmbench_runner::{
    PluginSet,
    plan::{self, Finished, Input, Plan},
    suite::Suite,
};

use super::support::offers::{corpora, dataset, no_hub, plugin};

/// Datasets that recommend a split each.
fn recommending() -> PluginSet {
    let with = |name: &str, split: &str, seed, fractions| DatasetInfo {
        recommended_split: split.into(),
        recommended_seed: seed,
        recommended_fractions: fractions,
        ..dataset(name)
    };
    let mut sets = plugin("sets", "0.1.0");
    sets.manifest.datasets = vec![
        with("plain", "scaffold", None, None),
        with("seeded", "random", Some(42), Some((0.7, 0.1))),
        with("unseeded", "stratified", None, None),
        with("given", "given", None, Some((0.9, 0.05))),
        with("odd", "temporal", None, None),
        with("none", "", None, None),
        with("own", "file", None, None),
    ];
    let (set, errors) = PluginSet::new(vec![sets]);
    assert!(errors.is_empty(), "{errors:?}");
    set
}

/// A suite of one dataset, whose keys start on line 7, and a baseline.
fn planned(folder: &Path, keys: &str) -> Result<Plan, String> {
    let text = format!(
        "schema = 1\n[suite]\nname = \"s\"\n[[baseline]]\nmodel = \"linear\"\n[[dataset]]\nsource = \"moleculenet\"\n{keys}\n"
    );
    let file = folder.join("suite.toml");
    let suite = Suite::parse(&file.display().to_string(), &text).map_err(|error| error.to_string())?;
    plan::build(&suite, &recommending(), &corpora, &no_hub).map_err(|error| error.to_string())
}

fn cell(plan: &Plan) -> (TokeniseDataset, Vec<(String, Input)>) {
    let bound = plan.bind(0, &|_| None::<&Finished>).unwrap();
    match bound.spec {
        CellSpec::TokeniseDataset(spec) => (spec, bound.inputs),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_recommended_split_is_that_of_the_plugin_and_what_is_written_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let split = |keys: &str| cell(&planned(folder.path(), keys).unwrap()).0.split;
    let spec = |algorithm: &str, seed, training, validation| SplitSpec {
        algorithm: algorithm.into(),
        seed,
        fractions: (Number(training), Number(validation)),
        file: None,
    };
    let recommended = |name: &str, more: &str| split(&format!("names = [\"{name}\"]\nsplit = \"recommended\"\n{more}"));
    assert_eq!(recommended("plain", ""), spec("scaffold", None, 0.8, 0.1));
    assert_eq!(recommended("seeded", ""), spec("random", Some(42), 0.7, 0.1));
    assert_eq!(recommended("unseeded", ""), spec("stratified", Some(0), 0.8, 0.1));
    assert_eq!(recommended("given", ""), spec("given", None, 0.9, 0.05));
    assert_eq!(recommended("seeded", "split_seed = 7"), spec("random", Some(7), 0.7, 0.1));
    assert_eq!(recommended("seeded", "fractions = [0.6, 0.2, 0.2]"), spec("random", Some(42), 0.6, 0.2));
    // Nothing of a recommendation gets into a split that the suite names.
    assert_eq!(split("names = [\"seeded\"]\nsplit = \"random\""), spec("random", Some(0), 0.8, 0.1));
    assert_eq!(split("names = [\"seeded\"]\nsplit = \"butina\""), spec("butina", None, 0.8, 0.1));
    assert_eq!(split("names = [\"seeded\"]\nsplit = \"stratified\"\nsplit_seed = 3"), spec("stratified", Some(3), 0.8, 0.1));
    // The recommended split is the cell of the same split that is written out.
    let written = cell(&planned(folder.path(), "names = [\"plain\"]\nsplit = \"scaffold\"").unwrap()).0;
    assert_eq!(cell(&planned(folder.path(), "names = [\"plain\"]\nsplit = \"recommended\"").unwrap()).0, written);
}

#[test]
fn a_split_by_file_is_hashed_and_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("parts.csv"), "row,split\n0,train\n").unwrap();
    let plan = planned(folder.path(), "names = [\"plain\"]\nsplit_file = \"parts.csv\"").unwrap();
    let (spec, inputs) = cell(&plan);
    let file = spec.split.file.clone().unwrap();
    assert_eq!((spec.split.algorithm.as_str(), spec.split.seed, file.sha256.len()), ("file", None, 64));
    assert!(inputs.contains(&("split".into(), Input::Source(file.clone()))), "{inputs:?}");
    assert_eq!(plan.local.len(), 1);
    assert_eq!(plan.local[0].path, folder.path().join("parts.csv"));
    // Another place is the same cell, other bytes are another.
    std::fs::create_dir(folder.path().join("other")).unwrap();
    std::fs::copy(folder.path().join("parts.csv"), folder.path().join("other/moved.csv")).unwrap();
    let moved = planned(folder.path(), "names = [\"plain\"]\nsplit = \"file\"\nsplit_file = \"other/moved.csv\"").unwrap();
    assert_eq!(cell(&moved).0, spec);
    std::fs::write(folder.path().join("parts.csv"), "row,split\n0,test\n").unwrap();
    let changed = planned(folder.path(), "names = [\"plain\"]\nsplit_file = \"parts.csv\"").unwrap();
    assert_ne!(cell(&changed).0.split.file.unwrap(), file);
}

#[test]
fn every_mistake_is_said_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("parts.csv"), "x").unwrap();
    let cases = [
        (
            "names = [\"odd\"]\nsplit = \"recommended\"",
            "9: `moleculenet/odd` recommends the split `temporal`, which a suite cannot take by `split = \"recommended\"`. Name one, \
             such as `split = \"scaffold\"`.",
        ),
        (
            "names = [\"none\"]\nsplit = \"recommended\"",
            "9: `moleculenet/none` recommends no split, which a suite cannot take by `split = \"recommended\"`. Name one, such as \
             `split = \"scaffold\"`.",
        ),
        (
            "names = [\"own\"]\nsplit = \"recommended\"",
            "9: `moleculenet/own` recommends the split `file`, which a suite cannot take by `split = \"recommended\"`. Name one, such \
             as `split = \"scaffold\"`.",
        ),
        (
            "names = [\"plain\"]\nsplit = \"recommended\"\nsplit_seed = 3",
            "9: `split_seed` is written, but the split that `moleculenet/plain` recommends, `scaffold`, has no seed: it is always the \
             same. Remove the key.",
        ),
        (
            "names = [\"plain\"]\nsplit = \"butina\"\nsplit_seed = 3",
            "10: `split_seed` in [[dataset]]: the split `butina` has no seed, it is always the same. Remove the key.",
        ),
        (
            "names = [\"plain\"]\nsplit = \"file\"",
            "6: [[dataset]] lacks `split_file`. Add, for example, `split_file = \"own_split.csv\"`.",
        ),
        (
            "names = [\"plain\"]\nsplit = \"random\"\nsplit_file = \"parts.csv\"",
            "10: `split_file` in [[dataset]]: is read only under `split = \"file\"`, but the split is `random`. Remove one of the two.",
        ),
        (
            "names = [\"plain\"]\nsplit_file = \"parts.csv\"\nfractions = [0.8, 0.1, 0.1]",
            "10: `fractions` in [[dataset]]: a split by file says itself which part each row is in. Remove the key.",
        ),
        (
            "names = [\"plain\"]\nsplit_file = \"none.csv\"",
            "9: the split file DIR/none.csv cannot be read: No such file or directory (os error 2). Paths are relative to the suite file.",
        ),
    ];
    for (keys, expected) in cases {
        let message = planned(folder.path(), keys).err().unwrap_or_else(|| panic!("accepted:\n{keys}"));
        let message = message.replace(&folder.path().display().to_string(), "DIR");
        assert_eq!(message, format!("DIR/suite.toml:{expected}"), "\n{keys}");
    }
}
