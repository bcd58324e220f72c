//! The life of cells, and that results come back as they were given.

use clmbench_protocol::{
    CellOutput, CellReport, Comparable, CostClass, Direction, Failure, FailureKind, MetricInfo, Number, PluginManifest, Scope,
};
use clmbench_store::{CellStatus, FitRow, Store, StoreError};
use tempfile::tempdir;

use crate::made_up::{
    cell, corpus_output, corpus_spec, dataset_output, dataset_spec, measure_output, measure_spec, pretrain_output, pretrain_spec,
    report, suite, transfer_output, transfer_spec,
};

fn status(store: &Store, suite: i64, key: &str) -> CellStatus {
    store.cells(suite).unwrap().into_iter().find(|cell| cell.key == key).unwrap().status
}

#[test]
fn a_cell_goes_through_its_states() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    let plan = [cell("run", "pretrain", &[]), cell("loss", "measure", &["run"]), cell("other", "measure", &["run"])];
    store.put_cells(suite_id, &plan).unwrap();
    assert_eq!(status(&store, suite_id, "run"), CellStatus::Todo);
    let spec = pretrain_spec(100, 50, 1);
    assert_eq!(store.bind(suite_id, "run", "aaaa1", &spec).unwrap(), None);
    assert_eq!(store.bind(suite_id, "run", "aaaa1", &spec).unwrap(), None, "again");
    assert_eq!((store.spec("aaaa1").unwrap(), store.spec("none").unwrap()), (Some(spec.clone()), None));
    store.start("aaaa1").unwrap();
    assert_eq!(status(&store, suite_id, "run"), CellStatus::Running);
    store.fail("aaaa1", &Failure::new(FailureKind::TimeLimit, "too slow")).unwrap();
    let row = store.cells(suite_id).unwrap().remove(0);
    assert_eq!((row.status, row.attempts), (CellStatus::Failed, 1));
    assert_eq!((row.failure_kind.as_deref(), row.reason.as_deref()), (Some("time_limit"), Some("too slow")));
    assert_eq!(store.report("aaaa1").unwrap(), None);
    store.start("aaaa1").unwrap();
    let done = report(pretrain_output(100, 50, "w", false));
    store.finish("aaaa1", &done).unwrap();
    let row = store.cells(suite_id).unwrap().remove(0);
    assert_eq!((row.status, row.attempts, row.seconds), (CellStatus::Done, 2, Some(1.25)));
    assert_eq!((row.failure_kind, row.reason, row.peak_rss_bytes), (None, None, Some(1 << 33)));
    assert!(row.started.unwrap() <= row.finished.unwrap());
    assert_eq!(store.report("aaaa1").unwrap().as_ref(), Some(&done));
    assert_eq!(store.bind(suite_id, "run", "aaaa1", &spec).unwrap(), Some(done));
    assert!(matches!(store.start("aaaa1"), Err(StoreError::Finished { status: CellStatus::Done, .. })));
    let failure = Failure::new(FailureKind::Io, "late");
    assert!(matches!(store.fail("aaaa1", &failure), Err(StoreError::Finished { .. })));

    store.set_not_applicable(suite_id, "loss", "no such loss").unwrap();
    store.set_refused(suite_id, "other", "over budget").unwrap();
    let rows = store.cells(suite_id).unwrap();
    assert_eq!((rows[1].status, rows[1].reason.as_deref()), (CellStatus::NotApplicable, Some("no such loss")));
    assert_eq!((rows[2].status, rows[2].reason.as_deref()), (CellStatus::Refused, Some("over budget")));
    assert_eq!(rows[2].dependencies, ["run"]);
    store.put_cells(suite_id, &plan).unwrap();
    assert_eq!(status(&store, suite_id, "run"), CellStatus::Done, "kept");
    assert_eq!(status(&store, suite_id, "other"), CellStatus::Todo, "notes are forgotten");
}

#[test]
fn a_finished_cell_is_never_overwritten() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    store.put_cells(suite_id, &[cell("m", "measure", &[])]).unwrap();
    store.bind(suite_id, "m", "aaaa", &measure_spec("loss/mlm_loss", "w", 1, 1)).unwrap();
    let first = report(measure_output(1.5, f64::NAN));
    store.finish("aaaa", &first).unwrap();
    let mut slower = first.clone();
    slower.seconds = 99.0;
    store.finish("aaaa", &slower).unwrap();
    let mut other = report(measure_output(1.5000000000000002, f64::NAN));
    other.device = "cuda:0".into();
    store.compare("aaaa", &slower).unwrap();
    assert!(matches!(store.compare("aaaa", &other), Err(StoreError::Irreproducible { .. })));
    assert!(matches!(store.compare("none", &other), Err(StoreError::UnknownCell { .. })));
    let error = store.finish("aaaa", &other).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StoreError::Irreproducible { .. }), "{text}");
    assert!(text.contains("values[0].value: 1.5 and 1.5000000000000002"), "{text}");
    assert!(text.contains("(cpu, libtorch 2.11.0)") && text.contains("(cuda:0, libtorch 2.11.0)"), "{text}");
    assert_eq!(store.report("aaaa").unwrap().unwrap().seconds, 1.25, "the stored one is kept");
}

#[test]
fn a_diverged_run_keeps_its_report() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    store.put_cells(suite_id, &[cell("run", "pretrain", &[])]).unwrap();
    let spec = pretrain_spec(100, 50, 1);
    store.bind(suite_id, "run", "aaaa", &spec).unwrap();
    store.start("aaaa").unwrap();
    store.finish("aaaa", &report(pretrain_output(100, 50, "w", true))).unwrap();
    assert_eq!(status(&store, suite_id, "run"), CellStatus::Diverged);
    let run = store.runs(suite_id).unwrap().remove(0);
    assert!(run.diverged && !run.control);
    let Some(CellReport { output: CellOutput::Pretrain(output), .. }) = store.bind(suite_id, "run", "aaaa", &spec).unwrap()
    else {
        panic!("no report");
    };
    assert!(output.checkpoints[0].training_loss.0.is_nan());
}

#[test]
fn one_identity_has_one_definition() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    store.put_cells(suite_id, &[cell("a", "pretrain", &[]), cell("b", "pretrain", &[])]).unwrap();
    store.bind(suite_id, "a", "aaaa", &pretrain_spec(1, 50, 1)).unwrap();
    let error = store.bind(suite_id, "b", "aaaa", &pretrain_spec(1, 50, 2)).unwrap_err();
    assert!(matches!(&error, StoreError::IdentityClash { difference, .. } if difference == "seed: 1 and 2"), "{error}");
    assert_eq!(status(&store, suite_id, "b"), CellStatus::Todo);
    assert!(store.cells(suite_id).unwrap()[1].identity.is_none(), "undone");
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    let invalid = |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::Invalid { .. })), "{result:?}");
    invalid(store.put_cells(suite_id, &[cell("a", "pretrain", &[]), cell("a", "embed", &[])]));
    invalid(store.put_cells(suite_id, &[cell("a", "pretrain", &["absent"])]));
    store.put_cells(suite_id, &[cell("a", "pretrain", &[])]).unwrap();
    for identity in ["", "../../etc/passwd", "a b", "é"] {
        invalid(store.bind(suite_id, "a", identity, &pretrain_spec(1, 1, 1)).map(|_| ()));
    }
    invalid(store.bind(suite_id, "a", "aaaa", &corpus_spec(1)).map(|_| ()));
    assert!(matches!(store.bind(suite_id, "b", "aaaa", &corpus_spec(1)), Err(StoreError::UnknownCell { .. })));
    assert!(matches!(store.put_cells(99, &[]), Err(StoreError::UnknownSuite { .. })));
    assert!(matches!(store.cells(99), Err(StoreError::UnknownSuite { .. })));
    assert!(matches!(store.start("none"), Err(StoreError::UnknownCell { .. })));
    assert!(matches!(store.finish("none", &report(corpus_output(1))), Err(StoreError::UnknownCell { .. })));
    store.bind(suite_id, "a", "aaaa", &pretrain_spec(1, 1, 1)).unwrap();
    invalid(store.finish("aaaa", &report(corpus_output(1))));
    let mut endless = report(pretrain_output(1, 1, "w", false));
    endless.seconds = f64::NAN;
    invalid(store.finish("aaaa", &endless));
    assert_eq!(status(&store, suite_id, "a"), CellStatus::Todo);
    assert!(store.runs(suite_id).unwrap().is_empty());
    assert!(matches!(store.predictions("aaaa", "expt"), Err(StoreError::UnknownCell { .. })));
}

#[test]
fn another_identity_upstream_unbinds_what_was_made_from_it() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    let plan = [
        cell("one", "pretrain", &[]),
        cell("two", "pretrain", &[]),
        cell("m1", "measure", &["one"]),
        cell("t1", "transfer", &["m1"]),
        cell("m2", "measure", &["two"]),
    ];
    store.put_cells(suite_id, &plan).unwrap();
    store.bind(suite_id, "one", "p1", &pretrain_spec(1, 1, 1)).unwrap();
    store.bind(suite_id, "two", "p2", &pretrain_spec(1, 1, 2)).unwrap();
    store.bind(suite_id, "m1", "m1", &measure_spec("x/y", "w1", 1, 1)).unwrap();
    store.bind(suite_id, "t1", "t1", &transfer_spec("w1")).unwrap();
    store.bind(suite_id, "m2", "m2", &measure_spec("x/y", "w2", 1, 1)).unwrap();
    store.bind(suite_id, "one", "p3", &pretrain_spec(1, 1, 3)).unwrap();
    let identities: Vec<_> = store.cells(suite_id).unwrap().into_iter().map(|cell| cell.identity).collect();
    assert_eq!(identities, [Some("p3".into()), Some("p2".into()), None, None, Some("m2".into())]);
}

#[test]
fn non_finite_values_and_foreign_text_come_back_as_given() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("Робочий \u{1f600} '; DROP TABLE cell; --")).unwrap();
    let plan = [cell("d", "tokenise", &[]), cell("p", "pretrain", &[]), cell("m", "measure", &[]), cell("t", "transfer", &[])];
    store.put_cells(suite_id, &plan).unwrap();
    store.bind(suite_id, "d", "dddd", &dataset_spec()).unwrap();
    store.bind(suite_id, "p", "pppp", &pretrain_spec(8, 50, u64::MAX)).unwrap();
    store.bind(suite_id, "m", "mmmm", &measure_spec("loss/mlm_loss", "w-4", 8, 50)).unwrap();
    store.bind(suite_id, "t", "tttt", &transfer_spec("w-4")).unwrap();
    let predictions = vec![(u64::MAX, -0.0, f64::NAN), (7, f64::INFINITY, f64::NEG_INFINITY), (0, 0.1, 1e-310)];
    for (identity, output) in [
        ("dddd", dataset_output()),
        ("pppp", pretrain_output(8, 50, "w", false)),
        ("mmmm", measure_output(f64::NAN, f64::INFINITY)),
        ("tttt", transfer_output(f64::NEG_INFINITY, predictions.clone())),
    ] {
        let given = report(output);
        store.finish(identity, &given).unwrap();
        // NaN is not equal to itself, so the texts are compared.
        let back = store.report(identity).unwrap().unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), serde_json::to_string(&given).unwrap());
    }
    drop(store);
    let store = Store::open_reader(folder.path()).unwrap();
    assert_eq!(store.suite(None).unwrap().name, "Робочий \u{1f600} '; DROP TABLE cell; --");
    assert_eq!(
        store.datasets(suite_id).unwrap(),
        [match dataset_output() {
            CellOutput::TokeniseDataset(output) => output,
            _ => unreachable!(),
        }]
    );
    assert_eq!(store.runs(suite_id).unwrap()[0].seed, Some(u64::MAX));
    let metrics = store.metric_rows(suite_id).unwrap();
    assert!(metrics[0].value.is_nan() && metrics[0].se_estimator.unwrap().is_nan() && metrics[0].se_sample.is_none());
    assert_eq!((metrics[1].value, metrics[1].primary), (f64::INFINITY, false));
    let scores = store.score_rows(suite_id).unwrap();
    assert_eq!((scores[0].value, scores[0].se_seed), (f64::NEG_INFINITY, None));
    let bits = |rows: &[(u64, f64, f64)]| rows.iter().map(|row| (row.0, row.1.to_bits(), row.2.to_bits())).collect::<Vec<_>>();
    assert_eq!(bits(&store.predictions("tttt", "expt").unwrap()), bits(&predictions));
    let json = serde_json::to_value(&metrics[0]).unwrap();
    assert_eq!((&json["value"], &json["se_sample"]), (&"NaN".into(), &serde_json::Value::Null));
}

#[test]
fn ordinary_floats_keep_every_bit() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    store.put_cells(suite_id, &[cell("t", "transfer", &[]), cell("m", "measure", &[])]).unwrap();
    store.bind(suite_id, "m", "mmmm", &measure_spec("loss/mlm_loss", "w", 1, 1)).unwrap();
    // Bit patterns of a multiplicative generator (Knuth's MMIX); those that are not finite are left out.
    let mut state = 1_u64;
    let floats: Vec<f64> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from_bits(state)
    })
    .filter(|float| float.is_finite())
    .take(5_000)
    .collect();
    let mut output = measure_output(0.0, 0.0);
    let CellOutput::Measure(measure) = &mut output else { unreachable!() };
    let template = measure.values[1].clone();
    measure.values.extend(floats.iter().map(|float| {
        let mut value = template.clone();
        value.value = Number(*float);
        value
    }));
    store.finish("mmmm", &report(output)).unwrap();
    let CellOutput::Measure(back) = store.report("mmmm").unwrap().unwrap().output else { unreachable!() };
    for (value, float) in back.values[2..].iter().zip(&floats) {
        assert_eq!(value.value.0.to_bits(), float.to_bits(), "{float:e}");
    }
}

#[test]
fn suites_are_found_by_digest_and_the_newest_comes_first() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let error = store.suite(None).unwrap_err().to_string();
    assert!(error.contains("known: none"), "{error}");
    let one = store.put_suite(&suite("one")).unwrap();
    let two = store.put_suite(&suite("two")).unwrap();
    assert_eq!(store.suite(None).unwrap().id, two);
    assert_eq!(store.put_suite(&suite("one")).unwrap(), one);
    assert_eq!(store.suite(None).unwrap().id, one);
    assert_eq!(store.suite(Some("two")).unwrap().id, two);
    assert_eq!(store.suites().unwrap().len(), 2);
    let mut changed = suite("one");
    changed.digest = "another".into();
    let newer = store.put_suite(&changed).unwrap();
    assert_ne!(newer, one);
    assert_eq!(store.suite(Some("one")).unwrap().id, newer);
    let error = store.suite(Some("three")).unwrap_err().to_string();
    assert!(error.contains("`three`") && error.contains("`one`, `two`"), "{error}");
}

pub fn manifest(version: &str, doc: &str) -> PluginManifest {
    PluginManifest {
        name: "clmbench-plugin-loss".into(),
        version: version.into(),
        api: (1, 0),
        libtorch: "2.11.0".into(),
        architectures: vec![],
        datasets: vec![],
        metrics: vec![MetricInfo {
            id: "loss/mlm_loss".into(),
            doc: doc.into(),
            citation: String::new(),
            unit: "nats".into(),
            primary: "loss".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Cheap,
            comparable: Comparable::SameEvaluation,
            objectives: vec![],
            tasks: Vec::new(),
            parameters: vec![],
            trivial: false,
        }],
    }
}

#[test]
fn the_plugin_stored_last_describes_its_metrics() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    for (version, doc) in [("0.1.0", "old"), ("0.2.0", "new"), ("0.2.0", "new")] {
        store.put_plugin(&manifest(version, doc), version, "/x.so").unwrap();
        assert_eq!(store.metric_infos().unwrap(), manifest(version, doc).metrics);
    }
    store.put_plugin(&manifest("0.1.0", "old"), "0.1.0", "/x.so").unwrap();
    assert_eq!(store.metric_infos().unwrap()[0].doc, "old");
}

#[test]
fn cells_are_found_by_key_and_by_the_start_of_their_identity() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    store.put_cells(suite_id, &[cell("a", "pretrain", &[]), cell("b", "measure", &["a"]), cell("c", "pretrain", &[])]).unwrap();
    store.bind(suite_id, "a", "abcd1234", &pretrain_spec(1, 50, 1)).unwrap();
    store.bind(suite_id, "b", "abcd5678", &measure_spec("x/y", "w", 1, 1)).unwrap();
    store.finish("abcd1234", &report(pretrain_output(1, 50, "w", false))).unwrap();
    for name in ["a", "abcd1", "abcd1234"] {
        let found = store.find_cell(name).unwrap();
        assert_eq!((found.row.key.as_str(), found.suite.as_deref()), ("a", Some("s")));
        assert_eq!(found.spec, Some(pretrain_spec(1, 50, 1)));
        assert_eq!(found.output, Some(pretrain_output(1, 50, "w", false)));
        assert_eq!(found.report.unwrap().files.len(), 1);
    }
    assert_eq!(store.find_cell("b").unwrap().row.dependencies, ["a"]);
    assert_eq!(store.find_cell("c").unwrap().spec, None);
    let error = store.find_cell("abcd").unwrap_err();
    assert!(matches!(&error, StoreError::AmbiguousCell { matches, .. } if matches == "abcd1234 (a), abcd5678 (b)"), "{error}");
    for absent in ["abc", "%", "____", "zzzz", ""] {
        assert!(matches!(store.find_cell(absent), Err(StoreError::UnknownCell { .. })), "{absent}");
    }
    store.put_cells(suite_id, &[]).unwrap();
    let orphan = store.find_cell("abcd1").unwrap();
    assert_eq!((orphan.suite, orphan.row.status, orphan.row.stage.as_str()), (None, CellStatus::Done, "pretrain"));
}

#[test]
fn fits_are_replaced_and_know_when_they_are_stale() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    store.put_cells(suite_id, &[cell("a", "pretrain", &[]), cell("b", "pretrain", &[])]).unwrap();
    for (key, seed) in [("a", 1), ("b", 2)] {
        store.bind(suite_id, key, &format!("identity-{key}"), &pretrain_spec(1, 50, seed)).unwrap();
    }
    store.finish("identity-a", &report(pretrain_output(1, 50, "w", false))).unwrap();
    assert_eq!(store.fits_state(suite_id).unwrap(), None);
    // Every field differs from every other, so that two swapped columns show.
    let full = FitRow {
        metric: "m".into(),
        dataset: "d".into(),
        task: "t".into(),
        protocol: "p".into(),
        pool: "q".into(),
        score: "s".into(),
        n: 1,
        n_checkpoints: 2,
        slope: Some(3.0),
        std_error: Some(4.0),
        ci_low: Some(5.0),
        ci_high: Some(6.0),
        r2: Some(7.0),
        q2: Some(f64::NEG_INFINITY),
        spearman: Some(9.0),
        spearman_low: Some(10.0),
        spearman_high: Some(11.0),
        kendall: Some(12.0),
        p_value: Some(13.0),
        p_raw: Some(14.0),
        gain: Some(15.0),
        gain_low: Some(16.0),
        gain_high: Some(17.0),
        gain_verdict: Some("gv".into()),
        gain_reason: Some("gr".into()),
        verdict: "v".into(),
        verdict_reason: Some("vr".into()),
        refusal: Some("rf".into()),
        reversed: true,
        mde: Some(18.0),
        cost_seconds: Some(19.0),
        flags: vec!["f, 1".into(), "f2".into()],
        metric_orientation: "mo".into(),
        score_orientation: "so".into(),
        trivial: true,
        n_needed: Some(20),
        details_json: "{}".into(),
    };
    let fits = [full.clone(), FitRow { metric: "second".into(), verdict: "refused".into(), ..FitRow::default() }];
    store.put_fits(suite_id, &fits, &[]).unwrap();
    assert_eq!(store.fits(suite_id).unwrap(), fits);
    let state = store.fits_state(suite_id).unwrap().unwrap();
    assert_eq!((state.cells, state.stale), (1, false));
    store.finish("identity-b", &report(pretrain_output(1, 50, "v", false))).unwrap();
    assert!(store.fits_state(suite_id).unwrap().unwrap().stale);
    store.put_fits(suite_id, &fits[1..], &[]).unwrap();
    assert_eq!(store.fits(suite_id).unwrap(), fits[1..]);
    assert!(!store.fits_state(suite_id).unwrap().unwrap().stale);
}
