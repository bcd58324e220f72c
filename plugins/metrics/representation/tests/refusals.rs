//! What has no score is refused in words; what does not matter changes nothing.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use clmbench_plugin_representation::{AlphaReq, Anisotropy, CkaFingerprint, ParticipationRatio, RankMe, Uniformity, bits};
use clmbench_sdk::prelude::*;
use common::{measure, measure_with, named, normals};

fn all() -> [&'static dyn Metric; 6] {
    [&RankMe, &AlphaReq, &ParticipationRatio, &Anisotropy, &Uniformity, &CkaFingerprint]
}

fn smiles(count: usize) -> Vec<String> {
    (0..count).map(|k| format!("{}O{}N", "C".repeat(1 + k % 7), "CO".repeat(k % 5))).collect()
}

fn refusal(metric: &dyn Metric, rows: &Tensor) -> String {
    measure_with(metric, rows, &smiles(rows.size()[0] as usize), &[]).unwrap_err().to_string()
}

#[test]
fn bits_are_those_of_rdkit() {
    // GetMorganGenerator(radius=2, fpSize=1024).GetFingerprint(...).GetOnBits() of RDKit 2026.09.1.
    let known: [(&str, &[usize]); 4] = [
        ("CCO", &[33, 80, 222, 294, 386, 807]),
        ("C[N+](C)(C)CC(=O)[O-]", &[33, 80, 202, 319, 378, 414, 511, 522, 568, 628, 650, 715, 785, 807, 893]),
        ("F/C=C/[C@H](N)C#N", &[1, 50, 147, 182, 239, 317, 345, 360, 463, 600, 625, 674, 685, 694, 786, 790, 904]),
        (
            "Cc1nc2ccccc2s1",
            &[33, 64, 73, 162, 175, 289, 299, 356, 378, 456, 461, 541, 557, 665, 675, 698, 726, 831, 849, 885, 980],
        ),
    ];
    for (smiles, on) in known {
        let found: Vec<usize> = bits(smiles).unwrap().iter().enumerate().filter(|(_, bit)| **bit > 0.0).map(|(k, _)| k).collect();
        assert_eq!(found, on, "{smiles}");
    }
    assert!(bits("C1CC").is_none() && bits("").is_none_or(|bits| bits.iter().all(|bit| *bit == 0.0)));
}

#[test]
fn every_score_refuses_what_is_not_finite_all_zero_or_too_few() {
    for metric in all() {
        let rows = normals(64, 24, 1);
        let _ = rows.get(3).get(2).fill_(f64::NAN);
        let _ = rows.get(9).get(2).fill_(f64::INFINITY);
        assert_eq!(refusal(metric, &rows), "embeddings of 2 of 64 molecules are not finite: has the run diverged?");
        assert_eq!(refusal(metric, &(normals(64, 24, 1) * 0.0)), "the embeddings of all 64 molecules are 0");
        let few = "31 molecules are too few for an error over 16 groups of them: take at least 32 (parameter `molecules`)";
        assert_eq!(refusal(metric, &normals(31, 24, 1)), few);
    }
}

#[test]
fn equal_embeddings_have_no_spread_and_a_zero_one_no_direction() {
    let equal = Tensor::ones([64, 24], (Kind::Float, Device::Cpu)) * 0.3 + normals(64, 24, 1).to_kind(Kind::Float) * 1e-8;
    for metric in [&AlphaReq as &dyn Metric, &ParticipationRatio, &CkaFingerprint] {
        assert_eq!(refusal(metric, &equal), "all 64 molecules have the same embedding: nothing spreads");
    }
    assert!((named(&measure(&RankMe, &equal), "rankme").value - 1.0).abs() < 1e-3);
    assert!((named(&measure(&Anisotropy, &equal), "anisotropy").value - 1.0).abs() < 1e-6);
    assert!(named(&measure(&Uniformity, &equal), "uniformity").value.abs() < 1e-6);
    let rows = normals(64, 24, 1);
    let _ = rows.get(7).fill_(0.0);
    for metric in [&Anisotropy as &dyn Metric, &Uniformity] {
        assert_eq!(refusal(metric, &rows), "the embeddings of 1 of 64 molecules are 0");
    }
}

#[test]
fn a_slope_needs_ranks() {
    assert_eq!(
        refusal(&AlphaReq, &normals(64, 12, 1)),
        "a slope needs 10 ranks from rank 6 on; 64 embeddings of width 12 have 12 ranks that can be fitted: take more molecules or a smaller `first_rank`"
    );
    let measured = measure_with(&AlphaReq, &normals(64, 12, 1), &[], &[("first_rank", 1)]).unwrap();
    assert_eq!(named(&measured, "last_rank").value, 12.0);
    // Fewer molecules than dimensions: 39 ranks are left of 40 molecules.
    assert_eq!(named(&measure(&AlphaReq, &normals(40, 64, 1)), "last_rank").value, 39.0);
}

#[test]
fn a_molecule_without_a_fingerprint_is_left_out_and_many_are_refused() {
    let rows = normals(128, 8, 1);
    let mut smiles = smiles(128);
    smiles[5] = "C1CC".into();
    let measured = measure_with(&CkaFingerprint, &rows, &smiles, &[]).unwrap();
    assert_eq!((named(&measured, "missing").value, measured.molecules), (1.0, 127));
    smiles[6] = "Q".into();
    let refused = measure_with(&CkaFingerprint, &rows, &smiles, &[]).unwrap_err();
    assert_eq!(
        refused,
        PluginError::Input(
            "2 of 128 molecules have no Morgan fingerprint, such as `C1CC`; at most 1 % may lack one, and 32 must have one"
                .into()
        )
    );
    // One molecule over and over.
    let same = vec!["CCO".to_owned(); 128];
    assert_eq!(
        measure_with(&CkaFingerprint, &rows, &same, &[]).unwrap_err().to_string(),
        "embeddings or fingerprints vary too little for an unbiased estimate of their spread from 128 molecules: take more (parameter `molecules`)"
    );
}

#[test]
fn neither_order_nor_the_rounding_of_a_batch_matters() {
    let rows = normals(96, 24, 1) + 1.0;
    let order = (Tensor::arange(96, (Kind::Int64, Device::Cpu)) * 35).remainder(96);
    let names = smiles(96);
    let turned: Vec<String> = Vec::<i64>::try_from(&order).unwrap().into_iter().map(|k| names[k as usize].clone()).collect();
    let noise = normals(96, 24, 2) * 1e-7;
    for metric in all() {
        let primary = metric.info().primary;
        let of = |rows: &Tensor, names: &[String]| named(&measure_with(metric, rows, names, &[]).unwrap(), &primary).value;
        let value = of(&rows, &names);
        assert!((of(&rows.index_select(0, &order), &turned) - value).abs() < 1e-9 * value.abs(), "{primary}");
        assert!((of(&(&rows * (&noise + 1.0)), &names) - value).abs() < 1e-5 * value.abs(), "{primary}");
    }
}

#[test]
fn only_as_many_molecules_as_wanted_are_read() {
    let rows = normals(96, 24, 1);
    let measured = measure_with(&RankMe, &rows, &[], &[("molecules", 40)]).unwrap();
    assert_eq!((measured.molecules, measured.stopped), (40, "complete"));
    assert_eq!(named(&measured, "rankme"), named(&measure(&RankMe, &rows.narrow(0, 0, 40)), "rankme"));
}
