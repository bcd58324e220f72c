//! Figures in the page and as files: a frame with title, drawing, caption and the numbers; an SVG that stands alone; a CSV.

use super::{
    STYLE,
    figures::{Data, Figure},
    node::{Element, Node, element, with_text},
    note,
};
use crate::csv::csv_lines;

/// Rows of a figure's data that stand in the page as a table.
const MOST_ROWS: usize = 10;
/// Characters of the data of one figure that the page carries beyond its table.
const MOST_TEXT: usize = 20_000;
/// Characters of the data of all figures that the page carries beyond their tables.
const MOST_TEXT_OF_ALL: usize = 250_000;

/// Characters of a drawing whose marks have texts of their own.
const MOST_DRAWING: usize = 60_000;

/// A figure as two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureFile {
    /// Name without ending: letters, digits and `-`.
    pub name: String,
    /// The drawing, with its colours, for a light background.
    pub svg: String,
    /// The numbers that are drawn.
    pub csv: String,
}

/// The figure as files.
pub(crate) fn file(figure: &Figure) -> FigureFile {
    FigureFile { name: figure.id.clone(), svg: standalone(figure), csv: csv(&figure.data) }
}

/// What the frames of a page may still carry.
pub(crate) struct Room(usize);

impl Room {
    /// That of a page without figures.
    pub fn new() -> Self {
        Self(MOST_TEXT_OF_ALL)
    }
}

/// The figure with its title, its caption, what it says to those who do not see it, and its numbers.
pub(crate) fn framed(figure: &Figure, room: &mut Room) -> Element {
    let (title, text) = (format!("{}-title", figure.id), format!("{}-text", figure.id));
    let drawing = light_enough(drawing(figure)).set("aria-labelledby", title.clone()).set("aria-describedby", text.clone());
    let numbers = element("details")
        .child(with_text("summary", "In words and numbers"))
        .child(with_text("p", figure.alternative.clone()).attribute("id", text))
        .children(table(figure, room));
    element("figure")
        .attribute("id", figure.id.clone())
        .child(with_text("p", figure.title.clone()).class("title").attribute("id", title))
        .child(scrolled(drawing, &figure.title))
        .child(with_text("figcaption", figure.caption.clone()))
        .child(numbers)
}

/// A drawing that is wider than a telephone in a box that scrolls, by keys too.
fn scrolled(drawing: Element, title: &str) -> Element {
    if !drawing.get("class").is_some_and(|classes| classes.split(' ').any(|class| class == "wide")) {
        return drawing;
    }
    let box_of = element("div").class("scroll").attribute("tabindex", "0").attribute("role", "region");
    box_of.attribute("aria-label", format!("Drawing: {title}")).child(drawing)
}

/// A large drawing without the texts of its marks, which are shown where the pointer rests: they are in the numbers, and in the file.
fn light_enough(drawing: Element) -> Element {
    let mut text = String::new();
    Node::from(drawing.clone()).write(&mut text);
    if text.len() > MOST_DRAWING { drawing.prune("title") } else { drawing }
}

/// The drawing as an image that its title names; a label of its own would be read in the title's place.
fn drawing(figure: &Figure) -> Element {
    figure.drawing.clone().without("aria-label").set("role", "img")
}

/// The first rows, and the rest as CSV out of sight where there is room for it: what the page offers as a file is whole.
fn table(figure: &Figure, room: &mut Room) -> Vec<Node> {
    let data = &figure.data;
    let shown = data.rows.len().min(MOST_ROWS);
    let value = |cell: &str| cell.parse::<f64>().ok().filter(|value| value.is_finite());
    let number = |column: usize| {
        let mut cells = data.rows[..shown].iter().map(|row| row[column].as_str()).filter(|cell| !cell.is_empty()).peekable();
        cells.peek().is_some() && cells.all(|cell| value(cell).is_some())
    };
    let numbers: Vec<bool> = (0..data.columns.len()).map(number).collect();
    // A number that is not shown whole has its digits in the attribute.
    let cell = |(cell, number): (&String, &bool)| match value(cell).filter(|_| *number).map(|value| short(cell, value)) {
        Some(text) if text == *cell => with_text("td", text),
        Some(text) => with_text("td", text).attribute("data-v", cell.clone()),
        None if *number => with_text("td", cell.clone()),
        None => with_text("td", cell.clone()).class("word"),
    };
    let line = |row: &Vec<String>| element("tr").children(row.iter().zip(&numbers).map(cell));
    let headers = data.columns.iter().zip(&numbers).map(|(name, number)| {
        with_text("th", name.clone()).attribute("scope", "col").class(if *number { "number" } else { "word" })
    });
    let label = format!("Numbers of the figure: {}", figure.title);
    let drawn = element("table")
        .child(with_text("caption", "Numbers that are drawn"))
        .child(element("thead").child(element("tr").children(headers)))
        .child(element("tbody").children(data.rows[..shown].iter().map(line)));
    let scroll = element("div").class("scroll").attribute("tabindex", "0").attribute("role", "region");
    let mut nodes: Vec<Node> = vec![scroll.attribute("aria-label", label).child(drawn).into()];
    if shown < data.rows.len() {
        let rest = csv_lines(&data.rows[shown..]);
        let more = data.rows.len() - shown;
        if rest.len() <= MOST_TEXT.min(room.0) {
            room.0 -= rest.len();
            nodes.push(note(format!("{more} more in {}.csv.", figure.id)));
            nodes.push(with_text("pre", rest).class("rest").attribute("hidden", "hidden").into());
        } else {
            let words = format!("{more} more in {}.csv, which clmbench report --figures DIR writes.", figure.id);
            nodes.push(with_text("p", words).class("note elsewhere").into());
        }
    }
    nodes
}

/// At most five digits of a number in a table; its digits are in the attribute.
fn short(text: &str, value: f64) -> String {
    if text.trim_start_matches('-').len() <= 8 {
        return text.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-3..1e5).contains(&size) {
        let digits = (4 - size.max(1e-3).log10().floor() as i32).clamp(0, 7) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.4e}")
    }
}

/// The numbers with a header.
fn csv(data: &Data) -> String {
    csv_lines(std::slice::from_ref(&data.columns)) + &csv_lines(&data.rows)
}

/// The drawing as a file of its own: its rules of style with the colours of a light page, on white.
fn standalone(figure: &Figure) -> String {
    let view = figure.drawing.get("viewBox").unwrap_or("0 0 360 250").to_owned();
    let mut size = view.split(' ').skip(2).map(str::to_owned);
    let (width, height) = (size.next().unwrap_or_default(), size.next().unwrap_or_default());
    let back = element("rect").attribute("width", "100%").attribute("height", "100%").attribute("fill", "var(--paper)");
    let drawing = drawing(figure)
        .set("xmlns", "http://www.w3.org/2000/svg")
        .set("width", width)
        .set("height", height)
        .first(back)
        .first(Node::Style(RULES))
        .first(with_text("desc", figure.alternative.clone()))
        .first(with_text("title", figure.title.clone()));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    Node::from(drawing).write(&mut text);
    let rules: String = STYLE.lines().filter(|line| line.starts_with("svg ")).collect::<Vec<_>>().join(" ");
    light(&text.replacen(RULES, &rules, 1))
}

/// Stands for the rules of style until they are put in.
const RULES: &str = "/*rules*/";

/// The text with the page's colours on a light background by value.
fn light(text: &str) -> String {
    let root = STYLE.lines().find(|line| line.starts_with(":root")).unwrap_or_default();
    let declarations = root.trim_start_matches(":root {").trim_end_matches('}').split(';');
    let colours = declarations.filter_map(|declaration| declaration.trim().split_once(": "));
    colours
        .filter(|(name, _)| name.starts_with("--"))
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("var({name})"), value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn figure(rows: usize) -> Figure {
        let point = element("circle").class("dot").attribute("cx", "5").attribute("fill", "var(--mark)");
        Figure {
            id: "loss-against-size".into(),
            title: "Loss <b>".into(),
            caption: "Dots are runs.".into(),
            alternative: "It falls.".into(),
            drawing: element("svg").attribute("viewBox", "0 0 360 250").attribute("aria-label", "old").child(point),
            data: Data {
                columns: vec!["run".into(), "loss".into()],
                rows: (0..rows).map(|row| vec![format!("=run {row}"), format!("{}", 1.0 / (row as f64 + 3.0))]).collect(),
            },
        }
    }

    fn page(figure: &Figure) -> String {
        let mut text = String::new();
        Node::from(framed(figure, &mut Room::new())).write(&mut text);
        text
    }

    #[test]
    fn a_frame_has_a_name_a_description_and_the_numbers() {
        let text = page(&figure(3));
        assert!(
            text.contains("role=\"img\" aria-labelledby=\"loss-against-size-title\" aria-describedby=\"loss-against-size-text\"")
        );
        assert!(
            text.contains("id=\"loss-against-size-text\">It falls.") && !text.contains("old") && !text.contains("hidden"),
            "{text}"
        );
        assert!(text.contains("data-v=\"0.3333333333333333\">0.33333<") && text.contains("Loss &lt;b&gt;"), "{text}");
        let long = page(&figure(30));
        // Fourths, fifths, eighths and tenths are shown whole.
        assert_eq!((long.matches("data-v").count(), long.matches("<td>0.").count()), (MOST_ROWS - 4, 4));
        assert!(
            long.contains("20 more in loss-against-size.csv.") && long.contains("&quot;&#39;=run 29&quot;,0.03125\n"),
            "{long}"
        );
        let huge = page(&figure(5_000));
        assert!(
            huge.contains("4990 more in loss-against-size.csv, which") && !huge.contains("<pre"),
            "no more than there is room for"
        );
    }

    #[test]
    fn wide_drawings_scroll_in_a_box_of_their_own() {
        let mut wide = figure(1);
        assert!(!page(&wide).contains("Drawing: "));
        wide.drawing = wide.drawing.class("wide");
        let text = page(&wide);
        let start = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Drawing: Loss &lt;b&gt;\"><svg ";
        assert!(text.contains(start) && text.contains("</svg>\n</div><figcaption>"), "{text}");
    }

    #[test]
    fn files_stand_alone() {
        let files = file(&figure(2));
        assert_eq!(files.csv, "run,loss\n\"'=run 0\",0.3333333333333333\n\"'=run 1\",0.25\n");
        assert!(
            files.svg.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg viewBox=\"0 0 360 250\" role=\"img\" xmlns="),
            "{}",
            files.svg
        );
        assert!(files.svg.contains("fill=\"#0b57a4\"") && files.svg.contains(".dot { fill: #0b57a4"), "{}", files.svg);
        assert!(files.svg.contains("width=\"360\" height=\"250\"><title>Loss &lt;b&gt;</title>"), "{}", files.svg);
        assert!(!files.svg.contains("var(") && !files.svg.contains(RULES), "{}", files.svg);
    }

    #[test]
    fn numbers_in_tables_are_short() {
        let shown = |value: f64| short(&format!("{value}"), value);
        assert_eq!((shown(0.25), shown(1.0 / 3.0), shown(1e10 / 3.0)), ("0.25".into(), "0.33333".into(), "3.3333e9".into()));
        assert_eq!((shown(-12345.678912), shown(1e-9 / 3.0)), ("-12346".into(), "3.3333e-10".into()));
    }
}
