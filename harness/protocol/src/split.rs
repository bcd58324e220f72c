//! The words for the ways a dataset is split. What they do is in the crate `molecules`; a suite is checked without it.

/// DeepChem's rule: whole scaffolds, the largest first. No seed.
pub const SCAFFOLD: &str = "scaffold";
/// chemprop's rule: whole scaffolds in a shuffled order, the largest in training. Seeded.
pub const SCAFFOLD_BALANCED: &str = "scaffold_balanced";
/// Molecules in a shuffled order. Seeded.
pub const RANDOM: &str = "random";
/// Molecules in groups of like labels, each group shared out: DeepChem's rule for one task. Seeded.
pub const STRATIFIED: &str = "stratified";
/// Whole clusters of like molecules (Taylor-Butina on Morgan fingerprints), the largest in training: DeepChem's rule. No seed.
pub const BUTINA: &str = "butina";
/// The split that the source gives.
pub const GIVEN: &str = "given";
/// The split that a file of the user's gives, a row and its part a line, as `clmbench data split` writes it.
pub const FILE: &str = "file";

/// Every way, in the order in which help and errors list them.
pub const ALGORITHMS: [&str; 7] = [SCAFFOLD, SCAFFOLD_BALANCED, RANDOM, STRATIFIED, BUTINA, GIVEN, FILE];

/// In a suite: the split, seed and shares that the dataset recommends ([`crate::DatasetInfo::recommended_split`]).
pub const RECOMMENDED: &str = "recommended";

/// Shares of molecules for training and validation where nothing else is said; the rest is for testing.
pub const DEFAULT_FRACTIONS: (f64, f64) = (0.8, 0.1);

/// Whether a split of this name is another one for every seed, so that a definition must name its seed (0 if the user names none).
/// `given` has none, but takes one for the validation share that it draws where the source gives none.
pub fn has_seed(algorithm: &str) -> bool {
    matches!(algorithm, SCAFFOLD_BALANCED | RANDOM | STRATIFIED)
}

/// Whether a seed may be named at all.
pub fn takes_seed(algorithm: &str) -> bool {
    has_seed(algorithm) || algorithm == GIVEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_splits_have_seeds() {
        assert_eq!(ALGORITHMS.map(has_seed), [false, true, true, true, false, false, false]);
        assert_eq!(ALGORITHMS.map(takes_seed), [false, true, true, true, false, true, false]);
    }
}
