//! Score against held-out pretraining loss, a panel a task, with seeds, configuration means, controls and baselines.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_analysis::{CheckpointLoss, ModelKind, ModelRow, loss_pool};
use clmbench_protocol::Objective;
use clmbench_store::{RunRow, StatisticRow};

use super::{Data, Figure, digits, slug, task_name};
use crate::{
    html::{
        Report,
        axis::{Axis, with_error},
        node::Element,
        plot::{Area, Plot, sheet},
    },
    text::{count, plural, two},
};

const MOST_TASKS: usize = 16;
const MOST_SERIES: usize = 12;
const SIZE: (f64, f64) = (340.0, 254.0);

/// A run with its loss and its score.
#[derive(Clone)]
struct Point<'a> {
    run: &'a RunRow,
    row: &'a ModelRow,
    /// Pool of its loss.
    pool: String,
    loss: (f64, f64),
    score: (f64, f64),
}

/// The scores of one task.
struct Task<'a> {
    name: String,
    label: String,
    points: Vec<Point<'a>>,
    control: Option<f64>,
    baseline: Option<(f64, &'a str)>,
    saturation: Option<&'a StatisticRow>,
}

/// A figure a protocol and pool of runs: losses of different tokenizers, samples or objectives have no axis in common.
pub(super) fn figures(report: &Report<'_>) -> Vec<Figure> {
    from(&report.models.rows, report.runs, &report.figures.losses, &report.figures.statistics)
}

fn from(rows: &[ModelRow], runs: &[RunRow], losses: &[CheckpointLoss], statistics: &[StatisticRow]) -> Vec<Figure> {
    let runs: BTreeMap<&str, &RunRow> = runs.iter().map(|run| (run.run.as_str(), run)).collect();
    let mut of_run: BTreeMap<&str, Vec<&CheckpointLoss>> = BTreeMap::new();
    losses.iter().filter(|loss| loss.last).for_each(|loss| of_run.entry(&loss.run).or_default().push(loss));
    let protocols: BTreeSet<&str> = rows.iter().map(|row| row.protocol.as_str()).collect();
    let all: Vec<(&ModelRow, Point<'_>)> = rows.iter().filter_map(|row| Some((row, point(row, &runs, &of_run)?))).collect();
    let pools: BTreeSet<&str> = all.iter().map(|(_, point)| point.pool.as_str()).collect();
    let mut figures = Vec::new();
    for (protocol, pool) in protocols.iter().flat_map(|protocol| pools.iter().map(move |pool| (*protocol, *pool))) {
        let of_protocol: Vec<&ModelRow> = rows.iter().filter(|row| row.protocol == protocol).collect();
        let names = || of_protocol.iter().map(|row| (row.dataset.as_str(), row.task.as_str()));
        let key = |row: &ModelRow| (row.dataset.clone(), row.task.clone(), row.split_digest.clone(), row.score.clone());
        let places: BTreeSet<_> = of_protocol.iter().map(|row| key(row)).collect();
        let of_place = |place: &_| {
            let own: Vec<&ModelRow> = of_protocol.iter().copied().filter(|row| key(row) == *place).collect();
            let points = all.iter().filter(|(row, point)| row.protocol == protocol && point.pool == pool && key(row) == *place);
            let points: Vec<Point<'_>> = points.map(|(_, point)| point.clone()).collect();
            let test = saturation(own[0], pool, statistics);
            (!points.is_empty()).then(|| task(&own, points, task_name(&own[0].dataset, &own[0].task, names()), test))
        };
        let tasks: Vec<Task<'_>> = places.iter().filter_map(of_place).collect();
        figures.extend(figure(protocol, if pools.len() > 1 { pool } else { "" }, &tasks));
    }
    figures
}

/// A counted run with a loss and a score.
fn point<'a>(
    row: &'a ModelRow,
    runs: &BTreeMap<&str, &'a RunRow>,
    losses: &BTreeMap<&str, Vec<&CheckpointLoss>>,
) -> Option<Point<'a>> {
    let run = *runs.get(row.run.as_deref()?)?;
    let counted = row.kind == ModelKind::Run && !run.diverged && row.same_weights_as.is_none();
    let value = row.heldout_loss.filter(|_| counted)?;
    let loss = losses.get(run.run.as_str()).and_then(|losses| losses.iter().find(|loss| loss.loss == value));
    // Losses of checkpoints of others stand in no list, and which sample they are of is not known here.
    let pool = loss.map_or_else(
        || {
            let tokenizer: String = run.tokenizer_digest.chars().take(8).collect();
            let objective = if run.objective == Objective::MaskedLm { "masked_lm" } else { "causal_lm" };
            format!("{objective} tokenizer:{tokenizer} imported")
        },
        |loss| loss_pool(loss),
    );
    let error = loss.map_or(0.0, |loss| loss.std_error);
    Some(Point { run, row, pool, loss: (value, error), score: (row.value?, row.std_error.unwrap_or(0.0)) })
}

/// The test of a task on the runs of a pool.
fn saturation<'a>(first: &ModelRow, pool: &str, statistics: &'a [StatisticRow]) -> Option<&'a StatisticRow> {
    let same = |row: &&StatisticRow| {
        row.kind == "saturation"
            && row.dataset.as_deref() == Some(&first.dataset)
            && row.task.as_deref() == Some(&first.task)
            && row.protocol.as_deref() == Some(&first.protocol)
            && row.score.as_deref().is_none_or(|score| score == first.score)
            && row.pool.as_deref().is_none_or(|of| of.starts_with(pool))
    };
    // Of several settings of the loss there are several verdicts: none of them is about all points.
    let mut tests = statistics.iter().filter(same);
    tests.next().filter(|_| tests.next().is_none())
}

fn task<'a>(rows: &[&'a ModelRow], points: Vec<Point<'a>>, name: String, saturation: Option<&'a StatisticRow>) -> Task<'a> {
    let first = rows[0];
    let better = |left: &f64, right: &f64| if first.higher_is_better { left.total_cmp(right) } else { right.total_cmp(left) };
    let of = |kind: ModelKind| rows.iter().filter(move |row| row.kind == kind);
    let baselines = of(ModelKind::Baseline).filter_map(|row| Some((row.value?, row.label.as_str())));
    Task {
        label: if first.unit.is_empty() { first.score.clone() } else { format!("{} ({})", first.score, first.unit) },
        name,
        points,
        control: of(ModelKind::Control).filter_map(|row| row.value).max_by(better),
        baseline: baselines.max_by(|left, right| better(&left.0, &right.0)),
        saturation,
    }
}

/// What the runs of one line share.
fn series(run: &RunRow) -> String {
    let corpus =
        run.corpus_molecules.map_or_else(|| run.corpus.clone(), |molecules| format!("{} {}", run.corpus, count(molecules)));
    let tokens = run.tokens.map_or_else(|| "tokens not known".to_owned(), |tokens| format!("{} tokens", count(tokens)));
    let corpus = if corpus.is_empty() { "corpus not known".to_owned() } else { corpus };
    format!("{}, {corpus}, {tokens}", run.architecture)
}

fn figure(protocol: &str, pool: &str, tasks: &[Task<'_>]) -> Option<Figure> {
    if tasks.is_empty() {
        return None;
    }
    let points = || tasks.iter().flat_map(|task| &task.points);
    let names: Vec<String> = points().map(|point| series(point.run)).collect::<BTreeSet<_>>().into_iter().collect();
    let of_pool = if pool.is_empty() { String::new() } else { format!(" ({pool})") };
    let title = format!("Score against held-out pretraining loss, {protocol}{of_pool}");
    let panels: Vec<Element> = tasks.iter().take(MOST_TASKS).map(|task| panel(task, &names)).collect();
    let legend: Vec<(usize, String)> = names.iter().take(MOST_SERIES).cloned().enumerate().collect();
    let verdicts: Vec<String> =
        tasks.iter().filter_map(|task| Some(format!("{}: {}", task.name, verdict(task.saturation?)))).collect();
    let verdicts = if verdicts.is_empty() {
        " No saturation test of all these runs together is stored.".to_owned()
    } else {
        format!(" Past the knee, with falling loss: {}.", verdicts.join("; "))
    };
    let more: String = [(tasks.len(), MOST_TASKS, "task"), (names.len(), MOST_SERIES, "line")]
        .into_iter()
        .filter(|(found, most, _)| found > most)
        .map(|(found, most, word)| format!(" {} more in the data only.", plural(found - most, word)))
        .collect();
    let baselines: Vec<String> = tasks.iter().filter_map(|task| Some(format!("{} {}", task.name, task.baseline?.1))).collect();
    let baselines = if baselines.is_empty() { String::new() } else { format!(" ({})", baselines.join("; ")) };
    let errors = points().next().map_or("", |point| point.row.std_error_contains.as_str());
    Some(Figure {
        id: slug(&format!("score-against-loss-{protocol}-{pool}")),
        caption: format!(
            "Marks: runs, one a pretraining seed, at their last checkpoint; bars: one standard error (of the score: {errors}; of the loss: \
             masks and molecules). Lines join the means of configurations that differ by size. Dashed: the best untrained control and the \
             best baseline{baselines}. Loss falls to the left.{verdicts}{more}"
        ),
        alternative: alternative(protocol, tasks),
        drawing: sheet(&title, 2, SIZE, panels, &legend),
        data: data(tasks),
        title,
    })
}

fn verdict(row: &StatisticRow) -> String {
    let word = row.verdict.as_deref().or(row.refusal.as_deref()).unwrap_or("not tested").replace('_', " ");
    match (&row.value, &row.reason) {
        (Some(_), Some(reason)) => format!("{word} ({reason})"),
        (Some(_), None) => word,
        (None, Some(reason)) => format!("refused ({reason})"),
        (None, None) => word,
    }
}

fn panel(task: &Task<'_>, names: &[String]) -> Element {
    let area = Area::of(SIZE.0, SIZE.1);
    let x = Axis::linear_over(&task.points.iter().map(|point| point.loss).collect::<Vec<_>>(), area.left, area.right);
    let mut heights: Vec<(f64, f64)> = task.points.iter().map(|point| point.score).collect();
    heights.extend(task.control.into_iter().chain(task.baseline.map(|(value, _)| value)).map(|value| (value, 0.0)));
    let mut plot = Plot::new(area, x, Axis::linear_over(&heights, area.bottom, area.top));
    if let Some(value) = task.control {
        plot.level(value, "control", true, "best untrained control");
    }
    if let Some((value, name)) = task.baseline {
        plot.level(value, "baseline", false, &format!("best baseline: {name}"));
    }
    for (style, name) in names.iter().take(MOST_SERIES).enumerate() {
        let own: Vec<&Point<'_>> = task.points.iter().filter(|point| series(point.run) == *name).collect();
        let mut configurations: BTreeMap<&str, Vec<&Point<'_>>> = BTreeMap::new();
        own.iter().for_each(|point| configurations.entry(&point.run.configuration).or_default().push(point));
        let mean = |points: &[&Point<'_>], get: fn(&Point<'_>) -> f64| {
            points.iter().map(|point| get(point)).sum::<f64>() / points.len() as f64
        };
        let mut means: Vec<(f64, f64)> = configurations
            .values()
            .map(|points| (mean(points, |point| point.loss.0), mean(points, |point| point.score.0)))
            .collect();
        means.sort_by(|left, right| left.0.total_cmp(&right.0));
        plot.line(style, true, &format!("{name}: means of configurations"), &means);
        for point in own {
            let text = format!("{}: loss {}, score {}", point.row.label, with_error(point.loss), with_error(point.score));
            plot.point(style, true, text, point.loss, point.score);
        }
    }
    plot.finish(&task.name, "held-out loss (nats a token)", &task.label)
}

fn alternative(protocol: &str, tasks: &[Task<'_>]) -> String {
    let said = tasks.iter().map(|task| {
        let losses = || task.points.iter().map(|point| point.loss.0);
        let at = |target: f64| task.points.iter().find(|point| point.loss.0 == target).map_or(f64::NAN, |point| point.score.0);
        let (least, most) = (losses().fold(f64::INFINITY, f64::min), losses().fold(f64::NEG_INFINITY, f64::max));
        let saturation = task.saturation.map_or_else(String::new, |row| format!("; {}", verdict(row)));
        let baseline = task.baseline.map_or_else(String::new, |(value, _)| format!(", best baseline {}", two(value)));
        format!(
            "{}: {} with losses from {} to {}, {} {} at the largest loss and {} at the smallest{baseline}{saturation}",
            task.name,
            plural(task.points.len(), "run"),
            two(most),
            two(least),
            task.label,
            two(at(most)),
            two(at(least)),
        )
    });
    format!("Scores under {protocol} against held-out loss. {}.", said.collect::<Vec<_>>().join(". "))
}

fn data(tasks: &[Task<'_>]) -> Data {
    let mut data =
        Data::new(&["dataset", "task", "score", "group", "run", "loss", "loss_std_error", "value", "std_error", "saturation"]);
    for task in tasks {
        let saturation = task.saturation.and_then(|row| row.verdict.clone()).unwrap_or_default();
        let mut row = |model: &ModelRow, group: String, loss: Option<(f64, f64)>, value: Option<f64>, error: Option<f64>| {
            let (at, of) = (digits(loss.map(|loss| loss.0)), digits(loss.map(|loss| loss.1)));
            let place = [&model.dataset, &model.task, &model.score].map(Clone::clone);
            let mut cells = place.to_vec();
            cells.extend([group, model.label.clone(), at, of, digits(value), digits(error), saturation.clone()]);
            data.rows.push(cells);
        };
        for point in &task.points {
            row(point.row, series(point.run), Some(point.loss), point.row.value, point.row.std_error);
        }
        if let Some(first) = task.points.first() {
            let levels = [("best control", task.control), ("best baseline", task.baseline.map(|(value, _)| value))];
            for (name, value) in levels.into_iter().filter(|(_, value)| value.is_some()) {
                let model = ModelRow { label: name.to_owned(), ..first.row.clone() };
                row(&model, name.to_owned(), None, value, None);
            }
        }
    }
    data
}
