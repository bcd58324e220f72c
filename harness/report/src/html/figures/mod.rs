//! The figures of a page: what the paper and its readers look for. One file a figure (or a family of them).
mod calibration;
mod cost;
mod embedding;
mod heat_map;
mod inputs;
mod landscape;
mod loss_scaling;
mod metric_scores;
mod paths;
mod score_loss;
mod spectrum;

use super::{Report, node::Element};

pub use inputs::{ArtifactTable, EmbeddingMap, EmbeddingPoint, FigureInputs, TaskPredictions};

/// A figure with its text alternative and the numbers behind it.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// Name of its files and its anchor: letters, digits and `-`, such as `loss-against-size`.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What the marks, bars and lines mean, and what is not in them.
    pub caption: String,
    /// What a reader who does not see it must know: the finding in words and numbers.
    pub alternative: String,
    /// The drawing: one `svg`.
    pub drawing: Element,
    /// The numbers that are drawn.
    pub data: Data,
}

/// Numbers behind a figure: a table with names of columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Data {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows of cells, numbers with all their digits.
    pub rows: Vec<Vec<String>>,
}

impl Data {
    /// A table without rows.
    fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }
}

/// All figures that the results have data for, in the order of the page.
pub(crate) fn all(report: &Report<'_>) -> Vec<Figure> {
    let (inputs, rows) = (report.figures, &report.predictors.rows);
    let mut figures = heat_map::figures(rows, &inputs.statistics);
    figures.extend(loss_scaling::figures(&inputs.losses, &inputs.statistics));
    figures.extend(score_loss::figures(report));
    figures.extend(cost::figures(rows, &inputs.statistics));
    figures.extend(metric_scores::figures(rows, &inputs.statistics, &report.models.rows));
    figures.extend(spectrum::figures(&inputs.tables));
    figures.extend(landscape::figures(&inputs.tables));
    figures.extend(calibration::figures(&inputs.predictions));
    figures.extend(paths::figures(&inputs.tables));
    figures.extend(inputs.embedding.as_ref().and_then(embedding::figure));
    figures
}

/// Figures for which a page has no room.
pub(crate) fn rest(report: &Report<'_>) -> Vec<Figure> {
    metric_scores::rest(&report.predictors.rows, &report.figures.statistics, &report.models.rows)
}

/// A number with all its digits; nothing for none.
fn digits(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A name as part of an anchor: lower-case letters, digits and `-`.
pub(crate) fn slug(text: &str) -> String {
    let letters = text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    letters.collect::<String>().split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// The pooled statistic of a metric under a protocol, of the fit's own pool of runs.
fn pooled<'a>(
    statistics: &'a [clmbench_store::StatisticRow],
    fit: &clmbench_store::FitRow,
) -> Option<&'a clmbench_store::StatisticRow> {
    let same = |row: &&clmbench_store::StatisticRow| {
        row.kind == "pooled"
            && row.name == "spearman"
            && row.metric.as_deref() == Some(&fit.metric)
            && row.protocol.as_deref() == Some(&fit.protocol)
    };
    // A row without a pool is about all runs; one of another pool says nothing of these.
    let pool = over_tasks(&fit.pool);
    statistics.iter().filter(same).find(|row| row.pool.as_deref().is_none_or(|of| of == pool))
}

/// The pool over tasks: each task has a split of its own, so it has none.
fn over_tasks(pool: &str) -> String {
    pool.split(' ').filter(|part| !part.starts_with("split:")).collect::<Vec<_>>().join(" ")
}

/// The dataset, with the task where the dataset has several.
fn task_name<'a>(dataset: &str, task: &str, all: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut tasks: Vec<&str> = all.filter(|(of, _)| *of == dataset).map(|(_, task)| task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    if tasks.len() > 1 { format!("{dataset} {task}") } else { dataset.to_owned() }
}

#[cfg(test)]
mod made_up;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_anchors_are_plain() {
        assert_eq!(slug("hessian/trace_hutchinson[probes=16]"), "hessian-trace-hutchinson-probes-16");
        assert_eq!(slug("<b>\u{e9}--"), "b");
        assert_eq!(slug("../</script>\u{1b}"), "script");
        assert_eq!(slug("\u{e9}"), "");
    }

    #[test]
    fn tasks_are_named_where_there_are_several() {
        let all = [("tox21", "NR-AR"), ("tox21", "SR-p53"), ("esol", "log solubility"), ("esol", "log solubility")];
        assert_eq!(task_name("tox21", "NR-AR", all.into_iter()), "tox21 NR-AR");
        assert_eq!(task_name("esol", "log solubility", all.into_iter()), "esol");
    }
}
