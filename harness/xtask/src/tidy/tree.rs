//! The text of the repository: what git knows or would add, read once.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::rust::{self, Line};
use crate::error::XtaskError;

/// A text file of the tree.
#[derive(Debug)]
pub struct TextFile {
    /// Relative to the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// For Rust: its lines, comments and strings told apart. Empty otherwise.
    pub rust: Vec<Line>,
}

/// The repository as text.
#[derive(Debug)]
pub struct Tree {
    /// Text files, sorted by path.
    pub files: Vec<TextFile>,
    /// All paths, also of files that are not text.
    pub paths: BTreeSet<String>,
}

impl Tree {
    /// Reads what git tracks or would add; without git, everything but build output.
    pub fn read(root: &Path) -> Result<Self, XtaskError> {
        let paths = match listed_by_git(root) {
            Some(paths) => paths,
            None => walked(root)?,
        };
        let mut contents = Vec::new();
        for path in paths {
            let full = root.join(&path);
            // Tracked, but removed; or a link.
            if full.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
                let bytes = fs::read(&full).map_err(XtaskError::io("read", &full))?;
                contents.push((path, bytes));
            }
        }
        Ok(Self::of(contents))
    }

    /// From paths and bytes.
    pub fn of(contents: Vec<(String, Vec<u8>)>) -> Self {
        let paths = contents.iter().map(|(path, _)| path.clone()).collect();
        let mut files: Vec<TextFile> = contents
            .into_iter()
            .filter_map(|(path, bytes)| Some((path, String::from_utf8(bytes).ok()?)))
            .map(|(path, text)| {
                let rust = if path.ends_with(".rs") { rust::lines(&text, is_test_path(&path)) } else { Vec::new() };
                TextFile { path, text, rust }
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        mark_test_modules(&mut files);
        Self { files, paths }
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The file at this path.
    pub fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// Integration tests and everything in a folder called `tests`.
fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "benches")
}

/// Files that are the body of `#[cfg(test)] mod name;` are test code, as are the modules below them.
fn mark_test_modules(files: &mut [TextFile]) {
    let mut bodies: Vec<String> = files.iter().flat_map(|file| rust::test_modules(&file.path, &file.rust)).collect();
    while let Some(body) = bodies.pop() {
        let Some(file) = files.iter_mut().find(|file| file.path == body) else { continue };
        file.rust.iter_mut().for_each(|line| line.test = true);
        bodies.extend(rust::modules(&file.path, &file.rust).into_iter().filter(|inner| *inner != body));
    }
}

fn listed_by_git(root: &Path) -> Option<BTreeSet<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let paths: BTreeSet<String> = text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walked(root: &Path) -> Result<BTreeSet<String>, XtaskError> {
    const SKIPPED: [&str; 4] = [".git", "target", "third_party", ".clmbench"];
    let mut paths = BTreeSet::new();
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(XtaskError::io("read", &folder))?.filter_map(Result::ok) {
            let path = entry.path();
            if SKIPPED.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if let Ok(relative) = path.strip_prefix(root) {
                paths.insert(relative.to_string_lossy().into_owned());
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
pub(super) fn made_up(files: &[(&str, &str)]) -> Tree {
    Tree::of(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn modules_that_only_tests_have_are_test_code() {
        let tree = made_up(&[
            (
                "harness/a/src/lib.rs",
                "mod real;\n#[cfg(test)]\nmod fake;\n#[cfg(test)]\n#[path = \"odd_name.rs\"]\nmod checks;\n",
            ),
            ("harness/a/src/real.rs", "fn f() {}\n#[cfg(test)]\nmod inner;\n"),
            ("harness/a/src/real/inner.rs", "fn g() {}\n"),
            ("harness/a/src/fake/mod.rs", "mod deep;\n"),
            ("harness/a/src/fake/deep.rs", "fn h() {}\n"),
            ("harness/a/src/odd_name.rs", "fn i() {}\n"),
            ("tests/src/lib.rs", "fn j() {}\n"),
        ]);
        let test = |path: &str| tree.file(path).unwrap().rust[0].test;
        assert!(!test("harness/a/src/lib.rs") && !test("harness/a/src/real.rs"));
        for path in ["real/inner.rs", "fake/mod.rs", "fake/deep.rs", "odd_name.rs"] {
            assert!(test(&format!("harness/a/src/{path}")), "{path}");
        }
        assert!(test("tests/src/lib.rs"));
    }

    #[test]
    fn a_folder_without_git_is_walked() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["src/a.rs", "target/b.rs", "x.bin"] {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), if path == "x.bin" { &[0xff][..] } else { b"//" }).unwrap();
        }
        let tree = Tree { paths: walked(dir.path()).unwrap(), files: Vec::new() };
        assert_eq!(tree.paths.iter().collect::<Vec<_>>(), ["src/a.rs", "x.bin"]);
    }
}
