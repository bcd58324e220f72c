//! The executable itself: quick to start, and free of libtorch.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::bench::built_executable;

#[test]
fn help_comes_within_50_ms() {
    let clmbench = built_executable();
    let mut times: Vec<Duration> = (0..10)
        .map(|_| {
            let start = Instant::now();
            let status = Command::new(&clmbench).arg("--help").stdout(Stdio::null()).status().unwrap();
            assert!(status.success());
            start.elapsed()
        })
        .collect();
    times.sort();
    // The median: other tests run beside this one.
    assert!(times[5] < Duration::from_millis(50), "{times:?}");
}

#[test]
fn no_libtorch_is_linked() {
    let output = match Command::new("ldd").arg(built_executable()).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: ldd cannot be started ({error})");
            return;
        }
    };
    let libraries = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(libraries.contains("libc"), "{libraries}");
    for name in ["torch", "libc10", "stdc++", "libgomp"] {
        assert!(!libraries.contains(name), "{name}: {libraries}");
    }
}

#[test]
fn help_and_version_need_no_home_and_no_variables() {
    for argument in ["--help", "--version"] {
        assert_cmd::Command::new(built_executable()).env_clear().arg(argument).assert().success();
    }
}
