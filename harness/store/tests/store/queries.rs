//! Rows joined by suite and weights.

use clmbench_protocol::{CellSpec, Precision, Protocol};
use clmbench_store::Store;
use tempfile::tempdir;

use crate::made_up::{
    baseline_output, baseline_spec, cell, corpus_output, corpus_spec, finetune_output, finetune_spec, measure_output,
    measure_spec, pretrain_output, pretrain_spec, report, suite, transfer_output, transfer_spec,
};

/// Two suites that share a run; each has a measure cell of its own on it.
fn two_suites(store: &mut Store) -> (i64, i64) {
    let (first, second) = (store.put_suite(&suite("first")).unwrap(), store.put_suite(&suite("second")).unwrap());
    for (suite_id, metric) in [(first, "loss/mlm_loss"), (second, "trivial/parameters")] {
        let plan = [
            cell("corpus", "tokenise", &[]),
            cell("run", "pretrain", &["corpus"]),
            cell("measure", "measure", &["run"]),
            cell("transfer", "transfer", &["run"]),
        ];
        store.put_cells(suite_id, &plan).unwrap();
        store.bind(suite_id, "corpus", "corpus-50", &corpus_spec(50)).unwrap();
        store.bind(suite_id, "run", "run-1", &pretrain_spec(400, 50, 1)).unwrap();
        let measured = format!("measure-{suite_id}");
        store.bind(suite_id, "measure", &measured, &measure_spec(metric, "w-4", 400, 50)).unwrap();
        store.finish("corpus-50", &report(corpus_output(50))).unwrap();
        store.finish("run-1", &report(pretrain_output(400, 50, "w", false))).unwrap();
        store.finish(&measured, &report(measure_output(1.5, 0.5))).unwrap();
    }
    store.bind(first, "transfer", "transfer-1", &transfer_spec("w-4")).unwrap();
    store.finish("transfer-1", &report(transfer_output(2.5, vec![(1, 2.0, 3.0)]))).unwrap();
    (first, second)
}

#[test]
fn a_suite_shows_what_is_bound_in_it() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let (first, second) = two_suites(&mut store);
    for (suite_id, metric) in [(first, "loss/mlm_loss"), (second, "trivial/parameters")] {
        let runs = store.runs(suite_id).unwrap();
        assert_eq!(runs.len(), 1);
        let run = &runs[0];
        assert_eq!((run.run.as_str(), run.label.as_str(), run.corpus.as_str()), ("run-1", "label of run", "mixed"));
        assert_eq!((run.tokens, run.corpus_molecules, run.n_checkpoints, run.seed), (Some(400), Some(50), 2, Some(1)));
        assert_eq!((run.last_weights.as_str(), run.training_flops, run.epochs), ("w-4", Some(24e6), Some(2.5)));
        assert_eq!(run.learning_rate, Some(1e-3));
        assert_eq!((run.control, run.diverged), (false, false));
        assert_eq!(run.config_json, r#"{"layers":2,"width":64}"#);
        let rows = store.metric_rows(suite_id).unwrap();
        assert_eq!(
            rows.iter().map(|row| (row.metric.as_str(), row.value_name.as_str())).collect::<Vec<_>>(),
            [(metric, "loss"), (metric, "spread")]
        );
        assert!(rows.iter().all(|row| row.run == "run-1" && row.annealed && row.last));
        assert_eq!((rows[0].value, rows[0].std_error, rows[0].primary), (1.5, 0.125, true));
        assert_eq!(rows[0].params_json, r#"{"probes":8}"#);
        assert_eq!(store.corpora(suite_id).unwrap().len(), 1);
    }
    let scores = store.score_rows(first).unwrap();
    assert_eq!(scores.iter().map(|row| row.score.as_str()).collect::<Vec<_>>(), ["rmse", "r2"]);
    assert_eq!((scores[0].value, scores[0].mean_predictor, scores[0].n_test), (2.5, 4.2, 65));
    assert_eq!((scores[0].primary, scores[0].higher_is_better, scores[0].run.as_str()), (true, false, "run-1"));
    assert!(store.score_rows(second).unwrap().is_empty(), "not bound there");
}

#[test]
fn checkpoints_that_are_not_the_last_or_not_annealed_say_so() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    store
        .put_cells(
            suite_id,
            &[cell("run", "pretrain", &[]), cell("m2", "measure", &[]), cell("m3", "measure", &[]), cell("m9", "measure", &[])],
        )
        .unwrap();
    store.bind(suite_id, "run", "run-1", &pretrain_spec(400, 50, 1)).unwrap();
    store.finish("run-1", &report(pretrain_output(400, 50, "w", false))).unwrap();
    for key in ["m2", "m3", "m9"] {
        store.bind(suite_id, key, key, &measure_spec("x/y", &format!("w-{}", &key[1..]), 200, 50)).unwrap();
        store.finish(key, &report(measure_output(1.0, 2.0))).unwrap();
    }
    let rows = store.metric_rows(suite_id).unwrap();
    let flags: Vec<_> = rows.iter().filter(|row| row.primary).map(|row| (row.cell.as_str(), row.annealed, row.last)).collect();
    assert_eq!(flags, [("m2", true, false), ("m3", false, false)], "weights of no run have no row");
}

#[test]
fn runs_that_share_weights_are_told_apart_by_what_the_metric_was_told() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    let plan = [
        cell("control-50", "pretrain", &[]),
        cell("control-60", "pretrain", &[]),
        cell("m-50", "measure", &["control-50"]),
        cell("m-60", "measure", &["control-60"]),
        cell("t", "transfer", &[]),
    ];
    store.put_cells(suite_id, &plan).unwrap();
    for corpus in [50, 60] {
        let (control, measured) = (format!("control-{corpus}"), format!("m-{corpus}"));
        store.bind(suite_id, &control, &control, &pretrain_spec(0, corpus, 1)).unwrap();
        store.finish(&control, &report(pretrain_output(0, corpus, "w", false))).unwrap();
        store.bind(suite_id, &measured, &measured, &measure_spec("trivial/corpus", "w-4", 0, corpus)).unwrap();
        store.finish(&measured, &report(measure_output(corpus as f64, 0.0))).unwrap();
    }
    store.bind(suite_id, "t", "t", &transfer_spec("w-4")).unwrap();
    store.finish("t", &report(transfer_output(1.0, vec![]))).unwrap();
    assert!(store.runs(suite_id).unwrap().iter().all(|run| run.control));
    let rows = store.metric_rows(suite_id).unwrap();
    let primary: Vec<_> = rows.iter().filter(|row| row.primary).map(|row| (row.run.as_str(), row.value)).collect();
    assert_eq!(primary, [("control-50", 50.0), ("control-60", 60.0)]);
    let scores = store.score_rows(suite_id).unwrap();
    let owners: Vec<_> = scores.iter().filter(|row| row.primary).map(|row| row.run.as_str()).collect();
    assert_eq!(owners, ["control-50", "control-60"], "a score depends on the weights alone");
}

/// Else the fine-tunings in two number formats would be averaged as two transfer seeds of each control.
#[test]
fn controls_of_two_number_formats_have_fine_tunings_of_their_own() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    let keys = ["float32", "bfloat16", "tuned-float32", "tuned-bfloat16", "probe"];
    let stage = |key: &str| if key.contains("-") || key == "probe" { "transfer" } else { "pretrain" };
    store.put_cells(suite_id, &keys.map(|key| cell(key, stage(key), &[]))).unwrap();
    for (name, precision) in [("float32", Precision::Float32), ("bfloat16", Precision::Bfloat16)] {
        let CellSpec::Pretrain(mut control) = pretrain_spec(0, 50, 1) else { panic!() };
        control.precision = precision;
        store.bind(suite_id, name, name, &CellSpec::Pretrain(control)).unwrap();
        store.finish(name, &report(pretrain_output(0, 50, "w", false))).unwrap();
        let CellSpec::Transfer(mut transfer) = finetune_spec("w-4", 5_000, true) else { panic!() };
        if let Protocol::Finetune(tuned) = &mut transfer.protocol {
            tuned.precision = precision;
        }
        let key = format!("tuned-{name}");
        store.bind(suite_id, &key, &key, &CellSpec::Transfer(transfer)).unwrap();
        store.finish(&key, &report(finetune_output(0.75, vec![]))).unwrap();
    }
    store.bind(suite_id, "probe", "probe", &transfer_spec("w-4")).unwrap();
    store.finish("probe", &report(transfer_output(2.5, vec![]))).unwrap();
    let rows = store.score_rows(suite_id).unwrap();
    let mut owners: Vec<_> = rows.iter().filter(|row| row.primary).map(|row| (row.cell.as_str(), row.run.as_str())).collect();
    owners.sort_unstable();
    let expected = [("probe", "bfloat16"), ("probe", "float32"), ("tuned-bfloat16", "bfloat16"), ("tuned-float32", "float32")];
    assert_eq!(owners, expected);
}

#[test]
fn runs_that_differ_by_the_seed_alone_share_a_configuration() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    store.put_cells(suite_id, &["a", "b", "c"].map(|key| cell(key, "pretrain", &[]))).unwrap();
    for (key, tokens, seed) in [("a", 400, 1), ("b", 400, 2), ("c", 500, 1)] {
        store.bind(suite_id, key, key, &pretrain_spec(tokens, 50, seed)).unwrap();
        store.finish(key, &report(pretrain_output(tokens, 50, key, false))).unwrap();
    }
    let runs = store.runs(suite_id).unwrap();
    assert_eq!(runs[0].configuration, runs[1].configuration);
    assert_ne!(runs[0].configuration, runs[2].configuration, "other tokens");
}

#[test]
fn scores_of_several_tasks_and_the_reasons_of_those_without_come_apart() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    let keys = ["run", "probe", "seed0", "seed1"];
    store.put_cells(suite_id, &keys.map(|key| cell(key, if key == "run" { "pretrain" } else { "transfer" }, &[]))).unwrap();
    store.bind(suite_id, "run", "run", &pretrain_spec(400, 50, 1)).unwrap();
    store.bind(suite_id, "probe", "probe", &transfer_spec("w-4")).unwrap();
    store.bind(suite_id, "seed0", "seed0", &finetune_spec("w-4", 5_000, true)).unwrap();
    store.bind(suite_id, "seed1", "seed1", &finetune_spec("w-4", 5_001, false)).unwrap();
    store.finish("run", &report(pretrain_output(400, 50, "w", false))).unwrap();
    store.finish("probe", &report(transfer_output(2.5, vec![]))).unwrap();
    store.finish("seed0", &report(finetune_output(0.75, vec![(7, 1.0, 0.9), (9, 0.0, 0.2)]))).unwrap();
    store.finish("seed1", &report(finetune_output(0.70, vec![]))).unwrap();
    let scores = store.score_rows(suite_id).unwrap();
    let primary: Vec<_> = scores
        .iter()
        .filter(|row| row.primary)
        .map(|row| (row.cell.as_str(), row.task.as_str(), row.protocol.as_str(), row.score.as_str(), row.seed))
        .collect();
    let expected = [
        ("probe", "expt", "probe", "rmse", 5),
        ("seed0", "nr-ar", "finetune", "roc_auc", 5_000),
        ("seed1", "nr-ar", "finetune", "roc_auc", 5_001),
    ];
    assert_eq!(primary, expected);
    let fixed: Vec<bool> = scores.iter().filter(|row| row.primary).map(|row| row.fixed_learning_rate).collect();
    assert_eq!(fixed, [false, false, true]);
    assert!(scores.iter().all(|row| row.checkpoint == "checkpoint-4" && row.last));
    let refused = store.refused_tasks(suite_id).unwrap();
    let reasons: Vec<_> = refused.iter().map(|row| (row.cell.as_str(), row.task.as_str(), row.reason.as_str())).collect();
    let reason = "the test molecules are all of class 0";
    assert_eq!(reasons, [("seed0", "sr-p53", reason), ("seed1", "sr-p53", reason)]);
    assert_eq!(store.predictions("seed0", "nr-ar").unwrap(), [(7, 1.0, 0.9), (9, 0.0, 0.2)]);
    assert!(store.predictions("seed0", "sr-p53").unwrap().is_empty());
    assert!(store.predictions("seed0", "absent").is_err());
    // The result comes back whole, with the predictions of each task.
    let back = store.report("seed0").unwrap().unwrap().output;
    let given = finetune_output(0.75, vec![(7, 1.0, 0.9), (9, 0.0, 0.2)]);
    assert_eq!(serde_json::to_string(&back).unwrap(), serde_json::to_string(&given).unwrap());
    // A result whose tasks are not those of the definition is refused.
    store.bind(suite_id, "probe", "other", &finetune_spec("w-4", 1, true)).unwrap();
    let error = store.finish("other", &report(transfer_output(1.0, vec![]))).unwrap_err();
    assert!(error.to_string().contains("holds 1 tasks, its definition 2"), "{error}");
}

#[test]
fn what_the_cells_were_computed_from_is_told() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let (first, second) = two_suites(&mut store);
    let checkpoints = store.checkpoints(first).unwrap();
    let last: Vec<(&str, u64, bool)> =
        checkpoints.iter().map(|row| (row.weights_digest.as_str(), row.tokens.unwrap(), row.last)).collect();
    let annealed = checkpoints.iter().filter(|row| row.annealed).count();
    assert_eq!(annealed, store.runs(first).unwrap()[0].n_checkpoints as usize);
    assert!(last.contains(&("w-4", 400, true)), "{last:?}");
    assert_eq!(store.specs(first, "tokenise_corpus").unwrap(), [corpus_spec(50)]);
    assert_eq!(store.specs(second, "transfer").unwrap(), []);
    let bytes = store.cell_bytes(first).unwrap();
    assert_eq!(bytes.keys().collect::<Vec<_>>(), ["corpus-50", &format!("measure-{first}"), "run-1", "transfer-1"]);
    let files = store.report("run-1").unwrap().unwrap().files;
    assert_eq!(bytes["run-1"], files.iter().map(|file| file.bytes).sum::<u64>());

    // A plugin is told when a cell of the suite uses it and its manifest is stored.
    assert_eq!(store.suite_plugins(first).unwrap(), []);
    let CellSpec::Pretrain(run) = pretrain_spec(400, 50, 1) else { unreachable!() };
    let manifest = |name: &str, version: &str| clmbench_protocol::PluginManifest {
        name: name.into(),
        version: version.into(),
        api: (1, 0),
        libtorch: "2.11.0".into(),
        architectures: vec![],
        datasets: vec![],
        metrics: vec![],
    };
    let used = manifest(&run.plugin.name, &run.plugin.version);
    for (number, manifest) in [&used, &manifest("unused", "1.0.0"), &manifest(&run.plugin.name, "97.0.0")].iter().enumerate() {
        store.put_plugin(manifest, &format!("digest {number}"), "library.so").unwrap();
    }
    assert_eq!(store.suite_plugins(first).unwrap(), [used]);
    assert!(store.checkpoints(97).is_err() && store.specs(97, "pretrain").is_err() && store.suite_plugins(97).is_err());
}

#[test]
fn baselines_are_apart_from_the_scores_of_runs() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let (first, second) = two_suites(&mut store);
    let before = (store.runs(first).unwrap(), store.score_rows(first).unwrap(), store.refused_tasks(first).unwrap());
    let names = ["corpus", "run", "measure", "transfer", "forest-0", "forest-1", "forest-2"];
    let stages = ["tokenise", "pretrain", "measure", "transfer", "transfer", "transfer", "transfer"];
    let plan: Vec<_> = names.iter().zip(stages).map(|(name, stage)| cell(name, stage, &[])).collect();
    store.put_cells(first, &plan).unwrap();
    store.bind(first, "corpus", "corpus-50", &corpus_spec(50)).unwrap();
    store.bind(first, "run", "run-1", &pretrain_spec(400, 50, 1)).unwrap();
    store.bind(first, "transfer", "transfer-1", &transfer_spec("w-4")).unwrap();
    for (key, seed, refused) in [("forest-0", 10, false), ("forest-1", 11, false), ("forest-2", 12, true)] {
        store.bind(first, key, key, &baseline_spec(seed)).unwrap();
        store.finish(key, &report(baseline_output(seed as f64, refused))).unwrap();
    }
    let rows = store.baseline_rows(first).unwrap();
    let primary: Vec<_> = rows
        .iter()
        .filter(|row| row.primary)
        .map(|row| (row.cell.as_str(), row.baseline.as_str(), row.value, row.seed, row.n_test))
        .collect();
    let label = "random forest 100, ecfp4 2048";
    assert_eq!(primary, [("forest-0", label, 10.0, 10, 65), ("forest-1", label, 11.0, 11, 65)]);
    let refused = store.refused_baselines(first).unwrap();
    assert_eq!((refused.len(), refused[0].run.as_str(), refused[0].reason.as_str()), (1, label, "one label"));
    assert_eq!(store.predictions("forest-0", "expt").unwrap(), [(3, 1.0, -0.5)]);
    assert_eq!((store.runs(first).unwrap(), store.score_rows(first).unwrap(), store.refused_tasks(first).unwrap()), before);
    assert_eq!(store.baseline_rows(second).unwrap(), [], "those of another suite");
}
