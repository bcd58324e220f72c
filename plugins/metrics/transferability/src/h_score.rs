//! `transferability/h_score`: class means over the covariance of features, with the shrinkage of Ledoit and Wolf.

use clmbench_sdk::prelude::*;

use crate::{
    Labelling,
    card::{Card, jackknife_doc},
    jackknife::{self, GROUPS, Groups},
    linear::{Cholesky, identity, number, numbers, sum},
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
                 `shrinkage`, the a. Defined for N < D too, where a does most of the work and scores sink; a covariance that is round to within its noise is shrunk wholly and scores 0. ",
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
        let rests: Vec<Moments> = parts.iter().map(|part| total.without(part)).collect::<Result<_, _>>()?;
        let fourths = fourths(&features, rests.iter().chain([&total]), &groups)?;
        let (all, shrinkage) = score(&total, fourths[GROUPS])?;
        let without: Result<Vec<f64>, PluginError> =
            rests.iter().zip(&fourths).map(|(rest, fourth)| Ok(score(rest, *fourth)?.0)).collect();
        let values = vec![jackknife::value("h_score", "1", all, &without?)?, Value::exact("shrinkage", shrinkage, "1")];
        Ok(Measurement::complete(values, labels.len() as u64))
    }
}

/// Sum over molecules of the fourth power of the distance from the mean: without each group, and last of all.
fn fourths<'a>(features: &Tensor, moments: impl Iterator<Item = &'a Moments>, groups: &Groups) -> Result<Vec<f64>, PluginError> {
    let means = Tensor::f_stack(&moments.map(Moments::mean).collect::<Result<Vec<_>, _>>()?, 1)?;
    let squares = features.f_mm(&means)?.f_mul_scalar(-2.0)?.f_add(&sum(&features.f_square()?, 1)?.f_unsqueeze(1)?)?;
    let each = numbers(&squares.f_add(&sum(&means.f_square()?, 0)?)?.f_square()?)?;
    let mut sums = vec![0.0; GROUPS + 1];
    for (row, of) in each.chunks(GROUPS + 1).zip(&groups.of) {
        let kept = sums.iter_mut().zip(row).enumerate().filter(|(group, _)| group != of);
        kept.for_each(|(_, (sum, fourth))| *sum += fourth);
    }
    Ok(sums)
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
