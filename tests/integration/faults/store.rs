//! A store folder that cannot be used.

use std::{fs, os::unix::fs::PermissionsExt as _};

use clmbench_store::Store;

use super::{Page, SUITE, may_mount, mounted, shell};
use crate::bench::{Bench, finish, wait_until};

const RUN: &[&str] = &["run", "suite.toml"];
const STATUS: &[&str] = &["status"];
const BOARD: &[&str] = &["leaderboard", "predictors"];

#[test]
fn folders_and_files_in_the_wrong_place() {
    let mut page = Page::new("The store: what lies there");
    let bench = Bench::new(SUITE);
    page.fault("no store yet", &bench, STATUS, &[], 5);
    fs::write(bench.store(), "a file").unwrap();
    for arguments in [RUN, STATUS] {
        page.fault("the store path is a file", &bench, arguments, &[], 5);
    }
    let inside = bench.path("store/inner");
    page.fault("a folder of the store path is a file", &bench, RUN, &[("CLMBENCH_STORE", inside.to_str().unwrap())], 5);
    fs::remove_file(bench.store()).unwrap();
    fs::create_dir_all(bench.path("store/store.sqlite")).unwrap();
    for arguments in [RUN, STATUS] {
        page.fault("the database is a folder", &bench, arguments, &[], 5);
    }
    fs::remove_dir(bench.path("store/store.sqlite")).unwrap();
    fs::remove_file(bench.path("store/lease")).unwrap();
    fs::create_dir(bench.path("store/lease")).unwrap();
    page.fault("the lease is a folder", &bench, RUN, &[], 5);
    fs::remove_dir(bench.path("store/lease")).unwrap();
    fs::remove_dir(bench.path("store/artifacts")).unwrap();
    fs::write(bench.path("store/artifacts"), "a file").unwrap();
    page.fault("the artifacts are a file", &bench, RUN, &[], 5);
    fs::remove_file(bench.path("store/artifacts")).unwrap();
    fs::write(bench.path("store/store.sqlite"), "").unwrap();
    page.fault("the database is an empty file", &bench, STATUS, &[], 5);
    page.fault("the database is an empty file, which a run takes for a new one", &bench, RUN, &[], 0);
    page.hold();
}

#[test]
fn databases_that_are_not_ours_or_not_whole() {
    let mut page = Page::new("The store: the database");
    let bench = Bench::new(SUITE);
    bench.run();
    let database = bench.store().join("store.sqlite");
    let whole = fs::read(&database).unwrap();
    let mut newer = whole.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes()); // user_version in SQLite's header
    let mut foreign = whole.clone();
    foreign[68..72].copy_from_slice(&7_u32.to_be_bytes()); // application_id
    let mut older = whole.clone();
    older[60..64].copy_from_slice(&1_u32.to_be_bytes());
    let cut = whole[..whole.len() / 2].to_vec();
    for (fault, bytes) in [
        ("no database", b"not a database, but a text".to_vec()),
        ("a newer schema", newer),
        ("another application's", foreign),
        ("cut in the middle", cut),
    ] {
        fs::write(&database, &bytes).unwrap();
        for arguments in [RUN, STATUS, BOARD] {
            page.fault(fault, &bench, arguments, &[], 5);
        }
        assert_eq!(fs::read(&database).unwrap(), bytes, "left as it is");
    }
    fs::write(&database, &older).unwrap();
    page.fault("an older schema", &bench, STATUS, &[], 5);
    // Pages in the middle overwritten, as by a bad disk: told at once after a crash, else when they are read.
    let mut broken = whole.clone();
    let page_size = usize::from(u16::from_be_bytes([whole[16], whole[17]]));
    for start in (2 * page_size..whole.len()).step_by(page_size) {
        broken[start..start + 64].fill(0xAA);
    }
    fs::write(&database, &broken).unwrap();
    for arguments in [RUN, STATUS] {
        page.fault("overwritten pages", &bench, arguments, &[], 5);
    }
    fs::write(bench.store().join("lease"), "{\"pid\":1,\"host\":\"gone\",\"since\":\"x\"}").unwrap();
    page.fault("overwritten pages, after a crash", &bench, RUN, &[], 5);
    // Moved away, as the message says: everything is adopted from the artifacts, nothing is computed.
    fs::remove_file(&database).unwrap();
    let begun = bench.begun().len();
    page.fault("the database was moved away", &bench, RUN, &[], 0);
    assert_eq!(bench.begun().len(), begun);
    page.hold();
}

#[test]
fn folders_that_may_not_be_written_or_read() {
    let mut page = Page::new("The store: permission");
    if !may_mount() {
        return;
    }
    let bench = Bench::new(SUITE);
    let read_only = "mount --bind store store && mount -o remount,bind,ro store";
    fs::create_dir(bench.store()).unwrap();
    let answer = mounted(&bench, read_only, RUN, &[]);
    page.note("an empty folder that is read-only", &bench, RUN, answer, 5);
    bench.run();
    let answer = mounted(&bench, read_only, RUN, &[]);
    page.note("a store that is read-only", &bench, RUN, answer, 5);
    for arguments in [STATUS, BOARD] {
        let answer = mounted(&bench, read_only, arguments, &[]);
        page.note("a store that is read-only, looked at", &bench, arguments, answer, 0);
    }
    // Without any permission, which only root does not mind.
    fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(bench.store(), fs::Permissions::from_mode(0o000)).unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let as_nobody =
        std::process::Command::new("setpriv").args(&nobody[1..]).args(["test", "-x"]).arg(crate::bench::executable()).status();
    if as_nobody.is_ok_and(|status| status.success()) {
        for arguments in [STATUS, BOARD] {
            page.note("a store of somebody else", &bench, arguments, shell(&bench, &nobody, arguments, &[]), 5);
        }
        page.hold();
    } else {
        println!("skipped: the last part needs to become another user (setpriv)");
    }
    fs::set_permissions(bench.store(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_store_in_use_or_on_a_network() {
    let mut page = Page::new("The store: others");
    let bench = Bench::new(SUITE);
    let first = bench.start(RUN, &[("FAKE_WORKER_DELAY_MS", "400")]);
    wait_until("the first run begins", || !bench.begun().is_empty());
    page.fault("another run has it", &bench, RUN, &[], 5);
    for arguments in [STATUS, BOARD] {
        page.fault("another run has it, looked at", &bench, arguments, &[], 0);
    }
    page.fault("another run has it, cleaned up", &bench, &["gc"], &[], 5);
    finish(first).code(0);
    for (kind, number) in [("NFS", "0x6969"), ("SMB", "0xff534d42"), ("SMB 2", "0xfe534d42")] {
        for arguments in [RUN, STATUS] {
            page.fault(kind, &bench, arguments, &[("CLMBENCH_FAULT_STATFS", number)], 5);
        }
    }
    for (kind, number) in
        [("9p, which virtual machines have as their root", "0x01021997"), ("FUSE on a local disk", "0x65735546")]
    {
        page.fault(kind, &bench, STATUS, &[("CLMBENCH_FAULT_STATFS", number)], 0);
    }
    page.hold();
}

#[test]
fn looking_while_a_run_writes_never_fails() {
    let bench = Bench::new(crate::bench::SUITE);
    let mut child = bench.start(RUN, &[("FAKE_WORKER_DELAY_MS", "5")]);
    wait_until("the store is there", || Store::open_reader(&bench.store()).is_ok_and(|store| store.suite(None).is_ok()));
    let mut looks = 0;
    while child.try_wait().unwrap().is_none() {
        let commands: [&[&str]; 5] =
            [STATUS, &["status", "--json"], BOARD, &["leaderboard", "models", "--json"], &["plan", "suite.toml"]];
        for arguments in commands {
            bench.clmbench(arguments).code(0);
            looks += 1;
        }
    }
    finish(child).code(0);
    assert!(looks >= 5, "{looks}");
    assert!(bench.cells().values().all(|cell| cell.0 == clmbench_store::CellStatus::Done));
}
