//! Families of metrics: the folders in plugins/metrics.

use std::{collections::BTreeSet, fs, path::Path};

use crate::error::XtaskError;

/// Families whose folder holds this file, by name.
pub fn with(checkout: &Path, file: &str) -> Result<BTreeSet<String>, XtaskError> {
    let folder = checkout.join("plugins/metrics");
    let entries = fs::read_dir(&folder).map_err(XtaskError::io("read", &folder))?;
    let families = entries.flatten().filter(|entry| entry.path().join(file).is_file());
    Ok(families.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Package of a family.
pub fn package(family: &str) -> String {
    format!("clmbench-plugin-{family}")
}
