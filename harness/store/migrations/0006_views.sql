-- Schema 6. Views for common questions, so that they need no code of ours: a table is named in the singular, a view in the plural.
-- Floats in views are REAL: NaN is NULL there, and infinities are infinite; tables keep what was stored (0001_initial.sql).

-- Suites; `newest` marks the last stored of each name, which commands take where only the name is given.
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

-- Planned cells with their state and cost, one row for each key of a suite.
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

-- Cells of a suite whose identity is known, each identity once with the label of its first key. Other views start from it.
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

-- Checkpoints of the runs of a suite.
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

-- Pretraining runs and checkpoints of others, with controls and diverged runs.
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

-- Values of metrics, one row for each value and run. Of runs that share weights (controls of one size and seed), a value belongs
-- to those with the tokens and corpus that the metric was told of, if there are such.
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

-- Downstream scores, one row for each score and run. Of runs that share weights (controls of one size and seed), a fine-tuning belongs
-- to those that were trained in its number format, if there are such.
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

-- Scores of models without a language model (`baseline` is the model and its features); they belong to no run.
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

-- Fits of a score on a metric over runs, as last stored. What each number means: benchmarks/METHODOLOGY.md.
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

-- Runs of a fit: the pairs that were fitted, not oriented.
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

-- What is known of fits beyond their own row, as last stored. Kinds and names: benchmarks/METHODOLOGY.md.
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
