//! Source labels z: what LEEP and NCE condition on, as a distribution [N, Z] over z for each molecule.

use clmbench_sdk::{prelude::*, random::Stream};

use crate::{clusters::Clusters, mixture, problem, reduction};

/// Molecules whose predictive distributions are held at once.
const CHUNK: usize = 256;
/// Clusters of `kmeans32`.
pub const CLUSTERS: usize = 32;
/// Principal components at most that clusters are found in.
const COMPONENTS: usize = 64;
/// Share of the variance that a mixture's components hold.
const VARIANCE: f64 = 0.8;

/// Mean predictive distribution [N, V] of each molecule's predicted tokens under a draw of masks. Molecules without a predicted token
/// have none, and are not among `kept`.
///
/// # Errors
/// Whatever the host refuses; [`PluginError::NonFinite`] where the model has diverged.
pub fn masked(probe: &Probe<'_>, molecules: usize, draw: u64, kept: &[bool]) -> Result<Tensor, PluginError> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < molecules {
        let count = CHUNK.min(molecules - start);
        probe.progress(start as u64, molecules as u64, "predictive distributions")?;
        let sample = Sample { part: SamplePart::Task, start: start as u64, count: count as u64, draw };
        let tokens = probe.predicted(sample)?;
        let probabilities = probe.token_probs(sample)?;
        let owners: Vec<i64> =
            tokens.iter().enumerate().flat_map(|(at, tokens)| std::iter::repeat_n(at as i64, *tokens as usize)).collect();
        if probabilities.size().first() != Some(&(owners.len() as i64)) {
            let text = format!("{:?} predictive distributions for {} predicted tokens", probabilities.size(), owners.len());
            return Err(PluginError::Shape(text));
        }
        let probabilities = probabilities.f_to_kind(Kind::Double)?;
        let sums = Tensor::f_zeros([count as i64, probabilities.size()[1]], (Kind::Double, Device::Cpu))?;
        let sums = sums.f_index_add(0, &Tensor::f_from_slice(&owners)?, &probabilities)?;
        let rows = crate::jackknife::rows(&kept[start..start + count], |kept| *kept)?;
        let sums = sums.f_index_select(0, &rows)?;
        parts.push(sums.f_div(&crate::linear::sum(&sums, 1)?.f_unsqueeze(1)?)?);
        start += count;
    }
    let theta = Tensor::f_cat(&parts, 0)?;
    if !crate::linear::number(&theta.f_sum(Kind::Double)?)?.is_finite() {
        return Err(PluginError::NonFinite("a predictive distribution is not of finite numbers; the model diverged".into()));
    }
    Ok(theta)
}

/// Which of the task's first molecules have a predicted token in every draw.
///
/// # Errors
/// Whatever the host refuses.
pub fn predicted(probe: &Probe<'_>, molecules: usize, draws: u64) -> Result<Vec<bool>, PluginError> {
    let mut kept = vec![true; molecules];
    for draw in 0..draws {
        let sample = Sample { part: SamplePart::Task, start: 0, count: molecules as u64, draw };
        for (kept, tokens) in kept.iter_mut().zip(probe.predicted(sample)?) {
            *kept &= tokens > 0.0;
        }
    }
    Ok(kept)
}

/// Points that clusters are found in, and how many clusters.
pub struct Points {
    points: Tensor,
    clusters: usize,
    mixture: bool,
}

impl Points {
    /// For k-means: the first 64 principal components.
    ///
    /// # Errors
    /// [`PluginError::Input`] for fewer than two molecules a cluster.
    pub fn kmeans(probe: &Probe<'_>, molecules: usize) -> Result<Self, PluginError> {
        enough(molecules, CLUSTERS)?;
        let points = reduction::components(&problem::features(probe, molecules)?, COMPONENTS)?.scores;
        let points = points.f_to_kind(Kind::Float)?;
        Ok(Self { points, clusters: CLUSTERS, mixture: false })
    }

    /// For a mixture of five components a class: the principal components with 80 % of the variance, at most 64.
    ///
    /// # Errors
    /// [`PluginError::Input`] for fewer than two molecules a component.
    pub fn mixture(probe: &Probe<'_>, molecules: usize, classes: usize) -> Result<Self, PluginError> {
        enough(molecules, 5 * classes)?;
        let found = reduction::components(&problem::features(probe, molecules)?, COMPONENTS)?;
        let mut held = 0.0;
        let needed = found.variances.iter().take_while(|variance| {
            let before = held;
            held += **variance;
            before < VARIANCE * found.total
        });
        let kept = needed.count().max(1);
        let points = found.scores.f_narrow(1, 0, kept as i64)?.f_contiguous()?;
        Ok(Self { points, clusters: 5 * classes, mixture: true })
    }

    /// Distribution [N, Z] over clusters, from another start each time.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn distribution(&self, seed: u64) -> Result<Tensor, PluginError> {
        let mut stream = Stream::new(seed);
        if self.mixture {
            mixture::posterior(&self.points, self.clusters, &mut stream)
        } else {
            Clusters::new(&self.points, self.clusters, &mut stream)?.posterior()
        }
    }
}

fn enough(molecules: usize, clusters: usize) -> Result<(), PluginError> {
    if molecules < 2 * clusters {
        let text = format!("{molecules} molecules for {clusters} clusters; at least {} are needed", 2 * clusters);
        return Err(PluginError::Input(text));
    }
    Ok(())
}
