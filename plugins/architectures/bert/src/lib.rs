//! PLUGIN architectures/bert
