//! Wheels into the cache: from the cache itself, a mirror, or pip; hash first, name last.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    FetchError, Progress, Wheel, cache_dir,
    digest::sha256_file_with,
    http::{Order, Patience},
    mirror::{self, Mirror},
    pip,
    place::{self, Lock, beside},
};

/// Gets wheels and data files into one cache folder. One process at a time works on a wheel; others wait for it.
#[derive(Debug, Clone)]
pub struct Fetcher {
    cache: PathBuf,
    data: Option<PathBuf>,
    mirror: Option<Mirror>,
    offline: bool,
    anew: bool,
    patience: Patience,
    /// Wheels and servers that did not answer before, and why: they are not asked for every file again.
    silent: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Fetcher {
    /// As `CLMBENCH_CACHE`, `CLMBENCH_DATA`, `CLMBENCH_MIRROR`, `CLMBENCH_OFFLINE` and `CLMBENCH_PATIENCE` say.
    ///
    /// # Errors
    /// [`FetchError::NoCacheFolder`]; [`FetchError::NoDataFolder`] and [`FetchError::BadPatience`] for values that cannot be meant.
    pub fn from_environment() -> Result<Self, FetchError> {
        let mut fetcher = Self::new(cache_dir()?);
        if let Some(folder) = env::var_os("CLMBENCH_DATA").filter(|text| !text.is_empty()).map(PathBuf::from) {
            if !folder.is_dir() {
                return Err(FetchError::NoDataFolder { folder });
            }
            fetcher = fetcher.with_data(&folder);
        }
        if let Some(mirror) = env::var("CLMBENCH_MIRROR").ok().filter(|text| !text.is_empty()) {
            fetcher = fetcher.with_mirror(&mirror);
        }
        if let Some(text) = env::var("CLMBENCH_PATIENCE").ok().filter(|text| !text.is_empty()) {
            let seconds = text.parse().ok().filter(|seconds: &f64| (0.1..=3600.0).contains(seconds));
            let seconds = seconds.ok_or_else(|| FetchError::BadPatience { value: crate::error::shown(&text) })?;
            fetcher = fetcher.with_patience(Duration::from_secs_f64(seconds));
        }
        Ok(fetcher.offline(env::var_os("CLMBENCH_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0")))
    }

    /// With this cache folder, by pip.
    pub fn new(cache: PathBuf) -> Self {
        let (patience, silent) = (Patience::default(), Arc::default());
        Self { cache, data: None, mirror: None, offline: false, anew: false, patience, silent }
    }

    /// With another cache folder.
    #[must_use]
    pub fn with_cache(mut self, cache: &Path) -> Self {
        self.cache = cache.to_owned();
        self
    }

    /// Looks into this folder of the user's first.
    #[must_use]
    pub fn with_data(mut self, folder: &Path) -> Self {
        self.data = Some(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()));
        self
    }

    /// Waits so long for a silent server before it gives the connection up.
    #[must_use]
    pub fn with_patience(mut self, silence: Duration) -> Self {
        let whole = Patience::default();
        self.patience = Patience { connect: whole.connect.min(silence), silence, pause: whole.pause.min(silence / 20) };
        self
    }

    /// Takes wheels from this folder or URL base instead of pip: `<mirror>/<file name>`.
    #[must_use]
    pub fn with_mirror(mut self, mirror: &str) -> Self {
        self.mirror = Some(Mirror::new(mirror));
        self
    }

    /// Whether to take nothing from pip or a URL. A mirror that is a folder is still used.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline |= offline;
        self
    }

    /// Gets data files anew, whatever the cache holds of them. What it holds is kept until a new file is admitted in its place.
    #[must_use]
    pub fn anew(mut self) -> Self {
        self.anew = true;
        self
    }

    /// Whether data files are got anew.
    pub(crate) fn is_anew(&self) -> bool {
        self.anew
    }

    /// The cache folder.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The user's own folder of data.
    pub fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    pub(crate) fn mirror(&self) -> Option<&Mirror> {
        self.mirror.as_ref()
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.offline
    }

    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// Why this wheel or server did not answer before.
    pub(crate) fn was_silent(&self, who: &str) -> Option<String> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).get(who).cloned()
    }

    pub(crate) fn remember_silent(&self, who: &str, why: &str) {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).insert(who.to_owned(), why.to_owned());
    }

    /// Where a wheel is kept.
    pub fn wheel_path(&self, wheel: &Wheel) -> PathBuf {
        self.cache.join("wheels").join(&*wheel.file_name)
    }

    /// The wheel in the cache, its SHA-256 checked just now. One with a wrong hash is removed and fetched again.
    ///
    /// # Errors
    /// Everything in [`FetchError`] that a download or a hash can meet.
    pub fn wheel(&self, wheel: &Wheel, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, FetchError> {
        let path = self.wheel_path(wheel);
        let folder = self.cache.join("wheels");
        place::folder(&folder)?;
        let _lock = Lock::take(&path, progress)?;
        let damaged = path.exists();
        if damaged {
            if sha256_file_with(&path, progress)? == wheel.sha256 {
                return Ok(path);
            }
            place::remove(&path)?;
        }
        match &self.mirror {
            Some(Mirror::Folder(folder)) => {
                let partial = beside(&path, "partial");
                mirror::copy(&folder.join(&*wheel.file_name), &partial)?;
                admit(&partial, &path, wheel, progress)?;
            }
            _ if self.offline && damaged => {
                return Err(FetchError::OfflineDamaged { wheel: wheel.file_name.clone().into_owned(), folder });
            }
            _ if self.offline => {
                return Err(FetchError::Offline { wheel: wheel.file_name.clone().into_owned(), folder });
            }
            Some(Mirror::Url(base)) => {
                let url = format!("{base}/{}", wheel.file_name);
                let partial = beside(&path, "partial");
                let (bytes, patience) = (wheel.bytes, self.patience);
                let order = Order {
                    url: &url,
                    partial: &partial,
                    bytes,
                    most: None,
                    judged: true,
                    any_beginning: false,
                    token: None,
                    stop: None,
                    patience,
                };
                let doubtful = mirror::download(order, progress)?;
                match admit(&partial, &path, wheel, progress) {
                    // A part may have come from another file, or be missing; from the beginning, once.
                    Err(FetchError::WrongHash { .. }) if doubtful => {
                        mirror::download(order, progress)?;
                        admit(&partial, &path, wheel, progress)?;
                    }
                    other => other?,
                }
            }
            None => {
                let work = beside(&path, "pip");
                place::remove(&work)?;
                let downloaded = pip::download(wheel, &work, progress);
                let admitted = downloaded.and_then(|file| admit(&file, &path, wheel, progress));
                place::remove(&work)?;
                admitted?;
            }
        }
        Ok(path)
    }
}

/// Gives a downloaded file its name if it has the pinned hash, and removes it otherwise.
fn admit(downloaded: &Path, path: &Path, wheel: &Wheel, progress: &mut dyn FnMut(Progress)) -> Result<(), FetchError> {
    let found = sha256_file_with(downloaded, progress)?;
    if found != wheel.sha256 {
        place::remove(downloaded)?;
        return Err(FetchError::WrongHash {
            what: wheel.file_name.clone().into_owned(),
            expected: wheel.sha256.clone().into_owned(),
            found,
        });
    }
    place::publish(downloaded, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;
    use crate::digest::sha256_file;

    struct Setting {
        _dir: tempfile::TempDir,
        mirror: PathBuf,
        fetcher: Fetcher,
        wheel: Wheel,
    }

    /// A mirror folder with one wheel in it.
    fn setting() -> Setting {
        let dir = tempfile::tempdir().unwrap();
        let mirror = dir.path().join("mirror");
        fs::create_dir(&mirror).unwrap();
        let file = mirror.join("p-1-py3-none-any.whl");
        fs::write(&file, b"the bytes of a wheel").unwrap();
        let mut wheel = Wheel::pinned("p", "1", "p-1-py3-none-any.whl", "", 20);
        wheel.sha256 = sha256_file(&file).unwrap().into();
        let fetcher = Fetcher::new(dir.path().join("cache")).with_mirror(mirror.to_str().unwrap());
        Setting { _dir: dir, mirror, fetcher, wheel }
    }

    #[test]
    fn a_wheel_is_fetched_once_and_a_corrupt_one_again() {
        let s = setting();
        let path = s.fetcher.wheel(&s.wheel, &mut |_| ()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"the bytes of a wheel");
        // Once it is there, the mirror is not asked.
        fs::rename(&s.mirror, s.mirror.with_extension("gone")).unwrap();
        s.fetcher.wheel(&s.wheel, &mut |_| ()).unwrap();
        fs::rename(s.mirror.with_extension("gone"), &s.mirror).unwrap();
        fs::write(&path, b"the bytes of a whee1").unwrap();
        s.fetcher.wheel(&s.wheel, &mut |_| ()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"the bytes of a wheel");
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "the wheel and its lock: {left:?}");
    }

    #[test]
    fn a_wrong_wheel_never_gets_its_name() {
        let s = setting();
        fs::write(s.mirror.join(&*s.wheel.file_name), b"something else").unwrap();
        let error = s.fetcher.wheel(&s.wheel, &mut |_| ()).unwrap_err();
        assert!(matches!(error, FetchError::WrongHash { .. }), "{error}");
        assert!(!s.fetcher.wheel_path(&s.wheel).exists());
    }

    #[test]
    fn offline_says_where_the_wheel_should_be() {
        let s = setting();
        let fetcher = Fetcher::new(s.fetcher.cache().to_owned()).offline(true);
        let error = fetcher.wheel(&s.wheel, &mut |_| ()).unwrap_err();
        assert!(matches!(error, FetchError::Offline { .. }), "{error}");
        assert!(error.to_string().contains("p-1-py3-none-any.whl"));
    }

    #[test]
    fn many_processes_at_once_end_with_one_good_wheel() {
        let s = setting();
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| s.fetcher.wheel(&s.wheel, &mut |_| ()))).collect();
            for one in all {
                one.join().unwrap().unwrap();
            }
        });
        assert_eq!(sha256_file(&s.fetcher.wheel_path(&s.wheel)).unwrap(), s.wheel.sha256);
    }
}
