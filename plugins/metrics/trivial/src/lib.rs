//! PLUGIN metrics/trivial
