//! Test plugin.
