//! Do the tests, intervals and verdicts keep what they promise? Simulated from designs whose truth is known.
//!
//! `cargo test` runs 200 draws of a part of the designs. `cargo xtask verify calibration` runs the same code at full size, and both judge
//! by the rule of two stages in `rule.rs`: it sets `CLMBENCH_CALIBRATION_SIMULATIONS` and `CLMBENCH_CALIBRATION_TABLE`, a file to which
//! every row is added as a line of JSON, and judges the rows itself.
#![allow(clippy::unwrap_used, missing_docs)]

mod correlations;
mod draw;
mod fine_tuning;
mod gain;
mod gain_over_tasks;
mod gate;
mod pooled;
mod ranks;
mod regression;
mod reliability;
mod row;
mod rule;
mod saturation;
mod selection;
mod spearman;
mod verdicts;
mod within;

use rand::Rng;
use row::{Claim, Plan, Row};

/// Makes the rows; without a table to write, each must be inside its band.
fn check(rows: fn(&Plan) -> Vec<Row>) {
    let plan = Plan::from_environment();
    let rows = rows(&plan);
    assert!(!rows.is_empty());
    match plan.table() {
        Some(table) => row::append(&table, &rows),
        None => {
            let outside: Vec<&Row> = rows.iter().filter(|row| row.required && !row.inside()).collect();
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
fn mean_gains_over_tasks_are_cautious() {
    check(gain_over_tasks::rows);
}

#[test]
fn saturation_errs_as_seldom_as_it_says() {
    check(saturation::rows);
}

#[test]
fn reliabilities_cover_their_level() {
    check(reliability::rows);
}

#[test]
fn means_within_strata_keep_their_level() {
    check(within::rows);
}

#[test]
fn selections_cover_their_level() {
    check(selection::rows);
}

#[test]
fn ranges_of_ranks_hold_the_rank() {
    check(ranks::rows);
}

#[test]
fn intervals_of_mean_ranks_cover_their_level() {
    check(ranks::of_models);
}

#[test]
fn other_correlations_cover_their_level() {
    check(correlations::rows);
}

#[test]
fn the_gate_of_fine_tuned_models_errs_as_seldom_as_it_says() {
    check(fine_tuning::rows);
}

#[test]
fn verdicts_err_as_seldom_as_they_say() {
    check(verdicts::rows);
}

#[test]
fn the_gate_errs_as_seldom_as_it_says() {
    check(gate::rows);
}

/// A check that nothing can fail is none: methods known to be wrong must be outside in both stages, at 200 draws too.
#[test]
fn wrong_methods_are_caught() {
    let plan = Plan::smoke();
    let mut wrong = vec![spearman::bca_of_four_sizes(&plan, 12, &|claim| claim), spearman::interval_of_checkpoints(&plan, 12)];
    wrong.extend(regression::checkpoints_as_points(&plan, &|claim| claim));
    wrong.push(fine_tuning::without_the_spread_over_seeds(&plan));
    for row in wrong {
        assert!(row.required && !row.first.inside, "{row:?}");
        assert!(row.second.is_some_and(|second| !second.inside && second.simulations == 800), "{row:?}");
        assert!(!row.inside(), "{row:?}");
    }
}

/// What hardly any simulation has informs only, however far outside; what one in ten has is judged.
#[test]
fn of_few_simulations_a_share_informs_only() {
    let of = |with: usize| {
        let claim = || Claim::new("of intervals", "covers", "never", with).within(0.93, 1.0).note("why");
        row::staged("few", 200, |_| (), |found| vec![claim().found(vec![false; with * found.len() / 200])]).remove(0)
    };
    let (few, enough) = (of(19), of(20));
    assert!(!few.required && few.second.is_none() && few.note == "why: too few to judge", "{few:?}");
    assert!(enough.required && !enough.inside() && enough.note == "why", "{enough:?}");
}

/// What is outside in the first stage by chance alone is inside by the second, whose draws are others; the first is still shown.
#[test]
fn the_second_stage_decides() {
    let plan = Plan::smoke();
    let fair = |seed: usize| {
        let claim = Claim::new("of a test", "heads", format!("coin {seed}"), seed).within(0.45, 0.5);
        claim.count(plan.simulations(), |rng| rng.random::<bool>())
    };
    let rows: Vec<Row> = (0..200).map(fair).collect();
    let unlucky: Vec<&Row> = rows.iter().filter(|row| !row.first.inside).collect();
    // 2.3 % of 200.
    assert!((1..=14).contains(&unlucky.len()), "{}", unlucky.len());
    assert!(unlucky.iter().all(|row| row.second.is_some_and(|second| second.share != row.first.share)));
    assert!(rows.iter().all(Row::inside), "{unlucky:#?}");
    assert!(rows.iter().all(|row| row.second.is_some() != row.first.inside), "none is drawn again without need");
}
