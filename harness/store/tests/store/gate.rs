//! The gate's rows.

use clmbench_store::{Store, StoreError};
use tempfile::tempdir;

#[test]
fn a_gate_baseline_is_kept_until_it_is_replaced_on_purpose() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let stored = store.put_gate_baseline("main", "{\"a\":1}", false).unwrap();
    assert_eq!(stored.digest, blake3::hash(b"{\"a\":1}").to_hex().to_string());
    assert_eq!(store.put_gate_baseline("main", "{\"a\":1}", false).unwrap(), stored, "the same again");
    let error = store.put_gate_baseline("main", "{\"a\":2}", false).unwrap_err();
    assert!(matches!(&error, StoreError::BaselineExists { name, .. } if name == "main"), "{error}");
    assert_eq!(store.gate_baseline("main").unwrap(), stored);
    let replaced = store.put_gate_baseline("main", "{\"a\":2}", true).unwrap();
    assert_eq!((replaced.name.as_str(), replaced.content_json.as_str()), ("main", "{\"a\":2}"));
    store.put_gate_baseline("early", "[]", false).unwrap();
    let names: Vec<_> = store.gate_baselines().unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["early", "main"]);
    let error = store.gate_baseline("mian").unwrap_err();
    assert!(error.to_string().contains("`mian`") && error.to_string().contains("known: `early`, `main`"), "{error}");
    store.remove_gate_baseline("early").unwrap();
    assert!(matches!(store.remove_gate_baseline("early"), Err(StoreError::UnknownBaseline { .. })));
    assert_eq!(Store::open_reader(folder.path()).unwrap().gate_baselines().unwrap(), [replaced]);
}

#[test]
fn names_and_contents_that_cannot_be_stored_are_refused() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    for name in ["", ".hidden", "a b", "../x", "é", &"x".repeat(101)] {
        assert!(matches!(store.put_gate_baseline(name, "{}", true), Err(StoreError::Invalid { .. })), "{name}");
    }
    assert!(matches!(store.put_gate_baseline("x", "{", true), Err(StoreError::Invalid { .. })));
    assert!(matches!(store.put_gate_judgement("x", "d", "c", "worse", ""), Err(StoreError::Invalid { .. })));
    assert!(store.gate_baselines().unwrap().is_empty());
}

#[test]
fn a_changed_content_is_told() {
    let folder = tempdir().unwrap();
    Store::open_writer(folder.path()).unwrap().put_gate_baseline("main", "{\"margin\":0.02}", false).unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute("UPDATE gate_baseline SET content_json = '{\"margin\":9.99}'", []).unwrap();
    drop(connection);
    let error = Store::open_reader(folder.path()).unwrap().gate_baseline("main").unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { detail, .. } if detail.contains("`main`")), "{error}");
}

#[test]
fn judgements_are_kept_in_order() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let digest = store.put_gate_baseline("main", "{}", false).unwrap().digest;
    let first = store.put_gate_judgement("main", &digest, "folder:new", "worse", "{\"tasks\":[]}").unwrap();
    let second = store.put_gate_judgement("main", &digest, "hub:a/b@c", "cannot_tell", "{}").unwrap();
    store.remove_gate_baseline("main").unwrap();
    assert_eq!((first.id, second.id, first.verdict.as_str()), (1, 2, "worse"));
    assert_eq!(store.gate_judgements().unwrap(), [first, second]);
}
