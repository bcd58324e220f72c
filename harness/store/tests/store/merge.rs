//! Two stores become one.

use std::{fs, path::Path};

use clmbench_protocol::{CellReport, Direction, Failure, FailureKind, OutputFile, PluginManifest};
use clmbench_store::{CellStatus, MergeKind, MergeState, Merged, NewCell, Store, StoreError};
use rusqlite::Connection;
use tempfile::{TempDir, tempdir};

use crate::{
    golden::dump,
    made_up::{
        cell, measure_output, measure_spec, pretrain_output, pretrain_spec, report, suite, transfer_output, transfer_spec,
    },
};

/// Files of a run: a text in a folder.
const WEIGHTS: &[u8] = b"weights";

/// A report with one file, as it lies in the store.
fn with_file(store: &Store, identity: &str, output: clmbench_protocol::CellOutput) -> CellReport {
    let folder = store.artifact_dir(identity).join("checkpoint-4");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("model.bin"), WEIGHTS).unwrap();
    let file = OutputFile {
        path: "checkpoint-4/model.bin".into(),
        blake3: blake3::hash(WEIGHTS).to_hex().to_string(),
        bytes: WEIGHTS.len() as u64,
    };
    CellReport { files: vec![file], ..report(output) }
}

fn plain(output: clmbench_protocol::CellOutput) -> CellReport {
    CellReport { files: Vec::new(), ..report(output) }
}

fn plan() -> Vec<NewCell> {
    vec![
        cell("run-1", "pretrain", &[]),
        cell("run-2", "pretrain", &[]),
        cell("loss-1", "measure", &["run-1"]),
        cell("loss-2", "measure", &["run-2"]),
        cell("probe-1", "transfer", &["run-1"]),
    ]
}

/// A store that has computed these cells of the plan; `loss` tells stores apart.
fn machine(name: &str, keys: &[&str], loss: f64) -> TempDir {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite(name)).unwrap();
    store.put_cells(suite_id, &plan()).unwrap();
    for key in keys {
        let number = if key.ends_with('1') { 1 } else { 2 };
        let weights = format!("w{number}-4");
        let (spec, output) = match key.split('-').next().unwrap() {
            "run" => (pretrain_spec(400, 50, number), pretrain_output(400, 50, &format!("w{number}"), false)),
            "loss" => (measure_spec("loss/mlm_loss", &weights, 400, 50), measure_output(loss, f64::NAN)),
            _ => (transfer_spec(&weights), transfer_output(2.5, vec![(3, 1.0, -0.5), (9, 2.0, f64::INFINITY)])),
        };
        store.bind(suite_id, key, key, &spec).unwrap();
        let report = if key.starts_with("run") { with_file(&store, key, output) } else { plain(output) };
        store.finish(key, &report).unwrap();
    }
    folder
}

fn merge(ours: &Path, theirs: &Path) -> Result<Merged, StoreError> {
    Store::merge(ours, theirs, |_, _| Ok(())).map(|(_, merged)| merged)
}

fn states(merged: &Merged, kind: MergeKind) -> Vec<(&str, MergeState)> {
    merged.rows.iter().filter(|row| row.kind == kind).map(|row| (row.name.as_str(), row.state)).collect()
}

/// All rows as SQL, without those that say when something was written.
fn rows(folder: &Path) -> String {
    dump(&folder.join("store.sqlite"))
}

#[test]
fn two_machines_that_shared_a_suite_have_all_of_it() {
    use MergeState::{New, Same};
    let ours = machine("s", &["run-1", "loss-1"], 1.5);
    let theirs = machine("s", &["run-1", "run-2", "loss-2", "probe-1"], 1.5);
    let before = rows(ours.path());
    let planned = Store::open_reader(ours.path()).unwrap().merge_plan(theirs.path(), |_, _| Ok(())).unwrap();
    assert_eq!(rows(ours.path()), before, "a plan changes nothing");
    let merged = merge(ours.path(), theirs.path()).unwrap();
    assert_eq!(planned.rows, merged.rows);
    assert_eq!(states(&merged, MergeKind::Suite), [("s", Same)]);
    assert_eq!(states(&merged, MergeKind::Cell), [("loss-2", New), ("probe-1", New), ("run-1", Same), ("run-2", New)]);
    assert_eq!(states(&merged, MergeKind::Files), [("run-2", New)]);
    assert_eq!((merged.conflicts(), merged.suites.len()), (0, 1));
    let store = Store::open_reader(ours.path()).unwrap();
    let suite_id = store.suite(None).unwrap().id;
    assert!(store.cells(suite_id).unwrap().iter().all(|cell| cell.status == CellStatus::Done));
    let other = Store::open_reader(theirs.path()).unwrap();
    for identity in ["run-2", "loss-2", "probe-1"] {
        let (here, there) = (store.report(identity).unwrap().unwrap(), other.report(identity).unwrap().unwrap());
        assert_eq!(format!("{here:?}"), format!("{there:?}"), "{identity}");
        assert_eq!(store.spec(identity).unwrap(), other.spec(identity).unwrap());
    }
    // Typed rows were made anew.
    assert_eq!((store.runs(suite_id).unwrap().len(), store.metric_rows(suite_id).unwrap().len()), (2, 4));
    assert_eq!(store.score_rows(suite_id).unwrap().len(), 2);
    assert_eq!(fs::read(store.artifact_dir("run-2").join("checkpoint-4/model.bin")).unwrap(), WEIGHTS);
    assert!(store.artifact_dir("run-2").join("cell.json").is_file());
    assert_eq!(fs::read_dir(store.root().join("work")).unwrap().count(), 0);
    let checked = store.check(|_, _| Ok(())).unwrap();
    assert!(checked.iter().all(|check| check.wrong.is_empty()), "{checked:?}");
    drop(store);
    let after = rows(ours.path());
    let again = merge(ours.path(), theirs.path()).unwrap();
    assert!(again.rows.iter().all(|row| row.state == Same) && again.suites.is_empty(), "{again:?}");
    assert_eq!(rows(ours.path()), after, "merging twice changes nothing");
}

#[test]
fn a_new_suite_comes_whole_and_does_not_become_the_newest() {
    let ours = machine("ours", &["run-1"], 1.5);
    let theirs = machine("theirs", &["run-1", "run-2", "loss-1", "loss-2", "probe-1"], 1.5);
    Store::open_writer(theirs.path()).unwrap().put_suite(&suite("later")).unwrap();
    let merged = merge(ours.path(), theirs.path()).unwrap();
    assert_eq!(states(&merged, MergeKind::Suite), [("theirs", MergeState::New), ("later", MergeState::New)]);
    let (store, other) = (Store::open_reader(ours.path()).unwrap(), Store::open_reader(theirs.path()).unwrap());
    let names: Vec<_> = store.suites().unwrap().into_iter().map(|suite| suite.name).collect();
    assert_eq!(names, ["ours", "later", "theirs"], "the newest first");
    let cells = |store: &Store| {
        let cells = store.cells(store.suite(Some("theirs")).unwrap().id).unwrap();
        cells.into_iter().map(|cell| (cell.key, cell.status, cell.identity, cell.dependencies)).collect::<Vec<_>>()
    };
    assert_eq!(cells(&store), cells(&other));
}

#[test]
fn unlike_results_are_conflicts_and_ours_is_kept() {
    let ours = machine("s", &["run-1", "loss-1"], 1.5);
    let theirs = machine("s", &["run-1", "loss-1"], 1.75);
    let merged = merge(ours.path(), theirs.path()).unwrap();
    let row = merged.rows.iter().find(|row| row.state == MergeState::Conflict).unwrap();
    assert_eq!((row.name.as_str(), row.identity.as_deref(), merged.conflicts()), ("loss-1", Some("loss-1"), 1));
    let digest = |folder: &TempDir| -> String {
        let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
        connection.query_row("SELECT output_digest FROM cell WHERE identity = 'loss-1'", [], |row| row.get(0)).unwrap()
    };
    assert_eq!((row.ours.clone().unwrap(), row.theirs.clone().unwrap()), (digest(&ours), digest(&theirs)));
    let store = Store::open_reader(ours.path()).unwrap();
    assert_eq!(store.metric_rows(store.suite(None).unwrap().id).unwrap()[0].value, 1.5);
}

#[test]
fn what_rests_on_a_conflict_is_left_out() {
    let ours = machine("s", &["run-1"], 1.5);
    let theirs = tempdir().unwrap();
    {
        let mut store = Store::open_writer(theirs.path()).unwrap();
        let suite_id = store.put_suite(&suite("s")).unwrap();
        store.put_cells(suite_id, &plan()).unwrap();
        store.bind(suite_id, "run-1", "run-1", &pretrain_spec(400, 50, 1)).unwrap();
        store.finish("run-1", &plain(pretrain_output(400, 50, "other", false))).unwrap();
        store.bind(suite_id, "loss-1", "loss-of-other", &measure_spec("loss/mlm_loss", "other-4", 400, 50)).unwrap();
        store.finish("loss-of-other", &plain(measure_output(1.5, 0.5))).unwrap();
    }
    let before = rows(ours.path());
    let merged = merge(ours.path(), theirs.path()).unwrap();
    assert_eq!(states(&merged, MergeKind::Cell), [("loss-1", MergeState::LeftOut), ("run-1", MergeState::Conflict)]);
    assert_eq!(rows(ours.path()), before);
    // Also where the suite is new here: its plan comes, and what rests on the conflict waits to be computed.
    let elsewhere = machine("another", &["run-1"], 1.5);
    merge(elsewhere.path(), theirs.path()).unwrap();
    let store = Store::open_reader(elsewhere.path()).unwrap();
    let cells = store.cells(store.suite(Some("s")).unwrap().id).unwrap();
    let found: Vec<_> = cells.iter().map(|cell| (cell.key.as_str(), cell.status)).collect();
    assert_eq!(found[0], ("run-1", CellStatus::Done));
    assert!(found[1..].iter().all(|(_, status)| *status == CellStatus::Todo), "{found:?}");
}

#[test]
fn a_lone_database_gives_rows_and_says_that_files_are_missing() {
    let theirs = machine("s", &["run-1", "loss-1"], 1.5);
    let lone = tempdir().unwrap();
    let path = lone.path().join("copy.sqlite");
    Connection::open(theirs.path().join("store.sqlite")).unwrap().execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
    let ours = tempdir().unwrap();
    let merged = merge(ours.path(), &path).unwrap();
    assert_eq!(states(&merged, MergeKind::Files), [("run-1", MergeState::Missing)]);
    assert_eq!(Store::open_reader(ours.path()).unwrap().report("run-1").unwrap().unwrap().files.len(), 1);
}

#[test]
fn changed_bytes_are_not_taken() {
    for bytes in [&b"WEIGHTS"[..], b"weights and more"] {
        let theirs = machine("s", &["run-1"], 1.5);
        fs::write(theirs.path().join("artifacts/run-1/checkpoint-4/model.bin"), bytes).unwrap();
        let ours = tempdir().unwrap();
        let merged = merge(ours.path(), theirs.path()).unwrap();
        assert_eq!(states(&merged, MergeKind::Files), [("run-1", MergeState::Damaged)]);
        assert!(!ours.path().join("artifacts/run-1").exists() && fs::read_dir(ours.path().join("work")).unwrap().count() == 0);
    }
}

#[test]
fn stores_of_every_schema_are_taken_and_left_as_they_are() {
    for (schema, sql) in [
        (1, include_str!("../golden/schema_1.sql")),
        (2, include_str!("../golden/schema_2.sql")),
        (3, include_str!("../golden/schema_3.sql")),
        (4, include_str!("../golden/schema_4.sql")),
        (5, include_str!("../golden/schema_5.sql")),
    ] {
        let (ours, theirs) = (tempdir().unwrap(), tempdir().unwrap());
        let path = theirs.path().join("store.sqlite");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = fs::read(&path).unwrap();
        let merged = merge(ours.path(), theirs.path()).unwrap_or_else(|error| panic!("schema {schema}: {error}"));
        assert_eq!(fs::read(&path).unwrap(), before, "schema {schema}");
        assert_eq!(states(&merged, MergeKind::Suite), [("golden", MergeState::New)]);
        let updated = tempdir().unwrap();
        fs::copy(&path, updated.path().join("store.sqlite")).unwrap();
        let (store, other) = (Store::open_reader(ours.path()).unwrap(), Store::open_writer(updated.path()).unwrap());
        let found = |store: &Store| {
            let suite_id = store.suite(Some("golden")).unwrap().id;
            let rows =
                (store.runs(suite_id), store.metric_rows(suite_id), store.score_rows(suite_id), store.baseline_rows(suite_id));
            let rows = format!("{rows:?} {:?} {:?}", store.gate_baselines(), store.gate_judgements());
            // Typed rows are made anew, with the names of baselines as they are now.
            rows.replace("random forest 100, ", "random forest, ")
        };
        assert_eq!(found(&store), found(&other), "schema {schema}");
    }
}

#[test]
fn gate_rows_and_plugins_come_along() {
    let (ours, theirs) = (machine("s", &[], 1.5), machine("s", &[], 1.5));
    {
        let mut store = Store::open_writer(theirs.path()).unwrap();
        let digest = store.put_gate_baseline("theirs", "{\"a\":1}", false).unwrap().digest;
        store.put_gate_baseline("both", "{\"a\":2}", false).unwrap();
        store.put_gate_judgement("theirs", &digest, "folder:x", "worse", "{}").unwrap();
        Store::open_writer(ours.path()).unwrap().put_gate_baseline("both", "{\"a\":3}", false).unwrap();
    }
    let merged = merge(ours.path(), theirs.path()).unwrap();
    assert_eq!(states(&merged, MergeKind::GateBaseline), [("both", MergeState::Conflict), ("theirs", MergeState::New)]);
    assert_eq!(states(&merged, MergeKind::GateJudgement), [("folder:x against theirs", MergeState::New)]);
    let (store, other) = (Store::open_reader(ours.path()).unwrap(), Store::open_reader(theirs.path()).unwrap());
    assert_eq!(store.gate_baseline("theirs").unwrap(), other.gate_baseline("theirs").unwrap());
    assert_eq!(store.gate_baseline("both").unwrap().content_json, "{\"a\":3}");
    assert_eq!(store.gate_judgements().unwrap(), other.gate_judgements().unwrap());
}

fn manifest(version: &str, direction: Direction) -> PluginManifest {
    let mut manifest = crate::life::manifest(version, "doc");
    manifest.name = "hessian".into();
    manifest.metrics[0].direction = direction;
    manifest
}

/// Puts plugins by version, digest and direction, one after the other.
fn put_plugins(folder: &TempDir, plugins: &[(&str, &str, Direction)]) {
    let mut store = Store::open_writer(folder.path()).unwrap();
    for (version, digest, direction) in plugins {
        store.put_plugin(&manifest(version, *direction), digest, "/x.so").unwrap();
    }
}

fn direction(folder: &TempDir) -> Direction {
    Store::open_reader(folder.path()).unwrap().metric_infos().unwrap()[0].direction
}

#[test]
fn plugins_keep_their_order_below_ours() {
    use Direction::{HigherIsBetter as Higher, LowerIsBetter as Lower};
    let versions = [("0.1.0", "a", Lower), ("0.1.5", "b", Lower), ("0.2.0", "c", Higher)];
    let (ours, theirs) = (machine("s", &[], 1.5), machine("s", &[], 1.5));
    put_plugins(&theirs, &versions);
    let merged = merge(ours.path(), theirs.path()).unwrap();
    assert!(states(&merged, MergeKind::Plugin).iter().all(|(_, state)| *state == MergeState::New));
    assert_eq!((direction(&theirs), direction(&ours)), (Higher, Higher), "the one that was stored last there");
    let older = machine("s", &[], 1.5);
    put_plugins(&older, &versions[..1]);
    merge(older.path(), theirs.path()).unwrap();
    assert_eq!(direction(&older), Lower, "one that was stored here comes before all of theirs");
    // A second merge puts its own below those of the first.
    let third = machine("s", &[], 1.5);
    put_plugins(&third, &[("0.0.1", "d", Lower), ("0.0.2", "e", Lower)]);
    merge(ours.path(), third.path()).unwrap();
    assert_eq!(direction(&ours), Higher);
}

#[test]
fn a_release_of_a_plugin_with_two_files_is_a_conflict() {
    use Direction::{HigherIsBetter as Higher, LowerIsBetter as Lower};
    let (ours, theirs) = (machine("s", &[], 1.5), machine("s", &[], 1.5));
    put_plugins(&ours, &[("0.1.0", "a", Lower), ("0.2.0-dev", "a", Lower)]);
    put_plugins(&theirs, &[("0.1.0", "b", Higher), ("0.2.0-dev", "b", Higher)]);
    let merged = merge(ours.path(), theirs.path()).unwrap();
    assert_eq!(
        states(&merged, MergeKind::Plugin),
        [("hessian 0.1.0", MergeState::Conflict), ("hessian 0.2.0-dev", MergeState::New)]
    );
    let row = merged.rows.iter().find(|row| row.state == MergeState::Conflict).unwrap();
    assert_eq!((row.ours.as_deref(), row.theirs.as_deref(), merged.conflicts()), (Some("a"), Some("b"), 1));
    // The other file stays one that no result here may rest on unasked.
    let digests = Store::open_reader(ours.path()).unwrap().plugin_digests("hessian", "0.1.0").unwrap();
    assert_eq!((digests, direction(&ours)), (vec!["a".to_owned()], Lower));
}

#[test]
fn a_suite_of_ours_alone_that_plans_a_taken_cell_gains_it() {
    let (ours, theirs) = (machine("ours", &["run-1"], 1.5), machine("theirs", &["run-1", "run-2", "loss-1"], 1.5));
    {
        let mut store = Store::open_writer(ours.path()).unwrap();
        let suite_id = store.suite(None).unwrap().id;
        store.bind(suite_id, "loss-1", "loss-1", &measure_spec("loss/mlm_loss", "w1-4", 400, 50)).unwrap();
    }
    let merged = merge(ours.path(), theirs.path()).unwrap();
    let store = Store::open_reader(ours.path()).unwrap();
    let number = |name| store.suite(Some(name)).unwrap().id;
    assert_eq!(merged.suites, [number("ours"), number("theirs")]);
    assert_eq!(store.metric_rows(number("ours")).unwrap()[0].value, 1.5);
}

#[test]
fn what_failed_elsewhere_is_to_be_computed_here() {
    let (ours, theirs) = (tempdir().unwrap(), machine("s", &["run-1"], 1.5));
    {
        let mut store = Store::open_writer(theirs.path()).unwrap();
        let suite_id = store.suite(None).unwrap().id;
        store.bind(suite_id, "loss-1", "loss-1", &measure_spec("loss/mlm_loss", "w1-4", 400, 50)).unwrap();
        store.start("loss-1").unwrap();
        store.fail("loss-1", &Failure::new(FailureKind::MemoryLimit, "too small a machine")).unwrap();
    }
    merge(ours.path(), theirs.path()).unwrap();
    let store = Store::open_reader(ours.path()).unwrap();
    let cells = store.cells(store.suite(None).unwrap().id).unwrap();
    let cell = cells.iter().find(|cell| cell.key == "loss-1").unwrap();
    assert_eq!((cell.identity.as_deref(), cell.status, cell.reason.as_deref()), (Some("loss-1"), CellStatus::Todo, None));
}

#[test]
fn a_result_that_no_plan_names_is_said_and_not_taken() {
    let (ours, theirs) = (machine("s", &[], 1.5), machine("s", &["run-1"], 1.5));
    Connection::open(theirs.path().join("store.sqlite")).unwrap().execute("UPDATE plan_cell SET identity = NULL", []).unwrap();
    let merged = merge(ours.path(), theirs.path()).unwrap();
    assert_eq!(states(&merged, MergeKind::Cell), [("not planned", MergeState::LeftOut)]);
    assert!(merged.suites.is_empty());
}

#[test]
fn a_plan_for_a_store_that_is_not_there_makes_none() {
    let theirs = machine("s", &["run-1", "loss-1"], 1.5);
    let planned = Store::merge_plan_into_none(theirs.path(), |_, _| Ok(())).unwrap();
    let ours = tempdir().unwrap();
    assert_eq!(planned.rows, merge(ours.path(), theirs.path()).unwrap().rows);
    let none = tempdir().unwrap();
    assert!(matches!(Store::merge_plan_into_none(none.path(), |_, _| Ok(())), Err(StoreError::Missing { .. })));
}

/// What a hostile change of a good store gives, and that nothing is changed here by it.
fn hostile(change: impl Fn(&Path)) -> StoreError {
    let (ours, theirs) = (machine("s", &["loss-1"], 1.5), machine("s", &["run-1", "loss-1", "probe-1"], 1.5));
    change(theirs.path());
    let before = (rows(ours.path()), fs::read_dir(ours.path().join("artifacts")).unwrap().count());
    let error = merge(ours.path(), theirs.path()).unwrap_err();
    let planned = Store::open_reader(ours.path()).unwrap().merge_plan(theirs.path(), |_, _| Ok(())).unwrap_err();
    assert_eq!(error.to_string(), planned.to_string());
    assert_eq!((rows(ours.path()), fs::read_dir(ours.path().join("artifacts")).unwrap().count()), before);
    assert_eq!(fs::read_dir(ours.path().join("work")).unwrap().count(), 0);
    error
}

/// The same for a change by SQL.
fn hostile_sql(sql: &str) -> StoreError {
    hostile(|folder| {
        let connection = Connection::open(folder.join("store.sqlite")).unwrap();
        connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    })
}

#[test]
fn files_that_are_no_store_are_refused() {
    let bytes = |bytes: Vec<u8>| hostile(move |folder| fs::write(folder.join("store.sqlite"), &bytes).unwrap());
    for error in [bytes(b"not a database".to_vec()), bytes((0..8_192_u32).map(|byte| (byte * 7 % 251) as u8).collect())] {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    }
    assert!(matches!(bytes(Vec::new()), StoreError::Missing { .. }));
    let truncated = hostile(|folder| {
        let path = folder.join("store.sqlite");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    });
    assert!(matches!(truncated, StoreError::Corrupt { .. }), "{truncated:?}");
    let flipped = hostile(|folder| {
        let path = folder.join("store.sqlite");
        let mut whole = fs::read(&path).unwrap();
        let length = whole.len();
        whole[length / 2..].fill(0x5a);
        fs::write(&path, whole).unwrap();
    });
    assert!(matches!(flipped, StoreError::Corrupt { .. }), "{flipped:?}");
    let gone = hostile(|folder| fs::remove_file(folder.join("store.sqlite")).unwrap());
    assert!(matches!(gone, StoreError::Missing { .. }), "{gone:?}");
    let folder_there = hostile(|folder| {
        fs::remove_file(folder.join("store.sqlite")).unwrap();
        fs::create_dir(folder.join("store.sqlite")).unwrap();
    });
    assert!(matches!(folder_there, StoreError::Corrupt { .. }), "{folder_there:?}");
    let other = hostile_sql("PRAGMA application_id = 7");
    assert!(matches!(other, StoreError::Foreign { application_id: 7, .. }), "{other:?}");
    let newer = hostile_sql("PRAGMA user_version = 999");
    assert!(matches!(newer, StoreError::Newer { found: 999, .. }), "{newer:?}");
    assert!(matches!(hostile_sql("PRAGMA user_version = -4"), StoreError::Corrupt { .. }));
    // The number of an older schema does not make it one.
    assert!(matches!(hostile_sql("PRAGMA user_version = 2"), StoreError::NotMergeable { .. }));
}

#[test]
fn a_schema_that_is_not_that_of_a_store_is_refused() {
    for (sql, name) in [
        ("ALTER TABLE prediction RENAME TO p; CREATE VIEW prediction AS SELECT * FROM p", "p`"),
        ("CREATE TRIGGER t AFTER INSERT ON suite BEGIN DELETE FROM cell; END", "t"),
        ("DROP VIEW scores; CREATE VIEW scores AS SELECT load_extension('x')", "scores"),
        ("CREATE VIRTUAL TABLE v USING fts5(x)", "v"),
        ("CREATE TABLE more (x)", "more"),
        ("ALTER TABLE suite ADD COLUMN more TEXT", "suite"),
        ("DROP INDEX transfer_weights_digest", "transfer_weights_digest"),
        ("DROP VIEW points", "points"),
    ] {
        let error = hostile_sql(sql);
        assert!(
            matches!(&error, StoreError::NotMergeable { detail, .. } if detail.contains(&format!("`{name}"))),
            "{sql}: {error}"
        );
    }
}

#[test]
fn rows_that_are_not_what_they_should_be_are_refused() {
    for sql in [
        "UPDATE cell SET seconds = 'long' WHERE identity = 'loss-1'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'cell'; PRAGMA writable_schema = RESET;
         UPDATE cell SET attempts = 'many'; PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = sql || ' STRICT' WHERE name = 'cell'",
        "UPDATE cell SET spec_json = '{\"kind\":\"pretrain\"}' WHERE identity = 'run-1'",
        "UPDATE cell SET output_json = '[]' WHERE identity = 'run-1'",
        "UPDATE cell SET output_json = replace(output_json, '1.5', '1.25') WHERE identity = 'loss-1'",
        "UPDATE cell SET output_digest = NULL WHERE identity = 'run-1'",
        "UPDATE cell SET files_json = '7' WHERE identity = 'run-1'",
        "UPDATE cell SET peak_rss_bytes = -1 WHERE identity = 'run-1'",
        "UPDATE cell SET stage = 'embed' WHERE identity = 'run-1'",
        "UPDATE prediction SET data = zeroblob(48)",
        "UPDATE prediction SET molecules = 7",
        "DELETE FROM prediction",
        "PRAGMA foreign_keys = OFF; UPDATE cell SET identity = '../../x' WHERE identity = 'run-1'",
        "PRAGMA foreign_keys = OFF; DELETE FROM cell WHERE identity = 'run-1'",
        "UPDATE suite SET plan_json = '{'",
        "UPDATE suite SET useful_effect = 'half'",
        "INSERT INTO plugin VALUES ('p', '1', 'd', '/p', '{}', 1)",
        "INSERT INTO gate_baseline VALUES ('main', 'now', 'no digest', '{}')",
        "INSERT INTO gate_judgement VALUES (1, 'now', 'main', 'd', 'c', 'worse', '{')",
    ] {
        let error = hostile_sql(sql);
        assert!(matches!(error, StoreError::Corrupt { .. } | StoreError::NotMergeable { .. }), "{sql}: {error:?}");
    }
    let huge = hostile(|folder| {
        let connection = Connection::open(folder.join("store.sqlite")).unwrap();
        connection.execute("UPDATE plan_cell SET label = ?1", ["x".repeat(65 << 20)]).unwrap();
    });
    assert!(matches!(huge, StoreError::NotMergeable { .. } | StoreError::Corrupt { .. }), "{huge:?}");
}

#[test]
fn a_definition_under_a_wrong_identity_is_refused() {
    let (ours, theirs) = (tempdir().unwrap(), machine("s", &["run-1"], 1.5));
    let verify = |identity: &str, _: &_| Err(format!("{identity} is not the identity of its definition"));
    let error = Store::merge(ours.path(), theirs.path(), verify).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { detail, .. } if detail.contains("run-1")), "{error}");
    assert!(Store::open_reader(ours.path()).unwrap().suites().unwrap().is_empty());
}

#[test]
fn paths_and_links_that_lead_out_are_refused() {
    for path in ["../../../etc/passwd", "/etc/passwd", "checkpoint-4/../../x", "", ".", "cell.json"] {
        let error = hostile_sql(&format!(
            "UPDATE cell SET files_json = json_replace(files_json, '$[0].path', '{path}') WHERE identity = 'run-1'"
        ));
        assert!(
            matches!(&error, StoreError::NotMergeable { detail, .. } if detail.contains("not a path inside")),
            "{path}: {error}"
        );
    }
    let secret = tempdir().unwrap();
    fs::write(secret.path().join("model.bin"), WEIGHTS).unwrap();
    let link = |at: &str, to: &str| {
        let (at, to) = (at.to_owned(), secret.path().join(to));
        hostile(move |folder| {
            let place = folder.join("artifacts").join(&at);
            if place.is_dir() {
                fs::remove_dir_all(&place).unwrap()
            } else {
                fs::remove_file(&place).unwrap()
            }
            std::os::unix::fs::symlink(&to, place).unwrap();
        })
    };
    for (at, to) in [("run-1/checkpoint-4/model.bin", "model.bin"), ("run-1/checkpoint-4", ""), ("run-1", "")] {
        let error = link(at, to);
        assert!(matches!(&error, StoreError::NotMergeable { detail, .. } if detail.contains("link")), "{at}: {error}");
    }
    let pipe = hostile(|folder| {
        let place = folder.join("artifacts/run-1/checkpoint-4/model.bin");
        fs::remove_file(&place).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&place).status().unwrap().success());
    });
    assert!(matches!(pipe, StoreError::NotMergeable { .. }), "{pipe:?}");
}

#[test]
fn no_store_is_made_for_what_is_no_store() {
    let (folder, theirs) = (tempdir().unwrap(), tempdir().unwrap());
    let ours = folder.path().join("new");
    fs::write(theirs.path().join("store.sqlite"), "hello").unwrap();
    assert!(merge(&ours, theirs.path()).is_err() && !ours.exists());
    let theirs = machine("s", &["run-1"], 1.5);
    merge(&ours, theirs.path()).unwrap();
    assert!(ours.join("artifacts/run-1/checkpoint-4/model.bin").is_file());
}

#[test]
fn a_store_is_not_merged_into_itself() {
    let ours = machine("s", &["run-1"], 1.5);
    for path in [
        ours.path().to_path_buf(),
        ours.path().join("store.sqlite"),
        ours.path().join("../").join(ours.path().file_name().unwrap()),
    ] {
        let error = merge(ours.path(), &path).unwrap_err();
        assert!(error.to_string().contains("this store itself"), "{error}");
    }
}
