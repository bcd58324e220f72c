//! Labels as classes.

use clmbench_sdk::prelude::*;

/// Where classes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labelling {
    /// Each distinct label is a class.
    Classes,
    /// Fifths of real-valued labels.
    Quintiles,
}

/// The class of each molecule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// Class of each molecule, from 0.
    pub of: Vec<usize>,
    /// Molecules of each class, at least two.
    pub sizes: Vec<usize>,
}

impl Labelling {
    /// Classes of these labels, which are finite.
    ///
    /// # Errors
    /// [`PluginError::Input`] for a single class, a class with one member, or labels whose quintiles collapse.
    pub fn classes(self, labels: &[f64]) -> Result<Classes, PluginError> {
        let mut sorted = labels.to_vec();
        sorted.sort_by(f64::total_cmp);
        let of: Vec<usize> = match self {
            Self::Classes => {
                sorted.dedup();
                labels.iter().map(|label| sorted.partition_point(|other| other < label)).collect()
            }
            Self::Quintiles => {
                let cuts = [0.2, 0.4, 0.6, 0.8].map(|share| quantile(&sorted, share));
                labels.iter().map(|label| cuts.iter().filter(|cut| *cut < label).count()).collect()
            }
        };
        let count = if self == Self::Quintiles { 5 } else { sorted.len() };
        let mut sizes = vec![0; count];
        of.iter().for_each(|class| sizes[*class] += 1);
        self.check(&sizes)?;
        Ok(Classes { of, sizes })
    }

    fn check(self, sizes: &[usize]) -> Result<(), PluginError> {
        let small = sizes.iter().position(|size| *size < 2);
        match (self, small) {
            (Self::Classes, _) if sizes.len() < 2 => {
                Err(PluginError::Input("the training labels are of one class; a score of classes needs two".into()))
            }
            (Self::Classes, Some(class)) => Err(PluginError::Input(format!(
                "class {} of {} has one training molecule; a score of classes needs two of each (are these labels of a regression?)",
                class + 1,
                sizes.len()
            ))),
            (Self::Quintiles, Some(fifth)) => Err(PluginError::Input(format!(
                "fifth {} of the training labels holds {} molecule(s), since too many labels are equal; quintiles need labels that \
                 differ: use transferability/logme, knn or ridge",
                fifth + 1,
                sizes[fifth]
            ))),
            _ => Ok(()),
        }
    }
}

/// Quantile of sorted values, linear between order statistics (Hyndman & Fan 1996, definition 7).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = sorted[at.floor() as usize];
    let above = sorted[at.ceil() as usize];
    below + (above - below) * (at - at.floor())
}

impl Classes {
    /// Number of classes.
    pub fn count(&self) -> usize {
        self.sizes.len()
    }

    /// Class of each molecule [N], int64.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn tensor(&self) -> Result<Tensor, PluginError> {
        Ok(Tensor::f_from_slice(&self.of.iter().map(|class| *class as i64).collect::<Vec<_>>())?)
    }

    /// Membership [N, C], float64.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn one_hot(&self) -> Result<Tensor, PluginError> {
        Ok(self.tensor()?.f_one_hot(self.count() as i64)?.f_to_kind(Kind::Double)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Classes, Labelling};

    #[test]
    fn quintiles_cut_ranks_and_keep_ties_together() {
        let labels: Vec<f64> = (0..20).map(|k| f64::from((k * 7) % 20)).collect();
        let classes = Labelling::Quintiles.classes(&labels).unwrap();
        assert_eq!(classes.sizes, [4; 5]);
        assert!(labels.iter().zip(&classes.of).all(|(label, class)| *label as usize / 4 == *class));
        // Cuts of 0 0 0 0 1 2 3 4 5 6: 0, 0.6, 2.4, 4.2.
        let tied = [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let error = Labelling::Quintiles.classes(&tied).unwrap_err().to_string();
        assert!(error.starts_with("fifth 2 of the training labels holds 0 molecule(s)"), "{error}");
    }

    #[test]
    fn distinct_labels_are_classes_in_their_order() {
        let classes = Labelling::Classes.classes(&[1.0, 0.0, 1.0, 0.0, 0.0]).unwrap();
        assert_eq!(classes, Classes { of: vec![1, 0, 1, 0, 0], sizes: vec![3, 2] });
        let refused = |labels: &[f64]| Labelling::Classes.classes(labels).unwrap_err().to_string();
        assert_eq!(refused(&[1.0, 1.0]), "the training labels are of one class; a score of classes needs two");
        assert!(refused(&[1.0, 1.0, 0.0]).starts_with("class 1 of 2 has one training molecule"));
    }
}
