//! `export statistics`: every number beside the fits, with its interval, verdict or refusal.

use clmbench_store::{StatisticRow, Store};
use serde_json::Value;

use super::Chosen;
use crate::{
    error::CliError,
    rows::{Column, Kind, column},
};

/// Columns: those of the stored rows.
pub const COLUMNS: [Column; 22] = [
    column("kind", Kind::Text, "analysis, such as pooled, saturation or regression"),
    column("metric", Kind::Text, "as in fits; absent where it is not of one"),
    column("dataset", Kind::Text, "dataset; absent where it is over all"),
    column("task", Kind::Text, "task; absent where it is over all"),
    column("protocol", Kind::Text, "probe or finetune"),
    column("pool", Kind::Text, "what the runs have in common"),
    column("score", Kind::Text, "name of the score"),
    column("name", Kind::Text, "which number it is, such as partial_r2"),
    column("term", Kind::Text, "covariate, stratum or run that it is about"),
    column("value", Kind::Number, "the number"),
    column("std_error", Kind::Number, "its standard error"),
    column("low90", Kind::Number, "lower 90 % end"),
    column("high90", Kind::Number, "upper 90 % end"),
    column("low95", Kind::Number, "lower 95 % end"),
    column("high95", Kind::Number, "upper 95 % end"),
    column("p_raw", Kind::Number, "p before adjustment"),
    column("p_value", Kind::Number, "p adjusted within its family"),
    column("n", Kind::Whole, "runs, or tasks where details say so"),
    column("verdict", Kind::Text, "what may be said, where something may"),
    column("refusal", Kind::Text, "typed reason why there is no value"),
    column("reason", Kind::Text, "the verdict or the refusal in words"),
    column("details", Kind::Json, "everything else"),
];

/// The stored rows that were asked for. A row over all datasets belongs to none.
pub fn read(store: &Store, suite_id: i64, chosen: &Chosen<'_>) -> Result<Vec<Value>, CliError> {
    let rows = store.statistics(suite_id)?;
    let place = |row: &StatisticRow| (row.dataset.clone().unwrap_or_default(), row.protocol.clone().unwrap_or_default());
    let wanted = rows.iter().filter(|row| {
        let (dataset, protocol) = place(row);
        chosen.wants(&dataset, &protocol)
    });
    let found = wanted.map(value).collect::<Result<Vec<Value>, _>>().map_err(|error| CliError::Output(error.into()))?;
    chosen.refuse_if_none(found.len(), rows.iter().map(place).filter(|(dataset, _)| !dataset.is_empty()))?;
    Ok(found)
}

/// A row with its details as an object, no text in a text.
fn value(row: &StatisticRow) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(row)?;
    let details = row.details_json.as_deref().map(serde_json::from_str::<Value>).transpose()?;
    if let (Some(fields), Some(details)) = (value.as_object_mut(), details) {
        fields.insert("details".to_owned(), details);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_has_a_column() {
        let row = StatisticRow { details_json: Some("{\"tasks\": 5}".into()), ..StatisticRow::default() };
        let row = value(&row).unwrap();
        let keys: BTreeSet<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        let columns: BTreeSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(keys, columns);
        assert_eq!(row["details"]["tasks"], 5);
    }
}
