//! A strict reader of the XML that drawings are written in: elements, attributes in double quotes, text and the five references.

/// An element.
#[derive(Debug)]
pub struct Element {
    /// Its name.
    pub name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Its classes.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.get("class").unwrap_or_default().split(' ')
    }
}

/// The elements of a document in their order.
///
/// # Errors
/// What is not well-formed.
pub fn parsed(text: &str) -> Result<Vec<Element>, String> {
    let (mut elements, mut open, mut rest) = (Vec::new(), Vec::<String>::new(), text);
    while let Some(start) = rest.find('<') {
        characters(&rest[..start])?;
        if open.is_empty() && !(elements.is_empty() && rest[..start].is_empty()) {
            return Err(format!("something after the end: {}", shown(rest)));
        }
        let end = start + tag_end(&rest[start..]).ok_or_else(|| format!("a tag without end: {}", shown(&rest[start..])))?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Err(format!("</{name}> ends what is not open"));
            }
            continue;
        }
        let (tag, alone) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let element = element(tag)?;
        if !alone {
            open.push(element.name.clone());
        }
        elements.push(element);
    }
    match open.last() {
        Some(name) => Err(format!("<{name}> has no end")),
        None if rest.trim().is_empty() && !elements.is_empty() => Ok(elements),
        None => Err(format!("something after the end: {}", shown(rest))),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The next `>` that is not quoted.
fn tag_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(place, letter)| {
        quoted ^= letter == '"';
        (letter == '>' && !quoted).then_some(place)
    })
}

fn name(text: &str) -> Result<String, String> {
    let good = |letter: char| letter.is_ascii_alphanumeric() || "-_:".contains(letter);
    match text.starts_with(|letter: char| letter.is_ascii_alphabetic()) && text.chars().all(good) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{}` is no name", shown(text))),
    }
}

fn element(tag: &str) -> Result<Element, String> {
    let (first, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut found = Element { name: name(first)?, attributes: Vec::new() };
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"").ok_or_else(|| format!("an attribute without value: {}", shown(rest)))?;
        let (value, after) = after.split_once('"').ok_or_else(|| format!("a value without end: {}", shown(after)))?;
        characters(value)?;
        let key = name(key)?;
        if found.get(&key).is_some() {
            return Err(format!("{first} has {key} twice"));
        }
        found.attributes.push((key, value.to_owned()));
        rest = match after {
            "" => after,
            after => after.strip_prefix(' ').ok_or_else(|| format!("no blank before {}", shown(after)))?,
        };
    }
    Ok(found)
}

/// Text between tags or in a value.
fn characters(text: &str) -> Result<(), String> {
    let control = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t' | '\r');
    if text.contains('<') || text.contains(control) {
        return Err(format!("`<` or a control character in {}", shown(text)));
    }
    let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    match text.split('&').skip(1).find(|after| !known.iter().any(|name| after.starts_with(name))) {
        Some(after) => Err(format!("a bare & before {}", shown(after))),
        None => Ok(()),
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for good in ["<a/>", "<a b=\"1\" c=\"&lt;&#39;\">x<d/>y</a>", "<a b=\"x > y\"></a>"] {
        assert!(parsed(good).is_ok(), "{good}: {:?}", parsed(good));
    }
    for bad in [
        "",
        "<a>",
        "<a></b>",
        "<a b=1/>",
        "<a b=\"1\" b=\"2\"/>",
        "<a>&nbsp;</a>",
        "<a/><b/>",
        "<a b=\"<\"/>",
        "<a b=\"1\"c=\"2\"/>",
        "<a>\u{1}</a>",
        "<br>x",
    ] {
        assert!(parsed(bad).is_err(), "{bad}");
    }
}
