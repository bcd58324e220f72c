//! The lists that the rules go by. A new entry needs its reason.

/// Crates that must work where libtorch is missing; they reach neither tch, torch-sys nor the plugin edge.
pub const WITHOUT_TORCH: [&str; 13] = [
    "clmbench",
    "clmbench-analysis",
    "clmbench-baselines",
    "clmbench-checkpoint",
    "clmbench-fetch",
    "clmbench-molecules",
    "clmbench-protocol",
    "clmbench-report",
    "clmbench-runner",
    "clmbench-stats",
    "clmbench-store",
    "xtask",
    "clmbench-tests",
];

/// The plugin edge and what stands on it.
pub const WITH_TORCH: [&str; 3] = ["clmbench-sdk", "clmbench-torch-ext", "clmbench-engine"];

/// The crate of the plugin edge: no libtorch, and one dependency.
pub const API: &str = "clmbench-api";

/// All that the edge may depend on.
pub const OF_API: [&str; 1] = ["abi_stable"];

/// Crates of libtorch.
pub const TORCH: [&str; 2] = ["tch", "torch-sys"];

/// What plugins never see.
pub const HIDDEN_FROM_PLUGINS: [&str; 2] = ["clmbench-runner", "clmbench-store"];

/// Names allowed at the top beside dot-files.
pub const TOP: [&str; 10] = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "rust-toolchain.toml",
    "harness",
    "plugins",
    "benchmarks",
    "tests",
    "results",
];

/// Longest file, in lines.
pub const LONGEST: usize = 600;

/// What a file of code ends with.
pub const CODE: [&str; 10] = [".rs", ".cpp", ".h", ".hpp", ".c", ".py", ".sh", ".js", ".css", ".sql"];

/// Crates that print.
pub const PRINTING: [&str; 2] = ["harness/cli/", "harness/xtask/"];

/// Where unsafe may be without being named below.
pub const UNSAFE: [&str; 5] = ["harness/api/", "harness/sdk/", "harness/torch-ext/", "harness/engine/src/loader", "tests/"];

/// Other files with unsafe code, and why they need it.
pub const UNSAFE_EXCEPTIONS: [(&str, &str); 9] = [
    ("harness/protocol/src/fault.rs", "kills its own process for the crash tests"),
    ("harness/cli/src/interrupt.rs", "installs signal handlers"),
    ("harness/cli/src/console.rs", "asks the terminal for its width"),
    ("harness/cli/src/command/doctor/disk.rs", "asks statvfs how much room is left"),
    ("harness/store/src/network.rs", "asks statfs whether the store is on a network file system"),
    ("harness/runner/src/executor/process.rs", "waits for and ends the process groups of workers"),
    ("harness/engine/src/worker/channel.rs", "keeps the protocol's descriptor from plugins"),
    ("harness/engine/src/worker/limits.rs", "asks the kernel to die with its parent"),
    ("harness/molecules/src/cache.rs", "maps the token cache into memory"),
];
