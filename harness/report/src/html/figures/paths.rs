//! Ways through parameter space: of pretraining, and of fine-tuning on each dataset, on two principal components.

use std::collections::BTreeSet;

use super::{ArtifactTable, Data, Figure};
use crate::{
    html::{
        axis::Axis,
        plot::{Area, Plot, STYLES, sheet},
    },
    text::{count, plural},
};

/// The files and their columns.
const TRAINING: (&str, [&str; 3]) = ("trajectory.csv", ["checkpoint", "component_1", "component_2"]);
const FINETUNING: (&str, [&str; 4]) = ("task_vectors.csv", ["weights", "dataset", "component_1", "component_2"]);

const MOST: usize = 6;
/// Marks of a panel; the data hold all.
const MOST_MARKS: usize = 500;
/// Datasets in the legend: more cannot be told apart by shape and colour.
const MOST_NAMES: usize = 2 * STYLES;
const SIZE: (f64, f64) = (300.0, 254.0);

/// One figure of pretraining runs, one of fine-tunings.
pub(super) fn figures(tables: &[ArtifactTable]) -> Vec<Figure> {
    [training(tables), finetuning(tables)].into_iter().flatten().collect()
}

fn of_file<'a>(tables: &'a [ArtifactTable], file: &str) -> Vec<&'a ArtifactTable> {
    let mut found: Vec<&ArtifactTable> = tables.iter().filter(|table| table.file == file && table.last).collect();
    found.sort_by_key(|table| (table.parameters, &table.run));
    found
}

/// Axes of equal scale around all points, so that lengths can be compared.
fn axes(area: Area, points: &[(f64, f64)]) -> (Axis, Axis) {
    let ends = |get: fn(&(f64, f64)) -> f64| {
        let values = points.iter().map(get);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let ((left, right), (bottom, top)) = (ends(|point| point.0), ends(|point| point.1));
    let (across, up) = (area.right - area.left, area.bottom - area.top);
    let scale = ((right - left) / across).max((top - bottom) / up).max(f64::MIN_POSITIVE);
    let around = |low: f64, high: f64, pixels: f64| {
        let (middle, half) = ((low + high) / 2.0, scale * pixels / 2.0);
        (middle - half, middle + half)
    };
    let (x, y) = (around(left, right, across), around(bottom, top, up));
    (Axis::linear(x.0, x.1, area.left, area.right), Axis::linear(y.0, y.1, area.bottom, area.top))
}

fn places(table: &ArtifactTable, columns: [&str; 2]) -> Option<Vec<(f64, f64)>> {
    let (first, second) = (table.numbers(columns[0])?, table.numbers(columns[1])?);
    let points: Vec<(f64, f64)> = first.into_iter().zip(second).collect();
    points.iter().all(|(x, y)| x.is_finite() && y.is_finite()).then_some(points).filter(|points| points.len() > 1)
}

fn training(tables: &[ArtifactTable]) -> Option<Figure> {
    let mut data = Data::new(&["run", "parameters", TRAINING.1[0], TRAINING.1[1], TRAINING.1[2]]);
    let (mut panels, mut said) = (Vec::new(), Vec::new());
    for table in of_file(tables, TRAINING.0) {
        let (Some(names), Some(points)) = (table.texts(TRAINING.1[0]), places(table, [TRAINING.1[1], TRAINING.1[2]])) else {
            continue;
        };
        if panels.len() == MOST {
            break;
        }
        let area = Area::of(SIZE.0, SIZE.1);
        let (x, y) = axes(area, &points);
        let mut plot = Plot::new(area, x, y);
        let step = points.len().div_ceil(MOST_MARKS);
        let drawn = |index: usize| index.is_multiple_of(step) || index + 1 == points.len();
        let thin: Vec<(f64, f64)> =
            points.iter().enumerate().filter(|(index, _)| drawn(*index)).map(|(_, point)| *point).collect();
        plot.line(0, false, "order of training", &thin);
        for (index, (name, point)) in names.iter().zip(&points).enumerate() {
            let last = index + 1 == points.len();
            let text = format!("{name}: ({:.3}, {:.3})", point.0, point.1);
            if drawn(index) {
                plot.point(if last { 1 } else { 0 }, last || index > 0, text, (point.0, 0.0), (point.1, 0.0));
            }
            data.rows.push(vec![
                table.run.clone(),
                table.parameters.to_string(),
                (*name).to_owned(),
                point.0.to_string(),
                point.1.to_string(),
            ]);
        }
        let path: f64 = points.windows(2).map(|pair| distance(pair[0], pair[1])).sum();
        let ends = distance(points[0], points[points.len() - 1]);
        said.push(format!(
            "{}: {} of path in the plane between ends {ends:.2} apart, {}",
            table.run,
            two_digits(path),
            plural(points.len(), "checkpoint")
        ));
        panels.push(plot.finish(&format!("{} parameters", count(table.parameters)), "component 1", "component 2"));
    }
    let title = "Pretraining runs on the principal components of their checkpoints".to_owned();
    (!panels.is_empty()).then(|| Figure {
        id: "training-paths".to_owned(),
        caption: format!(
            "Checkpoints of a run on the two principal components of its own checkpoints (centred; lengths in weight space, one scale for \
                  both axes of a panel; each run has its own components). Ring: first checkpoint; square: last. Components of few checkpoints \
                  hold most of their variance whatever the path; of more than {MOST_MARKS} checkpoints every so many are drawn, and the data hold all. One run a size, of at most {MOST} \
                  sizes. No uncertainty is drawn, since the weights are exact."
        ),
        alternative: format!("Paths of {}: {}.", plural(panels.len(), "run"), said.join("; ")),
        drawing: sheet(&title, 3, SIZE, panels, &[]),
        data,
        title,
    })
}

fn distance(from: (f64, f64), to: (f64, f64)) -> f64 {
    (to.0 - from.0).hypot(to.1 - from.1)
}

fn two_digits(value: f64) -> String {
    format!("{value:.2}")
}

/// A table of ends of fine-tunings: their names, datasets and places.
type Ends<'a> = (&'a ArtifactTable, Vec<&'a str>, Vec<&'a str>, Vec<(f64, f64)>);

fn finetuning(tables: &[ArtifactTable]) -> Option<Figure> {
    let found: Vec<Ends<'_>> = of_file(tables, FINETUNING.0)
        .into_iter()
        .filter_map(|table| {
            let (names, datasets) = (table.texts(FINETUNING.1[0])?, table.texts(FINETUNING.1[1])?);
            Some((table, names, datasets, places(table, [FINETUNING.1[2], FINETUNING.1[3]])?))
        })
        .take(MOST)
        .collect();
    if found.is_empty() {
        return None;
    }
    let datasets: Vec<&str> = found
        .iter()
        .flat_map(|(_, _, datasets, _)| datasets)
        .copied()
        .filter(|name| !name.is_empty())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut data = Data::new(&["run", "parameters", FINETUNING.1[0], FINETUNING.1[1], FINETUNING.1[2], FINETUNING.1[3]]);
    let (mut panels, mut said) = (Vec::new(), Vec::<String>::new());
    for (table, names, of, points) in &found {
        let area = Area::of(SIZE.0, SIZE.1);
        let (x, y) = axes(area, points);
        let mut plot = Plot::new(area, x, y);
        // The pretrained weights are the row without a dataset.
        let first = of.iter().position(|dataset| dataset.is_empty());
        let start = first.map_or((0.0, 0.0), |row| points[row]);
        let mut farthest = (0.0, "");
        let step = points.len().div_ceil(MOST_MARKS);
        for (index, ((name, dataset), point)) in names.iter().zip(of).zip(points).enumerate() {
            let drawn = index.is_multiple_of(step) || first == Some(index);
            let style = datasets.iter().position(|known| known == dataset).unwrap_or(STYLES - 1);
            let text = format!("{name}: ({:.3}, {:.3})", point.0, point.1);
            if !dataset.is_empty() {
                if drawn {
                    plot.line(style, true, name, &[start, *point]);
                }
                let far = distance(start, *point);
                farthest = if far > farthest.0 { (far, dataset) } else { farthest };
            }
            if drawn {
                plot.point(style, !dataset.is_empty(), text, (point.0, 0.0), (point.1, 0.0));
            }
            let cells = [table.run.clone(), table.parameters.to_string(), (*name).to_owned(), (*dataset).to_owned()];
            data.rows.push(cells.into_iter().chain([point.0.to_string(), point.1.to_string()]).collect());
        }
        said.push(format!("{}: farthest in the plane {} ({:.3})", table.run, farthest.1, farthest.0));
        panels.push(plot.finish(&format!("{} parameters", count(table.parameters)), "component 1", "component 2"));
    }
    let legend: Vec<(usize, String)> =
        datasets.iter().take(MOST_NAMES).enumerate().map(|(style, name)| (style, (*name).to_owned())).collect();
    let mut more = String::new();
    if found.iter().any(|(_, _, _, points)| points.len() > MOST_MARKS) {
        more.push_str(&format!(" Of more than {MOST_MARKS} fine-tunings every so many are drawn; the data hold all."));
    }
    if datasets.len() > MOST_NAMES {
        more.push_str(&format!(" {} without a name in the legend.", plural(datasets.len() - MOST_NAMES, "dataset")));
    }
    let title = "Fine-tuning on the principal components of its steps".to_owned();
    Some(Figure {
        id: "finetuning-paths".to_owned(),
        caption: format!(
            "Where fine-tuning on each dataset ends, seen from the pretrained weights (outline, at the origin) on the two principal components \
             of the steps (not centred; lengths in weight space, one scale for both axes of a panel). One mark a fine-tuning; what lies \
             outside the plane is not seen. Last checkpoints of one run a size, of at most {MOST} sizes.{more}"
        ),
        alternative: format!(
            "Fine-tunings of {} on {}: {}.",
            plural(found.len(), "run"),
            plural(datasets.len(), "dataset"),
            said.join("; ")
        ),
        drawing: sheet(&title, 3, SIZE, panels, &legend),
        data,
        title,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::figures::made_up::{drawn, table};

    #[test]
    fn a_path_has_its_checkpoints_in_order() {
        let tables = [table(TRAINING.0, "<run>", "checkpoint,component_1,component_2", "c0,-3,0\nc1,0,4\nc2,3,0")];
        let figures = figures(&tables);
        let text = drawn(&figures[0]);
        assert_eq!(
            (text.matches("ring s0").count(), text.matches("mark s0").count(), text.matches("mark s1").count()),
            (1, 1, 1)
        );
        assert!(
            figures[0].alternative.contains("<run>: 10.00 of path in the plane between ends 6.00 apart"),
            "{}",
            figures[0].alternative
        );
    }

    #[test]
    fn fine_tunings_start_at_the_pretrained_weights() {
        let rows = "pretrained,,0,0\nesol seed 0,esol,3,4\nlipo seed 0,lipo,1,0";
        let figures = figures(&[table(FINETUNING.0, "r", "weights,dataset,component_1,component_2", rows)]);
        let text = drawn(&figures[0]);
        // A mark a fine-tuning and one in the legend; the pretrained weights as an outline.
        assert_eq!(
            (text.matches("mark s0").count(), text.matches("mark s1").count(), text.matches("ring s5").count()),
            (2, 2, 1)
        );
        assert!(figures[0].alternative.contains("farthest in the plane esol (5.000)"), "{}", figures[0].alternative);
    }

    #[test]
    fn axes_have_one_scale() {
        let area = Area { left: 0.0, right: 200.0, top: 0.0, bottom: 100.0 };
        let (x, y) = axes(area, &[(0.0, 0.0), (10.0, 1.0)]);
        let per_unit = (x.place(10.0) - x.place(0.0)) / 10.0;
        assert!((y.place(0.0) - y.place(1.0) - per_unit).abs() < 0.2, "{per_unit}");
    }

    #[test]
    fn what_is_no_path_is_left_out() {
        assert!(figures(&[]).is_empty());
        assert!(figures(&[table(TRAINING.0, "r", "checkpoint,component_1,component_2", "c0,NaN,0\nc1,0,1")]).is_empty());
        assert!(figures(&[table(FINETUNING.0, "r", "weights,component_1,component_2", "a,0,0")]).is_empty());
    }
}
