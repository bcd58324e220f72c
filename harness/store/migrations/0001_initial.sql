-- Schema 1. All tables are STRICT.
-- Floats are of type ANY: REAL when finite, the texts 'NaN', 'inf' and '-inf' otherwise, NULL when absent. (SQLite itself
-- turns NaN into NULL.) So `WHERE typeof(value) = 'real'` keeps the finite ones, and every bit survives.
-- Times are RFC 3339 in UTC. Seeds are decimal texts, since they use all 64 bits.

CREATE TABLE plugin (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    path TEXT NOT NULL,
    manifest_json TEXT NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (name, version, digest)
) STRICT;

CREATE TABLE architecture_info (
    plugin_name TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    plugin_digest TEXT NOT NULL,
    architecture TEXT NOT NULL,
    info_json TEXT NOT NULL,
    PRIMARY KEY (plugin_name, plugin_version, plugin_digest, architecture),
    FOREIGN KEY (plugin_name, plugin_version, plugin_digest) REFERENCES plugin (name, version, digest) ON DELETE CASCADE
) STRICT;

CREATE TABLE metric_info (
    plugin_name TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    plugin_digest TEXT NOT NULL,
    metric TEXT NOT NULL,
    info_json TEXT NOT NULL,
    PRIMARY KEY (plugin_name, plugin_version, plugin_digest, metric),
    FOREIGN KEY (plugin_name, plugin_version, plugin_digest) REFERENCES plugin (name, version, digest) ON DELETE CASCADE
) STRICT;

CREATE TABLE suite (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    toml TEXT NOT NULL,
    expect TEXT,
    useful_effect ANY NOT NULL,
    plan_json TEXT NOT NULL,
    created TEXT NOT NULL,
    used INTEGER NOT NULL
) STRICT;

CREATE TABLE cell (
    identity TEXT PRIMARY KEY,
    stage TEXT NOT NULL,
    kind TEXT NOT NULL,
    spec_json TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('todo', 'running', 'done', 'failed', 'diverged')),
    failure_kind TEXT,
    reason TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    started TEXT,
    finished TEXT,
    -- Of a finished cell. The predictions of a transfer cell are not here but in `prediction`.
    output_json TEXT,
    output_digest TEXT,
    files_json TEXT,
    seconds ANY,
    peak_rss_bytes INTEGER,
    device TEXT,
    libtorch TEXT,
    build TEXT,
    CHECK ((status IN ('done', 'diverged')) = (output_json IS NOT NULL))
) STRICT;

-- A cell of a suite's plan. `note` is 'refused' or 'not_applicable'; the status of other cells is that of their identity.
CREATE TABLE plan_cell (
    suite_id INTEGER NOT NULL REFERENCES suite (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    stage TEXT NOT NULL,
    label TEXT NOT NULL,
    identity TEXT REFERENCES cell (identity),
    note TEXT CHECK (note IN ('refused', 'not_applicable')),
    reason TEXT,
    PRIMARY KEY (suite_id, key),
    CHECK (note IS NULL OR identity IS NULL)
) STRICT;
CREATE INDEX plan_cell_identity ON plan_cell (identity);
CREATE INDEX plan_cell_key ON plan_cell (key);

CREATE TABLE plan_dependency (
    suite_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    depends_on TEXT NOT NULL,
    PRIMARY KEY (suite_id, key, position),
    FOREIGN KEY (suite_id, key) REFERENCES plan_cell (suite_id, key) ON DELETE CASCADE
) STRICT;
CREATE INDEX plan_dependency_depends_on ON plan_dependency (suite_id, depends_on);

CREATE TABLE corpus (
    identity TEXT PRIMARY KEY REFERENCES cell (identity),
    corpus TEXT NOT NULL,
    molecules INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    heldout_molecules INTEGER NOT NULL,
    heldout_tokens INTEGER NOT NULL,
    unigram_cross_entropy ANY NOT NULL,
    unigram_se ANY NOT NULL,
    train_digest TEXT NOT NULL,
    heldout_digest TEXT NOT NULL,
    tokenizer_digest TEXT NOT NULL
) STRICT;
CREATE INDEX corpus_train_digest ON corpus (train_digest);

CREATE TABLE dataset (
    identity TEXT PRIMARY KEY REFERENCES cell (identity),
    source TEXT NOT NULL,
    dataset TEXT NOT NULL,
    molecules INTEGER NOT NULL,
    n_train INTEGER NOT NULL,
    n_validation INTEGER NOT NULL,
    n_test INTEGER NOT NULL,
    split TEXT NOT NULL,
    data_digest TEXT NOT NULL,
    split_digest TEXT NOT NULL,
    tokenizer_digest TEXT NOT NULL
) STRICT;

CREATE TABLE task (
    identity TEXT NOT NULL REFERENCES dataset (identity),
    position INTEGER NOT NULL,
    task TEXT NOT NULL,
    kind TEXT NOT NULL,
    unit TEXT NOT NULL,
    score TEXT NOT NULL,
    train_sd ANY,
    PRIMARY KEY (identity, position)
) STRICT;

CREATE TABLE run (
    identity TEXT PRIMARY KEY REFERENCES cell (identity),
    plugin_name TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    architecture TEXT NOT NULL,
    objective TEXT NOT NULL,
    config_json TEXT NOT NULL,
    corpus_digest TEXT NOT NULL,
    tokenizer_digest TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    learning_rate ANY NOT NULL,
    batch INTEGER NOT NULL,
    seed TEXT NOT NULL,
    corpus_molecules INTEGER NOT NULL,
    non_embedding_parameters INTEGER NOT NULL,
    total_parameters INTEGER NOT NULL,
    epochs ANY NOT NULL,
    control INTEGER NOT NULL CHECK (control IN (0, 1)),
    diverged INTEGER NOT NULL CHECK (diverged IN (0, 1))
) STRICT;

CREATE TABLE checkpoint (
    run TEXT NOT NULL REFERENCES run (identity),
    position INTEGER NOT NULL,
    folder TEXT NOT NULL,
    step INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    annealed INTEGER NOT NULL CHECK (annealed IN (0, 1)),
    last INTEGER NOT NULL CHECK (last IN (0, 1)),
    learning_rate ANY NOT NULL,
    training_loss ANY NOT NULL,
    training_flops ANY NOT NULL,
    weights_digest TEXT NOT NULL,
    PRIMARY KEY (run, position)
) STRICT;
CREATE INDEX checkpoint_weights_digest ON checkpoint (weights_digest);

CREATE TABLE measurement (
    identity TEXT PRIMARY KEY REFERENCES cell (identity),
    plugin_name TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    metric TEXT NOT NULL,
    params_json TEXT NOT NULL,
    budget TEXT NOT NULL,
    weights_digest TEXT NOT NULL,
    -- Facts of the run that the metric was given; they tell apart runs that share weights (controls).
    tokens INTEGER NOT NULL,
    corpus_molecules INTEGER NOT NULL,
    heldout_digest TEXT NOT NULL,
    tokenizer_digest TEXT NOT NULL,
    data_digest TEXT,
    split_digest TEXT,
    task TEXT,
    molecules INTEGER NOT NULL,
    gradient_equivalents ANY NOT NULL,
    stopped TEXT NOT NULL
) STRICT;
CREATE INDEX measurement_weights_digest ON measurement (weights_digest);

CREATE TABLE metric_value (
    identity TEXT NOT NULL REFERENCES measurement (identity),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    value ANY NOT NULL,
    unit TEXT NOT NULL,
    se_estimator ANY,
    se_sample ANY,
    std_error ANY NOT NULL,
    error_kind TEXT NOT NULL,
    is_primary INTEGER NOT NULL CHECK (is_primary IN (0, 1)),
    PRIMARY KEY (identity, position)
) STRICT;

CREATE TABLE transfer (
    identity TEXT PRIMARY KEY REFERENCES cell (identity),
    protocol TEXT NOT NULL,
    weights_digest TEXT NOT NULL,
    embedding_digest TEXT NOT NULL,
    data_digest TEXT NOT NULL,
    split_digest TEXT NOT NULL,
    dataset TEXT NOT NULL,
    task TEXT NOT NULL,
    task_kind TEXT NOT NULL,
    strength ANY NOT NULL,
    seed TEXT NOT NULL,
    n_train INTEGER NOT NULL,
    n_validation INTEGER NOT NULL,
    n_test INTEGER NOT NULL
) STRICT;
CREATE INDEX transfer_weights_digest ON transfer (weights_digest);

CREATE TABLE score (
    identity TEXT NOT NULL REFERENCES transfer (identity),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    value ANY NOT NULL,
    higher_is_better INTEGER NOT NULL CHECK (higher_is_better IN (0, 1)),
    is_primary INTEGER NOT NULL CHECK (is_primary IN (0, 1)),
    se_test ANY NOT NULL,
    se_seed ANY,
    mean_predictor ANY NOT NULL,
    PRIMARY KEY (identity, position)
) STRICT;

-- Test predictions: rows of 24 bytes, little-endian: row (u64), label (f64), prediction (f64).
CREATE TABLE prediction (
    identity TEXT PRIMARY KEY REFERENCES transfer (identity),
    molecules INTEGER NOT NULL,
    blake3 TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE fit_batch (
    suite_id INTEGER PRIMARY KEY REFERENCES suite (id) ON DELETE CASCADE,
    created TEXT NOT NULL,
    cells INTEGER NOT NULL,
    inputs_digest TEXT NOT NULL
) STRICT;

CREATE TABLE fit (
    suite_id INTEGER NOT NULL REFERENCES fit_batch (suite_id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    metric TEXT NOT NULL,
    dataset TEXT NOT NULL,
    task TEXT NOT NULL,
    protocol TEXT NOT NULL,
    pool TEXT NOT NULL,
    score TEXT NOT NULL,
    n INTEGER NOT NULL,
    n_checkpoints INTEGER NOT NULL,
    slope ANY,
    std_error ANY,
    ci_low ANY,
    ci_high ANY,
    r2 ANY,
    q2 ANY,
    spearman ANY,
    spearman_low ANY,
    spearman_high ANY,
    kendall ANY,
    p_value ANY,
    p_raw ANY,
    gain ANY,
    gain_low ANY,
    gain_high ANY,
    gain_verdict TEXT,
    gain_reason TEXT,
    verdict TEXT NOT NULL,
    verdict_reason TEXT,
    refusal TEXT,
    reversed INTEGER NOT NULL CHECK (reversed IN (0, 1)),
    mde ANY,
    cost_seconds ANY,
    flags_json TEXT NOT NULL,
    metric_orientation TEXT NOT NULL,
    score_orientation TEXT NOT NULL,
    trivial INTEGER NOT NULL CHECK (trivial IN (0, 1)),
    n_needed INTEGER,
    details_json TEXT NOT NULL,
    PRIMARY KEY (suite_id, position)
) STRICT;
