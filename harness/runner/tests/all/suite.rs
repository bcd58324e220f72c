//! Suites: what is read, and what is said about what cannot be.

use clmbench_protocol::{Budget, ScheduleKind};
use clmbench_runner::suite::{Checkpoints, LearningRate, Suite, Which};

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
    assert_eq!(suite.datasets[0].split, "scaffold");
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
        ("tokens = 600_000", "tokens = 1\nschedule = \"x\"", &["demo.toml:11:", "`x` is not a schedule"]),
        (
            "[[dataset]]",
            "[[checkpoint]]\nhub = \"a/b\"\n[[dataset]]",
            &["demo.toml:11:", "[[checkpoint]]", "not supported yet", "[[model]]"],
        ),
        ("names = [\"freesolv\"]", "names = [\"freesolv\", \"freesolv\"]", &["demo.toml:13:", "`freesolv` is written twice"]),
        (
            "names = [\"freesolv\"]",
            "names = [\"freesolv\"]\nsplit = \"random\"",
            &["demo.toml:14:", "`split = \"random\"` is not supported yet"],
        ),
        ("id = \"loss/mlm_loss\"", "", &["demo.toml:14:", "[[metric]] lacks `id`", "select"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\nselect = \"all\"", &["demo.toml:16:", "beside `id`"]),
        ("id = \"loss/mlm_loss\"", "select = \"cost:cheep\"", &["demo.toml:15:", "Did you mean `cheap`?"]),
        ("id = \"loss/mlm_loss\"", "select = \"everything\"", &["demo.toml:15:", "selects nothing"]),
        ("id = \"loss/mlm_loss\"", "select = \"all\"\nparams = { a = 1 }", &["demo.toml:16:", "belong to one metric"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\nbudget = \"fast\"", &["demo.toml:16:", "`fast` is not a budget"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\n[[protocol]]\nkind = \"prob\"", &["demo.toml:17:", "Did you mean `probe`?"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\n[[protocol]]\nkind = \"probe\"\nseeds = 3", &["demo.toml:18:", "closed form"]),
        ("id = \"loss/mlm_loss\"", "id = \"a/b\"\n[fit]\nuseful_effect = 1.5", &["demo.toml:17:", "1.5 is not between 0 and 1"]),
        (
            "id = \"loss/mlm_loss\"",
            "id = \"a/b\"\n[[corpus]]\nname = \"mixed\"\nsizes = [9]",
            &["demo.toml:16:", "corpus `mixed` is named twice, first on line 4"],
        ),
        ("[suite]", "[suite", &["demo.toml:2:", "not valid TOML"]),
    ];
    for (part, instead, expected) in cases {
        assert!(GOOD.contains(part), "{part} is not in the good suite");
        let text = GOOD.replacen(part, instead, 1);
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
