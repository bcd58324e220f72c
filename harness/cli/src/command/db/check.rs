//! `db check`: whether a store is whole.

use clmbench_runner::run::{FileState, file_state};
use clmbench_store::{Checked, Store};
use serde::Serialize;

use crate::{
    arguments::{CheckDatabaseArguments, Global},
    console::{Console, one_line},
    error::CliError,
    units::counted,
};

/// Wrong things of one check that are listed one by one.
const MOST_LISTED: usize = 10;

/// The row of `db check --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Row {
    /// What was checked.
    check: &'static str,
    /// `ok`, `wrong`, or `stale` of fits that are to be made anew.
    state: &'static str,
    /// How many things were looked at.
    looked_at: u64,
    /// What was looked at, in words.
    what: String,
    /// What is wrong.
    wrong: Vec<Wrong>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Wrong {
    /// Table, cell, file or suite.
    name: String,
    /// What is wrong with it.
    why: String,
}

/// Checks the store.
///
/// # Errors
/// [`CliError::Store`] if it cannot be read at all; [`CliError::StoreWrong`]; [`CliError::Output`].
pub fn run(arguments: &CheckDatabaseArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let mut rows: Vec<Row> = store.check(super::verify)?.into_iter().map(row).collect();
    rows.push(files(&store, arguments.files)?);
    rows.push(fits(&store)?);
    if arguments.json.json {
        console.json("db-check", &rows)?;
    } else {
        console.print(&page(&rows, arguments.files))?;
    }
    let wrong: usize = rows.iter().filter(|row| row.state == "wrong").map(|row| row.wrong.len()).sum();
    if wrong > 0 { Err(CliError::StoreWrong { wrong, path: store.root().to_path_buf() }) } else { Ok(()) }
}

fn row(checked: Checked) -> Row {
    let Checked { check, looked_at, rewritten, wrong } = checked;
    let what = match check {
        "pages" => "pages of the database, and rows against the types of their columns",
        "references" => "references between tables",
        "schema" => "tables, indexes and views against those of this version",
        "definitions" => "definitions of cells against their identities",
        "results" => "results against their digests",
        _ => "frozen contents of gate baselines against their digests",
    };
    let beside = if rewritten > 0 { format!(" ({rewritten} of schema 1 cannot be)") } else { String::new() };
    let wrong: Vec<Wrong> = wrong.into_iter().map(|(name, why)| Wrong { name, why }).collect();
    Row { check, state: if wrong.is_empty() { "ok" } else { "wrong" }, looked_at, what: format!("{what}{beside}"), wrong }
}

/// Files of finished cells.
fn files(store: &Store, thorough: bool) -> Result<Row, CliError> {
    let (mut looked_at, mut wrong) = (0, Vec::new());
    for (identity, _, files) in store.finished_files()? {
        let place = store.artifact_dir(&identity);
        for file in &files {
            looked_at += 1;
            let why = match file_state(&place, file, thorough) {
                FileState::Present | FileState::Intact => continue,
                FileState::Missing(why) => format!("missing ({why})"),
                FileState::WrongSize(bytes) => format!("{bytes} bytes instead of {}", file.bytes),
                FileState::Changed => "its bytes are not those that were written".to_owned(),
                FileState::Outside => "its path leads out of the cell's folder".to_owned(),
            };
            wrong.push(Wrong { name: format!("{identity}/{}", file.path), why });
        }
    }
    let what =
        if thorough { "files of finished cells against their digests" } else { "files of finished cells by size and time" };
    Ok(Row { check: "files", state: if wrong.is_empty() { "ok" } else { "wrong" }, looked_at, what: what.to_owned(), wrong })
}

/// Fits that were not made from the cells that are finished now. They are not wrong: a run makes them anew.
fn fits(store: &Store) -> Result<Row, CliError> {
    let (mut looked_at, mut stale) = (0, Vec::new());
    for suite in store.suites()? {
        let Some(state) = store.fits_state(suite.id)? else { continue };
        looked_at += 1;
        if state.stale {
            let why = "cells were finished since its fits were made; `clmbench run` of its file makes them anew".to_owned();
            stale.push(Wrong { name: suite.name, why });
        }
    }
    let what = "suites with fits, against the cells they were made from".to_owned();
    Ok(Row { check: "fits", state: if stale.is_empty() { "ok" } else { "stale" }, looked_at, what, wrong: stale })
}

fn page(rows: &[Row], thorough: bool) -> String {
    let mut text = String::new();
    for row in rows {
        text.push_str(&format!("{:<5}  {:<14}  {:>7}  {}\n", row.state, row.check, row.looked_at, row.what));
        for wrong in row.wrong.iter().take(MOST_LISTED) {
            text.push_str(&format!("       {}: {}\n", short(&wrong.name), one_line(&wrong.why, 200)));
        }
        if row.wrong.len() > MOST_LISTED {
            text.push_str(&format!("       and {} more; --json lists them\n", row.wrong.len() - MOST_LISTED));
        }
    }
    let wrong: usize = rows.iter().filter(|row| row.state == "wrong").map(|row| row.wrong.len()).sum();
    if wrong > 0 {
        return text + &counted(wrong, "thing") + if wrong == 1 { " is wrong" } else { " are wrong" };
    }
    text.push_str("the store is whole");
    if !thorough {
        text.push_str(" (--files hashes every file too)");
    }
    text
}

/// An identity by its first characters, as `show` takes it; other names whole.
fn short(name: &str) -> String {
    let digits = name.bytes().take_while(u8::is_ascii_hexdigit).count();
    let name = if digits == 64 { format!("{}{}", &name[..16], &name[64..]) } else { name.to_owned() };
    one_line(&name, 100)
}
