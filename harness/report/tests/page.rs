//! The page of a medium suite of two pools of runs, read without a browser: names, references, marks, words, XML, size; and the limits
//! of figures, each of which says what it leaves out.
#![allow(clippy::unwrap_used)]

mod made_up;
mod markup;

use std::collections::BTreeSet;

use clmbench_analysis::{CheckpointLoss, FitPoint, ModelBoard, ModelKind, ModelRow, PredictorBoard, PredictorRow, loss_pool};
use clmbench_protocol::{Objective, TaskKind};
use clmbench_report::html::{
    ArtifactTable, EmbeddingMap, EmbeddingPoint, FigureInputs, Report, TaskPredictions, figure_files, html_page,
};
use clmbench_store::{CellRow, CellStatus, RunRow, StatisticRow, SuiteRow};

/// How much there is of everything.
#[derive(Clone, Copy)]
struct Amount {
    /// In each of two pools.
    runs: usize,
    metrics: usize,
    tasks: usize,
    cells: usize,
    /// Rows of every table of a metric.
    rows: usize,
}

const MEDIUM: Amount = Amount { runs: 24, metrics: 30, tasks: 5, cells: 2_000, rows: 200 };
const POOLS: [Objective; 2] = [Objective::MaskedLm, Objective::CausalLm];
const PROTOCOLS: [&str; 2] = ["finetune", "probe"];

/// A number that looks like no other.
fn made(seed: usize) -> f64 {
    (seed as f64 * 0.618_033_988_749_894_9 + 0.25).fract()
}

fn label(pool: usize, run: usize) -> String {
    format!("<b>&\"{} {run}", ["bert", "gpt"][pool])
}

fn run(pool: usize, index: usize) -> RunRow {
    RunRow {
        run: format!("run{pool}-{index}"),
        label: label(pool, index),
        architecture: ["bert", "gpt"][pool].into(),
        objective: POOLS[pool],
        config_json: "{}".into(),
        imported: false,
        source: None,
        corpus: "mixed".into(),
        corpus_molecules: Some(5_000 << (index % 2)),
        tokens: Some(1_000_000),
        seed: Some(index as u64),
        configuration: format!("c{pool}-{index}"),
        non_embedding_parameters: 60_000 << (index % 5),
        total_parameters: 90_000,
        training_flops: Some(1e20 * (1 + index % 5) as f64),
        learning_rate: Some(1e-3),
        epochs: Some(2.5),
        control: false,
        diverged: false,
        divergence: None,
        tokenizer_digest: format!("tokenizer{pool}"),
        corpus_digest: "corpus".into(),
        last_weights: format!("weights{pool}-{index}"),
        n_checkpoints: 2,
        precision: "float32".into(),
        device: "cpu".into(),
        libtorch: "2.11.0".into(),
        seconds: 12.5,
    }
}

fn loss(pool: usize, index: usize) -> CheckpointLoss {
    let run = run(pool, index);
    CheckpointLoss {
        run: run.run,
        label: run.label,
        architecture: run.architecture,
        objective: run.objective,
        tokenizer_digest: run.tokenizer_digest,
        heldout_digest: "heldout".into(),
        configuration: run.configuration,
        seed: run.seed,
        parameters: run.non_embedding_parameters,
        corpus: run.corpus,
        corpus_molecules: run.corpus_molecules,
        run_tokens: run.tokens,
        tokens: run.tokens,
        training_flops: run.training_flops,
        annealed: true,
        last: true,
        metric: "loss/mlm_loss".into(),
        loss: 1.0 + made(index) + pool as f64,
        std_error: 0.01,
    }
}

fn predictor(pool: usize, metric: usize, task: usize, protocol: &str, runs: usize) -> PredictorRow {
    let mut row =
        made_up::predictor(&format!("family/<i>metric {metric}"), runs as u32, made(metric + task) * 1.8 - 0.9, metric < 3);
    (row.fit.dataset, row.fit.protocol) = (format!("dataset{task}"), protocol.into());
    row.fit.verdict = ["predicts", "does_not_predict", "cannot_tell", "refused"][(metric + task) % 4].into();
    row.details.pool.objective = POOLS[pool];
    row.details.pool.tokenizer_digest = format!("tokenizer{pool}");
    row.details.pool.protocol = protocol.into();
    row.details.pool.split_digest = format!("split{task}");
    row.fit.pool = row.details.pool.name();
    row.details.points = (0..runs)
        .map(|index| FitPoint {
            run: format!("run{pool}-{index}"),
            label: label(pool, index),
            metric: made(7 * index + metric).into(),
            metric_std_error: 0.01.into(),
            score: made(13 * index + task).into(),
            score_se_test: 0.05.into(),
            score_se_seed: None,
            transfer_seeds: 1,
        })
        .collect();
    row
}

fn model(pool: usize, index: usize, task: usize, protocol: &str) -> ModelRow {
    let mut row = made_up::model(index as u32 + 1, ModelKind::Run, &label(pool, index), 1.0 + made(13 * index + task));
    (row.dataset, row.protocol, row.split_digest) = (format!("dataset{task}"), protocol.into(), format!("split{task}"));
    row.run = Some(format!("run{pool}-{index}"));
    row.heldout_loss = Some(loss(pool, index).loss);
    row
}

fn table(file: &str, header: &str, rows: impl Iterator<Item = String>) -> ArtifactTable {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    ArtifactTable {
        file: file.into(),
        metric: "a/b".into(),
        run: "<run>".into(),
        parameters: 60_000,
        tokens: Some(1_000_000),
        last: true,
        loss: Some(1.5),
        columns: cells(header),
        rows: rows.map(|line| cells(&line)).collect(),
    }
}

fn tables(rows: usize) -> Vec<ArtifactTable> {
    vec![
        table("density.csv", "eigenvalue,density", (0..rows).map(|row| format!("{row},{}", 1.0 / (1.0 + row as f64)))),
        table(
            "curves.csv",
            "direction,alpha,loss",
            (0..rows).flat_map(|row| (0..5).map(move |step| format!("{row},{step},{}", made(row + step)))),
        ),
        table("planes.csv", "pair,a,b,loss", (0..100).map(|row| format!("0,{},{},{}", row % 10, row / 10, made(row)))),
        table(
            "trajectory.csv",
            "checkpoint,component_1,component_2",
            (0..rows).map(|row| format!("c{row},{},{}", row, made(row))),
        ),
        table(
            "task_vectors.csv",
            "weights,dataset,component_1,component_2",
            (0..rows).map(|row| {
                format!(
                    "w{row},{},{},{}",
                    if row == 0 { String::new() } else { format!("d{}", row % 20) },
                    made(row),
                    made(3 * row)
                )
            }),
        ),
    ]
}

/// Everything that a report borrows.
struct Suite {
    suite: SuiteRow,
    predictors: PredictorBoard,
    models: ModelBoard,
    runs: Vec<RunRow>,
    cells: Vec<CellRow>,
    figures: FigureInputs,
}

fn suite(amount: Amount) -> Suite {
    let mut rows = Vec::new();
    let mut statistics = Vec::new();
    for task in 0..amount.tasks {
        for protocol in PROTOCOLS {
            for (pool, metric) in (0..2).flat_map(|pool| (0..amount.metrics).map(move |metric| (pool, metric))) {
                rows.push(predictor(pool, metric, task, protocol, amount.runs));
            }
        }
    }
    for row in rows.iter().filter(|row| row.fit.dataset == "dataset0") {
        statistics.push(StatisticRow {
            kind: "pooled".into(),
            name: "spearman".into(),
            metric: Some(row.fit.metric.clone()),
            protocol: Some(row.fit.protocol.clone()),
            pool: Some(row.details.pool.name_over_tasks()),
            value: row.fit.spearman,
            low95: row.fit.spearman_low,
            high95: row.fit.spearman_high,
            verdict: Some("cannot_tell".into()),
            n: row.fit.n,
            ..StatisticRow::default()
        });
    }
    let mut models = Vec::new();
    for (task, protocol) in (0..amount.tasks).flat_map(|task| PROTOCOLS.map(|protocol| (task, protocol))) {
        models.extend((0..2).flat_map(|pool| (0..amount.runs).map(move |index| model(pool, index, task, protocol))));
    }
    let prediction = |task: usize| TaskPredictions {
        dataset: format!("dataset{task}"),
        task: "expt".into(),
        task_kind: if task.is_multiple_of(2) { TaskKind::Regression } else { TaskKind::Classification },
        protocol: "probe".into(),
        model: "<model>".into(),
        unit: String::new(),
        pairs: (0..3 * amount.rows).map(|row| ((row % 2) as f64, made(row))).collect(),
    };
    let point = |row: usize| EmbeddingPoint {
        smiles: format!("C<{row}>"),
        part: if row.is_multiple_of(3) { "test" } else { "train" }.into(),
        label: made(row),
        place: [made(2 * row), made(5 * row)],
    };
    let [run_label, because, dataset, task] = ["<run>", "the only one", "dataset0", "expt"].map(str::to_owned);
    let embedding = EmbeddingMap {
        run: run_label,
        because,
        dataset,
        task,
        unit: String::new(),
        task_kind: TaskKind::Regression,
        shares: [0.6, 0.2],
        molecules: 5_000,
        width: 64,
        points: (0..amount.rows).map(point).collect(),
    };
    let cell = |index: usize| CellRow {
        key: format!("measure/family/<i>metric/run{index}"),
        stage: "measure".into(),
        label: String::new(),
        identity: None,
        status: CellStatus::Done,
        failure_kind: None,
        reason: None,
        attempts: 1,
        seconds: Some(made(index)),
        elapsed: None,
        started: None,
        finished: None,
        dependencies: vec![],
        device: Some("cpu".into()),
        libtorch: None,
        build: None,
        peak_rss_bytes: Some(1 << 30),
    };
    Suite {
        suite: SuiteRow {
            id: 1,
            name: "medium".into(),
            digest: "d".into(),
            toml: "schema = 1\n".into(),
            expect: None,
            useful_effect: 0.5,
            plan_json: "{}".into(),
            created: "2026-11-23T00:00:00Z".into(),
        },
        predictors: made_up::predictors(rows),
        models: ModelBoard { rows: models, ..made_up::models() },
        runs: (0..2).flat_map(|pool| (0..amount.runs).map(move |index| run(pool, index))).collect(),
        cells: (0..amount.cells).map(cell).collect(),
        figures: FigureInputs {
            statistics,
            losses: (0..2).flat_map(|pool| (0..amount.runs).map(move |index| loss(pool, index))).collect(),
            tables: tables(amount.rows),
            embedding: Some(embedding),
            predictions: (0..amount.tasks).map(prediction).collect(),
            notes: vec!["A <note>.".into()],
        },
    }
}

impl Suite {
    fn report(&self) -> Report<'_> {
        Report {
            generated_by: "clmbench test",
            suite: &self.suite,
            fitted: None,
            predictors: &self.predictors,
            models: &self.models,
            expectation: None,
            runs: &self.runs,
            cells: &self.cells,
            datasets: &[],
            splits: &[],
            corpora: &[],
            sources: &[],
            plugins: &[],
            figures: &self.figures,
        }
    }
}

/// The figures of a page: names and text.
fn figures(page: &str) -> Vec<(&str, &str)> {
    let parts = page.split("<figure id=\"").skip(1);
    parts.map(|part| (part.split('"').next().unwrap(), part.split("</figure>").next().unwrap())).collect()
}

/// The families of figures that a suite with everything has.
const FAMILIES: [&str; 14] = [
    "correlations-",
    "loss-against-size",
    "loss-against-corpus",
    "loss-against-compute",
    "score-against-loss-",
    "score-against-family-",
    "cost-",
    "spectral-density",
    "landscape-1d",
    "landscape-2d",
    "calibration-",
    "predicted-measured-",
    "training-paths",
    "finetuning-paths",
];

#[test]
fn every_name_is_one_and_every_reference_leads_somewhere() {
    let suite = suite(MEDIUM);
    let page = html_page(&suite.report());
    let mut names = BTreeSet::new();
    for name in page.split(" id=\"").skip(1).map(|part| part.split('"').next().unwrap()) {
        assert!(names.insert(name), "two elements are called {name}");
    }
    for reference in ["href=\"#", "aria-labelledby=\"", "aria-describedby=\""] {
        let found: Vec<&str> = page.split(reference).skip(1).map(|part| part.split('"').next().unwrap()).collect();
        assert!(found.len() > 5 && found.iter().all(|name| names.contains(name)), "{reference} {found:?}");
    }
    for family in FAMILIES.into_iter().chain(["embedding-", "intervals-"]) {
        assert!(names.iter().any(|name| name.starts_with(family)), "no figure {family}: {names:?}");
    }
    // Runs of two tokenizers have no axis of losses in common.
    for pool in [loss(0, 0), loss(1, 0)].map(|loss| loss_pool(&loss)) {
        for title in ["Score against held-out pretraining loss, probe (", "Held-out pretraining loss against model size ("] {
            assert_eq!(page.matches(&format!(">{title}{pool})<")).count(), 1, "{title}{pool}");
        }
    }
    assert!(!page.contains("<note>") && page.contains("A &lt;note&gt;."));
}

#[test]
fn every_figure_is_a_drawing_with_marks_and_words() {
    let suite = suite(MEDIUM);
    let page = html_page(&suite.report());
    let text_of = |id: String| {
        let start = page.find(&format!(" id=\"{id}\">")).unwrap_or_else(|| panic!("no {id}"));
        page[start..].split_once('>').unwrap().1.split('<').next().unwrap().to_owned()
    };
    for (name, figure) in figures(&page) {
        let drawing = &figure[figure.find("<svg ").unwrap()..figure.find("</svg>").unwrap() + 6];
        let elements = markup::parsed(drawing).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        assert!(!drawing.contains("NaN") && !drawing.contains("inf\"") && !drawing.contains("undefined"), "{name}");
        let marks = ["mark", "ring", "dot", "hollow", "cross", "curve", "plus", "minus"];
        let marked = elements.iter().filter(|element| element.classes().any(|class| marks.contains(&class))).count();
        assert!(marked > 1, "{name} has {marked} marks");
        assert!(text_of(format!("{name}-title")).len() > 5 && text_of(format!("{name}-text")).len() > 20, "{name}");
        assert!(figure.contains("<figcaption>") && figure.contains("<tbody><tr>"), "{name}");
        // No two labels of a drawing stand at one place.
        let places: Vec<_> =
            elements.iter().filter(|element| element.name == "text").map(|text| (text.get("x"), text.get("y"))).collect();
        let panels = 1 + elements.iter().filter(|element| element.get("transform").is_some()).count();
        let distinct: BTreeSet<_> = places.iter().collect();
        assert!(places.len() <= panels * distinct.len(), "{name}");
    }
}

#[test]
fn files_of_figures_are_whole_and_alone() {
    let suite = suite(MEDIUM);
    let (page, files) = (html_page(&suite.report()), figure_files(&suite.report()));
    let names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names.len(), files.len(), "two files have one name");
    assert!(figures(&page).iter().all(|(name, _)| names.contains(name)), "a figure of the page is no file");
    // What the page has no room for is drawn in files: every metric of both pools and protocols.
    let of_metrics =
        |names: &mut dyn Iterator<Item = &str>| names.filter(|name| name.starts_with("score-against-family-")).count();
    assert_eq!(of_metrics(&mut names.iter().copied()), 2 * 2 * MEDIUM.metrics);
    assert!(of_metrics(&mut figures(&page).into_iter().map(|(name, _)| name)) < 2 * 2 * MEDIUM.metrics);
    assert!(page.contains("not drawn here: clmbench report --figures DIR draws all."));
    for file in &files {
        let text = file.svg.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
        let elements = markup::parsed(text.trim_end()).unwrap_or_else(|wrong| panic!("{}: {wrong}", file.name));
        assert_eq!(elements[0].get("xmlns"), Some("http://www.w3.org/2000/svg"));
        assert!(elements.iter().any(|element| element.name == "desc") && !file.svg.contains("var("), "{}", file.name);
        let mut reader = csv::Reader::from_reader(file.csv.as_bytes());
        let columns = reader.headers().unwrap().len();
        let rows = reader.records().map(|row| row.unwrap().len()).inspect(|cells| assert_eq!(*cells, columns)).count();
        assert!(rows > 0, "{}", file.name);
    }
}

#[test]
fn a_medium_suite_is_a_small_page() {
    let bytes = html_page(&suite(MEDIUM).report()).len();
    assert!((500_000..3_000_000).contains(&bytes), "{bytes}");
}

#[test]
fn what_a_metric_leaves_behind_does_not_decide_how_large_the_page_is() {
    let mut suite = suite(Amount { runs: 8, metrics: 2, tasks: 2, cells: 10, rows: 20_000 });
    suite.figures.embedding = None;
    suite.figures.tables.iter_mut().for_each(|table| table.rows.truncate(50_000));
    let page = html_page(&suite.report());
    assert!(page.len() < 1_500_000, "{}", page.len());
    let figure = |name: &str| figures(&page).into_iter().find(|(id, _)| *id == name).unwrap().1.to_owned();
    for (name, most, words) in [
        ("training-paths", 502, "of more than 500 checkpoints every so many are drawn, and the data hold all"),
        ("finetuning-paths", 1_040, "Of more than 500 fine-tunings every so many are drawn; the data hold all."),
        ("landscape-1d", 60, "the first 50, the data hold all"),
        ("spectral-density", 260, "of at most 6 sizes"),
    ] {
        let figure = figure(name);
        assert!(figure.contains(words), "{name}: {words}");
        let drawing = &figure[figure.find("<svg ").unwrap()..figure.find("</svg>").unwrap()];
        let marks = drawing.matches("class=\"mark").count()
            + drawing.matches("class=\"ring").count()
            + drawing.matches("class=\"curve").count();
        assert!((2..=most).contains(&marks), "{name} has {marks} marks");
    }
    assert!(figure("finetuning-paths").contains("8 datasets without a name in the legend."));
}

#[test]
fn limits_of_tasks_metrics_and_lines_are_said() {
    let suite = suite(Amount { runs: 14, metrics: 40, tasks: 18, cells: 10, rows: 60 });
    let page = html_page(&suite.report());
    let figure = |name: &str| figures(&page).into_iter().find(|(id, _)| id.starts_with(name)).unwrap().1.to_owned();
    for (name, words) in [
        ("correlations-probe", "Not drawn, but in the data: 2 tasks, 20 metrics."),
        ("cost-probe", "40 metrics more are in the data only."),
        ("score-against-loss-probe", "2 tasks more in the data only."),
        ("score-against-family", "9 tasks more are in the data only."),
        ("score-against-family", "weaker metrics of finetune not drawn here"),
        ("intervals-1", "r of the first 30 of 80 predictors"),
    ] {
        let figure = figure(name);
        assert!(
            figure.contains(words),
            "{name}: {words}\n{}",
            figure.split("<figcaption>").nth(1).unwrap_or_default().chars().take(900).collect::<String>()
        );
    }
    let count = |name: &str, what: &str| figure(name).matches(what).count();
    // Rows of the map times columns, and nine fields of its legend.
    assert_eq!(count("correlations-probe", "class=\"plus\"") + count("correlations-probe", "class=\"minus\""), 60 * 17 + 9);
    assert_eq!(count("cost-probe", "class=\"mark"), 40);
    assert_eq!(
        count("intervals-1-", "class=\"dot\"")
            + count("intervals-1-", "class=\"cross\"")
            + count("intervals-1-", "class=\"hollow\""),
        30
    );
    assert_eq!(count("score-against-family", "translate("), 9 - 1);
}

#[test]
fn limits_of_tables_are_said_with_the_command_that_gives_all() {
    let mut suite = suite(Amount { runs: 8, metrics: 2, tasks: 1, cells: 3_400, rows: 20 });
    suite.cells[..300].iter_mut().for_each(|cell| (cell.status, cell.seconds) = (CellStatus::Failed, None));
    let of = |kind: &str| StatisticRow { kind: kind.into(), name: "number".into(), ..StatisticRow::default() };
    suite.figures.statistics = (0..100).map(|_| of("correlation")).chain((0..500).map(|_| of("influence"))).collect();
    let page = html_page(&suite.report());
    let section = |name: &str| {
        let start = page.find(&format!("<section id=\"{name}\"")).unwrap();
        page[start..].split("</section>").next().unwrap()
    };
    for (name, rows, words) in [
        ("failures", 200, &["and 100 more: clmbench export cells has them all."][..]),
        ("cells", 3_000 + 1, &["the 3000 that took longest", "400 more: clmbench export cells."]),
        ("statistics", 60, &["40 more (the first of them here)", "500 more (a row a run here)", "clmbench export statistics."]),
    ] {
        let section = section(name);
        assert_eq!(section.matches("<th scope=\"row\">").count(), rows, "{name}");
        assert!(words.iter().all(|words| section.contains(words)), "{name}: {words:?}");
    }
}

#[test]
fn lines_of_runs_beyond_the_limit_are_said() {
    let mut suite = suite(Amount { runs: 14, metrics: 2, tasks: 1, cells: 10, rows: 20 });
    suite.runs.iter_mut().enumerate().for_each(|(index, run)| run.corpus_molecules = Some(5_000 + 1_000 * (index % 14) as u64));
    let page = html_page(&suite.report());
    let found: Vec<&str> = figures(&page)
        .into_iter()
        .filter(|(name, _)| name.starts_with("score-against-loss-"))
        .map(|(_, figure)| figure)
        .collect();
    assert_eq!(found.len(), 4, "two protocols, two pools");
    // 12 marks and 12 in the legend.
    assert!(found.iter().all(|figure| figure.matches("class=\"mark ").count() == 24));
    assert!(found.iter().all(|figure| figure.contains(" 2 lines more in the data only.")));
}

#[test]
fn metrics_over_all_tasks_stand_by_gain_as_on_the_board() {
    let mut suite = suite(Amount { runs: 14, metrics: 3, tasks: 1, cells: 10, rows: 20 });
    let pooled = suite.figures.statistics.clone();
    let group = |row: &StatisticRow| (row.protocol.clone(), row.pool.clone());
    let first = group(&pooled[0]);
    let mut of_group: Vec<&StatisticRow> = pooled.iter().filter(|row| group(row) == first).collect();
    assert_eq!(of_group.len(), 3);
    // The one with the smallest r has the largest gain, the one with the largest r has none.
    of_group.sort_by(|left, right| left.value.unwrap().total_cmp(&right.value.unwrap()));
    for (row, gain) in of_group.iter().zip([0.42, 0.17]) {
        let (name, verdict) = ("gain".into(), Some("cannot_tell".into()));
        let (low95, high95) = (Some(gain - 0.5), Some(gain + 0.5));
        suite.figures.statistics.push(StatisticRow { name, verdict, value: Some(gain), low95, high95, ..(*row).clone() });
    }
    let page = html_page(&suite.report());
    let table =
        page.split("<caption>Every metric over all tasks of a protocol").nth(1).unwrap().split("</table>").next().unwrap();
    let rows: Vec<&str> = table.split("<th scope=\"row\">").skip(1).collect();
    let pool = format!(">{}</td>", first.1.unwrap());
    let found: Vec<&str> = rows.into_iter().filter(|row| row.contains(&pool)).collect();
    assert_eq!(found.len(), 3);
    for (row, (metric, gain)) in found.iter().zip(of_group.iter().zip(["<td>0.42</td>", "<td>0.17</td>", "<td>–</td>"])) {
        let name = metric.metric.as_deref().unwrap().replace('<', "&lt;").replace('>', "&gt;");
        assert!(row.starts_with(&name) && row.contains(gain), "{name} {gain}: {row}");
    }
}
