//! `export datasets`: the datasets of a suite, how they are split, what is wrong with their labels, and whose they are.

use std::io::Write;

use clmbench_protocol::{CellSpec, DatasetInfo, DatasetOutput, SplitSpec};
use clmbench_store::Store;

use super::Chosen;
use crate::{
    error::CliError,
    rows::{Cell, Column, Kind, Writer, column},
};

/// Columns in order.
pub const COLUMNS: [Column; 18] = [
    column("source", Kind::Text, "source"),
    column("dataset", Kind::Text, "dataset"),
    column("rows", Kind::Whole, "rows in its files"),
    column("invalid", Kind::Whole, "rows whose SMILES is not valid, left out"),
    column("tasks", Kind::Whole, "tasks"),
    column("split", Kind::Text, "algorithm of the split"),
    column("split_seed", Kind::Whole, "seed of the split"),
    column("n_train", Kind::Whole, "molecules for training"),
    column("n_validation", Kind::Whole, "molecules for validation"),
    column("n_test", Kind::Whole, "molecules for testing"),
    column("leaked", Kind::Whole, "test molecules also in training or validation"),
    column("conflicting_labels", Kind::Whole, "most molecules of a task with rows that differ"),
    column("sha256_csv", Kind::Text, "SHA-256 of the normalised CSV"),
    column("data_digest", Kind::Text, "BLAKE3 of molecules, labels and tokens"),
    column("split_digest", Kind::Text, "BLAKE3 of the split"),
    column("licence", Kind::Text, "licence, as its plugin says"),
    column("citation", Kind::Text, "citation, as its plugin says"),
    column("doc", Kind::Text, "what it is, as its plugin says"),
];

/// A dataset with its split and what its plugin says.
pub struct Row {
    output: DatasetOutput,
    split: Option<SplitSpec>,
    info: Option<DatasetInfo>,
}

/// The datasets that were asked for.
pub fn read(store: &Store, suite_id: i64, chosen: &Chosen<'_>) -> Result<Vec<Row>, CliError> {
    let infos: Vec<DatasetInfo> = store.suite_plugins(suite_id)?.into_iter().flat_map(|plugin| plugin.datasets).collect();
    let specs = store.specs(suite_id, "tokenise_dataset")?;
    let split = |output: &DatasetOutput| {
        specs.iter().find_map(|spec| match spec {
            CellSpec::TokeniseDataset(spec) if (&spec.source, &spec.dataset) == (&output.source, &output.dataset) => {
                Some(spec.split.clone())
            }
            _ => None,
        })
    };
    let info = |output: &DatasetOutput| infos.iter().find(|info| info.serves(&output.source, &output.dataset)).cloned();
    let all = store.datasets(suite_id)?;
    let known: Vec<(String, String)> = all.iter().map(|output| (output.dataset.clone(), String::new())).collect();
    let wanted = all.into_iter().filter(|output| chosen.arguments.dataset.as_ref().is_none_or(|name| *name == output.dataset));
    let rows: Vec<Row> = wanted.map(|output| Row { split: split(&output), info: info(&output), output }).collect();
    chosen.refuse_if_none(rows.len(), known.into_iter())?;
    Ok(rows)
}

/// Writes them in the order of the plan.
pub fn write<W: Write>(rows: &[Row], mut writer: Writer<W>) -> Result<(), CliError> {
    for Row { output, split, info } in rows {
        let (train, validation, test) = output.counts;
        let conflicting = output.checks.iter().map(|check| check.conflicting).max();
        let said = |get: fn(&DatasetInfo) -> &String| info.as_ref().map(|info| get(info).as_str());
        writer.row(&[
            Cell::text(&output.source),
            Cell::text(&output.dataset),
            Cell::Whole(output.rows),
            Cell::Whole(output.invalid.len() as u64),
            Cell::Whole(output.tasks.len() as u64),
            split.as_ref().map(|split| split.algorithm.as_str()).into(),
            split.as_ref().and_then(|split| split.seed).map_or(Cell::None, Cell::Whole),
            Cell::Whole(train),
            Cell::Whole(validation),
            Cell::Whole(test),
            Cell::Whole(output.leaked),
            conflicting.map_or(Cell::None, Cell::Whole),
            Cell::text(&output.sha256_csv),
            Cell::text(&output.data_digest),
            Cell::text(&output.split_digest),
            said(|info| &info.licence).into(),
            said(|info| &info.citation).into(),
            said(|info| &info.doc).into(),
        ])?;
    }
    writer.end()
}
