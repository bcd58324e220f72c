//! One writer, many readers.

use clmbench_store::{CellStatus, Store, StoreError};
use tempfile::tempdir;

use crate::made_up::{cell, pretrain_output, pretrain_spec, report, suite};

#[test]
fn a_second_writer_is_told_who_holds_the_lease() {
    let folder = tempdir().unwrap();
    let store = Store::open_writer(folder.path()).unwrap();
    let error = Store::open_writer(folder.path()).unwrap_err();
    let StoreError::Leased { pid, path, .. } = &error else { panic!("{error}") };
    assert_eq!((*pid, path), (std::process::id(), &store.root().join("lease")));
    assert!(error.to_string().contains("--store"), "{error}");
    drop(store);
    Store::open_writer(folder.path()).unwrap();
}

#[test]
fn readers_see_committed_cells_while_a_writer_works() {
    let folder = tempdir().unwrap();
    assert!(matches!(Store::open_reader(folder.path()), Err(StoreError::Missing { .. })));
    assert!(matches!(Store::open_reader(&folder.path().join("absent")), Err(StoreError::Missing { .. })));
    let mut writer = Store::open_writer(folder.path()).unwrap();
    let mut reader = Store::open_reader(folder.path()).unwrap();
    assert!(reader.suites().unwrap().is_empty());
    let suite_id = writer.put_suite(&suite("s")).unwrap();
    writer.put_cells(suite_id, &[cell("run", "pretrain", &[])]).unwrap();
    writer.bind(suite_id, "run", "aaaa", &pretrain_spec(1, 50, 1)).unwrap();
    writer.start("aaaa").unwrap();
    assert_eq!(reader.cells(suite_id).unwrap()[0].status, CellStatus::Running);
    writer.finish("aaaa", &report(pretrain_output(1, 50, "w", false))).unwrap();
    assert_eq!(reader.cells(suite_id).unwrap()[0].status, CellStatus::Done);
    assert_eq!(reader.runs(suite_id).unwrap().len(), 1);
    assert!(matches!(reader.start("aaaa"), Err(StoreError::OpenedForReading { .. })));
    assert!(matches!(reader.put_fits(suite_id, &[], &[]), Err(StoreError::OpenedForReading { .. })));
    drop(writer);
    assert_eq!(reader.cells(suite_id).unwrap().len(), 1);
    drop(reader);
    assert_eq!(Store::open_reader(folder.path()).unwrap().cells(suite_id).unwrap().len(), 1, "after both are gone");
}

#[test]
fn a_writer_that_ends_in_order_leaves_nothing_running() {
    let folder = tempdir().unwrap();
    let mut writer = Store::open_writer(folder.path()).unwrap();
    let suite_id = writer.put_suite(&suite("s")).unwrap();
    writer.put_cells(suite_id, &[cell("run", "pretrain", &[])]).unwrap();
    writer.bind(suite_id, "run", "aaaa", &pretrain_spec(1, 50, 1)).unwrap();
    writer.start("aaaa").unwrap();
    drop(writer);
    assert_eq!(Store::open_reader(folder.path()).unwrap().cells(suite_id).unwrap()[0].status, CellStatus::Todo);
    assert_eq!(Store::open_writer(folder.path()).unwrap().recovered(), 0);
}

#[test]
fn folders_are_where_they_are_said_to_be() {
    let folder = tempdir().unwrap();
    let store = Store::open_writer(&folder.path().join("new/store")).unwrap();
    let root = folder.path().canonicalize().unwrap().join("new/store");
    assert_eq!(store.root(), root);
    assert_eq!(store.artifact_dir("x"), root.join("artifacts/x"));
    assert_eq!(store.work_dir("x"), root.join("work/x"));
    assert_eq!(store.log_path("x"), root.join("logs/x.log"));
    assert!(["artifacts", "work", "logs", "store.sqlite", "lease"].iter().all(|name| root.join(name).exists()));
}

#[test]
fn a_store_that_cannot_be_written_is_refused_by_path() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempdir().unwrap();
    let path = folder.path().join("store");
    drop(Store::open_writer(&path).unwrap());
    let set = |mode: u32| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    if std::fs::write(path.join("probe"), "").is_ok() {
        set(0o755);
        println!("skipped: this user may write to read-only folders");
        return;
    }
    std::fs::remove_file(path.join("lease")).unwrap_err();
    let reader = Store::open_reader(&path).map(|store| store.suites().unwrap().len());
    let missing = Store::open_writer(&path.join("deeper")).map(|_| ());
    set(0o755);
    assert_eq!(reader.unwrap(), 0, "reading works");
    assert!(matches!(missing, Err(StoreError::ReadOnly { .. })), "{missing:?}");
}

#[test]
fn a_file_in_the_place_of_the_folder_is_an_error_with_its_path() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "text").unwrap();
    let error = Store::open_writer(&path).unwrap_err().to_string();
    assert!(error.contains("file"), "{error}");
    let path = folder.path().join("store");
    std::fs::create_dir_all(path.join("store.sqlite")).unwrap();
    assert!(matches!(Store::open_writer(&path), Err(StoreError::Corrupt { .. })));
}
