#![allow(clippy::unwrap_used)]
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use smartcore::{
    ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters},
    linalg::basic::matrix::DenseMatrix,
    tree::decision_tree_regressor::{DecisionTreeRegressor, DecisionTreeRegressorParameters},
};

use super::{split::Splitter, tree::median, *};

fn forest(trees: u32, seed: u64) -> Forest {
    Forest { trees, growth: Growth::default(), seed }
}

/// Fingerprints of the 200 molecules of `tests/rdkit.tsv`, and their MolLogP as RDKit has it.
fn molecules() -> (Features, Vec<f64>) {
    let lines = include_str!("../../tests/rdkit.tsv").lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let (smiles, labels) = lines
        .map(|cells| (cells[0].to_owned(), cells[2].split(',').nth(1).unwrap().parse::<f64>().unwrap()))
        .unzip::<_, _, Vec<_>, Vec<_>>();
    (Features::of(clmbench_protocol::BaselineFeatures::Ecfp4 { bits: 1024 }, &smiles).unwrap(), labels)
}

fn matrix(features: &Features, places: &[usize]) -> DenseMatrix<f64> {
    DenseMatrix::from_2d_vec(&places.iter().map(|place| features.row(*place)).collect()).unwrap()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    clmbench_stats::pearson(a, b).unwrap()
}

#[test]
fn one_tree_on_everything_is_smartcores_tree() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let rows: Vec<Vec<f64>> = (0..300).map(|_| (0..5).map(|_| random.random::<f64>()).collect()).collect();
    let labels: Vec<f64> = rows.iter().map(|row| (7.0 * row[0]).sin() + row[1] * row[2] + 0.1 * random.random::<f64>()).collect();
    let features = Features::dense(rows).unwrap();
    let (train, test): (Vec<usize>, Vec<usize>) = ((0..200).collect(), (200..300).collect());
    // In small nodes several features part the molecules alike, and chance decides between them.
    for least in [20, 40] {
        let one = Forest { growth: Growth { bootstrap: false, min_samples_split: least, ..Growth::default() }, ..forest(1, 3) };
        let ours = one.fit_predict(&features, (&train, &labels[..200]), false, &test).unwrap();
        let settings = DecisionTreeRegressorParameters::default().with_min_samples_split(least as usize);
        let tree = DecisionTreeRegressor::fit(&matrix(&features, &train), &labels[..200].to_vec(), settings).unwrap();
        let theirs = tree.predict(&matrix(&features, &test)).unwrap();
        let same = ours.iter().zip(&theirs).filter(|(a, b)| (*a - *b).abs() < 1e-12).count();
        assert_eq!(same, 100, "least {least}");
    }
}

#[test]
fn forests_on_fingerprints_agree_with_smartcores() {
    let (features, labels) = molecules();
    let train: Vec<usize> = (0..200).filter(|place| place % 4 != 0).collect();
    let test: Vec<usize> = (0..200).filter(|place| place % 4 == 0).collect();
    let of = |labels: &[f64], places: &[usize]| places.iter().map(|place| labels[*place]).collect::<Vec<_>>();
    let classes: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label > 2.5))).collect();
    for (labels, class, looks) in [(&labels, false, 1024), (&classes, true, 32)] {
        let ours = forest(300, 1).fit_predict(&features, (&train, &of(labels, &train)), class, &test).unwrap();
        let again = forest(300, 2).fit_predict(&features, (&train, &of(labels, &train)), class, &test).unwrap();
        let settings = RandomForestRegressorParameters::default().with_n_trees(300).with_m(looks).with_seed(1);
        let kept = RandomForestRegressor::fit(&matrix(&features, &train), &of(labels, &train), settings).unwrap();
        let theirs = kept.predict(&matrix(&features, &test)).unwrap();
        let (far, near) = (correlation(&ours, &theirs), correlation(&ours, &again));
        // As like as two seeds of ours are. On classes less so: smartcore's nodes are leaves where none of the features drawn varies.
        let allowed = if class { 0.05 } else { 0.02 };
        assert!(near > 0.9 && far > near - allowed, "{far} with smartcore's, {near} with another seed");
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let spread = mean(&ours.iter().zip(&again).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>());
        assert!((mean(&ours) - mean(&theirs)).abs() < 2.0 * spread, "{} and {}, {spread}", mean(&ours), mean(&theirs));
    }
}

#[test]
fn values_do_not_depend_on_threads_but_on_the_seed() {
    let (features, labels) = molecules();
    let train: Vec<usize> = (0..150).collect();
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let places: Vec<usize> = (150..200).collect();
        pool.install(|| forest(13, seed).fit_predict(&features, (&train, &labels[..150]), false, &places)).unwrap()
    };
    assert_eq!(run(1, 5), run(4, 5));
    assert_ne!(run(1, 5), run(1, 6));
}

/// Impurity of labels with weights, by its textbook formula.
fn impurity(criterion: Criterion, members: &[Sample]) -> f64 {
    let weight: f64 = members.iter().map(|sample| sample.weight).sum();
    let share = |term: &dyn Fn(f64) -> f64| members.iter().map(|sample| sample.weight * term(sample.label)).sum::<f64>() / weight;
    let mean = share(&|label| label);
    match criterion {
        Criterion::Variance => share(&|label| (label - mean).powi(2)),
        Criterion::Entropy => [mean, 1.0 - mean].iter().map(|p| if *p > 0.0 { -p * p.log2() } else { 0.0 }).sum(),
        // The least over all labels: the median is one that attains it.
        Criterion::AbsoluteError => {
            members.iter().map(|middle| share(&|label| (label - middle.label).abs())).fold(f64::INFINITY, f64::min)
        }
    }
}

#[test]
fn the_split_taken_is_the_best_of_all_by_the_textbook() {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    for (round, criterion) in
        [Criterion::Variance, Criterion::Entropy, Criterion::AbsoluteError].into_iter().cycle().take(150).enumerate()
    {
        let smiles: Vec<String> =
            include_str!("../../tests/rdkit.tsv").lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect();
        let chosen: Vec<String> = (0..14).map(|_| smiles[random.random_range(0..smiles.len())].clone()).collect();
        let features = Features::of(clmbench_protocol::BaselineFeatures::Ecfp4 { bits: 1024 }, &chosen).unwrap();
        let mut members: Vec<Sample> = (0..14)
            .map(|place| Sample {
                place,
                label: if criterion == Criterion::Entropy {
                    f64::from(u8::from(random.random::<bool>()))
                } else {
                    random.random()
                },
                weight: f64::from(random.random_range(1..4_u8)),
            })
            .collect();
        members.sort_by(|a, b| a.label.total_cmp(&b.label));
        let weight = |members: &[Sample]| members.iter().map(|sample| sample.weight).sum::<f64>();
        let left_over = |column: usize| {
            let (on, off): (Vec<Sample>, Vec<Sample>) =
                members.iter().partition(|sample| features.value(sample.place, column) == 1.0);
            if on.is_empty() || off.is_empty() {
                return f64::INFINITY;
            }
            weight(&on) * impurity(criterion, &on) + weight(&off) * impurity(criterion, &off)
        };
        let least = (0..1024).map(left_over).fold(f64::INFINITY, f64::min);
        let split = Splitter::new(&features, criterion, 1024).best(&members, &mut random).unwrap();
        let taken = (0..1024)
            .filter(|column| {
                members
                    .iter()
                    .all(|sample| (features.value(sample.place, *column) == 1.0) == split.is_above(&features, sample.place))
            })
            .map(left_over)
            .fold(f64::INFINITY, f64::min);
        assert!((taken - least).abs() < 1e-9 * (1.0 + least.abs()), "round {round} {criterion:?}: {taken}, not {least}");
    }
}

#[test]
fn features_are_drawn_with_the_same_chance() {
    // Twelve columns, all of which part the molecules alike, among 144.
    let rows: Vec<Vec<f64>> =
        (0..4).map(|row| (0..144).map(|column| f64::from(u8::from(row % 2 == 1 && column % 12 == 0))).collect()).collect();
    let labels = [0.0, 1.0, 0.0, 1.0];
    let features = Features::dense(rows).unwrap();
    let members: Vec<Sample> = (0..4).map(|place| Sample { place, label: labels[place], weight: 1.0 }).collect();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut splitter = Splitter::new(&features, Criterion::Variance, 12);
    let mut counts = std::collections::BTreeMap::<String, f64>::new();
    for _ in 0..6_000 {
        *counts.entry(format!("{:?}", splitter.best(&members, &mut random).unwrap())).or_default() += 1.0;
    }
    let squares: f64 = counts.values().map(|count| (count - 500.0).powi(2) / 500.0).sum();
    // The upper 0.1 % of chi-squared with 11 degrees of freedom is 31.3.
    assert!(counts.len() == 12 && squares < 31.3, "{} {squares}", counts.len());
}

#[test]
fn a_bit_and_its_opposite_have_the_same_chance() {
    // Column 1 is on where column 0 is off; columns 2 and 3 part worse.
    let bits = |row: u16| vec![u16::from(!row.is_multiple_of(4)), 2 + row % 2];
    let features = Features::folded(16, (0..40).map(bits).collect());
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for criterion in [Criterion::Variance, Criterion::Entropy, Criterion::AbsoluteError].repeat(8) {
        let mut label = |place: usize| match criterion {
            Criterion::Entropy => f64::from(u8::from(place.is_multiple_of(4) || place < 3)),
            _ => 6.0 + 3.0 * f64::from(u8::from(place.is_multiple_of(4))) + random.random::<f64>(),
        };
        let labels: Vec<f64> = (0..40).map(&mut label).collect();
        let weight = |_| if criterion == Criterion::AbsoluteError { 1.0 } else { 0.1 + random.random::<f64>() };
        let weights: Vec<f64> = (0..40).map(weight).collect();
        let mut members: Vec<Sample> =
            (0..40).map(|place| Sample { place, label: labels[place], weight: weights[place] }).collect();
        members.sort_by(|a, b| a.label.total_cmp(&b.label));
        let mut counts = [0; 2];
        for _ in 0..400 {
            let text = format!("{:?}", Splitter::new(&features, criterion, 16).best(&members, &mut random).unwrap());
            counts[usize::from(text.contains("column: 1,"))] += 1;
            assert!(text.contains("column: 0,") || text.contains("column: 1,"), "{text}");
        }
        // 200 of 400, standard deviation 10.
        assert!((150..=250).contains(&counts[0]), "{criterion:?}: {counts:?}");
    }
}

#[test]
fn bits_that_lower_nothing_have_the_same_chance() {
    // Molecules in pairs of the same two labels: every part has the same mean, and rounding alone would tell the columns apart.
    let on = |place: u16| (0..5).filter(|column| place / 2 <= *column).collect();
    let features = Features::folded(16, (0..12).map(on).collect());
    let labels = [0.1, 0.7];
    let members: Vec<Sample> = (0..12).map(|place| Sample { place, label: labels[place % 2], weight: 1.0 }).collect();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut counts = std::collections::BTreeMap::<String, f64>::new();
    for _ in 0..5_000 {
        let split = Splitter::new(&features, Criterion::Variance, 16).best(&members, &mut random).unwrap();
        *counts.entry(format!("{split:?}")).or_default() += 1.0;
    }
    let squares: f64 = counts.values().map(|count| (count - 1_000.0).powi(2) / 1_000.0).sum();
    // The upper 0.1 % of chi-squared with 4 degrees of freedom is 18.5.
    assert!(counts.len() == 5 && squares < 18.5, "{counts:?} {squares}");
}

#[test]
fn weights_and_medians() {
    let of = |pairs: &[(f64, f64)]| {
        pairs.iter().map(|(label, weight)| Sample { place: 0, label: *label, weight: *weight }).collect::<Vec<_>>()
    };
    let middle = |pairs: &[(f64, f64)]| median(of(pairs).iter(), pairs.iter().map(|pair| pair.1).sum());
    assert_eq!(middle(&[(1.0, 1.0), (2.0, 1.0), (9.0, 1.0)]), 2.0);
    assert_eq!(middle(&[(1.0, 1.0), (2.0, 1.0), (4.0, 1.0), (9.0, 1.0)]), 3.0);
    assert_eq!(middle(&[(1.0, 2.0), (4.0, 1.0), (9.0, 1.0)]), 2.5);
    assert_eq!(middle(&[(1.0, 5.0), (4.0, 1.0)]), 1.0);
    // Nothing to split by: one leaf, the share of class 1, or with balanced classes a half.
    let features = Features::dense(vec![vec![1.0]; 5]).unwrap();
    let share = |balanced| {
        let one = Forest { growth: Growth { bootstrap: false, balanced, ..Growth::default() }, ..forest(1, 0) };
        one.fit_predict(&features, (&[0, 1, 2, 3], &[0.0, 0.0, 1.0, 0.0]), true, &[4]).unwrap()
    };
    assert_eq!((share(false), share(true)), (vec![0.25], vec![0.5]));
}

#[test]
fn what_is_not_possible_is_said() {
    let features = Features::dense(vec![vec![1.0], vec![2.0]]).unwrap();
    let error = |forest: Forest, labels: &[f64], classes| {
        forest.fit_predict(&features, (&[0, 1][..labels.len()], labels), classes, &[0]).unwrap_err().to_string()
    };
    let growth = |growth| Forest { growth, ..forest(1, 0) };
    let usual = Growth::default();
    assert_eq!(error(forest(0, 0), &[1.0, 2.0], false), "a number of trees of 0 is not possible; at least 1 is needed");
    assert_eq!(error(forest(1, 0), &[], false), "there are no training molecules");
    assert_eq!(error(forest(1, 0), &[1.0, f64::NAN], false), "label NaN of a training molecule: it is not a number");
    assert_eq!(error(forest(1, 0), &[1.0, 2.0], true), "label 2 of a training molecule: classes are 0 and 1");
    assert_eq!(
        error(growth(Growth { min_samples_split: 1, ..usual }), &[1.0, 2.0], false),
        "min_samples_split of 1 is not possible; a node of fewer than 2 cannot be split"
    );
    assert_eq!(
        error(growth(Growth { criterion: Criterion::Entropy, ..usual }), &[1.0, 2.0], false),
        "the criterion of entropy is not possible; it is for classes"
    );
    assert_eq!(
        error(growth(Growth { criterion: Criterion::AbsoluteError, ..usual }), &[1.0, 2.0], false),
        "the criterion of absolute_error is not possible; it is for fingerprints"
    );
    assert_eq!(
        error(growth(Growth { balanced: true, ..usual }), &[1.0, 2.0], false),
        "balanced of true is not possible; it is for classes"
    );
}
