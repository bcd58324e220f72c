//! Gradient-boosted trees, by forust (histograms of 256 bins, Newton steps; Chen & Guestrin 2016, eq. 2 to 7).

use forust_ml::{data::Matrix, gradientbooster::GradientBooster, objective::ObjectiveType};

use crate::{error::BaselineError, features::Features};

/// Settings of boosted trees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boosting {
    /// Trees, one after the other; at least 1.
    pub rounds: u32,
    /// Share of each tree that is added; above 0, at most 1.
    pub learning_rate: f64,
    /// Greatest depth of a tree; 1 to 64.
    pub depth: u32,
}

impl Boosting {
    /// Fits to the molecules at `train` with their labels, and predicts those at `test`: values, or for `classes` (labels 0 and 1) the
    /// chance of class 1. One thread.
    ///
    /// # Errors
    /// [`BaselineError::Setting`], [`BaselineError::Label`], [`BaselineError::NoMolecules`]; [`BaselineError::Library`] with forust's words.
    pub fn fit_predict(
        &self,
        features: &Features,
        (train, labels): (&[usize], &[f64]),
        classes: bool,
        test: &[usize],
    ) -> Result<Vec<f64>, BaselineError> {
        self.check()?;
        crate::forest::check_labels(train, labels, classes)?;
        let wrong =
            |error: forust_ml::errors::ForustError| BaselineError::Library { model: "boosting", reason: error.to_string() };
        let objective = if classes { ObjectiveType::LogLoss } else { ObjectiveType::SquaredLoss };
        // Columns without variance cannot be binned: they say nothing, and are left out.
        let varying: Vec<usize> = (0..features.width())
            .filter(|column| train.iter().any(|place| features.value(*place, *column) != features.value(train[0], *column)))
            .collect();
        if varying.is_empty() {
            return Ok(vec![labels.iter().sum::<f64>() / labels.len() as f64; test.len()]);
        }
        let columns = |places: &[usize]| -> Vec<f64> {
            varying.iter().flat_map(|column| places.iter().map(|place| features.value(*place, *column))).collect()
        };
        let mut booster = GradientBooster::default()
            .set_objective_type(objective)
            .set_iterations(self.rounds as usize)
            .set_learning_rate(self.learning_rate as f32)
            .set_max_depth(self.depth as usize)
            .set_initialize_base_score(true)
            .set_parallel(false);
        let data = columns(train);
        booster.fit_unweighted(&Matrix::new(&data, train.len(), varying.len()), labels, None).map_err(wrong)?;
        let data = columns(test);
        let predicted = booster.predict(&Matrix::new(&data, test.len(), varying.len()), false);
        Ok(if classes { predicted.into_iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect() } else { predicted })
    }

    fn check(&self) -> Result<(), BaselineError> {
        let wrong = |what, value: String, range| Err(BaselineError::Setting { what, value, range });
        if self.rounds == 0 {
            return wrong("rounds", self.rounds.to_string(), "at least 1 is needed");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return wrong("a learning rate", self.learning_rate.to_string(), "it is above 0 and at most 1");
        }
        if !(1..=64).contains(&self.depth) {
            return wrong("a depth", self.depth.to_string(), "it is 1 to 64");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STUMP: Boosting = Boosting { rounds: 1, learning_rate: 1.0, depth: 1 };

    fn features() -> Features {
        Features::dense((0..20).map(|row| vec![f64::from(u8::from(row % 4 == 0)), 3.0]).collect()).unwrap()
    }

    #[test]
    fn a_stump_takes_the_newton_step_of_its_leaves() {
        // Leaf = sum of gradients over sum of curvatures plus 1 (Chen & Guestrin 2016, eq. 5, lambda = 1), from the mean or its log odds.
        let train: Vec<usize> = (0..20).collect();
        let labels: Vec<f64> = (0..20).map(|row| if row % 4 == 0 { 10.0 } else { 2.0 + f64::from(row % 2) }).collect();
        let mean = labels.iter().sum::<f64>() / 20.0;
        let leaf = |on: bool| {
            let residuals: Vec<f64> = (0..20).filter(|row| (row % 4 == 0) == on).map(|row| labels[row] - mean).collect();
            mean + residuals.iter().sum::<f64>() / (residuals.len() as f64 + 1.0)
        };
        let found = STUMP.fit_predict(&features(), (&train, &labels), false, &[0, 1]).unwrap();
        assert!((found[0] - leaf(true)).abs() < 1e-5 && (found[1] - leaf(false)).abs() < 1e-5, "{found:?}");

        let labels: Vec<f64> = (0..20).map(|row| f64::from(u8::from(row % 4 == 0 || row % 5 == 1))).collect();
        let share = labels.iter().sum::<f64>() / 20.0;
        let chance = |on: bool| {
            let members: Vec<f64> = (0..20).filter(|row| (row % 4 == 0) == on).map(|row| labels[row] - share).collect();
            let step = members.iter().sum::<f64>() / (members.len() as f64 * share * (1.0 - share) + 1.0);
            1.0 / (1.0 + (-((share / (1.0 - share)).ln() + step)).exp())
        };
        let found = STUMP.fit_predict(&features(), (&train, &labels), true, &[0, 1]).unwrap();
        assert!((found[0] - chance(true)).abs() < 1e-5 && (found[1] - chance(false)).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn more_rounds_fit_the_training_molecules_and_nothing_varying_gives_the_mean() {
        let labels: Vec<f64> = (0..20).map(|row| if row % 4 == 0 { 10.0 } else { 2.0 }).collect();
        let train: Vec<usize> = (0..20).collect();
        let many = Boosting { rounds: 200, learning_rate: 0.3, depth: 3 };
        let found = many.fit_predict(&features(), (&train, &labels), false, &[0, 1]).unwrap();
        assert!((found[0] - 10.0).abs() < 1e-3 && (found[1] - 2.0).abs() < 1e-3, "{found:?}");
        let flat = Features::dense(vec![vec![1.0]; 20]).unwrap();
        assert_eq!(many.fit_predict(&flat, (&train, &labels), false, &[0]).unwrap(), [4.0]);
    }

    #[test]
    fn what_is_not_possible_is_said() {
        let error =
            |settings: Boosting| settings.fit_predict(&features(), (&[0, 1], &[0.0, 1.0]), true, &[0]).unwrap_err().to_string();
        assert_eq!(error(Boosting { rounds: 0, ..STUMP }), "rounds of 0 is not possible; at least 1 is needed");
        assert_eq!(
            error(Boosting { learning_rate: f64::NAN, ..STUMP }),
            "a learning rate of NaN is not possible; it is above 0 and at most 1"
        );
        assert_eq!(error(Boosting { depth: 65, ..STUMP }), "a depth of 65 is not possible; it is 1 to 64");
    }
}
