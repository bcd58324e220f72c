//! PLUGIN datasets/moleculenet
