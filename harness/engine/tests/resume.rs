//! Runs that are interrupted, anywhere and while they write: what goes on equals what was never interrupted.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, atomic::Ordering},
};

use clmbench_protocol::{FailureKind, Number, Objective, Precision, Pretrain, PretrainOutput, Schedule, ScheduleKind};
use common::{FUSE, corpus, pretrain, pretrain_saving, spec};

/// The fuse and libtorch's generator are the process's, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    let guard = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    tch::set_num_threads(1);
    FUSE.store(-1, Ordering::SeqCst);
    guard
}

/// A run, what it gives uninterrupted, and the steps that it takes.
struct Bench {
    folder: tempfile::TempDir,
    data: PathBuf,
    spec: Pretrain,
    wanted: PretrainOutput,
    steps: i64,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Pretrain)) -> Self {
        // In memory where that can be had: thousands of states are brought to the disk here.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        corpus(&data, 150);
        let mut spec = spec(&data, 4_500, 3);
        change(&mut spec);
        FUSE.store(1_000_000, Ordering::SeqCst);
        let wanted = pretrain(&spec, &data, &tempfile::tempdir_in(folder.path()).unwrap().keep()).unwrap();
        let steps = 1_000_000 - FUSE.swap(-1, Ordering::SeqCst);
        Self { folder, data, spec, wanted, steps }
    }

    /// Runs until the fuse blows after so many steps, with a state saved after every one.
    fn cut(&self, calls: i64) -> PathBuf {
        let work = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        FUSE.store(calls, Ordering::SeqCst);
        let failure = pretrain_saving(&self.spec, &self.data, &work).unwrap_err();
        assert!(failure.message.contains("the fuse is blown"), "{failure}");
        FUSE.store(-1, Ordering::SeqCst);
        work
    }

    /// Goes on, with so many steps allowed, and compares.
    fn goes_on(&self, work: &Path, allowed: i64, what: &str) {
        FUSE.store(allowed, Ordering::SeqCst);
        let output = pretrain_saving(&self.spec, &self.data, work);
        FUSE.store(-1, Ordering::SeqCst);
        assert_eq!(output.unwrap(), self.wanted, "{what}");
        let mut left: Vec<String> =
            std::fs::read_dir(work).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["checkpoint-1", "checkpoint-2", "checkpoint-3", "record.json"], "{what}");
    }
}

/// Files of the states, newest first, by the start of their names.
fn files(work: &Path, start: &str) -> Vec<PathBuf> {
    let number = |path: &PathBuf| -> u64 {
        let name = path.file_stem().unwrap().to_str().unwrap();
        name[start.len()..].parse().unwrap()
    };
    let entries = std::fs::read_dir(work.join("state")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start)).collect();
    files.sort_by_key(|path| std::cmp::Reverse(number(path)));
    files
}

fn truncate(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn a_run_that_goes_on_equals_one_that_was_never_interrupted() {
    let _turn = turn();
    for (kind, every) in [(ScheduleKind::ConstantWithCooldown, 4), (ScheduleKind::Cosine, 13)] {
        let bench = Bench::new(|spec| spec.schedule.kind = kind);
        // On the trunk, in every branch, right before and after them: no step is done twice but the one that was cut.
        for calls in (0..bench.steps).step_by(every) {
            let work = bench.cut(calls);
            bench.goes_on(&work, bench.steps - calls, &format!("{kind:?} cut after {calls} of {} steps", bench.steps));
            // Killed between the end and the host's commit: nothing is trained again.
            bench.goes_on(&work, 0, "finished");
        }
    }
}

#[test]
fn the_branch_points_are_saved_whatever_the_clock_says() {
    let _turn = turn();
    let bench = Bench::new(|_| ());
    let work = tempfile::tempdir_in(bench.folder.path()).unwrap().keep();
    // The last branch leaves at 3,600 of 4,500 tokens; each branch is a fifth of the way to its checkpoint: 3,600 + 300 +
    // 600 + 900 tokens in all.
    let calls = bench.steps - bench.steps * 450 / 5_400;
    FUSE.store(calls, Ordering::SeqCst);
    pretrain(&bench.spec, &bench.data, &work).unwrap_err();
    assert_eq!(files(&work, "position-").len(), 2);
    bench.goes_on(&work, bench.steps * 1_000 / 5_400, "cut in the last branch");
}

#[test]
fn accumulation_bfloat16_and_causal_runs_go_on_as_well() {
    let _turn = turn();
    let bench = Bench::new(|spec| {
        spec.objective = Objective::CausalLm;
        spec.precision = Precision::Bfloat16;
        spec.accumulate = 2;
        spec.schedule = Schedule { kind: ScheduleKind::ConstantWithCooldown, warmup: Number(0.1), cooldown: Number(0.3) };
    });
    for calls in [20, 61, bench.steps - 3] {
        let work = bench.cut(calls);
        // Two calls a step: one of them may be lost.
        bench.goes_on(&work, bench.steps - calls + 1, &format!("cut after {calls}"));
    }
}

#[test]
fn a_state_that_is_not_whole_gives_way_to_the_one_before() {
    let _turn = turn();
    let bench = Bench::new(|_| ());
    // On the trunk, and in the last branch.
    for calls in [9, bench.steps - 5] {
        for damage in ["tensors", "position", "flipped", "partial"] {
            let work = bench.cut(calls);
            assert_eq!(files(&work, "position-").len(), 2);
            let newest = files(&work, if damage == "position" { "position-" } else { "tensors-" }).remove(0);
            match damage {
                "flipped" => {
                    let mut bytes = std::fs::read(&newest).unwrap();
                    *bytes.last_mut().unwrap() ^= 1;
                    std::fs::write(&newest, bytes).unwrap();
                }
                // Killed before the newest was moved into place.
                "partial" => {
                    let mut beside = newest.as_os_str().to_owned();
                    beside.push(".partial");
                    std::fs::rename(&newest, beside).unwrap();
                }
                _ => truncate(&newest),
            }
            bench.goes_on(&work, bench.steps - calls + 1, &format!("{damage} after {calls}"));
        }
        // Without any whole state the run starts over.
        let work = bench.cut(calls);
        files(&work, "tensors-").iter().for_each(|path| truncate(path));
        bench.goes_on(&work, bench.steps, "nothing whole");
    }
}

#[test]
fn a_checkpoint_that_is_not_whole_is_made_again() {
    let _turn = turn();
    let bench = Bench::new(|_| ());
    let work = bench.cut(bench.steps - 5);
    truncate(&work.join("checkpoint-2/model.safetensors"));
    bench.goes_on(&work, bench.steps, "damaged checkpoint");
}

/// Set in the child that may not write large files: its largest file in blocks, and the folder to work in.
const CHILD: &str = "CLMBENCH_TEST_CHILD_WORK";

#[test]
fn a_full_disk_is_a_typed_error_and_nothing_half_written_is_used() {
    let _turn = turn();
    if let Ok(work) = std::env::var(CHILD) {
        let work = Path::new(&work);
        let data = work.parent().unwrap().join("data");
        for (folder, tokens) in [("trained", 4_500), ("control", 0)] {
            let folder = work.join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            let failure = pretrain(&spec(&data, tokens, 3), &data, &folder).unwrap_err();
            std::fs::write(folder.with_extension("said"), format!("{:?}: {failure}", failure.kind)).unwrap();
        }
        return;
    }
    let bench = Bench::new(|_| ());
    let work = bench.folder.path().join("full");
    std::fs::create_dir(&work).unwrap();
    // A full disk cuts a file short in the middle of a write; so does a limit on the size of files, without a disk. The limit
    // is in blocks of 512 bytes: less than the 3 kB of the weights.
    let name = "a_full_disk_is_a_typed_error_and_nothing_half_written_is_used";
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(CHILD, &work)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for (folder, file) in [("trained", "state/tensors-1.safetensors"), ("control", "checkpoint-0.partial/model.safetensors")] {
        let said = std::fs::read_to_string(work.join(folder).with_extension("said")).unwrap();
        assert!(said.starts_with(&format!("{:?}: ", FailureKind::Io)) && said.contains(file), "{said}");
    }
    assert!(work.join("control/checkpoint-0.partial").exists() && !work.join("control/checkpoint-0").exists());
    // There is space again.
    bench.goes_on(&work.join("trained"), bench.steps, "after a full disk");
    let control = pretrain(&spec(&bench.data, 0, 3), &bench.data, &work.join("control")).unwrap();
    assert_eq!(control.checkpoints.len(), 1);
    let left: Vec<_> = std::fs::read_dir(work.join("control")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["checkpoint-0"]);
}
