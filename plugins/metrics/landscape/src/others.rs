//! Other weights: read, checked, compared.

use clmbench_sdk::{prelude::*, protocol::OtherWeights};

/// Other weights of a probe.
pub struct Others {
    /// Weights of the checkpoint itself [P].
    pub weights: Tensor,
    /// Names and groups.
    pub rows: Vec<OtherWeights>,
}

impl Others {
    /// Reads what there is.
    pub fn read(probe: &Probe<'_>) -> Result<Self, PluginError> {
        Ok(Self { weights: probe.weights()?, rows: probe.others()? })
    }

    /// The index-th weights [P], in the number format and on the device of the checkpoint's own.
    ///
    /// # Errors
    /// [`PluginError::Shape`], [`PluginError::NonFinite`], naming the weights.
    pub fn get(&self, probe: &Probe<'_>, index: usize) -> Result<Tensor, PluginError> {
        let other = probe.other_weights(index)?.f_to_device(self.weights.device())?.f_to_kind(self.weights.kind())?;
        let (name, all, own) = (&self.rows[index].name, other.numel(), self.weights.numel());
        if all != own {
            return Err(PluginError::Shape(format!("`{name}` has {all} parameters, and the checkpoint {own}")));
        }
        if !other.f_sum(Kind::Double)?.f_double_value(&[])?.is_finite() {
            return Err(PluginError::NonFinite(format!("a weight of `{name}` is not finite")));
        }
        Ok(other)
    }

    /// The index-th weights less those of the checkpoint [P].
    pub fn step(&self, probe: &Probe<'_>, index: usize) -> Result<Tensor, PluginError> {
        Ok(self.get(probe, index)? - &self.weights)
    }

    /// [`Others::step`] and its length, which is not 0.
    ///
    /// # Errors
    /// [`PluginError::Input`] when the weights are the checkpoint's own.
    pub fn moved(&self, probe: &Probe<'_>, index: usize) -> Result<(Tensor, f64), PluginError> {
        let step = self.step(probe, index)?;
        let length = length(&step)?;
        if length == 0.0 {
            let text =
                format!("`{}` has the weights of the checkpoint itself: there is no way between them", self.rows[index].name);
            return Err(PluginError::Input(text));
        }
        Ok((step, length))
    }

    /// Numbers of the weights of each group, in order of the groups' names.
    pub fn groups(&self) -> Vec<(String, Vec<usize>)> {
        let mut groups: std::collections::BTreeMap<String, Vec<usize>> = std::collections::BTreeMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            groups.entry(row.group.clone()).or_default().push(index);
        }
        groups.into_iter().collect()
    }
}

/// Sum of products of two tensors, in float64.
pub fn dot(a: &Tensor, b: &Tensor) -> Result<f64, PluginError> {
    Ok((a * b).f_sum(Kind::Double)?.f_double_value(&[])?)
}

/// Euclidean length of a tensor.
pub fn length(of: &Tensor) -> Result<f64, PluginError> {
    Ok(dot(of, of)?.sqrt())
}

/// Products of all pairs of tensors, [n][n].
pub fn gram(tensors: &[Tensor]) -> Result<Vec<Vec<f64>>, PluginError> {
    let mut products = vec![vec![0.0; tensors.len()]; tensors.len()];
    for (i, a) in tensors.iter().enumerate() {
        for (j, b) in tensors.iter().enumerate().take(i + 1) {
            products[i][j] = dot(a, b)?;
            products[j][i] = products[i][j];
        }
    }
    Ok(products)
}

/// Variances along the principal directions of points with these products of all pairs, largest first, and the coordinates of each point
/// on the first two, each turned so that the last point lies on its positive side. With points in the rows of X these are the
/// eigenvalues of `X X^T` and the roots of them times its eigenvectors; nothing of size P x P is formed. Points that are not centred are
/// seen from 0. Two points or more.
///
/// # Errors
/// [`PluginError::NonFinite`] when the points are all 0 or a product is not finite.
pub fn principal(products: &[Vec<f64>]) -> Result<(Vec<f64>, Vec<[f64; 2]>), PluginError> {
    let count = products.len();
    let matrix = Tensor::f_from_slice(&products.concat())?.f_view([count as i64, count as i64])?;
    let (squares, vectors) = matrix.f_linalg_eigh("L")?;
    let squares = Vec::<f64>::try_from(&squares)?;
    let vectors = Vec::<Vec<f64>>::try_from(&vectors)?;
    let squares: Vec<f64> = squares.iter().rev().map(|square| square.max(0.0)).collect();
    let total: f64 = squares.iter().sum();
    if !total.is_finite() || total <= 0.0 {
        return Err(PluginError::NonFinite(format!("the variance of the weights is {total}")));
    }
    let coordinate = |point: usize, component: usize| {
        let column = count - 1 - component;
        let sign = if vectors[count - 1][column] < 0.0 { -1.0 } else { 1.0 };
        sign * squares[component].sqrt() * vectors[point][column]
    };
    let coordinates = (0..count).map(|point| [coordinate(point, 0), coordinate(point, 1)]).collect();
    Ok((squares, coordinates))
}

/// Standard error of a statistic of several groups that comes from their members: the jackknife that leaves out a member at a time within
/// its group (Shao & Tu 1995, section 6.2), `sum_g (n_g - 1) / n_g sum_i (theta_-gi - mean_g)^2`. None where a group has one
/// member: its spread is not known.
pub fn over_members(groups: &[(String, Vec<usize>)], statistic: impl Fn(&[Vec<usize>]) -> f64) -> Option<f64> {
    let mut kept: Vec<Vec<usize>> = groups.iter().map(|(_, members)| members.clone()).collect();
    let mut variance = 0.0;
    for group in 0..kept.len() {
        let all = kept[group].clone();
        if all.len() < 2 {
            return None;
        }
        let mut values = Vec::new();
        for left_out in &all {
            kept[group] = all.iter().copied().filter(|member| member != left_out).collect();
            values.push(statistic(&kept));
        }
        kept[group] = all;
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        variance += (count - 1.0) / count * values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    }
    Some(variance.sqrt())
}

/// Mean over groups of the mean over their members.
pub fn mean_of_means(groups: &[Vec<usize>], values: &[f64]) -> f64 {
    let mean = |members: &Vec<usize>| members.iter().map(|member| values[*member]).sum::<f64>() / members.len() as f64;
    groups.iter().map(mean).sum::<f64>() / groups.len() as f64
}
