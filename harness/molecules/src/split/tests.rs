#![allow(clippy::unwrap_used)]
use std::collections::BTreeSet;

use clmbench_protocol::Number;

use super::*;

fn spec(algorithm: &str, training: f64, validation: f64, seed: Option<u64>) -> SplitSpec {
    SplitSpec { algorithm: algorithm.into(), seed, fractions: (Number(training), Number(validation)), file: None }
}

fn letters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

fn try_split(spec: &SplitSpec, scaffolds: &[String], given: &[String]) -> Result<Vec<Part>, MoleculesError> {
    let rows: Vec<u64> = (0..scaffolds.len() as u64).collect();
    split(spec, molecules(scaffolds, &rows, scaffolds.len(), given))
}

/// Molecules of which only this is known.
fn molecules<'a>(scaffolds: &'a [String], rows: &'a [u64], all_rows: usize, given: &'a [String]) -> Molecules<'a> {
    Molecules { name: "set", smiles: &[], scaffolds, labels: &[], tasks: 0, rows, all_rows, given }
}

fn shown(parts: &[Part]) -> String {
    let letter = |part: &Part| match part {
        Part::Train => 'a',
        Part::Valid => 'v',
        Part::Test => 't',
    };
    parts.iter().map(letter).collect()
}

fn parts(spec: &SplitSpec, text: &str) -> String {
    shown(&try_split(spec, &letters(text), &[]).unwrap())
}

#[test]
fn large_groups_train_and_late_ones_come_first_among_equals() {
    // Worked by hand from DeepChem's rule. Groups: a x 4, c x 2 (first at 6), b x 2 (first at 4), d x 1, e x 1; limits 8 and 9.
    assert_eq!(parts(&spec("scaffold", 0.8, 0.1, None), "aaaabbccde"), "aaaaaaaatv");
    // A group that does not fit in training goes on to validation, and a later smaller one may still go to training.
    assert_eq!(parts(&spec("scaffold", 0.6, 0.4, None), "aaaaabbbcd"), "aaaaavvvva");
}

#[test]
fn the_shares_are_of_the_number_that_is_said() {
    // 8 molecules, the shares of 10: limits 8 and 9 instead of 6.4 and 7.2, so that all train.
    let scaffolds = letters("aaaabbcd");
    let rows: Vec<u64> = (0..8).collect();
    let of = |of| shown(&split(&spec("scaffold", 0.8, 0.1, None), molecules(&scaffolds, &rows, of, &[])).unwrap());
    assert_eq!((of(8).as_str(), of(10).as_str()), ("aaaaaatv", "aaaaaaaa"));
}

#[test]
fn impossible_settings_are_refused() {
    for (training, validation) in [(0.9, 0.2), (-0.1, 0.5), (f64::NAN, 0.1)] {
        for algorithm in words::ALGORITHMS {
            let refused = try_split(&spec(algorithm, training, validation, None), &[], &[]);
            assert!(matches!(refused, Err(MoleculesError::Setting { setting: "split.fractions", .. })));
        }
    }
    let error = try_split(&spec("scafold", 0.8, 0.1, None), &[], &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        "split = `scafold` cannot be used: did you mean `scaffold`? The splits are `scaffold`, `scaffold_balanced`, `random`, \
         `stratified`, `butina`, `given`, `file`"
    );
    let error = try_split(&spec("scaffold", 0.8, 0.1, Some(1)), &[], &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        "split.seed = `1` cannot be used: the scaffold split is deterministic and has no seed; leave it out, or take `scaffold_balanced`"
    );
}

#[test]
fn the_balanced_split_trains_on_large_scaffolds_and_tests_on_small_ones() {
    // 20 molecules: sizes 16, 2, 2. Larger than 1 are a (9), b (5) and c (2): they come first, in any order, and fill exactly 16 of
    // training. The four single ones: two for validation, two for testing.
    let text = "aaaaaaaaabbbbbccdefg";
    let mut tested = BTreeSet::new();
    for seed in 0..40 {
        let parts = parts(&spec("scaffold_balanced", 0.8, 0.1, Some(seed)), text);
        assert_eq!(&parts[..16], "aaaaaaaaaaaaaaaa", "seed {seed}");
        assert_eq!((parts.matches('v').count(), parts.matches('t').count()), (2, 2), "seed {seed}");
        tested.insert(parts);
    }
    assert_eq!(tested.len(), 6, "every pair of the four is tested by some seed");
    // 10 molecules, sizes 5, 2.5, 2.5: all three scaffolds are large. Whichever of a and b (4 each) comes first trains, if c (2) is not
    // before it; the other is too large for validation and is tested; c then fits in validation. If c is first, neither a nor b fits.
    let mut found = BTreeSet::new();
    for seed in 0..40 {
        found.insert(parts(&spec("scaffold_balanced", 0.5, 0.25, Some(seed)), "aaaabbbbcc"));
    }
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["aaaattttvv", "ttttaaaavv", "ttttttttaa"]);
}

#[test]
fn seeded_splits_hold_every_molecule_once_and_differ_by_seed() {
    let scaffolds: Vec<String> = (0..997_u64).map(|number| (number * number % 211).to_string()).collect();
    for algorithm in ["random", "scaffold_balanced"] {
        let of = |seed| try_split(&spec(algorithm, 0.8, 0.1, seed), &scaffolds, &[]).unwrap();
        let first = of(Some(0));
        assert_eq!(first, of(None), "no seed is seed 0");
        assert_eq!(first, of(Some(0)));
        assert_eq!(first.len(), scaffolds.len());
        let different: BTreeSet<Vec<Part>> = (0..10).map(|seed| of(Some(seed))).collect();
        assert_eq!(different.len(), 10, "{algorithm}");
        let count = |part| first.iter().filter(|other| **other == part).count();
        if algorithm == "random" {
            // int(797.6), int(897.3) of 997.
            assert_eq!((count(Part::Train), count(Part::Valid), count(Part::Test)), (797, 100, 100));
        } else {
            assert!(count(Part::Train) <= 797 && count(Part::Valid) <= 99, "{algorithm}");
            assert!(count(Part::Train) > 780 && count(Part::Valid) > 85, "{algorithm}");
            for group in groups(&scaffolds) {
                assert!(group.iter().all(|molecule| first[*molecule] == first[group[0]]), "a scaffold stays whole");
            }
        }
    }
    // Every molecule is tested as often as another: 100 of 997 in each of 400 seeds, 40.1 times on average, sd 6.0.
    let mut tested = vec![0; scaffolds.len()];
    for seed in 0..400 {
        let parts = try_split(&spec("random", 0.8, 0.1, Some(seed)), &scaffolds, &[]).unwrap();
        parts.iter().zip(&mut tested).for_each(|(part, count)| *count += i32::from(*part == Part::Test));
    }
    assert!(tested.iter().all(|count| (15..=70).contains(count)), "{tested:?}");
}

/// Moves when the shuffle does: then bump `clmbench_protocol::revision::TOKENISE`.
#[test]
fn golden_shuffles() {
    let text = "abcdefghijklmnopqrstuvwxyzabcd";
    assert_eq!(parts(&spec("random", 0.6, 0.2, Some(7)), text), GOLDEN[0]);
    assert_eq!(parts(&spec("scaffold_balanced", 0.6, 0.2, Some(7)), text), GOLDEN[1]);
    let given: Vec<String> = (0..30).map(|row| if row % 3 == 0 { "test" } else { "train" }.to_owned()).collect();
    let parts = try_split(&spec("given", 0.8, 0.1, None), &letters(text), &given).unwrap();
    assert_eq!(shown(&parts), GOLDEN[2]);
    let parts = try_split(&spec("file", 0.8, 0.1, None), &letters(text), &given).unwrap();
    assert_eq!(shown(&parts), GOLDEN[3]);
    let labels: Vec<f64> = (0..30).map(|row| f64::from(row * 7 % 30)).collect();
    let (scaffolds, rows) = (letters(text), (0..30).collect::<Vec<u64>>());
    let labelled = Molecules { labels: &labels, tasks: 1, ..molecules(&scaffolds, &rows, 30, &[]) };
    assert_eq!(shown(&split(&spec("stratified", 0.6, 0.2, Some(7)), labelled).unwrap()), GOLDEN[4]);
}

const GOLDEN: [&str; 5] = [
    "tvtaaaaaavaatavtaaaaaavtvatava",
    "aavattaaaavtaaattavvatavaaaava",
    "taataataataataataatvataatvataa",
    "taataataataataatavtaataataatva",
    "aaaaavaavtatvvaaaaaaatavttatva",
];

#[test]
fn a_given_split_is_taken_as_it_is() {
    let given: Vec<String> = ["test", "train", "valid", "train", "test"].map(String::from).to_vec();
    let scaffolds = letters("abc");
    // Rows 0 and 3 hold no valid molecules.
    let parts = split(&spec("given", 0.8, 0.1, None), molecules(&scaffolds, &[1, 2, 4], 5, &given)).unwrap();
    assert_eq!(shown(&parts), "avt");
}

#[test]
fn without_validation_rows_a_share_of_training_becomes_some() {
    let given: Vec<String> = (0..100).map(|row| if row < 90 { "train" } else { "test" }.to_owned()).collect();
    let scaffolds: Vec<String> = (0..100).map(|number: i32| number.to_string()).collect();
    let of =
        |seed, training, validation| shown(&try_split(&spec("given", training, validation, seed), &scaffolds, &given).unwrap());
    let parts = of(None, 0.8, 0.1);
    // 0.1 / 0.9 of 90.
    assert_eq!((parts.matches('v').count(), parts[90..].matches('t').count()), (10, 10));
    assert_eq!(parts, of(Some(0), 0.8, 0.1));
    assert_ne!(parts, of(Some(1), 0.8, 0.1));
    assert_eq!(of(None, 0.9, 0.0).matches('v').count(), 0, "none is asked for");
}

#[test]
fn a_split_that_is_not_given_whole_is_refused_by_row() {
    let error = try_split(&spec("given", 0.8, 0.1, None), &letters("abc"), &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        "set gives no split of its own; take `scaffold`, `scaffold_balanced` or `random`, or name the column that holds its split"
    );
    let given: Vec<String> = ["train", "", "test"].map(String::from).to_vec();
    let error = try_split(&spec("given", 0.8, 0.1, None), &letters("abc"), &given).unwrap_err().to_string();
    assert_eq!(error, "set, row 1: the split given is ``, which is none of `train`, `valid` and `test`; correct the row");
}

#[test]
fn the_digest_holds_rows_and_parts_and_the_seed() {
    let spec = |seed| spec("random", 0.8, 0.1, seed);
    let digest = |seed, rows: &[u64], parts: &[Part]| split_digest(&spec(seed), rows, parts);
    let first = digest(None, &[0, 1], &[Part::Train, Part::Test]);
    assert_ne!(first, digest(None, &[0, 2], &[Part::Train, Part::Test]));
    assert_ne!(first, digest(None, &[0, 1], &[Part::Train, Part::Valid]));
    assert_ne!(first, digest(Some(0), &[0, 1], &[Part::Train, Part::Test]));
    assert_eq!(first, digest(None, &[0, 1], &[Part::Train, Part::Test]));
}

fn labelled(smiles: &[String], labels: &[f64], tasks: usize, spec: &SplitSpec) -> Result<Vec<Part>, MoleculesError> {
    let rows: Vec<u64> = (0..smiles.len() as u64).collect();
    let scaffolds = vec![String::new(); smiles.len()];
    split(spec, Molecules { smiles, labels, tasks, ..molecules(&scaffolds, &rows, smiles.len(), &[]) })
}

#[test]
fn a_stratified_split_needs_one_label_a_molecule_and_tenths() {
    let smiles = vec!["C".to_owned(); 20];
    let wanted = spec("stratified", 0.8, 0.1, Some(1));
    let labels: Vec<f64> = (0..40).map(f64::from).collect();
    let parts = labelled(&smiles, &labels[..20], 1, &wanted).unwrap();
    assert_eq!(parts, stratified::split(&labels[..20], 0.8, 0.1, 1));
    let refused = |labels: &[f64], tasks, spec: &SplitSpec| labelled(&smiles, labels, tasks, spec).unwrap_err().to_string();
    let other = "; take `random`, `scaffold` or `scaffold_balanced`";
    let begin = "split = `stratified` cannot be used: ";
    assert_eq!(
        refused(&labels, 2, &wanted),
        format!("{begin}set has 2 tasks, and it puts molecules in the order of one label{other}")
    );
    assert_eq!(
        refused(&[], 0, &wanted),
        format!("{begin}set comes without labels, and it puts molecules in the order of theirs{other}")
    );
    let mut missing = labels[..20].to_vec();
    missing[3] = f64::NAN;
    let why = "1 of 20 molecules of set have no label, and it puts molecules in the order of theirs";
    assert_eq!(refused(&missing, 1, &wanted), format!("{begin}{why}{other}"));
    assert_eq!(
        refused(&labels[..20], 1, &spec("stratified", 0.75, 0.1, None)),
        "split.fractions = `(0.75, 0.1)` cannot be used: `stratified` shares out groups of ten molecules, so both must be tenths, such as \
         0.8 and 0.1"
    );
}

#[test]
fn too_many_molecules_for_butina_are_refused_before_anything_is_computed() {
    let smiles = vec!["C".to_owned(); butina::MAX_MOLECULES + 1];
    assert_eq!(
        labelled(&smiles, &[], 0, &spec("butina", 0.8, 0.1, None)).unwrap_err().to_string(),
        "split = `butina` cannot be used: set has 100001 molecules, whose distances from each other would take too long; it is for at most \
         100000, so take `scaffold` or `scaffold_balanced`"
    );
    assert_eq!(
        labelled(&smiles, &[], 0, &spec("butina", 0.8, 0.1, Some(1))).unwrap_err().to_string(),
        "split.seed = `1` cannot be used: the butina split is deterministic and has no seed; leave it out, or take `random`"
    );
}
