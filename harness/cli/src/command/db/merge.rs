//! `db merge`: the results of another store.

use clmbench_store::{MergeKind, MergeRow, MergeState, Merged, Store};

use crate::{
    arguments::{Global, MergeArguments},
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
    let merged = if arguments.dry_run {
        Store::open_reader(&global.store)?.merge_plan(&arguments.other, super::verify)?
    } else {
        let (mut store, merged) = Store::merge(&global.store, &arguments.other, super::verify)?;
        for suite in &merged.suites {
            let (fits, statistics) = clmbench_analysis::fit_suite(&store, *suite)?;
            store.put_fits(*suite, &fits, &statistics)?;
        }
        merged
    };
    if arguments.json.json {
        console.json("db-merge", &merged.rows)?;
    } else {
        console.print(&page(&merged, arguments.dry_run))?;
    }
    let count = merged.conflicts();
    if count > 0 { Err(CliError::Conflicts { count }) } else { Ok(()) }
}

fn page(merged: &Merged, dry_run: bool) -> String {
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
    match merged.suites.len() {
        0 => text + "there was nothing new",
        suites => text + &format!("fits of {} made anew", counted(suites, "suite")),
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
        assert_eq!(page(&Merged { rows, suites: vec![1] }, false), expected);
        assert_eq!(page(&Merged::default(), true), "nothing was changed (--dry-run)");
    }
}
