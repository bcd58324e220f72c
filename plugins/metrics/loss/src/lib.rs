//! PLUGIN metrics/loss
