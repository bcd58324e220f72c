//! Learning rates: linear warm-up, constant, and a linear cool-down to zero before each annealed checkpoint
//! (constant-with-cool-down, Hägele et al. 2024, arXiv:2405.18392). The axis is tokens trained on.

/// The schedule of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenSchedule {
    /// Peak learning rate.
    pub peak: f64,
    /// Tokens of the whole run.
    pub total: u64,
    /// Share of `total` for the warm-up.
    pub warmup: f64,
    /// Share of the tokens up to a checkpoint for its cool-down.
    pub cooldown: f64,
    /// Annealed checkpoints, evenly spaced.
    pub checkpoints: u32,
}

impl TokenSchedule {
    /// Tokens at which the `index`-th checkpoint (from 1) lies.
    pub fn target(&self, index: u32) -> u64 {
        (u128::from(self.total) * u128::from(index) / u128::from(self.checkpoints.max(1))) as u64
    }

    /// Tokens at which the cool-down branch of the `index`-th checkpoint leaves the trunk.
    pub fn branch(&self, index: u32) -> u64 {
        (self.target(index) as f64 * (1.0 - self.cooldown)).round() as u64
    }

    /// Tokens of the cool-down branch of the `index`-th checkpoint.
    pub fn cooldown_tokens(&self, index: u32) -> u64 {
        self.target(index) - self.branch(index)
    }

    /// Tokens that are trained on in all: the trunk and every branch.
    pub fn work(&self) -> u64 {
        self.branch(self.checkpoints) + (1..=self.checkpoints).map(|index| self.cooldown_tokens(index)).sum::<u64>()
    }

    /// Learning rate of a trunk step that ends at `tokens`.
    pub fn trunk_rate(&self, tokens: u64) -> f64 {
        let warmup = self.warmup * self.total as f64;
        self.peak * if warmup > 0.0 { (tokens as f64 / warmup).min(1.0) } else { 1.0 }
    }

    /// Learning rate of a step that begins at `tokens` on the cool-down branch of the `index`-th checkpoint.
    pub fn branch_rate(&self, index: u32, tokens: u64) -> f64 {
        let (from, to) = (self.branch(index) as f64, self.target(index) as f64);
        let left = if to > from { ((to - tokens as f64) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
        self.trunk_rate(tokens) * left
    }
}

#[cfg(test)]
mod tests {
    use super::TokenSchedule;

    #[test]
    fn it_warms_up_stays_and_cools_down_to_zero() {
        let schedule = TokenSchedule { peak: 2.0, total: 1000, warmup: 0.1, cooldown: 0.2, checkpoints: 2 };
        assert_eq!((schedule.target(1), schedule.target(2)), (500, 1000));
        assert_eq!((schedule.branch(1), schedule.branch(2)), (400, 800));
        assert_eq!(schedule.work(), 800 + 100 + 200);
        assert_eq!(schedule.trunk_rate(50), 1.0);
        assert_eq!(schedule.trunk_rate(700), 2.0);
        assert_eq!(schedule.branch_rate(2, 800), 2.0);
        assert_eq!(schedule.branch_rate(2, 900), 1.0);
        assert_eq!(schedule.branch_rate(2, 1000), 0.0);
        assert_eq!(schedule.branch_rate(2, 1100), 0.0);
    }
}
