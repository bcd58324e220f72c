//! A table of molecules and labels as a dataset plugin parsed it, its checks, and its normalised form.

use clmbench_protocol::{TaskInfo, TaskKind};

use crate::{digest::sha256_hex, error::MoleculesError};

/// Molecules and label texts, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct RawTable {
    /// SMILES as written in the source.
    pub smiles: Vec<String>,
    /// Label texts, `[rows, tasks]`; empty = missing.
    pub labels: Vec<Vec<String>>,
    /// Tasks, in the order of the labels.
    pub tasks: Vec<TaskInfo>,
    /// `train`, `valid` or `test` for each row, as the source gives them; empty where it gives no split.
    pub parts: Vec<String>,
}

/// The same table, trimmed and with its labels read.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedTable {
    /// SMILES without blanks around them.
    pub smiles: Vec<String>,
    /// Label texts in normal form, `[rows, tasks]`: without blanks; classes as `0` and `1`; empty = missing.
    pub texts: Vec<Vec<String>>,
    /// Labels, row-major [rows * tasks]; NaN = missing, all others finite.
    pub labels: Vec<f64>,
}

impl RawTable {
    /// Trims and checks every field. `name` is what errors call the table.
    ///
    /// # Errors
    /// [`MoleculesError::Empty`] without rows, [`MoleculesError::Ragged`] if rows and tasks do not fit together, [`MoleculesError::Label`] for a label that is no
    /// finite number, or neither 0 nor 1 in a classification task. `NA`, `nan`, `inf` and `1e400` are such labels: a missing one is an empty field.
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
        let mut checked = CheckedTable {
            smiles: self.smiles.iter().map(|text| text.trim().to_owned()).collect(),
            texts: Vec::with_capacity(self.smiles.len()),
            labels: Vec::with_capacity(self.smiles.len() * self.tasks.len()),
        };
        for (row, labels) in self.labels.iter().enumerate() {
            let row = row as u64;
            if labels.len() != self.tasks.len() {
                return Err(MoleculesError::Ragged { file: name.into(), row, found: labels.len(), wanted: self.tasks.len() });
            }
            let mut texts = Vec::with_capacity(labels.len());
            for (text, task) in labels.iter().zip(&self.tasks) {
                let (text, value) = read_label(text.trim(), task.kind).map_err(|wanted| MoleculesError::Label {
                    file: name.into(),
                    row,
                    column: task.name.clone(),
                    text: text.trim().chars().take(40).collect(),
                    wanted,
                })?;
                texts.push(text);
                checked.labels.push(value);
            }
            checked.texts.push(texts);
        }
        Ok(checked)
    }
}

fn read_label(text: &str, kind: TaskKind) -> Result<(String, f64), &'static str> {
    if text.is_empty() {
        return Ok((String::new(), f64::NAN));
    }
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
    match (kind, value) {
        (TaskKind::Regression, Some(value)) => Ok((text.to_owned(), value)),
        (TaskKind::Regression, None) => Err("a finite number"),
        (TaskKind::Classification, Some(0.0)) => Ok(("0".into(), 0.0)),
        (TaskKind::Classification, Some(1.0)) => Ok(("1".into(), 1.0)),
        (TaskKind::Classification, _) => Err("a class, 0 or 1"),
    }
}

impl CheckedTable {
    /// The normalised CSV: a header `smiles` and the tasks' names, one line a row, LF, quotes only where needed, labels as in [`Self::texts`].
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn normalised_csv(&self, tasks: &[TaskInfo]) -> Result<Vec<u8>, MoleculesError> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        let header = std::iter::once("smiles").chain(tasks.iter().map(|task| task.name.as_str()));
        writer.write_record(header).map_err(in_memory)?;
        for (smiles, texts) in self.smiles.iter().zip(&self.texts) {
            writer.write_record(std::iter::once(smiles).chain(texts)).map_err(in_memory)?;
        }
        writer.into_inner().map_err(|error| in_memory(csv::Error::from(error.into_error())))
    }

    /// SHA-256 of [`Self::normalised_csv`], lower-case hex.
    ///
    /// # Errors
    /// See [`Self::normalised_csv`].
    pub fn sha256_csv(&self, tasks: &[TaskInfo]) -> Result<String, MoleculesError> {
        Ok(sha256_hex(&self.normalised_csv(tasks)?))
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
            parts: Vec::new(),
        }
    }

    #[test]
    fn texts_are_kept_and_the_csv_is_normal() {
        let table = table(&["-11.010", " 2 ", "", "1e-3"], TaskKind::Regression);
        let checked = table.check("set").unwrap();
        assert_eq!(checked.labels[..2], [-11.01, 2.0]);
        assert!(checked.labels[2].is_nan());
        let csv = checked.normalised_csv(&table.tasks).unwrap();
        assert_eq!(String::from_utf8(csv).unwrap(), "smiles,\"y, in units\"\nC,-11.010\nC,2\nC,\nC,1e-3\n");
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
