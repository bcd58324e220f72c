//! Ranks of resampled runs without sorting each resample: the column is sorted once, a resample says how often each run counts.

use crate::correlation::doubled_ranks;

/// A column in order, with its ties.
#[derive(Debug, Clone)]
pub(crate) struct SortedColumn {
    /// Runs in rising order of their values, tied ones next to each other: (run, whether it starts a new value).
    places: Vec<(usize, bool)>,
}

impl SortedColumn {
    /// Sorts a column of finite values.
    pub fn new(values: &[f64]) -> Self {
        let ranks = doubled_ranks(values);
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by_key(|&run| ranks[run]);
        let starts = |place: usize| place == 0 || ranks[order[place]] != ranks[order[place - 1]];
        Self { places: (0..order.len()).map(|place| (order[place], starts(place))).collect() }
    }

    /// Writes twice the average ranks of the resample in which run i counts `counts[i]` times; those of runs that do not count are
    /// without meaning.
    pub fn doubled_ranks(&self, counts: &[u32], ranks: &mut [i64]) {
        let (mut before, mut start) = (0i64, 0);
        while start < self.places.len() {
            let mut end = start + 1;
            let mut together = i64::from(counts[self.places[start].0]);
            while end < self.places.len() && !self.places[end].1 {
                together += i64::from(counts[self.places[end].0]);
                end += 1;
            }
            for &(run, _) in &self.places[start..end] {
                ranks[run] = 2 * before + together + 1;
            }
            before += together;
            start = end;
        }
    }
}

/// Two columns over the same runs, for Spearman's rho of their resamples.
#[derive(Debug, Clone)]
pub(crate) struct SortedPair {
    x: SortedColumn,
    y: SortedColumn,
    runs: usize,
}

impl SortedPair {
    pub fn new(x: &[f64], y: &[f64]) -> Self {
        Self { x: SortedColumn::new(x), y: SortedColumn::new(y), runs: x.len() }
    }

    /// Spearman's rho of a resample, to the last bit that of its columns written out; none where one of them is constant.
    pub fn spearman(&self, counts: &[u32]) -> Option<f64> {
        let (mut x, mut y) = (vec![0; self.runs], vec![0; self.runs]);
        self.x.doubled_ranks(counts, &mut x);
        self.y.doubled_ranks(counts, &mut y);
        let (mut n, mut xx, mut yy, mut xy) = (0i64, 0i64, 0i64, 0i64);
        for ((&count, &a), &b) in counts.iter().zip(&x).zip(&y) {
            let count = i64::from(count);
            n += count;
            xx += count * a * a;
            yy += count * b * b;
            xy += count * a * b;
        }
        // As in `spearman_if_defined`.
        let total = n * (n + 1);
        let (xx, yy, xy) = (n * xx - total * total, n * yy - total * total, n * xy - total * total);
        if xx == 0 || yy == 0 {
            return None;
        }
        let scale = if xx == yy { xx as f64 } else { (xx as f64).sqrt() * (yy as f64).sqrt() };
        Some((xy as f64 / scale).clamp(-1.0, 1.0))
    }

    /// The same for the runs at these places, with repeats.
    #[cfg(test)]
    pub fn spearman_at(&self, indices: &[usize]) -> Option<f64> {
        let mut counts = vec![0u32; self.runs];
        indices.iter().for_each(|&index| counts[index] += 1);
        self.spearman(&counts)
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::{correlation::spearman_if_defined, seed::generator};

    #[test]
    fn as_the_resample_written_out() {
        let mut rng = generator(6, "counted ranks");
        for n in [3usize, 8, 13, 40] {
            // Few values: many ties, a negative zero among them, and constant resamples.
            let x: Vec<f64> = (0..n).map(|_| -f64::from(rng.random_range(0..4))).collect();
            let y: Vec<f64> = (0..n).map(|_| rng.random::<f64>()).collect();
            let pair = SortedPair::new(&x, &y);
            for _ in 0..200 {
                let indices: Vec<usize> = (0..n).map(|_| rng.random_range(0..n)).collect();
                let pick = |values: &[f64]| indices.iter().map(|&index| values[index]).collect::<Vec<f64>>();
                assert_eq!(pair.spearman_at(&indices), spearman_if_defined(&pick(&x), &pick(&y)));
            }
        }
    }
}
