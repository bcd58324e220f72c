//! `transferability/h_score`: class means over the covariance of features, with the shrinkage of Ledoit and Wolf.

use clmbench_sdk::prelude::*;

use crate::{
    Labelling,
    card::{Card, jackknife_doc},
    jackknife::{self, GROUPS, Groups},
    linear::{Cholesky, identity, number, sum},
    moments::Moments,
    problem,
};

/// Regularised H-score, `(1 - a) tr(S_a^-1 B)` with B the covariance of class means and `S_a = (1 - a) S + a tr(S)/D I` the
/// Ledoit-Wolf covariance of the features. It lies in [0, C - 1].
pub struct HScore(pub Labelling);

impl Metric for HScore {
    fn info(&self) -> MetricInfo {
        Card {
            name: "h_score",
            doc: concat!(
                "Regularised H-score: (1 - a) tr(S_a^-1 B), B the covariance of the class means (weighted by class size), S_a = (1 - a) S + \
                 a tr(S)/D I the Ledoit-Wolf covariance of the embeddings; both over N (tllib divides B by N - 1). Between 0 and C - 1. Also \
                 `shrinkage`, the a. Defined for N < D too, where a does most of the work and scores sink. ",
                jackknife_doc!(),
                ", a estimated anew without each."
            ),
            citation: "Ibrahim et al. 2021, arXiv:2110.06893, eq. 5; shrinkage of Ledoit & Wolf 2004, doi:10.1016/S0047-259X(03)00096-4",
            unit: "1",
            parameters: Vec::new(),
        }
        .classes(self.0)
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let labels = problem::labels(probe, params)?;
        let classes = self.0.classes(&labels)?;
        let features = problem::centred(&problem::features(probe, labels.len())?)?;
        let groups = Groups::of_classes(&classes);
        let parts = Moments::of_groups(&features, &classes, &groups)?;
        let total = Moments::total(&parts)?;
        let (all, shrinkage) = score(&total, fourth(&features, &total)?)?;
        let mut without = Vec::with_capacity(GROUPS);
        for (group, part) in parts.iter().enumerate() {
            let rest = total.without(part)?;
            let chosen = features.f_index_select(0, &jackknife::rows(&groups.of, |of| *of != group)?)?;
            without.push(score(&rest, fourth(&chosen, &rest)?)?.0);
        }
        let values = vec![jackknife::value("h_score", "1", all, &without)?, Value::exact("shrinkage", shrinkage, "1")];
        Ok(Measurement::complete(values, labels.len() as u64))
    }
}

/// Sum over molecules of the fourth power of the distance from the mean.
fn fourth(features: &Tensor, moments: &Moments) -> Result<f64, PluginError> {
    let mean = moments.mean()?;
    let squares = sum(&features.f_square()?, 1)?.f_sub(&features.f_mv(&mean)?.f_mul_scalar(2.0)?)?;
    let squares = squares.f_add_scalar(number(&mean.f_dot(&mean)?)?)?;
    number(&squares.f_square()?.f_sum(Kind::Double)?)
}

/// H-score and shrinkage.
fn score(moments: &Moments, fourth: f64) -> Result<(f64, f64), PluginError> {
    let (count, covariance) = (moments.molecules()?, moments.covariance()?);
    let width = covariance.size()[0];
    let norm = number(&covariance.f_square()?.f_sum(Kind::Double)?)?;
    let level = number(&covariance.f_trace()?)? / width as f64;
    // Ledoit & Wolf 2004, lemma 3.2 to 3.4: d2 and b2, each over D.
    let away = norm - width as f64 * level * level;
    let noise = (fourth / count - norm) / count;
    let shrinkage = if away <= 1e-14 * norm { 0.0 } else { (noise / away).clamp(0.0, 1.0) };
    let shrunk = covariance.f_mul_scalar(1.0 - shrinkage)?.f_add(&identity(width)?.f_mul_scalar(shrinkage * level)?)?;
    let apart = moments.means()?.f_sub(&moments.mean()?.f_unsqueeze(0)?)?;
    let solved = Cholesky::new(&shrunk, "the shrunk covariance of the embeddings")?.solve(&apart.f_transpose(0, 1)?)?;
    let lengths = sum(&solved.f_transpose(0, 1)?.f_mul(&apart)?, 1)?;
    let between = number(&lengths.f_dot(&moments.counts)?)? / count;
    Ok(((1.0 - shrinkage) * between, shrinkage))
}
