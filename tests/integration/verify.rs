//! Tests whose full size takes minutes: `cargo xtask verify crash` sets these variables, and makes the
//! committed table of what the tests report.
//!
//! | variable | effect |
//! |---|---|
//! | `CLMBENCH_VERIFY_REPORT` | lines are written to this file; without the next, the full size |
//! | `CLMBENCH_VERIFY_SMALL` | not the full size |
//! | `CLMBENCH_VERIFY_KILLS` | how many kills must land |
//! | `CLMBENCH_VERIFY_SEED` | seed of the moments |

/// Whether the full size is asked for.
pub fn wanted() -> bool {
    std::env::var_os("CLMBENCH_VERIFY_REPORT").is_some() && std::env::var_os("CLMBENCH_VERIFY_SMALL").is_none()
}

/// A number from a variable.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Shows the lines (with `--nocapture`), and writes them to the file that was asked for.
pub fn report(what: &str, lines: &[String]) {
    lines.iter().for_each(|line| println!("{what}: {line}"));
    if let Some(path) = std::env::var_os("CLMBENCH_VERIFY_REPORT") {
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
}
