//! Fuzzing of the reader of checkpoints of others: bytes led by coverage through the targets of `harness/checkpoint/fuzz`, by cargo-fuzz.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;

use crate::{
    bench::{environment, markdown},
    cargo::{self, cargo, run},
    error::XtaskError,
};

/// Targets, the fifths of the time that each takes (tokenizers are slow), and what each is given.
const TARGETS: [(&str, u64, &str); 3] = [
    ("header", 1, "a safetensors file; what is taken, the reference reader takes alike"),
    ("folder", 1, "config.json, index and two shards; names through the rules of matching"),
    ("tokenizer", 3, "the same with tokenizer.json or vocabulary files, and the trial of molecules"),
];
/// Where the targets are.
const FOLDER: &str = "harness/checkpoint/fuzz";

/// Arguments of `verify fuzz`.
#[derive(Debug, Args)]
pub struct FuzzArguments {
    /// Time for all targets together.
    #[arg(long, default_value_t = 600, value_name = "N")]
    seconds: u64,
    /// Only this target; its table is not written.
    #[arg(long, value_parser = TARGETS.map(|(name, _, _)| name), conflicts_with = "write")]
    only: Option<String>,
    /// `address` finds wrong uses of memory in unsafe code of dependencies; `none` where it does not link.
    #[arg(long, default_value = "address", value_parser = ["address", "none"])]
    sanitizer: String,
    /// Also write the table to benchmarks/FUZZ.md.
    #[arg(long)]
    write: bool,
}

/// Runs every target for its share of the time; the first finding ends it.
pub fn run_fuzz(arguments: &FuzzArguments) -> Result<(), XtaskError> {
    let checkout = cargo::checkout()?;
    let versions = [version(&["rustc", "--version"])?, version(&["cargo", "fuzz", "--version"])?].join(", ");
    let folder = checkout.join("target/bench/verify-fuzz");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(XtaskError::io("remove", &folder))?;
    }
    let mut seeds = cargo(&checkout);
    seeds.args(["test", "--release", "--locked", "-p", "clmbench-checkpoint", "--test", "mutations", "--", "seeds"]);
    run({
        seeds.env("CLMBENCH_FUZZ_SEEDS", folder.join("seeds"));
        seeds
    })?;
    let targets: Vec<_> = TARGETS.iter().filter(|(name, _, _)| arguments.only.as_ref().is_none_or(|only| only == name)).collect();
    let shares: u64 = targets.iter().map(|(_, share, _)| share).sum();
    let mut rows = Vec::new();
    for (target, share, what) in targets {
        let seconds = (arguments.seconds * share / shares).max(1);
        println!("xtask: {target} for {seconds} s");
        let found = fuzz(&checkout, &folder, target, seconds, &arguments.sanitizer)?;
        rows.push([vec![format!("`{target}`"), (*what).to_owned()], found.cells(seconds)].concat());
    }
    let text = page(&rows, &versions, &arguments.sanitizer, &environment(&checkout));
    println!("\n{text}");
    if arguments.write {
        let path = checkout.join("benchmarks/FUZZ.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    Ok(())
}

/// What libFuzzer says at its end.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    executions: u64,
    edges: u64,
    corpus: u64,
    slowest: u64,
}

impl Counts {
    /// From its log.
    fn read(log: &str) -> Option<Self> {
        let stat = |name: &str| log.lines().rev().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        let last = log.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: "))?;
        let after = |word: &str| last.split(word).nth(1)?.trim().split([' ', '/']).next()?.parse().ok();
        Some(Self {
            executions: stat("stat::number_of_executed_units:")?,
            slowest: stat("stat::slowest_unit_time_sec:")?,
            edges: after("cov:")?,
            corpus: after("corp:")?,
        })
    }

    fn cells(&self, seconds: u64) -> Vec<String> {
        [self.executions, seconds, self.edges, self.corpus, self.slowest, 0].map(|number| number.to_string()).to_vec()
    }
}

fn fuzz(checkout: &Path, folder: &Path, target: &str, seconds: u64, sanitizer: &str) -> Result<Counts, XtaskError> {
    let (corpus, findings) = (folder.join("corpus").join(target), folder.join("findings").join(target));
    for made in [&corpus, &findings] {
        fs::create_dir_all(made).map_err(XtaskError::io("create", made))?;
    }
    let path = folder.join(format!("{target}.log"));
    let log = File::create(&path).map_err(XtaskError::io("create", &path))?;
    let mut command = nightly();
    command.current_dir(checkout).args(["cargo", "fuzz", "run", "--fuzz-dir", FOLDER, "--sanitizer", sanitizer, target]);
    command.args([&corpus, &folder.join("seeds").join(target)]).arg("--");
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-dict={}", checkout.join(FOLDER).join("words.dict").display()));
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    // A tokenizer may take the time of its trial, and no longer than that of its reading; threads that are left alone are no leaks.
    command.args(["-print_final_stats=1", "-timeout=60", "-rss_limit_mb=4096", "-max_len=16384", "-detect_leaks=0"]);
    let status = command.stdin(Stdio::null()).stderr(log).status().map_err(XtaskError::io("start", "rustup"))?;
    let text = String::from_utf8_lossy(&fs::read(&path).map_err(XtaskError::io("read", &path))?).into_owned();
    if !status.success() {
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(25)..].join("\n");
        let found: Vec<PathBuf> = fs::read_dir(&findings).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        return Err(XtaskError::Check(format!(
            "{tail}\ntarget `{target}` failed; inputs that do it: {found:?}, the whole log: {}",
            path.display()
        )));
    }
    Counts::read(&text)
        .ok_or_else(|| XtaskError::Check(format!("{} does not say what libFuzzer says at its end", path.display())))
}

/// rustup's nightly toolchain, whatever runs this.
fn nightly() -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly"])
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTFLAGS");
    command
}

/// First line of a tool's version.
fn version(words: &[&str]) -> Result<String, XtaskError> {
    let output = nightly().args(words).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text =
        output.ok().filter(|output| output.status.success()).map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.and_then(|text| text.lines().next().map(str::to_owned)).ok_or(XtaskError::Tool {
        tool: "cargo-fuzz with a nightly compiler",
        advice: "`rustup toolchain install nightly --profile minimal`, then `cargo install cargo-fuzz --locked`, and run this again",
    })
}

fn page(rows: &[Vec<String>], versions: &str, sanitizer: &str, environment: &str) -> String {
    let header = ["target", "input", "executions", "seconds", "edges reached", "corpus", "slowest, s", "findings"];
    format!(
        "# Fuzzing\n\nMade by `cargo xtask verify fuzz --sanitizer {sanitizer} --write` on {environment}, with {versions}.\n\n\
         Bytes changed at random and led by coverage (libFuzzer), through everything that reads a checkpoint of others before libtorch sees it\n\
         (`harness/checkpoint`). From a few sound files, which `harness/checkpoint/tests/mutations.rs` makes. A finding is a panic of ours, memory beyond\n\
         4 GiB, 60 seconds for one input, a message that could steer a terminal, or a file that is taken and not as it says; the check then fails.\n\
         Panics of the tokenizers library are caught and become errors, and are no findings. Other work on the same machine may have\n\
         taken time; a tokenizer that is taken encodes some thirty molecules, so its target has the fewest executions.\n\n{}",
        markdown(&header, rows)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_libfuzzer_says_at_its_end() {
        let log = "INFO: seed corpus: files: 3\n#4\tINITED cov: 331 ft: 332 corp: 3/619b exec/s: 0 rss: 53Mb\n\
                   #8192\tpulse  cov: 512 ft: 900 corp: 71/9Kb lim: 4 exec/s: 4096 rss: 60Mb\n#9999\tDONE   cov: 520 ft: 901 corp: 72/9Kb lim: 4 exec/s: 5000 rss: 60Mb\n\
                   ###### Recommended dictionary. ######\nDone 9999 runs in 2 second(s)\nstat::number_of_executed_units: 9999\n\
                   stat::average_exec_per_sec:     4999\nstat::slowest_unit_time_sec:    1\n";
        assert_eq!(Counts::read(log).unwrap(), Counts { executions: 9_999, edges: 520, corpus: 72, slowest: 1 });
        assert_eq!(Counts::read("error: no such target"), None);
    }
}
