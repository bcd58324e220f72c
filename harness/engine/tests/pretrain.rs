//! Pretraining from the outside: determinism, learning, resuming, what is refused.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::sync::{Mutex, MutexGuard, atomic::Ordering};

use clmbench_protocol::{FailureKind, Number, Precision, ScheduleKind};
use common::{FUSE, corpus, pretrain, spec};

/// The fuse and libtorch's generator are the process's, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    let guard = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    tch::set_num_threads(1);
    FUSE.store(-1, Ordering::SeqCst);
    guard
}

#[test]
fn the_same_definition_gives_the_same_bits_and_the_loss_falls() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (data, a, b) = (folder.path().join("data"), folder.path().join("a"), folder.path().join("b"));
    for path in [&data, &a, &b] {
        std::fs::create_dir(path).unwrap();
    }
    corpus(&data, 200);
    let mut spec = spec(&data, 60_000, 2);
    spec.learning_rate = Number(0.03);
    let first = pretrain(&spec, &data, &a).unwrap();
    assert_eq!(first, pretrain(&spec, &data, &b).unwrap());
    assert!(!first.diverged && first.checkpoints.len() == 2);
    assert!(first.checkpoints.iter().all(|row| row.annealed) && first.checkpoints[1].last && !first.checkpoints[0].last);
    assert_eq!(first.checkpoints.iter().map(|row| row.tokens).collect::<Vec<_>>(), [30_000, 60_000]);
    // The loss of 25 equally likely tokens is ln 25 = 3.2.
    assert!(first.checkpoints[1].training_loss.0 < 2.5, "{:?}", first.checkpoints[1].training_loss);
    assert!(first.checkpoints[1].training_loss < first.checkpoints[0].training_loss);
    // The last step of a cool-down is near zero, but a step.
    let rate = first.checkpoints[1].learning_rate.0;
    assert!(rate > 0.0 && rate < 0.1 * spec.learning_rate.0, "{rate}");
    let other = pretrain(&clmbench_protocol::Pretrain { seed: 4, ..spec }, &data, &tempfile::tempdir().unwrap().keep());
    assert_ne!(other.unwrap().checkpoints[1].weights_digest, first.checkpoints[1].weights_digest);
}

#[test]
fn a_run_that_goes_on_equals_one_that_was_never_interrupted() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (data, whole) = (folder.path().join("data"), folder.path().join("whole"));
    std::fs::create_dir(&data).unwrap();
    std::fs::create_dir(&whole).unwrap();
    corpus(&data, 150);
    let spec = spec(&data, 12_000, 3);
    let wanted = pretrain(&spec, &data, &whole).unwrap();
    // Some 123 steps with branches: before the first checkpoint, after it, after the second, in the last branch.
    for calls in [10, 55, 90, 118] {
        let work = folder.path().join(format!("cut-{calls}"));
        std::fs::create_dir(&work).unwrap();
        FUSE.store(calls, Ordering::SeqCst);
        let failure = pretrain(&spec, &data, &work).unwrap_err();
        assert!(failure.message.contains("the fuse is blown"), "{failure}");
        let kept = work.join("state/position.json").exists();
        assert_eq!(kept, calls > 50, "state after {calls} calls");
        FUSE.store(-1, Ordering::SeqCst);
        assert_eq!(pretrain(&spec, &data, &work).unwrap(), wanted, "cut after {calls} calls");
        assert!(!work.join("state").exists());
        // Killed between the end and the host's commit: nothing is trained again.
        FUSE.store(0, Ordering::SeqCst);
        assert_eq!(pretrain(&spec, &data, &work).unwrap(), wanted);
        FUSE.store(-1, Ordering::SeqCst);
    }
}

#[test]
fn a_damaged_state_is_not_used() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (data, whole, cut) = (folder.path().join("data"), folder.path().join("whole"), folder.path().join("cut"));
    for path in [&data, &whole, &cut] {
        std::fs::create_dir(path).unwrap();
    }
    corpus(&data, 150);
    let spec = spec(&data, 8_000, 2);
    let wanted = pretrain(&spec, &data, &whole).unwrap();
    FUSE.store(70, Ordering::SeqCst);
    pretrain(&spec, &data, &cut).unwrap_err();
    FUSE.store(-1, Ordering::SeqCst);
    let tensors = std::fs::read_dir(cut.join("state")).unwrap().flatten().map(|entry| entry.path());
    let tensors = tensors.filter(|path| path.extension().is_some_and(|end| end == "safetensors")).collect::<Vec<_>>();
    assert_eq!(tensors.len(), 1);
    let mut bytes = std::fs::read(&tensors[0]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&tensors[0], bytes).unwrap();
    assert_eq!(pretrain(&spec, &data, &cut).unwrap(), wanted);
}

#[test]
fn no_tokens_is_the_untrained_control_and_odd_definitions_are_refused() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    corpus(&data, 50);
    let base = spec(&data, 0, 1);
    let control = pretrain(&base, &data, &tempfile::tempdir().unwrap().keep()).unwrap();
    assert_eq!((control.checkpoints[0].folder.as_str(), control.checkpoints[0].step), ("checkpoint-0", 0));
    let refused = |change: &dyn Fn(&mut clmbench_protocol::Pretrain)| {
        let mut spec = spec(&data, 1000, 1);
        change(&mut spec);
        pretrain(&spec, &data, &tempfile::tempdir().unwrap().keep()).unwrap_err().kind
    };
    assert_eq!(refused(&|spec| spec.precision = Precision::Bfloat16), FailureKind::Unsupported);
    assert_eq!(refused(&|spec| spec.schedule.kind = ScheduleKind::Cosine), FailureKind::Unsupported);
    assert_eq!(refused(&|spec| spec.corpus_digest = "0".repeat(64)), FailureKind::CorruptFile);
    assert_eq!(refused(&|spec| spec.tokenizer_digest = "0".repeat(64)), FailureKind::CorruptFile);
}

#[test]
fn a_rate_that_blows_up_is_a_diverged_run() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    corpus(&data, 100);
    let mut spec = spec(&data, 10_000, 1);
    spec.learning_rate = Number(1e6);
    let output = pretrain(&spec, &data, &tempfile::tempdir().unwrap().keep()).unwrap();
    assert!(output.diverged);
    for row in &output.checkpoints {
        assert!(row.training_loss.0.is_finite());
    }
}
