//! Estimates against truths: exact ones, and coverage and bias over many seeds.
//!
//! The ordinary tests take [`SHORT`] seeds. `cargo xtask verify oracles` sets [`SEEDS`] to 500 and [`TABLE`] to a file, in which each
//! check leaves one JSON line, and makes `benchmarks/ORACLES.md` of them.

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::statistics;

/// Environment variable: how many seeds.
pub const SEEDS: &str = "CLMBENCH_ORACLE_SEEDS";
/// Environment variable: file to which a JSON line a check is appended.
pub const TABLE: &str = "CLMBENCH_ORACLE_TABLE";
/// Seeds in the ordinary tests.
pub const SHORT: u64 = 60;

/// What is checked against what.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// Metric, such as `hessian/trace_fisher`.
    pub metric: &'a str,
    /// Its value, such as `trace_adaptive`.
    pub value: &'a str,
    /// Where the truth comes from, such as `dense Hessian of a transformer block, 258 parameters`.
    pub oracle: &'a str,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Metric.
    pub metric: String,
    /// Value.
    pub value: String,
    /// Where the truth comes from.
    pub oracle: String,
    /// The truth.
    pub truth: f64,
    /// The value found, or its mean over seeds.
    pub found: f64,
    /// Relative tolerance of an exact check; standard error of the mean over seeds otherwise.
    pub allowed: f64,
    /// Seeds; none for an exact check.
    pub seeds: Option<u64>,
    /// Share of seeds whose 95 % interval holds the truth.
    pub coverage: Option<f64>,
}

/// How many seeds are taken.
pub fn seeds() -> u64 {
    std::env::var(SEEDS).ok().and_then(|text| text.parse().ok()).unwrap_or(SHORT)
}

/// Requires that a value is the truth within a relative tolerance, which for a truth of 0 is absolute.
///
/// # Panics
/// When it is not: for tests.
pub fn exact(check: Check<'_>, truth: f64, found: f64, tolerance: f64) {
    let row = row(check, truth, found, tolerance, None, None);
    let size = if truth == 0.0 { 1.0 } else { truth.abs() };
    assert!((found - truth).abs() <= tolerance * size, "{row:?}");
    write(&row);
}

/// Requires that over many seeds an estimate has no bias (its mean within 4 standard errors of the truth) and that 95 % intervals
/// `value +- reach * error` hold the truth as often as they say: for 500 seeds .916 to .978, for fewer as many binomial standard
/// deviations. `reach` is the quantile that belongs to the error, 1.96 or that of Student's t.
///
/// # Panics
/// When it is not so, and when the mean is known to no better than a tenth of the truth: for tests.
pub fn covered(check: Check<'_>, truth: f64, reach: f64, estimate: impl FnMut(u64) -> (f64, f64)) {
    let seeds = seeds();
    let estimates: Vec<(f64, f64)> = (0..seeds).map(estimate).collect();
    let (mean, error) = statistics::mean_with_error(&estimates.iter().map(|(value, _)| *value).collect::<Vec<_>>());
    let held = estimates.iter().filter(|(value, error)| (value - truth).abs() <= reach * error).count();
    let coverage = held as f64 / seeds as f64;
    let row = row(check, truth, mean, error, Some(seeds), Some(coverage));
    assert!((mean - truth).abs() <= 4.0 * error, "bias: {row:?}");
    assert!(error <= 0.1 * truth.abs(), "the mean over seeds says nothing: {row:?}");
    let spread = (500.0 / seeds as f64).sqrt();
    assert!(coverage >= 0.95 - 0.034 * spread && coverage <= (0.95 + 0.028 * spread).min(1.0), "coverage: {row:?}");
    write(&row);
}

fn row(check: Check<'_>, truth: f64, found: f64, allowed: f64, seeds: Option<u64>, coverage: Option<f64>) -> Row {
    let Check { metric, value, oracle } = check;
    Row { metric: metric.into(), value: value.into(), oracle: oracle.into(), truth, found, allowed, seeds, coverage }
}

/// Appends a line where the table is wanted.
fn write(row: &Row) {
    let Some(path) = std::env::var_os(TABLE) else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    let line = serde_json::to_string(row).unwrap_or_default() + "\n";
    // One write a line: tests append side by side.
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    assert!(written.is_ok(), "{}: {written:?}", std::path::Path::new(&path).display());
}

#[cfg(test)]
mod tests {
    use super::{Check, covered, exact};
    use crate::random::Stream;

    const CHECK: Check<'_> = Check { metric: "a/b", value: "c", oracle: "d" };

    /// Mean and standard error of 20 nearly normal numbers with mean 1 and this standard deviation, told as `told` times that.
    fn estimate(seed: u64, shift: f64, told: f64) -> (f64, f64) {
        let mut stream = Stream::new(seed);
        let normal = (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0;
        (1.0 + shift + 0.1 * normal, 0.1 * told)
    }

    #[test]
    fn an_honest_estimate_passes() {
        covered(CHECK, 1.0, 1.96, |seed| estimate(seed, 0.0, 1.0));
        exact(CHECK, 0.0, 1e-9, 1e-8);
    }

    #[test]
    #[should_panic(expected = "bias")]
    fn a_biased_one_does_not() {
        covered(CHECK, 1.0, 1.96, |seed| estimate(seed, 0.1, 1.0));
    }

    #[test]
    #[should_panic(expected = "coverage")]
    fn nor_one_whose_error_is_half_of_what_it_is() {
        covered(CHECK, 1.0, 1.96, |seed| estimate(seed, 0.0, 0.5));
    }

    #[test]
    #[should_panic(expected = "a/b")]
    fn nor_an_exact_one_that_is_off() {
        exact(CHECK, 2.0, 2.1, 0.01);
    }
}
