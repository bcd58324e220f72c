//! The lines that host and worker exchange.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{cell::CellSpec, failure::Failure, output::CellReport};

/// A plugin library that the cell needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFile {
    /// Crate name of the plugin.
    pub name: String,
    /// Path of the library.
    pub path: String,
    /// BLAKE3 of the library; checked before it is opened.
    pub digest: String,
}

/// Host to worker, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Compute a cell.
    Run(Box<RunRequest>),
    /// End in order.
    Quit,
}

/// One cell to compute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// Identity of the cell (lower-case hex BLAKE3). Seeds every random stream of the cell.
    pub identity: String,
    /// What to compute.
    pub spec: CellSpec,
    /// Plugins it needs.
    pub plugins: Vec<PluginFile>,
    /// Files and folders it reads, by role; the roles of each kind are listed at [`CellSpec`].
    pub inputs: BTreeMap<String, String>,
    /// Empty (or resumable) folder for its files. The host moves it into place when the cell is done.
    pub work_dir: String,
    /// Where standard output and standard error of the cell go.
    pub log: String,
    /// Device, `cpu` or `cuda:0`. Provenance, not identity.
    pub device: String,
}

/// Worker to host, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// First line of a worker.
    Hello {
        /// [`crate::PROTOCOL_VERSION`].
        protocol: u32,
        /// Version of the engine crate and the digest of its executable.
        build: String,
        /// libtorch version, such as `2.11.0`.
        libtorch: String,
        /// Devices it can use.
        devices: Vec<String>,
    },
    /// How far the cell is. At most a few a second.
    Progress {
        /// What is being done, such as `pretrain` or a metric's own words.
        stage: String,
        /// Units done.
        done: u64,
        /// Units in all; 0 if unknown.
        total: u64,
        /// Unit, such as `tokens`.
        unit: String,
        /// More to show, such as `loss 1.234`.
        note: String,
    },
    /// The cell is computed and its files are in the work folder.
    Done(Box<CellReport>),
    /// The cell failed; the worker goes on.
    Failed(Failure),
}
