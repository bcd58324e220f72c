//! The written rules by which a run has diverged: a loss or a gradient norm that is not finite, a loss that ends above
//! where it began, and one that ends far above what uniform guessing reaches. Nothing else is a divergence.

use super::step::Outcome;

/// Steps at the beginning whose mean loss is what the end is compared with.
const FIRST: usize = 5;
/// Runs with fewer steps are not compared.
const FEWEST: usize = 20;
/// A loss this much above the logarithm of the vocabulary, in nats, is worse than any start: fresh weights guess uniformly.
const ABOVE_UNIFORM: f64 = 1.0;

/// The rule that a step breaks, in words.
pub fn of_step(outcome: Outcome, step: u64) -> Option<String> {
    match outcome {
        Outcome::Done(_) => None,
        Outcome::Loss(value) => Some(format!("the training loss of step {step} is {value}")),
        Outcome::GradientNorm(value) => Some(format!("the gradient norm of step {step} is {value}")),
    }
}

/// The rule that a finished run breaks, in words: the last tenth of the losses is on average above the first five, or a nat above
/// uniform guessing among this many tokens.
pub fn of_run(losses: &[f64], vocabulary: u64) -> Option<String> {
    let first = mean(&losses[..losses.len().min(FIRST)]);
    let last = tail(losses);
    let uniform = (vocabulary as f64).ln();
    if last > uniform + ABOVE_UNIFORM {
        return Some(format!(
            "the mean training loss of the last tenth of the steps, {last:.3}, is far above that of uniform guessing, {uniform:.3}"
        ));
    }
    (losses.len() >= FEWEST && last > first).then(|| {
        format!(
            "the mean training loss of the last tenth of the steps, {last:.3}, is above that of the first {FIRST}, {first:.3}"
        )
    })
}

/// Mean of the last tenth of the losses.
pub fn tail(losses: &[f64]) -> f64 {
    mean(&losses[losses.len() - losses.len().div_ceil(10)..])
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Outcome, of_run, of_step, tail};

    #[test]
    fn a_run_whose_loss_ends_above_its_start_has_diverged() {
        let rising: Vec<f64> = (0..50).map(|i| 2.0 + f64::from(i) * 0.1).collect();
        let falling: Vec<f64> = rising.iter().rev().copied().collect();
        assert_eq!(tail(&rising), (6.5 + 6.6 + 6.7 + 6.8 + 6.9) / 5.0);
        assert!(of_run(&rising, 2000).unwrap().contains("6.700, is above that of the first 5, 2.200"));
        assert_eq!(of_run(&falling, 2000), None);
        assert_eq!(of_run(&rising[..10], 2000), None);
        assert_eq!(of_run(&[], 2000), None);
    }

    #[test]
    fn a_run_that_ends_far_above_uniform_guessing_has_diverged_however_short_it_was() {
        assert!(of_run(&[7.6, 6200.0, 5031.0], 2000).unwrap().contains("uniform guessing, 7.601"));
        assert_eq!(of_run(&[7.7], 2000), None, "a start is not a divergence");
    }

    #[test]
    fn a_step_that_is_not_finite_is_named() {
        assert_eq!(of_step(Outcome::Done(1.0), 4), None);
        assert_eq!(of_step(Outcome::Loss(f64::NAN), 4).unwrap(), "the training loss of step 4 is NaN");
        assert_eq!(of_step(Outcome::GradientNorm(f64::INFINITY), 9).unwrap(), "the gradient norm of step 9 is inf");
    }
}
