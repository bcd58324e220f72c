//! `report`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Name of the suite; the newest of the store if left out
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// File to write, a folder to write it in, or - for standard output; clmbench-report-NAME.html here if left out
    #[arg(long, value_name = "FILE|DIR|-")]
    pub out: Option<PathBuf>,
    /// Folder to write every figure in as NAME.svg and NAME.csv, also those that the page has no room
    /// for; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub figures: Option<PathBuf>,
}
