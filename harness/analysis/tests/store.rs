//! From a real store to fits and boards: what the database hands over is what the fits count.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../store/tests/store/made_up.rs"]
#[allow(dead_code)]
mod made_up;

use clmbench_analysis::{AnalysisError, ModelKind, expectation, fit_suite, models, predictors};
use clmbench_protocol::{
    CellOutput, CellSpec, Comparable, CostClass, Direction, Failure, FailureKind, MetricInfo, PluginManifest, Scope,
};
use clmbench_store::{NewCell, Store};

fn manifest() -> PluginManifest {
    let metric = |id: &str, direction, comparable, trivial| MetricInfo {
        id: id.into(),
        doc: String::new(),
        citation: String::new(),
        unit: "nats".into(),
        primary: "loss".into(),
        direction,
        scope: Scope::Checkpoint,
        cost: CostClass::Cheap,
        comparable,
        objectives: vec![],
        tasks: Vec::new(),
        parameters: vec![],
        trivial,
    };
    PluginManifest {
        name: "clmbench-plugin-x".into(),
        version: "0.1.0".into(),
        api: (1, 0),
        libtorch: "2.11.0".into(),
        architectures: vec![],
        datasets: vec![],
        metrics: vec![
            metric("loss/mlm_loss", Direction::LowerIsBetter, Comparable::SameEvaluation, false),
            metric("loss/broken", Direction::LowerIsBetter, Comparable::SameEvaluation, false),
            metric("trivial/corpus", Direction::HigherIsBetter, Comparable::Any, true),
        ],
    }
}

/// `runs` runs whose loss and RMSE fall together, one that diverged and one control. Every run is measured and scored
/// at its last checkpoint and, with values that would spoil the fit, at an earlier annealed one.
fn filled(dir: &std::path::Path, runs: u64) -> (Store, i64) {
    let mut store = Store::open_writer(dir).unwrap();
    store.put_plugin(&manifest(), "digest", "plugin.so").unwrap();
    let suite = store.put_suite(&made_up::suite("demo")).unwrap();
    let mut cells: Vec<(NewCell, CellSpec, CellOutput)> = Vec::new();
    for number in 0..runs + 2 {
        let (diverged, control) = (number == runs, number == runs + 1);
        let corpus = if number % 2 == 0 { 5_000 } else { 20_000 };
        let tokens = if control { 0 } else { 1_000 };
        let weights = format!("weights{number}");
        let pretrain = format!("pretrain{number}");
        let spec = made_up::pretrain_spec(tokens, corpus, number);
        let mut output = made_up::pretrain_output(tokens, corpus, &weights, diverged);
        if let CellOutput::Pretrain(found) = &mut output {
            found.non_embedding_parameters = 1_000 * (1 + number % 4);
        }
        cells.push((made_up::cell(&pretrain, "pretrain", &[]), spec, output));
        for (checkpoint, spoilt) in [(4, 0.0), (2, number as f64)] {
            let weights = format!("{weights}-{checkpoint}");
            let loss = 2.0 - 0.05 * number as f64 + 0.01 * ((number * 7) % 5) as f64 + spoilt;
            for (metric, value) in [("loss/mlm_loss", loss), ("trivial/corpus", (corpus as f64).ln())] {
                let key = format!("measure {metric} {weights}");
                let spec = made_up::measure_spec(metric, &weights, tokens, corpus);
                cells.push((made_up::cell(&key, "measure", &[&pretrain]), spec, made_up::measure_output(value, 9.0)));
            }
            let key = format!("transfer {weights}");
            let output = made_up::transfer_output(1.5 + loss, vec![]);
            cells.push((made_up::cell(&key, "transfer", &[&pretrain]), made_up::transfer_spec(&weights), output));
        }
    }
    let broken = made_up::cell("measure loss/broken", "measure", &["pretrain0"]);
    let plan: Vec<NewCell> = cells.iter().map(|(cell, _, _)| cell.clone()).chain([broken.clone()]).collect();
    store.put_cells(suite, &plan).unwrap();
    let spec = made_up::measure_spec("loss/broken", "weights0-4", 1_000, 5_000);
    assert!(store.bind(suite, &broken.key, "broken", &spec).unwrap().is_none());
    store.start("broken").unwrap();
    store.fail("broken", &Failure::new(FailureKind::Panic, "made up")).unwrap();
    for (number, (cell, spec, output)) in cells.into_iter().enumerate() {
        let identity = format!("{number:064x}");
        assert!(store.bind(suite, &cell.key, &identity, &spec).unwrap().is_none());
        store.start(&identity).unwrap();
        store.finish(&identity, &made_up::report(output)).unwrap();
    }
    (store, suite)
}

#[test]
fn from_rows_to_boards() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, suite) = filled(dir.path(), 12);
    let (fits, statistics) = fit_suite(&store, suite).unwrap();
    assert_eq!(
        (&fits, &statistics),
        (&fit_suite(&store, suite).unwrap().0, &fit_suite(&store, suite).unwrap().1),
        "the same every time"
    );
    assert_eq!(fits.len(), 3);
    store.put_fits(suite, &fits, &statistics).unwrap();

    let board = predictors(&store, suite).unwrap();
    assert!(!board.stale);
    assert_eq!(board.suite, "demo");
    let loss = &board.rows[0];
    assert_eq!((loss.fit.metric.as_str(), loss.fit.n, loss.fit.n_checkpoints, loss.rank), ("loss/mlm_loss", 12, 24, 1));
    assert_eq!(loss.fit.spearman, Some(1.0), "only last checkpoints of runs that did not diverge");
    assert_eq!(loss.fit.flags, ["diverged_runs", "fixed_learning_rate"]);
    let excluded: Vec<&str> = loss.details.excluded.iter().map(|run| run.reason.as_str()).collect();
    assert_eq!(excluded, ["diverged"]);
    assert_eq!(board.rows[1].fit.metric, "trivial/corpus");
    let broken = &board.rows[2];
    assert_eq!((broken.fit.metric.as_str(), broken.fit.refusal.as_deref(), broken.fit.n), ("loss/broken", Some("no_values"), 0));
    assert_eq!(broken.fit.verdict_reason.as_deref(), Some("no value: 1 cell failed"));
    let found = expectation(&board, board.expect.as_deref().unwrap()).unwrap();
    assert!(!found.met && found.unexpected[0].verdict == "predicts");

    let models = models(&store, suite).unwrap();
    let count = |kind| models.rows.iter().filter(|row| row.kind == kind).count();
    assert_eq!((count(ModelKind::Control), count(ModelKind::MeanPredictor)), (1, 1));
    assert!(models.rows.iter().filter(|row| row.kind == ModelKind::Run).count() >= 12);
    assert!(models.rows.iter().any(|row| row.control_difference.is_some()));
}

#[test]
fn nothing_measured_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(dir.path()).unwrap();
    let suite = store.put_suite(&made_up::suite("empty")).unwrap();
    assert!(fit_suite(&store, suite).unwrap().0.is_empty());
    assert!(predictors(&store, suite).unwrap().rows.is_empty());
    assert!(models(&store, suite).unwrap().rows.is_empty());
    assert!(matches!(fit_suite(&store, suite + 1), Err(AnalysisError::UnknownSuite { .. })));
}
