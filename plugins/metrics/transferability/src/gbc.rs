//! `transferability/gbc`: overlap of classes as Gaussians.

use clmbench_sdk::prelude::*;

use crate::{
    Labelling,
    card::{Card, jackknife_doc},
    jackknife::{self, GROUPS, Groups},
    linear::{numbers, sum},
    problem, reduction,
};

/// Gaussian Bhattacharyya coefficient, `- sum over ordered pairs of classes of exp(-D_B)`, on principal components.
pub struct Gbc(pub Labelling);

impl Metric for Gbc {
    fn info(&self) -> MetricInfo {
        let covariance = "`spherical`: one variance a class, the mean over components; or `diagonal`";
        Card {
            name: "gbc",
            doc: concat!(
                "Gaussian Bhattacharyya coefficient, negative: - sum over ordered pairs c1 != c2 of exp(-D_B), D_B = 1/8 sum_d (m1 - m2)^2 / s + \
                 1/2 sum_d (ln s - ln s1 / 2 - ln s2 / 2), s = (s1 + s2) / 2, with a Gaussian for each class on the first 64 principal \
                 components (population variances, at least `floor`). Between -C(C - 1) and 0. Classes that lie far apart all score 0: of \
                 well separated ones it tells nothing. Depends on the scale of the embeddings only through `floor`. ",
                jackknife_doc!(),
                ", components fixed."
            ),
            citation: "Pandy et al. 2022, arXiv:2111.12780, eq. 3 to 5",
            unit: "1",
            parameters: vec![
                ParameterInfo::text("covariance", "spherical", &["spherical", "diagonal"], covariance),
                ParameterInfo::integer("components", 64, "principal components at most").between(1.0, 4096.0),
                ParameterInfo::float("floor", 1e-4, "variance at least, in squared units of the embeddings").between(0.0, 1e6),
            ],
        }
        .classes(self.0)
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let labels = problem::labels(probe, params)?;
        let classes = self.0.classes(&labels)?;
        let features = problem::features(probe, labels.len())?;
        let most = params.integer("components")?.max(1) as usize;
        let scores = reduction::components(&features, most)?.scores;
        let groups = Groups::of_classes(&classes);
        let member = classes.one_hot()?;
        let mut parts = Vec::with_capacity(GROUPS);
        for rows in groups.rows()? {
            let (scores, member) = (scores.f_index_select(0, &rows)?, member.f_index_select(0, &rows)?.f_transpose(0, 1)?);
            parts.push(Sums {
                counts: numbers(&sum(&member, 1)?)?,
                firsts: numbers(&member.f_mm(&scores)?)?,
                seconds: numbers(&member.f_mm(&scores.f_square()?)?)?,
            });
        }
        let shape = Shape { spherical: params.text("covariance")? == "spherical", floor: params.float("floor")? };
        let all = shape.score(parts.iter())?;
        let without: Result<Vec<f64>, PluginError> = (0..parts.len())
            .map(|left| shape.score(parts.iter().enumerate().filter(|(at, _)| *at != left).map(|(_, part)| part)))
            .collect();
        let values = vec![
            jackknife::value("gbc", "1", all, &without?)?,
            Value::exact("components", scores.size()[1] as f64, "components"),
        ];
        Ok(Measurement::complete(values, labels.len() as u64))
    }
}

/// Sums by class: molecules [C], scores [C, K], their squares [C, K].
struct Sums {
    counts: Vec<f64>,
    firsts: Vec<f64>,
    seconds: Vec<f64>,
}

/// How a class's Gaussian looks.
struct Shape {
    spherical: bool,
    floor: f64,
}

/// Mean and variance of a class on each component.
struct Gaussian {
    means: Vec<f64>,
    variances: Vec<f64>,
}

impl Shape {
    fn score<'a>(&self, parts: impl Iterator<Item = &'a Sums> + Clone) -> Result<f64, PluginError> {
        let total = |of: fn(&Sums) -> &Vec<f64>| {
            parts.clone().map(of).fold(Vec::new(), |mut total: Vec<f64>, part| {
                total.resize(part.len(), 0.0);
                total.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
                total
            })
        };
        let (counts, firsts, seconds) = (total(|part| &part.counts), total(|part| &part.firsts), total(|part| &part.seconds));
        let width = firsts.len() / counts.len();
        let gaussians: Vec<Gaussian> = (0..counts.len())
            .map(|class| {
                let at = class * width..(class + 1) * width;
                let means: Vec<f64> = firsts[at.clone()].iter().map(|sum| sum / counts[class]).collect();
                let squares = seconds[at].iter().map(|sum| sum / counts[class]);
                self.gaussian(means.clone(), squares.zip(&means).map(|(square, mean)| square - mean * mean).collect())
            })
            .collect();
        let mut overlap = 0.0;
        for (at, one) in gaussians.iter().enumerate() {
            for other in &gaussians[..at] {
                overlap += 2.0 * (-distance(one, other)).exp();
            }
        }
        if overlap.is_nan() {
            let text = "a class has no spread and `floor` is 0; set parameter `floor` above 0";
            return Err(PluginError::Input(text.into()));
        }
        Ok(-overlap)
    }

    fn gaussian(&self, means: Vec<f64>, mut variances: Vec<f64>) -> Gaussian {
        if self.spherical {
            let mean = variances.iter().sum::<f64>() / variances.len() as f64;
            variances.fill(mean);
        }
        variances.iter_mut().for_each(|variance| *variance = variance.max(self.floor));
        Gaussian { means, variances }
    }
}

/// Bhattacharyya distance of two Gaussians with diagonal covariances.
fn distance(one: &Gaussian, other: &Gaussian) -> f64 {
    let each = one.means.iter().zip(&other.means).zip(one.variances.iter().zip(&other.variances));
    each.map(|((m1, m2), (s1, s2))| {
        let s = (s1 + s2) / 2.0;
        (m1 - m2).powi(2) / s / 8.0 + (s.ln() - s1.ln() / 2.0 - s2.ln() / 2.0) / 2.0
    })
    .sum()
}
