//! The molecules of a dataset on two principal components of their embeddings, coloured by label.

use clmbench_protocol::TaskKind;

use super::{Data, EmbeddingMap, EmbeddingPoint, Figure, slug};
use crate::{
    html::{
        axis::{Axis, short},
        node::{Element, element, with_text},
        plot::{Anchor, Area, Plot, px, sheet, words},
    },
    text::plural,
};

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 440.0;

/// The map; none without two places.
pub(super) fn figure(map: &EmbeddingMap) -> Option<Figure> {
    let usable = |point: &&EmbeddingPoint| point.label.is_finite() && point.place.iter().all(|value| value.is_finite());
    let points: Vec<&EmbeddingPoint> = map.points.iter().filter(usable).collect();
    if points.len() < 2 {
        return None;
    }
    let area = Area::nameless(WIDTH, HEIGHT - 40.0);
    let axis = |index: usize, from, to| {
        Axis::linear_over(&points.iter().map(|point| (point.place[index], 0.0)).collect::<Vec<_>>(), from, to)
    };
    let mut plot = Plot::new(area, axis(0, area.left, area.right), axis(1, area.bottom, area.top));
    let ranks = Ranks::of(&points, map.task_kind);
    let mut data = Data::new(&["smiles", "part", "label", "component_1", "component_2"]);
    for point in &points {
        let (across, up) = plot.at(point.place[0], point.place[1]);
        let text = format!("{} ({}): {}", point.smiles, point.part, short(point.label, point.label.abs().max(1e-9) / 1e3));
        let shown = shape(point.part == "train", across, up);
        plot.add(ranks.coloured(shown, point.label).child(with_text("title", text)));
        let [first, second] = point.place.map(|value| value.to_string());
        data.rows.push(vec![point.smiles.clone(), point.part.clone(), point.label.to_string(), first, second]);
    }
    let percent = |share: f64| format!("{:.0} % of the variance", 100.0 * share);
    let labels = [format!("component 1, {}", percent(map.shares[0])), format!("component 2, {}", percent(map.shares[1]))];
    let title = format!("Embeddings of {} by {}", map.dataset, map.run);
    let panel = plot.finish("", &labels[0], &labels[1]);
    let drawing = sheet(&title, 1, (WIDTH, HEIGHT), vec![panel.children(ranks.legend(area, map))], &[]);
    let unit = if map.unit.is_empty() { String::new() } else { format!(" ({})", map.unit) };
    let sampled = if points.len() < map.molecules {
        format!(" {} of {} molecules, drawn by the digest of their SMILES.", points.len(), map.molecules)
    } else {
        String::new()
    };
    Some(Figure {
        id: format!("embedding-{}", slug(&map.dataset)),
        caption: format!(
            "Molecules on the first two principal components (of those drawn, centred) of their mean-pooled embeddings of width {} by the \
             pretrained model ({}), before any fine-tuning. Colour: {}{unit}; circles: training part, diamonds: others.{sampled} Two components \
             are not the whole embedding, and no uncertainty is drawn: the map shows, it does not test.",
            map.width, map.because, map.task
        ),
        alternative: alternative(map, &points),
        drawing,
        data,
        title,
    })
}

fn shape(training: bool, x: f64, y: f64) -> Element {
    if training {
        return element("circle").attribute("cx", px(x)).attribute("cy", px(y)).attribute("r", "2.4");
    }
    element("path").attribute("d", format!("M{} {}l3.4 3.4l-3.4 3.4l-3.4 -3.4z", px(x), px(y - 3.4)))
}

/// Labels in order: the colour is the place among them, so that a few large labels do not hide the rest.
struct Ranks {
    sorted: Vec<f64>,
    kind: TaskKind,
}

impl Ranks {
    fn of(points: &[&EmbeddingPoint], kind: TaskKind) -> Self {
        let mut sorted: Vec<f64> = points.iter().map(|point| point.label).collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted, kind }
    }

    /// From -1 (least) to 1 (largest).
    fn place(&self, label: f64) -> f64 {
        if self.kind == TaskKind::Classification {
            return if label > 0.5 { 1.0 } else { -1.0 };
        }
        let (below, equal) =
            (self.sorted.partition_point(|value| *value < label), self.sorted.partition_point(|value| *value <= label));
        (below + equal) as f64 / self.sorted.len() as f64 - 1.0
    }

    fn coloured(&self, shape: Element, label: f64) -> Element {
        let place = self.place(label);
        let class = if place < 0.0 { "minus tip" } else { "plus tip" };
        // Class 0 is an outline, so that classes differ without colour.
        let strength = if self.kind == TaskKind::Classification && place < 0.0 { 0.0 } else { 0.15 + 0.75 * place.abs() };
        shape.class(class).attribute("fill-opacity", format!("{strength:.2}"))
    }

    fn legend(&self, area: Area, map: &EmbeddingMap) -> Vec<Element> {
        let (top, name) = (area.bottom + 48.0, format!("{}:", map.task));
        let mut parts = vec![words(area.left, top, Anchor::Start, &crate::html::plot::cut(&name, 40))];
        let left = area.left + 12.0 + 6.2 * name.chars().count().min(40) as f64;
        if self.kind == TaskKind::Classification {
            for (index, label) in [0.0, 1.0].into_iter().enumerate() {
                let x = left + 60.0 * index as f64;
                parts.push(self.coloured(shape(true, x, top - 4.0), label));
                parts.push(words(x + 8.0, top, Anchor::Start, &format!("class {label}")));
            }
            return parts;
        }
        let last = self.sorted.len() - 1;
        let wide = (self.sorted[last] - self.sorted[0]).abs().max(1e-9);
        for (index, share) in [0.0, 0.25, 0.5, 0.75, 1.0].into_iter().enumerate() {
            let (x, label) = (left + 62.0 * index as f64, self.sorted[(share * last as f64).round() as usize]);
            parts.push(self.coloured(shape(true, x, top - 4.0), label));
            parts.push(words(x + 8.0, top, Anchor::Start, &short(label, wide / 100.0)));
        }
        parts
    }
}

fn alternative(map: &EmbeddingMap, points: &[&EmbeddingPoint]) -> String {
    let correlation = |index: usize| {
        let places: Vec<f64> = points.iter().map(|point| point.place[index]).collect();
        let labels: Vec<f64> = points.iter().map(|point| point.label).collect();
        clmbench_stats::spearman(&places, &labels).map_or_else(|_| "none".to_owned(), |value| format!("{value:.2}"))
    };
    format!(
        "{} of {} on two principal components of their embeddings by {}, which hold {:.0} % and {:.0} % of the variance. Spearman \
         correlation of {} with component 1: {}, with component 2: {}.",
        plural(points.len(), "molecule"),
        map.dataset,
        map.run,
        100.0 * map.shares[0],
        100.0 * map.shares[1],
        map.task,
        correlation(0),
        correlation(1),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::html::figures::made_up::drawn;

    fn map(kind: TaskKind) -> EmbeddingMap {
        let point = |index: usize| EmbeddingPoint {
            smiles: format!("C<{index}>"),
            part: if index < 6 { "train".into() } else { "test".into() },
            label: if kind == TaskKind::Classification { (index % 2) as f64 } else { index as f64 },
            place: [index as f64, -(index as f64)],
        };
        let [run, dataset, task] = ["run", "bbbp", "p"].map(str::to_owned);
        let points = (0..8).map(point).collect();
        EmbeddingMap {
            run,
            because: "the only one".into(),
            dataset,
            task,
            unit: String::new(),
            task_kind: kind,
            shares: [0.6, 0.2],
            molecules: 100,
            width: 64,
            points,
        }
    }

    #[test]
    fn every_molecule_is_a_mark_of_its_part_and_label() {
        let figure = figure(&map(TaskKind::Regression)).unwrap();
        let text = drawn(&figure);
        // Six in training and five in the legend; two others.
        assert_eq!((text.matches("<circle").count(), text.matches("<path").count()), (6 + 5, 2 + 2), "grid and axes");
        assert!(text.contains("C&lt;7&gt; (test): 7.00") && !text.contains("C<7>"), "{text}");
        assert!(figure.caption.contains("8 of 100 molecules"), "{}", figure.caption);
        assert!(figure.alternative.contains("component 1: 1.00, with component 2: -1.00"), "{}", figure.alternative);
        assert_eq!(figure.data.rows[7], ["C<7>", "test", "7", "7", "-7"]);
    }

    #[test]
    fn classes_differ_without_colour() {
        let text = drawn(&figure(&map(TaskKind::Classification)).unwrap());
        assert_eq!(text.matches("fill-opacity=\"0.00\"").count(), 4 + 1);
        assert_eq!(text.matches("fill-opacity=\"0.90\"").count(), 4 + 1);
    }

    #[test]
    fn nothing_to_draw_is_no_figure() {
        let mut map = map(TaskKind::Regression);
        map.points.truncate(1);
        assert!(figure(&map).is_none());
    }
}
