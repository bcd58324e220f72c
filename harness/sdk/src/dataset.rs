//! Datasets: what turns source files into molecules with labels.

use abi_stable::std_types::RSlice;
use clmbench_api::{SourceBytes, SplitTable, Table};
use clmbench_protocol::{DatasetInfo, DatasetRequest};

use crate::PluginError;

/// A source of datasets. It declares files and parses their bytes; it never touches the network or the disk.
pub trait Dataset {
    /// The datasets of this source.
    fn infos(&self) -> Vec<DatasetInfo>;

    /// Parses the files of a dataset, or the user's file ([`clmbench_protocol::USER_FILE`]): the labels of the tasks of the request, in
    /// their order. No row is left out: the host checks the molecules and counts what it refuses.
    ///
    /// # Errors
    /// [`PluginError::Input`] naming file and row when the files cannot be read.
    fn parse(&self, request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError>;
}

/// The bytes of a dataset's source files, whose hashes the host has checked.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a>(RSlice<'a, SourceBytes>);

impl<'a> Files<'a> {
    /// From the edge.
    pub fn new(files: RSlice<'a, SourceBytes>) -> Self {
        Self(files)
    }

    /// The bytes of the file that was declared under this name.
    ///
    /// # Errors
    /// [`PluginError::Input`] when there is none.
    pub fn bytes(&self, name: &str) -> Result<&'a [u8], PluginError> {
        let file = self.0.as_slice().iter().find(|file| file.name == name);
        file.map(|file| file.bytes.as_slice())
            .ok_or_else(|| PluginError::Input(format!("no source file `{name}` was handed over")))
    }
}

/// Molecules with labels as text, row by row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedTable {
    /// One SMILES a row, trimmed.
    pub smiles: Vec<String>,
    /// Labels [rows][tasks] as they stand in the file, trimmed; empty = missing.
    pub labels: Vec<Vec<String>>,
    /// `train`, `valid` or `test` for each row, as the source gives them; empty where it gives no split.
    pub parts: Vec<String>,
}

impl ParsedTable {
    /// To the edge.
    ///
    /// # Errors
    /// [`PluginError::Shape`] when rows have unequal numbers of labels, or a split does not name every row.
    pub fn into_edge(mut self) -> Result<SplitTable, PluginError> {
        let parts = std::mem::take(&mut self.parts);
        if !parts.is_empty() && parts.len() != self.smiles.len() {
            return Err(PluginError::Shape(format!("{} molecules but parts for {} rows", self.smiles.len(), parts.len())));
        }
        Ok(SplitTable { table: self.into_table()?, parts: parts.into_iter().map(Into::into).collect() })
    }

    fn into_table(self) -> Result<Table, PluginError> {
        let tasks = self.labels.first().map_or(0, Vec::len);
        if self.labels.len() != self.smiles.len() {
            return Err(PluginError::Shape(format!("{} molecules but {} rows of labels", self.smiles.len(), self.labels.len())));
        }
        if let Some(row) = self.labels.iter().position(|labels| labels.len() != tasks) {
            return Err(PluginError::Shape(format!("row {row} has {} labels, row 0 has {tasks}", self.labels[row].len())));
        }
        Ok(Table {
            smiles: self.smiles.into_iter().map(Into::into).collect(),
            labels: self.labels.into_iter().flatten().map(Into::into).collect(),
            tasks: tasks as u32,
        })
    }
}
