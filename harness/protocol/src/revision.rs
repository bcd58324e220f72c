//! `engine_revision` of each stage. Bump the number of a stage when its values move; golden-value tests fail until then.

/// Tokenising datasets and corpora.
pub const TOKENISE: u32 = 4;
/// Importing checkpoints.
pub const IMPORT: u32 = 1;
/// Pretraining.
pub const PRETRAIN: u32 = 2;
/// Embedding.
pub const EMBED: u32 = 1;
/// The probe that metrics are given.
pub const MEASURE: u32 = 3;
/// Transfer protocols.
pub const TRANSFER: u32 = 3;
