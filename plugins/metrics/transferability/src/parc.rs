//! `transferability/parc`: do molecules that differ in their labels differ in their embeddings?

use clmbench_sdk::prelude::*;

use crate::{
    Labelling,
    card::{Card, jackknife_doc},
    jackknife::{self, GROUPS, Groups},
    linear::{numbers, sum},
    problem, reduction,
};

/// Rank correlation of dissimilarities of embeddings and of labels over all pairs of molecules.
pub struct Parc;

impl Metric for Parc {
    fn info(&self) -> MetricInfo {
        Card {
            name: "parc",
            doc: concat!(
                "Spearman correlation, over pairs of molecules, of 1 - cosine of embeddings (on the first 32 principal components, each scaled \
                 to variance 1; a Pearson correlation over components, as the authors take, would depend on their arbitrary signs) with the dissimilarity of labels: 0 or 1 for classes, |y - y'| for regression (ours: the paper has \
                 classes only). In [-1, 1] (the authors give it times 100). Pairs grow with the square of `pairs_of` molecules. ",
                jackknife_doc!(),
                ", ranked anew without each, components fixed."
            ),
            citation: "Bolya et al. 2021, arXiv:2111.06977, eq. 3 and 4, section 3.2",
            unit: "1",
            parameters: vec![
                ParameterInfo::integer("components", 32, "principal components at most").between(2.0, 4096.0),
                ParameterInfo::integer("pairs_of", 1000, "molecules at most, the first ones").between(20.0, 10_000.0),
            ],
        }
        .any_task()
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let mut labels = problem::labels(probe, params)?;
        labels.truncate(params.integer("pairs_of")?.max(2) as usize);
        if labels.iter().all(|label| *label == labels[0]) {
            let text = format!("the first {} labels are all {}; raise `pairs_of`", labels.len(), labels[0]);
            return Err(PluginError::Input(text));
        }
        let classes = match problem::kind(probe)? {
            TaskKind::Classification => Some(Labelling::Classes.classes(&labels)?),
            TaskKind::Regression => None,
        };
        let groups = classes.as_ref().map_or_else(|| Groups::new(labels.len()), Groups::of_classes);
        let features = problem::features(probe, labels.len())?;
        let components = reduction::components(&features, params.integer("components")?.max(2) as usize)?;
        if components.variances.len() < 2 {
            let text = format!("embeddings have {} independent direction(s); PARC needs 2", components.variances.len());
            return Err(PluginError::Input(text));
        }
        let far = dissimilarities(&components)?;
        let apart = |one: usize, other: usize| match &classes {
            Some(classes) => f64::from(u8::from(classes.of[one] != classes.of[other])),
            None => (labels[one] - labels[other]).abs(),
        };
        let count = labels.len();
        let mut pairs = Pairs::with_capacity(count * (count - 1) / 2);
        for one in 1..count {
            for other in 0..one {
                pairs.push(far[one * count + other], apart(one, other), [groups.of[one], groups.of[other]]);
            }
        }
        let ordered = pairs.ordered();
        let all = ordered.spearman(GROUPS);
        let without: Vec<f64> = (0..GROUPS).map(|group| ordered.spearman(group)).collect();
        Ok(Measurement::complete(vec![jackknife::value("parc", "1", all, &without)?], count as u64))
    }
}

/// `1 - cosine` of every two molecules [N, N], over components scaled to variance 1.
fn dissimilarities(components: &reduction::Components) -> Result<Vec<f64>, PluginError> {
    let scale = Tensor::f_from_slice(&components.variances)?.f_sqrt()?;
    let scaled = components.scores.f_div(&scale)?;
    let lengths = sum(&scaled.f_square()?, 1)?.f_sqrt()?.f_clamp_min(1e-150)?.f_unsqueeze(1)?;
    let unit = scaled.f_div(&lengths)?;
    let cosines = numbers(&unit.f_mm(&unit.f_transpose(0, 1)?)?)?;
    Ok(cosines.into_iter().map(|cosine| 1.0 - cosine).collect())
}

/// Pairs of molecules: both dissimilarities and the groups of both.
struct Pairs {
    far: Vec<f64>,
    apart: Vec<f64>,
    groups: Vec<[u8; 2]>,
}

impl Pairs {
    fn with_capacity(pairs: usize) -> Self {
        Self { far: Vec::with_capacity(pairs), apart: Vec::with_capacity(pairs), groups: Vec::with_capacity(pairs) }
    }

    fn push(&mut self, far: f64, apart: f64, groups: [usize; 2]) {
        self.far.push(far);
        self.apart.push(apart);
        self.groups.push(groups.map(|group| group as u8));
    }

    /// Sorted once; without a group, the order of the rest stays.
    fn ordered(self) -> Ordered {
        // Pairs by distance of embeddings: what follows then reads memory in order.
        let mut order: Vec<u32> = (0..self.far.len() as u32).collect();
        order.sort_unstable_by(|a, b| self.far[*a as usize].total_cmp(&self.far[*b as usize]));
        let take = |at: &u32| *at as usize;
        let far = order.iter().map(|at| self.far[take(at)]).collect();
        let apart: Vec<f64> = order.iter().map(|at| self.apart[take(at)]).collect();
        let groups = order.iter().map(|at| self.groups[take(at)]).collect();
        let mut by_label: Vec<u32> = (0..apart.len() as u32).collect();
        by_label.sort_unstable_by(|a, b| apart[*a as usize].total_cmp(&apart[*b as usize]).then(a.cmp(b)));
        Ordered { pairs: Self { far, apart, groups }, by_label }
    }
}

/// Pairs by distance of embeddings, and their order by distance of labels.
struct Ordered {
    pairs: Pairs,
    by_label: Vec<u32>,
}

impl Ordered {
    /// Spearman correlation over pairs without molecules of this group: Pearson correlation of mean ranks.
    fn spearman(&self, left: usize) -> f64 {
        let Pairs { far, apart, groups } = &self.pairs;
        let kept = |at: usize| groups[at].iter().all(|group| usize::from(*group) != left);
        let all: Vec<u32> = (0..far.len() as u32).collect();
        let first = ranks(&all, far, kept);
        let second = ranks(&self.by_label, apart, kept);
        let (mut count, mut sums) = (0.0, [0.0; 5]);
        let middle = far.len() as f64 / 2.0;
        for (a, b) in first.iter().zip(&second).filter(|(a, _)| **a > 0.0) {
            let (a, b) = (a - middle, b - middle);
            count += 1.0;
            sums.iter_mut().zip([a, b, a * a, b * b, a * b]).for_each(|(sum, term)| *sum += term);
        }
        let [a, b, aa, bb, ab] = sums.map(|sum| sum / count);
        (ab - a * b) / ((aa - a * a) * (bb - b * b)).sqrt()
    }
}

/// Mean rank from 1 of each entry that is kept, 0 for others; `order` sorts the values.
fn ranks(order: &[u32], values: &[f64], kept: impl Fn(usize) -> bool) -> Vec<f64> {
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0_u32;
    for tied in order.chunk_by(|a, b| values[*a as usize] == values[*b as usize]) {
        let members = || tied.iter().map(|at| *at as usize).filter(|at| kept(*at));
        let count = members().count() as u32;
        let rank = f64::from(before) + (f64::from(count) + 1.0) / 2.0;
        members().for_each(|at| ranks[at] = rank);
        before += count;
    }
    ranks
}
