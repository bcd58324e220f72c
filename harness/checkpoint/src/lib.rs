//! A checkpoint of others: a folder of the Hugging Face layout (`config.json`, `model.safetensors`, a tokenizer), read and judged before
//! anything is allocated. Nothing in it is run, and no file is believed: every length is checked against the bytes that are there.
//!
//! | question | answer |
//! |---|---|
//! | which files are taken | [`is_allowed`], [`Folder::open`] |
//! | what the model is | [`Folder::config`], [`model_type`] |
//! | which weights are there | [`Folder::weights`], [`header`] |
//! | which of them is which parameter | [`match_up`] |
//! | their values | [`read_tensor`] |
//! | the same file without some of them | [`write_without`] |
//! | how molecules become tokens | [`Folder::tokenizer`], [`Timed`] |
//!
//! Memory: one tensor at a time, and what the text files hold (each with a limit, [`clmbench_protocol::checkpoint_files::limit`]; JSON can
//! need 32 times its length while it is judged: 16 MiB of nothing but `0,` half a GiB). Time: text files are read once;
//! a tokenizer is tried under a time limit before it is believed, and watched while it is used.

pub mod error;
pub mod folder;
pub mod header;
pub mod index;
mod json;
pub mod match_up;
pub mod tensor;
pub mod tokenizer;
mod without;

pub use clmbench_protocol::checkpoint_files::{ALLOWED, is_allowed};
pub use error::CheckpointError;
pub use folder::{Folder, config_notes, model_type};
pub use header::{Dtype, TensorInfo, header};
pub use match_up::{Matched, match_up};
pub use tensor::read_tensor;
pub use tokenizer::{FoundTokenizer, SMILES_REGEX, Timed};
pub use without::write_without;
