-- Schema 4. A run may be a checkpoint of others, of whose training little is known: NULL where it is not. What a suite says of it
-- (where it comes from, its tokens and molecules) belongs to the suite's plan. Tables are made anew, since SQLite changes no
-- constraint; what refers to their rows is satisfied again at the commit.

PRAGMA defer_foreign_keys = ON;

-- Of an import: `hub:owner/name@commit` or `folder:name`; tokens and molecules of its training, if the suite says so.
ALTER TABLE plan_cell ADD COLUMN source TEXT;
ALTER TABLE plan_cell ADD COLUMN tokens INTEGER;
ALTER TABLE plan_cell ADD COLUMN molecules INTEGER;

CREATE TABLE run_3 AS SELECT * FROM run;
DROP TABLE run;
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
INSERT INTO run
    SELECT identity, plugin_name, plugin_version, architecture, objective, config_json, corpus_digest, tokenizer_digest, tokens,
        learning_rate, batch, seed, corpus_molecules, non_embedding_parameters, total_parameters, epochs, control, diverged,
        divergence, 0
    FROM run_3;
DROP TABLE run_3;

CREATE TABLE checkpoint_3 AS SELECT * FROM checkpoint;
DROP TABLE checkpoint;
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
INSERT INTO checkpoint
    SELECT run, position, folder, step, tokens, annealed, last, learning_rate, training_loss, training_flops, weights_digest
    FROM checkpoint_3;
DROP TABLE checkpoint_3;
CREATE INDEX checkpoint_weights_digest ON checkpoint (weights_digest);

CREATE TABLE measurement_3 AS SELECT * FROM measurement;
DROP TABLE measurement;
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
INSERT INTO measurement
    SELECT identity, plugin_name, plugin_version, metric, params_json, budget, weights_digest, tokens, corpus_molecules,
        heldout_digest, tokenizer_digest, data_digest, split_digest, task, molecules, gradient_equivalents, stopped
    FROM measurement_3;
DROP TABLE measurement_3;
CREATE INDEX measurement_weights_digest ON measurement (weights_digest);
