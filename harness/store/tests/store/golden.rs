//! Stores written by schemas 1 to 6, as committed SQL, are read by this version.

use std::{fmt::Write as _, path::Path};

use clmbench_protocol::{CellOutput, CellSpec, Number};
use clmbench_store::{CellStatus, FitRow, NewCell, StatisticRow, Store};
use tempfile::tempdir;

use crate::made_up::{
    baseline_output, baseline_spec, cell, corpus_output, corpus_spec, finetune_output, finetune_spec, import_output, import_spec,
    imported_measure_spec, measure_output, measure_spec, pretrain_output, pretrain_spec, report, suite, transfer_output,
    transfer_spec,
};

#[test]
fn a_store_of_schema_1_is_read() {
    let folder = tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute_batch(include_str!("../golden/schema_1.sql")).unwrap();
    drop(connection);
    let store = Store::open_writer(folder.path()).unwrap();
    assert_eq!(store.recovered(), 1, "one cell was running");
    let suite = store.suite(Some("golden")).unwrap();
    assert_eq!((suite.useful_effect, suite.expect.as_deref()), (0.5, Some("cannot_tell")));
    let statuses: Vec<_> = store.cells(suite.id).unwrap().into_iter().map(|cell| (cell.key, cell.status)).collect();
    assert_eq!(
        statuses,
        [
            ("corpus".to_owned(), CellStatus::Done),
            ("run".to_owned(), CellStatus::Done),
            ("loss".to_owned(), CellStatus::Done),
            ("transfer".to_owned(), CellStatus::Done),
            ("slow".to_owned(), CellStatus::Todo),
            ("odd".to_owned(), CellStatus::NotApplicable),
        ]
    );
    let run = store.runs(suite.id).unwrap().remove(0);
    assert_eq!((run.seed, run.corpus.as_str(), run.last_weights.as_str()), (Some(u64::MAX), "mixed", "w-4"));
    assert_eq!(run.learning_rate, Some(1e-3));
    let values: Vec<_> = store.metric_rows(suite.id).unwrap().into_iter().map(|row| row.value).collect();
    assert!(values[0] == 1.5 && values[1].is_nan(), "{values:?}");
    let score = store.score_rows(suite.id).unwrap().remove(0);
    assert_eq!((score.score.as_str(), score.value), ("rmse", 2.5));
    assert_eq!(store.predictions("transfer", "expt").unwrap(), [(3, 1.0, -0.5), (9, 2.0, f64::INFINITY)]);
    // Definitions and results read as they would be written now, with NaN for what schema 1 did not know.
    let mut spec = transfer_spec("w-4");
    if let CellSpec::Transfer(transfer) = &mut spec {
        transfer.revision = 1;
    }
    assert_eq!(store.spec("transfer").unwrap(), Some(spec));
    let predictions = vec![(3, 1.0, -0.5), (9, 2.0, f64::INFINITY)];
    assert_eq!(store.report("transfer").unwrap().unwrap().output, transfer_output(2.5, predictions));
    assert_eq!(store.spec("run").unwrap(), Some(pretrain_spec(400, 50, u64::MAX)));
    assert_eq!(store.spec("corpus").unwrap(), Some(corpus_spec(50)));
    let corpus = store.corpora(suite.id).unwrap().remove(0);
    assert!(corpus.bigram_cross_entropy.0.is_nan() && corpus.two_neighbour_se.0.is_nan());
    assert_eq!((corpus.unigram_cross_entropy, corpus.tokens), (Number(2.5), 1_500));
    let fit = store.fits(suite.id).unwrap().remove(0);
    assert_eq!((fit.metric.as_str(), fit.verdict.as_str(), fit.mde), ("loss/mlm_loss", "cannot_tell", Some(0.85)));
}

#[test]
fn a_store_of_schema_2_is_read() {
    let folder = tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute_batch(include_str!("../golden/schema_2.sql")).unwrap();
    drop(connection);
    let store = Store::open_writer(folder.path()).unwrap();
    let suite = store.suite(Some("golden")).unwrap();
    let text = |output: &CellOutput| serde_json::to_string(output).unwrap();
    for (identity, spec, output) in cells() {
        assert_eq!(store.spec(identity).unwrap(), Some(spec));
        assert_eq!(text(&store.report(identity).unwrap().unwrap().output), text(&output), "{identity}");
    }
    assert_eq!(store.baseline_rows(suite.id).unwrap(), [], "schema 2 had none");
    let scores = store.score_rows(suite.id).unwrap();
    let primary: Vec<_> = scores.iter().filter(|row| row.primary).map(|row| (row.task.as_str(), row.value, row.seed)).collect();
    assert_eq!(primary, [("expt", 2.5, 5), ("nr-ar", 0.75, 5_000)]);
    assert_eq!(store.refused_tasks(suite.id).unwrap()[0].task, "sr-p53");
    assert_eq!(store.predictions("finetune", "nr-ar").unwrap(), [(7, 1.0, 0.875)]);
    assert_eq!(store.fits(suite.id).unwrap().len(), 1);
}

#[test]
fn a_store_of_schema_3_is_read() {
    let folder = tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute_batch(include_str!("../golden/schema_3.sql")).unwrap();
    drop(connection);
    let store = Store::open_writer(folder.path()).unwrap();
    let suite = store.suite(Some("golden")).unwrap();
    let (spec, output) = forest();
    assert_eq!(store.spec("forest").unwrap(), Some(spec));
    let text = |output: &CellOutput| serde_json::to_string(output).unwrap();
    assert_eq!(text(&store.report("forest").unwrap().unwrap().output), text(&output));
    let rows = store.baseline_rows(suite.id).unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.baseline.as_str(), row.score.as_str(), row.value, row.seed)).collect();
    let label = "random forest, ecfp4 2048";
    assert_eq!(found, [(label, "rmse", 1.75, 5_000), (label, "r2", f64::NEG_INFINITY, 5_000)]);
    assert_eq!(store.score_rows(suite.id).unwrap().len(), 4, "of the run alone");
}

#[test]
fn a_store_of_schema_4_is_read() {
    let folder = tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute_batch(include_str!("../golden/schema_4.sql")).unwrap();
    drop(connection);
    let store = Store::open_writer(folder.path()).unwrap();
    let suite = store.suite(Some("golden")).unwrap();
    assert_eq!(store.spec("import").unwrap(), Some(import_spec(None)));
    let runs = store.runs(suite.id).unwrap();
    let found: Vec<_> = runs.iter().map(|run| (run.label.as_str(), run.imported, run.control, run.tokens, run.seed)).collect();
    let expected = [
        ("label of run", false, false, Some(400), Some(u64::MAX)),
        ("label of import", true, false, None, None),
        ("label of told", true, false, Some(7_000), None),
        ("label of random", true, true, Some(0), Some(3_000)),
    ];
    assert_eq!(found, expected);
    let of = |value: &str| runs.iter().find(|run| run.label == value).unwrap().clone();
    let (plain, told) = (of("label of import"), of("label of told"));
    assert_eq!(plain.source.as_deref(), Some("folder:chemberta"));
    assert_eq!((plain.corpus_molecules, plain.training_flops, plain.learning_rate, plain.epochs), (None, None, None, None));
    assert_eq!((told.corpus_molecules, told.training_flops), (Some(90), Some(6.0 * 1_000.0 * 7_000.0)));
    assert_eq!((plain.last_weights.as_str(), plain.n_checkpoints, plain.corpus.as_str()), ("imported", 1, ""));
    let values: Vec<_> = store.metric_rows(suite.id).unwrap().into_iter().map(|row| (row.run, row.value_name)).collect();
    assert!(values.contains(&("import".to_owned(), "loss".to_owned())), "{values:?}");
    let checkpoints = store.checkpoints(suite.id).unwrap();
    let checkpoint = checkpoints.iter().find(|row| row.run == "import").unwrap();
    assert_eq!((checkpoint.step, checkpoint.tokens, checkpoint.training_loss, checkpoint.annealed), (None, None, None, true));
}

#[test]
fn a_store_of_schema_5_is_read() {
    let folder = tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute_batch(include_str!("../golden/schema_5.sql")).unwrap();
    drop(connection);
    let store = Store::open_writer(folder.path()).unwrap();
    let suite = store.suite(Some("golden")).unwrap();
    // As text, since NaN is not equal to itself.
    assert_eq!(format!("{:?}", store.statistics(suite.id).unwrap()), format!("{:?}", statistics()));
    let fit = store.fits(suite.id).unwrap().remove(0);
    assert_eq!((fit.metric.as_str(), fit.verdict.as_str(), fit.mde), ("loss/mlm_loss", "cannot_tell", Some(0.85)));
    let baseline = store.gate_baseline("main").unwrap();
    assert_eq!(baseline.content_json, GATE_BASELINE);
    let judgement = store.gate_judgements().unwrap().remove(0);
    assert_eq!((judgement.id, judgement.candidate.as_str(), judgement.verdict.as_str()), (1, "folder:damaged", "worse"));
    assert_eq!((judgement.baseline, judgement.baseline_digest), (baseline.name, baseline.digest));
}

#[test]
fn a_store_of_schema_6_is_read() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    rusqlite::Connection::open(&path).unwrap().execute_batch(include_str!("../golden/schema_6.sql")).unwrap();
    let store = Store::open_writer(folder.path()).unwrap();
    let suite = store.suite(Some("golden")).unwrap();
    assert_eq!(format!("{:?}", store.statistics(suite.id).unwrap()), format!("{:?}", statistics()));
    let (runs, scores) = (store.runs(suite.id).unwrap().len(), store.score_rows(suite.id).unwrap().len());
    drop(store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |view: &str| -> usize {
        connection.query_row(&format!("SELECT count(*) FROM {view} WHERE suite = 'golden'"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("runs"), count("scores"), count("statistics"), count("suites")), (runs, scores, 3, 1));
}

/// The gate baseline of the golden file.
const GATE_BASELINE: &str = "{\"margins\":{\"freesolv\":0.19}}";

/// The statistics of the golden file: one of a fit, one refused, one of the whole suite.
fn statistics() -> [StatisticRow; 3] {
    let of_fit = StatisticRow {
        kind: "regression".into(),
        metric: Some("loss/mlm_loss".into()),
        dataset: Some("freesolv".into()),
        task: Some("expt".into()),
        protocol: Some("probe".into()),
        pool: Some("a pool".into()),
        score: Some("rmse".into()),
        name: "partial_r2".into(),
        term: Some("log tokens".into()),
        value: Some(0.1 + 0.2),
        std_error: Some(f64::NAN),
        low90: Some(0.25),
        high90: Some(f64::INFINITY),
        low95: Some(f64::NEG_INFINITY),
        high95: Some(0.75),
        p_raw: Some(0.01),
        p_value: Some(0.05),
        n: 24,
        details_json: Some("{\"terms\":3}".into()),
        ..StatisticRow::default()
    };
    let refused = StatisticRow {
        name: "intercept".into(),
        value: None,
        refusal: Some("too_few".into()),
        reason: Some("2 runs; 4 are needed".into()),
        n: 2,
        ..of_fit.clone()
    };
    let of_suite = StatisticRow {
        kind: "stability".into(),
        name: "kendall".into(),
        value: Some(0.5),
        n: 32,
        verdict: Some("cannot_tell".into()),
        ..StatisticRow::default()
    };
    [of_fit, refused, of_suite]
}

/// The baseline of the golden file: definition and result.
fn forest() -> (CellSpec, CellOutput) {
    (baseline_spec(5_000), baseline_output(1.75, false))
}

/// Identity, definition and result of every finished cell of the golden files since schema 2.
fn cells() -> [(&'static str, CellSpec, CellOutput); 5] {
    [
        ("corpus", corpus_spec(50), corpus_output(50)),
        ("run", pretrain_spec(400, 50, u64::MAX), pretrain_output(400, 50, "w", false)),
        ("loss", measure_spec("loss/mlm_loss", "w-4", 400, 50), measure_output(1.5, f64::NAN)),
        ("transfer", transfer_spec("w-4"), transfer_output(2.5, vec![(3, 1.0, -0.5), (9, 2.0, f64::INFINITY)])),
        ("finetune", finetune_spec("w-4", 5_000, true), finetune_output(0.75, vec![(7, 1.0, 0.875)])),
    ]
}

/// Writes the golden file of the newest schema anew. Only for a schema that no release has written yet:
/// `cargo test -p clmbench-store -- --ignored write_the_golden_file`.
#[test]
#[ignore = "writes tests/golden/schema_6.sql"]
fn write_the_golden_file() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("golden")).unwrap();
    let plan = [
        cell("corpus", "tokenise", &[]),
        cell("run", "pretrain", &["corpus"]),
        cell("loss", "measure", &["run", "corpus"]),
        cell("transfer", "transfer", &["run"]),
        cell("finetune", "transfer", &["run"]),
        cell("forest", "transfer", &[]),
        imported("import", None, None),
        imported("told", Some(7_000), Some(90)),
        imported("random", None, None),
        cell("foreign", "measure", &["import"]),
        cell("slow", "measure", &["run"]),
        cell("odd", "measure", &["run"]),
    ];
    store.put_cells(suite_id, &plan).unwrap();
    for (identity, spec, _) in cells() {
        store.bind(suite_id, identity, identity, &spec).unwrap();
    }
    store.bind(suite_id, "slow", "slow", &measure_spec("hessian/trace", "w-4", 400, 50)).unwrap();
    store.set_not_applicable(suite_id, "odd", "needs a causal model").unwrap();
    for (identity, _, output) in cells() {
        store.start(identity).unwrap();
        store.finish(identity, &report(output)).unwrap();
    }
    let (spec, output) = forest();
    store.bind(suite_id, "forest", "forest", &spec).unwrap();
    store.finish("forest", &report(output)).unwrap();
    for (key, control) in [("import", None), ("told", None), ("random", Some(3_000))] {
        let mut spec = import_spec(control);
        if let (CellSpec::Import(spec), "told") = (&mut spec, key) {
            spec.max_tokens = 64;
        }
        store.bind(suite_id, key, key, &spec).unwrap();
        let weights = if key == "import" { "imported" } else { key };
        store.finish(key, &report(import_output(weights))).unwrap();
    }
    store.bind(suite_id, "foreign", "foreign", &imported_measure_spec("imported")).unwrap();
    store.finish("foreign", &report(measure_output(1.25, 0.5))).unwrap();
    store.start("slow").unwrap();
    let fit = FitRow { metric: "loss/mlm_loss".into(), verdict: "cannot_tell".into(), mde: Some(0.85), ..FitRow::default() };
    store.put_fits(suite_id, &[fit], &statistics()).unwrap();
    store.put_gate_baseline("main", GATE_BASELINE, false).unwrap();
    let digest = store.gate_baseline("main").unwrap().digest;
    store.put_gate_judgement("main", &digest, "folder:damaged", "worse", "{\"tasks\":[]}").unwrap();
    // Not dropped: a writer that ends in order leaves no cell running, and one should be in the file.
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::fs::write(golden.join("schema_6.sql"), dump(&folder.path().join("store.sqlite"))).unwrap();
    let hash = blake3::hash(include_bytes!("../../migrations/0006_views.sql")).to_hex();
    std::fs::write(golden.join("schema_6.blake3"), format!("{}\n", &hash[..16])).unwrap();
    drop(store);
}

/// An import, with what a suite says of it.
fn imported(key: &str, tokens: Option<u64>, molecules: Option<u64>) -> NewCell {
    NewCell { source: Some("folder:chemberta".into()), tokens, molecules, ..cell(key, "import", &[]) }
}

/// A database as SQL text.
pub fn dump(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    // Tables made anew by a migration come after those that refer to them.
    let mut sql = String::from("PRAGMA foreign_keys = OFF;\n");
    for pragma in ["application_id", "user_version"] {
        let value: i64 = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
        writeln!(sql, "PRAGMA {pragma} = {value};").unwrap();
    }
    for statement in texts("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid") {
        writeln!(sql, "{statement};").unwrap();
    }
    for table in texts("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid") {
        let columns = texts(&format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}') ORDER BY cid"));
        for row in texts(&format!("SELECT {} FROM {table}", columns.join(" || ', ' || "))) {
            writeln!(sql, "INSERT INTO {table} VALUES ({row});").unwrap();
        }
    }
    sql
}
