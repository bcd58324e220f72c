//! Everything that understands a molecule: SMILES tokenizer, canonical SMILES, scaffold splits, corpora, token caches. No libtorch.
//!
//! | module | what it is for |
//! |---|---|
//! | [`smiles`] | canonical SMILES, scaffolds, what counts as a valid molecule |
//! | [`tokenizer`] | the SMILES tokenizer and its fixed [`vocabulary`] |
//! | [`encoder`], [`foreign`], [`special`] | the tokenizer of a cell: ours or one of a checkpoint of others; its special ids |
//! | [`any_tokenizer`] | a tokenizer of somebody else's, to see what it does not know |
//! | [`cache`] | tokens of many molecules in one memory-mapped file |
//! | [`split`] | splits: by scaffold, balanced, random, stratified, by clusters, given, by a file |
//! | [`table`] | labels: parsing, checking, the normalised CSV |
//! | [`user_table`], [`table_split`] | a table of the user's own; its split by itself |
//! | [`dataset`], [`prepared`] | a labelled dataset: preparing it, reading it back |
//! | [`corpus`], [`source`] | an unlabelled corpus: drawing, filtering, tokenising |
//! | [`unigram`], [`count_models`] | what counting tokens alone achieves on it |
//! | [`digest`], [`gzip`] | digests of files, listing of a folder; unpacking |
//!
//! Everything is deterministic: the same input bytes and specification give the same output bytes.

pub mod any_tokenizer;
pub mod cache;
mod checks;
pub mod corpus;
pub mod count_models;
pub mod dataset;
pub mod digest;
mod draw;
pub mod encoder;
pub mod error;
pub mod foreign;
pub mod gzip;
pub mod prepared;
pub mod smiles;
pub mod source;
pub mod special;
pub mod split;
pub mod table;
pub mod table_split;
pub mod tokenizer;
pub mod unigram;
pub mod user_table;
pub mod vocabulary;

pub use cache::{TokenCache, TokenCacheBuilder};
pub use corpus::{prepare_corpus, prepare_corpus_with};
pub use dataset::{prepare_dataset, prepare_dataset_with};
pub use encoder::Encoder;
pub use error::MoleculesError;
pub use foreign::ForeignTokenizer;
pub use prepared::{Part, PreparedDataset};
pub use smiles::{InvalidMolecule, Molecule};
pub use special::SpecialIds;
pub use table::RawTable;
pub use tokenizer::SmilesTokenizer;
