//! The stored statistics of a suite, written with its fits.

use rusqlite::{Row, Transaction, params};

use crate::{
    StatisticRow, Store, StoreError,
    plan::require_suite,
    value::{Float, small},
};

const COLUMNS: &str = "kind, metric, dataset, task, protocol, pool, score, name, term, value, std_error, low90, high90, low95,
    high95, p_raw, p_value, n, verdict, refusal, reason, details_json";

impl Store {
    /// The stored statistics of a suite, in the order given.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn statistics(&self, suite_id: i64) -> Result<Vec<StatisticRow>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement =
                snapshot.prepare(&format!("SELECT {COLUMNS} FROM statistic WHERE suite_id = ?1 ORDER BY position"))?;
            let mut rows = statement.query([suite_id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(statistic_row(row)?);
            }
            Ok(found)
        })
    }
}

/// Writes the statistics that belong to a batch of fits.
pub(crate) fn insert(transaction: &Transaction<'_>, suite_id: i64, rows: &[StatisticRow]) -> Result<(), StoreError> {
    let places: Vec<String> = (1..=24).map(|place| format!("?{place}")).collect();
    let mut statement =
        transaction.prepare(&format!("INSERT INTO statistic (suite_id, position, {COLUMNS}) VALUES ({})", places.join(", ")))?;
    for (position, row) in rows.iter().enumerate() {
        let float = |value: Option<f64>| value.map(Float);
        statement.execute(params![
            suite_id,
            position as i64,
            row.kind,
            row.metric,
            row.dataset,
            row.task,
            row.protocol,
            row.pool,
            row.score,
            row.name,
            row.term,
            float(row.value),
            float(row.std_error),
            float(row.low90),
            float(row.high90),
            float(row.low95),
            float(row.high95),
            float(row.p_raw),
            float(row.p_value),
            row.n,
            row.verdict,
            row.refusal,
            row.reason,
            row.details_json
        ])?;
    }
    Ok(())
}

fn statistic_row(row: &Row<'_>) -> Result<StatisticRow, StoreError> {
    let float = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<Float>>(column)?.map(|value| value.0));
    Ok(StatisticRow {
        kind: row.get(0)?,
        metric: row.get(1)?,
        dataset: row.get(2)?,
        task: row.get(3)?,
        protocol: row.get(4)?,
        pool: row.get(5)?,
        score: row.get(6)?,
        name: row.get(7)?,
        term: row.get(8)?,
        value: float(9)?,
        std_error: float(10)?,
        low90: float(11)?,
        high90: float(12)?,
        low95: float(13)?,
        high95: float(14)?,
        p_raw: float(15)?,
        p_value: float(16)?,
        n: small(row.get(17)?)?,
        verdict: row.get(18)?,
        refusal: row.get(19)?,
        reason: row.get(20)?,
        details_json: row.get(21)?,
    })
}
