//! Rules on files as such: where they are, how long, what a plugin folder holds, no paths of one machine.

use std::collections::BTreeSet;

use super::{Offence, rules, tree::Tree};

/// Only what DESIGN allows stands at the top.
pub fn top_level(tree: &Tree) -> Vec<Offence> {
    let tops: BTreeSet<&str> = tree.paths.iter().filter_map(|path| path.split('/').next()).collect();
    let strange = tops.into_iter().filter(|top| !top.starts_with('.') && !rules::TOP.contains(top));
    strange
        .map(|top| {
            Offence::new(top, 1, "does not belong at the top level; put it below harness, plugins, benchmarks, tests or results")
        })
        .collect()
}

/// A file is one idea. What a test compares with, in a folder `golden`, is a record and as long as it is.
pub fn length(tree: &Tree) -> Vec<Offence> {
    let code = tree.files.iter().filter(|file| rules::CODE.iter().any(|end| file.path.ends_with(end)));
    let code = code.filter(|file| !file.path.contains("/golden/"));
    code.filter_map(|file| {
        let lines = file.text.lines().count();
        let message = format!("{lines} lines; split it by idea, {} at most", rules::LONGEST);
        (lines > rules::LONGEST).then(|| Offence::new(&file.path, lines, message))
    })
    .collect()
}

/// Every folder `plugins/<kind>/<name>` is a whole plugin.
pub fn plugin_folders(tree: &Tree) -> Vec<Offence> {
    let mut folders = BTreeSet::new();
    let mut offences = Vec::new();
    for path in tree.paths.iter().filter(|path| path.starts_with("plugins/")) {
        match path.split('/').collect::<Vec<_>>()[..] {
            [_, "architectures" | "datasets" | "metrics", name, _, ..] => {
                folders.insert(path[..path.find(name).unwrap_or(0) + name.len()].to_owned());
            }
            [_, "README.md"] => {}
            _ => offences.push(Offence::new(
                path,
                1,
                "is in no plugin folder; plugins are plugins/{architectures,datasets,metrics}/<name>/",
            )),
        }
    }
    for folder in folders {
        for (file, why) in [("Cargo.toml", "the crate"), ("README.md", "what it is, its source and its licence")] {
            let path = format!("{folder}/{file}");
            if !tree.paths.contains(&path) {
                offences.push(Offence::new(&path, 1, format!("is missing: {why}")));
            }
        }
    }
    offences
}

/// Folders that only one machine has. Made-up home folders in the data of Rust tests are fine.
pub fn machine_paths(tree: &Tree) -> Vec<Offence> {
    // Written in two halves so that this file does not offend.
    let folders = [["/ho", "me/"], ["/Us", "ers/"], ["/ro", "ot/"], ["/wo", "rk/"]].map(|halves| halves.concat());
    let mut offences = Vec::new();
    for file in tree.files.iter().filter(|file| file.path != "Cargo.lock") {
        for (index, line) in file.text.lines().enumerate() {
            let made_up = file.rust.get(index).is_some_and(|line| line.test);
            let looked_for = if made_up { &folders[2..] } else { &folders[..] };
            if let Some(folder) = looked_for.iter().find(|folder| begins_path(line, folder)) {
                let message = format!("names `{folder}...`, a folder of one machine; use a relative path or a variable");
                offences.push(Offence::new(&file.path, index + 1, message));
            }
        }
    }
    offences
}

/// Whether a path that begins with `folder` is in the line: `a/folder/` and `{root}/folder/` are other paths, and
/// `folder/<name>` or `folder/{name}` is a pattern.
fn begins_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        before.is_none_or(|c| !c.is_alphanumeric() && !"_-.}>)]~$*/".contains(c))
            && after.is_some_and(|c| c.is_alphanumeric() || "_.".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::made_up;

    fn shown(offences: &[Offence]) -> Vec<String> {
        offences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn strange_things_at_the_top() {
        let tree = made_up(&[("Cargo.toml", ""), (".ci/run", ""), ("harness/a.rs", ""), ("notes.md", ""), ("scripts/x", "")]);
        let files: Vec<String> = top_level(&tree).into_iter().map(|offence| offence.file).collect();
        assert_eq!(files, ["notes.md", "scripts"]);
    }

    #[test]
    fn long_files() {
        let (right, long) = ("x\n".repeat(600), "x\n".repeat(601));
        let tree = made_up(&[("a.rs", &right), ("b.rs", &long), ("c.cpp", &long), ("Cargo.lock", &long), ("d.md", &long)]);
        let files: Vec<(String, usize)> = length(&tree).into_iter().map(|offence| (offence.file, offence.line)).collect();
        assert_eq!(files, [("b.rs".into(), 601), ("c.cpp".into(), 601)]);
    }

    #[test]
    fn plugin_folders_are_whole() {
        let tree = made_up(&[
            ("plugins/README.md", ""),
            ("plugins/metrics/whole/Cargo.toml", ""),
            ("plugins/metrics/whole/README.md", ""),
            ("plugins/metrics/half/src/lib.rs", ""),
            ("plugins/metrics/stray.rs", ""),
            ("plugins/other/x/Cargo.toml", ""),
        ]);
        let mut files: Vec<String> = plugin_folders(&tree).into_iter().map(|offence| offence.file).collect();
        files.sort();
        let expected = [
            "plugins/metrics/half/Cargo.toml",
            "plugins/metrics/half/README.md",
            "plugins/metrics/stray.rs",
            "plugins/other/x/Cargo.toml",
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn paths_of_one_machine() {
        let home = ["/ho", "me/"].concat();
        let work = ["/wo", "rk/"].concat();
        let text = format!(
            "let a = \"{home}anna/x\";\nstore{work}abc\n`{work}<identity>`\n{{root}}{work}abc\nsee {work}main\n${home}x\n../shared/data\n"
        );
        let tree = made_up(&[("a.md", &text), ("tests/src/lib.rs", &format!("\"{home}anna\"\n"))]);
        let lines: Vec<usize> = machine_paths(&tree).iter().map(|offence| offence.line).collect();
        assert_eq!(lines, [1, 5], "{:?}", shown(&machine_paths(&tree)));
    }
}
