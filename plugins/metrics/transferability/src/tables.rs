//! LEEP and NCE: labels given source labels, from the table of both.

use clmbench_sdk::prelude::*;

use crate::{
    Labelling,
    card::{Card, jackknife_doc},
    classes::Classes,
    jackknife::{self, GROUPS, Groups},
    linear::{numbers, sum},
    problem,
    sources::{self, Points},
};

/// What is taken of the table of labels and source labels, and where the source labels come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// LEEP with a Gaussian mixture on the embeddings.
    NLeep,
    /// LEEP with the predictive distribution of masked tokens.
    LeepMasked,
    /// LEEP with 32 clusters of the embeddings.
    LeepKMeans,
    /// NCE with the likeliest of the masked tokens.
    NceMasked,
    /// NCE with 32 clusters of the embeddings.
    NceKMeans,
}

/// A score of the table of labels and source labels.
pub struct FromTable(pub Table, pub Labelling);

impl Metric for FromTable {
    fn info(&self) -> MetricInfo {
        let restarts = ParameterInfo::integer("restarts", 3, "clusterings from other random starts").between(2.0, 100.0);
        let draws = ParameterInfo::integer("draws", 3, "draws of masks at most; one forward pass each").between(2.0, 100.0);
        let leep = "Nguyen et al. 2020, arXiv:2002.12462, eq. 2";
        let nce = "Tran et al. 2019, arXiv:1908.08142, eq. 6";
        let (name, doc, citation, parameter) = match self.0 {
            Table::LeepMasked => (
                "leep_mlm",
                concat!(
                    "LEEP with the model's own vocabulary as source labels: mean of ln sum_z P(y|z) theta_z, theta the mean predictive \
                     distribution of the molecule's masked tokens, P(y|z) from sums of theta over the training molecules. z says which \
                     atoms are predicted more than what the molecule is. Molecules without a masked token are left out. `se_estimator`: draws \
                     of masks; ",
                    jackknife_doc!(),
                    "."
                ),
                leep,
                draws,
            ),
            Table::NceMasked => (
                "nce_mlm",
                concat!(
                    "Negative conditional entropy -H(y|z), z the likeliest token of the mean predictive distribution of the molecule's masked \
                     tokens: for most molecules that is aliphatic or aromatic carbon, so that little is left to tell checkpoints apart. \
                     `se_estimator`: draws of masks; ",
                    jackknife_doc!(),
                    "."
                ),
                nce,
                draws,
            ),
            Table::LeepKMeans => (
                "leep_kmeans32",
                concat!(
                    "LEEP, mean of ln sum_z P(y|z) theta_z, with 32 k-means clusters of the first 64 principal components as source labels; theta \
                     the posterior of equal, round Gaussians at the centres whose variance is the mean squared distance from the own centre \
                     over the dimensions. Nearly hard at many dimensions; at few molecules a cluster it rises by chance. `se_estimator`: random starts; ",
                    jackknife_doc!(),
                    ", clusters fixed."
                ),
                leep,
                restarts,
            ),
            Table::NceKMeans => (
                "nce_kmeans32",
                concat!(
                    "Negative conditional entropy -H(y|z), z the molecule's cluster of 32 (k-means on the first 64 principal components). At few \
                     molecules a cluster it rises by chance. `se_estimator`: random starts; ",
                    jackknife_doc!(),
                    ", clusters fixed."
                ),
                nce,
                restarts,
            ),
            Table::NLeep => (
                "nleep",
                concat!(
                    "N-LEEP: mean of ln sum_z P(y|z) theta_z, theta the posterior of a Gaussian mixture with five components a class on the \
                     principal components with 80 % of the variance (64 at most). Covariances are diagonal, at least a thousandth of the \
                     mean variance (scikit-learn's full ones, which the authors use, have more numbers than a small task has \
                     molecules). With the logarithm, which the code of SFDA's authors leaves out. `se_estimator`: random starts; ",
                    jackknife_doc!(),
                    ", mixture fixed."
                ),
                "Li et al. 2021, arXiv:2011.11200, section 4.2",
                restarts,
            ),
        };
        let info = Card { name, doc, citation, unit: "nats", parameters: vec![parameter] }.classes(self.1);
        if self.0.masked() {
            // Passes over a task, which may hold several times the molecules of the held-out sample.
            let cost = CostClass::Moderate;
            MetricInfo { objectives: vec![Objective::MaskedLm], comparable: Comparable::SameEvaluation, cost, ..info }
        } else {
            info
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let labels = problem::labels(probe, params)?;
        let primary = self.info().primary;
        if self.0.masked() {
            return self.masked(probe, params, &primary, &labels);
        }
        let classes = self.1.classes(&labels)?;
        let points = match self.0 {
            Table::NLeep => Points::mixture(probe, labels.len(), classes.count())?,
            _ => Points::kmeans(probe, labels.len())?,
        };
        let groups = Groups::of_classes(&classes);
        let restarts = params.integer("restarts")?.max(2);
        let mut found = Vec::new();
        for restart in 0..restarts {
            probe.progress(restart as u64, restarts as u64, "clustering")?;
            let theta = points.distribution(probe.rng(&format!("clusters {restart}")))?;
            found.push(self.0.of(&theta, &classes, &groups)?);
        }
        Ok(Measurement::complete(vec![summary(&primary, &found)?], labels.len() as u64))
    }
}

impl FromTable {
    fn masked(&self, probe: &Probe<'_>, params: &Params, primary: &str, all: &[f64]) -> Result<Measurement, PluginError> {
        let draws = params.integer("draws")?.max(2) as u64;
        let kept = sources::predicted(probe, all.len(), draws)?;
        let labels: Vec<f64> = all.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(label, _)| *label).collect();
        if labels.len() < problem::LEAST {
            let text = format!(
                "{} of {} molecules have a predicted token in each of {draws} draws; at least {} are needed",
                labels.len(),
                all.len(),
                problem::LEAST
            );
            return Err(PluginError::Input(text));
        }
        let classes = self.1.classes(&labels)?;
        let groups = Groups::of_classes(&classes);
        let mut found = Vec::new();
        let stopped = loop {
            let draw = found.len() as u64;
            let theta = sources::masked(probe, all.len(), draw, &kept)?;
            found.push(self.0.of(&theta, &classes, &groups)?);
            if found.len() as u64 >= draws {
                break "complete";
            }
            if found.len() >= 2 && probe.spent()? >= probe.budget() * (1.0 - 1e-9) {
                break "budget";
            }
        };
        let values = vec![summary(primary, &found)?, Value::exact("draws", found.len() as f64, "draws")];
        Ok(Measurement { values, artifacts: Vec::new(), molecules: labels.len() as u64, stopped })
    }
}

/// Mean over clusterings or draws, with the spread of both kinds.
fn summary(name: &str, found: &[(f64, Vec<f64>)]) -> Result<Value, PluginError> {
    let (mean, se_estimator) = statistics::mean_with_error(&found.iter().map(|(value, _)| *value).collect::<Vec<_>>());
    let without: Vec<f64> =
        (0..GROUPS).map(|group| found.iter().map(|(_, without)| without[group]).sum::<f64>() / found.len() as f64).collect();
    Ok(Value { se_estimator: Some(se_estimator), ..jackknife::value(name, "nats", mean, &without)? })
}

impl Table {
    /// Whether source labels are of the vocabulary.
    fn masked(self) -> bool {
        matches!(self, Self::LeepMasked | Self::NceMasked)
    }

    /// The score of distributions [N, Z], and the scores without each group.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    fn of(self, theta: &Tensor, classes: &Classes, groups: &Groups) -> Result<(f64, Vec<f64>), PluginError> {
        match self {
            Self::NLeep | Self::LeepMasked | Self::LeepKMeans => leep(theta, classes, groups),
            Self::NceMasked | Self::NceKMeans => {
                nce(&Vec::<i64>::try_from(theta.f_argmax(1, false)?)?, theta.size()[1] as usize, classes, groups)
            }
        }
    }
}

fn leep(theta: &Tensor, classes: &Classes, groups: &Groups) -> Result<(f64, Vec<f64>), PluginError> {
    let (sources, count) = (theta.size()[1], classes.count() as i64);
    // Sums [Z, G, C] of theta by group and class.
    let places = groups.of.iter().zip(&classes.of).map(|(group, class)| *group as i64 * count + *class as i64);
    let member = Tensor::f_from_slice(&places.collect::<Vec<_>>())?.f_one_hot(GROUPS as i64 * count)?.f_to_kind(Kind::Double)?;
    let parts = theta.f_transpose(0, 1)?.f_mm(&member)?.f_view([sources, GROUPS as i64, count])?;
    let total = sum(&parts, 1)?.f_unsqueeze(1)?;
    // Without each group, and last with all: P(y | z) [Z, G + 1, C], and from it P(y | x) [N, G + 1, C].
    let tables = Tensor::f_cat(&[total.f_sub(&parts)?.f_clamp_min(0.0)?, total], 1)?;
    let given = tables.f_div(&sum(&tables, 2)?.f_clamp_min(1e-300)?.f_unsqueeze(2)?)?;
    let posterior = theta.f_mm(&given.f_view([sources, -1])?)?.f_view([-1, GROUPS as i64 + 1, count])?;
    let of = classes.tensor()?.f_view([-1, 1, 1])?.f_expand([-1, GROUPS as i64 + 1, 1], false)?;
    let logs = numbers(&posterior.f_gather(2, &of, false)?.f_log()?)?;
    let mut means = vec![(0.0, 0.0); GROUPS + 1];
    for (row, of) in logs.chunks(GROUPS + 1).zip(&groups.of) {
        let kept = means.iter_mut().zip(row).enumerate().filter(|(group, _)| group != of);
        for (_, (mean, log)) in kept {
            *mean = (mean.0 + log, mean.1 + 1.0);
        }
    }
    let means: Vec<f64> = means.into_iter().map(|(sum, count)| sum / count).collect();
    Ok((means[GROUPS], means[..GROUPS].to_vec()))
}

fn nce(z: &[i64], sources: usize, classes: &Classes, groups: &Groups) -> Result<(f64, Vec<f64>), PluginError> {
    let count = classes.count();
    let entropy = |left: usize| {
        let mut table = vec![0.0_f64; sources * count];
        let places = z.iter().zip(&classes.of).zip(&groups.of).filter(|(_, group)| **group != left);
        places.for_each(|((z, class), _)| table[*z as usize * count + class] += 1.0);
        let molecules: f64 = table.iter().sum();
        let rows = table.chunks(count).map(|row| {
            let all: f64 = row.iter().sum();
            row.iter().filter(|n| **n > 0.0).map(|n| n * (n / all).ln()).sum::<f64>()
        });
        rows.sum::<f64>() / molecules
    };
    Ok((entropy(GROUPS), (0..GROUPS).map(entropy).collect()))
}
