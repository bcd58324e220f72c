//! What every metric refuses, and what it does not depend on.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use clmbench_sdk::prelude::*;
use common::{DOUBLE, Problem, ids, metric, normals};

/// Metrics that look at tokens, not at embeddings.
fn of_tokens(id: &str) -> bool {
    id.contains("_mlm")
}

fn kinds() -> [(TaskKind, Vec<String>); 2] {
    [TaskKind::Classification, TaskKind::Regression].map(|kind| (kind, ids(kind)))
}

fn good(kind: TaskKind, seed: u64) -> Problem {
    match kind {
        TaskKind::Classification => Problem::classes(seed, 150, 4, 1.0, 0.4),
        TaskKind::Regression => Problem::regression(seed, 150, 4, 0.5),
    }
    .stretched()
}

#[test]
fn there_are_22_metrics_with_docs_and_their_kinds_of_tasks() {
    let [(_, classes), (_, real)] = kinds();
    assert_eq!((classes.len(), real.len()), (13, 13));
    assert!(real.iter().all(|id| ["logme", "parc", "knn", "ridge"].contains(&id.as_str()) || id.ends_with("_q5")), "{real:?}");
    for id in classes.iter().chain(&real) {
        let info = metric(id).info();
        assert_eq!((info.scope, info.direction), (Scope::CheckpointDataset, Direction::HigherIsBetter));
        assert!(info.doc.len() > 200 && info.citation.contains("20") | info.citation.contains("19"), "{id}");
        assert_eq!(info.primary, id.trim_end_matches("_q5"));
    }
}

#[test]
fn each_gives_a_finite_value_with_its_errors() {
    for (kind, ids) in kinds() {
        for id in ids {
            let value = good(kind, 1).value(&id);
            assert!(value.value.is_finite() && value.se_sample.unwrap() > 0.0, "{id}: {value:?}");
            assert_eq!(value.se_estimator.is_some(), of_tokens(&id) || id.contains("leep") || id.contains("kmeans"), "{id}");
        }
    }
}

#[test]
fn bad_labels_are_refused_by_all() {
    for (kind, ids) in kinds() {
        for id in ids {
            let mut problem = good(kind, 2);
            problem.labels.fill(1.0);
            assert_eq!(problem.refused(&id), "all 150 training labels are 1; a score needs labels that differ", "{id}");
            problem.labels[7] = f64::NAN;
            assert_eq!(problem.refused(&id), "the label of molecule 7 of the task is NaN", "{id}");
            let few = Problem::new(normals(1, 19, 4), (0..19).map(|at| f64::from(at % 2)).collect(), kind);
            assert_eq!(few.refused(&id), "19 labelled training molecules; a transferability score needs at least 20", "{id}");
        }
    }
}

#[test]
fn a_class_with_one_member_and_collapsed_quintiles_are_refused() {
    for (kind, ids) in kinds() {
        for id in ids {
            let mut problem = good(kind, 3);
            problem.labels.fill(0.0);
            problem.labels[5] = 1.0;
            if kind == TaskKind::Classification {
                assert!(problem.refused(&id).starts_with("class 2 of 2 has one training molecule"), "{id}");
            } else if id.ends_with("_q5") {
                assert!(problem.refused(&id).starts_with("fifth 2 of the training labels holds 0 molecule(s)"), "{id}");
            }
        }
    }
}

#[test]
fn bad_embeddings_are_refused_by_all_that_look_at_them() {
    for (kind, ids) in kinds() {
        for id in ids.iter().filter(|id| !of_tokens(id)) {
            let mut problem = good(kind, 4);
            problem.features = problem.features.zeros_like() + 3.0;
            let words = problem.refused(id);
            assert_eq!(words, "all molecules of the task have the same embedding; the encoder has collapsed", "{id}");
            let _ = problem.features.get(3).fill_(f64::NAN);
            assert!(problem.refused(id).contains("not a finite number"), "{id}");
        }
    }
}

#[test]
fn bad_predictions_are_refused_by_all_that_look_at_them() {
    for (kind, ids) in kinds() {
        for id in ids.iter().filter(|id| of_tokens(id)) {
            let mut problem = good(kind, 5);
            problem.draws.iter_mut().for_each(|draw| *draw = draw.zeros_like() + f64::NAN);
            assert!(problem.refused(id).contains("not of finite numbers"), "{id}");
            problem.tokens.fill(0);
            let words = problem.refused(id);
            assert_eq!(words, "0 of 150 molecules have a predicted token in each of 3 draws; at least 20 are needed", "{id}");
        }
    }
}

#[test]
fn molecules_without_a_predicted_token_are_left_out() {
    let problem = good(TaskKind::Classification, 6);
    let mut other = good(TaskKind::Classification, 6);
    // The same distributions, with a molecule more that has no token.
    other.labels.insert(40, 1.0);
    other.tokens.insert(40, 0);
    other.features = normals(6, 151, 4);
    let [a, b] = [&problem, &other].map(|problem| problem.value("leep_mlm"));
    assert!((a.value - b.value).abs() < 1e-12 && a.se_sample == b.se_sample, "{a:?} {b:?}");
}

#[test]
fn more_coordinates_than_molecules_are_refused_only_where_the_definition_breaks() {
    for (kind, ids) in kinds() {
        for id in ids {
            let mut problem = good(kind, 7);
            problem.features = normals(7, 150, 200);
            if id.starts_with("sfda") {
                assert!(problem.refused(&id).contains("the covariance within classes is singular"), "{id}");
            } else {
                assert!(problem.value(&id).value.is_finite(), "{id}");
            }
        }
    }
}

#[test]
fn labels_that_the_embeddings_hold_are_refused_by_logme() {
    let problem = Problem::regression(8, 60, 4, 0.0);
    assert!(problem.refused("logme").starts_with("labels are an exact linear function of the embeddings"));
}

#[test]
fn separated_classes_score_above_shuffled_labels() {
    for (kind, ids) in kinds() {
        let near = match kind {
            TaskKind::Classification => Problem::classes(9, 400, 4, 3.0, 0.15),
            TaskKind::Regression => Problem::regression(9, 400, 4, 0.1),
        }
        .stretched();
        // The label also decides which token is likely.
        let labels = Tensor::from_slice(&near.labels);
        let likely = (&labels - labels.mean(Kind::Double)).unsqueeze(1) * Tensor::from_slice(&[2.0, -2.0]).unsqueeze(0);
        let draw = likely.softmax(1, Kind::Double).repeat_interleave_self_int(2, 0, None);
        let problem = |labels: Vec<f64>| {
            let mut problem = Problem::new(near.features.shallow_clone(), labels, kind);
            problem.draws = vec![draw.shallow_clone()];
            problem
        };
        let mut shuffled = near.labels.clone();
        shuffled.rotate_left(37); // molecules come in random order
        let (true_ones, others) = (problem(near.labels.clone()), problem(shuffled));
        for id in ids {
            let (a, b) = (true_ones.value(&id), others.value(&id));
            let error = a.se_sample.unwrap().hypot(b.se_sample.unwrap());
            assert!(a.value > b.value + 2.0 * error, "{id}: {a:?} is not above {b:?}");
        }
    }
}

#[test]
fn rotations_of_the_embeddings_change_nothing() {
    for (kind, ids) in kinds() {
        let problem = good(kind, 10);
        let (rotation, _) = Tensor::linalg_qr(&normals(11, 4, 4), "reduced");
        let mut rotated = good(kind, 10);
        rotated.features = problem.features.mm(&rotation);
        let mut scaled = good(kind, 10);
        scaled.features = &problem.features * 0.1;
        for id in ids {
            let [a, b, c] = [&problem, &rotated, &scaled].map(|problem| problem.value(&id).value);
            assert!((a - b).abs() < 1e-6 * a.abs(), "{id}: {a} {b}");
            // Those with a length of their own (eps, a shrinkage by the size of eigenvalues) move with the scale; the rest must not.
            let moves = id.starts_with("transrate") || id.starts_with("sfda");
            assert!(moves || (a - c).abs() < 1e-5 * a.abs(), "{id}: {a} {c}");
            assert!(!moves || (a - c).abs() > 1e-5 * a.abs(), "{id} does not depend on the scale: {a} {c}");
        }
    }
}

#[test]
fn budgets_end_draws_after_two() {
    let problem = good(TaskKind::Classification, 12);
    let host = clmbench_sdk::testing::TestProbe::new(&clmbench_sdk::testing::Nothing, 1, 0.5)
        .with_embeddings(Tensor::zeros([150, 4], DOUBLE))
        .with_labels(TaskKind::Classification, Tensor::from_slice(&problem.labels))
        .with_token_probs(problem.tokens.clone(), problem.draws.iter().map(Tensor::shallow_clone).collect());
    let params = Params::parse(r#"{"molecules": 0, "draws": 9}"#).unwrap();
    let measured = metric("nce_mlm").measure(&host.probe(), &params).unwrap();
    let draws = measured.values.iter().find(|value| value.name == "draws").unwrap().value;
    assert_eq!((measured.stopped, draws), ("budget", 2.0));
}
