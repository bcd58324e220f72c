//! The record: SQLite schema, migrations, typed queries, export.
