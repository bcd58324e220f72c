//! How the spread of labels falls while molecules are merged into clusters.

use std::fmt::Write;

use clmbench_sdk::prelude::*;

use crate::{
    halves,
    linkage::{Merge, complete_linkage},
    task::{Labelled, parameter},
};

/// One step of the coarsening.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Threshold: clusters of no larger diameter, over the largest possible distance.
    pub threshold: f64,
    /// Number of clusters.
    pub clusters: usize,
    /// Twice the standard deviation of the clusters' mean labels, weighted by size; at most 1 for labels in [0, 1].
    pub sigma: f64,
}

/// Coarsening of a labelled set: the points from every molecule for itself (threshold 0) to all in one cluster (threshold 1).
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// In rising order of threshold.
    pub points: Vec<Point>,
}

impl Curve {
    /// From scaled distances [N, N] row by row, which are used up, and N labels, which are scaled to [0, 1] (all 0 where they do not
    /// differ). Thresholds are heights of merges that lie at least `step` above the one before; 0 takes all.
    pub fn new(distances: &mut [f64], labels: &[f64], step: f64) -> Self {
        let merges = complete_linkage(distances, labels.len());
        Self::of_merges(&merges, labels, step)
    }

    /// From merges in rising order of height.
    pub fn of_merges(merges: &[Merge], labels: &[f64], step: f64) -> Self {
        let count = labels.len();
        let mut clusters = Clusters::new(labels);
        let mut points = vec![Point { threshold: 0.0, clusters: count, sigma: clusters.sigma() }];
        let mut before = f64::NEG_INFINITY;
        let mut rest = merges.iter().peekable();
        while let Some(merge) = rest.next() {
            clusters.merge(*merge);
            if merge.height < before + step {
                continue;
            }
            while let Some(equal) = rest.next_if(|next| next.height == merge.height) {
                clusters.merge(*equal);
            }
            before = merge.height;
            points.push(Point { threshold: before, clusters: clusters.number, sigma: clusters.sigma() });
        }
        points.push(Point { threshold: 1.0, clusters: 1, sigma: 0.0 });
        Self { points }
    }

    /// Twice the standard deviation of the labels themselves.
    pub fn spread(&self) -> f64 {
        self.points.first().map_or(0.0, |point| point.sigma)
    }

    /// ROGI (Aldeghi et al. 2022): the spread less the area under it over the threshold.
    pub fn rogi(&self) -> f64 {
        self.spread() - self.area(|point| point.threshold)
    }

    /// ROGI-XD (Graff et al. 2023): the same over `1 - log clusters / log N`.
    pub fn rogi_xd(&self) -> f64 {
        let all = self.points.first().map_or(1.0, |point| point.clusters as f64);
        self.spread() - self.area(|point| 1.0 - (point.clusters as f64).ln() / all.ln())
    }

    /// By trapezia.
    fn area(&self, x: impl Fn(&Point) -> f64) -> f64 {
        self.points.windows(2).map(|pair| (x(&pair[1]) - x(&pair[0])) * (pair[0].sigma + pair[1].sigma) / 2.0).sum()
    }

    /// One row a point.
    pub fn csv(&self) -> Vec<u8> {
        let mut text = String::from("threshold,clusters,sigma\n");
        for point in &self.points {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{},{},{}", point.threshold, point.clusters, point.sigma);
        }
        text.into_bytes()
    }
}

/// Labels scaled to [0, 1]; all 0 where they do not differ.
fn scaled(labels: &[f64]) -> Vec<f64> {
    let low = labels.iter().copied().fold(f64::INFINITY, f64::min);
    let range = labels.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
    labels.iter().map(|label| if range > 0.0 { (label - low) / range } else { 0.0 }).collect()
}

/// Clusters by union and find: size and sum of deviations from the mean label of each.
struct Clusters {
    parent: Vec<usize>,
    sizes: Vec<f64>,
    sums: Vec<f64>,
    number: usize,
    /// Sum over clusters of size times squared mean.
    squares: f64,
}

impl Clusters {
    fn new(labels: &[f64]) -> Self {
        let labels = scaled(labels);
        let mean = labels.iter().sum::<f64>() / labels.len() as f64;
        let sums: Vec<f64> = labels.iter().map(|label| label - mean).collect();
        let squares = sums.iter().map(|sum| sum * sum).sum();
        let number = labels.len();
        Self { parent: (0..number).collect(), sizes: vec![1.0; number], sums, number, squares }
    }

    fn find(&mut self, molecule: usize) -> usize {
        let mut root = molecule;
        while self.parent[root] != root {
            self.parent[root] = self.parent[self.parent[root]];
            root = self.parent[root];
        }
        root
    }

    fn merge(&mut self, merge: Merge) {
        let (kept, gone) = (self.find(merge.one), self.find(merge.other));
        if kept == gone {
            return;
        }
        let (a, b) = (self.sizes[kept], self.sizes[gone]);
        // What lies between two means is lost when they become one.
        self.squares -= a * b / (a + b) * (self.sums[kept] / a - self.sums[gone] / b).powi(2);
        self.sizes[kept] += b;
        self.sums[kept] += self.sums[gone];
        self.parent[gone] = kept;
        self.number -= 1;
        if self.number == 1 {
            // What is left of the sum is rounding, of which the root would be seen.
            self.squares = 0.0;
        }
    }

    fn sigma(&self) -> f64 {
        2.0 * (self.squares.max(0.0) / self.sums.len() as f64).sqrt()
    }
}

/// What ROGI and ROGI-XD share: a score of the curve of all molecules, and its error.
pub fn measure(probe: &Probe<'_>, params: &Params, name: &str, score: fn(&Curve) -> f64) -> Result<Measurement, PluginError> {
    let step = params.float("step")?;
    let set = Labelled::read(probe, params)?;
    let curve = |left: &[usize]| -> Result<Curve, PluginError> {
        let labels = set.differing(left)?;
        Ok(Curve::new(&mut set.distances.scaled(left, set.distances.largest(left)?), &labels, step))
    };
    let all = set.distances.all();
    let whole = curve(&all)?;
    let value = halves::value(probe, name, &[all], |left| Ok(score(&curve(left)?)))?;
    let values = vec![value, Value::exact("spread", whole.spread(), "1")];
    let artifacts = vec![("curve.csv".to_owned(), whole.csv())];
    Ok(Measurement { artifacts, ..Measurement::complete(values, set.labels.len() as u64) })
}

/// Parameters of both.
pub fn parameters() -> Vec<ParameterInfo> {
    let doc = "least difference of successive thresholds, over the largest possible distance; 0 = every merge is one";
    vec![parameter(), ParameterInfo::float("step", 0.01, doc).between(0.0, 0.5)]
}
