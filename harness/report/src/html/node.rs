//! A page as a tree of typed nodes. Foreign text enters as [`Node::Text`] or as an attribute's value, and both leave through
//! one function, [`escape`]; names of elements and attributes are our own words.

use std::fmt::Write as _;

use clmbench_protocol::is_unsafe_to_show;

/// Elements without content.
const VOID: [&str; 3] = ["meta", "br", "hr"];
/// Shapes of drawings: without children they end in themselves, as XML and the SVG of a page both read.
const SHAPES: [&str; 3] = ["circle", "path", "rect"];

/// A part of a page.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// An element.
    Element(Element),
    /// Text.
    Text(String),
    /// The page's own style sheet.
    Style(&'static str),
    /// The page's own script.
    Script(&'static str),
}

/// An element with attributes and children.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

/// An element of this name.
pub(crate) fn element(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), children: Vec::new() }
}

/// An element that holds a text.
pub(crate) fn with_text(name: &'static str, text: impl Into<String>) -> Element {
    element(name).text(text)
}

impl Element {
    /// The same with an attribute.
    pub fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// The same with an attribute, in place of one of that name.
    pub fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.retain(|(known, _)| *known != name);
        self.attribute(name, value)
    }

    /// The same without an attribute.
    pub fn without(mut self, name: &str) -> Self {
        self.attributes.retain(|(known, _)| *known != name);
        self
    }

    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The same without the elements of this name, at any depth, and without the groups that only held them and others together.
    pub fn prune(mut self, name: &str) -> Self {
        for child in std::mem::take(&mut self.children) {
            match child {
                Node::Element(element) if element.name == name => {}
                Node::Element(element) if element.name == "g" && element.attributes.is_empty() => {
                    self.children.extend(element.prune(name).children);
                }
                Node::Element(element) => self.children.push(Node::Element(element.prune(name))),
                other => self.children.push(other),
            }
        }
        self
    }

    /// The same with a child before all others.
    pub fn first(mut self, child: impl Into<Node>) -> Self {
        self.children.insert(0, child.into());
        self
    }

    /// The same with a class more.
    pub fn class(mut self, name: &str) -> Self {
        match self.attributes.iter_mut().find(|(known, _)| *known == "class") {
            Some((_, names)) => {
                names.push(' ');
                names.push_str(name);
                self
            }
            None => self.attribute("class", name),
        }
    }

    /// The same with a text at its end.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.children.push(Node::Text(text.into()));
        self
    }

    /// The same with a child at its end.
    pub fn child(mut self, child: impl Into<Node>) -> Self {
        self.children.push(child.into());
        self
    }

    /// The same with children at its end.
    pub fn children<N: Into<Node>>(mut self, children: impl IntoIterator<Item = N>) -> Self {
        self.children.extend(children.into_iter().map(Into::into));
        self
    }
}

impl From<Element> for Node {
    fn from(element: Element) -> Self {
        Self::Element(element)
    }
}

impl Node {
    /// Writes it as HTML.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(&escape(text)),
            Self::Style(text) => _ = write!(out, "<style>{text}</style>"),
            Self::Script(text) => _ = write!(out, "<script>{text}</script>"),
            Self::Element(element) => {
                _ = write!(out, "<{}", element.name);
                for (name, value) in &element.attributes {
                    _ = write!(out, " {name}=\"{}\"", escape(value));
                }
                if element.children.is_empty() && SHAPES.contains(&element.name) {
                    out.push_str("/>");
                    return;
                }
                out.push('>');
                if VOID.contains(&element.name) {
                    return;
                }
                element.children.iter().for_each(|child| child.write(out));
                _ = write!(out, "</{}>", element.name);
                if BLOCKS.contains(&element.name) {
                    out.push('\n');
                }
            }
        }
    }
}

/// Elements that end a line, so that the source can be read and compared.
const BLOCKS: [&str; 16] =
    ["h1", "h2", "h3", "p", "table", "tr", "li", "ul", "section", "figure", "svg", "dl", "details", "head", "nav", "header"];

/// Text that is text wherever it stands, between tags or in a quoted attribute: markup becomes references, and what steers a
/// terminal or reorders lines becomes U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(letter),
            letter if is_unsafe_to_show(letter) => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text_between_tags_and_in_attributes() {
        let evil = "</script><img src=x onerror=alert(1)>\" onload='x' &amp; \u{1b}[2J\u{9b}m\u{202e}";
        let mut out = String::new();
        Node::from(element("p").attribute("aria-label", evil).text(evil)).write(&mut out);
        assert_eq!(out.matches('<').count(), 2, "{out}");
        let quoted =
            "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot; onload=&#39;x&#39; &amp;amp; \u{fffd}[2J\u{fffd}m\u{fffd}";
        assert_eq!(out, format!("<p aria-label=\"{quoted}\">{quoted}</p>\n"));
    }

    #[test]
    fn elements_nest_and_void_ones_have_no_end() {
        let mut out = String::new();
        let page = element("div").child(with_text("b", "x")).children([element("br"), element("hr")]);
        Node::from(page).write(&mut out);
        assert_eq!(out, "<div><b>x</b><br><hr></div>");
    }

    #[test]
    fn shapes_are_short_and_classes_add_up() {
        let mut out = String::new();
        let group = element("g").child(with_text("title", "t")).child(element("path").class("a").class("b"));
        let drawing = element("svg").child(group).child(element("circle").child(with_text("title", "t")));
        Node::from(drawing.clone()).write(&mut out);
        assert_eq!(out, "<svg><g><title>t</title><path class=\"a b\"/></g><circle><title>t</title></circle></svg>\n");
        out.clear();
        Node::from(drawing.prune("title")).write(&mut out);
        assert_eq!(out, "<svg><path class=\"a b\"/><circle/></svg>\n");
    }
}
