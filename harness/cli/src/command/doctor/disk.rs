//! Room on the disks that hold the store and the cache.

use std::{ffi::CString, os::unix::ffi::OsStrExt as _, path::Path};

use super::{Finding, State};
use crate::units::show_bytes;

/// Below this a run is likely to meet a full disk.
const LITTLE: u64 = 1 << 30;
/// Below this nothing can be computed.
const NOTHING: u64 = 64 << 20;

/// One line for each disk: of the store, and of the cache if it is on another one.
pub fn space(store: &Path) -> Vec<Finding> {
    let cache = clmbench_fetch::cache_dir().ok();
    let places = [Some(("store", store.to_owned())), cache.map(|cache| ("cache", cache))];
    let mut seen = Vec::new();
    let mut findings = Vec::new();
    for (what, folder) in places.into_iter().flatten() {
        // A file system that does not answer says so when it is written to.
        let Some((free, disk)) = free(&folder) else { continue };
        if !seen.contains(&disk) {
            seen.push(disk);
            findings.push(judge(what, &folder, free));
        }
    }
    findings
}

fn judge(what: &str, folder: &Path, free: u64) -> Finding {
    let detail = format!("{} free for the {what} at {}", show_bytes(free), folder.display());
    if free >= LITTLE {
        return Finding::new("disk", State::Ok, detail);
    }
    let next = match what {
        "store" => "free some space (`clmbench gc --dry-run` says what the store can spare), or choose another disk with --store",
        _ => "free some space, or choose another disk with CLMBENCH_CACHE",
    };
    let finding = Finding::new("disk", State::Wrong, detail).then(next);
    if free < NOTHING { finding } else { finding.needed(false, "suites of more than a few small models") }
}

/// Bytes that we may write where the folder is or would be made, and the number of that file system.
fn free(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let absolute = std::path::absolute(folder).ok()?;
    let there = absolute.ancestors().find(|folder| folder.is_dir())?;
    let device = std::fs::metadata(there).ok()?.dev();
    let name = CString::new(there.as_os_str().as_bytes()).ok()?;
    let mut answer = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `name` is a C string that lives through the call, and `answer` is writable memory of the right size.
    let status = unsafe { libc::statvfs(name.as_ptr(), answer.as_mut_ptr()) };
    if status != 0 {
        return None;
    }
    // SAFETY: statvfs returned 0, so it has filled in the whole structure.
    let answer = unsafe { answer.assume_init() };
    Some((answer.f_bavail.saturating_mul(answer.f_frsize), device))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn little_room_warns_and_none_blocks() {
        let folder = Path::new("/x");
        assert_eq!(judge("store", folder, LITTLE).state, State::Ok);
        assert!(!judge("store", folder, LITTLE - 1).blocks());
        assert!(judge("store", folder, NOTHING - 1).blocks());
        let next = |what| judge(what, folder, 0).next.unwrap_or_default();
        assert!(next("store").ends_with("--store") && next("cache").ends_with("CLMBENCH_CACHE"));
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let (free_there, disk) = free(folder.path()).unwrap();
        let (free_below, same) = free(&folder.path().join("a/b")).unwrap();
        assert!(free_there > 0 && free_below > 0);
        assert_eq!(disk, same);
    }
}
