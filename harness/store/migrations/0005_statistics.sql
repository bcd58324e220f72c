-- Schema 5. What is known of fits beyond their own row, and the baselines and judgements of the gate.

-- One number with its uncertainty: of a fit, of a metric over all tasks, of a task, or of the whole suite. Columns that do not apply
-- are NULL. Kinds and names: benchmarks/METHODOLOGY.md.
CREATE TABLE statistic (
    suite_id INTEGER NOT NULL REFERENCES fit_batch (suite_id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    -- As in `fit`; NULL where it is not of one metric.
    metric TEXT,
    -- NULL where it is over all datasets or tasks.
    dataset TEXT,
    task TEXT,
    protocol TEXT,
    pool TEXT,
    score TEXT,
    -- The number, such as `partial_r2`.
    name TEXT NOT NULL,
    -- What of several it is about, such as a covariate, a stratum or a run.
    term TEXT,
    value ANY,
    std_error ANY,
    low90 ANY,
    high90 ANY,
    low95 ANY,
    high95 ANY,
    p_raw ANY,
    -- Adjusted within its family.
    p_value ANY,
    -- Runs (or tasks, where `details_json` says so).
    n INTEGER NOT NULL,
    verdict TEXT,
    -- Typed reason why there is no value, such as `too_few`.
    refusal TEXT,
    -- The verdict or the refusal in words.
    reason TEXT,
    details_json TEXT,
    PRIMARY KEY (suite_id, position)
) STRICT;

-- What a candidate is compared with: frozen scores, predictions, splits and margins, as JSON.
CREATE TABLE gate_baseline (
    name TEXT PRIMARY KEY,
    created TEXT NOT NULL,
    -- BLAKE3 of `content_json`.
    digest TEXT NOT NULL,
    content_json TEXT NOT NULL
) STRICT;

-- What came out of a gate, as JSON; the newest last.
CREATE TABLE gate_judgement (
    id INTEGER PRIMARY KEY,
    created TEXT NOT NULL,
    baseline TEXT NOT NULL,
    -- Digest of the baseline at that time.
    baseline_digest TEXT NOT NULL,
    candidate TEXT NOT NULL,
    verdict TEXT NOT NULL,
    content_json TEXT NOT NULL
) STRICT;
