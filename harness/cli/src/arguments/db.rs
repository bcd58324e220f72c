//! `db`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Json;

/// The store as a database.
#[derive(Debug, Subcommand)]
pub enum Database {
    /// Check that a store is whole: pages, references, schema, identities, results, files, fits
    ///
    /// Changes nothing, and works while a run writes. The schema is described in harness/store/SCHEMA.md.
    #[command(after_help = "Example:
  clmbench db check
  clmbench db check --files         hash every file too
  clmbench db check --json

Exit status 3 if something is wrong (each thing is named), 5 if the store cannot be read at all.")]
    Check(CheckDatabaseArguments),

    /// Pack the database, so that removed rows leave no room behind
    ///
    /// Needs room for a second copy for a while. Not while another process writes to the store.
    #[command(after_help = "Example:
  clmbench db vacuum
  clmbench gc && clmbench db vacuum")]
    Vacuum(Json),

    /// Take the results of another store into this one: suites, cells, files, gate baselines
    ///
    /// The other store is only read, and nothing of it is trusted: see harness/store/src/merge. A cell that is finished in both with
    /// unlike results is a conflict, and so is a release of a plugin with two files: it is reported with both digests, and ours is kept.
    /// What failed there is to be computed here. Fits are not taken; those of all suites here that gained cells are made anew. New suites do not become the newest, which commands take where no --suite is given.
    #[command(after_help = "Example:
  clmbench db merge ../other/.clmbench --dry-run   look first
  clmbench db merge ../other/.clmbench             a store folder, with its files
  clmbench db merge other.sqlite                   its database alone: rows without files

Exit status 3 if there are conflicts.")]
    Merge(MergeArguments),
}

/// Arguments of `db check`.
#[derive(Debug, Args)]
pub struct CheckDatabaseArguments {
    /// Hash the files of all finished cells, not only look at size and time
    #[arg(long)]
    pub files: bool,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `db merge`.
#[derive(Debug, Args)]
pub struct MergeArguments {
    /// Folder of the other store, or its database
    #[arg(value_name = "OTHER")]
    pub other: PathBuf,
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}
