//! `gc`: removes what no suite of the store refers to any more.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use clmbench_store::{Garbage, GarbageKind, Store, StoreError};
use serde::Serialize;

use crate::{
    arguments::{GcArguments, Global},
    console::{Console, one_line},
    error::CliError,
    units::{counted, show_bytes},
};

/// Things of one kind that are listed one by one.
const MOST_LISTED: usize = 10;
/// A description of a plugin that was written longer ago is asked for again when it is needed.
const DESCRIPTION_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// A file that is still being written is younger.
const TEMPORARY_AGE: Duration = Duration::from_secs(3600);

/// The row of `gc --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Row {
    /// What it is: a word of [`GarbageKind`], or `description`.
    kind: &'static str,
    /// Name of the suite, identity of the cell, or file name.
    name: String,
    /// File or folder; null for rows of the database.
    path: Option<String>,
    /// Bytes of the file or folder.
    bytes: u64,
    /// Why it is not needed.
    why: String,
    /// Whether it is gone; false with `--dry-run`.
    removed: bool,
}

/// Removes garbage, or lists it.
///
/// # Errors
/// [`CliError::Store`]: no store, another process writes to it, or no such suite; [`CliError::Output`].
pub fn run(arguments: &GcArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let forget = &arguments.forget_suite;
    let removed = !arguments.dry_run;
    let garbage = if removed {
        // A store is not made only to be cleaned.
        match Store::open_reader(&global.store) {
            Ok(_) | Err(StoreError::Older { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Store::open_writer(&global.store)?.collect(forget)?
    } else {
        Store::open_reader(&global.store)?.garbage(forget)?
    };
    let mut rows: Vec<Row> = garbage.into_iter().map(|item| row(item, removed)).collect();
    if let Ok(cache) = clmbench_fetch::cache_dir() {
        rows.extend(descriptions(&cache.join("describe"), removed));
    }
    say_gates(global, forget, console)?;
    if arguments.json.json { console.json("gc", &rows) } else { console.print(&page(&rows, removed, forget)) }
}

/// Names the suites that are called as the gate calls its own: of these nobody has a file, so nobody knows that they are there. A
/// user's may be called so too.
fn say_gates(global: &Global, forget: &[String], console: Console) -> Result<(), CliError> {
    let mut names: Vec<String> = Store::open_reader(&global.store)?.suites()?.into_iter().map(|suite| suite.name).collect();
    names.retain(|name| name.starts_with("gate-") && !forget.contains(name));
    names.sort();
    for gates in names.chunk_by(|left, right| left == right) {
        let name = one_line(&gates[0], 80);
        console.note(&format!(
            "kept    {} named `{name}`, as `clmbench gate` names those of candidates; `clmbench gc --forget-suite {name}` removes what no \
             other suite needs",
            counted(gates.len(), "suite"),
        ));
    }
    Ok(())
}

fn row(item: Garbage, removed: bool) -> Row {
    let Garbage { kind, name, path, bytes, why } = item;
    Row { kind: kind.word(), name, path: path.map(|path| path.display().to_string()), bytes, why, removed }
}

/// Descriptions of plugins that are old or half-written. Removing one costs a question to a worker at most, so what cannot be
/// removed is passed over.
fn descriptions(folder: &Path, remove: bool) -> Vec<Row> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut rows = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Ok(metadata) = entry.metadata() else { continue };
        let age = metadata.modified().ok().and_then(|written| SystemTime::now().duration_since(written).ok()).unwrap_or_default();
        let why = match name.ends_with(".tmp") {
            true if age > TEMPORARY_AGE => "half-written by a process that is gone",
            false if age > DESCRIPTION_AGE => "a plugin's description, older than 30 days",
            _ => continue,
        };
        if !metadata.is_file() || (remove && std::fs::remove_file(&path).is_err()) {
            continue;
        }
        let path = Some(path.display().to_string());
        rows.push(Row { kind: "description", name, path, bytes: metadata.len(), why: why.into(), removed: remove });
    }
    rows.sort_by(|left, right| left.name.cmp(&right.name));
    rows
}

fn page(rows: &[Row], removed: bool, forget: &[String]) -> String {
    if rows.is_empty() {
        return "nothing to remove: every file of the store belongs to a suite".to_owned();
    }
    let kinds = [
        GarbageKind::Suite,
        GarbageKind::Cell,
        GarbageKind::Artifacts,
        GarbageKind::Leftover,
        GarbageKind::Work,
        GarbageKind::Log,
        GarbageKind::PreviousFits,
    ];
    let mut text = String::new();
    for kind in kinds.map(GarbageKind::word).into_iter().chain(["description"]) {
        let of: Vec<&Row> = rows.iter().filter(|row| row.kind == kind).collect();
        if of.is_empty() {
            continue;
        }
        let bytes: u64 = of.iter().map(|row| row.bytes).sum();
        let size = if kind == "suite" || kind == "cell" { String::new() } else { format!(", {}", show_bytes(bytes)) };
        text.push_str(&format!("{kind}: {}{size}\n", of.len()));
        for row in of.iter().take(MOST_LISTED) {
            let size = row.path.as_ref().map(|_| format!("{:>10}  ", show_bytes(row.bytes))).unwrap_or_default();
            text.push_str(&format!("  {size}{}  {}\n", short(&row.name), one_line(&row.why, 120)));
        }
        if of.len() > MOST_LISTED {
            text.push_str(&format!("  and {} more; --json lists all\n", of.len() - MOST_LISTED));
        }
    }
    let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
    let (things, size) = (counted(rows.len(), "thing"), show_bytes(bytes));
    if removed {
        return text + &format!("removed {things}, {size}");
    }
    let same: String = forget.iter().map(|name| format!(" --forget-suite {}", one_line(name, 80))).collect();
    text + &format!("would remove {things}, {size}; `clmbench gc{same}` does")
}

/// An identity by its first characters, as `show` takes it; other names whole.
fn short(name: &str) -> String {
    let digits = name.bytes().take_while(u8::is_ascii_hexdigit).count();
    let name = if digits == 64 { format!("{}{}", &name[..16], &name[64..]) } else { name.to_owned() };
    one_line(&name, 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_page_counts_by_kind_and_says_what_would_do_it() {
        let row = |kind, name: &str, bytes| Row {
            kind,
            name: name.into(),
            path: (kind != "cell").then(|| "p".into()),
            bytes,
            why: "of no\u{1b} suite".into(),
            removed: false,
        };
        let identity = "ab".repeat(32);
        let rows = [row("cell", &identity, 0), row("artifacts", &identity, 2048), row("log", &format!("{identity}.log"), 12)];
        let expected = "\
cell: 1
  abababababababab  of no\u{fffd} suite
artifacts: 1, 2.0 KiB
     2.0 KiB  abababababababab  of no\u{fffd} suite
log: 1, 12 B
        12 B  abababababababab.log  of no\u{fffd} suite
would remove 3 things, 2.0 KiB; `clmbench gc --forget-suite old` does";
        assert_eq!(page(&rows, false, &["old".into()]), expected);
        assert!(page(&rows, true, &[]).ends_with("removed 3 things, 2.0 KiB"));
        assert!(page(&[], true, &[]).starts_with("nothing to remove"));
    }

    #[test]
    fn only_old_descriptions_go() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, age: Duration| {
            let path = folder.path().join(name);
            std::fs::write(&path, "{}").unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        };
        make("new.json", Duration::ZERO);
        make("old.json", DESCRIPTION_AGE * 2);
        make("new.1.tmp", Duration::ZERO);
        make("old.1.tmp", TEMPORARY_AGE * 2);
        let names = |rows: &[Row]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&descriptions(folder.path(), false)), ["old.1.tmp", "old.json"]);
        assert_eq!(names(&descriptions(folder.path(), true)), ["old.1.tmp", "old.json"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(descriptions(&folder.path().join("absent"), true).is_empty());
    }
}
