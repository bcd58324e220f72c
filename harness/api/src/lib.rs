//! The plugin edge: FFI-safe types and traits between host and plugins.
