//! What host and worker say to each other, and nothing else: plain data with serde. (And [`fault`], the points at which
//! crash tests kill either of them.)
//!
//! The host (`clmbench`) starts `clmbench-worker` as a child process and exchanges JSON lines with it:
//! [`message::Request`] one way, [`message::Event`] the other. A unit of work is a [`cell::CellSpec`], whose
//! canonical form is hashed into the cell's identity; its result is a [`output::CellReport`]. What a plugin
//! offers is a [`manifest::PluginManifest`]. Words that host and plugins must mean the same by are here too: [`split`],
//! [`user_table`], and names of files: [`checkpoint_files`].
//!
//! Invariant: everything in a [`cell::CellSpec`] can change the value of the cell, and everything that can change
//! the value of the cell is in it. Paths, limits and timings never are.

pub mod attempt;
pub mod baseline;
pub mod cell;
pub mod checkpoint_files;
pub mod failure;
pub mod fault;
pub mod manifest;
pub mod message;
pub mod number;
pub mod output;
pub mod revision;
pub mod split;
pub mod text;
pub mod tokenizer;
pub mod user_table;

pub use attempt::*;
pub use baseline::*;
pub use cell::*;
pub use failure::*;
pub use manifest::*;
pub use message::*;
pub use number::Number;
pub use output::*;
pub use text::is_unsafe_to_show;
pub use tokenizer::*;

/// Version of this protocol; host and worker refuse each other when it differs.
pub const PROTOCOL_VERSION: u32 = 1;

/// Version of the way a [`cell::CellSpec`] is turned into an identity.
pub const IDENTITY_VERSION: u32 = 1;

/// Environment variable by which the host tells a worker its memory budget in bytes, beyond what libtorch takes at start.
pub const MEMORY_VARIABLE: &str = "CLMBENCH_MEMORY_LIMIT_BYTES";
