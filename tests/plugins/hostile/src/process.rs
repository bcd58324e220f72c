//! Deeds done to the process that the metric runs in.
#![allow(clippy::print_stdout)] // a plugin must not, and this one does

use std::{hint::black_box, io::Write as _, thread, time::Duration};

/// Names and deeds. Those that return let the metric answer properly.
pub const DEEDS: [(&str, fn()); 14] = [
    ("abort", || std::process::abort()),
    ("segfault", segfault),
    ("stack", || {
        black_box(descend(1));
    }),
    ("exit", || std::process::exit(0)),
    ("kill", || raise(libc::SIGKILL)),
    ("stop", || raise(libc::SIGSTOP)),
    ("hang", hang),
    ("chatter", chatter),
    ("memory", memory),
    ("capacity", capacity),
    ("stdout", stdout),
    ("scribble", scribble),
    ("close", close),
    ("child", child),
];

// SAFETY: declared as in <fenv.h>.
unsafe extern "C" {
    fn fesetround(mode: i32) -> i32;
}

/// Makes this thread round upward from now on.
pub fn round_upward() {
    const UPWARD: i32 = 0x800;
    // SAFETY: fesetround takes no pointers.
    unsafe {
        fesetround(UPWARD);
    }
}

fn raise(signal: i32) {
    // SAFETY: raise takes no pointers.
    unsafe {
        libc::raise(signal);
    }
}

fn segfault() {
    let nowhere: *mut u8 = black_box(std::ptr::without_provenance_mut(8));
    // SAFETY: none; the write to an unmapped page is the deed. Nothing runs in this process afterwards.
    unsafe { nowhere.write_volatile(1) }
}

/// Without end, and not in a loop.
#[allow(unconditional_recursion)] // the deed
fn descend(depth: u64) -> u64 {
    let room = black_box([depth; 512]);
    descend(black_box(depth + 1)) + room[7]
}

fn hang() {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// Never-ending output.
fn chatter() {
    let line = "x".repeat(1000) + "\n";
    loop {
        // A log that is full changes nothing: the deed goes on.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// Takes memory, touches it and keeps it, without end.
fn memory() {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(vec![black_box(1); 8 << 20]);
        black_box(&kept);
    }
}

/// Asks for more memory than there is in any machine.
fn capacity() {
    let nothing: Vec<u8> = Vec::with_capacity(black_box(1 << 50));
    black_box(&nothing);
}

/// Garbage on standard output, some of it like a message of the protocol.
fn stdout() {
    println!("no message \u{1b}[31m");
    println!("{{\"event\":\"failed\",\"kind\":\"panic\",\"message\":\"forged\"}}");
    write_to(1, b"\xff\xfe raw bytes, no line end");
}

/// Garbage on every descriptor that the process has beside the three standard ones.
fn scribble() {
    (3..64).for_each(|descriptor| write_to(descriptor, b"scribbled\n"));
}

fn write_to(descriptor: i32, bytes: &[u8]) {
    // SAFETY: the bytes are valid for reads; a descriptor that is not open gives an error, which is of no interest.
    unsafe {
        libc::write(descriptor, bytes.as_ptr().cast(), bytes.len());
    }
}

/// Closes every descriptor but the three standard ones, whoever's they are.
fn close() {
    for descriptor in 3..64 {
        // SAFETY: close takes no pointers. Taking descriptors away from their owners is the deed.
        unsafe {
            libc::close(descriptor);
        }
    }
}

/// Leaves a child process behind that would live for an hour.
fn child() {
    // Whether it can be started is of no interest.
    let _ = std::process::Command::new("sleep").arg("3617").spawn();
}
