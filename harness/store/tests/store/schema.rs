//! `SCHEMA.md` says what the schema is. `CLMBENCH_WRITE_SCHEMA=1 cargo test -p clmbench-store --release --test store schema` writes it
//! anew.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use clmbench_store::Store;
use rusqlite::Connection;
use tempfile::tempdir;

use crate::views::made_up;

/// The migrations, for the words above each table and view.
const MIGRATIONS: [(&str, &str); 6] = [
    ("0001_initial.sql", include_str!("../../migrations/0001_initial.sql")),
    ("0002_protocols.sql", include_str!("../../migrations/0002_protocols.sql")),
    ("0003_baselines.sql", include_str!("../../migrations/0003_baselines.sql")),
    ("0004_imports.sql", include_str!("../../migrations/0004_imports.sql")),
    ("0005_statistics.sql", include_str!("../../migrations/0005_statistics.sql")),
    ("0006_views.sql", include_str!("../../migrations/0006_views.sql")),
];

/// What each table is.
const TABLES: [(&str, &str); 22] = [
    ("architecture_info", "Architectures that a plugin exports."),
    (
        "cell",
        "A unit of work by its identity, the BLAKE3 of its definition (`spec_json`); with its result once it is done. A finished cell is never overwritten.",
    ),
    ("checkpoint", "Weights of a run, several to a run."),
    ("corpus", "Tokenised corpus subsets, and the cross-entropy of the held-out sample under simple counts, in nats a token."),
    ("dataset", "Tokenised datasets with their split."),
    ("fit", "Fits of a score on a metric over runs; replaced together. What each number means: `benchmarks/METHODOLOGY.md`."),
    ("fit_batch", "When, and from which finished cells, the fits and statistics of a suite were made."),
    ("gate_baseline", "What a candidate is compared with: frozen scores, predictions, splits and margins, as JSON."),
    ("gate_judgement", "What came out of a gate, as JSON; the newest last."),
    ("measurement", "A metric on a checkpoint, with its parameters, budget and cost."),
    ("metric_info", "Metrics that a plugin exports."),
    ("metric_value", "Values of a measurement: one primary, the others exploratory."),
    (
        "plan_cell",
        "Cells of a suite's plan by their key. `note` is `refused` or `not_applicable`; the status of other cells is that of their identity.",
    ),
    ("plan_dependency", "Which cells of a plan need the results of which."),
    ("plugin", "Plugin files that were used, with their manifests."),
    (
        "prediction",
        "Test predictions of a transfer to a task: rows of 24 bytes, little-endian: row of the dataset (u64), label (f64), prediction (f64).",
    ),
    ("run", "Pretraining runs and checkpoints of others; columns that are not known of these are NULL."),
    ("score", "Downstream scores of a transfer to a task."),
    (
        "statistic",
        "One number with its uncertainty: of a fit, of a metric over all tasks, of a task, or of the whole suite. Columns that do not apply are NULL.",
    ),
    ("suite", "Suites; the same digest is the same suite. The largest `used` is the newest."),
    ("task", "Tasks of a dataset."),
    ("transfer", "A transfer of a checkpoint, or a baseline, to a dataset."),
];

/// The one table whose words stand with `transfer`.
const TRANSFER_TASK: (&str, &str) = ("transfer_task", "Tasks of a transfer, with the reason where one has no score.");

/// Questions with their answers, which a test asks SQLite.
const EXAMPLES: [(&str, &str); 6] = [
    (
        "Which metrics predict which scores?",
        "SELECT metric, dataset, task, protocol, n, spearman, spearman_low95, spearman_high95, p_value, verdict\nFROM fits WHERE suite = 'demo' ORDER BY spearman DESC",
    ),
    (
        "What did each run score, beside its held-out loss?",
        "SELECT s.run_label, r.non_embedding_parameters, r.tokens, r.heldout_loss, s.dataset, s.task, s.score, s.value, s.se_test\nFROM scores s JOIN runs r USING (suite_id, run)\nWHERE s.suite = 'demo' AND s.is_primary AND s.last AND NOT s.control",
    ),
    (
        "What is the mean score of the last checkpoints, seed by seed and over seeds?",
        "SELECT run_label, dataset, task, protocol, score, avg(value) AS mean, count(*) AS seeds\nFROM scores WHERE suite = 'demo' AND is_primary AND last\nGROUP BY run_label, dataset, task, protocol, score",
    ),
    (
        "Which pairs were fitted?",
        "SELECT run_label, metric_value, score_value, score_se_test\nFROM points WHERE suite = 'demo' AND metric = 'loss/mlm_loss'",
    ),
    (
        "What did each metric cost?",
        "SELECT metric, count(DISTINCT cell) AS cells, sum(seconds) AS seconds\nFROM metric_values WHERE suite = 'demo' AND is_primary GROUP BY metric ORDER BY seconds DESC",
    ),
    ("What failed, and why?", "SELECT key, failure_kind, reason FROM cells WHERE suite = 'demo' AND status = 'failed'"),
];

const HEAD: &str = "# The schema of a store

A store is a folder; its `store.sqlite` is an SQLite database that other programs may read, also while `clmbench run` writes to it.
This page is made from the schema itself by a test, which fails where the two differ. (`CLMBENCH_WRITE_SCHEMA=1 cargo test -p
clmbench-store --release --test store schema` writes it anew.) Do not write to a store with other programs.

## Conventions
- A **table** is named in the singular and keeps what was stored; a **view** is named in the plural and answers questions. Start with the
  views. Every view has `suite_id` and all but `bound_cells` the name `suite`; a name may stand for several stored versions of an edited
  suite, of which `newest` in `suites` marks the last.
- `PRAGMA application_id` is 1129073986 (`CLMB`), `PRAGMA user_version` the number of the schema. Migrations only go forward; a newer schema
  is refused by an older program. A new schema may add columns, tables and views, so name the columns that you read.
- **Floats in tables** are of type `ANY`: REAL when finite, and the texts `'NaN'`, `'inf'` and `'-inf'` otherwise, since SQLite itself turns
  NaN into NULL. NULL is what does not exist. `WHERE typeof(value) = 'real'` keeps the finite ones.
- **Floats in views** are REAL: NaN is NULL, and infinities are infinite. So `avg` works, and pandas and DuckDB see columns of floats.
- Times are RFC 3339 in UTC. Seeds are decimal texts, since they use all 64 bits. Flags are 0 or 1. Digests are BLAKE3 in lower-case hex.
- A **cell** is known by its identity; `run` is the identity of a run's cell. A metric value or score belongs to the runs that have a
  checkpoint with its `weights_digest`.
- Beside the database: `artifacts/<identity>/` holds the files that `files_json` of a cell names, with their BLAKE3. `previous-fits-<16 digits of a suite's digest>.json` is
  the leaderboard of predictors that `clmbench run` replaced last, for `--only-changed`; `gc` removes that of a suite that is gone.

## How to read it
With `sqlite3` (3.38 or newer):

    sqlite3 -header -readonly .clmbench/store.sqlite \"SELECT suite, cells, finished FROM suites\"

With pandas:

    import sqlite3, pandas
    store = sqlite3.connect(\"file:.clmbench/store.sqlite?mode=ro\", uri=True)
    scores = pandas.read_sql(\"SELECT * FROM scores WHERE is_primary AND last\", store)

With DuckDB and its `sqlite` extension:

    ATTACH '.clmbench/store.sqlite' AS store (TYPE sqlite, READ_ONLY);
    SELECT dataset, task, avg(value) FROM store.scores WHERE is_primary = 1 GROUP BY ALL;

Some questions (a test asks them of SQLite itself; DuckDB was not at hand when this was written):
";

/// The schema of a store that was just made, and some rows in it.
fn store() -> (tempfile::TempDir, Connection) {
    let folder = tempdir().unwrap();
    made_up(&mut Store::open_writer(folder.path()).unwrap());
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    (folder, connection)
}

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// The words in comment lines right above each line that is no comment, by what `name` makes of that line.
fn comments(sql: &str, name: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let (mut words, mut found) = (Vec::new(), BTreeMap::new());
    for line in sql.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("--") {
            words.push(comment.trim().to_owned());
            continue;
        }
        let above = std::mem::take(&mut words).join(" ");
        if let Some(name) = name(line).filter(|_| !above.is_empty()) {
            found.insert(name, above);
        }
    }
    found
}

/// The column that a line of a statement defines.
fn column(line: &str) -> Option<String> {
    let line = line.trim_end_matches(',');
    if let Some((_, name)) = line.rsplit_once(" AS ").filter(|(_, name)| !name.contains([' ', ')'])) {
        return Some(name.to_owned());
    }
    let first = line.split(' ').next()?;
    Some(first.rsplit('.').next()?.to_owned())
}

/// Text in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn page(connection: &Connection) -> String {
    let mut page = HEAD.to_owned();
    for (question, sql) in EXAMPLES {
        write!(page, "\n{question}\n\n```sql\n{sql};\n```\n").unwrap();
    }
    page.push_str("\n## Views\n");
    let views = comments(MIGRATIONS[5].1, |line| Some(line.strip_prefix("CREATE VIEW ")?.split(' ').next()?.to_owned()));
    for name in texts(connection, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name") {
        let sql = texts(connection, &format!("SELECT sql FROM sqlite_schema WHERE name = '{name}'")).remove(0);
        write!(page, "\n### `{name}`\n{}\n\n| column | type | meaning |\n|---|---|---|\n", views[&name]).unwrap();
        let notes = comments(&sql, column);
        for (column, kind, ..) in columns(connection, &name) {
            let kind = if kind.is_empty() { "as stored".to_owned() } else { kind };
            writeln!(page, "| `{column}` | {kind} | {} |", cell(notes.get(&column).map_or("", String::as_str))).unwrap();
        }
    }
    page.push_str("\n## Tables\n");
    let described: BTreeMap<&str, &str> = TABLES.into_iter().chain([TRANSFER_TASK]).collect();
    let tables =
        texts(connection, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name");
    assert_eq!(tables, described.keys().map(|name| (*name).to_owned()).collect::<Vec<_>>(), "each table has its words in TABLES");
    for name in tables {
        let sql = texts(connection, &format!("SELECT sql FROM sqlite_schema WHERE name = '{name}'")).remove(0);
        let notes = comments(&sql, column);
        let references = references(connection, &name);
        write!(
            page,
            "\n### `{name}`\n{}\n\n| column | type | key | refers to | meaning |\n|---|---|---|---|---|\n",
            described[name.as_str()]
        )
        .unwrap();
        for (column, kind, required, key) in columns(connection, &name) {
            let kind = if required || key > 0 { kind } else { format!("{kind} or NULL") };
            let key = if key > 0 { key.to_string() } else { String::new() };
            let (to, note) = (references.get(&column).map_or("", String::as_str), notes.get(&column).map_or("", String::as_str));
            writeln!(page, "| `{column}` | {kind} | {key} | {to} | {} |", cell(note)).unwrap();
        }
        let indexes = texts(
            connection,
            &format!(
                "SELECT group_concat(i.name, ', ') FROM pragma_index_list('{name}') l, pragma_index_info(l.name) i
                 WHERE l.origin = 'c' GROUP BY l.name ORDER BY l.name"
            ),
        );
        if !indexes.is_empty() {
            let indexes: Vec<String> = indexes.iter().map(|columns| format!("({columns})")).collect();
            write!(page, "\nIndexed by {}.\n", indexes.join(", ")).unwrap();
        }
    }
    page.push_str("\n## Schemas\n| schema | what it brought |\n|---|---|\n");
    for (number, (file, sql)) in (1..).zip(MIGRATIONS) {
        let words: Vec<&str> =
            sql.lines().take_while(|line| line.starts_with("--")).map(|line| line.trim_start_matches("--").trim()).collect();
        let words = words.join(" ");
        let words = words.strip_prefix(&format!("Schema {number}. ")).expect(file);
        writeln!(page, "| {number} | {} |", cell(words)).unwrap();
    }
    page
}

/// Columns of a table or view: name, type, NOT NULL, place in the primary key.
fn columns(connection: &Connection, name: &str) -> Vec<(String, String, bool, i64)> {
    let mut statement = connection.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1) ORDER BY cid").unwrap();
    let rows = statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What the columns of a table refer to.
fn references(connection: &Connection, name: &str) -> BTreeMap<String, String> {
    let mut statement =
        connection.prepare("SELECT \"from\", \"table\" || '.' || coalesce(\"to\", '') FROM pragma_foreign_key_list(?1)").unwrap();
    let rows = statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn the_page_of_the_schema_is_that_of_the_schema() {
    let (_folder, connection) = store();
    let found = page(&connection);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("SCHEMA.md");
    if std::env::var_os("CLMBENCH_WRITE_SCHEMA").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap();
    let differs = found.lines().zip(held.lines()).find(|(found, held)| found != held);
    assert!(
        found == held,
        "harness/store/SCHEMA.md is not that of the schema; CLMBENCH_WRITE_SCHEMA=1 writes it anew: {differs:?}"
    );
}

#[test]
fn the_examples_are_answered() {
    let (folder, connection) = store();
    // Made-up suites have other names.
    for (question, sql) in EXAMPLES {
        let sql = sql.replace("'demo'", "'first'");
        let mut statement = connection.prepare(&sql).unwrap_or_else(|error| panic!("{question} {error}"));
        let mut rows = statement.query([]).unwrap();
        assert!(rows.next().unwrap().is_some(), "{question}");
    }
    let text = |sql: &str| texts(&connection, sql);
    assert_eq!(
        text("SELECT suite || ' ' || cells || ' ' || finished FROM suites ORDER BY suite"),
        ["first 18 15", "second 18 15"]
    );
    // pandas' example, through SQLite's URI as Python opens it, while nobody writes.
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let path = format!("file:{}?mode=ro", folder.path().join("store.sqlite").display());
    let reader = Connection::open_with_flags(path, flags).unwrap();
    let primary: i64 = reader.query_row("SELECT count(*) FROM scores WHERE is_primary AND last", [], |row| row.get(0)).unwrap();
    assert!(primary > 0);
}
