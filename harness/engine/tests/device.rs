//! A worker offers the devices that are there, takes a broken CUDA library for none, and refuses cells on other devices.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use clmbench_engine::{
    device::Devices,
    loader::{CudaLibrary, open_cuda},
};
use clmbench_protocol::{CellSpec, Event, Failure, FailureKind, Request, RunRequest};

/// The devices that a worker offers, and its answer to a pretraining cell on this device. With `libraries`, the loader
/// looks there first.
fn worker(device: &str, libraries: Option<&Path>) -> (Vec<String>, Failure) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    common::corpus(folder.path(), 8);
    let request = Request::Run(Box::new(RunRequest {
        identity: "device".into(),
        spec: CellSpec::Pretrain(common::spec(folder.path(), 100, 1)),
        plugins: Vec::new(),
        inputs: [("corpus".to_owned(), path(""))].into_iter().collect(),
        work_dir: path("work"),
        log: path("log"),
        device: device.into(),
    }));
    let mut command = Command::new(env!("CARGO_BIN_EXE_clmbench-worker"));
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let quit = serde_json::to_string(&Request::Quit).unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}\n{quit}", serde_json::to_string(&request).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut events = lines.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    let Some(Event::Hello { devices, .. }) = events.next() else { panic!("no hello: {lines}") };
    let Some(Event::Failed(failure)) = events.next() else { panic!("no failure: {lines}") };
    (devices, failure)
}

#[test]
fn the_cpu_is_offered_and_a_cell_there_goes_on_to_its_plugin() {
    let (devices, failure) = worker("cpu", None);
    assert_eq!(devices[0], "cpu");
    // The request names no plugin file: the first thing that is wrong once the device is accepted.
    assert!(failure.message.contains("the host named no file"), "{failure}");
}

#[test]
fn a_gpu_that_is_not_there_is_refused_with_the_reason() {
    let here = Devices::find();
    if here.gpus > 0 {
        let _ = writeln!(std::io::stderr(), "skipped: this machine has a GPU, so its absence cannot be tested");
        return;
    }
    let (devices, failure) = worker("cuda:0", None);
    assert_eq!(devices, ["cpu"]);
    assert_eq!(failure.kind, FailureKind::Unsupported);
    assert!(failure.message.contains(&here.why_none) && failure.message.ends_with("choose one of: cpu"), "{failure}");
}

#[test]
fn a_cuda_library_that_cannot_be_opened_leaves_the_cpu_and_is_named() {
    if open_cuda() != CudaLibrary::Missing {
        let _ = writeln!(std::io::stderr(), "skipped: this libtorch has a CUDA library of its own, which is found first");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("libtorch_cuda.so"), "no library").unwrap();
    let (devices, failure) = worker("cuda:0", Some(folder.path()));
    assert_eq!(devices, ["cpu"]);
    assert!(failure.message.contains("libtorch_cuda cannot be opened"), "{failure}");
    let (_, failure) = worker("cpu", Some(folder.path()));
    assert!(failure.message.contains("the host named no file"), "{failure}");
}

#[test]
fn another_word_is_bad_input() {
    let (_, failure) = worker("gpu", None);
    assert_eq!(failure.kind, FailureKind::BadInput);
    assert!(failure.message.contains("`gpu` is no device"), "{failure}");
}
