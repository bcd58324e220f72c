//! k-means: Lloyd's iterations from centres that lie apart (k-means++).

use clmbench_sdk::{prelude::*, random::Stream};

use crate::linear::{number, numbers, sum_in};

/// Iterations at most.
const MOST: usize = 30;

/// Clusters of points.
pub struct Clusters {
    /// Centres [Z, K].
    pub centres: Tensor,
    /// Squared distances of points to centres [N, Z].
    pub distances: Tensor,
    /// Nearest centre of each point [N], int64.
    pub nearest: Tensor,
}

impl Clusters {
    /// `count` clusters of points [N, K], N >= count, in the points' number format; at most 30 iterations.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn new(points: &Tensor, count: usize, stream: &mut Stream) -> Result<Self, PluginError> {
        let lengths = sum_in(&points.f_square()?, 1)?.f_unsqueeze(1)?;
        let mut centres = spread(points, &lengths, count, stream)?;
        let mut found = Self::assign(points, &lengths, &centres)?;
        for _ in 0..MOST {
            let member = found.nearest.f_one_hot(count as i64)?.f_to_kind(points.kind())?;
            let sizes = sum_in(&member, 0)?;
            let means = member.f_transpose(0, 1)?.f_mm(points)?.f_div(&sizes.f_clamp_min(1.0)?.f_unsqueeze(1)?)?;
            // A cluster that lost its last point keeps its centre.
            centres = means.f_where_self(&sizes.f_gt(0.0)?.f_unsqueeze(1)?, &centres)?;
            let next = Self::assign(points, &lengths, &centres)?;
            let same = next.nearest.f_equal(&found.nearest)?;
            found = next;
            if same {
                break;
            }
        }
        Ok(found)
    }

    fn assign(points: &Tensor, lengths: &Tensor, centres: &Tensor) -> Result<Self, PluginError> {
        let distances = squared(points, lengths, centres)?;
        let nearest = distances.f_argmin(1, false)?;
        Ok(Self { centres: centres.shallow_clone(), distances, nearest })
    }

    /// Posterior [N, Z] of equal, round Gaussians at the centres, whose variance is the points' mean squared distance from their own centre
    /// in a direction.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn posterior(&self) -> Result<Tensor, PluginError> {
        let (count, width) = (self.distances.size()[0] as f64, self.centres.size()[1] as f64);
        let own = self.distances.f_amin(&[1_i64][..], false)?;
        let variance = number(&own.f_sum(Kind::Double)?)? / count / width;
        let least = 1e-12 * number(&self.distances.f_mean(Kind::Double)?)?;
        Ok(self.distances.f_to_kind(Kind::Double)?.f_div_scalar(-2.0 * variance.max(least))?.f_softmax(1, Kind::Double)?)
    }
}

/// Squared distances [N, Z].
fn squared(points: &Tensor, lengths: &Tensor, centres: &Tensor) -> Result<Tensor, PluginError> {
    let cross = points.f_mm(&centres.f_transpose(0, 1)?)?.f_mul_scalar(-2.0)?;
    Ok(cross.f_add(lengths)?.f_add(&sum_in(&centres.f_square()?, 1)?)?.f_clamp_min(0.0)?)
}

/// First centres, each drawn with probability proportional to the squared distance from those before (Arthur & Vassilvitskii 2007).
fn spread(points: &Tensor, lengths: &Tensor, count: usize, stream: &mut Stream) -> Result<Tensor, PluginError> {
    let all = points.size()[0];
    let mut chosen = vec![((stream.uniform() * all as f64) as i64).min(all - 1)];
    let mut nearest = vec![f64::INFINITY; all as usize];
    while chosen.len() < count {
        let last = points.f_narrow(0, chosen[chosen.len() - 1], 1)?;
        let distances = numbers(&squared(points, lengths, &last)?)?;
        nearest.iter_mut().zip(distances).for_each(|(near, distance)| *near = near.min(distance));
        let mut left = stream.uniform() * nearest.iter().sum::<f64>();
        let drawn = nearest.iter().position(|distance| {
            left -= distance;
            left <= 0.0
        });
        chosen.push(drawn.unwrap_or(0) as i64);
    }
    Ok(points.f_index_select(0, &Tensor::f_from_slice(&chosen)?)?)
}
