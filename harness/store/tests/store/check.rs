//! `Store::check` and `Store::vacuum`.

use clmbench_store::{Store, StoreError};
use rusqlite::Connection;
use tempfile::tempdir;

use crate::views::made_up;

/// The check that finds something, and what, after a change by SQL.
fn found(sql: &str) -> Vec<(&'static str, String)> {
    let folder = tempdir().unwrap();
    made_up(&mut Store::open_writer(folder.path()).unwrap());
    Connection::open(folder.path().join("store.sqlite")).unwrap().execute_batch(sql).unwrap();
    let checked = Store::open_reader(folder.path()).unwrap().check(|_, _| Ok(())).unwrap();
    checked
        .into_iter()
        .flat_map(|check| check.wrong.into_iter().map(move |(name, words)| (check.check, format!("{name}: {words}"))))
        .collect()
}

#[test]
fn a_whole_store_passes_and_damage_is_named() {
    assert_eq!(found(""), []);
    for (sql, check, words) in [
        ("PRAGMA foreign_keys = OFF; DELETE FROM run WHERE identity = 'identity-run'", "references", "refers to a row of run"),
        ("CREATE TRIGGER t AFTER INSERT ON suite BEGIN SELECT 1; END", "schema", "t: a trigger that does not belong"),
        ("DROP VIEW fits", "schema", "fits: a view that is missing"),
        ("UPDATE cell SET spec_json = '{}' WHERE identity = 'identity-run'", "definitions", "identity-run"),
        (
            "UPDATE cell SET output_json = replace(output_json, '1.5', '1.25') WHERE identity = 'identity-loss'",
            "results",
            "identity-loss: the result is not that of its digest",
        ),
        ("UPDATE prediction SET data = zeroblob(24) WHERE identity = 'identity-probe'", "definitions", "checksum"),
        ("INSERT INTO gate_baseline VALUES ('main', 'now', 'x', '{}')", "gate_baselines", "main"),
    ] {
        let wrong = found(sql);
        assert!(wrong.iter().any(|(name, found)| *name == check && found.contains(words)), "{sql}: {wrong:?}");
    }
}

#[test]
fn identities_are_verified() {
    let folder = tempdir().unwrap();
    made_up(&mut Store::open_writer(folder.path()).unwrap());
    let store = Store::open_reader(folder.path()).unwrap();
    let checked =
        store.check(|identity, _| if identity == "identity-run" { Err("not its hash".into()) } else { Ok(()) }).unwrap();
    let definitions = checked.iter().find(|check| check.check == "definitions").unwrap();
    assert_eq!(definitions.wrong, [("identity-run".to_owned(), "not its hash".to_owned())]);
    assert!(definitions.looked_at > 10);
}

#[test]
fn stores_of_older_schemas_pass_once_they_are_up_to_date() {
    for sql in
        [include_str!("../golden/schema_1.sql"), include_str!("../golden/schema_4.sql"), include_str!("../golden/schema_5.sql")]
    {
        let folder = tempdir().unwrap();
        Connection::open(folder.path().join("store.sqlite")).unwrap().execute_batch(sql).unwrap();
        let checked = Store::open_writer(folder.path()).unwrap().check(|_, _| Ok(())).unwrap();
        assert!(checked.iter().all(|check| check.wrong.is_empty()), "{checked:?}");
    }
}

#[test]
fn a_vacuum_gives_room_back_and_changes_no_row() {
    let folder = tempdir().unwrap();
    made_up(&mut Store::open_writer(folder.path()).unwrap());
    let path = folder.path().join("store.sqlite");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE room AS SELECT zeroblob(4000000) AS x; DROP TABLE room; PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    // The order of tables is free to change.
    let rows = || -> std::collections::BTreeSet<String> { crate::golden::dump(&path).lines().map(str::to_owned).collect() };
    let before = rows();
    let error = Store::open_reader(folder.path()).unwrap().vacuum().unwrap_err();
    assert!(matches!(error, StoreError::OpenedForReading { .. }));
    let (full, packed) = Store::open_writer(folder.path()).unwrap().vacuum().unwrap();
    assert!(full > 4_000_000 && packed < 1_000_000, "{full} {packed}");
    assert_eq!(rows(), before);
}
