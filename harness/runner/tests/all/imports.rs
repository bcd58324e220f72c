//! Checkpoints of others: bound to what their imports say, pooled by it, refused where that is not what was planned.

use std::{fs, path::Path};

use clmbench_protocol::{CellOutput, CellSpec, HubInfo};
use clmbench_runner::{
    Plan, PluginSet,
    plan::{self, Pool},
};
use clmbench_store::{CellStatus, Store};

use super::{
    run::{executor, run_with},
    support::offers::{architecture, corpora, no_hub, plugin, plugins, suite},
};

/// The plugins of the other tests, and one that reads folders.
fn readers() -> PluginSet {
    let mut reader = plugin("reader", "0.1.0");
    let hub = Some(HubInfo { model_types: vec!["foreign".into()], ..HubInfo::default() });
    reader.manifest.architectures = vec![clmbench_protocol::ArchitectureInfo { hub, ..architecture("foreign") }];
    let (set, errors) = PluginSet::new(plugins().plugins().iter().cloned().chain([reader]).collect());
    assert!(errors.is_empty(), "{errors:?}");
    set
}

/// A folder of a checkpoint.
fn save(root: &Path, name: &str, config: &str, tokenizer: &str, weights: &str) {
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), format!("{{\"model_type\": \"foreign\", \"layers\": 4, \"width\": 128{config}}}"))
        .unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    fs::write(folder.join("model.safetensors"), weights).unwrap();
}

fn planned(root: &Path, names: &[&str]) -> Plan {
    let tables: String = names.iter().map(|name| format!("[[checkpoint]]\npath = \"{}\"\n", root.join(name).display())).collect();
    let text = format!(
        "schema = 1\n[suite]\nname = \"imports\"\n[[corpus]]\nname = \"mixed\"\nsizes = [500]\nheldout = 20\n{tables}\
         [[dataset]]\nsource = \"moleculenet\"\nnames = [\"freesolv\"]\n[[metric]]\nid = \"loss/mlm_loss\"\n"
    );
    plan::build(&suite(&text), &readers(), &corpora, &no_hub).unwrap()
}

/// The plan run in a store of its own.
fn ran(root: &Path, plan: &Plan) -> Store {
    let folder = root.join("store");
    let mut store = Store::open_writer(&folder).unwrap();
    let mut executor = executor(&folder, 2);
    run_with(&mut store, plan, &mut executor).unwrap();
    store
}

#[test]
fn what_an_import_finds_is_part_of_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "a", "", "7 words", "weights");
    let plan = planned(folder.path(), &["a"]);
    let store = ran(folder.path(), &plan);
    let output = store.find_cell("import/a").unwrap().report.unwrap().output;
    let CellOutput::Import(import) = output else { panic!("{output:?}") };
    let spec = |key: &str| store.find_cell(key).unwrap().spec.unwrap();
    let CellSpec::Measure(measured) = spec("measure/a/checkpoint-0/loss.mlm_loss") else { panic!("no measurement") };
    let checkpoint = &measured.checkpoint;
    assert_eq!(
        (checkpoint.config.get("layers"), &checkpoint.weights_digest),
        (Some(&4.into()), &import.checkpoint.weights_digest)
    );
    assert_eq!(checkpoint.special.as_ref().and_then(|special| special.mask), Some(7));
    assert_eq!((measured.record.tokens, measured.record.corpus_molecules), (None, None));
    let CellSpec::TokeniseDataset(tokenised) = spec("tokenise/freesolv@a") else { panic!("no dataset") };
    assert_eq!((tokenised.tokenizer.digest.as_ref(), tokenised.tokenizer.max_tokens), (Some(&import.tokenizer_digest), 64));
    assert_eq!(store.find_cell("control/a").unwrap().row.status, CellStatus::Done);
}

#[test]
fn a_pool_is_said_under_a_condition_until_the_checkpoints_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    save(root, "a", "", "words", "weights a");
    // Its weights are those of `a`, but for the file.
    save(root, "copy", "", "words", "weights a        ");
    save(root, "b", "", "words", "weights b");
    let same = planned(root, &["a", "copy", "b"]);
    assert_eq!(same.pool, Pool { runs: 3, conditional: false }, "files of one tokenizer");
    save(root, "c", ", \"n_positions\": 9", "words ", "weights c");
    let plan = planned(root, &["a", "copy", "b", "c"]);
    assert_eq!(plan.pool, Pool { runs: 4, conditional: true });
    let survey = |store| plan::survey(&plan, store, 1, None).unwrap();
    let before = survey(None);
    assert_eq!((before.pool, before.seconds), (plan.pool, None));
    let store = ran(root, &plan);
    let after = survey(Some(&store));
    assert_eq!(after.pool, Pool { runs: 3, conditional: false }, "one tokenizer after all, and `copy` is `a`");
    assert_eq!((after.todo, after.seconds), (0, Some(0.0)));
}

#[test]
fn what_a_checkpoint_of_unknown_size_costs_is_not_known_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    save(root, "a", "", "words", "weights a");
    let first = planned(root, &["a"]);
    let store = ran(root, &first);
    save(root, "b", "", "words", "weights b");
    let plan = planned(root, &["a", "b"]);
    let survey = plan::survey(&plan, Some(&store), 1, None).unwrap();
    let of = |stage: &str| survey.stages.iter().find(|row| row.stage == stage).map(|row| (row.todo, row.unknown)).unwrap();
    // Probes take what probes take; the rest waits for the size.
    assert_eq!((of("import"), of("embed"), of("measure"), of("transfer")), ((2, 2), (2, 2), (1, 1), (2, 0)));
    assert_eq!((survey.seconds, survey.disk_bytes), (None, None));
}

#[test]
fn configurations_that_cut_elsewhere_or_have_other_ids_are_tokenised_apart() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    save(root, "a", "", "words", "weights a");
    for (name, config) in
        [("b", ", \"n_positions\": 9"), ("c", ", \"max_position_embeddings\": 9"), ("d", ", \"pad_token_id\": 9")]
    {
        save(root, name, config, "words", &format!("weights {name}"));
        let keys = planned(root, &["a", name]).cells.into_iter().map(|cell| cell.key);
        let tokenised: Vec<String> = keys.filter(|key| key.starts_with("tokenise/freesolv")).collect();
        assert_eq!(tokenised, ["tokenise/freesolv@a".to_owned(), format!("tokenise/freesolv@{name}")], "{config}");
    }
    save(root, "e", ", \"hidden_act\": \"gelu\"", "words", "weights e");
    let keys: Vec<String> = planned(root, &["a", "e"]).cells.into_iter().map(|cell| cell.key).collect();
    assert!(!keys.contains(&"tokenise/freesolv@e".to_owned()), "{keys:?}");
}
