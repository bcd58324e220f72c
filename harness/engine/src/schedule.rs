//! Learning rates over the tokens trained on. Constant with cool-down (Hägele et al. 2024, arXiv:2405.18392): linear warm-up,
//! constant, and a linear branch to zero before each checkpoint. Cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, equation
//! 5, without restarts): linear warm-up, then half a cosine that reaches zero at the end of the run.

use clmbench_protocol::ScheduleKind;

/// The schedule of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenSchedule {
    /// Shape after the warm-up.
    pub kind: ScheduleKind,
    /// Peak learning rate.
    pub peak: f64,
    /// Tokens of the whole run.
    pub total: u64,
    /// Share of `total` for the warm-up.
    pub warmup: f64,
    /// Share of the tokens up to a checkpoint for its cool-down; a cosine has none, whatever stands here.
    pub cooldown: f64,
    /// Checkpoints, evenly spaced.
    pub checkpoints: u32,
}

impl TokenSchedule {
    /// Tokens at which the `index`-th checkpoint (from 1) lies.
    pub fn target(&self, index: u32) -> u64 {
        (u128::from(self.total) * u128::from(index) / u128::from(self.checkpoints.max(1))) as u64
    }

    /// Tokens at which the cool-down branch of the `index`-th checkpoint leaves the trunk; its target where there is none.
    pub fn branch(&self, index: u32) -> u64 {
        match self.kind {
            ScheduleKind::ConstantWithCooldown => (self.target(index) as f64 * (1.0 - self.cooldown)).round() as u64,
            ScheduleKind::Cosine => self.target(index),
        }
    }

    /// Tokens of the cool-down branch of the `index`-th checkpoint.
    pub fn cooldown_tokens(&self, index: u32) -> u64 {
        self.target(index).saturating_sub(self.branch(index))
    }

    /// Whether the learning rate has come down to zero at the `index`-th checkpoint.
    pub fn annealed(&self, index: u32) -> bool {
        match self.kind {
            ScheduleKind::ConstantWithCooldown => self.cooldown_tokens(index) > 0,
            ScheduleKind::Cosine => index == self.checkpoints,
        }
    }

    /// Tokens that are trained on in all: the trunk and every branch.
    pub fn work(&self) -> u64 {
        self.branch(self.checkpoints) + (1..=self.checkpoints).map(|index| self.cooldown_tokens(index)).sum::<u64>()
    }

    /// Learning rate of a trunk step over the tokens `from..to`. The warm-up counts to the end of the step and the decay from
    /// its beginning, so that neither the first step nor the last has rate zero.
    pub fn trunk_rate(&self, from: u64, to: u64) -> f64 {
        let warmup = self.warmup * self.total as f64;
        let rise = if warmup > 0.0 { (to as f64 / warmup).min(1.0) } else { 1.0 };
        let fall = match self.kind {
            ScheduleKind::ConstantWithCooldown => 1.0,
            ScheduleKind::Cosine => {
                let rest = self.total as f64 - warmup;
                let done = if rest > 0.0 { ((from as f64 - warmup) / rest).clamp(0.0, 1.0) } else { 0.0 };
                0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        };
        self.peak * rise * fall
    }

    /// Learning rate of a step over the tokens `from..to` on the cool-down branch of the `index`-th checkpoint.
    pub fn branch_rate(&self, index: u32, from: u64, to: u64) -> f64 {
        let (start, end) = (self.branch(index) as f64, self.target(index) as f64);
        let left = if end > start { ((end - from as f64) / (end - start)).clamp(0.0, 1.0) } else { 0.0 };
        self.trunk_rate(from, to) * left
    }
}

#[cfg(test)]
mod tests {
    use clmbench_protocol::ScheduleKind;

    use super::TokenSchedule;

    #[test]
    fn it_warms_up_stays_and_cools_down_to_zero() {
        let kind = ScheduleKind::ConstantWithCooldown;
        let schedule = TokenSchedule { kind, peak: 2.0, total: 1000, warmup: 0.1, cooldown: 0.2, checkpoints: 2 };
        assert_eq!((schedule.target(1), schedule.target(2)), (500, 1000));
        assert_eq!((schedule.branch(1), schedule.branch(2)), (400, 800));
        assert_eq!(schedule.work(), 800 + 100 + 200);
        assert_eq!(schedule.trunk_rate(0, 50), 1.0);
        assert_eq!(schedule.trunk_rate(650, 700), 2.0);
        assert_eq!(schedule.branch_rate(2, 800, 900), 2.0);
        assert_eq!(schedule.branch_rate(2, 900, 1000), 1.0);
        assert_eq!(schedule.branch_rate(2, 1000, 1100), 0.0);
        assert_eq!(schedule.branch_rate(2, 1100, 1200), 0.0);
        assert!(schedule.annealed(1) && schedule.annealed(2));
        assert!(!TokenSchedule { cooldown: 0.0, ..schedule }.annealed(2));
    }

    #[test]
    fn a_cosine_warms_up_and_falls_to_zero_at_the_end() {
        let schedule = TokenSchedule {
            kind: ScheduleKind::Cosine,
            peak: 2.0,
            total: 1100,
            warmup: 100.0 / 1100.0,
            cooldown: 0.2,
            checkpoints: 4,
        };
        assert_eq!((schedule.target(1), schedule.branch(1), schedule.cooldown_tokens(1)), (275, 275, 0));
        assert_eq!(schedule.work(), 1100);
        // cos(0) = 1, cos(pi / 3) = 1/2, cos(pi / 2) = 0, cos(2 pi / 3) = -1/2, cos(pi) = -1.
        let wanted = [(100, 2.0), (100 + 333, 1.5), (600, 1.0), (100 + 667, 0.5), (1100, 0.0), (1200, 0.0)];
        for (from, rate) in wanted {
            let found = schedule.trunk_rate(from, from + 10);
            assert!((found - rate).abs() < 2e-3, "{found} at {from} is not {rate}");
        }
        assert!((schedule.trunk_rate(0, 25) - 0.5).abs() < 1e-12);
        assert_eq!([1, 2, 3, 4].map(|index| schedule.annealed(index)), [false, false, false, true]);
    }
}
