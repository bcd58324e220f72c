//! Figures as inline SVG, built from the same nodes as the page: every point has its text, every colour follows the page.

use super::{
    axis::{Axis, short},
    node::{Element, element, with_text},
    plot::{canvas, cut, line, px, words},
};

/// A point with the ends of its error bars.
#[derive(Debug, Clone)]
pub(crate) struct Dot {
    /// What it is, shown where the pointer rests.
    pub label: String,
    /// Value and standard error along each axis.
    pub x: (f64, f64),
    pub y: (f64, f64),
}

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

/// Points with error bars of one standard error. None if no point has two finite values.
pub(crate) fn scatter(title: &str, x_label: &str, y_label: &str, dots: &[Dot]) -> Option<Element> {
    const WIDTH: f64 = 360.0;
    const HEIGHT: f64 = 250.0;
    let dots: Vec<&Dot> = dots.iter().filter(|dot| dot.x.0.is_finite() && dot.y.0.is_finite()).collect();
    if dots.is_empty() {
        return None;
    }
    let (left, right, top, bottom) = (54.0, WIDTH - 10.0, 22.0, HEIGHT - 36.0);
    let x = Axis::over(&dots.iter().map(|dot| dot.x).collect::<Vec<_>>(), left, right);
    // A score is read in its own unit; only what spans orders of magnitude across (sizes, tokens) is logarithmic.
    let y = Axis::linear_over(&dots.iter().map(|dot| dot.y).collect::<Vec<_>>(), bottom, top);
    let mut figure = canvas(WIDTH, HEIGHT, title);
    for (value, label) in &x.ticks {
        let place = x.place(*value);
        figure = figure.child(line("grid", (place, top), (place, bottom))).child(words(place, bottom + 14.0, "middle", label));
    }
    for (value, label) in &y.ticks {
        let place = y.place(*value);
        figure = figure.child(line("grid", (left, place), (right, place))).child(words(left - 5.0, place + 4.0, "end", label));
    }
    figure = figure.child(line("axis", (left, bottom), (right, bottom))).child(line("axis", (left, top), (left, bottom)));
    for dot in dots {
        let (across, up) = (x.place(dot.x.0), y.place(dot.y.0));
        let text = format!("{}: {}, {}", dot.label, with_error(dot.x), with_error(dot.y));
        let mut group = element("g").child(with_text("title", text));
        if dot.x.1 > 0.0 && dot.x.1.is_finite() {
            group = group.child(line("bar", (x.place(dot.x.0 - dot.x.1), up), (x.place(dot.x.0 + dot.x.1), up)));
        }
        if dot.y.1 > 0.0 && dot.y.1.is_finite() {
            group = group.child(line("bar", (across, y.place(dot.y.0 - dot.y.1)), (across, y.place(dot.y.0 + dot.y.1))));
        }
        figure = figure.child(group.child(mark(Mark::Full, across, up)));
    }
    let scale = if x.logarithmic { ", logarithmic" } else { "" };
    let below = cut(&format!("{x_label}{scale}"), 52);
    let above = cut(y_label, 58);
    Some(figure.child(words((left + right) / 2.0, HEIGHT - 5.0, "middle", &below)).child(words(4.0, 13.0, "start", &above)))
}

pub(crate) fn with_error((value, error): (f64, f64)) -> String {
    let step = if error > 0.0 && error.is_finite() { error / 10.0 } else { value.abs().max(1e-9) / 1e4 };
    let value = short(value, step);
    if error > 0.0 && error.is_finite() { format!("{value} ± {}", short(error, step)) } else { value }
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
pub(crate) fn forest(title: &str, lines: &[Line], useful: f64) -> Option<Element> {
    const WIDTH: f64 = 420.0;
    const STEP: f64 = 20.0;
    if lines.is_empty() {
        return None;
    }
    let (left, right, top) = (165.0, WIDTH - 12.0, 6.0);
    let bottom = top + STEP * lines.len() as f64;
    let axis = Axis::linear(-1.0, 1.0, left, right);
    let mut figure = canvas(WIDTH, bottom + 34.0, title);
    for (value, label) in &axis.ticks {
        let place = axis.place(*value);
        let class = if *value == 0.0 { "axis" } else { "grid" };
        figure = figure.child(line(class, (place, top), (place, bottom))).child(words(place, bottom + 14.0, "middle", label));
    }
    if useful.is_finite() {
        figure = figure.child(line("dash", (axis.place(useful), top), (axis.place(useful), bottom)));
    }
    for (index, row) in lines.iter().enumerate() {
        let height = top + STEP * (index as f64 + 0.5);
        let range = row.interval.map_or_else(String::new, |(low, high)| format!(" [{low:.2}, {high:.2}]"));
        let mut group = element("g").child(with_text("title", format!("{}: r = {:.2}{range}", row.label, row.value)));
        group = group.child(words(left - 8.0, height + 4.0, "end", &cut(&row.label, 26)));
        if let Some((low, high)) = row.interval {
            group = group.child(line("bar", (axis.place(low), height), (axis.place(high), height)));
        }
        figure = figure.child(group.child(mark(row.mark, axis.place(row.value), height)));
    }
    Some(figure.child(words((left + right) / 2.0, bottom + 29.0, "middle", "r, oriented: above 0 as claimed")))
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
    fn every_point_is_drawn_with_its_bars_and_its_text() {
        let dot = |label: &str, x: f64, error: f64| Dot { label: label.into(), x: (x, error), y: (2.0 * x, 0.1) };
        let dots = [dot("one", 1.5, 0.1), dot("two", 1.8, 0.0), dot("<b>", 2.0, f64::NAN), dot("lost", f64::NAN, 0.1)];
        let text = drawn(scatter("a & b", "x", "y", &dots).unwrap());
        assert_eq!((text.matches("<circle").count(), text.matches("class=\"bar\"").count()), (3, 1 + 3));
        assert!(text.contains("<title>one: 1.50 ± 0.10, 3.00 ± 0.10</title>"), "{text}");
        assert!(text.contains("aria-label=\"a &amp; b\"") && text.contains("&lt;b&gt;") && !text.contains("lost"), "{text}");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert!(scatter("", "", "", &dots[3..]).is_none());
    }

    #[test]
    fn intervals_lie_on_the_axis() {
        let row = |mark, interval| Line { label: "loss/mlm_loss".into(), value: 0.5, interval, mark };
        let lines = [row(Mark::Full, Some((0.1, 0.9))), row(Mark::Ring, None), row(Mark::Cross, Some((-2.0, 2.0)))];
        let text = drawn(forest("r", &lines, 0.5).unwrap());
        assert_eq!((text.matches("<circle").count(), text.matches("<path").count()), (2, 1));
        assert!(text.contains("r = 0.50 [0.10, 0.90]") && text.contains("x1=\"165\"") && text.contains("x2=\"408\""), "{text}");
        assert!(forest("r", &[], 0.5).is_none());
    }
}
