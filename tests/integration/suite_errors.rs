//! Suites that are refused: the exact words, with line, key and the nearest name, and status 2 (one table of all kinds).

use std::fs;

use crate::{
    bench::{Bench, SMALL},
    real::checkout,
};

/// What is changed in the small suite (a text and what stands for it, once), and what `clmbench plan` says then.
const CHANGES: &[(&str, &str, &str)] = &[
    // Top level.
    ("schema = 1", "shema = 1", "suite.toml:1: unknown key `shema` in the suite. Did you mean `schema`?"),
    ("schema = 1", "", "suite.toml:1: the suite lacks `schema`. Add, for example, `schema = 1`."),
    ("schema = 1", "schema = 2", "suite.toml:1: `schema = 2` is not known; this version reads `schema = 1`. Update clmbench."),
    ("schema = 1", "schema = 0", "suite.toml:1: `schema = 0` is not known; this version reads `schema = 1`. Write `schema = 1`."),
    (
        "schema = 1",
        "schema = \"1\"",
        "suite.toml:1: `schema` in the suite must be a whole number, such as `1`, but a string is written.",
    ),
    (
        "schema = 1",
        "schema = 99999999999999999999999999",
        "suite.toml:1: `schema` in the suite: 99999999999999999999999999 is outside 0 to 1000000000000.",
    ),
    ("schema = 1", "schema = 1\nsuite = 3", "suite.toml:3: not valid TOML: duplicate key."),
    ("[[model]]", "[[modell]]", "suite.toml:9: unknown key `modell` in the suite. Did you mean `model`?"),
    (
        "[[model]]",
        "[model]",
        "suite.toml:9: `model` in the suite must be an array of tables, written `[[model]]`, but a table is written.",
    ),
    (
        "[[dataset]]",
        "[[checkpoint]]\nhub = \"a/b\"\n[[dataset]]",
        "suite.toml:14: `revision` in [[checkpoint]]: is not written. A suite pins the commit, since branches move: `clmbench model import a/b@main` says which it is now. Until then write `revision = \"unpinned\"`: the suite plans, but does not run.",
    ),
    (
        "[[metric]]",
        "[fit]\nuseful_effect = 1.5\n[[metric]]",
        "suite.toml:18: `useful_effect` in [fit]: 1.5 is not between 0 and 1 (a rank correlation).",
    ),
    (
        "[[metric]]",
        "[fit]\nuseful = 0.5\n[[metric]]",
        "suite.toml:18: unknown key `useful` in [fit]. Did you mean `useful_effect`?",
    ),
    // [suite]
    ("seed = 7", "sede = 7", "suite.toml:4: unknown key `sede` in [suite]. Did you mean `seed`?"),
    ("seed = 7", "seed = -7", "suite.toml:4: `seed` in [suite]: -7 is outside 0 to 1000000000000."),
    (
        "seed = 7",
        "seed = 7.5",
        "suite.toml:4: `seed` in [suite] must be a whole number, such as `7`, but a number with a fraction, or not finite is written.",
    ),
    (
        "seed = 7",
        "seed = 18446744073709551616",
        "suite.toml:4: `seed` in [suite]: 18446744073709551616 is outside 0 to 1000000000000.",
    ),
    ("seed = 7", "seed = 7\nseed = 8", "suite.toml:5: not valid TOML: duplicate key."),
    (
        "seed = 7",
        "seed = 7\nexpect = \"predict\"",
        "suite.toml:5: `expect` in [suite]: `predict` is not an outcome. Did you mean `predicts`?",
    ),
    ("name = \"small\"", "", "suite.toml:2: [suite] lacks `name`. Add, for example, `name = \"demo\"`."),
    ("name = \"small\"", "name = \"\"", "suite.toml:3: `name` in [suite]: the text is empty; write, for example, `demo`."),
    (
        "name = \"small\"",
        "name = \"../up\\u001b[31m\"",
        "suite.toml:3: `name` in [suite]: `../up\\u{1b}[31m` must be 1 to 64 letters, digits, `-`, `_` or `.`.",
    ),
    (
        "name = \"small\"",
        "name = [\"small\"]",
        "suite.toml:3: `name` in [suite] must be a string, such as `demo`, but a list is written.",
    ),
    ("name = \"small\"", "name = \"small", "suite.toml:3: not valid TOML: invalid basic string, expected `\"`."),
    // [[corpus]]
    ("name = \"moses\"", "name = \"mosess\"", "suite.toml:5: there is no corpus `mosess`. Did you mean `moses`?"),
    (
        "name = \"moses\"",
        "path = \"absent.smi\"",
        "suite.toml:5: the corpus file absent.smi cannot be read: No such file or directory (os error 2). Paths are relative to the suite file.",
    ),
    (
        "name = \"moses\"",
        "path = \"molecules.xyz\"",
        "suite.toml:6: `path` in [[corpus]]: `molecules.xyz` has no ending that is known: .smi and .txt hold one molecule a line, .csv and .csv.gz a column of them.",
    ),
    (
        "name = \"moses\"",
        "name = \"moses\"\ncolumn = \"smiles\"",
        "suite.toml:7: `column` in [[corpus]]: belongs to a file; name it with `path`, or remove the column.",
    ),
    ("sizes = [500]", "size = [500]", "suite.toml:7: unknown key `size` in [[corpus]]. Did you mean `sizes`?"),
    ("sizes = [500]", "", "suite.toml:5: [[corpus]] lacks `sizes`. Add, for example, `sizes = [5_000, 20_000]`."),
    (
        "sizes = [500]",
        "sizes = []",
        "suite.toml:7: `sizes` in [[corpus]] is empty. Name at least one, for example `sizes = [5_000, 20_000]`, or remove the table.",
    ),
    (
        "sizes = [500]",
        "sizes = 500",
        "suite.toml:7: `sizes` in [[corpus]] must be a list, such as `sizes = [5_000, 20_000]`, but a whole number is written.",
    ),
    ("sizes = [500]", "sizes = [500, 500]", "suite.toml:7: `sizes` in [[corpus]]: 500 is written twice; remove one."),
    (
        "sizes = [500]",
        "sizes = [500, \"2000\"]",
        "suite.toml:7: `sizes` in [[corpus]] must be a whole number, such as `sizes = [5_000, 20_000]`, but a string is written.",
    ),
    ("heldout = 64", "heldout = 0", "suite.toml:8: `heldout` in [[corpus]]: 0 is outside 1 to 1000000000000."),
    (
        "heldout = 64",
        "smiles = \"canonicle\"",
        "suite.toml:8: `smiles` in [[corpus]]: `canonicle` is not a way to write molecules. Did you mean `canonical`?",
    ),
    (
        "[[model]]",
        "[[corpus]]\nname = \"moses\"\nsizes = [100]\n[[model]]",
        "suite.toml:9: corpus `moses` is named twice, first on line 5. Remove one.",
    ),
    // [[model]]
    (
        "architecture = \"fake\"",
        "architecture = \"fakes\"",
        "suite.toml:9: no plugin offers architecture `fakes`. Did you mean `fake`? `clmbench plugin list` shows all; `--plugins DIR` adds a folder, `clmbench plugin build DIR` installs a plugin of yours.",
    ),
    ("architecture = \"fake\"", "", "suite.toml:9: [[model]] lacks `architecture`. Add, for example, `architecture = \"bert\"`."),
    ("presets = [\"a\"]", "presets = [\"e\"]", "suite.toml:9: architecture `fake` has no preset `e`. Known: `a`, `b`, `c`, `d`."),
    (
        "presets = [\"a\"]",
        "",
        "suite.toml:9: [[model]] lacks `presets`. Add, for example, `presets = [\"0.06M\"]` or `overrides = [{ layers = 2, width = 64 }]`.",
    ),
    (
        "presets = [\"a\"]",
        "overrides = [{ layer = 2 }]",
        "suite.toml:9: architecture `fake` has no parameter `layer`. Did you mean `layers`?",
    ),
    (
        "presets = [\"a\"]",
        "overrides = [{ layers = 99999 }]",
        "suite.toml:9: parameter `layers` of architecture `fake`: 99999 is above its largest value, 4096.",
    ),
    (
        "presets = [\"a\"]",
        "overrides = [{ layers = \"two\" }]",
        "suite.toml:9: parameter `layers` of architecture `fake`: \"two\" is not a whole number; the default is 2.",
    ),
    (
        "presets = [\"a\"]",
        "overrides = [{ layers = nan }]",
        "suite.toml:11: `overrides.layers` in [[model]] must be finite numbers, `true`, `false` and strings only, such as `overrides = [{ layers = 2, width = 64 }]`, but a number with a fraction, or not finite is written.",
    ),
    (
        "presets = [\"a\"]",
        "overrides = [{ layers = 1, width = 64 }]\npresets = [\"a\"]",
        "suite.toml:9: `fake-layers1-width64` is the same as `fake-a`; counting it twice would count one run as two. Remove one.",
    ),
    ("tokens = 1000", "token = 1000", "suite.toml:12: unknown key `token` in [[model]]. Did you mean `tokens`?"),
    ("tokens = 1000", "tokens = 0", "suite.toml:12: `tokens` in [[model]]: 0 is outside 1 to 1000000000000."),
    (
        "tokens = 1000",
        "tokens = 1_000_000_000_000_000",
        "suite.toml:12: `tokens` in [[model]]: 1000000000000000 is outside 1 to 1000000000000.",
    ),
    (
        "tokens = 1000",
        "tokens = true",
        "suite.toml:12: `tokens` in [[model]] must be a whole number, such as `600_000`, but `true` or `false` is written.",
    ),
    ("checkpoints = 1", "checkpoints = 0", "suite.toml:13: `checkpoints` in [[model]]: 0 is outside 1 to 1000."),
    (
        "checkpoints = 1",
        "lr = 0",
        "suite.toml:13: `lr` in [[model]]: 0 is not a learning rate between 0 and 10; write `\"preset\"` or, for example, `1e-3`.",
    ),
    (
        "checkpoints = 1",
        "lr = inf",
        "suite.toml:13: `lr` in [[model]] must be a finite number, such as `\"preset\"` or `1e-3`, but a number with a fraction, or not finite is written.",
    ),
    (
        "checkpoints = 1",
        "lr = \"presets\"",
        "suite.toml:13: `lr` in [[model]]: must be `\"preset\"` (the rate found for each size) or a number, such as `lr = 1e-3`.",
    ),
    (
        "checkpoints = 1",
        "schedule = \"cosin\"",
        "suite.toml:13: `schedule` in [[model]]: `cosin` is not a schedule. Did you mean `cosine`?",
    ),
    (
        "checkpoints = 1",
        "batch = 1000",
        "suite.toml:9: `batch = 1000` is more than the 500 molecules of corpus `moses`. Write at most 500, or a larger size of the corpus.",
    ),
    (
        "checkpoints = 1",
        "batch = 4\naccumulate = 8",
        "suite.toml:14: `accumulate` in [[model]]: 8 parts of a batch of 4 would be empty; at most 4.",
    ),
    (
        "checkpoints = 1",
        "precision = \"float16\"",
        "suite.toml:13: `precision` in [[model]]: `float16` is not a precision. Did you mean `bfloat16`?",
    ),
    (
        "checkpoints = 1",
        "mask_ratio = 1",
        "suite.toml:13: `mask_ratio` in [[model]]: 1 is outside 0.01 to 0.9 (the share of tokens to predict).",
    ),
    // [[dataset]]
    ("source = \"fake\"", "sources = \"fake\"", "suite.toml:15: unknown key `sources` in [[dataset]]. Did you mean `source`?"),
    ("source = \"fake\"", "", "suite.toml:14: [[dataset]] lacks `source`. Add, for example, `source = \"moleculenet\"`."),
    (
        "names = [\"alpha\"]",
        "names = [\"alfa\"]",
        "suite.toml:14: no plugin offers dataset `fake/alfa`. Did you mean `fake/alpha`? `clmbench plugin list` shows all; `--plugins DIR` adds a folder, `clmbench plugin build DIR` installs a plugin of yours.",
    ),
    (
        "source = \"fake\"",
        "source = \"moleculenett\"",
        "suite.toml:14: no plugin offers dataset `moleculenett/alpha`. Known: `fake/alpha`, `fake/beta`. `clmbench plugin list` shows all; `--plugins DIR` adds a folder, `clmbench plugin build DIR` installs a plugin of yours.",
    ),
    (
        "names = [\"alpha\"]",
        "names = [\"alpha\", \"alpha\"]",
        "suite.toml:16: `names` in [[dataset]]: `alpha` is written twice; remove one.",
    ),
    (
        "names = [\"alpha\"]",
        "names = \"alpha\"",
        "suite.toml:16: `names` in [[dataset]] must be a list, such as `names = [\"freesolv\"]`, but a string is written.",
    ),
    (
        "names = [\"alpha\"]",
        "",
        "suite.toml:14: [[dataset]] lacks `names`. Add, for example, `names = [\"freesolv\"]` or, for a file of your own, `path = \"own.csv\"`.",
    ),
    (
        "[[metric]]",
        "[[dataset]]\nsource = \"fake\"\nnames = [\"alpha\"]\n[[metric]]",
        "suite.toml:17: dataset `fake/alpha` is named twice, first on line 14. Remove one.",
    ),
    (
        "names = [\"alpha\"]",
        "names = [\"alpha\"]\nsplit = \"scafold\"",
        "suite.toml:17: `split` in [[dataset]]: `scafold` is not a split. Did you mean `scaffold`?",
    ),
    // [[metric]]
    (
        "id = \"fake/noise\"",
        "id = \"fake/nois\"",
        "suite.toml:17: no plugin offers metric `fake/nois`. Did you mean `fake/noise`? `clmbench plugin list` shows all; `--plugins DIR` adds a folder, `clmbench plugin build DIR` installs a plugin of yours.",
    ),
    ("id = \"fake/noise\"", "idd = \"fake/noise\"", "suite.toml:18: unknown key `idd` in [[metric]]. Did you mean `id`?"),
    (
        "id = \"fake/noise\"",
        "",
        "suite.toml:17: [[metric]] lacks `id`. Add, for example, `id = \"loss/mlm_loss\"` or `select = \"cost:cheap\"`.",
    ),
    (
        "id = \"fake/noise\"",
        "id = \"fake/noise\"\nselect = \"all\"",
        "suite.toml:19: `select` in [[metric]]: stands beside `id`; keep one of the two.",
    ),
    (
        "id = \"fake/noise\"",
        "select = \"cost:chep\"",
        "suite.toml:18: `select` in [[metric]]: `chep` is not a cost. Did you mean `cheap`?",
    ),
    (
        "id = \"fake/noise\"",
        "select = \"family:trivia\"",
        "suite.toml:17: `select = \"family:trivia\"` selects no installed metric. `clmbench plugin list` shows them. Did you mean `trivial`?",
    ),
    (
        "id = \"fake/noise\"",
        "select = \"best\"",
        "suite.toml:18: `select` in [[metric]]: `best` selects nothing; write `all`, `cost:cheap` or `family:trivial`.",
    ),
    (
        "id = \"fake/noise\"",
        "id = \"fake/noise\"\nparams = { probes = 8 }",
        "suite.toml:17: metric `fake/noise` has no parameter `probes`.",
    ),
    (
        "id = \"fake/noise\"",
        "id = \"fake/noise\"\nparams = {}",
        "suite.toml:19: `params` in [[metric]] is empty. Name at least one, for example `params = { probes = 8 }`, or remove the table.",
    ),
    (
        "id = \"fake/noise\"",
        "id = \"fake/noise\"\nbudget = \"quik\"",
        "suite.toml:19: `budget` in [[metric]]: `quik` is not a budget. Did you mean `quick`?",
    ),
    (
        "id = \"fake/noise\"",
        "id = \"fake/noise\"\n[[metric]]\nid = \"fake/noise\"",
        "suite.toml:19: `fake/noise` is the same as `fake/noise on line 17`; counting it twice would count one run as two. Remove one.",
    ),
    // [[protocol]]
    (
        "[[metric]]",
        "[[protocol]]\nkind = \"prob\"\n[[metric]]",
        "suite.toml:18: `kind` in [[protocol]]: `prob` is not a protocol. Did you mean `probe`?",
    ),
    (
        "[[metric]]",
        "[[protocol]]\ncheckpoints = \"all\"\n[[metric]]",
        "suite.toml:17: [[protocol]] lacks `kind`. Add, for example, `kind = \"probe\"`.",
    ),
    (
        "[[metric]]",
        "[[protocol]]\nkind = \"probe\"\nepochs = 3\n[[metric]]",
        "suite.toml:19: `epochs` in [[protocol]]: a probe has a closed form: it has no seeds, epochs or learning rates. Remove the key.",
    ),
    (
        "[[metric]]",
        "[[protocol]]\nkind = \"probe\"\n[[protocol]]\nkind = \"probe\"\n[[metric]]",
        "suite.toml:19: protocol `probe` is named twice, first on line 17. Remove one.",
    ),
];

/// Whole files, and what `clmbench plan` says.
const FILES: &[(&[u8], &str)] = &[
    (b"", "suite.toml:1: the suite lacks `schema`. Add, for example, `schema = 1`."),
    (b"\xef\xbb\xbf", "suite.toml:1: the suite lacks `schema`. Add, for example, `schema = 1`."),
    (b"schema = 1\r\n[suite]\r\nnam = \"x\"\r\n", "suite.toml:3: unknown key `nam` in [suite]. Did you mean `name`?"),
    (b"\xef\xbb\xbfschema = 1\n[suite]\nnam = \"x\"\n", "suite.toml:3: unknown key `nam` in [suite]. Did you mean `name`?"),
    (
        b"schema = 1\n[suite]\nname = \"\xff\"\n",
        "suite.toml:3: the file is not UTF-8 text. Save it as UTF-8, or check that it is a suite.",
    ),
    (b"schema = 1\n[suite\n", "suite.toml:2: not valid TOML: unclosed table, expected `]`."),
    (b"= 1\n", "suite.toml:1: not valid TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`."),
    (b"schema = 1\n\x00", "suite.toml:2: not valid TOML: key with no value, expected `=`."),
    (b"{\"schema\": 1}", "suite.toml:1: not valid TOML: invalid key-value pair, expected key."),
];

/// Asserts that `plan` says just this, and ends as a wrong suite does; `run` says the same.
fn check(bench: &Bench, name: &str, expected: &str, wrong: &mut Vec<String>, what: &str) {
    let answer = bench.clmbench(&["plan", name]);
    let said = answer.stderr.trim_end_matches('\n');
    let found = said.strip_prefix("error: ").unwrap_or(said);
    if answer.status.code() != Some(2) || found != expected || !answer.stdout.is_empty() {
        wrong.push(format!("{what:?}\n  status {:?}\n  {found:?}\n  {}", answer.status.code(), answer.stdout));
    }
}

#[test]
fn every_wrong_suite_is_told_in_these_words() {
    let bench = Bench::new(SMALL);
    let mut wrong = Vec::new();
    for (from, to, expected) in CHANGES {
        assert!(SMALL.contains(from), "{from}");
        fs::write(bench.path("suite.toml"), SMALL.trim_start().replacen(from, to, 1)).unwrap();
        check(&bench, "suite.toml", expected, &mut wrong, to);
    }
    for (bytes, expected) in FILES {
        fs::write(bench.path("suite.toml"), bytes).unwrap();
        check(&bench, "suite.toml", expected, &mut wrong, &String::from_utf8_lossy(bytes));
    }
    assert!(wrong.is_empty(), "{} of them are told otherwise:\n{}", wrong.len(), wrong.join("\n"));
    assert!(!bench.store().exists() && bench.begun().is_empty());
}

#[test]
fn what_is_no_readable_file_is_told_in_these_words() {
    let bench = Bench::new(SMALL);
    fs::create_dir(bench.path("folder.toml")).unwrap();
    fs::write(bench.path("closed.toml"), SMALL).unwrap();
    let mut permissions = fs::metadata(bench.path("closed.toml")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o000);
    fs::set_permissions(bench.path("closed.toml"), permissions).unwrap();
    let demo = checkout().join("benchmarks/suites/demo.toml");
    let next = format!("Check the path.\n  hint: a suite to start from is {}", demo.display());
    let said = |reason: &str, name: &str| format!("{name}: the suite cannot be read ({reason}). {next}");
    let mut wrong = Vec::new();
    check(&bench, "absent.toml", &said("No such file or directory (os error 2)", "absent.toml"), &mut wrong, "absent");
    check(&bench, "folder.toml", &said("Is a directory (os error 21)", "folder.toml"), &mut wrong, "folder");
    if fs::read(bench.path("closed.toml")).is_err() {
        check(&bench, "closed.toml", &said("Permission denied (os error 13)", "closed.toml"), &mut wrong, "closed");
    } else {
        println!("skipped: this user may read every file, so a suite without permission cannot be made");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn byte_order_mark_and_windows_line_ends_change_nothing() {
    let bench = Bench::new(SMALL);
    let plan = |bench: &Bench| bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows();
    let plain = plan(&bench);
    for text in [SMALL.replace('\n', "\r\n"), format!("\u{feff}{}", SMALL.trim_start())] {
        fs::write(bench.path("suite.toml"), text).unwrap();
        assert_eq!(plan(&bench), plain);
    }
    // The cells are the same, too.
    fs::write(bench.path("suite.toml"), SMALL).unwrap();
    bench.run();
    let begun = bench.begun().len();
    fs::write(bench.path("suite.toml"), format!("\u{feff}{}", SMALL.trim_start().replace('\n', "\r\n"))).unwrap();
    bench.run();
    assert_eq!(bench.begun().len(), begun);
}
