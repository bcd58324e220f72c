//! Roughness of sets small enough for other means, and the coverage of its errors.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use clmbench_plugin_roughness::{
    Curve, Distances, Merge, Modi, Point, Rmodi, Rogi, RogiXd, complete_linkage, modelability, regression_modelability,
};
use clmbench_sdk::{
    prelude::*,
    testing::oracle::{Check, covered, exact},
};
use common::{distances_one_by_one, measure, named, normals, table};

/// Of the normal distribution: the 16 halves share their molecules.
const TWO_SIDED: f64 = 1.96;

/// Merges by their definition: of all pairs of clusters the two with the smallest largest distance, until one is left. O(N^3) and more.
fn naive_linkage(square: &[Vec<f64>]) -> Vec<(f64, Vec<usize>)> {
    let mut clusters: Vec<Vec<usize>> = (0..square.len()).map(|k| vec![k]).collect();
    let mut merges = Vec::new();
    while clusters.len() > 1 {
        let mut best = (f64::INFINITY, 0, 0);
        for i in 0..clusters.len() {
            for j in 0..i {
                let pairs = clusters[i].iter().flat_map(|a| clusters[j].iter().map(|b| square[*a][*b]));
                let diameter = pairs.fold(0.0, f64::max);
                if diameter < best.0 {
                    best = (diameter, i, j);
                }
            }
        }
        let gone = clusters.swap_remove(best.1);
        clusters[best.2].extend(gone);
        let mut members = clusters[best.2].clone();
        members.sort_unstable();
        merges.push((best.0, members));
    }
    merges
}

/// The same form of our merges.
fn members(merges: &[Merge], count: usize) -> Vec<(f64, Vec<usize>)> {
    let mut cluster: Vec<Vec<usize>> = (0..count).map(|k| vec![k]).collect();
    let mut list = Vec::new();
    for merge in merges {
        let mut both: Vec<usize> = cluster[merge.one].iter().chain(&cluster[merge.other]).copied().collect();
        both.sort_unstable();
        both.iter().for_each(|k| cluster[*k] = both.clone());
        list.push((merge.height, both));
    }
    list
}

#[test]
fn chains_of_nearest_neighbours_give_complete_linkage() {
    for (count, width, seed) in [(2, 1, 1), (3, 1, 2), (7, 2, 3), (40, 1, 4), (60, 3, 5), (75, 20, 6)] {
        let square = distances_one_by_one(&normals(count, width, seed));
        let mut flat: Vec<f64> = square.iter().flatten().copied().collect();
        let found = members(&complete_linkage(&mut flat, count as usize), count as usize);
        let truth = naive_linkage(&square);
        assert_eq!(found.iter().map(|(_, set)| set).collect::<Vec<_>>(), truth.iter().map(|(_, set)| set).collect::<Vec<_>>());
        assert!(found.iter().zip(&truth).all(|((a, _), (b, _))| a == b));
    }
}

#[test]
fn equal_distances_end_and_merge_at_their_height() {
    for count in [2, 5, 33] {
        let mut equal = vec![0.25; count * count];
        let merges = complete_linkage(&mut equal, count);
        assert!(merges.len() == count - 1 && merges.iter().all(|merge| merge.height == 0.25));
        let labels: Vec<f64> = (0..count).map(|k| k as f64).collect();
        let curve = Curve::of_merges(&merges, &labels, 0.01);
        // Everything merges at once: sigma is the spread up to the threshold 0.25 by one trapezium, then 0.
        assert_eq!(curve.points.iter().map(|point| point.clusters).collect::<Vec<_>>(), [count, 1, 1]);
        assert!((curve.rogi() - curve.spread() * (1.0 - 0.125)).abs() < 1e-12);
    }
}

/// Four points on a line at 0, 1, 4 and 10 with labels 0, 1, 2, 4: merges at .1 (0 and 1), .4 (with 4) and 1 (with 10).
#[test]
fn four_points_by_hand() {
    let rows = Tensor::from_slice(&[0.0, 1.0, 4.0, 10.0]).view([4, 1]);
    let labels = [0.0, 1.0, 2.0, 4.0];
    let distances = Distances::new(&rows).unwrap();
    assert!(
        (distances.largest(&distances.all()).unwrap() - 10.0).abs() < 1e-12
            && (distances.largest(&[2, 3]).unwrap() - 6.0).abs() < 1e-12
    );
    let left = distances.all();
    let curve = Curve::new(&mut distances.scaled(&left, 10.0), &labels, 0.01);
    // Scaled labels 0, .25, .5, 1 have the mean .4375. Variances of means: of all; of {.125 twice, .5, 1}; of {.25 three times, 1}.
    let sigma = |means: [f64; 4]| 2.0 * (means.iter().map(|mean| (mean - 0.4375_f64).powi(2)).sum::<f64>() / 4.0).sqrt();
    let sigmas = [sigma([0.0, 0.25, 0.5, 1.0]), sigma([0.125, 0.125, 0.5, 1.0]), sigma([0.25, 0.25, 0.25, 1.0]), 0.0, 0.0];
    let thresholds = [0.0, 0.1, 0.4, 1.0, 1.0];
    for (index, clusters) in [4, 3, 2, 1, 1].into_iter().enumerate() {
        let Point { threshold, clusters: found, sigma } = curve.points[index];
        assert!((threshold - thresholds[index]).abs() < 1e-9 && (sigma - sigmas[index]).abs() < 1e-9 && found == clusters);
    }
    let [a, b, c, _, _] = sigmas;
    let rogi = a - (0.1 * (a + b) / 2.0 + 0.3 * (b + c) / 2.0 + 0.6 * c / 2.0);
    // x = 1 - log clusters / log 4: 0, .2075, .5, 1.
    let third = 1.0 - 3.0_f64.ln() / 4.0_f64.ln();
    let xd = a - (third * (a + b) / 2.0 + (0.5 - third) * (b + c) / 2.0 + 0.5 * c / 2.0);
    let check = |metric, value| Check { metric, value, oracle: "four points on a line, by hand" };
    exact(check("roughness/rogi", "rogi"), rogi, curve.rogi(), 1e-9);
    exact(check("roughness/rogi_xd", "rogi_xd"), xd, curve.rogi_xd(), 1e-9);
}

/// Sigma and clusters from the definition at one threshold, from clusters made by the definition.
#[test]
fn the_curve_is_that_of_the_definition_at_each_of_its_thresholds() {
    let (rows, labels) = (normals(70, 4, 8), table(&normals(70, 1, 9)).concat());
    let distances = Distances::new(&rows).unwrap();
    let largest = distances.largest(&distances.all()).unwrap();
    let curve = Curve::new(&mut distances.scaled(&distances.all(), largest), &labels, 0.01);
    let merges = naive_linkage(&distances_one_by_one(&rows));
    let low = labels.iter().copied().fold(f64::INFINITY, f64::min);
    let high = labels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scaled: Vec<f64> = labels.iter().map(|label| (label - low) / (high - low)).collect();
    let mean = scaled.iter().sum::<f64>() / 70.0;
    for point in &curve.points[1..curve.points.len() - 1] {
        let mut cluster: Vec<Vec<usize>> = (0..70).map(|k| vec![k]).collect();
        for (_, set) in merges.iter().filter(|(height, _)| *height <= point.threshold * largest * (1.0 + 1e-9)) {
            set.iter().for_each(|k| cluster[*k] = set.clone());
        }
        let of = |set: &Vec<usize>| set.iter().map(|k| scaled[*k]).sum::<f64>() / set.len() as f64;
        let variance = cluster.iter().map(|set| (of(set) - mean).powi(2)).sum::<f64>() / 70.0;
        let number: f64 = cluster.iter().map(|set| 1.0 / set.len() as f64).sum();
        assert!((point.sigma - 2.0 * variance.sqrt()).abs() < 1e-9 && (number - point.clusters as f64).abs() < 1e-9);
    }
    assert!(
        curve.points.windows(2).skip(1).all(|pair| pair[1].threshold >= pair[0].threshold + 0.01 || pair[1].threshold == 1.0)
    );
    // Every merge for itself.
    let every = Curve::new(&mut distances.scaled(&distances.all(), largest), &labels, 0.0);
    assert_eq!(every.points.len(), 71);
}

#[test]
fn constant_labels_are_flat_and_shuffled_ones_rougher_than_ordered_ones() {
    let rows = normals(256, 3, 1);
    let ordered = table(&(rows.select(1, 0) * 2.0 + rows.select(1, 1)).view([256, 1])).concat();
    let shuffled: Vec<f64> = (0..256).map(|k| ordered[k * 77 % 256]).collect();
    let distances = Distances::new(&rows).unwrap();
    let of = |labels: &[f64]| {
        Curve::new(&mut distances.scaled(&distances.all(), distances.largest(&distances.all()).unwrap()), labels, 0.01)
    };
    let flat = of(&[3.0; 256]);
    let check = |metric, value| Check { metric, value, oracle: "constant labels, the function behind the metric" };
    exact(check("roughness/rogi", "rogi"), 0.0, flat.rogi(), 1e-12);
    exact(check("roughness/rogi_xd", "rogi_xd"), 0.0, flat.rogi_xd(), 1e-12);
    let (ordered_curve, shuffled_curve) = (of(&ordered), of(&shuffled));
    assert!((ordered_curve.spread() - shuffled_curve.spread()).abs() < 1e-12);
    assert!(ordered_curve.rogi() * 1.5 < shuffled_curve.rogi() && ordered_curve.rogi_xd() * 1.5 < shuffled_curve.rogi_xd());
    // So do the scores of neighbours, the other way.
    let (left, largest) = (distances.all(), distances.largest(&distances.all()).unwrap());
    let rmodi = |labels: &[f64]| regression_modelability(&distances, labels, &left, largest, 0.625);
    assert!(rmodi(&ordered) > 0.8 && rmodi(&shuffled) < 0.6, "{} {}", rmodi(&ordered), rmodi(&shuffled));
}

#[test]
fn modelability_by_hand() {
    // On a line: 0 and 1 near each other, 3 alone nearer to 1, then 10 and 11. Classes A A B | B A.
    let rows = Tensor::from_slice(&[0.0, 1.0, 3.0, 10.0, 11.0]).view([5, 1]);
    let distances = Distances::new(&rows).unwrap();
    let (left, classes) = (distances.all(), [0.0, 0.0, 1.0, 1.0, 0.0]);
    // A: 0 -> 1 same, 1 -> 0 same, 11 -> 10 other: 2/3. B: 3 -> 1 other, 10 -> 11 other: 0.
    let found = modelability(&distances, &classes, &left, distances.largest(&distances.all()).unwrap());
    let check = |metric, value| Check { metric, value, oracle: "five points on a line, by hand" };
    exact(check("roughness/modi", "modi"), 1.0 / 3.0, found, 1e-12);
    // Labels 0, 0.1, 5, 5.1, 0: standard deviation 2.474; alike within 1.546. Alike nearest and unlike nearest:
    // 0: 1 | 3 yes. 1: 1 | 2 yes. 3: 7 | 2 no. 10: 7 | 1 no. 11: 10 | 1 no.
    let found = regression_modelability(
        &distances,
        &[0.0, 0.1, 5.0, 5.1, 0.0],
        &left,
        distances.largest(&distances.all()).unwrap(),
        0.625,
    );
    exact(check("roughness/rmodi", "rmodi"), 0.4, found, 1e-12);
    // Equally near ones share: 1 lies between 0 (same) and 2 (other); 0 and 2 have one neighbour each, 1.
    let rows = Tensor::from_slice(&[0.0, 1.0, 2.0, 9.0]).view([4, 1]);
    let distances = Distances::new(&rows).unwrap();
    // A = {0, 1}: 1 and 1/2. B = {2, 9}: 0 and 1.
    let found = modelability(&distances, &[0.0, 0.0, 1.0, 1.0], &distances.all(), distances.largest(&distances.all()).unwrap());
    assert!((found - (0.75 + 0.5) / 2.0).abs() < 1e-12, "{found}");
}

#[test]
fn distances_are_those_of_pairs_and_duplicates_lie_together() {
    let rows = normals(50, 6, 3) + 100.0;
    rows.get(7).copy_(&rows.get(31));
    // The same molecule from another batch: what float32 rounds.
    rows.get(8).copy_(&(rows.get(31) * (1.0 + 1e-9)));
    let distances = Distances::new(&rows).unwrap();
    let scaled = distances.scaled(&distances.all(), distances.largest(&distances.all()).unwrap());
    for (i, row) in distances_one_by_one(&rows).iter().enumerate() {
        for (j, truth) in row.iter().enumerate() {
            let (found, truth) = (scaled[i * 50 + j], truth / distances.largest(&distances.all()).unwrap());
            assert!((found - truth).abs() < 1e-7 && (truth > 1e-6 || found == 0.0), "{i} {j} {found} {truth}");
        }
    }
    assert!(scaled[7 * 50 + 31] == 0.0 && scaled[8 * 50 + 7] == 0.0);
}

/// Mean over samples that are not among the seeds of the check.
fn long_run(estimate: &dyn Fn(u64) -> f64) -> f64 {
    (0..1_000).map(|seed| estimate(1_000_000 + seed)).sum::<f64>() / 1_000.0
}

#[test]
fn errors_cover_what_another_sample_of_molecules_gives() {
    // Features and labels with ends, so that neither the range of labels nor the largest distance hangs on one molecule.
    let uniform = |count, width, seed| normals(count, width, seed).special_ndtr();
    let sample = |seed: u64, kind| {
        let rows = uniform(160, 3, seed);
        let labels = rows.select(1, 0) + uniform(160, 1, seed ^ 0xF00D).view([160]) * 0.5;
        let labels = if kind == TaskKind::Classification { labels.gt(0.75).to_kind(Kind::Double) } else { labels };
        (rows, labels)
    };
    // The truth needs no errors: the functions behind the metrics.
    let score = |seed: u64, kind, of: &dyn Fn(&Distances, &[f64]) -> f64| {
        let (rows, labels) = sample(seed, kind);
        of(&Distances::new(&rows).unwrap(), &Vec::<f64>::try_from(labels.contiguous()).unwrap())
    };
    let curve = |distances: &Distances, labels: &[f64]| {
        Curve::new(&mut distances.scaled(&distances.all(), distances.largest(&distances.all()).unwrap()), labels, 0.01)
    };
    type Score<'a> = &'a dyn Fn(&Distances, &[f64]) -> f64;
    let cases: [(&str, &str, &dyn Metric, Score<'_>); 4] = [
        ("roughness/rogi", "rogi", &Rogi, &|distances, labels| curve(distances, labels).rogi()),
        ("roughness/rogi_xd", "rogi_xd", &RogiXd, &|distances, labels| curve(distances, labels).rogi_xd()),
        ("roughness/modi", "modi", &Modi, &|distances, labels| {
            modelability(distances, labels, &distances.all(), distances.largest(&distances.all()).unwrap())
        }),
        ("roughness/rmodi", "rmodi", &Rmodi, &|distances, labels| {
            regression_modelability(distances, labels, &distances.all(), distances.largest(&distances.all()).unwrap(), 0.625)
        }),
    ];
    for (metric, value, of, behind) in cases {
        let kind = of.info().tasks[0];
        let truth = long_run(&|seed| score(seed, kind, behind));
        covered(Check { metric, value, oracle: "mean over 1,000 other samples, N = 160, D = 3" }, truth, TWO_SIDED, |seed| {
            let (rows, labels) = sample(seed, kind);
            let found = named(&measure(of, &rows, &labels), value);
            (found.value, found.se_sample.unwrap())
        });
    }
}
