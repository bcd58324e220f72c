//! How well frozen embeddings explain the labels of a task's training molecules.
//!
//! Metrics of classes exist twice, as one struct with a [`Labelling`]: for classification, and as `..._q5` for regression with
//! labels binned at their quintiles.

use clmbench_sdk::prelude::*;

mod card;
mod classes;
mod clusters;
mod gbc;
mod h_score;
mod jackknife;
mod knn;
mod linear;
mod logme;
mod mixture;
mod moments;
mod parc;
mod problem;
mod reduction;
mod ridge;
mod score;
mod sfda;
mod sources;
mod tables;
mod transrate;

pub use classes::Labelling;
pub use gbc::Gbc;
pub use h_score::HScore;
pub use knn::Knn;
pub use logme::LogMe;
pub use parc::Parc;
pub use ridge::Ridge;
pub use sfda::Sfda;
pub use tables::{FromTable, Table};
pub use transrate::TransRate;

use Labelling::{Classes, Quintiles};
use Table::{LeepKMeans, LeepMasked, NLeep, NceKMeans, NceMasked};

export_plugin! { metrics: [
    LogMe,
    HScore(Classes),
    HScore(Quintiles),
    Gbc(Classes),
    Gbc(Quintiles),
    FromTable(NLeep, Classes),
    FromTable(NLeep, Quintiles),
    FromTable(LeepMasked, Classes),
    FromTable(LeepMasked, Quintiles),
    FromTable(LeepKMeans, Classes),
    FromTable(LeepKMeans, Quintiles),
    FromTable(NceMasked, Classes),
    FromTable(NceMasked, Quintiles),
    FromTable(NceKMeans, Classes),
    FromTable(NceKMeans, Quintiles),
    TransRate(Classes),
    TransRate(Quintiles),
    Sfda(Classes),
    Sfda(Quintiles),
    Parc,
    Knn,
    Ridge,
] }
