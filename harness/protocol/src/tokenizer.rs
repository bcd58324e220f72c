//! What a cell says of its tokenizer.

use serde::{Deserialize, Serialize};

/// How strings become tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenizerSpec {
    /// `smiles`: the regex of Schwaller et al. over a fixed full SMILES vocabulary. `file`: a `tokenizer.json`, which the cell finds in the
    /// input `tokenizer`.
    pub kind: String,
    /// Longest sequence in tokens, with the special ones; longer molecules are truncated and counted.
    pub max_tokens: u32,
    /// BLAKE3 of the `tokenizer.json`, for `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Its special tokens, for `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special: Option<Special>,
}

/// Ids of a tokenizer's special tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Special {
    /// Fills up the shorter sequences of a batch; it is masked out, so that its value does not matter.
    pub pad: u16,
    /// Stands for what is outside the vocabulary; none where the tokenizer has no such token.
    pub unknown: Option<u16>,
    /// Begins a molecule.
    pub start: Option<u16>,
    /// Ends a molecule.
    pub end: Option<u16>,
    /// Hides a token; none for causal models.
    pub mask: Option<u16>,
    /// Special tokens besides, which are neither masked nor drawn in place of others. Sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<u16>,
}

impl Default for Special {
    /// Those of our own tokenizer: `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, `[MASK]`.
    fn default() -> Self {
        Self { pad: 0, unknown: Some(1), start: Some(2), end: Some(3), mask: Some(4), others: Vec::new() }
    }
}

impl Special {
    /// Every special id, sorted, each once.
    pub fn ids(&self) -> Vec<u16> {
        let named = [Some(self.pad), self.unknown, self.start, self.end, self.mask];
        let mut ids: Vec<u16> = named.into_iter().flatten().chain(self.others.iter().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Default for TokenizerSpec {
    fn default() -> Self {
        Self { kind: "smiles".into(), max_tokens: 128, digest: None, special: None }
    }
}
