//! Suites: what is read, and what is said about what cannot be.

use clmbench_protocol::{Budget, Precision, ScheduleKind, SmilesForm, SourceFormat};
use clmbench_runner::suite::{Checkpoints, FinetuneEntry, LearningRate, Origin, PrecisionChoice, ProtocolKind, Suite, Which};

const GOOD: &str = "schema = 1
[suite]
name = \"demo\"
[[corpus]]
name = \"mixed\"
sizes = [5_000]
[[model]]
architecture = \"bert\"
presets = [\"0.06M\"]
tokens = 600_000
[[dataset]]
source = \"moleculenet\"
names = [\"freesolv\"]
[[metric]]
id = \"loss/mlm_loss\"
";

/// Appended to it where a case replaces it by a table.
const FIT: &str = "#";

#[test]
fn silence_means_the_defaults() {
    let suite = Suite::parse("demo.toml", GOOD).unwrap();
    assert_eq!((suite.seed, suite.expect.as_deref(), suite.useful_effect), (0, None, 0.5));
    assert_eq!(suite.corpora[0].heldout, 4096);
    let model = &suite.models[0];
    assert_eq!((model.checkpoints, model.seeds, model.batch), (1, 1, 64));
    assert_eq!(model.learning_rate, LearningRate::Preset);
    assert_eq!(
        (model.schedule.kind, model.schedule.warmup.0, model.schedule.cooldown.0),
        (ScheduleKind::ConstantWithCooldown, 0.05, 0.15)
    );
    assert_eq!((model.accumulate, model.mask_ratio, model.precision), (1, None, PrecisionChoice::Auto));
    assert_eq!(suite.corpora[0].form, SmilesForm::Canonical);
    assert_eq!(suite.corpora[0].parts[0].origin, Origin::Catalogue("mixed".into()));
    assert_eq!((suite.datasets[0].split.algorithm.as_str(), suite.datasets[0].split.seed), ("scaffold", None));
    assert_eq!((&suite.metrics[0].which, suite.metrics[0].budget), (&Which::Id("loss/mlm_loss".into()), Budget::Standard));
    assert_eq!(suite.protocols[0].checkpoints, Checkpoints::All);
    assert_eq!((suite.models[0].place.line, suite.metrics[0].place.line), (7, 14));
}

#[test]
fn the_demo_is_what_its_issue_says() {
    let text = include_str!("../../../../benchmarks/suites/demo.toml");
    let suite = Suite::parse("demo.toml", text).unwrap();
    assert_eq!((suite.name.as_str(), suite.expect.as_deref()), ("demo", Some("cannot_tell")));
    assert_eq!(suite.corpora[0].sizes, [5_000, 20_000]);
    let shapes: Vec<_> = suite.models[0].overrides.iter().map(|map| (map["layers"].as_u64(), map["width"].as_u64())).collect();
    assert_eq!(shapes, [(1, 64), (2, 64), (2, 128), (4, 128)].map(|(layers, width)| (Some(layers), Some(width))));
    assert_eq!((suite.models[0].tokens, suite.models[0].checkpoints, suite.models[0].seeds), (1_000_000, 1, 1));
    assert_eq!(suite.metrics.last().unwrap().which, Which::Family("trivial".into()));
}

#[test]
fn the_anchors_are_forests_on_the_published_split() {
    let texts = [
        include_str!("../../../../benchmarks/suites/anchors.toml"),
        include_str!("../../../../benchmarks/suites/anchors-more.toml"),
        include_str!("../../../../benchmarks/suites/anchors-hiv.toml"),
    ];
    for text in texts {
        let suite = Suite::parse("anchors.toml", text).unwrap();
        assert!(suite.models.is_empty() && suite.metrics.is_empty() && suite.protocols.is_empty());
        assert!(
            suite.baseline_labels().iter().all(|label| label.starts_with("random forest") && label.ends_with(", ecfp4 1024")),
            "{text}"
        );
        assert!(suite.datasets.iter().all(|entry| entry.split.algorithm == "scaffold" && entry.split.fractions.is_none()));
    }
}

/// Each case replaces a part of the good suite, and says what the message must hold.
#[test]
fn every_mistake_is_named_with_its_line_and_a_way_out() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("schema = 1\n", "", &["demo.toml:1:", "lacks `schema`", "`schema = 1`"]),
        ("schema = 1", "schema = 2", &["demo.toml:1:", "`schema = 2` is not known", "Update clmbench"]),
        ("schema = 1", "schema = \"1\"", &["demo.toml:1:", "`schema`", "a whole number", "a string is written"]),
        ("tokens = 600_000", "token = 600_000", &["demo.toml:10:", "unknown key `token` in [[model]]", "Did you mean `tokens`?"]),
        ("[[corpus]]", "[[corpora]]", &["demo.toml:4:", "unknown key `corpora`", "Did you mean `corpus`?"]),
        ("[[corpus]]", "[corpus]", &["demo.toml:4:", "an array of tables, written `[[corpus]]`", "a table is written"]),
        ("name = \"demo\"", "name = 3", &["demo.toml:3:", "`name` in [suite]", "a string", "a whole number is written"]),
        ("name = \"demo\"", "", &["[suite] lacks `name`", "`name = \"demo\"`"]),
        ("name = \"demo\"", "name = \"a/b\"", &["demo.toml:3:", "letters, digits"]),
        ("name = \"demo\"", "name = \"demo\"\nseed = -1", &["demo.toml:4:", "`seed`", "-1 is outside 0 to"]),
        ("name = \"demo\"", "name = \"demo\"\nexpect = \"canot_tell\"", &["demo.toml:4:", "Did you mean `cannot_tell`?"]),
        ("name = \"mixed\"", "", &["demo.toml:4:", "[[corpus]] lacks `name`", "path = \"molecules.smi\""]),
        ("name = \"mixed\"", "path = \"a.sdf\"", &["demo.toml:5:", "`a.sdf` has no ending that is known", ".csv.gz"]),
        ("name = \"mixed\"", "path = \"\"", &["demo.toml:5:", "the text is empty"]),
        ("name = \"mixed\"", "path = \"a b.smi\"", &["demo.toml:4:", "[[corpus]] lacks `name`"]),
        ("name = \"mixed\"", "path = \"a.smi\"\ncolumn = \"x\"", &["demo.toml:6:", "`column`", "no columns"]),
        ("name = \"mixed\"", "name = \"mixed\"\ncolumn = \"x\"", &["demo.toml:6:", "`column`", "belongs to a file"]),
        ("name = \"mixed\"", "name = \"mixed\"\nsmiles = \"rando\"", &["demo.toml:6:", "Did you mean `random`?"]),
        (
            "name = \"mixed\"",
            "path = \"a.smi\"\nparts = [{ name = \"moses\" }]",
            &["demo.toml:6:", "`parts`", "stands beside `path`"],
        ),
        ("name = \"mixed\"", "parts = [{ name = \"moses\" }]", &["demo.toml:4:", "lacks `name`"]),
        ("name = \"mixed\"", "name = \"m\"\nparts = []", &["demo.toml:6:", "`parts` in [[corpus]] is empty"]),
        ("name = \"mixed\"", "name = \"m\"\nparts = [3]", &["demo.toml:6:", "a list of tables", "a whole number is written"]),
        (
            "name = \"mixed\"",
            "name = \"m\"\nparts = [\n{ name = \"moses\", wieght = 1 }]",
            &["demo.toml:7:", "unknown key `wieght` in `parts` of [[corpus]]", "Did you mean `weight`?"],
        ),
        (
            "name = \"mixed\"",
            "name = \"m\"\nparts = [\n{ name = \"moses\", weight = 0 }]",
            &["demo.toml:7:", "`weight`", "0 is not above 0"],
        ),
        ("name = \"mixed\"", "name = \"m\"\nparts = [{ weight = 1 }]", &["demo.toml:6:", "lacks `name`"]),
        (
            "name = \"mixed\"",
            "name = \"m\"\nparts = [{ name = \"moses\", path = \"a.smi\" }]",
            &["demo.toml:6:", "stands beside `path`"],
        ),
        (
            "name = \"mixed\"",
            "name = \"m\"\nparts = [{ name = \"moses\" }, { name = \"moses\", weight = 2 }]",
            &["demo.toml:6:", "the same part is written twice"],
        ),
        ("sizes = [5_000]", "sizes = []", &["demo.toml:6:", "`sizes` in [[corpus]] is empty", "sizes = [5_000, 20_000]"]),
        ("sizes = [5_000]", "sizes = [5_000, 5_000]", &["demo.toml:6:", "5000 is written twice"]),
        ("sizes = [5_000]", "sizes = [0]", &["demo.toml:6:", "0 is outside 1 to"]),
        ("sizes = [5_000]", "sizes = 5_000", &["demo.toml:6:", "a list", "a whole number is written"]),
        ("sizes = [5_000]", "", &["demo.toml:4:", "[[corpus]] lacks `sizes`"]),
        ("presets = [\"0.06M\"]", "presets = []", &["demo.toml:9:", "`presets` in [[model]] is empty"]),
        ("presets = [\"0.06M\"]", "", &["demo.toml:7:", "[[model]] lacks `presets`", "overrides = "]),
        ("presets = [\"0.06M\"]", "overrides = [{ layers = [1] }]", &["demo.toml:9:", "overrides.layers", "a list is written"]),
        ("presets = [\"0.06M\"]", "overrides = [{ layers = nan }]", &["demo.toml:9:", "overrides.layers", "not finite"]),
        ("tokens = 600_000", "", &["demo.toml:7:", "[[model]] lacks `tokens`"]),
        ("tokens = 600_000", "tokens = 6.5", &["demo.toml:10:", "a whole number, such as `600_000`"]),
        ("tokens = 600_000", "tokens = 1\nlr = \"best\"", &["demo.toml:11:", "`lr`", "\"preset\""]),
        ("tokens = 600_000", "tokens = 1\nlr = -1.0", &["demo.toml:11:", "-1 is not a learning rate"]),
        ("tokens = 600_000", "tokens = 1\nlr = true", &["demo.toml:11:", "a finite number", "`true` or `false` is written"]),
        ("tokens = 600_000", "tokens = 1\nschedule = \"x\"", &["demo.toml:11:", "`x` is not a schedule", "`cosine`"]),
        ("tokens = 600_000", "tokens = 1\nmask_ratio = 0.95", &["demo.toml:11:", "0.95 is outside 0.01 to 0.9"]),
        ("tokens = 600_000", "tokens = 1\naccumulate = 0", &["demo.toml:11:", "`accumulate`", "0 is outside 1 to"]),
        ("tokens = 600_000", "tokens = 1\nbatch = 4\naccumulate = 5", &["demo.toml:12:", "`accumulate`", "batch of 4"]),
        ("tokens = 600_000", "tokens = 1\nprecision = \"float16\"", &["demo.toml:11:", "Did you mean `bfloat16`?"]),
        (
            "[[dataset]]",
            "[[checkpoint]]\nhub = \"a/b\"\n[[dataset]]",
            &["demo.toml:11:", "`revision` in [[checkpoint]]", "is not written", "clmbench model import a/b@main"],
        ),
        ("names = [\"freesolv\"]", "names = [\"freesolv\", \"freesolv\"]", &["demo.toml:13:", "`freesolv` is written twice"]),
        (
            "names = [\"freesolv\"]",
            "names = [\"freesolv\"]\nsplit = \"rndom\"",
            &["demo.toml:14:", "`rndom` is not a split", "Did you mean `random`?"],
        ),
        ("id = \"loss/mlm_loss\"", "", &["demo.toml:14:", "[[metric]] lacks `id`", "select"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\nselect = \"all\"", &["demo.toml:16:", "beside `id`"]),
        ("id = \"loss/mlm_loss\"", "select = \"cost:cheep\"", &["demo.toml:15:", "Did you mean `cheap`?"]),
        ("id = \"loss/mlm_loss\"", "select = \"everything\"", &["demo.toml:15:", "selects nothing"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\nbudget = \"fast\"", &["demo.toml:16:", "`fast` is not a budget"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\n[[protocol]]\nkind = \"prob\"", &["demo.toml:17:", "Did you mean `probe`?"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\n[[protocol]]\nkind = \"probe\"\nseeds = 3", &["demo.toml:18:", "closed form"]),
        (
            "id = \"loss/mlm_loss\"",
            "id = \"a/b\"\n[[protocol]]\nkind = \"probe\"\nlr = 1.0",
            &["demo.toml:18:", "`lr`", "closed form"],
        ),
        (FIT, "[[protocol]]\nkind = \"finetune\"\nlr = \"find\"", &["demo.toml:18:", "`lr`", "\"search\""]),
        (FIT, "[[protocol]]\nkind = \"finetune\"\nlr = 0.0", &["demo.toml:18:", "0 is not a learning rate"]),
        (FIT, "[[protocol]]\nkind = \"finetune\"\nrates = [1e-3, 99]", &["demo.toml:18:", "99 is not a learning rate"]),
        (FIT, "[[protocol]]\nkind = \"finetune\"\nrates = [1e-3, 0.001]", &["demo.toml:18:", "written twice"]),
        (FIT, "[[protocol]]\nkind = \"finetune\"\nlr = 1e-3\nrates = [1e-3]", &["demo.toml:19:", "beside a fixed `lr`"]),
        (FIT, "[[protocol]]\nkind = \"finetune\"\nepochs = 0", &["demo.toml:18:", "`epochs`", "0 is outside 1 to"]),
        (FIT, "[[protocol]]\nkind = \"finetune\"\nepoch = 3", &["demo.toml:18:", "Did you mean `epochs`?"]),
        (FIT, "[[protocol]]\nkind = \"finetune\"\ncheckpoints = \"last\"", &["demo.toml:18:", "`last` is not known"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\n[fit]\nuseful_effect = 1.5", &["demo.toml:17:", "1.5 is not between 0 and 1"]),
        (
            "id = \"loss/mlm_loss\"",
            "id = \"a/b\"\n[[corpus]]\nname = \"mixed\"\nsizes = [9]",
            &["demo.toml:16:", "corpus `mixed` is named twice, first on line 4"],
        ),
        ("[suite]", "[suite", &["demo.toml:2:", "not valid TOML"]),
    ];
    for (part, instead, expected) in cases {
        let good = format!("{GOOD}{FIT}\n");
        assert!(good.contains(part), "{part} is not in the good suite");
        let text = good.replacen(part, instead, 1);
        let message = match Suite::parse("demo.toml", &text) {
            Ok(_) => panic!("accepted:\n{text}"),
            Err(error) => error.to_string(),
        };
        for words in *expected {
            assert!(message.contains(words), "`{words}` is not in: {message}\n{text}");
        }
    }
}

#[test]
fn a_suite_needs_something_to_cross() {
    for (table, word) in [
        ("[[corpus]]\nname = \"mixed\"\nsizes = [5_000]\n", "corpus"),
        ("[[dataset]]\nsource = \"moleculenet\"\nnames = [\"freesolv\"]\n[[metric]]\nid = \"loss/mlm_loss\"\n", "dataset"),
    ] {
        let message = Suite::parse("demo.toml", &GOOD.replacen(table, "", 1)).unwrap_err().to_string();
        assert!(message.contains(&format!("lacks `{word}`")), "{message}");
    }
    let error = Suite::read(std::path::Path::new("/no/such/suite.toml")).unwrap_err().to_string();
    assert!(error.contains("/no/such/suite.toml: the suite cannot be read"), "{error}");
}

#[test]
fn every_key_of_a_corpus_is_read() {
    let corpus = |instead: &str| {
        let text = GOOD.replacen("name = \"mixed\"", instead, 1);
        Suite::parse("folder/demo.toml", &text).unwrap().corpora.remove(0)
    };
    let file = |written: &str, format, column: &str| Origin::File { written: written.into(), format, column: column.into() };
    let lines = corpus("path = \"data/own.smi\"\nheldout = 10\nsmiles = \"as-written\"");
    assert_eq!((lines.name.as_str(), lines.heldout, lines.form), ("own", 10, SmilesForm::AsWritten));
    assert_eq!(lines.parts[0].origin, file("data/own.smi", SourceFormat::Lines, ""));
    let path = lines.parts[0].origin.path(std::path::Path::new("folder/demo.toml"));
    assert_eq!(path, Some("folder/data/own.smi".into()), "relative to the suite file");
    let table = corpus("name = \"mine\"\npath = \"/x/Own.CSV.gz\"\ncolumn = \"SMILES\"\nsmiles = \"random\"");
    assert_eq!((table.name.as_str(), table.form), ("mine", SmilesForm::Random));
    assert_eq!(table.parts[0].origin, file("/x/Own.CSV.gz", SourceFormat::Csv, "SMILES"));
    assert_eq!(corpus("path = \"a.csv\"").parts[0].origin, file("a.csv", SourceFormat::Csv, "smiles"));
    let mixture = corpus("name = \"m\"\nparts = [{ name = \"moses\", weight = 0.6 }, { path = \"a.txt\", weight = 0.4 }]");
    let parts: Vec<_> = mixture.parts.iter().map(|part| (part.origin.clone(), part.weight)).collect();
    let expected = [(Origin::Catalogue("moses".into()), 0.6), (file("a.txt", SourceFormat::Lines, ""), 0.4)];
    assert_eq!(parts, expected);
}

#[test]
fn every_key_of_a_model_and_a_protocol_is_read() {
    let text = GOOD.replacen(
        "tokens = 600_000",
        "tokens = 1\nschedule = \"cosine\"\nmask_ratio = 0.3\nbatch = 8\naccumulate = 4\nprecision = \"bfloat16\"",
        1,
    );
    let model = Suite::parse("demo.toml", &text).unwrap().models.remove(0);
    assert_eq!((model.schedule.kind, model.schedule.cooldown.0), (ScheduleKind::Cosine, 0.0));
    assert_eq!((model.mask_ratio, model.batch, model.accumulate), (Some(0.3), 8, 4));
    assert_eq!(model.precision, PrecisionChoice::Fixed(Precision::Bfloat16));

    let protocol = |keys: &str| {
        let text = format!("{GOOD}[[protocol]]\nkind = \"finetune\"\n{keys}");
        Suite::parse("demo.toml", &text).unwrap().protocols.remove(0)
    };
    let silent = protocol("");
    assert_eq!((silent.checkpoints, silent.kind.word()), (Checkpoints::Final, "finetune"));
    let usual =
        FinetuneEntry { learning_rates: vec![1e-4, 3e-4, 1e-3], searched: true, epochs: 20, seeds: 1, batch: 32, patience: 5 };
    assert_eq!(silent.kind, ProtocolKind::Finetune(usual.clone()));
    let keys = "lr = \"search\"\nrates = [1e-5, 2e-5]\nepochs = 3\nseeds = 2\nbatch = 16\npatience = 0\ncheckpoints = \"all\"";
    let all = protocol(keys);
    let expected =
        FinetuneEntry { learning_rates: vec![1e-5, 2e-5], searched: true, epochs: 3, seeds: 2, batch: 16, patience: 0 };
    assert_eq!((all.checkpoints, all.kind), (Checkpoints::All, ProtocolKind::Finetune(expected)));
    let fixed = FinetuneEntry { learning_rates: vec![5e-4], searched: false, ..usual };
    assert_eq!(protocol("lr = 5e-4").kind, ProtocolKind::Finetune(fixed));
}
