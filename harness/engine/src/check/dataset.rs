//! Checks of a dataset: its declaration, and its files where they are at hand.

use clmbench_protocol::{Attempt, DatasetInfo, Failure, FailureKind, Outcome, SourceFile, TriedDataset, USER_FILE};

use super::{Checks, broken, defaults, described};
use crate::{attempt, failure::Result, loader::Plugin};

/// All checks of one dataset.
pub fn check(checks: &mut Checks<'_>, plugin: &Plugin, info: &DatasetInfo, with: &Attempt) {
    let name = |what: &str| format!("dataset {}/{}: {what}", info.source, info.name);
    let texts = [("source", info.source.as_str()), ("name", &info.name), ("doc", &info.doc)];
    checks.make(&name("says what it is"), || described(&texts), |()| "source, name, doc".into());
    checks.make(&name("declares tasks and sources"), || declared(info), |words| words.clone());
    checks.make(&name("parameters"), || defaults(&info.parameters), |map| format!("{} declared", map.len()));
    checks.make(&name("a file of other bytes"), || garbage(plugin, info, with), |words| words.clone());
    let parsed = attempt::dataset(plugin, info, with);
    match parsed {
        Ok(Outcome::NotTried(why)) => checks.skip(&name("parses"), &why),
        parsed => {
            let parsed = parsed.and_then(|outcome| match outcome {
                Outcome::Parsed(table) => Ok(table),
                Outcome::Failed(failure) => Err(failure),
                _ => broken("it was not parsed"),
            });
            let Some(first) = checks.make(&name("parses"), || parsed, said) else { return };
            checks.make(
                &name("the same twice"),
                || match attempt::dataset(plugin, info, with)? {
                    Outcome::Parsed(second) if second == first => Ok(()),
                    _ => broken("the same bytes gave other rows the second time"),
                },
                |()| "row for row".into(),
            );
            checks.make(&name("molecules and labels"), || sound(&first), |words| words.clone());
        }
    }
}

fn said(table: &TriedDataset) -> String {
    format!("{} rows, {} tasks", table.rows, table.tasks.len())
}

fn declared(info: &DatasetInfo) -> Result<String> {
    if let Some(what) = &info.user_file {
        if what.trim().is_empty() {
            return broken("`user_file` does not say what the user's file must hold");
        }
        if !info.tasks.is_empty() || !info.files.is_empty() {
            return broken("a source that reads the user's file declares neither tasks nor files: the suite names them");
        }
        return Ok("a file of the user's".into());
    }
    if info.tasks.is_empty() || info.files.is_empty() {
        return broken("declare at least one task and one source file");
    }
    described(&[("licence", &info.licence), ("citation", &info.citation), ("recommended_split", &info.recommended_split)])?;
    let hex = |text: &str| text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
    let unpinned = |file: &&SourceFile| {
        let entry = file.wheel.iter().any(|entry| !hex(&entry.sha256) || !hex(&entry.wheel_sha256) || entry.bytes == 0);
        entry || file.bytes() == 0
    };
    match info.files.iter().find(unpinned) {
        Some(SourceFile { name, .. }) => {
            broken(format!("file `{name}` is not pinned: give both SHA-256 (64 lower-case hex digits) and its size"))
        }
        None => Ok(format!("{} file(s), {} task(s)", info.files.len(), info.tasks.len())),
    }
}

/// Bytes that are no such file: refused or read, never a panic.
fn garbage(plugin: &Plugin, info: &DatasetInfo, with: &Attempt) -> Result<String> {
    let names: Vec<String> =
        if info.user_file.is_some() { vec![USER_FILE.into()] } else { info.files.iter().map(|file| file.name.clone()).collect() };
    let mut said = Vec::new();
    let noise: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (what, bytes) in [("empty", Vec::new()), ("noise", noise), ("a quote that never ends", b"a,b\n\"CC,1\n".to_vec())] {
        let files = names.iter().map(|name| (name.clone(), bytes.clone())).collect();
        match attempt::parse(plugin, info, with, files) {
            Ok(table) => said.push(format!("{what}: {} rows", table.smiles.len())),
            Err(Failure { kind: FailureKind::Panic, message }) => {
                return broken(format!("{what}: {message}; return PluginError::Input"));
            }
            Err(_) => said.push(format!("{what}: refused")),
        }
    }
    Ok(said.join(", "))
}

fn sound(table: &TriedDataset) -> Result<String> {
    if let Some((row, task, text)) = table.bad_labels.first() {
        return broken(format!(
            "{} labels are neither a number (or class, 0 or 1) nor empty for missing; row {row}, task {task}: `{text}`",
            table.bad_label_count
        ));
    }
    if table.invalid_count * 2 > table.rows {
        let (row, text, reason) = table.invalid.first().cloned().unwrap_or_default();
        return broken(format!("{} of {} rows are no molecules; row {row}: `{text}`: {reason}", table.invalid_count, table.rows));
    }
    Ok(format!("{} rows whose SMILES is not valid are left out", table.invalid_count))
}
