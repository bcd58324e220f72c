//! The range of one rank, from the differences to all other entries.

use crate::numeric::{mean, quantile_of_sorted};

/// The best and the worst rank that an entry can have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub best: f64,
    pub worst: f64,
}

/// A difference to another entry.
struct Difference {
    value: f64,
    /// Standard deviation over the resamples in which both have a value.
    spread: f64,
    /// In each resample, how far it is from `value`.
    errors: Vec<Option<f64>>,
}

/// Ranges at 90 and 95 %.
///
/// The largest error of the differences, in standard deviations, has its quantile over the resamples; another entry is surely better or
/// worse if its difference is further from 0 than that.
pub(super) fn ranges(entry: usize, full: &[f64], draws: &[Vec<Option<f64>>]) -> [Range; 2] {
    let others = (0..full.len()).filter(|&other| other != entry);
    let differences: Vec<Difference> = others
        .map(|other| {
            let value = full[other] - full[entry];
            let drawn: Vec<Option<f64>> = draws.iter().map(|draw| Some(draw[other]? - draw[entry]?)).collect();
            let known: Vec<f64> = drawn.iter().flatten().copied().collect();
            let centre = mean(&known);
            let squares: f64 = known.iter().map(|drawn| (drawn - centre).powi(2)).sum();
            let spread = (squares / (known.len() as f64 - 1.0)).sqrt();
            Difference { value, spread, errors: drawn.iter().map(|drawn| Some((*drawn)? - value)).collect() }
        })
        .collect();
    let uncertain: Vec<&Difference> = differences.iter().filter(|one| one.spread > 1e-12).collect();
    let largest = |draw: usize| {
        let error = |one: &&Difference| Some(one.errors[draw]?.abs() / one.spread);
        uncertain.iter().filter_map(error).reduce(f64::max)
    };
    let mut largest: Vec<f64> = (0..draws.len()).filter_map(largest).collect();
    largest.sort_by(f64::total_cmp);
    [0.90, 0.95].map(|level| {
        let critical = if largest.is_empty() { 0.0 } else { quantile_of_sorted(&largest, level) };
        // Rounding is no difference; without a spread there is none in any resample.
        let sure = |one: &Difference, sign: f64| sign * one.value > (critical * one.spread).max(1e-12);
        let better = differences.iter().filter(|one| sure(one, 1.0)).count();
        let worse = differences.iter().filter(|one| sure(one, -1.0)).count();
        Range { best: better as f64 + 1.0, worst: (full.len() - worse) as f64 }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Three entries .5 apart whose resampled values are off by whole tenths, one after the other.
    fn draws(full: &[f64], size: f64) -> Vec<Vec<Option<f64>>> {
        let step = |draw: usize, entry: usize| size * (((draw * (7 + 4 * entry)) % 11) as f64 - 5.0);
        (0..110).map(|draw| full.iter().enumerate().map(|(entry, value)| Some(value + step(draw, entry))).collect()).collect()
    }

    #[test]
    fn sure_differences_narrow_the_range() {
        let full = [1.5, 1.0, 0.5];
        let sure: Vec<Range> = (0..3).map(|entry| ranges(entry, &full, &draws(&full, 0.01))[1]).collect();
        let of = |best, worst| Range { best, worst };
        assert_eq!(sure, [of(1.0, 1.0), of(2.0, 2.0), of(3.0, 3.0)]);
        let unsure: Vec<Range> = (0..3).map(|entry| ranges(entry, &full, &draws(&full, 0.5))[1]).collect();
        assert_eq!(unsure, [of(1.0, 3.0); 3]);
        // Errors of up to .06 x 10 for two entries side by side, .5 apart: only the ends are told apart.
        let ends: Vec<Range> = (0..3).map(|entry| ranges(entry, &full, &draws(&full, 0.06))[0]).collect();
        assert_eq!(ends, [of(1.0, 2.0), of(1.0, 3.0), of(2.0, 3.0)]);
    }

    #[test]
    fn entries_that_are_the_same_share_a_range() {
        let full = [1.0, 1.0, 0.0];
        let mut twins = draws(&full, 0.01);
        twins.iter_mut().for_each(|draw| draw[1] = draw[0]);
        for entry in [0, 1] {
            assert_eq!(ranges(entry, &full, &twins)[1], Range { best: 1.0, worst: 2.0 });
        }
        // An entry without a value in most resamples is judged by the others.
        twins.iter_mut().skip(20).for_each(|draw| draw[2] = None);
        assert_eq!(ranges(2, &full, &twins)[1], Range { best: 3.0, worst: 3.0 });
    }
}
