//! What figures are drawn with: panels with axes, marks that differ by shape as well as by colour, lines, bands and legends.
//!
//! Colours are classes (`s0` to `s5`, see the style sheet), so that they follow the page; each has its own shape and its own dashes.

use super::{
    axis::Axis,
    node::{Element, element, with_text},
};

/// Kinds of marks and lines that can be told apart.
pub(crate) const STYLES: usize = 6;

/// The class of a kind of element in the colour of a style: from the second round of shapes on, each shape has another colour.
fn class(kind: &str, style: usize) -> String {
    format!("{kind} s{}", (style + style / STYLES) % STYLES)
}

/// A number of pixels, to a tenth.
pub(crate) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A straight line.
pub(crate) fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> Element {
    lines(class, [(from, to)])
}

/// Straight lines of one kind, as one path.
pub(crate) fn lines(class: &str, pieces: impl IntoIterator<Item = ((f64, f64), (f64, f64))>) -> Element {
    let piece = |(from, to): ((f64, f64), (f64, f64))| {
        let [(x1, y1), (x2, y2)] = [from, to].map(|(x, y)| (px(x), px(y)));
        let to = match (x1 == x2, y1 == y2) {
            (_, true) => format!("H{x2}"),
            (true, _) => format!("V{y2}"),
            _ => format!("L{x2} {y2}"),
        };
        format!("M{x1} {y1}{to}")
    };
    element("path").class(class).attribute("d", pieces.into_iter().map(piece).collect::<String>())
}

/// What of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// Its first letter.
    Start,
    /// Its middle.
    Middle,
    /// Its last letter.
    End,
}

/// Words at a place. Without a class they stand around it (see the style sheet).
pub(crate) fn words(x: f64, y: f64, anchor: Anchor, text: &str) -> Element {
    let words = element("text").attribute("x", px(x)).attribute("y", px(y)).text(text);
    match anchor {
        Anchor::Start => words.class("start"),
        Anchor::Middle => words,
        Anchor::End => words.class("end"),
    }
}

/// A rectangle.
pub(crate) fn rectangle(class: &str, x: f64, y: f64, width: f64, height: f64) -> Element {
    let (wide, high) = (px(width), px(height));
    element("path").class(class).attribute("d", format!("M{} {}h{wide}v{high}h-{wide}z", px(x), px(y)))
}

/// An empty drawing of this size. One that is wider than a telephone is not made smaller than can be read.
pub(crate) fn canvas(width: f64, height: f64, title: &str) -> Element {
    let size = format!("0 0 {} {}", px(width), px(height));
    let drawing = element("svg").attribute("viewBox", size).attribute("role", "img").attribute("aria-label", title);
    match width {
        width if width > 800.0 => drawing.class("wide broad"),
        width if width > 480.0 => drawing.class("wide"),
        _ => drawing,
    }
}

/// At most `most` characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A mark of a style at a place; `full` or only its outline.
pub(crate) fn mark(style: usize, full: bool, x: f64, y: f64) -> Element {
    let class = class(if full { "mark" } else { "ring" }, style);
    let size = if full { 4.0 } else { 3.2 };
    let (left, top, long) = (px(x - size), px(y - size), px(2.0 * size));
    let path = |steps: String| element("path").attribute("class", class.clone()).attribute("d", steps);
    match style % STYLES {
        0 => element("circle").attribute("class", class).attribute("cx", px(x)).attribute("cy", px(y)).attribute("r", px(size)),
        1 => path(format!("M{left} {top}h{long}v{long}h-{long}z")),
        2 => path(format!("M{} {top}l{} {long}h-{}z", px(x), px(1.15 * size), px(2.3 * size))),
        3 => {
            let half = px(1.3 * size);
            path(format!("M{} {}l{half} {half}l-{half} {half}l-{half} -{half}z", px(x), px(y - 1.3 * size)))
        }
        4 => path(format!("M{} {}l-{} -{long}h{}z", px(x), px(y + size), px(1.15 * size), px(2.3 * size))),
        _ => path(format!("M{} {}h{long}M{} {top}v{long}", left, px(y), px(x))),
    }
}

/// A line through points, in their order.
pub(crate) fn curve(style: usize, thin: bool, points: &[(f64, f64)]) -> Element {
    let class = match (thin, style % STYLES) {
        (true, _) => class("curve thin", style),
        (false, 0) => class("curve", style),
        (false, dashes) => format!("{} d{dashes}", class("curve", style)),
    };
    element("path").attribute("class", class).attribute("d", steps(points))
}

/// The area between two lines with the same places across.
pub(crate) fn band(style: usize, upper: &[(f64, f64)], lower: &[(f64, f64)]) -> Element {
    let around: Vec<(f64, f64)> = upper.iter().chain(lower.iter().rev()).copied().collect();
    element("path").attribute("class", class("band", style)).attribute("d", format!("{}z", steps(&around)))
}

/// An error bar.
pub(crate) fn bar(style: usize, from: (f64, f64), to: (f64, f64)) -> Element {
    line(&class("whisker", style), from, to)
}

fn steps(points: &[(f64, f64)]) -> String {
    let mut text = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        text.push(if index == 0 { 'M' } else { 'L' });
        text.push_str(&format!("{} {}", px(*x), px(*y)));
    }
    text
}

/// Where the axes of a panel lie, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Area {
    /// That of a panel of this size, with room for its name and for labels.
    pub fn of(width: f64, height: f64) -> Self {
        Self { top: 38.0, ..Self::nameless(width, height) }
    }

    /// That of a panel without a name.
    pub fn nameless(width: f64, height: f64) -> Self {
        Self { left: 54.0, right: width - 12.0, top: 24.0, bottom: height - 36.0 }
    }
}

/// Axes with marks between them.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub x: Axis,
    pub y: Axis,
    area: Area,
    marks: Vec<Element>,
}

impl Plot {
    /// An empty one; the axes are over the area.
    pub fn new(area: Area, x: Axis, y: Axis) -> Self {
        Self { x, y, area, marks: Vec::new() }
    }

    /// The pixels of a point.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x.place(x), self.y.place(y))
    }

    /// Puts something into it.
    pub fn add(&mut self, mark: Element) {
        self.marks.push(mark);
    }

    /// A point with its text and the error bars that are finite.
    pub fn point(&mut self, style: usize, full: bool, text: String, x: (f64, f64), y: (f64, f64)) {
        let (across, up) = self.at(x.0, y.0);
        let seen = |error: f64| error > 0.0 && error.is_finite();
        let beside = seen(x.1).then(|| ((self.x.place(x.0 - x.1), up), (self.x.place(x.0 + x.1), up)));
        let above = seen(y.1).then(|| ((across, self.y.place(y.0 - y.1)), (across, self.y.place(y.0 + y.1))));
        let bars: Vec<_> = beside.into_iter().chain(above).collect();
        let bars = (!bars.is_empty()).then(|| lines(&class("whisker", style), bars));
        let group = element("g").child(with_text("title", text)).children(bars);
        self.marks.push(group.child(mark(style, full, across, up)));
    }

    /// A line through values; points that are not finite are left out.
    pub fn line(&mut self, style: usize, thin: bool, text: &str, values: &[(f64, f64)]) {
        let finite = values.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        let points: Vec<(f64, f64)> = finite.map(|(x, y)| self.at(*x, *y)).collect();
        if points.len() > 1 {
            self.marks.push(element("g").child(with_text("title", text)).child(curve(style, thin, &points)));
        }
    }

    /// A dashed line across at a value, with a word above it at the right, or at the left.
    pub fn level(&mut self, value: f64, word: &str, at_left: bool, text: &str) {
        let up = self.y.place(value);
        let drawn = line("dash", (self.area.left, up), (self.area.right, up));
        let (place, anchor) = if at_left { (self.area.left + 3.0, Anchor::Start) } else { (self.area.right - 2.0, Anchor::End) };
        let label = words(place, up - 3.0, anchor, word).class("small");
        self.marks.push(element("g").child(with_text("title", text)).child(drawn).child(label));
    }

    /// The panel: axes, marks, its name above and the names of its axes. The name of the upright axis stands above it.
    pub fn finish(self, name: &str, x_label: &str, y_label: &str) -> Element {
        let Area { left, right, top, bottom } = self.area;
        let across: Vec<(f64, &str)> = self.x.ticks.iter().map(|(value, label)| (self.x.place(*value), label.as_str())).collect();
        let up: Vec<(f64, &str)> = self.y.ticks.iter().map(|(value, label)| (self.y.place(*value), label.as_str())).collect();
        let upright = across.iter().map(|(place, _)| ((*place, top), (*place, bottom)));
        let level = up.iter().map(|(place, _)| ((left, *place), (right, *place)));
        let panel = element("g")
            .child(lines("grid", upright.chain(level)))
            .children(across.iter().map(|(place, label)| words(*place, bottom + 14.0, Anchor::Middle, label)))
            .children(up.iter().map(|(place, label)| words(left - 5.0, place + 4.0, Anchor::End, label)))
            .child(lines("axis", [((left, bottom), (right, bottom)), ((left, top), (left, bottom))]))
            .children(self.marks);
        // Letters are some 6 pixels wide, bold ones 7; a panel ends where the next begins.
        let room = right - 4.0;
        let name = cut(name, (room / 6.8) as usize);
        let below =
            words((left + right) / 2.0, bottom + 29.0, Anchor::Middle, &cut(x_label, ((right - left + 50.0) / 6.0) as usize));
        panel
            .children((!name.is_empty()).then(|| words(4.0, 12.0, Anchor::Start, &name).class("name")))
            .child(words(4.0, top - 9.0, Anchor::Start, &cut(y_label, (room / 5.7) as usize)))
            .child(below)
    }
}

/// Panels side by side and below each other, with a legend under them.
pub(crate) fn sheet(title: &str, columns: usize, size: (f64, f64), panels: Vec<Element>, legend: &[(usize, String)]) -> Element {
    let columns = columns.min(panels.len()).max(1);
    let rows = panels.len().div_ceil(columns);
    let width = columns as f64 * size.0;
    let entries = Legend::of(legend, width);
    let mut drawing = canvas(width, rows as f64 * size.1 + entries.height(), title);
    for (index, panel) in panels.into_iter().enumerate() {
        let (right, down) = ((index % columns) as f64 * size.0, (index / columns) as f64 * size.1);
        drawing = match index {
            0 => drawing.child(panel),
            _ => drawing.child(panel.attribute("transform", format!("translate({} {})", px(right), px(down)))),
        };
    }
    drawing.children(entries.drawn(rows as f64 * size.1))
}

/// Marks with their meaning, in columns.
struct Legend<'a> {
    entries: &'a [(usize, String)],
    columns: usize,
    width: f64,
}

impl<'a> Legend<'a> {
    fn of(entries: &'a [(usize, String)], width: f64) -> Self {
        let longest = entries.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(1);
        let columns = ((width - 8.0) / (longest as f64 * 6.0 + 46.0)).floor().max(1.0) as usize;
        Self { entries, columns, width }
    }

    fn height(&self) -> f64 {
        if self.entries.is_empty() { 0.0 } else { 8.0 + 16.0 * self.entries.len().div_ceil(self.columns) as f64 }
    }

    fn drawn(&self, top: f64) -> Vec<Element> {
        let wide = (self.width - 8.0) / self.columns as f64;
        let most = ((wide - 40.0) / 5.8) as usize;
        let entry = |(index, (style, text)): (usize, &(usize, String))| {
            let (left, middle) = (8.0 + wide * (index % self.columns) as f64, top + 12.0 + 16.0 * (index / self.columns) as f64);
            let drawn = element("g").child(curve(*style, false, &[(left, middle), (left + 26.0, middle)]));
            drawn.child(mark(*style, true, left + 13.0, middle)).child(words(
                left + 32.0,
                middle + 4.0,
                Anchor::Start,
                &cut(text, most),
            ))
        };
        self.entries.iter().enumerate().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::node::Node;

    fn drawn(figure: Element) -> String {
        let mut out = String::new();
        Node::from(figure).write(&mut out);
        out
    }

    #[test]
    fn marks_differ_by_shape() {
        let shapes: Vec<String> = (0..STYLES).map(|style| drawn(mark(style, true, 10.0, 20.0))).collect();
        assert_eq!(shapes[0], "<circle class=\"mark s0\" cx=\"10\" cy=\"20\" r=\"4\"/>");
        assert!(shapes[1].contains("M6 16h8v8h-8z"), "{}", shapes[1]);
        assert!(shapes[2].contains("M10 16l4.6 8h-9.2z"), "{}", shapes[2]);
        assert!(shapes[4].contains("M10 24l-4.6 -8h9.2z"), "{}", shapes[4]);
        // The seventh is a circle again, in another colour.
        assert!(drawn(mark(STYLES, true, 1.0, 1.0)).starts_with("<circle class=\"mark s1\""));
        assert!(drawn(curve(STYLES + 1, false, &[(0.0, 0.0), (1.0, 1.0)])).contains("class=\"curve s2 d1\""));
        assert!(shapes[5].contains("M6 20h8M10 16v8"), "{}", shapes[5]);
    }

    #[test]
    fn a_plot_places_values_where_its_axes_say() {
        let area = Area { left: 0.0, right: 110.0, top: 0.0, bottom: 110.0 };
        let axis = |from, to| Axis::linear(0.0, 10.0, from, to);
        let mut plot = Plot::new(area, axis(0.0, 110.0), axis(110.0, 0.0));
        plot.point(0, true, "<i>".into(), (5.0, f64::NAN), (10.0, 1.0));
        plot.line(1, false, "fit", &[(0.0, 0.0), (f64::NAN, 1.0), (10.0, 10.0)]);
        let text = drawn(plot.finish("a", "x", "y"));
        assert!(text.contains("cx=\"55\" cy=\"5\"") && text.contains("&lt;i&gt;"), "{text}");
        assert!(text.contains("d=\"M5 105L105 5\"") && !text.contains("NaN"), "{text}");
    }

    #[test]
    fn panels_and_legend_have_their_room() {
        let legend: Vec<(usize, String)> = (0..3).map(|style| (style, format!("series {style}"))).collect();
        let text = drawn(sheet("t", 2, (100.0, 80.0), vec![element("g"), element("g"), element("g")], &legend));
        assert!(text.contains("viewBox=\"0 0 200 200\"") && text.contains("translate(0 80)"), "{text}");
        assert_eq!(text.matches("series").count(), 3);
    }
}
