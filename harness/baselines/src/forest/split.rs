//! The best split of a node.

use clmbench_protocol::Criterion;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::tree::{Sample, median};
use crate::features::Features;

/// Parts the molecules of a node by one feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    column: usize,
    threshold: f64,
}

impl Split {
    /// Whether a molecule's value is above the threshold.
    pub fn is_above(&self, features: &Features, place: usize) -> bool {
        features.value(place, self.column) > self.threshold
    }
}

/// Molecules, weight and weighted sum of labels, less the centre of the node, of one side.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Side {
    count: usize,
    weight: f64,
    sum: f64,
}

impl Side {
    fn add(&mut self, sample: &Sample, centre: f64) {
        self.count += 1;
        self.weight += sample.weight;
        self.sum += sample.weight * (sample.label - centre);
    }

    fn without(self, other: Self) -> Self {
        Self { count: self.count - other.count, weight: self.weight - other.weight, sum: self.sum - other.sum }
    }
}

/// The best of the splits seen, each of equals with the same chance. Equal is what differs by no more than rounding does: columns that
/// part a node alike, one of them the other way round, add the same labels in another order.
struct Best {
    split: Option<Split>,
    purity: f64,
    equals: u32,
    /// Differences that are rounding whatever the purity.
    rounding: f64,
}

impl Best {
    fn new(node: &Node) -> Self {
        Self { split: None, purity: f64::NEG_INFINITY, equals: 0, rounding: 1e-12 * node.scale }
    }

    fn offer(&mut self, split: Split, purity: f64, random: &mut ChaCha8Rng) {
        let tolerance = 1e-9 * self.purity.abs() + self.rounding;
        if self.split.is_none() || purity > self.purity + tolerance {
            *self = Self { split: Some(split), purity, equals: 1, ..*self };
        } else if purity >= self.purity - tolerance {
            self.equals += 1;
            if random.random_range(0..self.equals) == 0 {
                self.split = Some(split);
            }
        }
    }
}

/// What is summed of a whole node.
struct Node {
    all: Side,
    /// What labels are counted from: their mean, so that the purity is what a split lowers and not that beside a much larger number; 0
    /// for entropy, which takes shares.
    centre: f64,
    /// What purities of its splits may be at most, in absolute terms.
    scale: f64,
}

impl Node {
    fn of(criterion: Criterion, members: &[Sample]) -> Self {
        let mut all = Side::default();
        members.iter().for_each(|sample| all.add(sample, 0.0));
        if criterion == Criterion::Entropy {
            return Self { all, centre: 0.0, scale: all.weight };
        }
        let centre = all.sum / all.weight;
        let mut all = Side::default();
        let mut scale = 0.0;
        for sample in members {
            all.add(sample, centre);
            let distance = (sample.label - centre).abs();
            scale += sample.weight * if criterion == Criterion::Variance { distance * distance } else { distance };
        }
        Self { all, centre, scale }
    }
}

/// Looks for splits; keeps its memory from node to node.
pub struct Splitter<'a> {
    features: &'a Features,
    criterion: Criterion,
    /// Features that a node looks at.
    looks: usize,
    /// All columns, in an order that every draw goes on shuffling.
    columns: Vec<usize>,
    /// Of each bit, the side where it is on; empty between nodes.
    on: Vec<Side>,
    touched: Vec<usize>,
}

impl<'a> Splitter<'a> {
    /// For these features.
    pub fn new(features: &'a Features, criterion: Criterion, looks: usize) -> Self {
        let width = features.width();
        Self {
            features,
            criterion,
            looks,
            columns: (0..width).collect(),
            on: vec![Side::default(); if features.bits().is_some() { width } else { 0 }],
            touched: Vec::new(),
        }
    }

    /// The best split of these molecules among the features drawn; none if no feature varies. A split that lowers nothing is taken too,
    /// as one below it may.
    pub fn best(&mut self, members: &[Sample], random: &mut ChaCha8Rng) -> Option<Split> {
        match self.features.bits() {
            Some(bits) => self.best_bit(bits, members, random),
            None => self.best_threshold(members, random),
        }
    }

    fn best_bit(&mut self, bits: &[Vec<u16>], members: &[Sample], random: &mut ChaCha8Rng) -> Option<Split> {
        let node = Node::of(self.criterion, members);
        for sample in members {
            for bit in &bits[sample.place] {
                let bit = usize::from(*bit);
                if self.on[bit].count == 0 {
                    self.touched.push(bit);
                }
                self.on[bit].add(sample, node.centre);
            }
        }
        let mut varying = std::mem::take(&mut self.touched);
        let touched = varying.clone();
        varying.retain(|bit| self.on[*bit].count < members.len());
        let chosen = self.draw(&varying, members.len(), random);
        let mut best = Best::new(&node);
        for bit in chosen {
            let purity = match self.criterion {
                Criterion::AbsoluteError => -absolute_error(bits, members, bit, (node.all, self.on[bit])),
                _ => self.purity(node.all.without(self.on[bit])) + self.purity(self.on[bit]),
            };
            best.offer(Split { column: bit, threshold: 0.5 }, purity, random);
        }
        touched.iter().for_each(|bit| self.on[*bit] = Side::default());
        self.touched = touched;
        self.touched.clear();
        best.split
    }

    /// Of the bits that vary, those among `looks` drawn of all, without replacement; where there is none, the first to come in the rest of
    /// the draw, which is any of them with the same chance.
    fn draw(&mut self, varying: &[usize], members: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
        if self.looks >= self.columns.len() || varying.is_empty() {
            return varying.to_vec();
        }
        let mut chosen = Vec::new();
        for index in 0..self.looks {
            let other = random.random_range(index..self.columns.len());
            self.columns.swap(index, other);
            let count = self.on[self.columns[index]].count;
            if count > 0 && count < members {
                chosen.push(self.columns[index]);
            }
        }
        if chosen.is_empty() {
            chosen.push(varying[random.random_range(0..varying.len())]);
        }
        chosen
    }

    fn best_threshold(&mut self, members: &[Sample], random: &mut ChaCha8Rng) -> Option<Split> {
        let node = Node::of(self.criterion, members);
        let mut best = Best::new(&node);
        let mut sorted: Vec<(f64, Sample)> = Vec::with_capacity(members.len());
        for index in 0..self.columns.len() {
            if index >= self.looks && best.split.is_some() {
                break;
            }
            let other = random.random_range(index..self.columns.len());
            self.columns.swap(index, other);
            let column = self.columns[index];
            sorted.clear();
            sorted.extend(members.iter().map(|sample| (self.features.value(sample.place, column), *sample)));
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut below = Side::default();
            for pair in sorted.windows(2) {
                below.add(&pair[0].1, node.centre);
                let threshold = f64::midpoint(pair[0].0, pair[1].0);
                // Neighbouring numbers have no middle: nothing could be above the higher one.
                if pair[0].0 < pair[1].0 && threshold < pair[1].0 {
                    let purity = self.purity(below) + self.purity(node.all.without(below));
                    best.offer(Split { column, threshold }, purity, random);
                }
            }
        }
        best.split
    }

    /// What a side adds to the quality of a split; the impurity of the whole node is left out, being the same for all.
    fn purity(&self, side: Side) -> f64 {
        let mean = side.sum / side.weight;
        match self.criterion {
            Criterion::Entropy => {
                let term = |share: f64| if share > 0.0 { share * share.ln() } else { 0.0 };
                side.weight * (term(mean) + term(1.0 - mean))
            }
            _ => side.sum * mean,
        }
    }
}

/// Sum of absolute deviations from the median on either side, of members in the order of their labels.
fn absolute_error(bits: &[Vec<u16>], members: &[Sample], bit: usize, (all, on): (Side, Side)) -> f64 {
    let is_on: Vec<bool> =
        members.iter().map(|sample| bits[sample.place].iter().any(|other| usize::from(*other) == bit)).collect();
    let side = |wanted: bool, weight: f64| {
        let of = || members.iter().zip(&is_on).filter(move |(_, on)| **on == wanted).map(|(sample, _)| sample);
        let middle = median(of(), weight);
        of().map(|sample| sample.weight * (sample.label - middle).abs()).sum::<f64>()
    };
    side(true, on.weight) + side(false, all.weight - on.weight)
}
