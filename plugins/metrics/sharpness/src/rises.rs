//! Rises of the loss under random noise in pairs of opposite sign.

use clmbench_sdk::prelude::*;

/// Rises so far: of each draw, and of each molecule over all draws.
#[derive(Debug)]
pub struct Rises {
    /// Mean rise of each draw.
    pub draws: Vec<f64>,
    nll: Vec<f64>,
    tokens: Vec<f64>,
}

impl Rises {
    /// None yet, of this many molecules.
    pub fn new(molecules: u64) -> Self {
        Self { draws: Vec::new(), nll: vec![0.0; molecules as usize], tokens: vec![0.0; molecules as usize] }
    }

    /// Adds a draw: losses at the weights and at either side.
    pub fn add(&mut self, here: &LossRows, there: &[LossRows; 2]) {
        let (mut rise, mut tokens) = (0.0, 0.0);
        for molecule in 0..self.nll.len() {
            let of_molecule = (there[0].nll[molecule] + there[1].nll[molecule]) / 2.0 - here.nll[molecule];
            self.nll[molecule] += of_molecule;
            self.tokens[molecule] += here.tokens[molecule];
            rise += of_molecule;
            tokens += here.tokens[molecule];
        }
        self.draws.push(rise / tokens);
    }

    /// Mean rise, its error over draws and its error over molecules (jackknife).
    pub fn mean(&self) -> (f64, f64, f64) {
        let (mean, se_estimator) = statistics::mean_with_error(&self.draws);
        let (_, se_sample) = statistics::ratio_with_jackknife(&self.nll, &self.tokens);
        (mean, se_estimator, se_sample)
    }
}
