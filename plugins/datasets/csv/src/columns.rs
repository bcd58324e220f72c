//! Which columns hold what.

use clmbench_sdk::{
    prelude::*,
    protocol::user_table::{SMILES_COLUMNS, smiles_columns},
};

/// Columns that an error lists.
const LISTED: usize = 12;
/// Least similarity of a name that is taken for a slip.
const SIMILAR: f64 = 0.7;

/// Places of the columns in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The SMILES.
    pub smiles: usize,
    /// The labels of each task.
    pub labels: Vec<usize>,
    /// The parts, if the table gives a split.
    pub part: Option<usize>,
}

/// Finds the columns that parameters and tasks name; an empty `smiles` is guessed, an empty `part` is none.
///
/// # Errors
/// A sentence that names the table, the column, the nearest one and the columns there are.
pub fn choose(name: &str, header: &[String], smiles: &str, part: &str, tasks: &[TaskInfo]) -> Result<Columns, String> {
    let (smiles, part) = (smiles.trim(), part.trim());
    let smiles = if smiles.is_empty() { guess(name, header)? } else { find(name, header, smiles)? };
    let labels: Vec<usize> = tasks.iter().map(|task| find(name, header, &task.name)).collect::<Result<_, _>>()?;
    let part = if part.is_empty() { None } else { Some(find(name, header, part)?) };
    let twice = |column: usize, what: &str, other: &str| {
        format!(
            "{name}: the column `{}` cannot hold both {what} and {other}; name another column for one of them",
            header[column]
        )
    };
    if let Some(column) = labels.iter().find(|column| **column == smiles) {
        return Err(twice(*column, "the SMILES", "labels"));
    }
    if let Some(column) = part {
        if column == smiles {
            return Err(twice(column, "the SMILES", "the parts of the split"));
        }
        if labels.contains(&column) {
            return Err(twice(column, "labels", "the parts of the split"));
        }
    }
    Ok(Columns { smiles, labels, part })
}

fn guess(name: &str, header: &[String]) -> Result<usize, String> {
    match smiles_columns(header)[..] {
        [place] => Ok(place),
        [first, second, ..] => {
            let (first, second) = (&header[first], &header[second]);
            Err(format!(
                "{name}: the SMILES may be in `{first}` or `{second}`; choose with `params = {{ smiles = \"{first}\" }}`"
            ))
        }
        [] => {
            let [most @ .., last] = SMILES_COLUMNS;
            Err(format!(
                "{name}: no column is named {} or {last}; choose one with `params = {{ smiles = \"COLUMN\" }}`; the columns are {}",
                most.join(", "),
                listed(header)
            ))
        }
    }
}

fn find(name: &str, header: &[String], wanted: &str) -> Result<usize, String> {
    header.iter().position(|column| column == wanted).ok_or_else(|| {
        let near = nearest(header, wanted).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        format!("{name}: there is no column `{wanted}`{near}; the columns are {}", listed(header))
    })
}

fn nearest<'a>(header: &'a [String], wanted: &str) -> Option<&'a str> {
    let likeness = |column: &str| strsim::jaro_winkler(&wanted.to_lowercase(), &column.to_lowercase());
    let likely = header.iter().map(|column| (likeness(column), column.as_str())).filter(|(likeness, _)| *likeness >= SIMILAR);
    likely.max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, column)| column)
}

fn listed(header: &[String]) -> String {
    let shown: Vec<String> = header.iter().take(LISTED).map(|column| format!("`{column}`")).collect();
    match header.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn header(names: &str) -> Vec<String> {
        names.split(',').map(str::to_owned).collect()
    }

    fn chosen(names: &str, smiles: &str, part: &str, tasks: &[&str]) -> Result<(usize, Vec<usize>, Option<usize>), String> {
        let task = |name: &&str| TaskInfo {
            name: (*name).into(),
            kind: TaskKind::Regression,
            unit: String::new(),
            score: "rmse".into(),
        };
        let tasks: Vec<TaskInfo> = tasks.iter().map(task).collect();
        choose("csv/t", &header(names), smiles, part, &tasks).map(|columns| (columns.smiles, columns.labels, columns.part))
    }

    #[test]
    fn the_column_of_smiles_is_guessed_by_its_name() {
        for (names, place) in [("id,smiles", 1), ("SMILES,mol", 0), ("mol,Smiles", 1), ("y,Mol", 1), ("Canonical_SMILES,y", 0)] {
            assert_eq!(chosen(names, "", "", &[]).unwrap().0, place, "{names}");
        }
        assert_eq!(chosen("smiles,structure", "structure", "", &[]).unwrap().0, 1, "as told");
        assert_eq!(
            chosen("id,structure,y", "", "", &[]).unwrap_err(),
            "csv/t: no column is named smiles, canonical_smiles or mol; choose one with `params = { smiles = \"COLUMN\" }`; the columns are \
             `id`, `structure`, `y`"
        );
        assert_eq!(
            chosen("smiles,SMILES", "", "", &[]).unwrap_err(),
            "csv/t: the SMILES may be in `smiles` or `SMILES`; choose with `params = { smiles = \"smiles\" }`"
        );
    }

    #[test]
    fn columns_are_found_in_the_order_of_the_tasks() {
        assert_eq!(chosen("b,smiles,fold,a", "", "fold", &["a", "b"]).unwrap(), (1, vec![3, 0], Some(2)));
    }

    #[test]
    fn a_column_that_is_not_there_lists_those_that_are() {
        assert_eq!(
            chosen("smiles,logS,p", "", "", &["logs"]).unwrap_err(),
            "csv/t: there is no column `logs` (did you mean `logS`?); the columns are `smiles`, `logS`, `p`"
        );
        let many: Vec<String> = std::iter::once("smiles".to_owned()).chain((0..20).map(|index| format!("t{index}"))).collect();
        let error = chosen(&many.join(","), "", "", &["zzz"]).unwrap_err();
        assert!(error.ends_with("`t9`, `t10` and 9 more"), "{error}");
    }

    #[test]
    fn one_column_has_one_use() {
        let twice = |smiles: &str, part: &str, task: &str| chosen("smiles,y,fold", smiles, part, &[task]).unwrap_err();
        assert_eq!(
            twice("", "", "smiles"),
            "csv/t: the column `smiles` cannot hold both the SMILES and labels; name another column for one of them"
        );
        assert!(twice("", "smiles", "y").contains("both the SMILES and the parts of the split"));
        assert!(twice("", "y", "y").contains("both labels and the parts of the split"));
    }
}
