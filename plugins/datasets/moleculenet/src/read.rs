//! Reading the files, in whichever form a place has them. The columns tell the form:
//!
//! | form | columns | from |
//! |---|---|---|
//! | normal | `smiles`, then the tasks | the user's folder |
//! | a package's | `smiles` or `SMILES`, and a column of another name for each task ([`Set::alias`]) | a wheel |
//! | official | `smiles` or `mol`, and the tasks, among others and in any order | DeepChem's address |

use std::borrow::Cow;

use clmbench_sdk::prelude::*;

use crate::{
    kept,
    set::{LeftOut, Set},
};

/// Names that the column of the SMILES has in one form or another.
const SMILES: [&str; 3] = ["smiles", "mol", "SMILES"];

/// Parses a file of a set. No row of the set is left out; a label text that is no label is left for the host, which names its row and
/// task.
///
/// # Errors
/// [`PluginError::Input`] naming the file and the column that is missing, or the line that does not fit.
pub fn read(set: &Set, name: &str, bytes: &[u8]) -> Result<ParsedTable, PluginError> {
    let bytes = if set.repeated_columns { names_told_apart(bytes) } else { Cow::Borrowed(bytes) };
    let table = read_table(name, &bytes, b',')?;
    let smiles = SMILES.iter().find(|column| table.has(column)).unwrap_or(&SMILES[0]);
    let mut columns = Vec::new();
    let mut worded = Vec::new();
    for task in (set.tasks)() {
        let other = if table.has(task.name) { None } else { set.alias(task.name).filter(|alias| table.has(alias)) };
        worded.push(other.is_some());
        columns.push(other.unwrap_or(task.name));
    }
    let mut parsed = table.parsed(smiles, &columns)?;
    leave_out(set.left_out, &mut parsed);
    if set.doubled_backslashes {
        parsed.smiles.iter_mut().for_each(|text| *text = text.replace(r"\\", r"\"));
    }
    for row in &mut parsed.labels {
        for (label, _) in row.iter_mut().zip(&worded).filter(|(_, worded)| **worded) {
            if let Some((_, meant)) = set.words.iter().find(|(word, _)| word == label) {
                *label = (*meant).to_owned();
            }
        }
    }
    Ok(parsed)
}

/// Takes the rows out that only the official file has.
fn leave_out(rule: LeftOut, table: &mut ParsedTable) {
    let of_set: Vec<bool> = match rule {
        LeftOut::Nothing => return,
        LeftOut::Rows { of, rows } if table.smiles.len() == of => (0..of).map(|row| !rows.contains(&row)).collect(),
        LeftOut::Rows { .. } => return,
        LeftOut::Molecules(texts) => table.smiles.iter().map(|smiles| !texts.contains(&smiles.as_str())).collect(),
        LeftOut::Unknown(digests) => {
            let digests = kept::digests(digests);
            if table.smiles.len() <= digests.len() {
                return;
            }
            kept::rows(table.smiles.iter().map(String::as_str), &digests)
        }
    };
    let mut of_set_too = of_set.iter();
    table.smiles.retain(|_| of_set_too.next().is_none_or(|of_set| *of_set));
    let mut of_set_too = of_set.iter();
    table.labels.retain(|_| of_set_too.next().is_none_or(|of_set| *of_set));
}

/// Gives columns whose name occurs again in the header an ending, `.1` for the second, as pandas does.
fn names_told_apart(bytes: &[u8]) -> Cow<'_, [u8]> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let (header, rows) = bytes.split_at(end);
    let names: Vec<&[u8]> = header.split(|byte| *byte == b',').collect();
    let mut told = Vec::with_capacity(bytes.len() + 2 * names.len());
    for (place, name) in names.iter().enumerate() {
        if place > 0 {
            told.push(b',');
        }
        told.extend_from_slice(name);
        let before = names[..place].iter().filter(|other| *other == name).count();
        if before > 0 {
            told.extend_from_slice(format!(".{before}").as_bytes());
        }
    }
    told.extend_from_slice(rows);
    Cow::Owned(told)
}

#[cfg(test)]
mod tests;
