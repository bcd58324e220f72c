-- Schema 3. A transfer may be that of a baseline, which has no weights: its protocol is `baseline`, and `baseline` is what tables
-- call it. The table is made anew, since SQLite changes no CHECK; what refers to its rows is satisfied again at the commit.

PRAGMA defer_foreign_keys = ON;

CREATE TABLE transfer_2 (
    identity TEXT PRIMARY KEY,
    protocol TEXT NOT NULL,
    weights_digest TEXT NOT NULL,
    data_digest TEXT NOT NULL,
    split_digest TEXT NOT NULL,
    dataset TEXT NOT NULL,
    embedding_digest TEXT,
    seed TEXT NOT NULL,
    learning_rate ANY,
    epoch INTEGER,
    searched INTEGER
) STRICT;
INSERT INTO transfer_2 SELECT * FROM transfer;
DROP TABLE transfer;

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
INSERT INTO transfer
    SELECT identity, protocol, weights_digest, data_digest, split_digest, dataset, embedding_digest, seed, learning_rate, epoch,
        searched, NULL
    FROM transfer_2;
DROP TABLE transfer_2;
CREATE INDEX transfer_weights_digest ON transfer (weights_digest);
