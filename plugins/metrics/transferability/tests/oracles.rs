//! Every metric against what its definition gives, computed in another way.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use clmbench_sdk::{
    prelude::*,
    testing::oracle::{Check, covered, exact},
};
use common::{DOUBLE, Problem, fifths, number, numbers};

/// Student's t for the ten groups of the jackknife: 9 degrees.
const REACH: f64 = 2.262;

fn check<'a>(metric: &'a str, value: &'a str, oracle: &'a str) -> Check<'a> {
    Check { metric, value, oracle }
}

fn named(metric: &str) -> String {
    format!("transferability/{metric}")
}

/// A metric's primary value is the truth, for classes and, where it has a twin, for fifths of the labels.
fn both(id: &str, oracle: &str, tolerance: f64, truth: impl Fn(&Problem, &[usize]) -> f64) {
    let classes = Problem::classes(5, 203, 6, 1.5, 0.3).stretched();
    let of: Vec<usize> = classes.labels.iter().map(|label| *label as usize).collect();
    exact(check(&named(id), id, oracle), truth(&classes, &of), classes.value(id).value, tolerance);
    let real = Problem::regression(6, 205, 6, 0.5).stretched();
    let binned = format!("{id}_q5");
    exact(check(&named(&binned), id, oracle), truth(&real, &fifths(&real.labels)), real.value(&binned).value, tolerance);
}

/// Rows of a class.
fn of_class(features: &Tensor, of: &[usize], class: usize) -> Tensor {
    let rows: Vec<i64> = (0..of.len()).filter(|at| of[*at] == class).map(|at| at as i64).collect();
    features.index_select(0, &Tensor::from_slice(&rows))
}

fn mean(features: &Tensor) -> Tensor {
    features.mean_dim(&[0_i64][..], true, Kind::Double)
}

fn classes_of(of: &[usize]) -> usize {
    of.iter().max().unwrap() + 1
}

/// Log density over N of y under N(0, I / beta + F F^T / alpha), by its dense covariance.
fn evidence(features: &Tensor, y: &Tensor, alpha: f64, beta: f64) -> f64 {
    let count = features.size()[0];
    let covariance = Tensor::eye(count, DOUBLE) / beta + features.mm(&features.transpose(0, 1)) / alpha;
    let (_, determinant) = Tensor::linalg_slogdet(&covariance);
    let solved = Tensor::linalg_solve(&covariance, &y.unsqueeze(1), true);
    let quadratic = number(&(y.unsqueeze(1) * solved).sum(Kind::Double));
    -(number(&determinant) + quadratic + count as f64 * std::f64::consts::TAU.ln()) / (2.0 * count as f64)
}

/// The highest dense evidence over a grid of alpha and beta that is refined around its best point.
fn best_evidence(features: &Tensor, y: &Tensor) -> f64 {
    let (mut centre, mut step, mut best) = ((0.0, 0.0), 1.5, f64::NEG_INFINITY);
    for round in 0..22 {
        let reach = if round == 0 { 10 } else { 2 };
        let here = centre;
        for a in -reach..=reach {
            for b in -reach..=reach {
                let at = (here.0 + f64::from(a) * step, here.1 + f64::from(b) * step);
                let found = evidence(features, y, f64::exp(at.0), f64::exp(at.1));
                if found > best {
                    (best, centre) = (found, at);
                }
            }
        }
        step /= 1.6;
    }
    best
}

#[test]
fn logme_is_the_highest_dense_evidence() {
    let tall = Problem::regression(1, 60, 5, 0.7);
    let wide = Problem::regression(2, 24, 40, 0.7);
    let mut deficient = Problem::regression(3, 40, 6, 0.7);
    deficient.features = Tensor::cat(&[&deficient.features, &deficient.features.narrow(1, 0, 3)], 1);
    for (problem, oracle) in [
        (tall, "dense Gaussian evidence on a grid, N = 60, D = 5"),
        (wide, "dense Gaussian evidence on a grid, N = 24, D = 40"),
        (deficient, "dense Gaussian evidence on a grid, N = 40, D = 9 of rank 6"),
    ] {
        let truth = best_evidence(&problem.features, &Tensor::from_slice(&problem.labels));
        exact(check("transferability/logme", "logme", oracle), truth, problem.value("logme").value, 1e-6);
    }
    let classes = Problem::classes(4, 50, 4, 1.0, 0.4);
    let outputs = [0.0, 1.0].map(|class| {
        let output: Vec<f64> = classes.labels.iter().map(|label| f64::from(u8::from(*label == class))).collect();
        best_evidence(&classes.features, &Tensor::from_slice(&output))
    });
    let oracle = "dense Gaussian evidence on a grid, two classes";
    exact(check("transferability/logme", "logme", oracle), outputs.iter().sum::<f64>() / 2.0, classes.value("logme").value, 1e-6);
}

#[test]
fn h_score_is_its_definition() {
    both("h_score", "Ledoit-Wolf by loops, inverse", 1e-9, |problem, of| {
        let features = &problem.features - mean(&problem.features);
        let (count, width) = (features.size()[0], features.size()[1]);
        let covariance = features.transpose(0, 1).mm(&features) / count as f64;
        let level = number(&covariance.trace()) / width as f64;
        let away = number(&(&covariance - Tensor::eye(width, DOUBLE) * level).square().sum(Kind::Double));
        let noise: f64 = (0..count)
            .map(|row| {
                let x = features.select(0, row);
                number(&(x.outer(&x) - &covariance).square().sum(Kind::Double))
            })
            .sum::<f64>()
            / (count * count) as f64;
        let a = (noise / away).min(1.0);
        let shrunk = &covariance * (1.0 - a) + Tensor::eye(width, DOUBLE) * (a * level);
        // Covariance of the class means, one row a molecule.
        let means = Tensor::cat(&of.iter().map(|class| mean(&of_class(&features, of, *class))).collect::<Vec<_>>(), 0);
        let between = means.transpose(0, 1).mm(&means) / count as f64;
        (1.0 - a) * number(&shrunk.inverse().mm(&between).trace())
    });
}

#[test]
fn h_score_finds_its_population_value() {
    // Two round classes a distance 4 apart, half each: covariance 1 + d^2 / 4 along it, so that H = (d^2 / 4) / (1 + d^2 / 4).
    // Shrinkage falls as 1 / N, its effect on H with it: at fewer molecules it would show over 500 seeds.
    let found = |seed| {
        let value = Problem::classes(seed, 10_000, 2, 4.0, 0.5).value("h_score");
        (value.value, value.se_sample.unwrap())
    };
    covered(check("transferability/h_score", "h_score", "two round classes, N = 10,000"), 0.8, REACH, found);
}

#[test]
fn gbc_is_its_definition() {
    // With as many components as coordinates, spherical Gaussians are the same in the coordinates themselves.
    both("gbc", "Gaussians on the coordinates, by loops", 1e-9, |problem, of| {
        let classes = classes_of(of);
        let gaussian = |class: usize| {
            let rows = of_class(&problem.features, of, class);
            let variance = number(&(&rows - mean(&rows)).square().mean(Kind::Double));
            (mean(&rows), variance.max(1e-4))
        };
        let mut sum = 0.0;
        for one in 0..classes {
            for other in (0..classes).filter(|other| *other != one) {
                let ((m1, s1), (m2, s2)) = (gaussian(one), gaussian(other));
                let s = (s1 + s2) / 2.0;
                let square = number(&(m1 - m2).square().sum(Kind::Double));
                let width = problem.features.size()[1] as f64;
                sum -= (-square / s / 8.0 - width / 2.0 * (s / (s1 * s2).sqrt()).ln()).exp();
            }
        }
        sum
    });
    // Diagonal: along principal axes that are known, since they are few and far apart in size.
    let mut problem = Problem::classes(8, 400, 2, 0.0, 0.5);
    problem.features = Tensor::cat(&[problem.features.narrow(1, 0, 1) * 30.0, problem.features.narrow(1, 1, 1)], 1);
    let spherical = problem.with("gbc", serde_json::json!({"covariance": "spherical"})).value;
    let diagonal = problem.with("gbc", serde_json::json!({"covariance": "diagonal"})).value;
    assert!((-2.0..-1.8).contains(&diagonal) && (diagonal - spherical).abs() > 1e-6, "{diagonal} {spherical}");
}

#[test]
fn gbc_finds_its_population_value() {
    // Equal round classes a distance 1.5 apart: D_B = 1.5^2 / 8 (the variance along is that within classes).
    let found = |seed| {
        let value = Problem::classes(seed, 3000, 3, 1.5, 0.5).value("gbc");
        (value.value, value.se_sample.unwrap())
    };
    let truth = -2.0 * (-1.5_f64 * 1.5 / 8.0).exp();
    covered(check("transferability/gbc", "gbc", "two round classes, N = 3,000"), truth, REACH, found);
}

#[test]
fn transrate_is_its_definition() {
    let rate = |features: &Tensor| {
        let (count, width) = (features.size()[0], features.size()[1]);
        // The other side of Sylvester's identity: [N, N].
        let matrix = Tensor::eye(count, DOUBLE) + features.mm(&features.transpose(0, 1)) / (count as f64 * 1e-4);
        assert!(width < count);
        number(&Tensor::linalg_slogdet(&matrix).1) / 2.0
    };
    both("transrate", "log determinants of [N, N]", 1e-8, |problem, of| {
        let features = &problem.features - mean(&problem.features);
        let within = (0..classes_of(of)).map(|class| {
            let rows = of_class(&features, of, class);
            rows.size()[0] as f64 / of.len() as f64 * rate(&rows)
        });
        rate(&features) - within.sum::<f64>()
    });
}

#[test]
fn transrate_finds_its_population_value() {
    // A class's moments are about the middle of all: equal shares would give nothing. Shares 0.2 and 0.8 lie 1.6 and 0.4 from it.
    let (eps, apart, rare) = (1e-4, 2.0, 0.2_f64);
    let along = |moment: f64| 0.5 * (1.0 + moment / eps).ln();
    let all = along(1.0 + rare * (1.0 - rare) * apart * apart);
    let class = |share: f64, offset: f64| share * along(1.0 + offset * offset);
    let truth = all - class(rare, apart * (1.0 - rare)) - class(1.0 - rare, apart * rare);
    let found = |seed| {
        let value = Problem::classes(seed, 4000, 2, apart, rare).value("transrate");
        (value.value, value.se_sample.unwrap())
    };
    covered(check("transferability/transrate", "transrate", "two round classes, N = 4,000"), truth, REACH, found);
}

/// Mean log posterior of the true class under a discriminant, with inverses instead of factors.
fn discriminant(features: &Tensor, of: &[usize], strength: f64) -> Vec<Vec<f64>> {
    let width = features.size()[1];
    let within = within(features, of);
    let level = number(&within.trace()) / width as f64;
    let inverse = (within * (1.0 - strength) + Tensor::eye(width, DOUBLE) * (strength * level)).inverse();
    let posterior = |row: i64| {
        let scores: Vec<f64> = (0..classes_of(of))
            .map(|class| {
                let rows = of_class(features, of, class);
                let apart = features.narrow(0, row, 1) - mean(&rows);
                // The Gaussian's exponent, whose square of x is common to all classes.
                let square = number(&(apart.mm(&inverse) * &apart).sum(Kind::Double));
                (rows.size()[0] as f64 / of.len() as f64).ln() - square / 2.0
            })
            .collect();
        let top = scores.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        let all = top + scores.iter().map(|score| (score - top).exp()).sum::<f64>().ln();
        scores.iter().map(|score| score - all).collect()
    };
    (0..features.size()[0]).map(posterior).collect()
}

fn within(features: &Tensor, of: &[usize]) -> Tensor {
    let each = (0..classes_of(of)).map(|class| {
        let rows = of_class(features, of, class);
        let rows = &rows - mean(&rows);
        rows.transpose(0, 1).mm(&rows)
    });
    each.reduce(|a, b| a + b).unwrap() / of.len() as f64
}

#[test]
fn sfda_is_its_definition() {
    both("sfda", "Gaussian posteriors by inverses, molecule by molecule", 1e-9, |problem, of| {
        let features = &problem.features;
        // The largest eigenvalue by singular values.
        let strength = (-5.0 * number(&within(features, of).svd(true, false).1.max())).exp().max(1e-10);
        let classes = classes_of(of);
        let means: Vec<Tensor> = (0..classes).map(|class| mean(&of_class(features, of, class))).collect();
        let first = discriminant(features, of, strength);
        let mixed: Vec<Tensor> = (0..of.len())
            .map(|row| {
                let all: f64 = first[row].iter().map(|log| log.exp().exp()).sum();
                let sure = first[row][of[row]].exp().exp() / all;
                let others = means.iter().enumerate().filter(|(class, _)| *class != of[row]).map(|(_, mean)| mean.copy());
                let other = others.reduce(|a, b| a + b).unwrap() / (classes as f64 - 1.0);
                features.narrow(0, row as i64, 1) * sure + other * (1.0 - sure)
            })
            .collect();
        let second = discriminant(&Tensor::cat(&mixed, 0), of, strength);
        second.iter().zip(of).map(|(row, class)| row[*class]).sum::<f64>() / of.len() as f64
    });
}

/// LEEP of distributions, by loops.
fn leep(theta: &[Vec<f64>], of: &[usize]) -> f64 {
    let (sources, classes) = (theta[0].len(), classes_of(of));
    let given = |class: usize, z: usize| {
        let all: f64 = theta.iter().map(|row| row[z]).sum();
        let ours: f64 = theta.iter().zip(of).filter(|(_, of)| **of == class).map(|(row, _)| row[z]).sum();
        ours / all
    };
    let table: Vec<Vec<f64>> = (0..classes).map(|class| (0..sources).map(|z| given(class, z)).collect()).collect();
    let each = theta.iter().zip(of).map(|(row, of)| row.iter().zip(&table[*of]).map(|(p, q)| p * q).sum::<f64>().ln());
    each.sum::<f64>() / of.len() as f64
}

/// NCE from counts, by loops.
fn nce(z: &[usize], of: &[usize]) -> f64 {
    let each = (0..z.len()).map(|at| {
        let same: Vec<usize> = (0..z.len()).filter(|other| z[*other] == z[at]).collect();
        let agree = same.iter().filter(|other| of[**other] == of[at]).count();
        (agree as f64 / same.len() as f64).ln()
    });
    each.sum::<f64>() / z.len() as f64
}

/// Mean distribution of each molecule's two predicted tokens.
fn distributions(draw: &Tensor) -> Vec<Vec<f64>> {
    numbers(draw).chunks(14).map(|pair| (0..7).map(|z| (pair[z] + pair[z + 7]) / 2.0).collect()).collect()
}

fn likeliest(theta: &[Vec<f64>]) -> Vec<usize> {
    let top = |row: &Vec<f64>| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
    theta.iter().map(top).collect()
}

#[test]
fn scores_of_masked_tokens_are_their_definitions() {
    // Three draws: the probe's first, second and first again.
    let draws = |problem: &Problem, score: &dyn Fn(&[Vec<f64>]) -> f64| {
        let found = [0, 1, 0].map(|draw| score(&distributions(&problem.draws[draw])));
        found.iter().sum::<f64>() / 3.0
    };
    both("leep_mlm", "loops over molecules and tokens", 1e-9, |problem, of| draws(problem, &|theta| leep(theta, of)));
    both("nce_mlm", "loops over molecules", 1e-9, |problem, of| draws(problem, &|theta| nce(&likeliest(theta), of)));
}

/// 32 tight, far clusters; each has a class of its own for most of its molecules.
fn clustered(kind: TaskKind) -> (Problem, Vec<usize>) {
    let count = 320;
    let z: Vec<usize> = (0..count).map(|at| (at * 7) % 32).collect();
    let centres = common::normals(11, 32, 8) * 100.0;
    let index = Tensor::from_slice(&z.iter().map(|z| *z as i64).collect::<Vec<_>>());
    let features = centres.index_select(0, &index) + common::normals(12, count as i64, 8) * 0.01;
    let noisy = |at: usize, z: usize| if at.is_multiple_of(5) { (at * 13 + z) % 32 } else { z };
    let label = |(at, z): (usize, &usize)| {
        let of = noisy(at, *z);
        if kind == TaskKind::Classification { f64::from(u8::from(of < 12)) } else { of as f64 * 1000.0 + at as f64 }
    };
    let labels = z.iter().enumerate().map(label).collect();
    (Problem::new(features, labels, kind), z)
}

#[test]
fn scores_of_clusters_are_those_of_the_true_clusters() {
    for (kind, end) in [(TaskKind::Classification, ""), (TaskKind::Regression, "_q5")] {
        let (problem, z) = clustered(kind);
        let of = match kind {
            TaskKind::Classification => problem.labels.iter().map(|label| *label as usize).collect(),
            TaskKind::Regression => fifths(&problem.labels),
        };
        let hard: Vec<Vec<f64>> = z.iter().map(|z| (0..32).map(|other| f64::from(u8::from(other == *z))).collect()).collect();
        let id = format!("leep_kmeans32{end}");
        // 32 starts that lie apart (k-means++) find 32 clusters a thousand times farther apart than wide.
        exact(check(&named(&id), "leep_kmeans32", "32 known clusters"), leep(&hard, &of), problem.value(&id).value, 1e-9);
        let id = format!("nce_kmeans32{end}");
        exact(check(&named(&id), "nce_kmeans32", "32 known clusters"), nce(&z, &of), problem.value(&id).value, 1e-9);
    }
}

#[test]
fn nleep_is_leep_of_the_true_components() {
    // Ten (twenty-five) far components; a component's label is a class but for some noise.
    for (kind, end, components) in [(TaskKind::Classification, "", 10), (TaskKind::Regression, "_q5", 25)] {
        let count = components * 30;
        let z: Vec<usize> = (0..count).map(|at| (at * 3) % components).collect();
        let index = Tensor::from_slice(&z.iter().map(|z| *z as i64).collect::<Vec<_>>());
        let features = (common::normals(21, components as i64, 12) * 100.0).index_select(0, &index);
        let features = features + common::normals(22, count as i64, 12) * 0.01;
        let of = |at: usize| if at.is_multiple_of(4) { (at * 5) % components } else { z[at] };
        let labels: Vec<f64> = match kind {
            TaskKind::Classification => (0..count).map(|at| f64::from(u8::from(of(at) < components / 2))).collect(),
            TaskKind::Regression => (0..count).map(|at| of(at) as f64 * 1e4 + at as f64).collect(),
        };
        let classes = match kind {
            TaskKind::Classification => labels.iter().map(|label| *label as usize).collect(),
            TaskKind::Regression => fifths(&labels),
        };
        let problem = Problem::new(features, labels, kind);
        let hard: Vec<Vec<f64>> =
            z.iter().map(|z| (0..components).map(|other| f64::from(u8::from(other == *z))).collect()).collect();
        let id = format!("nleep{end}");
        let oracle = "known components";
        exact(check(&named(&id), "nleep", oracle), leep(&hard, &classes), problem.value(&id).value, 1e-6);
    }
}

/// Spearman correlation by counting, for every pair of pairs.
fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let rank = |values: &[f64]| -> Vec<f64> {
        values
            .iter()
            .map(|value| {
                let below = values.iter().filter(|other| *other < value).count() as f64;
                let same = values.iter().filter(|other| *other == value).count() as f64;
                below + (same + 1.0) / 2.0
            })
            .collect()
    };
    pearson(&rank(a), &rank(b))
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(a - ma, b - mb)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

#[test]
fn parc_is_its_definition() {
    for problem in [Problem::classes(31, 40, 5, 1.0, 0.4), Problem::regression(32, 40, 5, 0.3)] {
        let features = &problem.features - mean(&problem.features);
        let (u, _, _) = features.svd(true, true);
        // Principal components of variance 1: the left singular vectors, but for a scale that no correlation sees.
        let rows: Vec<Vec<f64>> = numbers(&u).chunks(5).map(<[f64]>::to_vec).collect();
        let (mut far, mut apart) = (Vec::new(), Vec::new());
        for one in 0..40 {
            for other in 0..one {
                far.push(1.0 - cosine(&rows[one], &rows[other]));
                apart.push((problem.labels[one] - problem.labels[other]).abs());
            }
        }
        let oracle = format!("ranks by counting, {}", problem.kind.word());
        let (truth, found) = (spearman(&far, &apart), problem.value("parc").value);
        exact(check("transferability/parc", "parc", &oracle), truth, found, 1e-9);
    }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Folds as the metrics deal them.
fn folds(problem: &Problem) -> Vec<usize> {
    let mut seen = std::collections::BTreeMap::new();
    let class = |label: &f64| if problem.kind == TaskKind::Classification { *label as i64 } else { 0 };
    let mut deal = |label: &f64| {
        let count = seen.entry(class(label)).or_insert(0);
        *count += 1;
        (*count - 1) % 5
    };
    problem.labels.iter().map(&mut deal).collect()
}

/// R2, or the share of pairs of a 0 and a 1 in order.
fn scored(problem: &Problem, predictions: &[f64]) -> f64 {
    let labels = &problem.labels;
    if problem.kind == TaskKind::Regression {
        let mean = labels.iter().sum::<f64>() / labels.len() as f64;
        let off: f64 = labels.iter().zip(predictions).map(|(y, p)| (y - p).powi(2)).sum();
        return 1.0 - off / labels.iter().map(|y| (y - mean).powi(2)).sum::<f64>();
    }
    let of = |label: f64| (0..labels.len()).filter(move |at| labels[*at] == label);
    let pairs = of(1.0).flat_map(|up| of(0.0).map(move |down| (up, down)));
    let points = pairs.map(|(up, down)| match predictions[up].total_cmp(&predictions[down]) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    });
    points.sum::<f64>() / (of(1.0).count() * of(0.0).count()) as f64
}

#[test]
fn knn_is_brute_force() {
    for problem in [Problem::classes(41, 121, 4, 1.0, 0.4), Problem::regression(42, 121, 4, 0.3)] {
        let (folds, width) = (folds(&problem), 4);
        let rows = numbers(&problem.features);
        let predict = |at: usize| {
            let distance = |other: usize| {
                let pairs = rows[at * width..][..width].iter().zip(&rows[other * width..][..width]);
                pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>()
            };
            let mut others: Vec<usize> = (0..folds.len()).filter(|other| folds[*other] != folds[at]).collect();
            others.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
            others[..5].iter().map(|other| problem.labels[*other]).sum::<f64>() / 5.0
        };
        let predictions: Vec<f64> = (0..folds.len()).map(predict).collect();
        let oracle = format!("brute force, {}", problem.kind.word());
        exact(check("transferability/knn", "knn", &oracle), scored(&problem, &predictions), problem.value("knn").value, 1e-9);
    }
}

/// Coefficients (intercept last) of ridge regression by its normal equations, and its generalised cross-validation.
fn normal_equations(features: &Tensor, labels: &Tensor, strength: f64) -> (Tensor, f64) {
    let (count, width) = (features.size()[0], features.size()[1]);
    let design = Tensor::cat(&[features, &Tensor::ones([count, 1], DOUBLE)], 1);
    let penalty = Tensor::eye(width + 1, DOUBLE) * strength;
    let _ = penalty.get(width).get(width).fill_(0.0);
    let inverse = (design.transpose(0, 1).mm(&design) + penalty).inverse();
    let hat = design.mm(&inverse).mm(&design.transpose(0, 1));
    let residual = labels - hat.mv(labels);
    let freedom = count as f64 - number(&hat.trace());
    (inverse.mm(&design.transpose(0, 1)).mv(labels), number(&residual.dot(&residual)) / freedom.powi(2))
}

#[test]
fn ridge_is_a_loop_of_normal_equations() {
    for problem in [Problem::classes(51, 83, 7, 1.0, 0.4), Problem::regression(52, 83, 7, 1.5)] {
        let folds = folds(&problem);
        let labels = Tensor::from_slice(&problem.labels);
        let mut predictions = vec![0.0; folds.len()];
        for fold in 0..5 {
            let rows = |inside: bool| {
                let rows: Vec<i64> = (0..folds.len()).filter(|at| (folds[*at] == fold) == inside).map(|at| at as i64).collect();
                Tensor::from_slice(&rows)
            };
            let (features, known) = (problem.features.index_select(0, &rows(false)), labels.index_select(0, &rows(false)));
            let middle = &features - mean(&features);
            let level = number(&middle.square().sum(Kind::Double)) / 7.0;
            let fits =
                (-24..=24).map(|quarter| normal_equations(&features, &known, level * 10_f64.powf(f64::from(quarter) / 4.0)));
            let (coefficients, _) = fits.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            let asked = problem.features.index_select(0, &rows(true));
            let asked = Tensor::cat(&[&asked, &Tensor::ones([asked.size()[0], 1], DOUBLE)], 1);
            for (at, prediction) in numbers(&rows(true)).into_iter().zip(numbers(&asked.mv(&coefficients))) {
                predictions[at as usize] = prediction;
            }
        }
        let oracle = format!("normal equations, {}", problem.kind.word());
        exact(
            check("transferability/ridge", "ridge", &oracle),
            scored(&problem, &predictions),
            problem.value("ridge").value,
            1e-6,
        );
    }
}

#[test]
fn nce_finds_its_population_value() {
    // The token says the class but for one in five: H(y | z) of a fair coin through a channel with error 0.2.
    let truth = 0.8 * 0.8_f64.ln() + 0.2 * 0.2_f64.ln();
    let found = |seed| {
        let mut problem = Problem::classes(seed, 1500, 3, 0.0, 0.5);
        let mut stream = clmbench_sdk::random::Stream::new(seed ^ 0x2CE);
        let token = problem.labels.iter().map(|label| if stream.uniform() < 0.2 { 1.0 - label } else { *label });
        let rows: Vec<f64> = token.flat_map(|z| [0.1 + 0.8 * z, 0.9 - 0.8 * z]).collect();
        problem.tokens = vec![1; problem.labels.len()];
        problem.draws = vec![Tensor::from_slice(&rows).view([-1, 2])];
        let value = problem.with("nce_mlm", serde_json::json!({"draws": 2}));
        assert_eq!(value.se_estimator, Some(0.0));
        (value.value, value.se_sample.unwrap())
    };
    covered(check("transferability/nce_mlm", "nce_mlm", "a noisy channel, N = 1,500"), truth, REACH, found);
}
