//! Which file is wanted, by whom, and the places where it can be had.

use std::path::{Path, PathBuf};

use clmbench_protocol::{DatasetInfo, FileRef, OptIn, SourceFile};
use serde::Serialize;

use crate::{FetchError, address, error::shown};

/// A file that a dataset or corpus is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The file and its places.
    pub file: SourceFile,
    /// Source of the dataset, such as `moleculenet`: a folder inside the user's folder of data. Empty for a corpus.
    pub source: String,
    /// Who reads it, for messages: `moleculenet/freesolv`, or the name of a corpus.
    pub owner: String,
    /// What definitions of cells say of it.
    pub reference: FileRef,
    /// Terms that whoever fetches it must have accepted.
    pub terms: Option<OptIn>,
    /// Whether the content of the dataset is known, so that it judges, not the bytes.
    pub(crate) content: bool,
    /// Names of the tasks.
    pub(crate) tasks: Vec<String>,
}

impl Wanted {
    /// The files of a dataset, in their order.
    pub fn of_dataset(info: &DatasetInfo) -> Vec<Self> {
        let wanted = |file: &SourceFile| Self {
            reference: FileRef::of(file, info.sha256_csv.as_deref()),
            source: info.source.clone(),
            owner: format!("{}/{}", info.source, info.name),
            terms: info.opt_in.clone(),
            content: info.sha256_csv.is_some(),
            tasks: info.tasks.iter().map(|task| task.name.clone()).collect(),
            file: file.clone(),
        };
        info.files.iter().map(wanted).collect()
    }

    /// A file of a corpus; its bytes judge.
    pub fn of_corpus(corpus: &str, file: &SourceFile) -> Self {
        let reference = FileRef::of(file, None);
        let (source, tasks) = (String::new(), Vec::new());
        Self { file: file.clone(), source, owner: corpus.to_owned(), reference, terms: None, content: false, tasks }
    }

    /// Whether the content of the dataset is known: then other bytes than the pinned ones are taken too, and judged by what they hold.
    pub fn content_judges(&self) -> bool {
        self.content
    }

    /// Terms that stand before all its places. Terms of a file that has a wheel and addresses too are those of the wheel, which is left
    /// out until they are accepted.
    pub fn terms_of_all_places(&self) -> Option<&OptIn> {
        self.terms.as_ref().filter(|_| self.file.wheel.is_none() || self.file.urls.is_empty())
    }

    /// The names that the file may have in the user's folder of data, in the order in which they are looked for.
    pub fn local_names(&self) -> Vec<String> {
        let urls = self.file.urls.iter().map(|url| address::file_name(&url.url));
        let mut names: Vec<String> = Vec::new();
        for name in std::iter::once(self.file.name.as_str()).chain(urls).filter(|name| is_plain(name)) {
            let forms = if name.ends_with(".gz") { vec![name.to_owned()] } else { vec![name.to_owned(), format!("{name}.gz")] };
            for form in forms {
                if !names.contains(&form) {
                    names.push(form);
                }
            }
        }
        names
    }

    /// The files of the user's folder that are looked for, in order.
    pub(crate) fn local_files(&self, folder: &Path) -> Vec<PathBuf> {
        let own = is_plain(&self.source).then(|| folder.join(&self.source));
        let names = self.local_names();
        let (first, rest) = names.split_at(names.iter().take_while(|name| name.starts_with(&self.file.name)).count());
        let mut files = Vec::new();
        for names in [first, rest] {
            for folder in own.iter().map(PathBuf::as_path).chain([folder]) {
                files.extend(names.iter().map(|name| folder.join(name)));
            }
        }
        files
    }

    /// Where the file can be put by hand, and what else helps.
    pub(crate) fn advice(&self) -> String {
        let name = shown(&self.file.name);
        let also = match self.file.urls.iter().map(|url| address::file_name(&url.url)).find(|other| *other != self.file.name) {
            Some(other) if is_plain(other) && other != format!("{name}.gz") => format!(" or {}", shown(other)),
            _ => String::new(),
        };
        let folder = if is_plain(&self.source) { format!("DIR/{} or DIR", self.source) } else { "DIR".to_owned() };
        format!(
            "Check the network and run this again, or get the file elsewhere, put it as {name}{also} (also .gz) into {folder}, and set \
             CLMBENCH_DATA=DIR"
        )
    }

    /// That its names can be names of files.
    pub(crate) fn check(&self) -> Result<(), FetchError> {
        let refuse =
            |field, value: &str, why| FetchError::BadPin { what: shown(&self.file.name), field, value: shown(value), why };
        if !is_plain(&self.file.name) {
            return Err(refuse("name", &self.file.name, "is not a plain file name"));
        }
        if self.file.wheel.is_none() && self.file.urls.is_empty() {
            return Err(refuse("wheel", "", "names no place to have it from"));
        }
        for url in &self.file.urls {
            if !address::is_safe(&url.url) {
                return Err(refuse("url", &url.url, "is not an https address"));
            }
            if !is_plain(address::file_name(&url.url)) {
                return Err(refuse("url", &url.url, "does not end in a plain file name"));
            }
        }
        Ok(())
    }
}

/// A name that stays in its folder and is not hidden.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
}

/// Where a file was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// The user's folder of data (`CLMBENCH_DATA`).
    Folder {
        /// The file.
        path: PathBuf,
    },
    /// A pinned wheel.
    Wheel {
        /// Package.
        package: String,
        /// Version.
        version: String,
    },
    /// An address.
    Url {
        /// The address, without user and query.
        url: String,
    },
    /// The mirror (`CLMBENCH_MIRROR`), in place of an address.
    Mirror {
        /// File or address.
        at: String,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder { path } => write!(out, "{}", path.display()),
            Self::Wheel { package, version } => write!(out, "wheel {package} {version}"),
            Self::Url { url } => out.write_str(url),
            Self::Mirror { at } => write!(out, "mirror {at}"),
        }
    }
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file, as it can be read now.
    pub path: PathBuf,
    /// Where it comes from.
    pub place: Place,
    /// What is to be said of its bytes: that they are not those that were pinned, or that nothing is known of them.
    pub remark: Option<String>,
    /// Files of the user's folder that have its name, but not its bytes.
    pub passed_over: Vec<PlaceFailure>,
}

/// A place that did not give a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceFailure {
    /// The place, as shown.
    pub place: String,
    /// Why.
    pub reason: String,
    /// Whether it gave something that must not be used ([`FetchError::is_refusal`]), not merely nothing.
    pub refused: bool,
}

/// The message of [`FetchError::Nowhere`].
pub(crate) fn nowhere(file: &str, owner: &str, places: &[PlaceFailure], next: &str) -> String {
    let mut text = format!("`{}` of {} could be had from no place:", shown(file), shown(owner));
    for PlaceFailure { place, reason, .. } in places {
        text.push_str(&format!("\n  {place}: {reason}"));
    }
    format!("{text}\n{next}")
}

#[cfg(test)]
mod tests {
    use clmbench_protocol::UrlFile;

    use super::*;

    fn wanted(name: &str, url: &str) -> Wanted {
        let url = UrlFile { url: url.into(), md5: None, sha256: None, bytes: 1 };
        let file = SourceFile { name: name.into(), wheel: None, urls: vec![url] };
        let info =
            DatasetInfo { source: "moleculenet".into(), name: "freesolv".into(), files: vec![file], ..DatasetInfo::default() };
        Wanted::of_dataset(&info).remove(0)
    }

    #[test]
    fn the_users_folder_is_searched_by_our_name_first() {
        let files = wanted("freesolv.csv", "https://a.org/SAMPL.csv").local_files(Path::new("d"));
        let names: Vec<_> = files.iter().map(|path| path.to_str().unwrap_or_default()).collect();
        assert_eq!(
            names,
            [
                "d/moleculenet/freesolv.csv",
                "d/moleculenet/freesolv.csv.gz",
                "d/freesolv.csv",
                "d/freesolv.csv.gz",
                "d/moleculenet/SAMPL.csv",
                "d/moleculenet/SAMPL.csv.gz",
                "d/SAMPL.csv",
                "d/SAMPL.csv.gz"
            ]
        );
    }

    #[test]
    fn what_is_declared_cannot_lead_elsewhere() {
        assert!(wanted("a.csv", "https://a.org/b.csv").check().is_ok());
        for (name, url) in [
            ("../a", "https://a.org/b"),
            (".a", "https://a.org/b"),
            ("a", "https://a.org/.."),
            ("a", "https://a.org/"),
            ("a", "http://a.org/b"),
            ("a", "file:///etc/passwd"),
        ] {
            let error = wanted(name, url).check();
            assert!(matches!(error, Err(FetchError::BadPin { .. })), "{name} {url}: {error:?}");
        }
    }
}
