#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Compared, model_board, sample::suite};

/// A row of a task; the lower task names are errors, the others areas.
fn row(kind: ModelKind, label: &str, dataset: &str, value: f64) -> ModelRow {
    let board = model_board(&suite(4), &Compared::default());
    let mut row = board.rows.iter().find(|row| row.kind == ModelKind::Run).unwrap().clone();
    (row.kind, row.label, row.dataset, row.value, row.std_error) = (kind, label.into(), dataset.into(), Some(value), Some(0.01));
    (row.run, row.rank) = (Some(label.into()), None);
    row.configuration = Some(label.rsplit_once('/').map_or(label, |(configuration, _)| configuration).into());
    (row.higher_is_better, row.score) = if dataset < "m" { (true, "roc_auc".into()) } else { (false, "rmse".into()) };
    row
}

fn run(label: &str, dataset: &str, value: f64) -> ModelRow {
    row(ModelKind::Run, label, dataset, value)
}

fn find<'a>(standings: &'a Standings, label: &str) -> &'a Standing {
    standings.rows.iter().find(|row| row.label == label).unwrap()
}

/// By hand: ranks of a: 1, 1, 2; b: 2, 2, 1; c: 3, 3 and none.
#[test]
fn mean_rank_and_borda_by_hand_with_a_missing_cell() {
    let rows = [
        run("a/0", "auc", 0.9),
        run("b/0", "auc", 0.8),
        run("c/0", "auc", 0.5),
        run("a/0", "rmse", 1.0),
        run("b/0", "rmse", 2.0),
        run("c/0", "rmse", 3.0),
        run("a/0", "zinc", 1.5),
        run("b/0", "zinc", 1.0),
    ];
    let all = standings(&rows, false);
    assert_eq!(all.len(), 1);
    let found = &all[0];
    assert_eq!(found.rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["a/0", "b/0", "c/0"]);
    let (a, b, c) = (find(found, "a/0"), find(found, "b/0"), find(found, "c/0"));
    assert_eq!((a.mean_rank, a.borda, a.wins, a.tasks, a.tasks_of), (Some(4.0 / 3.0), 4.0, 2, 3, 3));
    assert_eq!((b.mean_rank, b.borda, b.wins), (Some(5.0 / 3.0), 3.0, 1));
    assert_eq!((c.mean_rank, c.borda, c.tasks, c.places[2].is_none()), (Some(3.0), 0.0, 2, true));
    assert_eq!([a.rank, b.rank, c.rank], [1, 2, 3]);
    for standing in [a, b] {
        let (low, high) = (standing.mean_rank_low90.unwrap(), standing.mean_rank_high90.unwrap());
        assert!(low <= standing.mean_rank.unwrap() && standing.mean_rank.unwrap() <= high, "{standing:?}");
    }
    assert_eq!((c.mean_rank_low90, c.mean_rank_high90), (None, None), "two tasks");
    assert_eq!(all, standings(&rows, false), "the same numbers every time");
}

#[test]
fn pretraining_seeds_are_averaged_unless_asked_for() {
    let rows = [run("a/0", "auc", 0.8), run("a/1", "auc", 0.6), run("b/0", "auc", 0.65), run("b/0", "zinc", 1.0)];
    let found = &standings(&rows, false)[0];
    let a = find(found, "a");
    let place = a.places[0].as_ref().unwrap();
    assert_eq!((a.pretraining_seeds, a.rank), (2, 1));
    assert!((place.value - 0.7).abs() < 1e-12);
    // Of two values 0.2 apart the standard error of the mean is 0.1; that over molecules does not average out.
    assert!((place.std_error.unwrap() - 0.01f64.hypot(0.1)).abs() < 1e-12);
    let apart = &standings(&rows, true)[0];
    assert_eq!(apart.rows.len(), 3);
    assert_eq!((find(apart, "a/1").mean_rank, find(apart, "a/1").pretraining_seeds), (Some(3.0), 1));
}

#[test]
fn a_task_that_only_some_seeds_have_says_so() {
    let mut rows: Vec<ModelRow> = ["auc", "zinc"]
        .iter()
        .flat_map(|task| [("a/0", 0.9), ("a/1", 0.8), ("a/2", 0.4), ("b/0", 0.6)].map(|(label, value)| run(label, task, value)))
        .collect();
    // One is not there, the other not finite.
    rows.remove(2);
    rows[4].value = None;
    let found = &standings(&rows, false)[0];
    let (a, b) = (find(found, "a"), find(found, "b/0"));
    let runs = |row: &Standing| row.places.iter().flatten().map(|place| place.runs).collect::<Vec<_>>();
    assert_eq!((a.pretraining_seeds, a.tasks, runs(a), runs(b)), (3, 2, vec![2, 2], vec![1, 1]));
}

#[test]
fn best_scores_that_are_equal_are_one_ranking_and_two_constant_predictors_are_two() {
    let constant = |label| row(ModelKind::MeanPredictor, label, "auc", 0.5);
    let mut rows = vec![run("a/0", "auc", 0.5), constant("prevalence predictor")];
    rows.iter_mut().for_each(|row| row.rank = Some(1));
    let found = &standings(&rows, false)[0];
    assert_eq!((found.tasks.len(), found.mixed.len(), found.rows[0].mean_rank), (1, 0, Some(1.5)));
    rows.push(constant("prevalence predictor"));
    assert_eq!(standings(&rows, false)[0].mixed.len(), 1);
}

#[test]
fn equal_scores_share_ranks_points_and_the_first_place() {
    let rows = [run("a/0", "auc", 0.7), run("b/0", "auc", 0.7), run("c/0", "auc", 0.6)];
    let found = &standings(&rows, false)[0];
    let places: Vec<(u32, f64, f64, u32)> =
        found.rows.iter().map(|row| (row.rank, row.mean_rank.unwrap(), row.borda, row.wins)).collect();
    assert_eq!(places, [(1, 1.5, 1.5, 1), (1, 1.5, 1.5, 1), (3, 3.0, 0.0, 0)]);
    assert!(found.rows.iter().all(|row| row.mean_rank_low90.is_none()), "one task has no interval");
}

#[test]
fn several_splits_are_refused_and_the_other_tasks_stand() {
    let mut rows = vec![run("a/0", "auc", 0.7), run("b/0", "auc", 0.6), run("a/0", "zinc", 1.0), run("b/0", "zinc", 2.0)];
    rows[1].split_digest = "another split".into();
    let found = &standings(&rows, false)[0];
    assert_eq!((found.tasks.len(), found.mixed.len()), (1, 1));
    assert_eq!((found.mixed[0].dataset.as_str(), found.mixed[0].splits.len()), ("auc", 2));
    assert!(found.rows.iter().all(|row| row.places.len() == 1 && row.tasks_of == 1));
}

#[test]
fn the_constant_predictors_are_one_model_and_a_score_that_is_not_finite_is_missing() {
    let mut rows = vec![
        row(ModelKind::MeanPredictor, "prevalence predictor", "auc", 0.5),
        row(ModelKind::MeanPredictor, "mean predictor", "zinc", 3.0),
        run("a/0", "auc", 0.7),
        run("a/0", "zinc", 0.7),
    ];
    rows.iter_mut()
        .filter(|row| row.kind == ModelKind::MeanPredictor)
        .for_each(|row| (row.run, row.configuration) = (None, None));
    rows[3].value = None;
    let found = &standings(&rows, false)[0];
    let constant = find(found, "mean predictor or prevalence predictor");
    assert_eq!((constant.mean_rank, constant.tasks, constant.pretraining_seeds), (Some(1.5), 2, 0));
    assert_eq!(find(found, "a/0").tasks, 1);
    assert!(standings(&[], false).is_empty());
}
