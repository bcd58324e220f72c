//! The stored fits of a suite, and what they were made from.

use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{
    FitRow, FitsState, StatisticRow, Store, StoreError, clock,
    plan::require_suite,
    statistics,
    value::{Float, count, from_json, integer, json, small},
};

const COLUMNS: &str = "metric, dataset, task, protocol, pool, score, n, n_checkpoints, slope, std_error, ci_low, ci_high, r2, q2,
    spearman, spearman_low, spearman_high, kendall, p_value, p_raw, gain, gain_low, gain_high, gain_verdict, gain_reason, verdict,
    verdict_reason, refusal, reversed, mde, cost_seconds, flags_json, metric_orientation, score_orientation, trivial, n_needed, details_json";

impl Store {
    /// Stores the fits of a suite and the statistics beside them in place of earlier ones, with the time and a digest of the finished
    /// cells that there are.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn put_fits(&mut self, suite_id: i64, fits: &[FitRow], beside: &[StatisticRow]) -> Result<(), StoreError> {
        self.write(|transaction| {
            require_suite(transaction, suite_id)?;
            let (cells, inputs_digest) = inputs(transaction, suite_id)?;
            transaction.execute("DELETE FROM fit_batch WHERE suite_id = ?1", [suite_id])?;
            transaction.execute(
                "INSERT INTO fit_batch (suite_id, created, cells, inputs_digest) VALUES (?1, ?2, ?3, ?4)",
                params![suite_id, clock::now(), integer(cells)?, inputs_digest],
            )?;
            let places: Vec<String> = (1..=39).map(|place| format!("?{place}")).collect();
            let mut insert = transaction
                .prepare(&format!("INSERT INTO fit (suite_id, position, {COLUMNS}) VALUES ({})", places.join(", ")))?;
            for (position, fit) in fits.iter().enumerate() {
                let float = |value: Option<f64>| value.map(Float);
                insert.execute(params![
                    suite_id,
                    position as i64,
                    fit.metric,
                    fit.dataset,
                    fit.task,
                    fit.protocol,
                    fit.pool,
                    fit.score,
                    fit.n,
                    fit.n_checkpoints,
                    float(fit.slope),
                    float(fit.std_error),
                    float(fit.ci_low),
                    float(fit.ci_high),
                    float(fit.r2),
                    float(fit.q2),
                    float(fit.spearman),
                    float(fit.spearman_low),
                    float(fit.spearman_high),
                    float(fit.kendall),
                    float(fit.p_value),
                    float(fit.p_raw),
                    float(fit.gain),
                    float(fit.gain_low),
                    float(fit.gain_high),
                    fit.gain_verdict,
                    fit.gain_reason,
                    fit.verdict,
                    fit.verdict_reason,
                    fit.refusal,
                    fit.reversed,
                    float(fit.mde),
                    float(fit.cost_seconds),
                    json(&fit.flags)?,
                    fit.metric_orientation,
                    fit.score_orientation,
                    fit.trivial,
                    fit.n_needed,
                    fit.details_json
                ])?;
            }
            statistics::insert(transaction, suite_id, beside)
        })
    }

    /// The stored fits of a suite, in the order given.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn fits(&self, suite_id: i64) -> Result<Vec<FitRow>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!("SELECT {COLUMNS} FROM fit WHERE suite_id = ?1 ORDER BY position"))?;
            let mut rows = statement.query([suite_id])?;
            let mut fits = Vec::new();
            while let Some(row) = rows.next()? {
                fits.push(fit_row(row)?);
            }
            Ok(fits)
        })
    }

    /// When and from which cells the stored fits of a suite were made, and whether these are still its finished cells; none
    /// if no fits are stored.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn fits_state(&self, suite_id: i64) -> Result<Option<FitsState>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let stored: Option<(String, i64, String)> = snapshot
                .query_row("SELECT created, cells, inputs_digest FROM fit_batch WHERE suite_id = ?1", [suite_id], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            let Some((created, cells, inputs_digest)) = stored else { return Ok(None) };
            let stale = inputs(snapshot, suite_id)?.1 != inputs_digest;
            Ok(Some(FitsState { created, cells: count(cells)?, inputs_digest, stale }))
        })
    }
}

/// Number and digest of what a fit is made from: the suite itself and its finished cells with their results.
fn inputs(snapshot: &Transaction<'_>, suite_id: i64) -> Result<(u64, String), StoreError> {
    let mut hasher = blake3::Hasher::new();
    let suite: String = snapshot.query_row("SELECT digest FROM suite WHERE id = ?1", [suite_id], |row| row.get(0))?;
    hasher.update(suite.as_bytes());
    let mut statement = snapshot.prepare(
        "SELECT DISTINCT c.identity, c.output_digest FROM plan_cell p JOIN cell c ON c.identity = p.identity
         WHERE p.suite_id = ?1 AND c.output_json IS NOT NULL ORDER BY c.identity",
    )?;
    let mut rows = statement.query([suite_id])?;
    let mut cells = 0;
    while let Some(row) = rows.next()? {
        hasher.update(format!("\n{} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?).as_bytes());
        cells += 1;
    }
    Ok((cells, hasher.finalize().to_hex().to_string()))
}

fn fit_row(row: &Row<'_>) -> Result<FitRow, StoreError> {
    let float = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<Float>>(column)?.map(|value| value.0));
    Ok(FitRow {
        metric: row.get(0)?,
        dataset: row.get(1)?,
        task: row.get(2)?,
        protocol: row.get(3)?,
        pool: row.get(4)?,
        score: row.get(5)?,
        n: small(row.get(6)?)?,
        n_checkpoints: small(row.get(7)?)?,
        slope: float(8)?,
        std_error: float(9)?,
        ci_low: float(10)?,
        ci_high: float(11)?,
        r2: float(12)?,
        q2: float(13)?,
        spearman: float(14)?,
        spearman_low: float(15)?,
        spearman_high: float(16)?,
        kendall: float(17)?,
        p_value: float(18)?,
        p_raw: float(19)?,
        gain: float(20)?,
        gain_low: float(21)?,
        gain_high: float(22)?,
        gain_verdict: row.get(23)?,
        gain_reason: row.get(24)?,
        verdict: row.get(25)?,
        verdict_reason: row.get(26)?,
        refusal: row.get(27)?,
        reversed: row.get(28)?,
        mde: float(29)?,
        cost_seconds: float(30)?,
        flags: from_json(&row.get::<_, String>(31)?, "flags")?,
        metric_orientation: row.get(32)?,
        score_orientation: row.get(33)?,
        trivial: row.get(34)?,
        n_needed: row.get::<_, Option<i64>>(35)?.map(small).transpose()?,
        details_json: row.get(36)?,
    })
}
