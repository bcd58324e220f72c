//! Calibration of predictions: probabilities against shares, and predicted against measured values.

use std::collections::BTreeSet;

use clmbench_protocol::TaskKind;

use super::{Data, Figure, TaskPredictions, slug, task_name};
use crate::{
    html::{
        axis::{Axis, short},
        node::{Element, element, with_text},
        plot::{Area, Plot, bar, line, mark, sheet},
    },
    text::{plural, two},
};

const BINS: usize = 10;
const MOST_TASKS: usize = 12;
/// Molecules that are drawn of a regression task; the summary is of all.
const MOST_POINTS: usize = 250;
const SIZE: (f64, f64) = (250.0, 244.0);
/// Two-sided 95 % of the normal distribution.
const NORMAL: f64 = 1.959_963_984_540_054;

/// A bin of predicted probabilities.
#[derive(Debug, Clone, PartialEq)]
struct Bin {
    /// Mean predicted probability.
    predicted: f64,
    /// Molecules, and those of class 1.
    molecules: usize,
    positives: usize,
}

impl Bin {
    fn share(&self) -> f64 {
        self.positives as f64 / self.molecules as f64
    }

    /// Wilson's 95 % interval of the share (Wilson 1927).
    fn interval(&self) -> (f64, f64) {
        let (n, z2) = (self.molecules as f64, NORMAL * NORMAL);
        let centre = (self.share() + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let reach = NORMAL / (1.0 + z2 / n) * (self.share() * (1.0 - self.share()) / n + z2 / (4.0 * n * n)).sqrt();
        (centre - reach, centre + reach)
    }
}

/// Bins of equal width that hold a molecule; entries outside 0 to 1 belong to no probability.
fn bins(pairs: &[(f64, f64)]) -> Vec<Bin> {
    let mut sums = [(0.0, 0usize, 0usize); BINS];
    for (label, predicted) in pairs.iter().filter(|(label, predicted)| label.is_finite() && (0.0..=1.0).contains(predicted)) {
        let bin = &mut sums[((predicted * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + predicted, bin.1 + 1, bin.2 + usize::from(*label > 0.5));
    }
    let full = sums.into_iter().filter(|(_, molecules, _)| *molecules > 0);
    full.map(|(sum, molecules, positives)| Bin { predicted: sum / molecules as f64, molecules, positives }).collect()
}

/// Mean distance between predicted probability and share, weighted by molecules (Guo et al. 2017, arXiv:1706.04599, equation 3).
fn expected_error(bins: &[Bin]) -> f64 {
    let all: usize = bins.iter().map(|bin| bin.molecules).sum();
    bins.iter().map(|bin| bin.molecules as f64 * (bin.share() - bin.predicted).abs()).sum::<f64>() / all as f64
}

/// A figure a protocol and kind of task.
pub(super) fn figures(predictions: &[TaskPredictions]) -> Vec<Figure> {
    let protocols: BTreeSet<&str> = predictions.iter().map(|task| task.protocol.as_str()).collect();
    let all = || predictions.iter().map(|task| (task.dataset.as_str(), task.task.as_str()));
    let mut figures = Vec::new();
    for protocol in protocols {
        for kind in [TaskKind::Classification, TaskKind::Regression] {
            let own: Vec<(&TaskPredictions, String)> = predictions
                .iter()
                .filter(|task| task.protocol == protocol && task.task_kind == kind)
                .filter(|task| task.pairs.iter().any(|(label, value)| label.is_finite() && value.is_finite()))
                .map(|task| (task, task_name(&task.dataset, &task.task, all())))
                .collect();
            figures.extend(if kind == TaskKind::Classification { reliability(protocol, &own) } else { measured(protocol, &own) });
        }
    }
    figures
}

fn diagonal(plot: &mut Plot, low: f64, high: f64) {
    let (from, to) = (plot.at(low, low), plot.at(high, high));
    plot.add(line("dash", from, to));
}

fn more(tasks: usize) -> String {
    match tasks.saturating_sub(MOST_TASKS) {
        0 => String::new(),
        more => format!(" {} more are in the data only.", plural(more, "task")),
    }
}

/// Reliability diagrams.
fn reliability(protocol: &str, tasks: &[(&TaskPredictions, String)]) -> Option<Figure> {
    let tasks: Vec<(&TaskPredictions, &String, Vec<Bin>)> =
        tasks.iter().map(|(task, name)| (*task, name, bins(&task.pairs))).filter(|(_, _, bins)| !bins.is_empty()).collect();
    if tasks.is_empty() {
        return None;
    }
    let panel = |(_, name, bins): &(&TaskPredictions, &String, Vec<Bin>)| -> Element {
        let area = Area::of(SIZE.0, SIZE.1);
        let mut plot =
            Plot::new(area, Axis::linear(0.0, 1.0, area.left, area.right), Axis::linear(0.0, 1.0, area.bottom, area.top));
        diagonal(&mut plot, 0.0, 1.0);
        plot.line(0, true, name, &bins.iter().map(|bin| (bin.predicted, bin.share())).collect::<Vec<_>>());
        for bin in bins {
            let (across, up) = plot.at(bin.predicted, bin.share());
            let (low, high) = bin.interval();
            let text = format!(
                "predicted {}, share {} of {} [{}, {}]",
                two(bin.predicted),
                two(bin.share()),
                plural(bin.molecules, "molecule"),
                two(low),
                two(high)
            );
            let bars = bar(0, (across, plot.y.place(low)), (across, plot.y.place(high)));
            plot.add(element("g").child(with_text("title", text)).child(bars).child(mark(0, true, across, up)));
        }
        plot.finish(&format!("{name} ECE {}", two(expected_error(bins))), "predicted probability", "observed share")
    };
    let panels = tasks.iter().take(MOST_TASKS).map(panel).collect();
    let title = format!("Calibration of the best model's probabilities, {protocol}");
    let said = tasks.iter().map(|(task, name, bins)| {
        let outside = bins.iter().filter(|bin| bin.predicted < bin.interval().0 || bin.predicted > bin.interval().1).count();
        let of = plural(bins.len(), "bin");
        format!(
            "{name} ({}): expected calibration error {}, {outside} of {of} off the diagonal by their interval",
            task.model,
            two(expected_error(bins))
        )
    });
    let alternative = format!("{}.", said.collect::<Vec<_>>().join("; "));
    let mut data = Data::new(&["dataset", "task", "model", "predicted", "share", "low95", "high95", "molecules"]);
    for (task, _, bins) in &tasks {
        for bin in bins {
            let (low, high) = bin.interval();
            let mut row = vec![task.dataset.clone(), task.task.clone(), task.model.clone()];
            row.extend([bin.predicted, bin.share(), low, high].map(|value| value.to_string()));
            row.push(bin.molecules.to_string());
            data.rows.push(row);
        }
    }
    Some(Figure {
        id: format!("calibration-{}", slug(protocol)),
        caption: format!(
            "Test molecules in {BINS} bins of predicted probability: mean probability against the share of class 1, for the model with the best \
             score of the task. Bars: 95 % interval of the share (Wilson), molecules as independent. Dashed: perfect calibration. ECE: \
             distance from it, weighted by molecules; with few molecules it is above 0 by chance.{}",
            more(tasks.len())
        ),
        alternative,
        drawing: sheet(&title, 3, SIZE, panels, &[]),
        data,
        title,
    })
}

/// Predicted against measured values.
fn measured(protocol: &str, tasks: &[(&TaskPredictions, String)]) -> Option<Figure> {
    if tasks.is_empty() {
        return None;
    }
    let finite = |task: &TaskPredictions| -> Vec<(f64, f64)> {
        task.pairs.iter().copied().filter(|(label, value)| label.is_finite() && value.is_finite()).collect()
    };
    let mut data = Data::new(&["dataset", "task", "model", "measured", "predicted"]);
    let (mut panels, mut said) = (Vec::new(), Vec::new());
    for (task, name) in tasks {
        let pairs = finite(task);
        let error = (pairs.iter().map(|(label, value)| (label - value).powi(2)).sum::<f64>() / pairs.len() as f64).sqrt();
        let bias = pairs.iter().map(|(label, value)| value - label).sum::<f64>() / pairs.len() as f64;
        let digits = |value: f64| short(value, error.abs().max(1e-9) / 50.0);
        said.push(format!(
            "{name} ({}): RMSE {}, bias {}, {}",
            task.model,
            digits(error),
            digits(bias),
            plural(pairs.len(), "molecule")
        ));
        data.rows.extend(pairs.iter().map(|(label, value)| {
            vec![task.dataset.clone(), task.task.clone(), task.model.clone(), label.to_string(), value.to_string()]
        }));
        if panels.len() == MOST_TASKS {
            continue;
        }
        let area = Area::of(SIZE.0, SIZE.1);
        let both: Vec<(f64, f64)> = pairs.iter().flat_map(|(label, value)| [(*label, 0.0), (*value, 0.0)]).collect();
        let (x, y) = (Axis::linear_over(&both, area.left, area.right), Axis::linear_over(&both, area.bottom, area.top));
        let mut plot = Plot::new(area, x, y);
        let low = both.iter().map(|(value, _)| *value).fold(f64::INFINITY, f64::min);
        let high = both.iter().map(|(value, _)| *value).fold(f64::NEG_INFINITY, f64::max);
        diagonal(&mut plot, low, high);
        let step = pairs.len().div_ceil(MOST_POINTS).max(1);
        for (label, value) in pairs.iter().step_by(step) {
            plot.point(
                0,
                false,
                format!("measured {}, predicted {}", digits(*label), digits(*value)),
                (*label, 0.0),
                (*value, 0.0),
            );
        }
        let unit = if task.unit.is_empty() { String::new() } else { format!(" ({})", task.unit) };
        panels.push(plot.finish(name, &format!("measured{unit}"), "predicted"));
    }
    let title = format!("Predicted against measured, {protocol}");
    Some(Figure {
        id: format!("predicted-measured-{}", slug(protocol)),
        caption: format!(
            "Test molecules of regression tasks, measured and as the model with the best score of the task predicts them; of more than \
             {MOST_POINTS} every second, third, ... is drawn. Dashed: equal. Models give no interval of a prediction, so none is drawn.{}",
            more(tasks.len())
        ),
        alternative: format!("{}.", said.join("; ")),
        drawing: sheet(&title, 3, SIZE, panels, &[]),
        data,
        title,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::figures::made_up::drawn;

    fn task(kind: TaskKind, pairs: Vec<(f64, f64)>) -> TaskPredictions {
        let [dataset, name, protocol, model] = ["bbbp", "p", "probe", "<best>"].map(str::to_owned);
        TaskPredictions { dataset, task: name, task_kind: kind, protocol, model, unit: "mol/L".into(), pairs }
    }

    #[test]
    fn probabilities_are_held_against_shares() {
        let pairs: Vec<(f64, f64)> =
            (0..10).map(|index| (f64::from(u8::from(index < 3)), 0.25)).chain([(1.0, 1.0), (0.0, 0.98)]).collect();
        let found = bins(&pairs);
        assert_eq!(found.len(), 2);
        // Wilson's interval of 3 of 10 by hand (Newcombe 1998 gives .1078 to .6032).
        let (low, high) = found[0].interval();
        assert!((low - 0.1078).abs() < 5e-5 && (high - 0.6032).abs() < 5e-5, "{low} {high}");
        assert!((expected_error(&found) - (10.0 * 0.05 + 2.0 * 0.49) / 12.0).abs() < 1e-12);
        let figures = figures(&[task(TaskKind::Classification, pairs)]);
        let text = drawn(&figures[0]);
        assert_eq!((text.matches("class=\"mark s0\"").count(), text.matches("class=\"whisker s0\"").count()), (2, 2));
        assert!(figures[0].alternative.contains("<best>") && !text.contains("<best>"));
    }

    #[test]
    fn values_are_held_against_values() {
        let pairs: Vec<(f64, f64)> =
            (0..600).map(|index| (f64::from(index), f64::from(index) + 1.0)).chain([(f64::NAN, 1.0)]).collect();
        let figures = figures(&[task(TaskKind::Regression, pairs)]);
        let text = drawn(&figures[0]);
        assert_eq!(text.matches("class=\"ring s0\"").count(), 200, "every third of 600");
        assert!(figures[0].alternative.contains("RMSE 1.00, bias 1.00, 600 molecules"), "{}", figures[0].alternative);
        assert_eq!(figures[0].data.rows.len(), 600);
    }

    #[test]
    fn of_many_tasks_the_first_are_drawn_and_all_are_data() {
        for kind in [TaskKind::Classification, TaskKind::Regression] {
            let pairs = || (0..20).map(|index| (f64::from(index % 2), f64::from(index) / 20.0)).collect();
            let many: Vec<TaskPredictions> = (0..MOST_TASKS + 3)
                .map(|index| TaskPredictions { dataset: format!("d{index:02}"), ..task(kind, pairs()) })
                .collect();
            let figures = figures(&many);
            assert_eq!(drawn(&figures[0]).matches("translate(").count(), MOST_TASKS - 1);
            assert!(figures[0].caption.contains(" 3 tasks more are in the data only."), "{}", figures[0].caption);
            assert!(figures[0].data.rows.iter().any(|row| row[0] == format!("d{:02}", MOST_TASKS + 2)));
        }
    }

    #[test]
    fn without_predictions_there_is_none() {
        assert!(figures(&[]).is_empty());
        assert!(figures(&[task(TaskKind::Classification, vec![(1.0, 7.0)]), task(TaskKind::Regression, vec![])]).is_empty());
    }
}
