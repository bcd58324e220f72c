-- Schema 2. A transfer cell holds several tasks, its protocol is `probe` or `finetune`, and corpora have two more baselines.
-- What schema 1 stored is kept: definitions and results are rewritten to the form that is read now, with NaN for what was
-- not computed then. Identities and result digests stay as they were; no plan of this version makes such an identity again.

CREATE TABLE transfer_2 (
    identity TEXT PRIMARY KEY REFERENCES cell (identity),
    protocol TEXT NOT NULL CHECK (protocol IN ('probe', 'finetune')),
    weights_digest TEXT NOT NULL,
    data_digest TEXT NOT NULL,
    split_digest TEXT NOT NULL,
    dataset TEXT NOT NULL,
    -- Of a probe.
    embedding_digest TEXT,
    -- Of a fine-tuning: the transfer seed, the rate and epoch kept, and whether the rate was searched for.
    seed TEXT NOT NULL,
    learning_rate ANY,
    epoch INTEGER,
    searched INTEGER CHECK (searched IN (0, 1))
) STRICT;

CREATE TABLE transfer_task (
    identity TEXT NOT NULL REFERENCES transfer_2 (identity),
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

CREATE TABLE score_2 (
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

-- Test predictions: rows of 24 bytes, little-endian: row (u64), label (f64), prediction (f64).
CREATE TABLE prediction_2 (
    identity TEXT NOT NULL,
    task_position INTEGER NOT NULL,
    molecules INTEGER NOT NULL,
    blake3 TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (identity, task_position),
    FOREIGN KEY (identity, task_position) REFERENCES transfer_task (identity, position)
) STRICT;

INSERT INTO transfer_2 (identity, protocol, weights_digest, data_digest, split_digest, dataset, embedding_digest, seed)
    SELECT identity, protocol, weights_digest, data_digest, split_digest, dataset, embedding_digest, seed FROM transfer;
INSERT INTO transfer_task
    SELECT t.identity, 0, t.task, t.task_kind, coalesce(c.spec_json ->> '$.score', ''), NULL, t.strength, t.n_train,
        t.n_validation, t.n_test
    FROM transfer t JOIN cell c ON c.identity = t.identity;
INSERT INTO score_2
    SELECT identity, 0, position, name, value, higher_is_better, is_primary, se_test, se_seed, mean_predictor FROM score;
INSERT INTO prediction_2 SELECT identity, 0, molecules, blake3, data FROM prediction;

DROP TABLE score;
DROP TABLE prediction;
DROP TABLE transfer;
ALTER TABLE transfer_2 RENAME TO transfer;
ALTER TABLE score_2 RENAME TO score;
ALTER TABLE prediction_2 RENAME TO prediction;
CREATE INDEX transfer_weights_digest ON transfer (weights_digest);

ALTER TABLE corpus ADD COLUMN bigram_cross_entropy ANY;
ALTER TABLE corpus ADD COLUMN bigram_se ANY;
ALTER TABLE corpus ADD COLUMN two_neighbour_cross_entropy ANY;
ALTER TABLE corpus ADD COLUMN two_neighbour_se ANY;

-- By which rule a run diverged.
ALTER TABLE run ADD COLUMN divergence TEXT;

-- `->` and json_object keep every number as it is written, so no float moves.
UPDATE cell SET spec_json = json_object(
    'kind', 'transfer',
    'revision', spec_json -> '$.revision',
    'protocol', json_object(
        'kind', spec_json -> '$.protocol',
        'embedding_digest', spec_json -> '$.embedding_digest',
        'strengths', spec_json -> '$.strengths'),
    'weights_digest', spec_json -> '$.weights_digest',
    'data_digest', spec_json -> '$.data_digest',
    'split_digest', spec_json -> '$.split_digest',
    'dataset', spec_json -> '$.dataset',
    'tasks', json_array(json_object(
        'name', spec_json -> '$.task', 'kind', spec_json -> '$.task_kind', 'score', spec_json -> '$.score')),
    'bootstrap', spec_json -> '$.bootstrap',
    'seed', spec_json -> '$.seed')
WHERE kind = 'transfer';
UPDATE cell SET output_json = json_object(
    'kind', 'transfer', 'tasks', json_array(json_remove(output_json, '$.kind')))
WHERE kind = 'transfer' AND output_json IS NOT NULL;
UPDATE cell SET output_json = json_set(output_json,
    '$.bigram_cross_entropy', 'NaN', '$.bigram_se', 'NaN',
    '$.two_neighbour_cross_entropy', 'NaN', '$.two_neighbour_se', 'NaN',
    '$.coverage', json((
        SELECT coalesce(json_group_array(json_set(entry.value, '$.unknown_token_share', 'NaN')), '[]')
        FROM json_each(cell.output_json, '$.coverage') AS entry)))
WHERE kind = 'tokenise_corpus' AND output_json IS NOT NULL;
