//! From what a suite says of a dataset's split to the split of its cell.

use std::path::Path;

use clmbench_protocol::{DatasetInfo, FileRef, Number, SplitSpec, split as words};

use super::PlanError;
use crate::{
    corpora::{LocalFile, hashed},
    suite::{DatasetEntry, Suite},
};

/// Name of the file of a split in the definition of a cell.
const SPLIT_FILE: &str = "split";

/// The split of a dataset of this table, and the file that gives it.
///
/// # Errors
/// A recommendation that is no split of ours; a seed that it does not read; a file that cannot be read.
pub(super) fn split_of(
    suite: &Suite,
    entry: &DatasetEntry,
    name: &str,
    info: &DatasetInfo,
) -> Result<(SplitSpec, Option<LocalFile>), PlanError> {
    let written = &entry.split;
    let recommended = written.algorithm == words::RECOMMENDED;
    let algorithm = if recommended { recommendation(entry, name, info)? } else { written.algorithm.clone() };
    if recommended && written.seed.is_some() && !words::takes_seed(&algorithm) {
        let dataset = format!("{}/{name}", entry.source);
        return Err(PlanError::UnreadSplitSeed { place: written.place.clone(), dataset, split: algorithm });
    }
    let theirs = info.recommended_seed.filter(|_| recommended && words::takes_seed(&algorithm));
    let seed = written.seed.or(theirs).or_else(|| words::has_seed(&algorithm).then_some(0));
    let fractions = written.fractions.or(info.recommended_fractions.filter(|_| recommended)).unwrap_or(words::DEFAULT_FRACTIONS);
    let local = written.file.as_ref().map(|file| {
        let path = file.path(Path::new(&suite.file));
        let wrong = |reason| PlanError::SplitFile { place: file.place.clone(), path: path.display().to_string(), reason };
        hashed(&path).map_err(wrong)
    });
    let local = local.transpose()?;
    let file = local.as_ref().map(|file| FileRef { name: SPLIT_FILE.into(), sha256: file.sha256.clone() });
    Ok((SplitSpec { algorithm, seed, fractions: (Number(fractions.0), Number(fractions.1)), file }, local))
}

/// The split that a dataset recommends, if a suite can take it.
fn recommendation(entry: &DatasetEntry, name: &str, info: &DatasetInfo) -> Result<String, PlanError> {
    let found = info.recommended_split.as_str();
    // A file is the user's to name, and a column of parts too.
    if words::ALGORITHMS.contains(&found) && found != words::FILE {
        return Ok(found.to_owned());
    }
    let found = if found.is_empty() { "no split".to_owned() } else { format!("the split `{}`", found.escape_debug()) };
    let dataset = if info.user_file.is_some() { entry.source.clone() } else { format!("{}/{name}", entry.source) };
    Err(PlanError::NoRecommendedSplit { place: entry.split.place.clone(), dataset, found })
}
