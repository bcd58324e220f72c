//! `transferability/transrate`: coding rate of all features less that within classes.

use clmbench_sdk::prelude::*;

use crate::{
    Labelling,
    card::{Card, jackknife_doc},
    jackknife::{self, GROUPS, Groups},
    linear::{Cholesky, identity},
    problem,
};

/// TransRate, `R(F) - sum_c n_c / n R(F_c)` with `R(F) = 1/2 ln det(I + F^T F / (n eps))`.
pub struct TransRate(pub Labelling);

impl Metric for TransRate {
    fn info(&self) -> MetricInfo {
        Card {
            name: "transrate",
            doc: concat!(
                "TransRate: R(F) - sum_c n_c / n R(F_c), R(F) = 1/2 ln det(I + F^T F / (n eps)), embeddings F less their mean over all \
                 molecules. The classes are weighted by size, as in the paper's definition; `transrate_uniform` weights them alike, as in its \
                 listing and in tllib. Not divided by the rank. Depends on the scale of the embeddings against eps; for N < D the rates are \
                 of the molecules at hand and the score rises with D. ",
                jackknife_doc!(),
                "."
            ),
            citation: "Huang et al. 2022, arXiv:2106.09362, eq. 4 and 5, listing 1",
            unit: "nats",
            parameters: vec![ParameterInfo::float("eps", 1e-4, "squared distortion").between(1e-12, 1e6)],
        }
        .classes(self.0)
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let labels = problem::labels(probe, params)?;
        let eps = params.float("eps")?;
        let classes = self.0.classes(&labels)?;
        let features = problem::centred(&problem::features(probe, labels.len())?)?;
        let groups = Groups::of_classes(&classes);
        let place: Vec<(usize, usize)> = classes.of.iter().copied().zip(groups.of.iter().copied()).collect();
        let (mut of_classes, mut all) = (Vec::new(), Rates::new(features.size()[1])?);
        for class in 0..classes.count() {
            let mut rates = Rates::new(features.size()[1])?;
            for group in 0..GROUPS {
                let chosen = features.f_index_select(0, &jackknife::rows(&place, |at| *at == (class, group))?)?;
                rates.add(group, &chosen, None)?;
                all.add(group, &chosen, Some(&rates.grams[group]))?;
            }
            of_classes.push(rates.finish(eps, false)?);
        }
        let all = all.finish(eps, true)?;
        let score = |left: usize, uniform: bool| {
            let within = of_classes.iter().map(|class| {
                let weight = if uniform { 1.0 / of_classes.len() as f64 } else { class[left].0 / all[left].0 };
                weight * class[left].1
            });
            all[left].1 - within.sum::<f64>()
        };
        let value = |name: &str, uniform: bool| {
            let without: Vec<f64> = (0..GROUPS).map(|left| score(left, uniform)).collect();
            jackknife::value(name, "nats", score(GROUPS, uniform), &without)
        };
        let values = vec![value("transrate", false)?, value("transrate_uniform", true)?];
        Ok(Measurement::complete(values, labels.len() as u64))
    }
}

/// Moments of each group, from which rates of all and of all but one group follow.
struct Rates {
    counts: Vec<f64>,
    sums: Vec<Tensor>,
    grams: Vec<Tensor>,
}

impl Rates {
    fn new(width: i64) -> Result<Self, PluginError> {
        let options = (Kind::Double, Device::Cpu);
        let sums = (0..GROUPS).map(|_| Tensor::f_zeros([width], options)).collect::<Result<_, _>>()?;
        let grams = (0..GROUPS).map(|_| Tensor::f_zeros([width, width], options)).collect::<Result<_, _>>()?;
        Ok(Self { counts: vec![0.0; GROUPS], sums, grams })
    }

    /// Adds molecules to a group; with their Gram matrix, where it is known.
    fn add(&mut self, group: usize, features: &Tensor, gram: Option<&Tensor>) -> Result<(), PluginError> {
        self.counts[group] += features.size()[0] as f64;
        self.sums[group] = self.sums[group].f_add(&crate::linear::sum(features, 0)?)?;
        self.grams[group] = match gram {
            Some(gram) => self.grams[group].f_add(gram)?,
            None => self.grams[group].f_addmm(&features.f_transpose(0, 1)?, features)?,
        };
        Ok(())
    }

    /// Molecules and coding rate without each group, and last of all. The features' mean over all molecules is 0; a mean that is left
    /// when a group is missing is taken off where `centre` is set, and left to the classes, whose means count.
    fn finish(self, eps: f64, centre: bool) -> Result<Vec<(f64, f64)>, PluginError> {
        let mut total = (0.0, self.sums[0].f_zeros_like()?, self.grams[0].f_zeros_like()?);
        for group in 0..GROUPS {
            total = (total.0 + self.counts[group], total.1.f_add(&self.sums[group])?, total.2.f_add(&self.grams[group])?);
        }
        let mut rates = Vec::with_capacity(GROUPS + 1);
        for group in 0..=GROUPS {
            let (count, sum, gram) = if group < GROUPS {
                (total.0 - self.counts[group], total.1.f_sub(&self.sums[group])?, total.2.f_sub(&self.grams[group])?)
            } else {
                (total.0, total.1.shallow_clone(), total.2.shallow_clone())
            };
            let gram = if centre { gram.f_sub(&sum.f_outer(&sum)?.f_div_scalar(count)?)? } else { gram };
            let matrix = gram.f_div_scalar(count * eps)?.f_add(&identity(gram.size()[0])?)?;
            rates.push((count, Cholesky::new(&matrix, "the coding matrix")?.log_determinant()? / 2.0));
        }
        Ok(rates)
    }
}
