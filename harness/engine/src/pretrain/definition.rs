//! What a definition must say for a run to be possible at all.

use clmbench_molecules::TokenCache;
use clmbench_protocol::{Failure, FailureKind, Objective, Pretrain};

use crate::failure::Result;

/// Refuses a corpus without anything to train on and settings that no run can have.
///
/// # Errors
/// [`FailureKind::BadInput`] naming the setting, its value and what is allowed.
pub fn check(spec: &Pretrain, cache: &TokenCache) -> Result<()> {
    let refused = |text: String| Err(Failure::new(FailureKind::BadInput, text));
    if cache.is_empty() || cache.total_tokens() == 0 {
        return refused("the corpus subset holds no molecule; ask for a larger size".into());
    }
    let ratio = spec.mask_ratio.0;
    let masks = spec.objective == Objective::MaskedLm;
    let share = |value: f64| (0.0..1.0).contains(&value);
    let rules = [
        ("batch", f64::from(spec.batch), spec.batch > 0, "at least 1"),
        ("accumulate", f64::from(spec.accumulate), spec.accumulate > 0, "at least 1"),
        ("mask_ratio", ratio, !masks || (ratio > 0.0 && ratio <= 1.0), "above 0 and at most 1"),
        (
            "learning_rate",
            spec.learning_rate.0,
            spec.learning_rate.0.is_finite() && spec.learning_rate.0 > 0.0,
            "finite and above 0",
        ),
        (
            "weight_decay",
            spec.weight_decay.0,
            spec.weight_decay.0.is_finite() && spec.weight_decay.0 >= 0.0,
            "finite and at least 0",
        ),
        ("beta 1", spec.betas.0.0, share(spec.betas.0.0), "at least 0 and below 1"),
        ("beta 2", spec.betas.1.0, share(spec.betas.1.0), "at least 0 and below 1"),
        ("clip", spec.clip.0, spec.clip.0 > 0.0, "above 0"),
        ("warmup", spec.schedule.warmup.0, share(spec.schedule.warmup.0), "at least 0 and below 1"),
        ("cooldown", spec.schedule.cooldown.0, share(spec.schedule.cooldown.0), "at least 0 and below 1"),
    ];
    match rules.iter().find(|(_, _, holds, _)| !holds) {
        Some((name, value, _, allowed)) => refused(format!("{name} is {value}; it must be {allowed}")),
        None => Ok(()),
    }
}
