//! Shape of the embeddings, without labels: how many directions they use, how they lie on the sphere, whether they know what
//! fingerprints know.
//!
//! Every score here reads mean-pooled embeddings of a sample of molecules, the same for all models, and is a function of them
//! alone: `se_estimator` is 0, `se_sample` a jackknife over molecules.

use clmbench_sdk::prelude::*;

mod alpha_req;
mod anisotropy;
mod cka;
mod cka_fingerprint;
mod embeddings;
mod fingerprints;
mod participation_ratio;
mod rankme;
mod spectrum;
mod uniformity;

pub use alpha_req::AlphaReq;
pub use anisotropy::Anisotropy;
pub use cka::{Similarity, similarities};
pub use cka_fingerprint::CkaFingerprint;
pub use fingerprints::{BITS, bits};
pub use participation_ratio::ParticipationRatio;
pub use rankme::RankMe;
pub use uniformity::Uniformity;

export_plugin! { metrics: [RankMe, AlphaReq, ParticipationRatio, Anisotropy, Uniformity, CkaFingerprint] }
