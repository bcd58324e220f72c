//! One tree: it grows node by node, and predicts the mean label of a leaf (the median under absolute error).

use clmbench_protocol::{Criterion, Growth};
use rand_chacha::ChaCha8Rng;

use super::split::{Split, Splitter};
use crate::features::Features;

/// A training molecule as a tree sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Its place among the features.
    pub place: usize,
    /// Its label.
    pub label: f64,
    /// What it counts; above 0.
    pub weight: f64,
}

#[derive(Debug)]
enum Node {
    Leaf(f64),
    /// Molecules with a value of the column above the threshold go to `above`.
    Branch {
        split: Split,
        below: usize,
        above: usize,
    },
}

/// A grown tree; the first node is the root.
#[derive(Debug)]
pub struct Tree(Vec<Node>);

impl Tree {
    /// Grows on samples (at least one), looking at `looks` features at a node, until nothing can be split: labels are all the same, no
    /// feature varies, or there are fewer molecules than the least.
    pub fn grow(features: &Features, mut samples: Vec<Sample>, growth: Growth, looks: usize, random: &mut ChaCha8Rng) -> Self {
        if growth.criterion == Criterion::AbsoluteError {
            // Splits keep the order, so that every node finds its median in one pass.
            samples.sort_by(|a, b| a.label.total_cmp(&b.label));
        }
        let mut splitter = Splitter::new(features, growth.criterion, looks);
        let mut nodes = vec![Node::Leaf(0.0)];
        let mut open = vec![(0, 0, samples.len())];
        let mut above_samples = Vec::new();
        while let Some((node, start, end)) = open.pop() {
            let members = &mut samples[start..end];
            let first = members[0].label;
            let pure = members.iter().all(|sample| sample.label == first);
            let split =
                if pure || members.len() < growth.min_samples_split as usize { None } else { splitter.best(members, random) };
            let Some(split) = split else {
                nodes[node] = Node::Leaf(leaf(members, growth.criterion));
                continue;
            };
            above_samples.clear();
            let mut kept = 0;
            for index in 0..members.len() {
                let sample = members[index];
                if split.is_above(features, sample.place) {
                    above_samples.push(sample);
                } else {
                    members[kept] = sample;
                    kept += 1;
                }
            }
            members[kept..].copy_from_slice(&above_samples);
            let below = nodes.len();
            nodes.extend([Node::Leaf(0.0), Node::Leaf(0.0)]);
            nodes[node] = Node::Branch { split, below, above: below + 1 };
            open.push((below + 1, start + kept, end));
            open.push((below, start, start + kept));
        }
        Self(nodes)
    }

    /// The value of the leaf that a molecule falls into.
    pub fn predict(&self, features: &Features, place: usize) -> f64 {
        let mut node = 0;
        loop {
            match &self.0[node] {
                Node::Leaf(value) => return *value,
                Node::Branch { split, below, above } => node = if split.is_above(features, place) { *above } else { *below },
            }
        }
    }
}

fn leaf(members: &[Sample], criterion: Criterion) -> f64 {
    let weight: f64 = members.iter().map(|sample| sample.weight).sum();
    if criterion == Criterion::AbsoluteError {
        return median(members.iter(), weight);
    }
    members.iter().map(|sample| sample.weight * sample.label).sum::<f64>() / weight
}

/// Median of samples in the order of their labels, of this weight in sum: the middle between two labels where half of the weight ends
/// between them.
pub fn median<'a>(members: impl Iterator<Item = &'a Sample>, weight: f64) -> f64 {
    let (mut sum, mut half_at) = (0.0, None);
    for sample in members {
        if let Some(lower) = half_at {
            return f64::midpoint(lower, sample.label);
        }
        sum += sample.weight;
        if sum > weight / 2.0 {
            return sample.label;
        }
        if sum == weight / 2.0 {
            half_at = Some(sample.label);
        }
    }
    half_at.unwrap_or(f64::NAN)
}
