//! A table of molecules and labels as a dataset plugin parsed it, its checks, and its normalised form.
//!
//! A number in normal form is rounded to [`DIGITS`] significant digits and written with as few of them as give it back: a point only
//! before digits, one zero before it and none after the last digit, never an exponent, and a zero without a sign. So `.34`, `0.340`,
//! `3.4e-1` and `0.33999999999999997` are all `0.34`, wherever the file comes from; the number itself is that of this text.

use clmbench_protocol::{TaskInfo, TaskKind};

use crate::{digest::sha256_hex, error::MoleculesError};

/// Significant digits of a number in normal form: more than any measurement has, and fewer than those in which programs that wrote the
/// same number differ.
pub const DIGITS: usize = 12;

/// Molecules and label texts, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct RawTable {
    /// SMILES as written in the source.
    pub smiles: Vec<String>,
    /// Label texts, `[rows, tasks]`, empty = missing; after them `[rows, subsets]`: `1` for a member, `0` or nothing for the others.
    pub labels: Vec<Vec<String>>,
    /// Tasks, in the order of the labels.
    pub tasks: Vec<TaskInfo>,
    /// Names of the groups of molecules that are scored on their own too ([`clmbench_protocol::SubsetInfo`]), in the order of their
    /// columns.
    pub subsets: Vec<String>,
    /// `train`, `valid` or `test` for each row, as the source gives them; empty where it gives no split.
    pub parts: Vec<String>,
}

/// The same table, trimmed and with its labels read.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedTable {
    /// SMILES without blanks around them.
    pub smiles: Vec<String>,
    /// Label texts in normal form, `[rows, tasks + subsets]`: without blanks; classes and members as `0` and `1`; empty = missing.
    pub texts: Vec<Vec<String>>,
    /// Labels, row-major [rows * tasks]; NaN = missing, all others finite.
    pub labels: Vec<f64>,
}

impl RawTable {
    /// Trims and checks every field. `name` is what errors call the table.
    ///
    /// # Errors
    /// [`MoleculesError::Empty`] without rows, [`MoleculesError::Ragged`] if rows and tasks do not fit together, [`MoleculesError::Label`] for a label that is no
    /// finite number, or neither 0 nor 1 in a classification task or a subset. `NA`, `nan`, `inf` and `1e400` are such labels: a missing
    /// one is an empty field. [`MoleculesError::DuplicateColumn`] for a name that two columns of the normalised form would have.
    pub fn check(&self, name: &str) -> Result<CheckedTable, MoleculesError> {
        if self.smiles.is_empty() {
            return Err(MoleculesError::Empty { file: name.into() });
        }
        if self.labels.len() != self.smiles.len() {
            let row = self.labels.len().min(self.smiles.len()) as u64;
            return Err(MoleculesError::Table {
                file: name.into(),
                row,
                what: format!("{} SMILES but labels for {} rows", self.smiles.len(), self.labels.len()),
            });
        }
        let names: Vec<String> = self.columns().map(str::to_owned).collect();
        if let Some(twice) = clmbench_protocol::user_table::named_twice(&names) {
            return Err(MoleculesError::DuplicateColumn { file: name.into(), column: twice.clone() });
        }
        let width = self.tasks.len() + self.subsets.len();
        let mut checked = CheckedTable {
            smiles: self.smiles.iter().map(|text| text.trim().to_owned()).collect(),
            texts: Vec::with_capacity(self.smiles.len()),
            labels: Vec::with_capacity(self.smiles.len() * self.tasks.len()),
        };
        for (row, labels) in self.labels.iter().enumerate() {
            let row = row as u64;
            if labels.len() != width {
                return Err(MoleculesError::Ragged { file: name.into(), row, found: labels.len(), wanted: width });
            }
            let wrong = |column: &str, text: &str, wanted| MoleculesError::Label {
                file: name.into(),
                row,
                column: column.to_owned(),
                text: text.trim().chars().take(40).collect(),
                wanted,
            };
            let (of_tasks, of_subsets) = labels.split_at(self.tasks.len());
            let mut texts = Vec::with_capacity(labels.len());
            for (text, task) in of_tasks.iter().zip(&self.tasks) {
                let (text, value) = read_label(text.trim(), task.kind).map_err(|wanted| wrong(&task.name, text, wanted))?;
                texts.push(text);
                checked.labels.push(value);
            }
            for (text, subset) in of_subsets.iter().zip(&self.subsets) {
                let read = read_label(text.trim(), TaskKind::Classification);
                texts.push(read.map_err(|_| wrong(subset, text, "1 for a member of the subset, or 0"))?.0);
            }
            checked.texts.push(texts);
        }
        Ok(checked)
    }

    /// Names of the columns of the normalised form: `smiles`, the tasks, the subsets.
    fn columns(&self) -> impl Iterator<Item = &str> {
        let tasks = self.tasks.iter().map(|task| task.name.as_str());
        std::iter::once("smiles").chain(tasks).chain(self.subsets.iter().map(String::as_str))
    }

    /// The normalised CSV of what [`Self::check`] found: a header `smiles`, the tasks' and the subsets' names, one line a row, LF, quotes
    /// only where needed, labels as in [`CheckedTable::texts`].
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn normalised_csv(&self, checked: &CheckedTable) -> Result<Vec<u8>, MoleculesError> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        writer.write_record(self.columns()).map_err(in_memory)?;
        for (smiles, texts) in checked.smiles.iter().zip(&checked.texts) {
            writer.write_record(std::iter::once(smiles).chain(texts)).map_err(in_memory)?;
        }
        writer.into_inner().map_err(|error| in_memory(csv::Error::from(error.into_error())))
    }

    /// SHA-256 of [`Self::normalised_csv`], lower-case hex.
    ///
    /// # Errors
    /// See [`Self::normalised_csv`].
    pub fn sha256_csv(&self, checked: &CheckedTable) -> Result<String, MoleculesError> {
        Ok(sha256_hex(&self.normalised_csv(checked)?))
    }
}

/// A number in normal form, as text and as value; none for a text that is no finite number.
pub fn normal_number(text: &str) -> Option<(String, f64)> {
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite())?;
    // Both steps round correctly.
    let rounded: f64 = format!("{value:.*e}", DIGITS - 1).parse().ok()?;
    // A zero loses its sign.
    let rounded = if rounded == 0.0 { 0.0 } else { rounded };
    rounded.is_finite().then(|| (rounded.to_string(), rounded))
}

fn read_label(text: &str, kind: TaskKind) -> Result<(String, f64), &'static str> {
    if text.is_empty() {
        return Ok((String::new(), f64::NAN));
    }
    match (kind, normal_number(text)) {
        (TaskKind::Regression, Some(both)) => Ok(both),
        (TaskKind::Regression, None) => Err("a finite number"),
        (TaskKind::Classification, Some((text, value))) if value == 0.0 || value == 1.0 => Ok((text, value)),
        (TaskKind::Classification, _) => Err("a class, 0 or 1"),
    }
}

fn in_memory(error: csv::Error) -> MoleculesError {
    MoleculesError::Table { file: "normalised table".into(), row: 0, what: error.to_string() }
}

/// Mean-centred sample standard deviation (n - 1) of the labels that are there; NaN with fewer than two.
pub fn standard_deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let present = values.filter(|value| !value.is_nan());
    let count = present.clone().count();
    if count < 2 {
        return f64::NAN;
    }
    let mean = present.clone().sum::<f64>() / count as f64;
    (present.map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn task(name: &str, kind: TaskKind) -> TaskInfo {
        TaskInfo { name: name.into(), kind, unit: String::new(), score: "rmse".into() }
    }

    fn table(labels: &[&str], kind: TaskKind) -> RawTable {
        RawTable {
            smiles: labels.iter().map(|_| " C ".to_owned()).collect(),
            labels: labels.iter().map(|text| vec![(*text).to_owned()]).collect(),
            tasks: vec![task("y, in units", kind)],
            subsets: Vec::new(),
            parts: Vec::new(),
        }
    }

    #[test]
    fn numbers_have_one_form_whoever_wrote_them() {
        for (text, wanted) in [
            ("-9.280000000000001", "-9.28"),
            (".34", "0.34"),
            ("0.33999999999999997", "0.34"),
            ("-1.0", "-1"),
            ("+2.50", "2.5"),
            ("5.", "5"),
            ("1e-5", "0.00001"),
            ("1E3", "1000"),
            ("0", "0"),
            ("-0.0", "0"),
            ("1e-400", "0"),
            ("12345678901234", "12345678901200"),
            ("-40.4788700001", "-40.4788700001"),
            ("-40.47887000012", "-40.4788700001"),
            ("999999999999.96", "1000000000000"),
            ("0.1234567890125", "0.123456789012"),
            ("1e22", "10000000000000000000000"),
        ] {
            let (found, value) = normal_number(text).unwrap();
            assert_eq!((found.as_str(), value), (wanted, wanted.parse().unwrap()), "{text}");
            assert_eq!(normal_number(&found), Some((found.clone(), value)), "it is its own normal form");
            assert!(!value.is_sign_negative() || value < 0.0, "{text}");
        }
        assert_eq!(normal_number(&f64::MAX.to_string()).unwrap().1, 1.797_693_134_86e308);
        // Whatever is written in full or in twelve digits is the same.
        let mut state = 88_172_645_463_325_252_u64;
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = f64::from_bits(state);
            let usual = value.abs() > 1e-290 && value.abs() < 1e290;
            if !usual {
                continue;
            }
            let (text, normal) = normal_number(&format!("{value:e}")).unwrap();
            assert!(((normal - value) / value).abs() <= 5.1e-12, "{value:e} {text}");
            assert_eq!(normal_number(&format!("{value:.11e}")).unwrap().0, text);
            assert!(text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-')), "{text}");
            let digits = text.trim_start_matches(['-', '0', '.']).replace('.', "");
            assert!(digits.trim_end_matches('0').len() <= DIGITS, "{text}");
        }
    }

    #[test]
    fn the_csv_is_normal() {
        let table = table(&["-11.010", " 2 ", "", "1e-3"], TaskKind::Regression);
        let checked = table.check("set").unwrap();
        assert_eq!(checked.labels[..2], [-11.01, 2.0]);
        assert!(checked.labels[2].is_nan());
        let csv = table.normalised_csv(&checked).unwrap();
        assert_eq!(String::from_utf8(csv).unwrap(), "smiles,\"y, in units\"\nC,-11.01\nC,2\nC,\nC,0.001\n");
    }

    #[test]
    fn subsets_stand_after_the_tasks_and_hold_members_alone() {
        let mut table = table(&["1", "2", "3"], TaskKind::Regression);
        table.subsets = vec!["cliff".into()];
        table.labels.iter_mut().zip([" 1.0", "0", ""]).for_each(|(labels, text)| labels.push(text.into()));
        let checked = table.check("set").unwrap();
        assert_eq!(checked.labels, [1.0, 2.0, 3.0], "they are no labels");
        let csv = String::from_utf8(table.normalised_csv(&checked).unwrap()).unwrap();
        assert_eq!(csv, "smiles,\"y, in units\",cliff\nC,1,1\nC,2,0\nC,3,\n");
        table.labels[1][1] = "yes".into();
        assert_eq!(
            table.check("set").unwrap_err().to_string(),
            "set, row 1, column `cliff`: `yes` is not 1 for a member of the subset, or 0; correct it, or leave the field empty if the \
             label is missing"
        );
        table.labels[1].pop();
        assert!(matches!(table.check("set"), Err(MoleculesError::Ragged { row: 1, found: 1, wanted: 2, .. })));
        table.subsets = vec!["smiles".into()];
        assert!(matches!(table.check("set"), Err(MoleculesError::DuplicateColumn { column, .. }) if column == "smiles"));
    }

    #[test]
    fn classes_become_digits() {
        let table = table(&["1.0", "0", "", "-0"], TaskKind::Classification);
        let checked = table.check("set").unwrap();
        assert_eq!(checked.texts.concat(), ["1", "0", "", "0"]);
        assert!(checked.labels[3].is_sign_positive());
    }

    #[test]
    fn labels_that_are_no_numbers_are_named_with_row_and_column() {
        for text in ["NA", "nan", "inf", "-Infinity", "1e400", "1,5", "0x10", "1_000", "--1", "\u{663}", "None"] {
            let error = table(&["1", text], TaskKind::Regression).check("source/set").unwrap_err();
            let MoleculesError::Label { row, column, text: shown, .. } = &error else { panic!("{text}: {error}") };
            assert_eq!((*row, column.as_str(), shown.as_str()), (1, "y, in units", text));
            assert!(error.to_string().contains("source/set"), "{error}");
        }
        for text in ["2", "0.5", "yes", "-1"] {
            assert!(matches!(table(&[text], TaskKind::Classification).check("set"), Err(MoleculesError::Label { .. })), "{text}");
        }
    }

    #[test]
    fn tables_that_do_not_fit_are_typed_errors() {
        let mut ragged = table(&["1", "2"], TaskKind::Regression);
        ragged.labels[1].push("3".into());
        assert!(matches!(ragged.check("set"), Err(MoleculesError::Ragged { row: 1, found: 2, wanted: 1, .. })));
        ragged.labels.pop();
        assert!(matches!(ragged.check("set"), Err(MoleculesError::Table { .. })));
        assert!(matches!(table(&[], TaskKind::Regression).check("set"), Err(MoleculesError::Empty { .. })));
    }

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert!((standard_deviation([2.0, 4.0, f64::NAN, 6.0].into_iter()) - 2.0).abs() < 1e-12);
        assert!(standard_deviation([2.0, f64::NAN].into_iter()).is_nan());
    }
}
