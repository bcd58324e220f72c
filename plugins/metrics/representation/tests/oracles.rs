//! Scores of embeddings whose spectrum, pairs or kernels are known, and the coverage of their errors.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use clmbench_plugin_representation::{
    AlphaReq, Anisotropy, CkaFingerprint, ParticipationRatio, RankMe, Uniformity, similarities,
};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::oracle::{Check, covered, exact},
};
use common::{measure, measure_with, named, normals, rotation, table, with_spectrum};

const TWO_SIDED: f64 = 1.96;
/// Of Student's t with 15 degrees of freedom: 16 groups.
const TWO_SIDED_GROUPS: f64 = 2.131;

#[test]
fn rankme_of_orthonormal_directions_is_their_number() {
    let epsilon = 1e-7;
    for (name, count, width, rank) in
        [("12 orthonormal directions of 40", 100, 40, 12), ("20 orthonormal directions, N = 50 < D = 64", 50, 64, 20)]
    {
        let spectrum: Vec<f64> = (0..width.min(count)).map(|k| if k < rank { 3.0 } else { 0.0 }).collect();
        let narrow = with_spectrum(count, &spectrum, 5);
        let rows = if width > count {
            Tensor::cat(&[narrow, Tensor::zeros([count, width - count], (Kind::Double, Device::Cpu))], 1)
        } else {
            narrow
        };
        // p log p of the directions and of the constant where there is none.
        let term = |share: f64| -share * share.ln();
        let (used, all) = (rank as f64, width.min(count) as f64);
        let truth = (used * term(1.0 / used + epsilon) + (all - used) * term(epsilon)).exp();
        assert!((truth - used).abs() < 1e-3 * used);
        let check = Check { metric: "representation/rankme", value: "rankme", oracle: name };
        exact(check, truth, named(&measure(&RankMe, &rows), "rankme").value, 1e-9);
    }
}

#[test]
fn alpha_of_a_power_law_is_its_exponent() {
    for alpha in [0.5, 1.0, 1.7] {
        let spectrum: Vec<f64> = (1..=120).map(|k| 40.0 * f64::from(k).powf(-alpha)).collect();
        let measured = measure(&AlphaReq, &(with_spectrum(400, &spectrum, 2) + 7.0));
        let oracle = format!("exact power law k^-{alpha}, 120 dimensions");
        let check = |value| Check { metric: "representation/alpha_req", value, oracle: &oracle };
        exact(check("alpha"), alpha, named(&measured, "alpha").value, 1e-8);
        exact(check("r_squared"), 1.0, named(&measured, "r_squared").value, 1e-8);
        exact(check("distance"), (alpha - 1.0).abs(), named(&measured, "distance").value, 1e-7);
        assert_eq!(named(&measured, "last_rank").value, 100.0);
    }
}

#[test]
fn participation_ratio_of_a_spectrum_is_its_formula() {
    let spectrum: Vec<f64> = (1..=30).map(|k| 1.0 / f64::from(k)).collect();
    let truth = spectrum.iter().sum::<f64>().powi(2) / spectrum.iter().map(|value| value * value).sum::<f64>();
    let found = named(&measure(&ParticipationRatio, &(with_spectrum(90, &spectrum, 3) + 2.0)), "participation_ratio");
    let check = Check {
        metric: "representation/participation_ratio",
        value: "participation_ratio",
        oracle: "eigenvalues 1/k, 30 dimensions, with a mean",
    };
    exact(check, truth, found.value, 1e-9);
}

#[test]
fn pairs_taken_one_by_one_give_anisotropy_and_uniformity_and_their_jackknife() {
    let rows = normals(90, 7, 11) + Tensor::from_slice(&[1.0, 0.5, 0.0, 0.0, -0.5, 0.0, 0.2]);
    let unit: Vec<Vec<f64>> = table(&rows)
        .into_iter()
        .map(|row| {
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.into_iter().map(|x| x / length).collect()
        })
        .collect();
    // Mean over pairs without one molecule (or with all of them).
    let mean = |without: Option<usize>, of: &dyn Fn(&[f64], &[f64]) -> f64| {
        let left: Vec<&Vec<f64>> = unit.iter().enumerate().filter(|(k, _)| Some(*k) != without).map(|(_, row)| row).collect();
        let pairs = || (0..left.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs().map(|(i, j)| of(left[i], left[j])).sum::<f64>() / pairs().count() as f64
    };
    let cosine = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let potential = |a: &[f64], b: &[f64]| (-2.0 * a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>()).exp();
    let anisotropy = |without| mean(without, &cosine);
    let uniformity = |without| mean(without, &potential).ln();
    type ByPairs<'a> = &'a dyn Fn(Option<usize>) -> f64;
    let cases: [(&str, &str, &dyn Metric, ByPairs<'_>); 2] = [
        ("representation/anisotropy", "anisotropy", &Anisotropy, &anisotropy),
        ("representation/uniformity", "uniformity", &Uniformity, &uniformity),
    ];
    for (metric, value, measured, by_pairs) in cases {
        let found = named(&measure(measured, &rows), value);
        exact(Check { metric, value, oracle: "all pairs one by one, 90 molecules" }, by_pairs(None), found.value, 1e-10);
        let left_out: Vec<f64> = (0..90).map(|k| by_pairs(Some(k))).collect();
        let center = left_out.iter().sum::<f64>() / 90.0;
        let error = (left_out.iter().map(|v| (v - center).powi(2)).sum::<f64>() * 89.0 / 90.0).sqrt();
        let check = Check { metric, value: "se_sample", oracle: "each molecule left out, pairs anew" };
        exact(check, error, found.se_sample.unwrap(), 1e-7);
    }
}

/// Bits with a chance of 1/4 each, [N, E].
fn random_bits(count: i64, width: i64, seed: u64) -> Tensor {
    normals(count, width, seed).gt(0.674).to_kind(Kind::Float)
}

#[test]
fn likeness_of_features_to_themselves_turned_and_scaled_is_one_and_ignores_both() {
    let bits = random_bits(80, 12, 4);
    let turn = rotation(12, 9);
    let turned = bits.to_kind(Kind::Double).matmul(&turn) * 5.0 - 3.0;
    for similarity in similarities(&turned, &bits).unwrap() {
        assert!((similarity.debiased - 1.0).abs() < 1e-10 && (similarity.plain - 1.0).abs() < 1e-10, "{similarity:?}");
    }
    let found = similarities(&turned, &bits).unwrap()[0];
    let check =
        |value| Check { metric: "representation/cka_fingerprint", value, oracle: "the bits themselves, turned, scaled, shifted" };
    exact(check("cka_debiased"), 1.0, found.debiased, 1e-10);
    exact(check("cka"), 1.0, found.plain, 1e-10);
    let other = normals(80, 6, 1) + bits.to_kind(Kind::Double).narrow(1, 0, 6);
    let turn = rotation(6, 2);
    let (one, two) = (similarities(&other, &bits).unwrap(), similarities(&(other.matmul(&turn) * 0.01 + 1.0), &bits).unwrap());
    for (one, two) in one.iter().zip(&two) {
        assert!((one.debiased - two.debiased).abs() < 1e-10 && (one.plain - two.plain).abs() < 1e-10, "{one:?} {two:?}");
    }
}

/// Unbiased HSIC of two kernels [N][N] by the sums of Song et al. over distinct molecules, and the plain one of centred kernels.
fn hsic(k: &[Vec<f64>], l: &[Vec<f64>]) -> (f64, f64) {
    let n = k.len();
    let (mut pairs, mut triples, mut quadruples) = (0.0, 0.0, 0.0);
    for i in 0..n {
        for j in (0..n).filter(|j| *j != i) {
            pairs += k[i][j] * l[i][j];
            for q in (0..n).filter(|q| *q != i && *q != j) {
                triples += k[i][j] * l[i][q];
                quadruples += (0..n).filter(|r| ![i, j, q].contains(r)).map(|r| k[i][j] * l[q][r]).sum::<f64>();
            }
        }
    }
    let m = n as f64;
    let (two, three) = (m * (m - 1.0), m * (m - 1.0) * (m - 2.0));
    let unbiased = pairs / two - 2.0 * triples / three + quadruples / (three * (m - 3.0));
    let centred = |kernel: &[Vec<f64>]| {
        let rows: Vec<f64> = kernel.iter().map(|row| row.iter().sum::<f64>() / m).collect();
        let all = rows.iter().sum::<f64>() / m;
        (0..n).map(|i| (0..n).map(|j| kernel[i][j] - rows[i] - rows[j] + all).collect()).collect::<Vec<Vec<f64>>>()
    };
    let (kc, lc) = (centred(k), centred(l));
    (unbiased, (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| kc[i][j] * lc[i][j]).sum())
}

#[test]
fn likeness_by_sums_over_distinct_molecules_is_that_in_feature_space() {
    let bits = random_bits(34, 9, 14);
    let rows = normals(34, 5, 15) + bits.to_kind(Kind::Double).narrow(1, 0, 5) * 2.0 + 1.0;
    let kernel = |rows: &Tensor| table(&rows.matmul(&rows.tr()));
    let of = |keep: &[i64]| {
        let keep = Tensor::from_slice(keep);
        let (k, l) = (kernel(&rows.index_select(0, &keep)), kernel(&bits.to_kind(Kind::Double).index_select(0, &keep)));
        let (own, other, cross) = (hsic(&k, &k), hsic(&l, &l), hsic(&k, &l));
        (cross.0 / (own.0 * other.0).sqrt(), cross.1 / (own.1 * other.1).sqrt())
    };
    let found = similarities(&rows, &bits).unwrap();
    let all: Vec<i64> = (0..34).collect();
    let truth = of(&all);
    let check =
        |value| Check { metric: "representation/cka_fingerprint", value, oracle: "HSIC by sums over distinct molecules, N = 34" };
    exact(check("cka_debiased"), truth.0, found[0].debiased, 1e-9);
    exact(check("cka"), truth.1, found[0].plain, 1e-9);
    // The third of 16 groups of 34 is molecules 4 and 5.
    let without: Vec<i64> = all.iter().copied().filter(|k| ![4, 5].contains(k)).collect();
    let truth = of(&without);
    assert!((found[3].debiased - truth.0).abs() < 1e-9 && (found[3].plain - truth.1).abs() < 1e-9, "{:?} {truth:?}", found[3]);
}

/// A sample of embeddings: falling spectrum, a mean, and lengths that differ between molecules.
fn sample(seed: u64) -> Tensor {
    let (count, width) = (200, 16);
    let fall = (Tensor::arange(width, (Kind::Double, Device::Cpu)) + 1.0).pow_tensor_scalar(-0.5);
    let lengths: Vec<f64> = {
        let mut stream = Stream::new(seed ^ 0xABCD);
        (0..count).map(|_| 0.5 + stream.uniform()).collect()
    };
    normals(count, width, seed) * (&fall * 0.8) * Tensor::from_slice(&lengths).unsqueeze(1) + fall
}

/// Mean over samples that are not among the seeds of the check.
fn long_run(estimate: &dyn Fn(u64) -> f64) -> f64 {
    (0..2_000).map(|seed| estimate(1_000_000 + seed)).sum::<f64>() / 2_000.0
}

#[test]
fn errors_cover_what_another_sample_of_molecules_gives() {
    let oracle = "mean over 2,000 other samples, N = 200, D = 16";
    let cases: [(&str, &str, &dyn Metric, f64); 5] = [
        ("representation/rankme", "rankme", &RankMe, TWO_SIDED),
        ("representation/alpha_req", "alpha", &AlphaReq, TWO_SIDED),
        ("representation/participation_ratio", "participation_ratio", &ParticipationRatio, TWO_SIDED_GROUPS),
        ("representation/anisotropy", "anisotropy", &Anisotropy, TWO_SIDED),
        ("representation/uniformity", "uniformity", &Uniformity, TWO_SIDED),
    ];
    for (metric, value, of, reach) in cases {
        let found = |seed: u64| named(&measure(of, &sample(seed)), value);
        let truth = long_run(&|seed| found(seed).value);
        covered(Check { metric, value, oracle }, truth, reach, |seed| {
            let found = found(seed);
            (found.value, found.se_sample.unwrap())
        });
    }
}

#[test]
fn the_error_of_likeness_covers_another_sample_and_the_debiased_one_has_no_bias_for_unrelated_features() {
    let pair = |seed: u64| {
        let bits = random_bits(160, 24, seed);
        let rows = normals(160, 8, seed + 7_000_000) + bits.to_kind(Kind::Double).narrow(1, 0, 8) * 2.0;
        similarities(&rows, &bits).unwrap()
    };
    let truth = long_run(&|seed| pair(seed)[0].debiased);
    let check = Check {
        metric: "representation/cka_fingerprint",
        value: "cka_debiased",
        oracle: "mean over 2,000 other samples, N = 160",
    };
    covered(check, truth, TWO_SIDED_GROUPS, |seed| {
        let each: Vec<f64> = pair(seed).iter().map(|similarity| similarity.debiased).collect();
        (each[0], statistics::jackknife_error(&each[1..]))
    });
    let unrelated: Vec<_> =
        (0..200).map(|seed| similarities(&normals(60, 40, seed + 50), &random_bits(60, 24, seed)).unwrap()[0]).collect();
    let (mean, error) = statistics::mean_with_error(&unrelated.iter().map(|each| each.debiased).collect::<Vec<_>>());
    assert!(mean.abs() < 4.0 * error, "{mean} +- {error}");
    // The plain one is far from 0 there.
    assert!(unrelated.iter().all(|each| each.plain > 0.2));
}

#[test]
fn the_metric_takes_the_fingerprints_of_the_molecules() {
    let parts = ["C", "O", "N", "c1ccccc1", "C(=O)", "S", "C(F)"];
    let mut stream = Stream::new(3);
    let mut part = || parts[(stream.bits() % parts.len() as u64) as usize];
    let smiles: Vec<String> = (0..64).map(|_| (0..6).map(|_| part()).collect()).collect();
    let bits: Vec<f32> = smiles.iter().flat_map(|smiles| clmbench_plugin_representation::bits(smiles).unwrap()).collect();
    let bits = Tensor::from_slice(&bits).view([64, 1_024]);
    let measured = measure_with(&CkaFingerprint, &(bits.to_kind(Kind::Double) * 2.0), &smiles, &[]).unwrap();
    assert!((named(&measured, "cka_debiased").value - 1.0).abs() < 1e-9 && named(&measured, "missing").value == 0.0);
    let rows = normals(64, 8, 5);
    let measured = measure_with(&CkaFingerprint, &rows, &smiles, &[]).unwrap();
    let each = similarities(&rows, &bits).unwrap();
    assert!((named(&measured, "cka").value - each[0].plain).abs() < 1e-9);
}
