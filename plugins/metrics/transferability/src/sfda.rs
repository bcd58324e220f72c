//! `transferability/sfda`: how well a regularised Fisher discriminant tells classes apart once they are mixed.

use clmbench_sdk::prelude::*;

use crate::{
    Labelling,
    card::{Card, jackknife_doc},
    classes::Classes,
    jackknife::{self, GROUPS, Groups},
    linear::{Cholesky, identity, number, numbers, sum},
    moments::Moments,
    problem,
};

/// Self-challenging Fisher discriminant analysis: mean log posterior of the true class on mixed features.
pub struct Sfda(pub Labelling);

impl Metric for Sfda {
    fn info(&self) -> MetricInfo {
        Card {
            name: "sfda",
            doc: concat!(
                "Mean log posterior of the true class under a linear discriminant (shrunk covariance within classes W = (1 - s) W + s tr(W)/D I, \
                 s = max(exp(-5 lambda_max(W)), 1e-10), lambda_max exact), fitted anew on features that are mixed with the mean of the other \
                 classes' means, x <- q x + (1 - q) m, by the softmax q of the first fit's posterior of the true class. With the \
                 logarithm, which the authors' code leaves out, and on a copy of the features. s depends on the scale of the embeddings. \
                 Refused where the covariance within classes is singular (N < D + C). ",
                jackknife_doc!(),
                ", with shrinkage and mixing of all molecules (a little too small for it)."
            ),
            citation: "Shao et al. 2022, arXiv:2207.03036, eq. 3 to 9",
            unit: "nats",
            parameters: Vec::new(),
        }
        .classes(self.0)
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let labels = problem::labels(probe, params)?;
        let classes = self.0.classes(&labels)?;
        let features = problem::centred(&problem::features(probe, labels.len())?)?;
        let width = features.size()[1];
        if labels.len() < width as usize + classes.count() {
            return Err(PluginError::Input(format!(
                "{} molecules of {} classes at width {width}: the covariance within classes is singular; use more molecules, or \
                 transferability/h_score",
                labels.len(),
                classes.count()
            )));
        }
        let groups = Groups::of_classes(&classes);
        let total = Moments::total(&Moments::of_groups(&features, &classes, &groups)?)?;
        let strength = strength(&total.within()?)?;
        let of = classes.tensor()?.f_unsqueeze(1)?;
        let sure = Discriminant::fit(&total, strength)?.log_posterior(&features)?.f_exp()?.f_softmax(1, Kind::Double)?;
        let mixed = mix(&features, &classes, &total, &sure.f_gather(1, &of, false)?)?;
        let parts = Moments::of_groups(&mixed, &classes, &groups)?;
        let total = Moments::total(&parts)?;
        let each = |moments: &Moments| -> Result<Vec<f64>, PluginError> {
            numbers(&Discriminant::fit(moments, strength)?.log_posterior(&mixed)?.f_gather(1, &of, false)?)
        };
        let all = each(&total)?;
        let mut without = Vec::with_capacity(GROUPS);
        for (group, part) in parts.iter().enumerate() {
            let rest = each(&total.without(part)?)?;
            let kept: Vec<f64> = rest.iter().zip(&groups.of).filter(|(_, of)| **of != group).map(|(value, _)| *value).collect();
            without.push(kept.iter().sum::<f64>() / kept.len() as f64);
        }
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let values = vec![jackknife::value("sfda", "nats", mean, &without)?, Value::exact("shrinkage", strength, "1")];
        Ok(Measurement::complete(values, labels.len() as u64))
    }
}

/// Shrinkage for a covariance within classes.
fn strength(within: &Tensor) -> Result<f64, PluginError> {
    let largest = number(&within.f_linalg_eigvalsh("L")?.f_max()?)?;
    Ok((-5.0 * largest).exp().max(1e-10))
}

/// Each feature moved towards the mean of the other classes' means, the more the less sure [N, 1] the discriminant is of it.
fn mix(features: &Tensor, classes: &Classes, moments: &Moments, sure: &Tensor) -> Result<Tensor, PluginError> {
    let means = moments.means()?;
    let others = sum(&means, 0)?.f_unsqueeze(0)?.f_sub(&means)?.f_div_scalar(classes.count() as f64 - 1.0)?;
    let others = others.f_index_select(0, &classes.tensor()?)?;
    Ok(features.f_sub(&others)?.f_mul(sure)?.f_add(&others)?)
}

/// A linear discriminant: coefficients [D, C] and intercepts [C].
struct Discriminant {
    coefficients: Tensor,
    intercepts: Tensor,
}

impl Discriminant {
    fn fit(moments: &Moments, strength: f64) -> Result<Self, PluginError> {
        let (within, means) = (moments.within()?, moments.means()?.f_transpose(0, 1)?);
        let width = within.size()[0];
        let level = strength * number(&within.f_trace()?)? / width as f64;
        let shrunk = within.f_mul_scalar(1.0 - strength)?.f_add(&identity(width)?.f_mul_scalar(level)?)?;
        let coefficients = Cholesky::new(&shrunk, "the covariance within classes")?.solve(&means)?;
        let priors = moments.counts.f_div_scalar(moments.molecules()?)?.f_log()?;
        let intercepts = priors.f_sub(&sum(&coefficients.f_mul(&means)?, 0)?.f_mul_scalar(0.5)?)?;
        Ok(Self { coefficients, intercepts })
    }

    /// Log posteriors [N, C].
    fn log_posterior(&self, features: &Tensor) -> Result<Tensor, PluginError> {
        Ok(features.f_mm(&self.coefficients)?.f_add(&self.intercepts)?.f_log_softmax(1, Kind::Double)?)
    }
}
