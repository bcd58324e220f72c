//! Names of the files of earlier fits: `clmbench run` keeps the leaderboard that it replaces, one file a suite, beside the database.

use std::path::PathBuf;

use crate::Store;

const PREFIX: &str = "previous-fits-";
/// Letters of the suite's digest in the name.
const LETTERS: usize = 16;

impl Store {
    /// The file of the earlier fits of the suite of this digest, whether it is there or not.
    pub fn previous_fits(&self, suite_digest: &str) -> PathBuf {
        self.root().join(name(suite_digest))
    }
}

pub(crate) fn name(suite_digest: &str) -> String {
    let digest: String = suite_digest.chars().filter(char::is_ascii_alphanumeric).take(LETTERS).collect();
    format!("{PREFIX}{digest}.json")
}

/// Whether a file beside the database holds, by its name, earlier fits.
pub(crate) fn is_one(name: &str) -> bool {
    name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(".json")).is_some_and(|digest| !digest.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{GarbageKind, NewSuite};

    #[test]
    fn a_collection_keeps_those_of_suites_that_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open_writer(folder.path()).unwrap();
        for suite in ["a", "b"] {
            let digest = format!("blake3:{}", suite.repeat(64));
            let text = || "{}".to_owned();
            let new = NewSuite {
                name: suite.into(),
                digest: digest.clone(),
                toml: text(),
                expect: None,
                useful_effect: 0.5,
                plan_json: text(),
            };
            store.put_suite(&new).unwrap();
            std::fs::write(store.previous_fits(&digest), "{}").unwrap();
        }
        let stray = ["previous-fits-0123456789abcdef.json", "previous-fits-.json", "previous-fits-x.json.old", "notes.json"];
        stray.iter().for_each(|name| std::fs::write(store.root().join(name), "{}").unwrap());
        let gone = |found: Vec<crate::Garbage>| -> Vec<String> {
            found.into_iter().filter(|item| item.kind == GarbageKind::PreviousFits).map(|item| item.name).collect()
        };
        assert_eq!(gone(store.garbage(&[]).unwrap()), [stray[0]]);
        assert_eq!(gone(store.collect(&["a".to_owned()]).unwrap()), [stray[0], "previous-fits-blake3aaaaaaaaaa.json"]);
        let there = |name: &str| store.root().join(name).exists();
        assert!(there("previous-fits-blake3bbbbbbbbbb.json") && stray[1..].iter().all(|name| there(name)));
        assert!(!there(stray[0]) && !there("previous-fits-blake3aaaaaaaaaa.json"));
    }
}
