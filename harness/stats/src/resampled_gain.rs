//! Gains of resamples, eight at a time.
//!
//! Every resample goes through the very steps of [`q2_of_resample`](crate::cross_validation::q2_of_resample), in the same order, so a gain
//! is that function's to the last bit. Three things make it fast: resamples stand side by side in lanes, so that sums, which must run in
//! order, do not wait for each other; the design without the metric is the first columns of the one with it, so both are one Gram-Schmidt;
//! and nothing is allocated.

use crate::{cross_validation::LARGEST_LEVERAGE, orthogonal::RANK_TOLERANCE};

/// Resamples that are computed together.
pub const LANES: usize = 8;

/// One number of each resample.
type Lane = [f64; LANES];

const ZERO: Lane = [0.0; LANES];

fn each(function: impl Fn(usize) -> f64) -> Lane {
    std::array::from_fn(function)
}

/// A score, trivial columns and a metric, with room for their resamples.
#[derive(Debug, Clone)]
pub struct ResampledGain<'a> {
    /// The trivial columns, then the metric.
    columns: Vec<&'a [f64]>,
    score: &'a [f64],
    /// Largest magnitude of each column, then of the score.
    magnitudes: Vec<f64>,
    /// Orthonormal columns, `[column][run]`.
    basis: Vec<Vec<Lane>>,
    counts: Vec<Lane>,
    roots: Vec<Lane>,
    rest: Vec<Lane>,
    levers: Vec<Lane>,
}

impl<'a> ResampledGain<'a> {
    /// Columns of finite values, one a run.
    pub fn new(score: &'a [f64], metric: &'a [f64], trivial: &[&'a [f64]]) -> Self {
        let columns: Vec<&[f64]> = trivial.iter().copied().chain([metric]).collect();
        let largest = |values: &&[f64]| values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let magnitudes = columns.iter().chain([&score]).map(largest).collect();
        let room = || vec![ZERO; score.len()];
        let basis = columns.iter().map(|_| room()).collect();
        Self { columns, score, magnitudes, basis, counts: room(), roots: room(), rest: room(), levers: room() }
    }

    /// The gain of up to [`LANES`] resamples, each the indices of its runs; none where one of the two Q2 does not exist.
    pub fn of(&mut self, resamples: &[Vec<usize>], gains: &mut Vec<Option<f64>>) {
        for some in resamples.chunks(LANES) {
            // A lane that is not used repeats the first resample.
            self.counts.fill(ZERO);
            for lane in 0..LANES {
                for &run in some.get(lane).unwrap_or(&some[0]) {
                    self.counts[run][lane] += 1.0;
                }
            }
            let found = self.of_counts();
            gains.extend((0..some.len()).map(|lane| found[lane]));
        }
    }

    fn of_counts(&mut self) -> [Option<f64>; LANES] {
        let Self { columns, score, magnitudes, basis, counts, roots, rest, levers } = self;
        let mut total = ZERO;
        for (root, count) in roots.iter_mut().zip(counts.iter()) {
            *root = each(|lane| count[lane].sqrt());
            total = each(|lane| total[lane] + count[lane]);
        }
        let mut usable = [true; LANES];
        for index in 0..columns.len() {
            let (done, open) = basis.split_at_mut(index);
            let column = &mut open[0];
            centre(columns[index], counts, roots, total, column);
            let length = dot(column, column).map(f64::sqrt);
            for _ in 0..2 {
                for unit in done.iter() {
                    project_out(unit, column);
                }
            }
            let left = dot(column, column).map(f64::sqrt);
            for lane in 0..LANES {
                usable[lane] &= !(length[lane] <= 1e-12 * magnitudes[index] || left[lane] <= RANK_TOLERANCE * length[lane]);
            }
            column.iter_mut().for_each(|row| *row = each(|lane| row[lane] / left[lane]));
        }
        centre(score, counts, roots, total, rest);
        let total_ss = dot(rest, rest);
        let magnitude = magnitudes[columns.len()];
        for lane in 0..LANES {
            usable[lane] &= total_ss[lane].sqrt() > 1e-12 * magnitude;
        }
        levers.fill(ZERO);
        let last = columns.len() - 1;
        for unit in &basis[..last] {
            project_out(unit, rest);
            add_squares(unit, levers);
        }
        let without = q2(rest, levers, counts, total, total_ss);
        project_out(&basis[last], rest);
        add_squares(&basis[last], levers);
        let with = q2(rest, levers, counts, total, total_ss);
        std::array::from_fn(|lane| if usable[lane] { Some(with[lane]? - without[lane]?) } else { None })
    }
}

/// Deviations from the weighted mean, times the root of the weight.
fn centre(values: &[f64], counts: &[Lane], roots: &[Lane], total: Lane, into: &mut [Lane]) {
    let mut sum = ZERO;
    for (value, count) in values.iter().zip(counts) {
        sum = each(|lane| sum[lane] + value * count[lane]);
    }
    let mean = each(|lane| sum[lane] / total[lane]);
    for ((into, value), root) in into.iter_mut().zip(values).zip(roots) {
        *into = each(|lane| (value - mean[lane]) * root[lane]);
    }
}

fn dot(left: &[Lane], right: &[Lane]) -> Lane {
    let mut sum = ZERO;
    for (left, right) in left.iter().zip(right) {
        sum = each(|lane| sum[lane] + left[lane] * right[lane]);
    }
    sum
}

fn project_out(unit: &[Lane], rest: &mut [Lane]) {
    let share = dot(unit, rest);
    for (rest, unit) in rest.iter_mut().zip(unit) {
        *rest = each(|lane| rest[lane] - share[lane] * unit[lane]);
    }
}

fn add_squares(unit: &[Lane], levers: &mut [Lane]) {
    for (lever, unit) in levers.iter_mut().zip(unit) {
        *lever = each(|lane| lever[lane] + unit[lane] * unit[lane]);
    }
}

fn q2(rest: &[Lane], levers: &[Lane], counts: &[Lane], total: Lane, total_ss: Lane) -> [Option<f64>; LANES] {
    let (mut sum, mut held_up) = (ZERO, [false; LANES]);
    for ((rest, lever), count) in rest.iter().zip(levers).zip(counts) {
        let lever = each(|lane| count[lane] / total[lane] + lever[lane]);
        for lane in 0..LANES {
            held_up[lane] |= count[lane] > 0.0 && lever[lane] > LARGEST_LEVERAGE;
        }
        let error = each(|lane| rest[lane] / (1.0 - lever[lane]));
        sum = each(|lane| sum[lane] + error[lane] * error[lane]);
    }
    std::array::from_fn(|lane| {
        let q2 = 1.0 - sum[lane] / total_ss[lane];
        (!held_up[lane] && q2.is_finite()).then_some(q2)
    })
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::{cross_validation::q2_of_resample, seed::generator};

    /// The same numbers as one resample at a time, also where one cannot be fitted.
    #[test]
    fn to_the_last_bit() {
        let mut rng = generator(5, "resampled gain");
        let (mut some, mut none) = (0, 0);
        for n in [8usize, 9, 24, 33] {
            for covariates in 0..4 {
                // Few values, so that resamples lack some: constant and collinear columns among them.
                let mut column = |values: i32| (0..n).map(|_| f64::from(rng.random_range(0..values))).collect::<Vec<f64>>();
                let trivial: Vec<Vec<f64>> = (0..covariates).map(|_| column(3)).collect();
                let (metric, score) = (column(4), column(9));
                let trivial: Vec<&[f64]> = trivial.iter().map(Vec::as_slice).collect();
                let all: Vec<&[f64]> = trivial.iter().copied().chain([metric.as_slice()]).collect();
                let resamples: Vec<Vec<usize>> =
                    (0..61).map(|_| (0..n).map(|_| rng.random_range(0..n)).collect()).chain([(0..n - 1).collect()]).collect();
                let mut gains = Vec::new();
                ResampledGain::new(&score, &metric, &trivial).of(&resamples, &mut gains);
                assert_eq!(gains.len(), resamples.len());
                for (resample, gain) in resamples.iter().zip(gains) {
                    let mut counts = vec![0.0; n];
                    resample.iter().for_each(|&run| counts[run] += 1.0);
                    let q2 = |columns: &[&[f64]]| q2_of_resample(columns, &score, &counts);
                    let right = q2(&all).and_then(|with| Some(with - q2(&trivial)?));
                    assert_eq!(gain.map(f64::to_bits), right.map(f64::to_bits), "{n} {covariates} {gain:?} {right:?}");
                    if gain.is_some() { some += 1 } else { none += 1 }
                }
            }
        }
        assert!(some > 500 && none > 20, "{some} {none}");
    }
}
