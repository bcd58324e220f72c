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
            of_classes.push(rates);
        }
        let means = all.means()?;
        let of_classes: Vec<_> = of_classes.iter().map(|class| class.about(&means, eps)).collect::<Result<_, _>>()?;
        let all = all.about(&means, eps)?;
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

    /// Molecules, their sum and second moments without each group, and last of all.
    fn without(&self) -> Result<Vec<(f64, Tensor, Tensor)>, PluginError> {
        let mut total = (0.0, self.sums[0].f_zeros_like()?, self.grams[0].f_zeros_like()?);
        for group in 0..GROUPS {
            total.0 += self.counts[group];
            total.1 = total.1.f_add(&self.sums[group])?;
            total.2 = total.2.f_add(&self.grams[group])?;
        }
        let rest = |group: usize| -> Result<_, PluginError> {
            let (count, sum, gram) = &total;
            Ok((count - self.counts[group], sum.f_sub(&self.sums[group])?, gram.f_sub(&self.grams[group])?))
        };
        let mut rests: Vec<_> = (0..GROUPS).map(rest).collect::<Result<_, _>>()?;
        rests.push(total);
        Ok(rests)
    }

    /// Means without each group, and last of all.
    fn means(&self) -> Result<Vec<Tensor>, PluginError> {
        self.without()?.into_iter().map(|(count, sum, _)| Ok(sum.f_div_scalar(count)?)).collect()
    }

    /// Molecules and coding rate about these means, without each group, and last of all.
    fn about(&self, means: &[Tensor], eps: f64) -> Result<Vec<(f64, f64)>, PluginError> {
        let rate = |((count, sum, gram), mean): ((f64, Tensor, Tensor), &Tensor)| -> Result<_, PluginError> {
            let cross = sum.f_outer(mean)?;
            let gram = gram.f_sub(&cross)?.f_sub(&cross.f_transpose(0, 1)?)?.f_add(&mean.f_outer(mean)?.f_mul_scalar(count)?)?;
            let matrix = gram.f_div_scalar(count * eps)?.f_add(&identity(gram.size()[0])?)?;
            Ok((count, Cholesky::new(&matrix, "the coding matrix")?.log_determinant()? / 2.0))
        };
        self.without()?.into_iter().zip(means).map(rate).collect()
    }
}
