//! Integration tests of the whole tool.
