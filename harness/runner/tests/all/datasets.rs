//! `[[dataset]]` tables: what is read, what becomes of it, and every mistake word for word.

use std::path::Path;

use clmbench_protocol::{
    CellSpec, DatasetInfo, FileRef, Number, OptIn, ParameterInfo, SourceFile, TaskKind, TokeniseDataset, UrlFile,
};
use clmbench_runner::{
    PluginSet,
    identity::identity,
    plan::{self, Finished, Input, Plan},
    suite::Suite,
};

use super::support::offers::{corpora, no_hub, plugin, plugins, small};

/// The plugins of the other tests, a source that reads the user's file, and a dataset with terms.
fn with_files() -> PluginSet {
    let mut tables = plugin("tables", "0.1.0");
    tables.manifest.datasets = vec![DatasetInfo {
        source: "table".into(),
        name: "NAME".into(),
        user_file: Some("a table with SMILES and labels".into()),
        parameters: vec![
            ParameterInfo::text("smiles", "", &[], "Column."),
            ParameterInfo::text("split_column", "", &[], "Column."),
            ParameterInfo::text("delimiter", "auto", &["auto", "comma", "tab"], "Delimiter."),
            ParameterInfo::integer("skip", 0, "Lines.").between(0.0, 9.0),
        ],
        ..DatasetInfo::default()
    }];
    let mut closed = plugin("closed", "0.1.0");
    closed.manifest.datasets = vec![DatasetInfo {
        source: "closed".into(),
        name: "esol".into(),
        opt_in: Some(OptIn { name: "their-terms".into(), terms: "Not for sale.".into() }),
        files: vec![super::support::offers::file("esol.csv")],
        ..DatasetInfo::default()
    }];
    let all: Vec<_> = plugins().plugins().iter().cloned().chain([tables, closed]).collect();
    let (set, errors) = PluginSet::new(all);
    assert!(errors.is_empty(), "{errors:?}");
    set
}

const TABLE: &str = "[[dataset]]\nsource = \"moleculenet\"\nnames = [\"freesolv\"]\n";

/// A suite whose one dataset table (from line 14) is this.
fn text(table: &str) -> String {
    let good = small("");
    assert!(good.contains(TABLE));
    good.replacen(TABLE, &format!("[[dataset]]\n{table}\n"), 1)
}

fn planned(folder: &Path, table: &str) -> Result<Plan, String> {
    let file = folder.join("suite.toml");
    let suite = Suite::parse(&file.display().to_string(), &text(table)).map_err(|error| error.to_string())?;
    plan::build(&suite, &with_files(), &corpora, &no_hub).map_err(|error| error.to_string())
}

fn spec(plan: &Plan, index: usize) -> TokeniseDataset {
    match plan.bind(index, &|_| None::<&Finished>).unwrap().spec {
        CellSpec::TokeniseDataset(spec) => spec,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_of_ones_own_becomes_a_cell_with_tasks_parameters_and_digest() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/own.v2.csv.gz"), "abc").unwrap();
    let table = "source = \"table\"\npath = \"data/own.v2.csv.gz\"\ntask = \"regression\"\nunit = \"mol/L\"\nscore = \"mae\"\n\
                 targets = [\"logS\", { column = \" p K \", unit = \"1\" }, { column = \"toxic\", task = \"classification\", score = \"pr_auc\" }]\n\
                 split = \"random\"\nfractions = [0.7, 0.1, 0.2]\nparams = { smiles = \"SMILES\" }";
    let plan = planned(folder.path(), table).unwrap();
    assert_eq!(plan.cells[0].key, "tokenise/own");
    let found = spec(&plan, 0);
    let tasks: Vec<(&str, TaskKind, &str, &str)> =
        found.tasks.iter().map(|task| (task.name.as_str(), task.kind, task.unit.as_str(), task.score.as_str())).collect();
    let expected = [
        ("logS", TaskKind::Regression, "mol/L", "mae"),
        ("p K", TaskKind::Regression, "1", "mae"),
        ("toxic", TaskKind::Classification, "", "pr_auc"),
    ];
    assert_eq!(tasks, expected);
    let params = serde_json::to_string(&found.params).unwrap();
    assert_eq!(params, r#"{"delimiter":"auto","skip":0,"smiles":"SMILES","split_column":""}"#);
    assert_eq!((found.split.algorithm.as_str(), found.split.seed), ("random", Some(0)));
    assert_eq!(found.split.fractions, (Number(0.7), Number(0.1)));
    // SHA-256 of `abc` is the example of FIPS 180-2.
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let file = FileRef { name: "file".into(), sha256: sha256.into() };
    assert_eq!((found.files.as_slice(), found.sha256_csv), ([file.clone()].as_slice(), None));
    assert_eq!(plan.bind(0, &|_| None::<&Finished>).unwrap().inputs, [("source:file".to_owned(), Input::Source(file))]);
    assert_eq!((plan.local.len(), plan.local[0].sha256.as_str()), (1, sha256));
    assert_eq!(plan.local[0].path, folder.path().join("data/own.v2.csv.gz"));
    let transfer = plan.cells.iter().filter(|cell| cell.key.ends_with("/own/probe")).count();
    assert_eq!(transfer, 6, "four checkpoints and two controls");
}

#[test]
fn the_identity_follows_bytes_tasks_parameters_and_split_but_not_the_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.csv"), "abc").unwrap();
    std::fs::write(folder.path().join("copy.csv"), "abc").unwrap();
    std::fs::write(folder.path().join("other.csv"), "abd").unwrap();
    let of = |table: &str| identity(&CellSpec::TokeniseDataset(spec(&planned(folder.path(), table).unwrap(), 0))).unwrap();
    let base = "source = \"table\"\npath = \"own.csv\"\ntargets = [\"y\"]\ntask = \"regression\"\nnames = [\"n\"]";
    let first = of(base);
    assert_eq!(first, of(&base.replace("own.csv", "copy.csv")));
    assert_eq!(first, of(&format!("{base}\nscore = \"rmse\"\nsplit = \"scaffold\"\nfractions = [0.8, 0.1, 0.1]")));
    let mut all = vec![first];
    for changed in [
        base.replace("own.csv", "other.csv"),
        base.replace("\"y\"]", "\"y\", \"z\"]"),
        base.replace("regression", "classification"),
        base.replace("[\"n\"]", "[\"m\"]"),
        format!("{base}\nunit = \"K\""),
        format!("{base}\nscore = \"r2\""),
        format!("{base}\nparams = {{ smiles = \"S\" }}"),
        format!("{base}\nsplit = \"random\""),
        format!("{base}\nsplit = \"random\"\nsplit_seed = 1"),
        format!("{base}\nsplit = \"scaffold_balanced\""),
        format!("{base}\nsplit = \"given\"\nparams = {{ split_column = \"s\" }}"),
        format!("{base}\nfractions = [0.7, 0.2, 0.1]"),
    ] {
        all.push(of(&changed));
    }
    let different: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len(), "{all:#?}");
}

/// What earlier versions wrote for a dataset of a plugin must stay, byte for byte.
#[test]
fn datasets_of_plugins_keep_their_identities() {
    let folder = tempfile::tempdir().unwrap();
    let plan = planned(folder.path(), "source = \"moleculenet\"\nnames = [\"freesolv\"]").unwrap();
    let json = serde_json::to_string(&spec(&plan, 0)).unwrap();
    let expected = "{\"revision\":4,\"plugin\":{\"name\":\"sets\",\"version\":\"0.1.0\"},\"source\":\"moleculenet\",\"dataset\":\"freesolv\",\
                    \"files\":[{\"name\":\"freesolv.csv\",\"sha256\":\"9cd3ec84bdd28f34f2fe7bff6a2bfbb1ba4d5f1ae3ad1f3cb7bb39c1cbba7dd0\"}],\
                    \"sha256_csv\":null,\"tokenizer\":{\"kind\":\"smiles\",\"max_tokens\":128},\
                    \"split\":{\"algorithm\":\"scaffold\",\"fractions\":[0.8,0.1]}}";
    let digest = |text: &str| text.split("\"sha256\":\"").nth(1).map(|rest| rest[..64].to_owned()).unwrap();
    assert_eq!(json, expected.replace(&digest(expected), &digest(&json)));
}

/// Two datasets may call different files alike, and one file may be had from several places: name and digest find it.
#[test]
fn files_of_one_name_are_told_apart() {
    let file = |url: &str| SourceFile { urls: vec![UrlFile { url: url.into(), bytes: 1, md5: None, sha256: None }], ..same() };
    fn same() -> SourceFile {
        super::support::offers::file("data.csv")
    }
    let dataset = |name: &str, file, content: Option<&str>| DatasetInfo {
        source: "two".into(),
        name: name.into(),
        files: vec![file],
        sha256_csv: content.map(str::to_owned),
        ..DatasetInfo::default()
    };
    let mut two = plugin("two", "0.1.0");
    two.manifest.datasets = vec![
        dataset("known", file("https://a.org/a.csv"), Some("aa")),
        dataset("other", file("https://b.org/b.csv"), Some("bb")),
        dataset("pinned", same(), None),
        dataset("unknown", SourceFile { wheel: None, ..file("https://c.org/c.csv") }, None),
    ];
    let (set, errors) = PluginSet::new(plugins().plugins().iter().cloned().chain([two]).collect());
    assert!(errors.is_empty(), "{errors:?}");
    let table = "source = \"two\"\nnames = [\"known\", \"other\", \"pinned\", \"unknown\"]";
    let plan = plan::build(&Suite::parse("suite.toml", &text(table)).unwrap(), &set, &corpora, &no_hub).unwrap();
    let found = |name: &str| {
        let sources = plan.sources_of_cell(&format!("tokenise/{name}"));
        assert_eq!(sources.len(), 1, "{name}");
        (sources[0].owner.clone(), sources[0].reference.sha256.clone(), sources[0].content_judges())
    };
    assert_eq!(found("known"), ("two/known".into(), "content:aa".into(), true));
    assert_eq!(found("other"), ("two/other".into(), "content:bb".into(), true));
    assert_eq!(found("pinned"), ("two/pinned".into(), same().sha256().unwrap().into(), false));
    assert_eq!(found("unknown"), ("two/unknown".into(), "unknown:https://c.org/c.csv".into(), false));
}

#[test]
fn terms_of_a_dataset_are_in_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let plan = planned(folder.path(), "source = \"closed\"\nnames = [\"esol\"]").unwrap();
    let terms = &plan.terms[0];
    assert_eq!((terms.dataset.as_str(), terms.terms.name.as_str()), ("closed/esol", "their-terms"));
    assert_eq!((plan.terms.len(), terms.files.as_slice()), (1, plan.sources[..1].as_ref()));
    assert!(planned(folder.path(), "source = \"moleculenet\"\nnames = [\"lipo\"]").unwrap().terms.is_empty());
}

#[test]
fn every_mistake_in_a_dataset_is_said_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.csv"), "abc").unwrap();
    std::fs::write(folder.path().join("own data.csv"), "abc").unwrap();
    let file = "source = \"table\"\npath = \"own.csv\"\ntargets = [\"y\"]\ntask = \"regression\"";
    let plain = "source = \"moleculenet\"\nnames = [\"freesolv\"]";
    let with = |base: &str, more: &str| format!("{base}\n{more}");
    let cases: Vec<(String, &str)> = vec![
        // What belongs to a file.
        (
            "source = \"table\"".into(),
            "14: [[dataset]] lacks `names`. Add, for example, `names = [\"freesolv\"]` or, for a file of your own, `path = \"own.csv\"`.",
        ),
        (
            with(plain, "targets = [\"y\"]"),
            "17: `targets` in [[dataset]]: belongs to a file of your own; name it with `path = \"own.csv\"`, or remove the key.",
        ),
        (
            with(plain, "score = \"mae\""),
            "17: `score` in [[dataset]]: belongs to a file of your own; name it with `path = \"own.csv\"`, or remove the key.",
        ),
        (
            "source = \"moleculenet\"\npath = \"own.csv\"\ntargets = [\"y\"]\ntask = \"regression\"".into(),
            "16: source `moleculenet` reads no file of yours. Remove `path` and what belongs to it, or write `source = \"table\"`.",
        ),
        (
            "source = \"table\"\nnames = [\"own\"]".into(),
            "14: source `table` reads a file of yours (a table with SMILES and labels), and the table names none. Add, for example, \
             `path = \"own.csv\"`, `targets = [\"solubility\"]` and `task = \"regression\"`.",
        ),
        (
            file.replace("\"table\"", "\"tabel\""),
            "14: no plugin offers dataset source `tabel`. Did you mean `table`? `clmbench plugin list` shows all; `--plugins DIR` adds a \
             folder, `clmbench plugin build DIR` installs a plugin of yours.",
        ),
        (with(plain, "path = \"\""), "17: `path` in [[dataset]]: the text is empty; write, for example, `own.csv`."),
        (
            file.replace("own.csv", "none.csv"),
            "16: the dataset file DIR/none.csv cannot be read: No such file or directory (os error 2). Paths are relative to the suite \
             file.",
        ),
        (
            with(&file.replace("own.csv", "."), "names = [\"a\"]"),
            "16: the dataset file DIR/. cannot be read: it is no file. Paths are relative to the suite file.",
        ),
        // Names.
        (
            with(file, "names = [\"a\", \"b\"]"),
            "19: `names` in [[dataset]]: a file is one dataset: write one name, and one table for each file.",
        ),
        (with(file, "names = [\"a/b\"]"), "19: `names` in [[dataset]]: `a/b` must be 1 to 64 letters, digits, `-`, `_` or `.`."),
        (file.replace("own.csv", "own data.csv"), "14: [[dataset]] lacks `names`. Add, for example, `names = [\"own\"]`."),
        (format!("{file}\n[[dataset]]\n{file}"), "19: dataset `table/own` is named twice, first on line 14. Remove one."),
        (
            format!("{file}\n[[dataset]]\n{file}\nsplit = \"random\""),
            "19: dataset `table/own` is named twice, first on line 14 with another split. A suite has one split of a dataset: give the \
             second another name with `names`.",
        ),
        (
            format!("{plain}\n[[dataset]]\n{plain}\nsplit = \"random\""),
            "17: dataset `moleculenet/freesolv` is named twice, first on line 14 with another split. A suite has one split of a dataset: \
             write a second suite for the other; both keep their results in one store.",
        ),
        // Targets.
        (
            "source = \"table\"\npath = \"own.csv\"\ntask = \"regression\"".into(),
            "14: [[dataset]] lacks `targets`. Add, for example, `targets = [\"solubility\"]`.",
        ),
        (
            file.replace("[\"y\"]", "[]"),
            "17: `targets` in [[dataset]] is empty. Name at least one, for example `targets = [\"solubility\"]`, or remove the table.",
        ),
        (
            file.replace("[\"y\"]", "\"y\""),
            "17: `targets` in [[dataset]] must be a list, such as `targets = [\"solubility\"]`, but a string is written.",
        ),
        (
            file.replace("[\"y\"]", "[\"y\", 3]"),
            "17: `targets` in [[dataset]] must be a list of strings or tables, such as `targets = [\"solubility\"]`, but a whole number is \
             written.",
        ),
        (file.replace("[\"y\"]", "[\"y\", \" y \"]"), "17: `targets` in [[dataset]]: `y` is written twice; remove one."),
        (
            file.replace("[\"y\"]", "[\" \"]"),
            "17: `targets` in [[dataset]]: the name of a column is empty; write, for example, `targets = [\"solubility\"]`.",
        ),
        (
            file.replace("[\"y\"]", "[\"a\\u001Bb\"]"),
            "17: `targets` in [[dataset]]: `a\\u{1b}b` is no name of a column: it has control characters, or over 200 letters.",
        ),
        (
            file.replace("[\"y\"]", "[{ task = \"regression\" }]"),
            "17: `targets` of [[dataset]] lacks `column`. Add, for example, `column = \"solubility\"`.",
        ),
        (
            file.replace("[\"y\"]", "[{ column = \"y\", units = \"K\" }]"),
            "17: unknown key `units` in `targets` of [[dataset]]. Did you mean `unit`?",
        ),
        // Kinds, units and scores.
        (
            "source = \"table\"\npath = \"own.csv\"\ntargets = [\"y\"]".into(),
            "14: [[dataset]] lacks `task`. Add, for example, `task = \"regression\"` or `task = \"classification\"`.",
        ),
        (
            file.replace("\"regression\"", "\"clasification\""),
            "18: `task` in [[dataset]]: `clasification` is no kind of task. Did you mean `classification`?",
        ),
        (
            file.replace("[\"y\"]", "[{ column = \"y\", task = \"x\" }]"),
            "17: `task` in `targets` of [[dataset]]: `x` is no kind of task. Known: `regression`, `classification`.",
        ),
        (
            with(file, "score = \"roc_auc\""),
            "19: `score` in [[dataset]]: `roc_auc` is no score of `y`, which is a regression task: `rmse`, `mae`, `r2`, `spearman`.",
        ),
        (
            file.replace("[\"y\"]", "[{ column = \"y\", task = \"classification\", score = \"rmse\" }]"),
            "17: `score` in `targets` of [[dataset]]: `rmse` is no score of `y`, which is a classification task: `roc_auc`, `pr_auc`.",
        ),
        (
            with(&file.replace("\"regression\"", "\"classification\""), "unit = \"K\""),
            "19: `unit` in [[dataset]]: classes have no unit; remove the key, or write `task = \"regression\"`.",
        ),
        (
            file.replace("[\"y\"]", "[{ column = \"y\", task = \"classification\", unit = \"K\" }]"),
            "17: `unit` in `targets` of [[dataset]]: classes have no unit; remove the key, or write `task = \"regression\"`.",
        ),
        // Parameters.
        (with(file, "params = { smile = \"S\" }"), "14: source `table` has no parameter `smile`. Did you mean `smiles`?"),
        (
            with(file, "params = { delimiter = \"coma\" }"),
            "14: parameter `delimiter` of source `table`: `coma` is not a choice. Did you mean `comma`?",
        ),
        (
            with(file, "params = { smiles = 3 }"),
            "14: parameter `smiles` of source `table`: 3 is not a string; the default is \"\".",
        ),
        (with(file, "params = { skip = 10 }"), "14: parameter `skip` of source `table`: 10 is above its largest value, 9."),
        (with(plain, "params = { smiles = \"S\" }"), "14: dataset `moleculenet/freesolv` has no parameter `smiles`."),
        (
            with(file, "params = 3"),
            "19: `params` in [[dataset]] must be a table, such as `params = { smiles = \"SMILES\" }`, but a whole number is written.",
        ),
        // Splits.
        (with(plain, "split = \"scafold\""), "17: `split` in [[dataset]]: `scafold` is not a split. Did you mean `scaffold`?"),
        (
            with(plain, "split = \"zzz\""),
            "17: `split` in [[dataset]]: `zzz` is not a split. Known: `scaffold`, `scaffold_balanced`, `random`, `stratified`, `butina`, \
             `given`, `file`, `recommended`.",
        ),
        (
            with(plain, "split_seed = 1"),
            "17: `split_seed` in [[dataset]]: the split `scaffold` has no seed, it is always the same. Remove the key.",
        ),
        (
            with(plain, "split = \"random\"\nsplit_seed = -1"),
            "18: `split_seed` in [[dataset]]: -1 is outside 0 to 1000000000000.",
        ),
        (
            with(plain, "fractions = [0.8, 0.2]"),
            "17: `fractions` in [[dataset]]: 2 numbers are written; three are wanted, for training, validation and testing.",
        ),
        (with(plain, "fractions = [0.8, 0.2, 0.2]"), "17: `fractions` in [[dataset]]: 0.8 + 0.2 + 0.2 is 1.2, not 1."),
        (
            with(plain, "fractions = [0.9, 0.1, 0]"),
            "17: `fractions` in [[dataset]]: 0 is not between 0 and 1; no part may be empty.",
        ),
        (
            with(plain, "fractions = [0.8, 0.1, \"x\"]"),
            "17: `fractions` in [[dataset]] must be a list of finite numbers, such as `fractions = [0.8, 0.1, 0.1]`, but a string is written.",
        ),
        (
            with(file, "params = { split_column = \"fold\" }"),
            "14: `split_column` is read only under `split = \"given\"`, but the split is `scaffold`. Write `split = \"given\"`, or remove the \
             parameter.",
        ),
        (
            with(file, "split = \"given\""),
            "14: `split = \"given\"` needs to know which column names the part of each molecule. Add, for example, `params = { split_column \
             = \"split\" }`.",
        ),
        (with(plain, "splits = \"random\""), "17: unknown key `splits` in [[dataset]]. Did you mean `split`?"),
    ];
    for (table, expected) in cases {
        let message = planned(folder.path(), &table).err().unwrap_or_else(|| panic!("accepted:\n{table}"));
        let message = message.replace(&folder.path().display().to_string(), "DIR");
        assert_eq!(message, format!("DIR/suite.toml:{expected}"), "\n{table}");
    }
}

#[test]
fn a_given_split_has_a_seed_only_where_one_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let seed = |more: &str| {
        let table = format!("source = \"moleculenet\"\nnames = [\"freesolv\"]\n{more}");
        spec(&planned(folder.path(), &table).unwrap(), 0).split.seed
    };
    assert_eq!(seed("split = \"given\""), None);
    assert_eq!(seed("split = \"given\"\nsplit_seed = 4"), Some(4));
    assert_eq!((seed("split = \"random\""), seed("split = \"scaffold\"")), (Some(0), None));
}

#[test]
fn a_file_of_which_nothing_is_declared_is_known_by_the_bytes_that_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.csv");
    let mut open = plugin("open", "0.1.0");
    let url = UrlFile { url: "https://a.org/q.csv".into(), md5: None, sha256: None, bytes: 9 };
    open.manifest.datasets = vec![DatasetInfo {
        source: "open".into(),
        name: "q".into(),
        tasks: plugins().plugins()[0].manifest.datasets.first().map(|info| info.tasks.clone()).unwrap_or_default(),
        recommended_split: "random".into(),
        files: vec![SourceFile { name: "q.csv".into(), wheel: None, urls: vec![url] }],
        ..DatasetInfo::default()
    }];
    let (set, _) = PluginSet::new(plugins().plugins().iter().cloned().chain([open]).collect());
    let table = "source = \"open\"\nnames = [\"q\"]\nsplit = \"random\"";
    let fresh = || plan::build(&Suite::parse("suite.toml", &text(table)).unwrap(), &set, &corpora, &no_hub).unwrap();
    let settled = |bytes: &str| {
        let mut plan = fresh();
        std::fs::write(&path, bytes).unwrap();
        let open = plan.unsettled();
        assert_eq!(open.iter().map(|wanted| wanted.file.name.as_str()).collect::<Vec<_>>(), ["q.csv"]);
        plan.settle(&open[0].reference, &path).unwrap();
        assert_eq!(plan.unsettled(), []);
        let cell = spec(&plan, 0);
        assert_eq!(plan.sources.iter().filter(|source| source.reference == cell.files[0]).count(), 1);
        (cell.files[0].sha256.clone(), identity(&CellSpec::TokeniseDataset(cell)).unwrap())
    };
    // SHA-256 of `abc` is the example of FIPS 180-2.
    let (sha256, first) = settled("abc");
    assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_ne!(settled("abd").1, first, "another file is another cell");
    assert_eq!(settled("abc").1, first);
}
