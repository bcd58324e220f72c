//! Filling rows: a value with its interval, or a refusal in its place.

use clmbench_stats::{Ends, Inference, Interval, Refusal, SMALLEST_N_FOR_INTERVALS};
use clmbench_store::StatisticRow;
use serde::Serialize;

/// The row with this value.
pub(super) fn valued(mut row: StatisticRow, value: f64) -> StatisticRow {
    row.value = Some(value);
    row
}

/// The row with these ends, or with the reason why it has none.
pub(super) fn bounded(mut row: StatisticRow, interval: &Result<Interval, Refusal>) -> StatisticRow {
    match interval {
        Ok(interval) => {
            (row.low90, row.high90) = (Some(interval.low90), Some(interval.high90));
            (row.low95, row.high95) = (Some(interval.low95), Some(interval.high95));
        }
        Err(refusal) => row.reason = Some(refusal.to_string()),
    }
    row
}

/// The row with these ends.
pub(super) fn ended(mut row: StatisticRow, ends: Ends) -> StatisticRow {
    (row.low90, row.high90) = (Some(ends.low90), Some(ends.high90));
    (row.low95, row.high95) = (Some(ends.low95), Some(ends.high95));
    row
}

/// The row with an estimate, its standard error and its p; with its interval from 8 runs on.
pub(super) fn inferred(mut row: StatisticRow, found: &Inference) -> StatisticRow {
    (row.value, row.std_error, row.p_raw) = (Some(found.estimate), Some(found.std_error), Some(found.p_value));
    if (row.n as usize) < SMALLEST_N_FOR_INTERVALS { short(row) } else { ended(row, found.ends) }
}

/// The row with these ends, or with the reason why it has none.
pub(super) fn ended_if(mut row: StatisticRow, ends: &Result<Ends, Refusal>) -> StatisticRow {
    match ends {
        Ok(ends) => ended(row, *ends),
        Err(refusal) => {
            row.reason = Some(refusal.to_string());
            row
        }
    }
}

/// The row without an interval for want of runs.
fn short(mut row: StatisticRow) -> StatisticRow {
    let (n, needed) = (row.n as usize, SMALLEST_N_FOR_INTERVALS);
    row.reason = Some(Refusal::TooFew { what: "an interval".to_owned(), n, needed }.to_string());
    row
}

/// The row about one of several.
pub(super) fn about(mut row: StatisticRow, term: &str) -> StatisticRow {
    row.term = Some(term.to_owned());
    row
}

/// The row without a value, and why.
pub(super) fn refused(mut row: StatisticRow, refusal: &Refusal) -> StatisticRow {
    row.refusal = Some(refusal.word().to_owned());
    row.reason = Some(refusal.to_string());
    row
}

/// The row with everything else about it.
pub(super) fn detailed(mut row: StatisticRow, details: &impl Serialize) -> StatisticRow {
    // Plain numbers and words: writing them cannot fail.
    row.details_json = serde_json::to_string(details).ok();
    row
}
