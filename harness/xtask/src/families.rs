//! Families of metrics: the folders in plugins/metrics.

use std::{collections::BTreeSet, fs, path::Path};

use crate::error::XtaskError;

/// Families whose folder holds this file, by name; `{}` in it stands for the family.
pub fn with(checkout: &Path, file: &str) -> Result<BTreeSet<String>, XtaskError> {
    let folder = checkout.join("plugins/metrics");
    let entries = fs::read_dir(&folder).map_err(XtaskError::io("read", &folder))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|family| folder.join(family).join(file.replace("{}", family)).is_file()).collect())
}

/// Name of a family's example of this kind: cargo puts those of all packages into one folder.
pub fn example(family: &str, kind: &str) -> String {
    format!("{family}_{kind}")
}

/// Package of a family.
pub fn package(family: &str) -> String {
    format!("clmbench-plugin-{family}")
}
