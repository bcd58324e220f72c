//! Standard errors over molecules: the delete-group jackknife.

use clmbench_sdk::prelude::*;

use crate::classes::Classes;

/// Groups that are left out, one at a time.
pub const GROUPS: usize = 10;

/// The group of each molecule; molecules come in random order.
#[derive(Debug, Clone)]
pub struct Groups {
    /// Group of each molecule.
    pub of: Vec<usize>,
}

impl Groups {
    /// Of this many molecules.
    pub fn new(molecules: usize) -> Self {
        Self { of: (0..molecules).map(|molecule| molecule % GROUPS).collect() }
    }

    /// Groups none of which holds a whole class (a class has at least two molecules): without any group, every class is there.
    pub fn of_classes(classes: &Classes) -> Self {
        let mut groups = Self::new(classes.of.len());
        for class in 0..classes.count() {
            let members = || classes.of.iter().enumerate().filter(move |(_, of)| **of == class).map(|(at, _)| at);
            let mut found = members().map(|at| groups.of[at]);
            let first = found.next().unwrap_or(0);
            let alone = found.all(|group| group == first);
            if let (true, Some(last)) = (alone, members().next_back()) {
                groups.of[last] = (first + 1) % GROUPS;
            }
        }
        groups
    }

    /// Rows of each group [N_g], int64.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn rows(&self) -> Result<Vec<Tensor>, PluginError> {
        (0..GROUPS).map(|group| rows(&self.of, |of| *of == group)).collect()
    }
}

/// Indices of the entries that fit, int64.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn rows<T>(entries: &[T], fits: impl Fn(&T) -> bool) -> Result<Tensor, PluginError> {
    let chosen: Vec<i64> = entries.iter().enumerate().filter(|(_, entry)| fits(entry)).map(|(at, _)| at as i64).collect();
    Ok(Tensor::f_from_slice(&chosen)?)
}

/// A value that is found without chance, with its error over molecules.
///
/// # Errors
/// [`PluginError::NonFinite`] when the value or its error is not finite.
pub fn value(name: &str, unit: &str, all: f64, without: &[f64]) -> Result<Value, PluginError> {
    let se_sample = statistics::jackknife_error(without);
    if !all.is_finite() || !se_sample.is_finite() {
        let text = format!("{name} is {all} with error {se_sample}; the embeddings are too degenerate for it");
        return Err(PluginError::NonFinite(text));
    }
    Ok(Value { se_sample: Some(se_sample), ..Value::exact(name, all, unit) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Groups;
    use crate::Labelling;

    #[test]
    fn no_group_holds_a_whole_class() {
        let mut labels = vec![0.0; 40];
        labels[3] = 1.0;
        labels[13] = 1.0;
        let classes = Labelling::Classes.classes(&labels).unwrap();
        assert_ne!(Groups::of_classes(&classes).of[3], Groups::of_classes(&classes).of[13]);
    }
}
