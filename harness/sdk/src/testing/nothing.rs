//! No model at all, for metrics of embeddings, labels or training histories.

use std::ops::Range;

use clmbench_api::{Labels, Role};
use tch::{Device, Kind, Tensor};

use super::TestModel;
use crate::{PluginError, random::Stream};

/// A model without parameters and molecules: what a [`super::TestProbe`] holds is then only what it was given.
pub struct Nothing;

impl TestModel for Nothing {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        Vec::new()
    }

    fn weights(&self) -> Tensor {
        Tensor::zeros([0], (Kind::Double, Device::Cpu))
    }

    fn tokens(&self) -> Vec<u64> {
        Vec::new()
    }

    fn losses(&self, _: &Tensor, _: Range<u64>, _: Labels, _: &mut Stream) -> Result<Tensor, PluginError> {
        Err(PluginError::Unsupported("this test probe has no model".into()))
    }
}
