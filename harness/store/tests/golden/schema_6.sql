PRAGMA foreign_keys = OFF;
PRAGMA application_id = 1129073986;
PRAGMA user_version = 6;
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
CREATE TABLE plan_cell (
    suite_id INTEGER NOT NULL REFERENCES suite (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    stage TEXT NOT NULL,
    label TEXT NOT NULL,
    identity TEXT REFERENCES cell (identity),
    note TEXT CHECK (note IN ('refused', 'not_applicable')),
    reason TEXT, source TEXT, tokens INTEGER, molecules INTEGER,
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
, bigram_cross_entropy ANY, bigram_se ANY, two_neighbour_cross_entropy ANY, two_neighbour_se ANY) STRICT;
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
CREATE TABLE transfer_task (
    identity TEXT NOT NULL REFERENCES "transfer" (identity),
    position INTEGER NOT NULL,
    task TEXT NOT NULL,
    task_kind TEXT NOT NULL,
    -- Name of its primary score.
    score TEXT NOT NULL,
    -- Why it has no score.
    refused TEXT,
    strength ANY,
    n_train INTEGER NOT NULL,
    n_validation INTEGER NOT NULL,
    n_test INTEGER NOT NULL,
    PRIMARY KEY (identity, position)
) STRICT;
CREATE TABLE "score" (
    identity TEXT NOT NULL,
    -- Of the task in its cell.
    task_position INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    value ANY NOT NULL,
    higher_is_better INTEGER NOT NULL CHECK (higher_is_better IN (0, 1)),
    is_primary INTEGER NOT NULL CHECK (is_primary IN (0, 1)),
    se_test ANY NOT NULL,
    se_seed ANY,
    mean_predictor ANY NOT NULL,
    PRIMARY KEY (identity, task_position, position),
    FOREIGN KEY (identity, task_position) REFERENCES transfer_task (identity, position)
) STRICT;
CREATE TABLE "prediction" (
    identity TEXT NOT NULL,
    task_position INTEGER NOT NULL,
    molecules INTEGER NOT NULL,
    blake3 TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (identity, task_position),
    FOREIGN KEY (identity, task_position) REFERENCES transfer_task (identity, position)
) STRICT;
CREATE TABLE transfer (
    identity TEXT PRIMARY KEY REFERENCES cell (identity),
    protocol TEXT NOT NULL CHECK (protocol IN ('probe', 'finetune', 'baseline')),
    -- Empty for a baseline.
    weights_digest TEXT NOT NULL,
    data_digest TEXT NOT NULL,
    split_digest TEXT NOT NULL,
    dataset TEXT NOT NULL,
    -- Of a probe.
    embedding_digest TEXT,
    -- Of a fine-tuning: the transfer seed, the rate and epoch kept, and whether the rate was searched for. Of a baseline: its seed.
    seed TEXT NOT NULL,
    learning_rate ANY,
    epoch INTEGER,
    searched INTEGER CHECK (searched IN (0, 1)),
    -- Of a baseline: model and features, such as `random forest, ecfp4 2048`.
    baseline TEXT,
    CHECK ((protocol = 'baseline') = (baseline IS NOT NULL)),
    CHECK (protocol <> 'baseline' OR weights_digest = '')
) STRICT;
CREATE INDEX transfer_weights_digest ON transfer (weights_digest);
CREATE TABLE run (
    identity TEXT PRIMARY KEY REFERENCES cell (identity),
    plugin_name TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    architecture TEXT NOT NULL,
    objective TEXT NOT NULL,
    config_json TEXT NOT NULL,
    corpus_digest TEXT,
    tokenizer_digest TEXT NOT NULL,
    tokens INTEGER,
    learning_rate ANY,
    batch INTEGER,
    seed TEXT,
    corpus_molecules INTEGER,
    non_embedding_parameters INTEGER NOT NULL,
    total_parameters INTEGER NOT NULL,
    epochs ANY,
    control INTEGER NOT NULL CHECK (control IN (0, 1)),
    diverged INTEGER NOT NULL CHECK (diverged IN (0, 1)),
    -- By which rule it diverged.
    divergence TEXT,
    -- Whether it is a checkpoint of others; of its control the seed is known.
    imported INTEGER NOT NULL CHECK (imported IN (0, 1)),
    CHECK (imported = 1 OR (corpus_digest IS NOT NULL AND tokens IS NOT NULL AND learning_rate IS NOT NULL AND batch IS NOT NULL
        AND seed IS NOT NULL AND corpus_molecules IS NOT NULL AND epochs IS NOT NULL))
) STRICT;
CREATE TABLE checkpoint (
    run TEXT NOT NULL REFERENCES run (identity),
    position INTEGER NOT NULL,
    folder TEXT NOT NULL,
    step INTEGER,
    tokens INTEGER,
    -- A checkpoint of others is taken as annealed; its run says that this is not known.
    annealed INTEGER NOT NULL CHECK (annealed IN (0, 1)),
    last INTEGER NOT NULL CHECK (last IN (0, 1)),
    learning_rate ANY,
    training_loss ANY,
    training_flops ANY,
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
    -- Facts of the run that the metric was given; they tell apart runs that share weights (controls). NULL where not known.
    tokens INTEGER,
    corpus_molecules INTEGER,
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
CREATE TABLE gate_baseline (
    name TEXT PRIMARY KEY,
    created TEXT NOT NULL,
    -- BLAKE3 of `content_json`.
    digest TEXT NOT NULL,
    content_json TEXT NOT NULL
) STRICT;
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
CREATE VIEW suites AS SELECT
    s.id AS suite_id,
    s.name AS suite,
    s.created,
    -- 1 for the last stored of this name.
    s.used = (SELECT max(o.used) FROM suite o WHERE o.name = s.name) AS newest,
    -- Verdict that the suite expects.
    s.expect,
    -- Smallest |r| that would be useful.
    CAST(CASE s.useful_effect WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE s.useful_effect END AS REAL) AS useful_effect,
    -- Planned cells.
    (SELECT count(*) FROM plan_cell p WHERE p.suite_id = s.id) AS cells,
    -- Of them computed.
    (SELECT count(*) FROM plan_cell p JOIN cell c ON c.identity = p.identity WHERE p.suite_id = s.id AND c.output_json IS NOT NULL) AS finished,
    -- When its fits were stored.
    f.created AS fitted,
    -- BLAKE3 of all that the suite says.
    s.digest
FROM suite s LEFT JOIN fit_batch f ON f.suite_id = s.id;
CREATE VIEW cells AS SELECT
    s.id AS suite_id,
    s.name AS suite,
    p.key,
    -- Place in the plan, from 0.
    p.position,
    p.stage,
    p.label,
    -- NULL until the cells it needs are done.
    p.identity,
    -- todo, running, done, refused, not_applicable, failed or diverged.
    coalesce(p.note, c.status, 'todo') AS status,
    -- Typed reason of a failure, such as time_limit.
    c.failure_kind,
    -- Why it failed, was refused or does not apply.
    coalesce(p.reason, c.reason) AS reason,
    -- How often it was started.
    coalesce(c.attempts, 0) AS attempts,
    -- Wall time of the computation.
    CAST(CASE c.seconds WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE c.seconds END AS REAL) AS seconds,
    c.started,
    c.finished,
    c.peak_rss_bytes,
    c.device,
    c.libtorch,
    c.build
FROM plan_cell p JOIN suite s ON s.id = p.suite_id LEFT JOIN cell c ON c.identity = p.identity;
CREATE VIEW bound_cells AS SELECT
    p.suite_id,
    p.identity,
    p.label,
    p.position,
    -- Of an import: where it comes from, and what the suite says of its training.
    p.source,
    p.tokens,
    p.molecules
FROM plan_cell p
WHERE p.identity IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM plan_cell q WHERE q.suite_id = p.suite_id AND q.identity = p.identity AND q.position < p.position);
CREATE VIEW checkpoints AS SELECT
    s.id AS suite_id,
    s.name AS suite,
    b.label AS run_label,
    -- Identity of the run's cell.
    k.run,
    -- Folder in the run.
    k.folder AS checkpoint,
    k.position,
    -- Optimiser steps; NULL of a checkpoint of others.
    k.step,
    -- Real tokens trained on, if known.
    coalesce(k.tokens, b.tokens) AS tokens,
    -- 1 if its learning rate was cooled down to zero.
    k.annealed,
    -- 1 for the run's last.
    k.last,
    CAST(CASE k.learning_rate WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE k.learning_rate END AS REAL) AS learning_rate,
    -- Mean of the last tenth of its steps, in nats a predicted token.
    CAST(CASE k.training_loss WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE k.training_loss END AS REAL) AS training_loss,
    -- 6 x non-embedding parameters x tokens.
    CAST(CASE k.training_flops WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE k.training_flops END AS REAL) AS training_flops,
    k.weights_digest,
    coalesce(r.corpus_molecules, b.molecules) AS corpus_molecules,
    -- Number format of the training steps.
    c.spec_json ->> '$.precision' AS precision,
    r.control,
    r.diverged
FROM bound_cells b JOIN suite s ON s.id = b.suite_id JOIN run r ON r.identity = b.identity
    JOIN cell c ON c.identity = b.identity JOIN checkpoint k ON k.run = r.identity;
CREATE VIEW runs AS SELECT
    s.id AS suite_id,
    s.name AS suite,
    b.label AS run_label,
    -- Identity of the run's cell.
    r.identity AS run,
    r.architecture,
    r.objective,
    r.config_json,
    -- 1 for a checkpoint of others and its control.
    r.imported,
    -- Where a checkpoint of others comes from.
    b.source,
    -- Name of the corpus; empty if its cell is not in the store.
    coalesce((SELECT k.corpus FROM corpus k LEFT JOIN bound_cells o ON o.suite_id = b.suite_id AND o.identity = k.identity WHERE k.train_digest = r.corpus_digest AND k.tokenizer_digest = r.tokenizer_digest ORDER BY o.identity IS NULL, k.rowid DESC LIMIT 1), '') AS corpus,
    -- Molecules of the corpus subset.
    coalesce(r.corpus_molecules, iif(r.control, NULL, b.molecules)) AS corpus_molecules,
    -- Real tokens to train on.
    coalesce(r.tokens, b.tokens) AS tokens,
    -- Decimal text: it uses all 64 bits.
    r.seed,
    r.non_embedding_parameters,
    r.total_parameters,
    -- 6 x non-embedding parameters x tokens at the last checkpoint.
    CAST(CASE coalesce(l.training_flops, iif(r.imported, 6.0 * r.non_embedding_parameters * coalesce(r.tokens, b.tokens), 0.0)) WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE coalesce(l.training_flops, iif(r.imported, 6.0 * r.non_embedding_parameters * coalesce(r.tokens, b.tokens), 0.0)) END AS REAL) AS training_flops,
    -- The highest.
    CAST(CASE r.learning_rate WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE r.learning_rate END AS REAL) AS learning_rate,
    -- Passes over the corpus subset.
    CAST(CASE r.epochs WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE r.epochs END AS REAL) AS epochs,
    r.batch,
    -- 1 for random weights, which are never counted in n.
    r.control,
    r.diverged,
    -- By which rule it diverged.
    r.divergence,
    -- Folder of the last checkpoint.
    l.folder AS last_checkpoint,
    -- Digest of its weights; empty if there is none.
    coalesce(l.weights_digest, '') AS last_weights,
    -- There, in nats a predicted token.
    CAST(CASE l.training_loss WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE l.training_loss END AS REAL) AS training_loss,
    -- There, in nats a predicted token; of several measurements the most precise. NULL if not measured.
    CAST(CASE (SELECT v.value FROM measurement m JOIN metric_value v ON v.identity = m.identity WHERE m.weights_digest = l.weights_digest AND v.is_primary AND m.metric = iif(r.objective = 'causal_lm', 'loss/clm_loss', 'loss/mlm_loss') AND m.identity IN (SELECT p.identity FROM plan_cell p WHERE p.suite_id = b.suite_id) ORDER BY typeof(v.std_error) <> 'real', v.std_error, m.identity LIMIT 1) WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE (SELECT v.value FROM measurement m JOIN metric_value v ON v.identity = m.identity WHERE m.weights_digest = l.weights_digest AND v.is_primary AND m.metric = iif(r.objective = 'causal_lm', 'loss/clm_loss', 'loss/mlm_loss') AND m.identity IN (SELECT p.identity FROM plan_cell p WHERE p.suite_id = b.suite_id) ORDER BY typeof(v.std_error) <> 'real', v.std_error, m.identity LIMIT 1) END AS REAL) AS heldout_loss,
    CAST(CASE (SELECT v.std_error FROM measurement m JOIN metric_value v ON v.identity = m.identity WHERE m.weights_digest = l.weights_digest AND v.is_primary AND m.metric = iif(r.objective = 'causal_lm', 'loss/clm_loss', 'loss/mlm_loss') AND m.identity IN (SELECT p.identity FROM plan_cell p WHERE p.suite_id = b.suite_id) ORDER BY typeof(v.std_error) <> 'real', v.std_error, m.identity LIMIT 1) WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE (SELECT v.std_error FROM measurement m JOIN metric_value v ON v.identity = m.identity WHERE m.weights_digest = l.weights_digest AND v.is_primary AND m.metric = iif(r.objective = 'causal_lm', 'loss/clm_loss', 'loss/mlm_loss') AND m.identity IN (SELECT p.identity FROM plan_cell p WHERE p.suite_id = b.suite_id) ORDER BY typeof(v.std_error) <> 'real', v.std_error, m.identity LIMIT 1) END AS REAL) AS heldout_loss_std_error,
    -- Annealed checkpoints.
    (SELECT count(*) FROM checkpoint a WHERE a.run = r.identity AND a.annealed) AS n_checkpoints,
    -- float32 or bfloat16; empty where it is not known.
    coalesce(c.spec_json ->> '$.precision', iif(r.imported, '', 'float32')) AS precision,
    r.tokenizer_digest,
    coalesce(r.corpus_digest, '') AS corpus_digest,
    -- Wall time.
    CAST(CASE c.seconds WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE c.seconds END AS REAL) AS seconds,
    c.device,
    c.libtorch
FROM bound_cells b JOIN suite s ON s.id = b.suite_id JOIN run r ON r.identity = b.identity
    JOIN cell c ON c.identity = r.identity
    LEFT JOIN checkpoint l ON l.run = r.identity
        AND l.position = (SELECT max(a.position) FROM checkpoint a WHERE a.run = r.identity AND a.last);
CREATE VIEW metric_values AS
WITH owner AS MATERIALIZED (SELECT * FROM checkpoints)
SELECT
    s.id AS suite_id,
    s.name AS suite,
    k.run_label,
    k.run,
    k.checkpoint,
    k.annealed,
    k.last,
    k.control,
    m.metric,
    m.params_json,
    m.budget,
    v.name AS value_name,
    -- 1 for the metric's primary value.
    v.is_primary,
    v.unit,
    CAST(CASE v.value WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE v.value END AS REAL) AS value,
    -- Standard error from probes or masks.
    CAST(CASE v.se_estimator WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE v.se_estimator END AS REAL) AS se_estimator,
    -- Standard error from the molecules of the sample.
    CAST(CASE v.se_sample WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE v.se_sample END AS REAL) AS se_sample,
    -- Root sum of squares of both, or the residual bound, or 0: error_kind says which.
    CAST(CASE v.std_error WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE v.std_error END AS REAL) AS std_error,
    v.error_kind,
    -- Of label-aware metrics.
    (SELECT d.dataset FROM dataset d WHERE d.data_digest = m.data_digest LIMIT 1) AS dataset,
    m.task,
    m.data_digest,
    m.split_digest,
    -- Of the sample that were used.
    m.molecules,
    -- Cost.
    CAST(CASE m.gradient_equivalents WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE m.gradient_equivalents END AS REAL) AS gradient_equivalents,
    -- budget, precision or complete.
    m.stopped,
    m.heldout_digest,
    m.tokenizer_digest,
    m.weights_digest,
    -- Identity of the measure cell.
    m.identity AS cell,
    -- Wall time of the cell.
    CAST(CASE c.seconds WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE c.seconds END AS REAL) AS seconds,
    c.device,
    c.libtorch
FROM bound_cells b JOIN suite s ON s.id = b.suite_id JOIN measurement m ON m.identity = b.identity
    JOIN cell c ON c.identity = m.identity
    JOIN owner k ON k.suite_id = b.suite_id AND k.weights_digest = m.weights_digest
    JOIN metric_value v ON v.identity = m.identity
WHERE (k.tokens IS m.tokens AND k.corpus_molecules IS m.corpus_molecules) OR NOT EXISTS (
    SELECT 1 FROM owner o WHERE o.suite_id = b.suite_id AND o.weights_digest = m.weights_digest
        AND o.tokens IS m.tokens AND o.corpus_molecules IS m.corpus_molecules);
CREATE VIEW scores AS
WITH owner AS MATERIALIZED (SELECT * FROM checkpoints)
SELECT
    s.id AS suite_id,
    s.name AS suite,
    k.run_label,
    k.run,
    k.checkpoint,
    k.annealed,
    k.last,
    k.control,
    t.dataset,
    a.task,
    a.task_kind,
    -- probe or finetune.
    t.protocol,
    -- Name, such as rmse.
    e.name AS score,
    -- 1 for the task's recommended score.
    e.is_primary,
    -- On the test molecules.
    CAST(CASE e.value WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE e.value END AS REAL) AS value,
    e.higher_is_better,
    -- Standard error over test molecules.
    CAST(CASE e.se_test WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE e.se_test END AS REAL) AS se_test,
    -- Standard error over seeds, where the cell gives one itself.
    CAST(CASE e.se_seed WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE e.se_seed END AS REAL) AS se_seed,
    -- The same score of always saying the training mean or prevalence.
    CAST(CASE e.mean_predictor WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE e.mean_predictor END AS REAL) AS mean_predictor,
    a.n_train,
    a.n_validation,
    a.n_test,
    -- Transfer seed of a fine-tuning, of a probe that of its bootstrap; decimal text.
    t.seed,
    -- Of a fine-tuning: 1 if its learning rate was searched for.
    t.searched,
    -- Of a fine-tuning: the rate kept.
    CAST(CASE t.learning_rate WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE t.learning_rate END AS REAL) AS learning_rate,
    -- Of a fine-tuning: the epoch kept.
    t.epoch,
    -- Of a probe: the regularisation kept.
    CAST(CASE a.strength WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE a.strength END AS REAL) AS strength,
    t.data_digest,
    t.split_digest,
    t.weights_digest,
    -- Identity of the transfer cell.
    t.identity AS cell,
    -- Wall time of the cell.
    CAST(CASE c.seconds WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE c.seconds END AS REAL) AS seconds,
    c.device,
    c.libtorch
FROM bound_cells b JOIN suite s ON s.id = b.suite_id JOIN transfer t ON t.identity = b.identity
    JOIN cell c ON c.identity = t.identity
    JOIN owner k ON k.suite_id = b.suite_id AND k.weights_digest = t.weights_digest
    JOIN transfer_task a ON a.identity = t.identity
    JOIN score e ON e.identity = a.identity AND e.task_position = a.position
WHERE coalesce(k.precision = c.spec_json ->> '$.protocol.precision', c.spec_json ->> '$.protocol.precision' IS NULL) OR NOT EXISTS (
    SELECT 1 FROM owner o WHERE o.suite_id = b.suite_id AND o.weights_digest = t.weights_digest
        AND o.precision = c.spec_json ->> '$.protocol.precision');
CREATE VIEW baseline_scores AS SELECT
    s.id AS suite_id,
    s.name AS suite,
    t.baseline,
    t.dataset,
    a.task,
    a.task_kind,
    e.name AS score,
    e.is_primary,
    CAST(CASE e.value WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE e.value END AS REAL) AS value,
    e.higher_is_better,
    CAST(CASE e.se_test WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE e.se_test END AS REAL) AS se_test,
    CAST(CASE e.se_seed WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE e.se_seed END AS REAL) AS se_seed,
    CAST(CASE e.mean_predictor WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE e.mean_predictor END AS REAL) AS mean_predictor,
    a.n_train,
    a.n_validation,
    a.n_test,
    -- Decimal text; 0 for a model without one.
    t.seed,
    t.data_digest,
    t.split_digest,
    t.identity AS cell,
    CAST(CASE c.seconds WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE c.seconds END AS REAL) AS seconds,
    c.device,
    c.libtorch
FROM bound_cells b JOIN suite s ON s.id = b.suite_id JOIN transfer t ON t.identity = b.identity
    JOIN cell c ON c.identity = t.identity JOIN transfer_task a ON a.identity = t.identity
    JOIN score e ON e.identity = a.identity AND e.task_position = a.position
WHERE t.baseline IS NOT NULL;
CREATE VIEW fits AS SELECT
    s.id AS suite_id,
    s.name AS suite,
    f.position,
    f.metric,
    f.dataset,
    f.task,
    f.protocol,
    f.pool,
    f.score,
    -- Runs.
    f.n,
    f.n_checkpoints,
    -- Score a standard deviation of the metric, both oriented.
    CAST(CASE f.slope WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.slope END AS REAL) AS slope,
    -- Of the slope.
    CAST(CASE f.std_error WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.std_error END AS REAL) AS std_error,
    CAST(CASE f.ci_low WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.ci_low END AS REAL) AS slope_low95,
    CAST(CASE f.ci_high WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.ci_high END AS REAL) AS slope_high95,
    CAST(CASE f.r2 WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.r2 END AS REAL) AS r2,
    -- r2 leaving one run out.
    CAST(CASE f.q2 WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.q2 END AS REAL) AS q2,
    -- Oriented.
    CAST(CASE f.spearman WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.spearman END AS REAL) AS spearman,
    CAST(CASE f.details ->> '$.spearman_interval.low90' WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.details ->> '$.spearman_interval.low90' END AS REAL) AS spearman_low90,
    CAST(CASE f.details ->> '$.spearman_interval.high90' WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.details ->> '$.spearman_interval.high90' END AS REAL) AS spearman_high90,
    CAST(CASE f.spearman_low WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.spearman_low END AS REAL) AS spearman_low95,
    CAST(CASE f.spearman_high WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.spearman_high END AS REAL) AS spearman_high95,
    CAST(CASE f.kendall WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.kendall END AS REAL) AS kendall,
    -- Holm-adjusted over the family.
    CAST(CASE f.p_value WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.p_value END AS REAL) AS p_value,
    -- Before that.
    CAST(CASE f.p_raw WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.p_raw END AS REAL) AS p_raw,
    -- Q2 that the metric adds to the trivial predictors.
    CAST(CASE f.gain WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.gain END AS REAL) AS gain,
    CAST(CASE f.details ->> '$.gain.interval.low90' WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.details ->> '$.gain.interval.low90' END AS REAL) AS gain_low90,
    CAST(CASE f.details ->> '$.gain.interval.high90' WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.details ->> '$.gain.interval.high90' END AS REAL) AS gain_high90,
    CAST(CASE f.gain_low WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.gain_low END AS REAL) AS gain_low95,
    CAST(CASE f.gain_high WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.gain_high END AS REAL) AS gain_high95,
    f.gain_verdict,
    f.gain_reason,
    -- predicts, does_not_predict, cannot_tell or refused.
    f.verdict,
    f.verdict_reason,
    f.refusal,
    -- 1 if significant in the wrong direction.
    f.reversed,
    -- Minimum detectable |r| with these runs at 80 % power.
    CAST(CASE f.mde WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.mde END AS REAL) AS mde,
    -- Runs that would detect the useful effect.
    f.n_needed,
    -- Mean wall time of the metric on a checkpoint.
    CAST(CASE f.cost_seconds WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE f.cost_seconds END AS REAL) AS cost_seconds,
    -- 1 for a trivial predictor.
    f.trivial,
    f.metric_orientation,
    f.score_orientation,
    -- Words that say what to be careful about.
    f.flags_json,
    -- Of the adjustment.
    f.details ->> '$.family' AS family,
    f.details ->> '$.family_size' AS family_size,
    -- When it was stored.
    b.created
FROM (SELECT *, iif(json_valid(details_json), details_json, '{}') AS details FROM fit) f JOIN fit_batch b ON b.suite_id = f.suite_id JOIN suite s ON s.id = f.suite_id;
CREATE VIEW points AS SELECT
    s.id AS suite_id,
    s.name AS suite,
    -- `position` in fits.
    f.position AS fit_position,
    f.metric,
    f.dataset,
    f.task,
    f.protocol,
    f.pool,
    f.score,
    -- Identity of the run's cell.
    p.value ->> '$.run' AS run,
    p.value ->> '$.label' AS run_label,
    CAST(CASE p.value ->> '$.metric' WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE p.value ->> '$.metric' END AS REAL) AS metric_value,
    CAST(CASE p.value ->> '$.metric_std_error' WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE p.value ->> '$.metric_std_error' END AS REAL) AS metric_std_error,
    -- Mean over transfer seeds.
    CAST(CASE p.value ->> '$.score' WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE p.value ->> '$.score' END AS REAL) AS score_value,
    CAST(CASE p.value ->> '$.score_se_test' WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE p.value ->> '$.score_se_test' END AS REAL) AS score_se_test,
    CAST(CASE p.value ->> '$.score_se_seed' WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE p.value ->> '$.score_se_seed' END AS REAL) AS score_se_seed,
    p.value ->> '$.transfer_seeds' AS transfer_seeds
FROM (SELECT *, iif(json_valid(details_json), details_json, '{}') AS details FROM fit) f JOIN suite s ON s.id = f.suite_id, json_each(f.details, '$.points') p;
CREATE VIEW statistics AS SELECT
    s.id AS suite_id,
    s.name AS suite,
    x.position,
    x.kind,
    x.metric,
    x.dataset,
    x.task,
    x.protocol,
    x.pool,
    x.score,
    x.name,
    -- What of several it is about, such as a covariate, a stratum or a run.
    x.term,
    CAST(CASE x.value WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE x.value END AS REAL) AS value,
    CAST(CASE x.std_error WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE x.std_error END AS REAL) AS std_error,
    CAST(CASE x.low90 WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE x.low90 END AS REAL) AS low90,
    CAST(CASE x.high90 WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE x.high90 END AS REAL) AS high90,
    CAST(CASE x.low95 WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE x.low95 END AS REAL) AS low95,
    CAST(CASE x.high95 WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE x.high95 END AS REAL) AS high95,
    CAST(CASE x.p_raw WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE x.p_raw END AS REAL) AS p_raw,
    -- Adjusted within its family.
    CAST(CASE x.p_value WHEN 'NaN' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 ELSE x.p_value END AS REAL) AS p_value,
    -- Runs (or tasks, where details_json says so).
    x.n,
    x.verdict,
    -- Typed reason why there is no value.
    x.refusal,
    x.reason,
    x.details_json
FROM statistic x JOIN suite s ON s.id = x.suite_id;
INSERT INTO suite VALUES (1, 'golden', 'digest of golden', '[suite]
name = "golden"', 'cannot_tell', 0.5, '{}', '2026-11-23T10:06:31.417Z', 1);
INSERT INTO cell VALUES ('corpus', 'tokenise', 'tokenise_corpus', '{"kind":"tokenise_corpus","revision":1,"corpus":"mixed","size":50,"heldout":10,"sources":[],"seed":18446744073709551615,"form":"canonical","tokenizer":{"kind":"smiles","max_tokens":128},"exclude":[]}', 'done', NULL, NULL, 1, '2026-11-23T10:06:31.477Z', '2026-11-23T10:06:31.489Z', '{"kind":"tokenise_corpus","corpus":"mixed","molecules":50,"tokens":1500,"heldout_molecules":10,"heldout_tokens":300,"invalid":0,"duplicates":1,"excluded":2,"truncated":0,"unigram_cross_entropy":2.5,"unigram_se":0.01,"bigram_cross_entropy":1.75,"bigram_se":0.02,"two_neighbour_cross_entropy":1.25,"two_neighbour_se":0.03,"train_digest":"train-50","heldout_digest":"heldout","tokenizer_digest":"tokenizer","coverage":[]}', 'd8523501a7bc4612df75472dff6bd9da1e08831877125c4fc212a1845a1bce8a', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO cell VALUES ('run', 'pretrain', 'pretrain', '{"kind":"pretrain","revision":1,"plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"architecture":"bert","config":{"layers":2,"width":64},"objective":"masked_lm","corpus_digest":"train-50","tokenizer_digest":"tokenizer","tokens":400,"checkpoints":2,"batch":32,"accumulate":1,"learning_rate":0.001,"schedule":{"kind":"constant_with_cooldown","warmup":0.1,"cooldown":0.2},"mask_ratio":0.15,"weight_decay":0.01,"betas":[0.9,0.98],"clip":1.0,"seed":18446744073709551615,"precision":"float32","threads":1}', 'done', NULL, NULL, 1, '2026-11-23T10:06:31.509Z', '2026-11-23T10:06:31.517Z', '{"kind":"pretrain","non_embedding_parameters":1000,"total_parameters":2000,"corpus_molecules":50,"epochs":2.5,"diverged":false,"checkpoints":[{"folder":"checkpoint-2","step":2,"tokens":200,"annealed":true,"last":false,"learning_rate":0.0,"training_loss":1.5,"training_flops":12000000.0,"weights_digest":"w-2"},{"folder":"checkpoint-3","step":3,"tokens":300,"annealed":false,"last":false,"learning_rate":0.0,"training_loss":1.5,"training_flops":18000000.0,"weights_digest":"w-3"},{"folder":"checkpoint-4","step":4,"tokens":400,"annealed":true,"last":true,"learning_rate":0.0,"training_loss":1.5,"training_flops":24000000.0,"weights_digest":"w-4"}]}', '39ede78bf4b6414b295fecf1beab0b440674e3e688351384bfd5dd2611976ed8', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO cell VALUES ('loss', 'measure', 'measure', '{"kind":"measure","revision":1,"plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"metric":"loss/mlm_loss","params":{"probes":8},"budget":"quick","checkpoint":{"weights_digest":"w-4","plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"architecture":"bert","config":{"layers":2,"width":64},"objective":"masked_lm"},"record":{"non_embedding_parameters":1000,"total_parameters":2000,"tokens":400,"corpus_molecules":50,"training_flops":1000000000.0},"heldout_digest":"heldout","tokenizer_digest":"tokenizer","seed":3,"precision":"float32","threads":1}', 'done', NULL, NULL, 1, '2026-11-23T10:06:31.521Z', '2026-11-23T10:06:31.534Z', '{"kind":"measure","values":[{"name":"loss","value":1.5,"unit":"nats","se_estimator":"NaN","se_sample":null,"std_error":0.125,"error_kind":"statistical","primary":true},{"name":"spread","value":"NaN","unit":"nats","se_estimator":null,"se_sample":null,"std_error":0.125,"error_kind":"statistical","primary":false}],"molecules":4096,"gradient_equivalents":0.3333333333333333,"stopped":"complete"}', '064c96413268effe7cfa68cf6036b52c5ca7fecf4c0ddb04e3fdf860600e80c7', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO cell VALUES ('transfer', 'transfer', 'transfer', '{"kind":"transfer","revision":2,"protocol":{"kind":"probe","embedding_digest":"embedding","strengths":[0.1,1.0]},"weights_digest":"w-4","data_digest":"data","split_digest":"split","dataset":"freesolv","tasks":[{"name":"expt","kind":"regression","score":"rmse"}],"bootstrap":1000,"seed":5}', 'done', NULL, NULL, 1, '2026-11-23T10:06:31.550Z', '2026-11-23T10:06:31.559Z', '{"kind":"transfer","tasks":[{"task":"expt","task_kind":"regression","counts":[513,64,65],"strength":1.0,"validation":[[0.1,2.0],[1.0,"inf"]],"scores":[{"name":"rmse","value":2.5,"higher_is_better":false,"primary":true,"se_test":0.1,"se_seed":null,"mean_predictor":4.2},{"name":"r2","value":"-inf","higher_is_better":true,"primary":false,"se_test":0.1,"se_seed":null,"mean_predictor":4.2}],"predictions":[]}]}', '96d13d588ca012e628a1f00b1378e61b2f935d1f683e79da96c40a419e68ac3c', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO cell VALUES ('finetune', 'transfer', 'transfer', '{"kind":"transfer","revision":2,"protocol":{"kind":"finetune","checkpoint":{"weights_digest":"w-4","plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"architecture":"bert","config":{"layers":2,"width":64},"objective":"masked_lm"},"tokenizer_digest":"tokenizer","learning_rates":[0.0001,0.0003],"searched":true,"epochs":3,"patience":5,"batch":32,"warmup":0.1,"weight_decay":0.01,"betas":[0.9,0.999],"clip":1.0,"seed":5000,"precision":"float32","threads":1},"weights_digest":"w-4","data_digest":"toxic","split_digest":"toxic split","dataset":"tox21","tasks":[{"name":"nr-ar","kind":"classification","score":"roc_auc"},{"name":"sr-p53","kind":"classification","score":"roc_auc"}],"bootstrap":1000,"seed":5}', 'done', NULL, NULL, 1, '2026-11-23T10:06:31.569Z', '2026-11-23T10:06:31.585Z', '{"kind":"transfer","tasks":[{"task":"nr-ar","task_kind":"classification","counts":[400,50,51],"scores":[{"name":"roc_auc","value":0.75,"higher_is_better":true,"primary":true,"se_test":0.1,"se_seed":null,"mean_predictor":0.5},{"name":"pr_auc","value":0.3,"higher_is_better":true,"primary":false,"se_test":0.1,"se_seed":null,"mean_predictor":0.1}],"predictions":[]},{"task":"sr-p53","task_kind":"classification","counts":[400,50,48],"refused":"the test molecules are all of class 0","scores":[],"predictions":[]}],"finetune":{"tried":[{"learning_rate":0.0001,"validation":[0.6,0.5],"training":[0.7,0.4],"diverged":false},{"learning_rate":0.0003,"validation":["NaN"],"training":["inf"],"diverged":true}],"learning_rate":0.0001,"epoch":2,"weights_file":"end.safetensors","relative_displacement":0.01}}', '3efcfaa66a10a221e526c8d81c922ecb6455b450819f3b5a1667153adf129490', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO cell VALUES ('slow', 'measure', 'measure', '{"kind":"measure","revision":1,"plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"metric":"hessian/trace","params":{"probes":8},"budget":"quick","checkpoint":{"weights_digest":"w-4","plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"architecture":"bert","config":{"layers":2,"width":64},"objective":"masked_lm"},"record":{"non_embedding_parameters":1000,"total_parameters":2000,"tokens":400,"corpus_molecules":50,"training_flops":1000000000.0},"heldout_digest":"heldout","tokenizer_digest":"tokenizer","seed":3,"precision":"float32","threads":1}', 'running', NULL, NULL, 1, '2026-11-23T10:06:31.709Z', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO cell VALUES ('forest', 'transfer', 'transfer', '{"kind":"transfer","revision":2,"protocol":{"kind":"baseline","features":{"kind":"ecfp4","bits":2048},"model":{"kind":"random_forest","trees":100},"seed":5000,"threads":2},"weights_digest":"","data_digest":"data","split_digest":"split","dataset":"freesolv","tasks":[{"name":"expt","kind":"regression","score":"rmse"}],"bootstrap":1000,"seed":5}', 'done', NULL, NULL, 0, NULL, '2026-11-23T10:06:31.617Z', '{"kind":"transfer","tasks":[{"task":"expt","task_kind":"regression","counts":[513,64,65],"scores":[{"name":"rmse","value":1.75,"higher_is_better":false,"primary":true,"se_test":0.1,"se_seed":null,"mean_predictor":4.2},{"name":"r2","value":"-inf","higher_is_better":true,"primary":false,"se_test":0.1,"se_seed":null,"mean_predictor":4.2}],"predictions":[]}]}', '80d199ea777dbf8f4516d25a178206a35b9d8da059ed57c45fa9e3501fb255a0', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO cell VALUES ('import', 'import', 'import', '{"kind":"import","revision":1,"plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"architecture":"bert","files":[{"name":"model.safetensors","sha256":"cd"}],"max_tokens":128,"threads":2}', 'done', NULL, NULL, 0, NULL, '2026-11-23T10:06:31.645Z', '{"kind":"import","architecture":"bert","config":{"layers":2,"width":64},"objective":"masked_lm","non_embedding_parameters":1000,"total_parameters":2000,"vocabulary":600,"tokenizer_entries":591,"tokenizer_kind":"WordPiece","max_tokens":128,"max_positions":512,"tokenizer_digest":"theirs","special":{"pad":0,"unknown":1,"start":2,"end":3,"mask":4},"head_is_random":false,"checkpoint":{"folder":"checkpoint-0","step":0,"tokens":0,"annealed":true,"last":true,"learning_rate":0.0,"training_loss":"NaN","training_flops":0.0,"weights_digest":"imported"},"notes":["the pooler is absent"]}', '3be52caa0765b671e5d90c89cf977de2bafe7c5b5deed42f192bf1ec15b910b8', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO cell VALUES ('told', 'import', 'import', '{"kind":"import","revision":1,"plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"architecture":"bert","files":[{"name":"model.safetensors","sha256":"cd"}],"max_tokens":64,"threads":2}', 'done', NULL, NULL, 0, NULL, '2026-11-23T10:06:31.662Z', '{"kind":"import","architecture":"bert","config":{"layers":2,"width":64},"objective":"masked_lm","non_embedding_parameters":1000,"total_parameters":2000,"vocabulary":600,"tokenizer_entries":591,"tokenizer_kind":"WordPiece","max_tokens":128,"max_positions":512,"tokenizer_digest":"theirs","special":{"pad":0,"unknown":1,"start":2,"end":3,"mask":4},"head_is_random":false,"checkpoint":{"folder":"checkpoint-0","step":0,"tokens":0,"annealed":true,"last":true,"learning_rate":0.0,"training_loss":"NaN","training_flops":0.0,"weights_digest":"told"},"notes":["the pooler is absent"]}', '76e695b8b9be823c93a18aa84ac80da2aa2c021511200fe93e264737c2676b04', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO cell VALUES ('random', 'import', 'import', '{"kind":"import","revision":1,"plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"architecture":"bert","files":[{"name":"model.safetensors","sha256":"cd"}],"max_tokens":128,"control":3000,"threads":2}', 'done', NULL, NULL, 0, NULL, '2026-11-23T10:06:31.685Z', '{"kind":"import","architecture":"bert","config":{"layers":2,"width":64},"objective":"masked_lm","non_embedding_parameters":1000,"total_parameters":2000,"vocabulary":600,"tokenizer_entries":591,"tokenizer_kind":"WordPiece","max_tokens":128,"max_positions":512,"tokenizer_digest":"theirs","special":{"pad":0,"unknown":1,"start":2,"end":3,"mask":4},"head_is_random":false,"checkpoint":{"folder":"checkpoint-0","step":0,"tokens":0,"annealed":true,"last":true,"learning_rate":0.0,"training_loss":"NaN","training_flops":0.0,"weights_digest":"random"},"notes":["the pooler is absent"]}', '08abaa3c9ff11b30be770f0638110c9f533a86ecdcedaad0b20e73e84850993b', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO cell VALUES ('foreign', 'measure', 'measure', '{"kind":"measure","revision":1,"plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"metric":"loss/mlm_loss","params":{"probes":8},"budget":"quick","checkpoint":{"weights_digest":"imported","plugin":{"name":"clmbench-plugin-x","version":"0.1.0"},"architecture":"bert","config":{"layers":2,"width":64},"objective":"masked_lm"},"record":{"non_embedding_parameters":1000,"total_parameters":2000},"heldout_digest":"heldout","tokenizer_digest":"tokenizer","seed":3,"precision":"float32","threads":1}', 'done', NULL, NULL, 0, NULL, '2026-11-23T10:06:31.701Z', '{"kind":"measure","values":[{"name":"loss","value":1.25,"unit":"nats","se_estimator":"NaN","se_sample":null,"std_error":0.125,"error_kind":"statistical","primary":true},{"name":"spread","value":0.5,"unit":"nats","se_estimator":null,"se_sample":null,"std_error":0.125,"error_kind":"statistical","primary":false}],"molecules":4096,"gradient_equivalents":0.3333333333333333,"stopped":"complete"}', '7224fe7220e2bdad0341d8305d95226ef27aac32c50a8805d0528b5db52d8f88', '[{"path":"a/b.bin","blake3":"00","bytes":7}]', 1.25, 8589934592, 'cpu', '2.11.0', 'test');
INSERT INTO plan_cell VALUES (1, 'corpus', 0, 'tokenise', 'label of corpus', 'corpus', NULL, NULL, NULL, NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'run', 1, 'pretrain', 'label of run', 'run', NULL, NULL, NULL, NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'loss', 2, 'measure', 'label of loss', 'loss', NULL, NULL, NULL, NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'transfer', 3, 'transfer', 'label of transfer', 'transfer', NULL, NULL, NULL, NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'finetune', 4, 'transfer', 'label of finetune', 'finetune', NULL, NULL, NULL, NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'forest', 5, 'transfer', 'label of forest', 'forest', NULL, NULL, NULL, NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'import', 6, 'import', 'label of import', 'import', NULL, NULL, 'folder:chemberta', NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'told', 7, 'import', 'label of told', 'told', NULL, NULL, 'folder:chemberta', 7000, 90);
INSERT INTO plan_cell VALUES (1, 'random', 8, 'import', 'label of random', 'random', NULL, NULL, 'folder:chemberta', NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'foreign', 9, 'measure', 'label of foreign', 'foreign', NULL, NULL, NULL, NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'slow', 10, 'measure', 'label of slow', 'slow', NULL, NULL, NULL, NULL, NULL);
INSERT INTO plan_cell VALUES (1, 'odd', 11, 'measure', 'label of odd', NULL, 'not_applicable', 'needs a causal model', NULL, NULL, NULL);
INSERT INTO plan_dependency VALUES (1, 'run', 0, 'corpus');
INSERT INTO plan_dependency VALUES (1, 'loss', 0, 'run');
INSERT INTO plan_dependency VALUES (1, 'loss', 1, 'corpus');
INSERT INTO plan_dependency VALUES (1, 'transfer', 0, 'run');
INSERT INTO plan_dependency VALUES (1, 'finetune', 0, 'run');
INSERT INTO plan_dependency VALUES (1, 'foreign', 0, 'import');
INSERT INTO plan_dependency VALUES (1, 'slow', 0, 'run');
INSERT INTO plan_dependency VALUES (1, 'odd', 0, 'run');
INSERT INTO corpus VALUES ('corpus', 'mixed', 50, 1500, 10, 300, 2.5, 0.01, 'train-50', 'heldout', 'tokenizer', 1.75, 0.02, 1.25, 0.03);
INSERT INTO metric_value VALUES ('loss', 0, 'loss', 1.5, 'nats', 'NaN', NULL, 0.125, 'statistical', 1);
INSERT INTO metric_value VALUES ('loss', 1, 'spread', 'NaN', 'nats', NULL, NULL, 0.125, 'statistical', 0);
INSERT INTO metric_value VALUES ('foreign', 0, 'loss', 1.25, 'nats', 'NaN', NULL, 0.125, 'statistical', 1);
INSERT INTO metric_value VALUES ('foreign', 1, 'spread', 0.5, 'nats', NULL, NULL, 0.125, 'statistical', 0);
INSERT INTO fit_batch VALUES (1, '2026-11-23T10:06:31.717Z', 10, '507a83dcc8ad4e4806a0d622d5a35e9137cb6f3460d44b49f8311eb789fcf309');
INSERT INTO fit VALUES (1, 0, 'loss/mlm_loss', '', '', '', '', '', 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'cannot_tell', NULL, NULL, 0, 0.85, NULL, '[]', '', '', 0, NULL, '');
INSERT INTO transfer_task VALUES ('transfer', 0, 'expt', 'regression', 'rmse', NULL, 1.0, 513, 64, 65);
INSERT INTO transfer_task VALUES ('finetune', 0, 'nr-ar', 'classification', 'roc_auc', NULL, NULL, 400, 50, 51);
INSERT INTO transfer_task VALUES ('finetune', 1, 'sr-p53', 'classification', 'roc_auc', 'the test molecules are all of class 0', NULL, 400, 50, 48);
INSERT INTO transfer_task VALUES ('forest', 0, 'expt', 'regression', 'rmse', NULL, NULL, 513, 64, 65);
INSERT INTO score VALUES ('transfer', 0, 0, 'rmse', 2.5, 0, 1, 0.1, NULL, 4.2);
INSERT INTO score VALUES ('transfer', 0, 1, 'r2', '-inf', 1, 0, 0.1, NULL, 4.2);
INSERT INTO score VALUES ('finetune', 0, 0, 'roc_auc', 0.75, 1, 1, 0.1, NULL, 0.5);
INSERT INTO score VALUES ('finetune', 0, 1, 'pr_auc', 0.3, 1, 0, 0.1, NULL, 0.1);
INSERT INTO score VALUES ('forest', 0, 0, 'rmse', 1.75, 0, 1, 0.1, NULL, 4.2);
INSERT INTO score VALUES ('forest', 0, 1, 'r2', '-inf', 1, 0, 0.1, NULL, 4.2);
INSERT INTO prediction VALUES ('transfer', 0, 2, 'd72cd1502ed167e0fda501754499060508da56bd928deddae78de16ddd77d3ce', X'0300000000000000000000000000F03F000000000000E0BF09000000000000000000000000000040000000000000F07F');
INSERT INTO prediction VALUES ('finetune', 0, 1, '0d6d1caf9878aacdfa8a523f3e0042959c7e626b1f0bcc372ff44596ea9e6968', X'0700000000000000000000000000F03F000000000000EC3F');
INSERT INTO prediction VALUES ('finetune', 1, 0, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262', X'');
INSERT INTO prediction VALUES ('forest', 0, 1, '37adb32a5e26e75af0437aed65d18149c45b7e4606572b34da689df60a043922', X'0300000000000000000000000000F03F000000000000E0BF');
INSERT INTO transfer VALUES ('transfer', 'probe', 'w-4', 'data', 'split', 'freesolv', 'embedding', '5', NULL, NULL, NULL, NULL);
INSERT INTO transfer VALUES ('finetune', 'finetune', 'w-4', 'toxic', 'toxic split', 'tox21', NULL, '5000', 0.0001, 2, 1, NULL);
INSERT INTO transfer VALUES ('forest', 'baseline', '', 'data', 'split', 'freesolv', NULL, '5000', NULL, NULL, NULL, 'random forest 100, ecfp4 2048');
INSERT INTO run VALUES ('run', 'clmbench-plugin-x', '0.1.0', 'bert', 'masked_lm', '{"layers":2,"width":64}', 'train-50', 'tokenizer', 400, 0.001, 32, '18446744073709551615', 50, 1000, 2000, 2.5, 0, 0, NULL, 0);
INSERT INTO run VALUES ('import', 'clmbench-plugin-x', '0.1.0', 'bert', 'masked_lm', '{"layers":2,"width":64}', NULL, 'theirs', NULL, NULL, NULL, NULL, NULL, 1000, 2000, NULL, 0, 0, NULL, 1);
INSERT INTO run VALUES ('told', 'clmbench-plugin-x', '0.1.0', 'bert', 'masked_lm', '{"layers":2,"width":64}', NULL, 'theirs', NULL, NULL, NULL, NULL, NULL, 1000, 2000, NULL, 0, 0, NULL, 1);
INSERT INTO run VALUES ('random', 'clmbench-plugin-x', '0.1.0', 'bert', 'masked_lm', '{"layers":2,"width":64}', NULL, 'theirs', 0, NULL, NULL, '3000', NULL, 1000, 2000, NULL, 1, 0, NULL, 1);
INSERT INTO checkpoint VALUES ('run', 0, 'checkpoint-2', 2, 200, 1, 0, 0.0, 1.5, 12000000.0, 'w-2');
INSERT INTO checkpoint VALUES ('run', 1, 'checkpoint-3', 3, 300, 0, 0, 0.0, 1.5, 18000000.0, 'w-3');
INSERT INTO checkpoint VALUES ('run', 2, 'checkpoint-4', 4, 400, 1, 1, 0.0, 1.5, 24000000.0, 'w-4');
INSERT INTO checkpoint VALUES ('import', 0, 'checkpoint-0', NULL, NULL, 1, 1, NULL, NULL, NULL, 'imported');
INSERT INTO checkpoint VALUES ('told', 0, 'checkpoint-0', NULL, NULL, 1, 1, NULL, NULL, NULL, 'told');
INSERT INTO checkpoint VALUES ('random', 0, 'checkpoint-0', NULL, 0, 1, 1, NULL, NULL, NULL, 'random');
INSERT INTO measurement VALUES ('loss', 'clmbench-plugin-x', '0.1.0', 'loss/mlm_loss', '{"probes":8}', 'quick', 'w-4', 400, 50, 'heldout', 'tokenizer', NULL, NULL, NULL, 4096, 3.333333333333333148e-01, 'complete');
INSERT INTO measurement VALUES ('foreign', 'clmbench-plugin-x', '0.1.0', 'loss/mlm_loss', '{"probes":8}', 'quick', 'imported', NULL, NULL, 'heldout', 'tokenizer', NULL, NULL, NULL, 4096, 3.333333333333333148e-01, 'complete');
INSERT INTO statistic VALUES (1, 0, 'regression', 'loss/mlm_loss', 'freesolv', 'expt', 'probe', 'a pool', 'rmse', 'partial_r2', 'log tokens', 3.000000000000000445e-01, 'NaN', 0.25, 'inf', '-inf', 0.75, 0.01, 0.05, 24, NULL, NULL, NULL, '{"terms":3}');
INSERT INTO statistic VALUES (1, 1, 'regression', 'loss/mlm_loss', 'freesolv', 'expt', 'probe', 'a pool', 'rmse', 'intercept', 'log tokens', NULL, 'NaN', 0.25, 'inf', '-inf', 0.75, 0.01, 0.05, 2, NULL, 'too_few', '2 runs; 4 are needed', '{"terms":3}');
INSERT INTO statistic VALUES (1, 2, 'stability', NULL, NULL, NULL, NULL, NULL, NULL, 'kendall', NULL, 0.5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 32, 'cannot_tell', NULL, NULL, NULL);
INSERT INTO gate_baseline VALUES ('main', '2026-11-23T10:06:31.722Z', '5ee93af19a6289eb9bb2e3cb910d6193753082ecf0cdd0b1e109d426e3ea0a99', '{"margins":{"freesolv":0.19}}');
INSERT INTO gate_judgement VALUES (1, '2026-11-23T10:06:31.726Z', 'main', '5ee93af19a6289eb9bb2e3cb910d6193753082ecf0cdd0b1e109d426e3ea0a99', 'folder:damaged', 'worse', '{"tasks":[]}');
