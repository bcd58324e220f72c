//! A dataset from a table of the user's own: a file with a header line, a column of SMILES, columns of labels, and, if it gives a split,
//! a column of parts.
//!
//! | what stands in the file | what becomes of it |
//! |---|---|
//! | gzip; a mark of byte order; line ends LF, CR LF or CR; quoted fields with delimiters, quotes or line ends inside; empty lines | read |
//! | another encoding than UTF-8, a workbook, an unclosed quote, a row with more or fewer fields than the header | an error that names the line |
//! | a column that is not there, or there twice | an error that names it |
//! | a label that is no finite number, or no class | an error that names line, row and column; an empty field is a missing label |
//! | a part that is none of `train`, `valid`, `test` (also `training`, `validation`, `val`, `dev`, in any case) | an error that names line and row |
//! | a SMILES that is not valid | kept: the host leaves the row out and counts it |

use clmbench_sdk::{prelude::*, protocol};

pub mod columns;
pub mod labels;
pub mod rows;
pub mod text;

/// The source `csv`.
pub struct Csv;

impl Dataset for Csv {
    fn infos(&self) -> Vec<DatasetInfo> {
        let parameters = vec![
            ParameterInfo::text(
                "smiles",
                "",
                &[],
                "Column of the SMILES; empty = the one named smiles, canonical_smiles or mol, in small or capital letters.",
            ),
            ParameterInfo::text(
                protocol::SPLIT_COLUMN,
                "",
                &[],
                "Column that holds train, valid or test, for `split = \"given\"`; empty = none.",
            ),
            ParameterInfo::text(
                "delimiter",
                "auto",
                &["auto", "comma", "tab", "semicolon"],
                "What stands between fields; auto = the one that the header line has most of.",
            ),
        ];
        vec![DatasetInfo {
            source: "csv".into(),
            name: "NAME".into(),
            doc: "A table of your own: a header line, a column of SMILES, columns of labels (an empty field is a missing label), and \
                  optionally a column that says which part of a split a row belongs to. Plain text (UTF-8) or gzip."
                .into(),
            recommended_split: "scaffold".into(),
            user_file: Some("a table with a header line, a column of SMILES and columns of labels; .csv or .tsv, also gzipped".into()),
            parameters,
            licence: "the file's own".into(),
            citation: "none".into(),
            ..DatasetInfo::default()
        }]
    }

    fn parse(&self, request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        let name = format!("{}/{}", request.source, request.name);
        parse(&name, files.bytes(protocol::USER_FILE)?, request).map_err(PluginError::Input)
    }
}

/// Reads a table. `name` is what errors call it.
///
/// # Errors
/// A sentence that names the table, and the line, row or column at fault.
pub fn parse(name: &str, bytes: &[u8], request: &DatasetRequest) -> Result<ParsedTable, String> {
    let parameter = |key: &str| request.params.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    let text = text::decode(name, bytes)?;
    let table = rows::Rows::open(name, &text, parameter("delimiter"))?;
    let columns = columns::choose(name, table.header(), parameter("smiles"), parameter(protocol::SPLIT_COLUMN), &request.tasks)?;
    let mut parsed = ParsedTable::default();
    table.each(|place, fields| {
        let labels: Vec<String> = columns.labels.iter().map(|column| fields[*column].to_owned()).collect();
        for (label, task) in labels.iter().zip(&request.tasks) {
            labels::check(label, task).map_err(|wrong| format!("{name}, {place}, {wrong}"))?;
        }
        parsed.smiles.push(fields[columns.smiles].to_owned());
        parsed.labels.push(labels);
        if let Some(column) = columns.part {
            let part =
                labels::part(&fields[column], &table.header()[column]).map_err(|wrong| format!("{name}, {place}, {wrong}"))?;
            parsed.parts.push(part.to_owned());
        }
        Ok(())
    })?;
    Ok(parsed)
}

export_plugin! { datasets: [Csv] }
