//! Losses along straight lines between weights: what the two barriers share.

use std::fmt::Write;

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
};

use crate::losses;

/// Draws of masks before the standard error is trusted.
const LEAST: usize = 4;

/// Parameters that both barriers take.
pub fn parameters(points: i64) -> Vec<ParameterInfo> {
    let mut all = vec![
        ParameterInfo::integer("points", points, "points on the line, both ends among them").between(3.0, 1001.0),
        ParameterInfo::integer("masks", 4, "mask draws at most, for masked models").between(2.0, 64.0),
    ];
    all.extend(Molecules::parameters(1024));
    all
}

/// Losses at evenly spaced points of the line from the weights `w0` to other weights.
pub struct Segment {
    draws: Vec<Draw>,
}

/// Losses under one draw of masks, which is the same at all points.
struct Draw {
    tokens: Vec<f64>,
    /// Summed losses, [points][molecules].
    nll: Vec<Vec<f64>>,
}

/// The lines to each of `count` other weights; `step(index)` is the difference of those weights to `w0`. Stops at SE <= 5 % of the mean
/// barrier (from 4 draws on), after `masks` draws, at the budget, or when a second draw changes no loss. Returns the segments, the
/// number of molecules and why it stopped.
pub fn measure(
    probe: &Probe<'_>,
    params: &Params,
    count: usize,
    step: impl Fn(usize) -> Result<Tensor, PluginError>,
) -> Result<(Vec<Segment>, u64, &'static str), PluginError> {
    let molecules = Molecules::read(probe, params)?;
    let points = params.integer("points")?.unsigned_abs() as usize;
    let most = params.integer("masks")?.unsigned_abs() as usize;
    let stopping = Stopping { least: LEAST, most };
    let mut segments: Vec<Segment> = (0..count).map(|_| Segment { draws: Vec::new() }).collect();
    let (mut first, mut means): (Option<LossRows>, _) = (None, Vec::new());
    let stopped = loop {
        let draw = means.len() as u64;
        let sample = molecules.whole(draw);
        let here = losses::rows(probe, sample, None, "at the weights")?;
        if first.as_ref().is_some_and(|first| losses::same(first, &here)) {
            break "complete";
        }
        for (index, segment) in segments.iter_mut().enumerate() {
            probe.progress(draw * count as u64 + index as u64, (most * count) as u64, "line")?;
            segment.add(probe, sample, &here, &step(index)?, points)?;
        }
        first.get_or_insert(here);
        means.push(segments.iter().map(Segment::last_barrier).sum::<f64>() / count as f64);
        if let Some(reason) = stopping.reason(probe, &means)? {
            break reason;
        }
    };
    Ok((segments, molecules.count, stopped))
}

impl Segment {
    fn add(
        &mut self,
        probe: &Probe<'_>,
        sample: Sample,
        here: &LossRows,
        step: &Tensor,
        points: usize,
    ) -> Result<(), PluginError> {
        let mut nll = vec![here.nll.clone()];
        for point in 1..points {
            let alpha = point as f64 / (points - 1) as f64;
            let place = format!("at {alpha:.3} of the way to the other weights");
            nll.push(losses::rows(probe, sample, Some(&(step * alpha)), &place)?.nll);
        }
        self.draws.push(Draw { tokens: here.tokens.clone(), nll });
        Ok(())
    }

    /// Share of the way at each point.
    pub fn alphas(&self) -> Vec<f64> {
        let points = self.draws.first().map_or(0, |draw| draw.nll.len());
        (0..points).map(|point| point as f64 / (points as f64 - 1.0)).collect()
    }

    /// Mean loss at each point over some draws.
    fn curve(draws: &[Draw], points: usize) -> Vec<f64> {
        let tokens: f64 = draws.iter().flat_map(|draw| &draw.tokens).sum();
        (0..points).map(|point| draws.iter().flat_map(|draw| &draw.nll[point]).sum::<f64>() / tokens).collect()
    }

    /// Mean loss at each point.
    pub fn losses(&self) -> Vec<f64> {
        Self::curve(&self.draws, self.alphas().len())
    }

    /// The barrier under the last draw alone, below zero where the line lies below its chord.
    fn last_barrier(&self) -> f64 {
        let alphas = self.alphas();
        let curve = Self::curve(&self.draws[self.draws.len() - 1..], alphas.len());
        above_chord(&alphas, &curve)[highest(&alphas, &curve)]
    }

    /// Number of the inner point that stands highest above the chord.
    pub fn top(&self) -> usize {
        highest(&self.alphas(), &self.losses())
    }

    /// A combination of the losses at the points for each draw and molecule: [draws][molecules].
    pub fn combined(&self, coefficients: &[f64]) -> Vec<Vec<f64>> {
        let of = |draw: &Draw, molecule: usize| coefficients.iter().zip(&draw.nll).map(|(c, nll)| c * nll[molecule]).sum();
        self.draws.iter().map(|draw| (0..draw.tokens.len()).map(|molecule| of(draw, molecule)).collect()).collect()
    }

    /// Coefficients of the height of a point above the chord between both ends.
    pub fn height(&self, point: usize) -> Vec<f64> {
        let alphas = self.alphas();
        let mut coefficients = vec![0.0; alphas.len()];
        coefficients[0] -= 1.0 - alphas[point];
        coefficients[alphas.len() - 1] -= alphas[point];
        coefficients[point] += 1.0;
        coefficients
    }

    /// Coefficients of the mean height above the chord over the whole line (trapezoids).
    pub fn mean_height(&self) -> Vec<f64> {
        let points = self.alphas().len();
        let mut mean = vec![0.0; points];
        for point in 1..points - 1 {
            for (sum, coefficient) in mean.iter_mut().zip(self.height(point)) {
                *sum += coefficient / (points as f64 - 1.0);
            }
        }
        mean
    }

    /// Predicted tokens, [draws][molecules].
    pub fn tokens(&self) -> Vec<&[f64]> {
        self.draws.iter().map(|draw| draw.tokens.as_slice()).collect()
    }

    /// A combination of the losses at the points, with its errors; the coefficients count as fixed.
    pub fn value(&self, name: &str, coefficients: &[f64]) -> Value {
        losses::value(name, &self.combined(coefficients), &self.tokens())
    }

    /// Adds a row a point to a table: name, share of the way, mean loss.
    pub fn write(&self, text: &mut String, name: &str) {
        let name = name.replace('"', "\"\"");
        for (alpha, loss) in self.alphas().iter().zip(self.losses()) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\"{name}\",{alpha},{loss}");
        }
    }
}

/// Height of each point above the chord.
fn above_chord(alphas: &[f64], curve: &[f64]) -> Vec<f64> {
    let (first, last) = (curve[0], curve[curve.len() - 1]);
    alphas.iter().zip(curve).map(|(alpha, loss)| loss - (1.0 - alpha) * first - alpha * last).collect()
}

/// The inner point that stands highest above the chord.
fn highest(alphas: &[f64], curve: &[f64]) -> usize {
    let heights = above_chord(alphas, curve);
    (1..curve.len() - 1).max_by(|a, b| heights[*a].total_cmp(&heights[*b])).unwrap_or(0)
}
