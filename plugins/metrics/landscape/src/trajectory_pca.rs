//! `landscape/trajectory_pca`: how straight the path of a run's checkpoints is.

use std::fmt::Write;

use clmbench_sdk::prelude::*;

use crate::others::{Others, gram, length, principal};

/// Principal components of the checkpoints of a run, centred: share of the variance on the first, coordinates on the first two, and length of
/// the path over the distance between its ends.
///
/// With checkpoints in the rows of X (centred) the shares are the eigenvalues of the [n, n] matrix `X X^T`, divided by its trace; nothing
/// of size P x P is formed. n x P numbers are held in memory.
pub struct TrajectoryPca;

/// Checkpoints below which the first component says nothing.
const LEAST: usize = 3;

impl Metric for TrajectoryPca {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "landscape/trajectory_pca".into(),
            doc: "Principal components of the checkpoints of a run, in order of tokens and centred: share of the variance on the first component \
                  (and the second), length of the path through all checkpoints over the distance between the first and the last, and \
                  that distance relative to the last weights. Claimed: a straight path is that of a run that settled. The \
                  initial weights are no checkpoint. Exact for these checkpoints; it depends on how many there are and how they \
                  are spaced, and a random walk in many dimensions has 61 % on its first component as well (Antognini and \
                  Sohl-Dickstein 2018), so compare runs with equal checkpoints only. Holds all checkpoints in memory. Refused below 3 \
                  checkpoints and where none moved."
                .into(),
            citation: "Li et al. 2018, arXiv:1712.09913, section 7 (PCA directions of a trajectory)".into(),
            unit: "1".into(),
            primary: "explained_1".into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::Run,
            cost: CostClass::Free,
            comparable: Comparable::Any,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: Vec::new(),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, _params: &Params) -> Result<Measurement, PluginError> {
        let others = Others::read(probe)?;
        let count = others.rows.len();
        if count < LEAST {
            let text =
                format!("the run has {count} checkpoint(s); a path needs {LEAST} or more: set checkpoints in its [[model]]");
            return Err(PluginError::Unsupported(text));
        }
        let mut points = Vec::new();
        for index in 0..count {
            probe.progress(index as u64, count as u64, "checkpoint")?;
            points.push(others.get(probe, index)?);
        }
        let mut path = 0.0;
        for pair in points.windows(2) {
            path += length(&(&pair[1] - &pair[0]))?;
        }
        let (last, displacement) = (length(&points[count - 1])?, length(&(&points[count - 1] - &points[0]))?);
        if path == 0.0 {
            return Err(PluginError::Input(format!("all {count} checkpoints have the same weights: there is no path")));
        }
        let (shares, coordinates) = components(points)?;
        let mut values = vec![
            Value::exact("explained_1", shares[0], "1"),
            Value::exact("explained_2", shares[1], "1"),
            Value::exact("checkpoints", count as f64, "checkpoints"),
        ];
        if displacement > 0.0 {
            values.push(Value::exact("path_over_displacement", path / displacement, "1"));
        }
        if last > 0.0 {
            values.push(Value::exact("displacement", displacement / last, "1"));
        }
        let mut text = String::from("checkpoint,component_1,component_2\n");
        for (row, [first, second]) in others.rows.iter().zip(coordinates) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\"{}\",{first},{second}", row.name.replace('"', "\"\""));
        }
        let artifacts = vec![("trajectory.csv".into(), text.into_bytes())];
        Ok(Measurement { values, artifacts, molecules: 0, stopped: "complete" })
    }
}

/// Shares of the variance, largest first, and coordinates of each point on the first two components, each turned so that the last
/// point lies on its positive side.
fn components(mut points: Vec<Tensor>) -> Result<(Vec<f64>, Vec<[f64; 2]>), PluginError> {
    let count = points.len();
    let mut mean = points[0].f_zeros_like()?;
    for point in &points {
        mean += point / count as f64;
    }
    for point in &mut points {
        *point -= &mean;
    }
    let (squares, coordinates) = principal(&gram(&points)?)?;
    let total: f64 = squares.iter().sum();
    Ok((squares.iter().map(|square| square / total).collect(), coordinates))
}
