//! `landscape/flatness_2d`: loss on planes through the weights.

use std::fmt::Write;

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
};

use crate::{directions::Directions, losses};

/// Loss `L(w + a d + b e)` on a grid over [-1, 1]^2, for pairs of random directions d and e whose filters have the length of the
/// weights' own and stand at right angles to each other; biases and normalisations stay.
///
/// The primary value is the mean rise over the points of the grid within 0.5 of the weights, averaged over pairs. The share of the
/// plane below `L(w) + tau` is the area of that part of the two triangles of each cell, the loss being linear on a triangle. Each
/// pair has fresh masks. `se_estimator` is the spread over pairs, `se_sample` the jackknife over molecules.
pub struct Flatness2d;

/// Pairs before the standard error is trusted.
const LEAST: usize = 8;
/// Points of the grid on each axis that are planned, and of the smallest grid.
const MOST_POINTS: usize = 11;
const LEAST_POINTS: usize = 5;
/// Radii within which rises are averaged.
const RADII: [f64; 2] = [0.5, 1.0];

impl Metric for Flatness2d {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            ParameterInfo::integer(
                "points",
                0,
                "points of the grid on each axis, an odd number from 5 on; 0 = 5 to 11, as the budget allows",
            )
            .between(0.0, 101.0),
            ParameterInfo::float("tau", 0.5, "rise of the loss that bounds the flat part of the plane, in nats per token")
                .between(1e-4, 100.0),
            ParameterInfo::integer("pairs", 12, "pairs of directions at most, `points` squared losses each")
                .between(2.0, 10_000.0),
        ];
        parameters.extend(Molecules::parameters(256));
        MetricInfo {
            id: "landscape/flatness_2d".into(),
            doc: "Loss on planes through the weights, spanned by two filter-normalised random directions at right angles, filter by filter \
                  (the reference code leaves them oblique): mean rise within 0.5 of the weights (and within 1), and the share of the \
                  plane [-1, 1]^2 below the loss at the weights plus `tau`. The grid of every plane is left in planes.csv. Stops at \
                  SE <= 5 % (from 8 pairs on), after `pairs`, or at the budget. Random planes miss narrow ravines. Means are over \
                  the points of the grid: another `points` is another metric. By default the grid is planned from the budget, the \
                  finest with which 8 planes fit, from 5 to 11 points on each axis; `points` tells. Refused where two planes cost more \
                  than the budget."
                .into(),
            citation: "Li et al. 2018, arXiv:1712.09913, sections 4 and 5 (filter-normalised surfaces)".into(),
            unit: "nats/token".into(),
            primary: "rise_within_050".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Moderate,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters,
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let molecules = Molecules::read(probe, params)?;
        let (points, tau) = (params.integer("points")?.unsigned_abs() as usize, params.float("tau")?);
        let affordable = losses::affordable(probe, molecules.count)?;
        let points = if points == 0 { planned(affordable) } else { points };
        if points % 2 == 0 || points < LEAST_POINTS {
            let text = format!(
                "parameter `points` is {points}; give an odd number from {LEAST_POINTS} on, so that the weights are a point of the grid"
            );
            return Err(PluginError::Input(text));
        }
        if (2 * points * points) as f64 > affordable {
            let text = format!(
                "two planes of {points} x {points} points are {} losses, but the budget allows {affordable:.0}: lower `points` or \
                 `molecules`, or raise the budget",
                2 * points * points
            );
            return Err(PluginError::Input(text));
        }
        let most = params.integer("pairs")?.unsigned_abs() as usize;
        let stopping = Stopping { least: LEAST, most };
        let directions = Directions::new(probe)?;
        let (mut planes, mut primary): (Vec<Summary>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut text = String::from("pair,a,b,loss\n");
        let stopped = loop {
            let index = planes.len() as u64;
            let pair = directions.pair(probe.rng(&format!("pair {index}")))?;
            let plane = Plane::measure(probe, molecules.whole(index), &pair, points, (index, most as u64))?;
            plane.write(&mut text, index);
            let summary = plane.summary(tau);
            primary.push(summary.rise(0));
            planes.push(summary);
            if let Some(reason) = stopping.reason(probe, &primary)? {
                break reason;
            }
        };
        let values = vec![
            rise("rise_within_050", &planes, 0),
            rise("rise_within_100", &planes, 1),
            share("share_below", &planes),
            Value::exact("pairs", planes.len() as f64, "pairs"),
            Value::exact("points", points as f64, "points"),
        ];
        let artifacts = vec![("planes.csv".into(), text.into_bytes())];
        Ok(Measurement { values, artifacts, molecules: molecules.count, stopped })
    }
}

/// Points on each axis of the finest grid of which [`LEAST`] planes cost no more than so many losses.
fn planned(affordable: f64) -> usize {
    let fits = |points: &usize| (LEAST * points * points) as f64 <= affordable;
    (LEAST_POINTS..=MOST_POINTS).rev().step_by(2).find(fits).unwrap_or(LEAST_POINTS)
}

/// Losses on one plane.
struct Plane {
    points: usize,
    tokens: Vec<f64>,
    /// Summed losses, [points * points][molecules], b running fastest.
    nll: Vec<Vec<f64>>,
}

/// What is kept of a plane.
struct Summary {
    tokens: Vec<f64>,
    /// Mean rise within each of [`RADII`], summed over the tokens of each molecule.
    rises: [Vec<f64>; RADII.len()],
    share: f64,
    /// The share with each molecule left out.
    left_out: Vec<f64>,
}

/// Coordinate of a point on either axis.
fn coordinate(point: usize, points: usize) -> f64 {
    2.0 * point as f64 / (points - 1) as f64 - 1.0
}

impl Plane {
    fn measure(
        probe: &Probe<'_>,
        sample: Sample,
        [first, second]: &[Tensor; 2],
        points: usize,
        (index, most): (u64, u64),
    ) -> Result<Self, PluginError> {
        let here = losses::rows(probe, sample, None, "at the weights")?;
        let mut nll = Vec::new();
        for row in 0..points {
            probe.progress(index * points as u64 + row as u64, most * points as u64, "line of a plane")?;
            for column in 0..points {
                let (a, b) = (coordinate(row, points), coordinate(column, points));
                nll.push(if (row, column) == (points / 2, points / 2) {
                    here.nll.clone()
                } else {
                    let place = format!("at ({a:.3}, {b:.3}) of a plane");
                    losses::rows(probe, sample, Some(&(first * a + second * b)), &place)?.nll
                });
            }
        }
        Ok(Self { points, tokens: here.tokens, nll })
    }

    fn summary(&self, tau: f64) -> Summary {
        let (points, molecules) = (self.points, self.tokens.len());
        let centre = &self.nll[points * points / 2];
        let within = |radius: f64| -> Vec<f64> {
            let inside: Vec<&Vec<f64>> = (0..points * points)
                .filter(|point| coordinate(point / points, points).hypot(coordinate(point % points, points)) <= radius + 1e-9)
                .map(|point| &self.nll[point])
                .collect();
            let mean = |m: usize| inside.iter().map(|nll| nll[m] - centre[m]).sum::<f64>() / inside.len() as f64;
            (0..molecules).map(mean).collect()
        };
        let sums: Vec<f64> = self.nll.iter().map(|nll| nll.iter().sum()).collect();
        let tokens: f64 = self.tokens.iter().sum();
        let mean = |sum: f64, tokens: f64| sum / tokens;
        let below = |grid: &[f64]| area_below(grid, points, grid[points * points / 2] + tau);
        let whole: Vec<f64> = sums.iter().map(|sum| mean(*sum, tokens)).collect();
        let without = |molecule: usize| {
            let left = tokens - self.tokens[molecule];
            let grid: Vec<f64> = sums.iter().zip(&self.nll).map(|(sum, nll)| mean(sum - nll[molecule], left)).collect();
            below(&grid)
        };
        Summary {
            tokens: self.tokens.clone(),
            rises: RADII.map(within),
            share: below(&whole),
            left_out: (0..molecules).map(without).collect(),
        }
    }

    /// A row a point: pair, place, mean loss per predicted token.
    fn write(&self, text: &mut String, index: u64) {
        let tokens: f64 = self.tokens.iter().sum();
        for (point, nll) in self.nll.iter().enumerate() {
            let (a, b) = (coordinate(point / self.points, self.points), coordinate(point % self.points, self.points));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{index},{a},{b},{}", nll.iter().sum::<f64>() / tokens);
        }
    }
}

impl Summary {
    fn rise(&self, radius: usize) -> f64 {
        self.rises[radius].iter().sum::<f64>() / self.tokens.iter().sum::<f64>()
    }
}

/// Share of a grid that lies at or below a level, each cell being two triangles on which it is linear.
fn area_below(grid: &[f64], points: usize, level: f64) -> f64 {
    let at = |row: usize, column: usize| grid[row * points + column];
    let mut area = 0.0;
    for row in 0..points - 1 {
        for column in 0..points - 1 {
            let [a, b, c, d] = [at(row, column), at(row, column + 1), at(row + 1, column), at(row + 1, column + 1)];
            area += triangle_below([a, b, d], level) + triangle_below([a, c, d], level);
        }
    }
    area / 2.0 / ((points - 1) * (points - 1)) as f64
}

/// Share of a triangle on which the linear function with these values at its corners is at most `level`.
fn triangle_below(mut corners: [f64; 3], level: f64) -> f64 {
    corners.sort_by(f64::total_cmp);
    let [low, middle, high] = corners;
    if level >= high {
        1.0
    } else if level < low {
        0.0
    } else if level < middle {
        (level - low).powi(2) / ((middle - low) * (high - low))
    } else {
        1.0 - (high - level).powi(2) / ((high - low) * (high - middle))
    }
}

fn rise(name: &str, planes: &[Summary], radius: usize) -> Value {
    let each: Vec<f64> = planes.iter().map(|plane| plane.rise(radius)).collect();
    let (mean, error) = statistics::mean_with_error(&each);
    let molecules = planes.first().map_or(0, |plane| plane.tokens.len());
    let tops: Vec<f64> = (0..molecules).map(|m| planes.iter().map(|plane| plane.rises[radius][m]).sum()).collect();
    let bottoms: Vec<f64> = (0..molecules).map(|m| planes.iter().map(|plane| plane.tokens[m]).sum()).collect();
    let (_, se_sample) = statistics::ratio_with_jackknife(&tops, &bottoms);
    Value::estimate(name, mean, "nats/token", error, se_sample)
}

fn share(name: &str, planes: &[Summary]) -> Value {
    let each: Vec<f64> = planes.iter().map(|plane| plane.share).collect();
    let (mean, error) = statistics::mean_with_error(&each);
    let molecules = planes.first().map_or(0, |plane| plane.left_out.len());
    let left_out = |m: usize| planes.iter().map(|plane| plane.left_out[m]).sum::<f64>() / planes.len() as f64;
    let means: Vec<f64> = (0..molecules).map(left_out).collect();
    Value::estimate(name, mean, "1", error, statistics::jackknife_error(&means))
}

#[cfg(test)]
mod tests {
    use super::{area_below, planned, triangle_below};

    #[test]
    fn the_grid_is_as_fine_as_eight_planes_allow() {
        assert_eq!([60.0, 8.0 * 49.0 - 1.0, 8.0 * 49.0, 8.0 * 121.0, 1e9].map(planned), [5, 5, 7, 11, 11]);
    }

    #[test]
    fn areas_of_a_triangle_and_a_plane() {
        // On a right triangle x + y <= 1 with values x, the part x <= t has the share 1 - (1 - t)^2.
        for t in [0.0, 0.25, 0.5, 1.0] {
            assert!((triangle_below([0.0, 1.0, 0.0], t) - (1.0 - (1.0 - t) * (1.0 - t))).abs() < 1e-12, "{t}");
        }
        assert_eq!((triangle_below([2.0; 3], 2.0), triangle_below([2.0; 3], 1.9)), (1.0, 0.0));
        // A slope over the whole grid: half of it lies below the middle, three quarters below three quarters.
        let grid: Vec<f64> = (0..25).map(|point| f64::from(point / 5)).collect();
        assert!((area_below(&grid, 5, 2.0) - 0.5).abs() < 1e-12 && (area_below(&grid, 5, 3.0) - 0.75).abs() < 1e-12);
    }
}
