//! Filling rows: a value with its interval, or a refusal in its place.

use clmbench_stats::{Interval, Refusal};
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
