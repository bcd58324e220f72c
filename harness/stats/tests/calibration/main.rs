//! Do the tests, intervals and verdicts keep what they promise? Simulated from designs whose truth is known.
//!
//! `cargo test` runs 200 draws of a part of the designs, with bands wide enough for 200 draws. `cargo xtask verify calibration`
//! runs the same code at full size: it sets `CLMBENCH_CALIBRATION_SIMULATIONS` and `CLMBENCH_CALIBRATION_TABLE`, a file to which
//! every row is added as a line of JSON, and judges the rows itself.
#![allow(clippy::unwrap_used, missing_docs)]

mod draw;
mod gain;
mod gate;
mod pooled;
mod regression;
mod row;
mod saturation;
mod spearman;
mod verdicts;

use row::{Plan, Row};

/// Makes the rows; without a table to write, each must be inside its band.
fn check(rows: fn(&Plan) -> Vec<Row>) {
    let plan = Plan::from_environment();
    let rows = rows(&plan);
    assert!(!rows.is_empty());
    match plan.table() {
        Some(table) => row::append(&table, &rows),
        None => {
            let outside: Vec<&Row> = rows.iter().filter(|row| row.required && !row.inside).collect();
            assert!(outside.is_empty(), "{outside:#?}");
        }
    }
}

#[test]
fn tests_of_r_have_their_size() {
    check(spearman::sizes);
}

#[test]
fn intervals_of_r_cover_their_level() {
    check(spearman::coverage);
}

#[test]
fn regressions_keep_their_level() {
    check(regression::rows);
}

#[test]
fn pooled_tests_and_intervals_keep_their_level() {
    check(pooled::rows);
}

#[test]
fn gains_are_cautious() {
    check(gain::rows);
}

#[test]
fn saturation_errs_as_seldom_as_it_says() {
    check(saturation::rows);
}

#[test]
fn verdicts_err_as_seldom_as_they_say() {
    check(verdicts::rows);
}

#[test]
fn the_gate_errs_as_seldom_as_it_says() {
    check(gate::rows);
}

/// A check that nothing can fail is none: methods known to be wrong must be outside at 200 draws too.
#[test]
fn wrong_methods_are_caught() {
    let plan = Plan::smoke();
    let wrong = [spearman::bca_of_four_sizes(&plan, 12), spearman::interval_of_checkpoints(&plan, 12)];
    for row in wrong.into_iter().chain(regression::checkpoints_as_points(&plan)) {
        assert!(!row.inside, "{row:?}");
    }
}
