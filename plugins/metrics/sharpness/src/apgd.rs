//! Projected ascent with momentum and a step that halves itself: APGD of Croce & Hein 2020 (arXiv:2003.01690, algorithm 1), with the
//! constants that Andriushchenko et al. 2023 use for sharpness.

use clmbench_sdk::prelude::*;

use crate::{Region, loss::mean_loss};

/// Share of the new point against the last movement.
const MOMENTUM: f64 = 0.75;
/// Share of steps between two checkpoints that must have risen.
const RISEN: f64 = 0.75;
/// First checkpoint, how much the gaps shrink, and the least gap, as shares of all iterations.
const FIRST: f64 = 0.22;
const SHRINK: f64 = 0.03;
const LEAST: f64 = 0.06;

/// Cost of an iteration in passes backward and forward: a gradient and a loss.
pub const ITERATION: f64 = 4.0 / 3.0;

/// Where an ascent came.
#[derive(Debug)]
pub struct Climb {
    /// Loss at the weights.
    pub here: f64,
    /// Rise at the best point.
    pub rise: f64,
    /// The best perturbation d [P]; 0 where nothing was higher.
    pub perturbation: Tensor,
    /// Rise at the best point so far, after each iteration.
    pub trace: Vec<f64>,
}

/// Iterations after which the step may halve: 22 % of them, then gaps 3 % smaller each time, no smaller than 6 %.
pub fn checkpoints(iterations: u64) -> Vec<u64> {
    let (mut before, mut share) = (0.0, FIRST);
    let mut found = Vec::new();
    loop {
        // The last bits of a sum are no reason for one more.
        let at = (share * iterations as f64 - 1e-9).ceil() as u64;
        if at >= iterations {
            return found;
        }
        if found.last() != Some(&at) {
            found.push(at);
        }
        (before, share) = (share, share + (share - before - SHRINK).max(LEAST));
    }
}

/// Climbs from a point u of the region, or from the weights themselves, where the loss is `here`.
///
/// The step starts at twice the radius, so that the first one from the weights ends where SAM's ends (l2) or in the corner of the
/// gradient's signs (linf). It halves, and the ascent returns to the best point, where fewer than 75 % of the steps since the last
/// checkpoint rose, or where neither step nor best point changed since. The result is a lower bound of the maximum.
///
/// # Errors
/// As [`mean_loss`]; [`PluginError::Input`] where the gradient is zero at the start.
pub fn climb(
    probe: &Probe<'_>,
    sample: Sample,
    region: &Region,
    here: f64,
    start: Option<Tensor>,
    iterations: u64,
) -> Result<Climb, PluginError> {
    let mut point = start.unwrap_or_else(|| region.scale.zeros_like());
    let mut before = point.shallow_clone();
    let mut best = (0.0, region.scale.zeros_like());
    // At the start; a random one is not worth a pass of its own.
    let mut last = f64::NEG_INFINITY;
    let mut step = 2.0 * region.radius;
    let checkpoints = checkpoints(iterations);
    let (mut risen, mut checked, mut halved, mut best_then) = (0_u64, 0, false, f64::NEG_INFINITY);
    let mut trace = Vec::new();
    for iteration in 0..iterations {
        let gradient = probe.grad(sample, Some(&region.perturbation(&point)), Labels::Data)?;
        let Some(way) = region.steepest(&gradient)? else {
            if iteration == 0 {
                let text = "the gradient is zero at the start of the ascent: there is no way up; take `starts` of 2 or more";
                return Err(PluginError::Input(text.into()));
            }
            break;
        };
        let onward = region.project(&point + way * step)?;
        let next = if iteration == 0 {
            onward
        } else {
            region.project(&point + (onward - &point) * MOMENTUM + (&point - &before) * (1.0 - MOMENTUM))?
        };
        (before, point) = (point, next);
        let rise = mean_loss(probe, sample, Some(&region.perturbation(&point)))? - here;
        risen += u64::from(rise > last);
        last = rise;
        if rise > best.0 {
            best = (rise, point.shallow_clone());
        }
        trace.push(best.0);
        let done = iteration + 1;
        if checkpoints.contains(&done) {
            let slow = (risen as f64) < RISEN * (done - checked) as f64;
            let stuck = !halved && best_then >= best.0;
            halved = slow || stuck;
            (risen, checked, best_then) = (0, done, best.0);
            if halved {
                step /= 2.0;
                (before, point, last) = (best.1.shallow_clone(), best.1.shallow_clone(), best.0);
            }
        }
    }
    Ok(Climb { here, rise: best.0, perturbation: region.perturbation(&best.1), trace })
}

#[cfg(test)]
mod tests {
    use super::checkpoints;

    #[test]
    fn checkpoints_are_those_of_the_paper() {
        // Croce & Hein 2020, section 3.2: p = .22, .41, .57, .70, .80, .87, .93, .99, for 100 iterations.
        assert_eq!(checkpoints(100), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert_eq!(checkpoints(20), [5, 9, 12, 14, 16, 18, 19]);
        assert_eq!(checkpoints(1), [0_u64; 0]);
    }
}
