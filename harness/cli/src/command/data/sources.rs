//! Files of datasets and corpora: found or fetched, and where they came from.

use clmbench_fetch::{AcceptedLicences, Fetcher, Found, Place, Wanted};
use clmbench_protocol::{Failure, FailureKind};

use crate::{console::Console, error::CliError, interrupt, progress::FetchProgress};

/// Whether every file is in the user's folder or in the cache.
pub fn there(fetcher: &Fetcher, files: &[Wanted]) -> bool {
    files.iter().all(|file| fetcher.find(file).is_some())
}

/// Fetches what is missing, and says what is to be said of a file's bytes.
///
/// # Errors
/// [`CliError::Fetch`], also where terms must be accepted first; [`CliError::Interrupted`].
pub fn get(fetcher: &Fetcher, files: &[Wanted], accepted: &AcceptedLicences, console: Console) -> Result<Vec<Found>, CliError> {
    let mut progress = FetchProgress::new(console);
    let mut get = || {
        let mut all = Vec::new();
        for file in files {
            if interrupt::requested() {
                return Err(CliError::Interrupted);
            }
            all.push(fetcher.get(file, accepted, &mut |step| progress.step(&step))?);
        }
        Ok(all)
    };
    let got = get();
    progress.close();
    if let Ok(all) = &got {
        files.iter().zip(all).for_each(|(file, found)| say_place(file, found, console));
    }
    got
}

/// Notes that a file was read from the user's own folder, that nothing is known of its bytes, or that files there were passed over.
pub fn say_place(wanted: &Wanted, found: &Found, console: Console) {
    let what = format!("{} of {}", wanted.file.name, wanted.owner);
    for other in &found.passed_over {
        console.note(&format!("note: {} is not {what}, and is passed over: {}", other.place, other.reason));
    }
    let remark = found.remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
    if matches!(found.place, Place::Folder { .. }) || found.remark.is_some() {
        console.note(&format!("note: {what} is read from {}{remark}", found.place));
    }
}

/// Which file was refused, and how to have it anew.
pub fn doubt(wanted: &Wanted, found: &Found) -> String {
    let (owner, name) = (&wanted.owner, &wanted.file.name);
    let next = match &found.place {
        Place::Folder { .. } => {
            format!(
                "take it away, or put the right file into the folder `{}` of CLMBENCH_DATA, which is looked into first",
                wanted.source
            )
        }
        _ => format!("`clmbench data fetch {owner} --again` fetches it anew"),
    };
    let path = if matches!(found.place, Place::Folder { .. }) { String::new() } else { format!(" ({})", found.path.display()) };
    format!("note: {name} of {owner} was read from {}{path}; {next}", found.place)
}

/// Whether a failure may be the fault of the files that were read.
pub fn blames_a_file(failure: &Failure) -> bool {
    use FailureKind::{BadInput, CorruptFile, PluginError, WrongShape};
    matches!(failure.kind, CorruptFile)
        || (matches!(failure.kind, BadInput | PluginError | WrongShape) && !failure.message.contains(" split"))
}

/// The places of a file: what the user can expect it from.
pub fn places(wanted: &Wanted) -> Vec<String> {
    let wheel = wanted.file.wheel.iter().map(|entry| format!("{} {}", entry.package, entry.version));
    wheel.chain(wanted.file.urls.iter().map(|url| url.url.clone())).collect()
}

/// The kind of a place in one word.
pub fn word(place: &Place) -> &'static str {
    match place {
        Place::Folder { .. } => "folder",
        Place::Wheel { .. } => "wheel",
        Place::Url { .. } => "url",
        Place::Mirror { .. } => "mirror",
    }
}

/// The kinds of the places of several files, each once.
pub fn words(all: &[Found]) -> String {
    let mut words: Vec<&str> = all.iter().map(|found| word(&found.place)).collect();
    words.dedup();
    words.join(", ")
}
