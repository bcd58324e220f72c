//! `hub.json`: what a folder of the cache was fetched from, so that it need not be asked for again.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use clmbench_protocol::checkpoint_files::is_allowed;
use serde::{Deserialize, Serialize};

use super::{HubFile, HubFolder, HubPlace, is_commit};
use crate::{FetchError, digest::is_sha256, place, sha256_file};

/// Its name.
pub(super) const RECORD: &str = "hub.json";
/// Form of the record.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    schema: u32,
    repo: String,
    commit: String,
    address: String,
    date: String,
    files: Vec<HubFile>,
    /// When each file was written, in nanoseconds since 1970: one that was written later is proved again.
    #[serde(default)]
    written: BTreeMap<String, u64>,
}

/// Writes the record into the folder whose files are there.
pub(super) fn write(folder: &HubFolder) -> Result<(), FetchError> {
    let record = Record {
        schema: SCHEMA,
        repo: folder.repo.clone(),
        commit: folder.commit.clone(),
        address: folder.address.clone().unwrap_or_default(),
        date: folder.date.clone().unwrap_or_default(),
        files: folder.files.clone(),
        written: folder
            .files
            .iter()
            .filter_map(|file| Some((file.name.clone(), time(&folder.folder.join(&file.name))?)))
            .collect(),
    };
    let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
    place::write_whole(&folder.folder.join(RECORD), &text)
}

/// When a file was written.
fn time(path: &Path) -> Option<u64> {
    let since = path.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    since.as_nanos().try_into().ok()
}

/// The folder, if its record is of this model and every file has its size and was not written since, or else still has its SHA-256. Without a
/// record: what was placed there by hand.
pub(super) fn read(folder: &Path, place: &HubPlace, commit: &str) -> Option<HubFolder> {
    if !is_commit(commit) {
        return None;
    }
    let Ok(text) = fs::read(folder.join(RECORD)) else { return by_hand(folder, place, commit) };
    let record: Record = serde_json::from_slice(&text).ok()?;
    let plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
    let sized =
        |file: &HubFile| folder.join(&file.name).metadata().is_ok_and(|found| found.is_file() && found.len() == file.bytes);
    let whole = record.files.iter().all(|file| plain(&file.name) && is_sha256(&file.sha256) && sized(file));
    let same = record.schema == SCHEMA && record.repo == place.repo && record.commit == commit && !record.files.is_empty();
    if !whole || !same {
        return None;
    }
    let later =
        |file: &&HubFile| record.written.get(&file.name).copied().is_none_or(|at| time(&folder.join(&file.name)) != Some(at));
    let doubtful: Vec<&HubFile> = record.files.iter().filter(later).collect();
    let proved = |file: &&HubFile| sha256_file(&folder.join(&file.name)).is_ok_and(|found| found == file.sha256);
    if !doubtful.iter().all(proved) {
        return None;
    }
    let copied = !doubtful.is_empty();
    let found = HubFolder {
        folder: folder.to_owned(),
        repo: record.repo,
        commit: record.commit,
        files: record.files,
        address: Some(record.address),
        date: Some(record.date),
    };
    if copied {
        // Where it cannot be written, it is proved again the next time.
        let _ = write(&found);
    }
    Some(found)
}

/// Files that the user has put where ours would be; nothing is known of them but what they are.
fn by_hand(folder: &Path, place: &HubPlace, commit: &str) -> Option<HubFolder> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let found = entry.path().metadata().ok()?;
        if found.is_file() && is_allowed(&name) {
            files.push(HubFile { sha256: sha256_file(&entry.path()).ok()?, bytes: found.len(), name });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let has = |end: &str| files.iter().any(|file| file.name.ends_with(end));
    (has("config.json") && has(".safetensors")).then(|| HubFolder {
        folder: folder.to_owned(),
        repo: place.repo.clone(),
        commit: commit.to_owned(),
        files,
        address: None,
        date: None,
    })
}

/// The day in UTC, such as `2026-11-23`.
pub(super) fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    day(seconds)
}

/// Civil date from seconds since 1970, by H. Hinnant's algorithm ("chrono-compatible low-level date algorithms").
fn day(seconds: u64) -> String {
    let shifted = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{:02}", day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn known_days() {
        // Expected values from GNU date (`date -u -d @N`).
        for (seconds, expected) in
            [(0, "1970-01-01"), (951_782_399, "2000-02-28"), (951_782_400, "2000-02-29"), (4_107_542_400, "2100-03-01")]
        {
            assert_eq!(day(seconds), expected);
        }
    }
}
