//! `export cells`: every cell of the plan, as `status --json` has it, with the bytes of its files.

use std::{collections::BTreeMap, io::Write};

use clmbench_store::{CellRow, Store};

use super::Chosen;
use crate::{
    error::CliError,
    rows::{Cell, Column, Kind, Writer, column},
};

/// Columns in order.
pub const COLUMNS: [Column; 16] = [
    column("key", Kind::Text, "name of the cell in its suite"),
    column("stage", Kind::Text, "import, tokenise, pretrain, embed, measure or transfer"),
    column("label", Kind::Text, "what tables call it"),
    column("status", Kind::Text, "todo, running, done, refused, not_applicable, failed, diverged"),
    column("identity", Kind::Text, "BLAKE3 of all that can change the value"),
    column("failure_kind", Kind::Text, "typed reason of a failure, such as time_limit"),
    column("reason", Kind::Text, "why it failed, was refused or does not apply"),
    column("attempts", Kind::Whole, "how often it was started"),
    column("seconds", Kind::Number, "wall time, s"),
    column("bytes", Kind::Whole, "bytes of its files"),
    column("peak_rss_bytes", Kind::Whole, "highest memory of the worker, bytes"),
    column("started", Kind::Text, "last start (RFC 3339, UTC)"),
    column("finished", Kind::Text, "end or failure (RFC 3339, UTC)"),
    column("device", Kind::Text, "cpu or cuda:<index>"),
    column("libtorch", Kind::Text, "version of libtorch it was computed with"),
    column("build", Kind::Text, "version and digest of the worker that computed it"),
];

/// A cell and the bytes of its files.
type Row = (CellRow, Option<u64>);

/// The cells that were asked for. A dataset's are those whose key names it.
pub fn read(store: &Store, suite_id: i64, chosen: &Chosen<'_>) -> Result<Vec<Row>, CliError> {
    let bytes: BTreeMap<String, u64> = store.cell_bytes(suite_id)?;
    let of_runs = store.score_rows(suite_id)?.into_iter().map(|row| (row.dataset, row.protocol));
    let of_baselines = store.baseline_rows(suite_id)?.into_iter().map(|row| (row.dataset, "baseline".to_owned()));
    let known = of_runs.chain(of_baselines).collect::<Vec<_>>();
    let named = |wanted: &Option<String>, key: &str| {
        wanted.as_ref().is_none_or(|wanted| format!("/{key}/").contains(&format!("/{wanted}/")))
    };
    let wanted = |cell: &CellRow| {
        let key = &cell.key;
        // A measurement for one dataset bears its name after `@`.
        named(&chosen.arguments.dataset, &key.replace('@', "/")) && named(&chosen.arguments.protocol, key)
    };
    let cells: Vec<CellRow> = store.cells(suite_id)?.into_iter().filter(wanted).collect();
    chosen.refuse_if_none(cells.len(), known.into_iter())?;
    let with_bytes = |cell: CellRow| {
        let bytes = cell.identity.as_ref().and_then(|identity| bytes.get(identity)).copied();
        (cell, bytes)
    };
    Ok(cells.into_iter().map(with_bytes).collect())
}

/// Writes them in the order of the plan.
pub fn write<W: Write>(rows: &[Row], mut writer: Writer<W>) -> Result<(), CliError> {
    for (cell, bytes) in rows {
        let whole = |number: Option<u64>| number.map_or(Cell::None, Cell::Whole);
        writer.row(&[
            Cell::text(&cell.key),
            Cell::text(&cell.stage),
            Cell::text(&cell.label),
            Cell::text(cell.status.word()),
            cell.identity.as_deref().into(),
            cell.failure_kind.as_deref().into(),
            cell.reason.as_deref().into(),
            Cell::Whole(u64::from(cell.attempts)),
            cell.seconds.into(),
            whole(*bytes),
            whole(cell.peak_rss_bytes),
            cell.started.as_deref().into(),
            cell.finished.as_deref().into(),
            cell.device.as_deref().into(),
            cell.libtorch.as_deref().into(),
            cell.build.as_deref().into(),
        ])?;
    }
    writer.end()
}
