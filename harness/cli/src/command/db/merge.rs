//! `db merge`: the results of another store.

use clmbench_store::{MergeKind, MergeRow, MergeState, Merged, Store};

use crate::{
    arguments::{Global, MergeArguments},
    command::leaderboard,
    console::{Console, one_line},
    error::CliError,
    units::{counted, show_bytes},
};

/// Things of one state that are listed one by one.
const MOST_LISTED: usize = 10;

/// Takes what the other store has, or says what would be taken.
///
/// # Errors
/// [`CliError::Store`]; [`CliError::Conflicts`] once everything else is done; [`CliError::Analysis`]; [`CliError::Output`].
pub fn run(arguments: &MergeArguments, global: &Global, console: Console) -> Result<(), CliError> {
    // Rows are in the store whatever becomes of the fits, so that they are shown in any case.
    let (merged, fitted) = if arguments.dry_run {
        (planned(arguments, global)?, Ok(0))
    } else {
        let (mut store, merged) = Store::merge(&global.store, &arguments.other, super::verify)?;
        let fitted = fit(&mut store, &merged);
        (merged, fitted)
    };
    if arguments.json.json {
        console.json("db-merge", &merged.rows)?;
    } else {
        console.print(&page(&merged, arguments.dry_run, *fitted.as_ref().unwrap_or(&0)))?;
    }
    fitted?;
    let count = merged.conflicts();
    if count > 0 { Err(CliError::Conflicts { count }) } else { Ok(()) }
}

fn planned(arguments: &MergeArguments, global: &Global) -> Result<Merged, CliError> {
    // The merge itself would make it.
    if !global.store.join("store.sqlite").exists() {
        return Ok(Store::merge_plan_into_none(&arguments.other, super::verify)?);
    }
    Ok(Store::open_reader(&global.store)?.merge_plan(&arguments.other, super::verify)?)
}

/// Makes the fits of suites that gained cells anew, and of those whose fits are not of their cells, as after a merge that was cut
/// short. Gives how many were made; one that cannot be made does not keep the others from it.
fn fit(store: &mut Store, merged: &Merged) -> Result<usize, CliError> {
    let (mut made, mut failed) = (0, None);
    for suite in store.suites()?.into_iter().map(|suite| suite.id) {
        let stale = || Ok::<_, CliError>(store.fits_state(suite)?.is_some_and(|state| state.stale));
        if !merged.suites.contains(&suite) && !stale()? {
            continue;
        }
        match fit_one(store, suite) {
            Ok(()) => made += 1,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(made), Err)
}

fn fit_one(store: &mut Store, suite: i64) -> Result<(), CliError> {
    let before = leaderboard::before(store, suite)?;
    let (fits, statistics) = clmbench_analysis::fit_suite(store, suite)?;
    store.put_fits(suite, &fits, &statistics)?;
    leaderboard::keep_previous(store, suite, before)
}

fn page(merged: &Merged, dry_run: bool, fitted: usize) -> String {
    use MergeState::{Conflict, Damaged, LeftOut, Missing, New, Same};
    let mut text = String::new();
    for kind in MergeKind::ALL {
        let of: Vec<&MergeRow> = merged.rows.iter().filter(|row| row.kind == kind).collect();
        if of.is_empty() {
            continue;
        }
        let counts = [New, Same, Conflict, LeftOut, Missing, Damaged].map(|state| {
            let rows: Vec<&&MergeRow> = of.iter().filter(|row| row.state == state).collect();
            let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
            let size = if bytes > 0 { format!(" ({})", show_bytes(bytes)) } else { String::new() };
            (!rows.is_empty()).then(|| format!("{} {}{size}", rows.len(), state.word().replace('_', " ")))
        });
        text.push_str(&format!(
            "{:<15}  {}\n",
            kind.word().replace('_', " "),
            counts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        ));
        let listed: Vec<&&MergeRow> = of.iter().filter(|row| !matches!(row.state, New | Same)).collect();
        for row in listed.iter().take(MOST_LISTED) {
            text.push_str(&line(row));
        }
        if listed.len() > MOST_LISTED {
            text.push_str(&format!("  and {} more; --json lists all\n", listed.len() - MOST_LISTED));
        }
    }
    if dry_run {
        return text + "nothing was changed (--dry-run)";
    }
    match fitted {
        0 if merged.rows.iter().all(|row| row.state != New) => text + "there was nothing new",
        0 => text + "no fits were made anew",
        fitted => text + &format!("fits of {} made anew", counted(fitted, "suite")),
    }
}

/// One line of something that was not taken as it is; of a conflict two more, with both digests.
fn line(row: &MergeRow) -> String {
    let name = one_line(&row.name, 100);
    let identity = row.identity.as_deref().map(|identity| format!("  {}", identity.get(..16).unwrap_or(identity)));
    let why = row.why.as_deref().map(|why| format!(": {}", one_line(why, 200)));
    let state = row.state.word().replace('_', " ");
    let mut text = format!("  {state}  {name}{}{}\n", identity.unwrap_or_default(), why.unwrap_or_default());
    if let (Some(ours), Some(theirs)) = (&row.ours, &row.theirs) {
        text.push_str(&format!("    ours    {} (kept)\n    theirs  {}\n", one_line(ours, 64), one_line(theirs, 64)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_counts_and_names_what_was_not_taken() {
        let row = |kind, state, name: &str, bytes| MergeRow {
            kind,
            state,
            name: name.into(),
            identity: Some("ab".repeat(32)),
            ours: None,
            theirs: None,
            bytes,
            why: None,
        };
        let conflict = MergeRow {
            ours: Some("11".repeat(32)),
            theirs: Some("22\u{1b}".into()),
            ..row(MergeKind::Cell, MergeState::Conflict, "pretrain/a", 0)
        };
        let missing = MergeRow {
            why: Some("model.safetensors is not there".into()),
            ..row(MergeKind::Files, MergeState::Missing, "pretrain/b", 2048)
        };
        let rows =
            vec![row(MergeKind::Cell, MergeState::New, "x", 0), row(MergeKind::Cell, MergeState::New, "y", 0), conflict, missing];
        let expected = "\
cell             2 new, 1 conflict
  conflict  pretrain/a  abababababababab
    ours    1111111111111111111111111111111111111111111111111111111111111111 (kept)
    theirs  22\u{fffd}
files            1 missing (2.0 KiB)
  missing  pretrain/b  abababababababab: model.safetensors is not there
fits of 1 suite made anew";
        assert_eq!(page(&Merged { rows, suites: vec![1] }, false, 1), expected);
        assert_eq!(page(&Merged::default(), true, 0), "nothing was changed (--dry-run)");
    }
}
