//! Suites, plans, cell identity, executors. Never sees libtorch, never opens a plugin.
