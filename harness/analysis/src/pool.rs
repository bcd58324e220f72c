//! Pools: what runs must have in common to stand in one fit.

use clmbench_protocol::Objective;
use serde::{Deserialize, Serialize};

/// What all runs of a fit share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pool {
    /// Pretraining objective.
    pub objective: Objective,
    /// Digest of the tokenizer.
    pub tokenizer_digest: String,
    /// Digest of the evaluation sample; none for metrics that are comparable across samples.
    pub evaluation_digest: Option<String>,
    /// Digest of the dataset's split.
    pub split_digest: String,
    /// Digest of the dataset's molecules and labels.
    pub data_digest: String,
    /// Protocol of transfer.
    pub protocol: String,
}

impl Pool {
    /// Short form for tables: objective and the first 8 digits of each digest.
    pub fn name(&self) -> String {
        let objective = match self.objective {
            Objective::MaskedLm => "masked_lm",
            Objective::CausalLm => "causal_lm",
        };
        let evaluation = self.evaluation_digest.as_deref().map_or("any", short);
        let (tokenizer, split) = (short(&self.tokenizer_digest), short(&self.split_digest));
        format!("{objective} tokenizer:{tokenizer} sample:{evaluation} split:{split} {}", self.protocol)
    }

    /// Short form for what is pooled over tasks, each of which has a split of its own.
    pub fn name_over_tasks(&self) -> String {
        let split = format!(" split:{}", short(&self.split_digest));
        self.name().replacen(&split, "", 1)
    }

    /// The family of tests that a fit in this pool belongs to: its suite's primary values x datasets under one protocol,
    /// objective and tokenizer.
    ///
    /// Splits differ between datasets and metrics of both kinds (bound to an evaluation sample or not) stand side by
    /// side, so neither divides the family; a larger family only makes the adjusted p larger.
    pub fn family(&self) -> String {
        format!("{} {:?} tokenizer:{}", self.protocol, self.objective, self.tokenizer_digest)
    }
}

fn short(digest: &str) -> &str {
    digest.char_indices().nth(8).map_or(digest, |(end, _)| &digest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_families_ignore_split_and_sample() {
        let pool = Pool {
            objective: Objective::MaskedLm,
            tokenizer_digest: "0123456789abcdef".into(),
            evaluation_digest: None,
            split_digest: "ffff".into(),
            data_digest: "d".into(),
            protocol: "probe".into(),
        };
        assert_eq!(pool.name(), "masked_lm tokenizer:01234567 sample:any split:ffff probe");
        let other = Pool { evaluation_digest: Some("e".into()), split_digest: "0000".into(), ..pool.clone() };
        assert_eq!(pool.family(), other.family());
        assert_ne!(pool.family(), Pool { protocol: "finetune".into(), ..pool.clone() }.family());
    }
}
