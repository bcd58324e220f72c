//! Estimates with their intervals, one under the other.

use super::{
    axis::Axis,
    node::{Element, element, with_text},
    plot::{Anchor, canvas, cut, line, lines, px, words},
};

/// One line of a [`forest`].
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Name.
    pub label: String,
    /// Estimate.
    pub value: f64,
    /// Interval.
    pub interval: Option<(f64, f64)>,
    /// How it is marked.
    pub mark: Mark,
}

/// Marks that differ by shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A full circle.
    Full,
    /// A ring.
    Ring,
    /// A cross.
    Cross,
}

fn mark(mark: Mark, x: f64, y: f64) -> Element {
    let circle =
        |class: &'static str| element("circle").class(class).attribute("cx", px(x)).attribute("cy", px(y)).attribute("r", "4");
    match mark {
        Mark::Full => circle("dot"),
        Mark::Ring => circle("hollow"),
        Mark::Cross => {
            let path = format!("M{} {}l8 8m0 -8l-8 8", px(x - 4.0), px(y - 4.0));
            element("path").class("cross").attribute("d", path)
        }
    }
}

/// Correlations with their intervals, one under the other, from -1 to 1, with the useful effect dashed. None without lines.
pub(crate) fn forest(title: &str, rows: &[Line], useful: f64) -> Option<Element> {
    const WIDTH: f64 = 440.0;
    const STEP: f64 = 20.0;
    if rows.is_empty() {
        return None;
    }
    let (left, right, top) = (186.0, WIDTH - 12.0, 6.0);
    let bottom = top + STEP * rows.len() as f64;
    let axis = Axis::linear(-1.0, 1.0, left, right);
    let mut figure = canvas(WIDTH, bottom + 34.0, title);
    let upright = |value: f64| ((axis.place(value), top), (axis.place(value), bottom));
    let (zero, others): (Vec<f64>, Vec<f64>) = axis.ticks.iter().map(|(value, _)| *value).partition(|value| *value == 0.0);
    for (class, values) in [("grid", others), ("axis", zero)] {
        figure = figure.child(lines(class, values.into_iter().map(upright)));
    }
    figure =
        figure.children(axis.ticks.iter().map(|(value, label)| words(axis.place(*value), bottom + 14.0, Anchor::Middle, label)));
    if useful.is_finite() {
        let (from, to) = upright(useful);
        figure = figure.child(line("dash", from, to));
    }
    for (index, row) in rows.iter().enumerate() {
        let height = top + STEP * (index as f64 + 0.5);
        let range = row.interval.map_or_else(String::new, |(low, high)| format!(" [{low:.2}, {high:.2}]"));
        let mut group = element("g").child(with_text("title", format!("{}: r = {:.2}{range}", row.label, row.value)));
        group = group.child(words(left - 8.0, height + 4.0, Anchor::End, &cut(&row.label, 28)));
        if let Some((low, high)) = row.interval {
            group = group.child(line("bar", (axis.place(low), height), (axis.place(high), height)));
        }
        figure = figure.child(group.child(mark(row.mark, axis.place(row.value), height)));
    }
    Some(figure.child(words((left + right) / 2.0, bottom + 29.0, Anchor::Middle, "r, oriented: above 0 as claimed")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::html::node::Node;

    fn drawn(figure: Element) -> String {
        let mut out = String::new();
        Node::from(figure).write(&mut out);
        out
    }

    #[test]
    fn intervals_lie_on_the_axis() {
        let row = |mark, interval| Line { label: "loss/mlm_loss".into(), value: 0.5, interval, mark };
        let lines = [row(Mark::Full, Some((0.1, 0.9))), row(Mark::Ring, None), row(Mark::Cross, Some((-2.0, 2.0)))];
        let text = drawn(forest("r", &lines, 0.5).unwrap());
        assert_eq!((text.matches("<circle").count(), text.matches("class=\"cross\"").count()), (2, 1));
        assert!(text.contains("r = 0.50 [0.10, 0.90]") && text.contains("class=\"bar\" d=\"M186 56H428\""), "{text}");
        assert!(forest("r", &[], 0.5).is_none());
    }
}
