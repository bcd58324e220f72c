//! The words for the ways a dataset is split. What they do is in the crate `molecules`; a suite is checked without it.

/// DeepChem's rule: whole scaffolds, the largest first. No seed.
pub const SCAFFOLD: &str = "scaffold";
/// chemprop's rule: whole scaffolds in a shuffled order, the largest in training. Seeded.
pub const SCAFFOLD_BALANCED: &str = "scaffold_balanced";
/// Molecules in a shuffled order. Seeded.
pub const RANDOM: &str = "random";
/// The split that the source gives.
pub const GIVEN: &str = "given";

/// Every way, in the order in which help and errors list them.
pub const ALGORITHMS: [&str; 4] = [SCAFFOLD, SCAFFOLD_BALANCED, RANDOM, GIVEN];

/// Shares of molecules for training and validation where nothing else is said; the rest is for testing.
pub const DEFAULT_FRACTIONS: (f64, f64) = (0.8, 0.1);

/// Whether a split of this name is another one for every seed, so that a definition must name its seed (0 if the user names none).
/// `given` has none, but takes one for the validation share that it draws where the source gives none.
pub fn has_seed(algorithm: &str) -> bool {
    matches!(algorithm, SCAFFOLD_BALANCED | RANDOM)
}

/// Whether a seed may be named at all.
pub fn takes_seed(algorithm: &str) -> bool {
    has_seed(algorithm) || algorithm == GIVEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaffold_split_alone_takes_no_seed() {
        assert_eq!(ALGORITHMS.map(has_seed), [false, true, true, false]);
        assert_eq!(ALGORITHMS.map(takes_seed), [false, true, true, true]);
    }
}
