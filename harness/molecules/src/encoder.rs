//! The tokenizer of a cell: ours, or one that came with a checkpoint of others.

use std::path::Path;

use clmbench_protocol::{Special, TokenizerSpec};

use crate::{
    error::MoleculesError,
    foreign::{self, ForeignTokenizer},
    special::SpecialIds,
    tokenizer::{SmilesTokenizer, Tokens},
};

/// A tokenizer with its longest sequence.
#[allow(clippy::large_enum_variant, reason = "there is one a cell")]
pub enum Encoder {
    /// Ours.
    Smiles(SmilesTokenizer),
    /// Of a checkpoint of others.
    Foreign(ForeignTokenizer),
}

impl Encoder {
    /// The tokenizer of a cell; `file` is the `tokenizer.json` of one of kind `file`.
    ///
    /// # Errors
    /// Those of [`SmilesTokenizer::new`] and [`ForeignTokenizer::open`]; [`MoleculesError::MissingInput`] without the file that it needs.
    pub fn new(spec: &TokenizerSpec, file: Option<&Path>) -> Result<Self, MoleculesError> {
        if spec.kind != foreign::KIND {
            return Ok(Self::Smiles(SmilesTokenizer::new(spec)?));
        }
        let file = file.ok_or_else(|| MoleculesError::MissingInput { what: "input `tokenizer`".into() })?;
        Ok(Self::Foreign(ForeignTokenizer::open(file, spec)?))
    }

    /// Tokens of a molecule.
    ///
    /// # Errors
    /// [`MoleculesError::Tokenizer`] for a molecule that the tokenizer refuses.
    pub fn encode(&self, smiles: &str) -> Result<Tokens, MoleculesError> {
        match self {
            Self::Smiles(tokenizer) => tokenizer.encode(smiles),
            Self::Foreign(tokenizer) => tokenizer.encode(smiles),
        }
    }

    /// Largest id, plus one.
    pub fn vocabulary_size(&self) -> usize {
        match self {
            Self::Smiles(tokenizer) => tokenizer.vocabulary_size(),
            Self::Foreign(tokenizer) => tokenizer.vocabulary_size(),
        }
    }

    /// Longest sequence, special tokens included.
    pub fn max_tokens(&self) -> usize {
        match self {
            Self::Smiles(tokenizer) => tokenizer.max_tokens(),
            Self::Foreign(tokenizer) => tokenizer.max_tokens(),
        }
    }

    /// Its special ids.
    pub fn special(&self) -> SpecialIds {
        match self {
            Self::Smiles(_) => SpecialIds::new(&Special::default()),
            Self::Foreign(tokenizer) => SpecialIds::new(tokenizer.special()),
        }
    }

    /// BLAKE3 of the bytes of `tokenizer.json`.
    pub fn digest(&self) -> String {
        match self {
            Self::Smiles(tokenizer) => tokenizer.digest(),
            Self::Foreign(tokenizer) => tokenizer.digest(),
        }
    }

    /// Writes `tokenizer.json`.
    ///
    /// # Errors
    /// [`MoleculesError::Io`] if that fails.
    pub fn write(&self, path: &Path) -> Result<(), MoleculesError> {
        match self {
            Self::Smiles(tokenizer) => tokenizer.write(path),
            Self::Foreign(tokenizer) => tokenizer.write(path),
        }
    }
}
