//! Nearest neighbours and their labels.

use crate::distances::{Distances, ZERO};

/// MODI (Golbraikh et al. 2014): the mean over both classes of the share of their molecules whose nearest neighbour is of the same class.
/// Of several neighbours that are equally near, the share of the same class counts. Labels over 0.5 are the one class. NaN where a class
/// has no molecule.
///
/// `left` are the molecules that are there; distances that differ by less than `ZERO` times `largest` are equal.
pub fn modelability(distances: &Distances, labels: &[f64], left: &[usize], largest: f64) -> f64 {
    let (mut same, mut members) = ([0.0; 2], [0.0; 2]);
    for molecule in left {
        let (row, class) = (distances.row(*molecule), labels[*molecule] > 0.5);
        let others = || left.iter().filter(|other| *other != molecule);
        let nearest = others().map(|other| row[*other]).fold(f64::INFINITY, f64::min) + ZERO * largest;
        let near = others().filter(|other| row[**other] <= nearest);
        let (all, alike) = near
            .fold((0.0, 0.0), |(all, alike), other| (all + 1.0, alike + f64::from(u8::from((labels[*other] > 0.5) == class))));
        same[usize::from(class)] += alike / all;
        members[usize::from(class)] += 1.0;
    }
    (same[0] / members[0] + same[1] / members[1]) / 2.0
}

/// RMODI (Ruiz & Gómez-Nieto 2018): the share of molecules with a negative rivality index, that is, whose nearest molecule with a
/// label within `delta` standard deviations is nearer than the nearest one with another label. Equally near ones do not count.
pub fn regression_modelability(distances: &Distances, labels: &[f64], left: &[usize], largest: f64, delta: f64) -> f64 {
    let count = left.len() as f64;
    let mean = left.iter().map(|index| labels[*index]).sum::<f64>() / count;
    let variance = left.iter().map(|index| (labels[*index] - mean).powi(2)).sum::<f64>() / count;
    let within = delta * variance.sqrt();
    let smooth = left.iter().filter(|molecule| {
        let (row, label) = (distances.row(**molecule), labels[**molecule]);
        let (mut alike, mut unlike) = (f64::INFINITY, f64::INFINITY);
        for other in left.iter().filter(|other| other != molecule) {
            let nearest = if (labels[*other] - label).abs() <= within { &mut alike } else { &mut unlike };
            *nearest = nearest.min(row[*other]);
        }
        alike + ZERO * largest < unlike
    });
    smooth.count() as f64 / count
}
