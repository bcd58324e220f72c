//! Fingerprints and descriptors beside RDKit's own (`rdkit.tsv`, made by `benchmarks/perf/peers/molecule_features.py`, 100
//! molecules each of HIV and Tox21: both are in the public domain).
#![allow(clippy::unwrap_used)]

use clmbench_baselines::{
    BaselineError, Features,
    features::{DESCRIPTORS, descriptors, ecfp4},
};
use clmbench_protocol::BaselineFeatures;

/// SMILES, bits of 2048, descriptors.
fn golden() -> Vec<(String, Vec<u16>, Vec<f64>)> {
    let lines = include_str!("rdkit.tsv").lines().map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let bits = cells[1].split(',').filter(|bit| !bit.is_empty()).map(|bit| bit.parse().unwrap()).collect();
        (cells[0].to_owned(), bits, cells[2].split(',').map(|value| value.parse().unwrap()).collect())
    });
    lines.collect()
}

#[test]
fn fingerprints_are_rdkits_bit_for_bit() {
    let golden = golden();
    assert_eq!(golden.len(), 200);
    for (smiles, bits, _) in golden {
        assert_eq!(ecfp4(&smiles, 2048).unwrap(), bits, "{smiles}");
        // RDKit folds by the remainder (the script checks that of its 1024 bits).
        let mut folded: Vec<u16> = bits.iter().map(|bit| bit % 1024).collect();
        folded.sort_unstable();
        folded.dedup();
        assert_eq!(ecfp4(&smiles, 1024).unwrap(), folded, "{smiles}");
    }
}

#[test]
fn descriptors_are_rdkits() {
    for (smiles, _, values) in golden() {
        let found = descriptors(&smiles).unwrap();
        for ((found, wanted), (name, _)) in found.iter().zip(&values).zip(DESCRIPTORS) {
            assert!((found - wanted).abs() <= 1e-6, "{name} of {smiles}: {found}, RDKit {wanted}");
        }
    }
}

#[test]
fn rows_and_values_are_the_same_numbers() {
    let smiles: Vec<String> = ["CCO", "c1ccccc1O"].map(str::to_owned).to_vec();
    for kind in [BaselineFeatures::Ecfp4 { bits: 2048 }, BaselineFeatures::Descriptors] {
        let features = Features::of(kind, &smiles).unwrap();
        assert_eq!((features.len(), features.is_empty()), (2, false));
        for place in 0..2 {
            let row = features.row(place);
            assert_eq!(row.len(), features.width());
            assert!((0..row.len()).all(|column| row[column] == features.value(place, column)));
        }
    }
}

#[test]
fn what_is_no_molecule_is_named() {
    let error = |smiles: &str, kind| {
        let texts = ["C".to_owned(), smiles.to_owned()];
        Features::of(kind, &texts).unwrap_err()
    };
    let bits = BaselineFeatures::Ecfp4 { bits: 1024 };
    assert_eq!(error("", bits).to_string(), "molecule 1 (``) has no fingerprint: SMILES input is empty");
    for kind in [bits, BaselineFeatures::Descriptors] {
        assert!(matches!(error("C(", kind), BaselineError::Molecule { place: 1, .. }));
    }
    assert_eq!(error("C", BaselineFeatures::Ecfp4 { bits: 512 }).to_string(), "fingerprints have 1024 or 2048 bits, not 512");
    assert!(Features::dense(vec![vec![1.0], vec![1.0, 2.0]]).is_err() && Features::dense(vec![vec![f64::NAN]]).is_err());
}
