//! Rows as a Markdown table, for a pull request or an issue.

use crate::text::plain;

/// A table of GitHub's Markdown; columns whose cells are all numbers stand to the right. Foreign text is made harmless: no cell opens
/// another column, a line, a link, a picture, code or HTML.
pub fn markdown_table(headers: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let of = |row: &Vec<String>, index: usize| row.get(index).map_or_else(String::new, |cell| escaped(cell));
    let rule = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).filter(|cell| !cell.is_empty()).collect::<Vec<_>>();
        let number = |cell: &&String| cell.as_str() == crate::text::MISSING || cell.parse::<f64>().is_ok();
        if !cells.is_empty() && cells.iter().all(number) { "---:" } else { "---" }.to_owned()
    };
    let mut text = line(headers.iter().map(|header| escaped(header)).collect());
    text += &line((0..headers.len()).map(rule).collect());
    for row in rows {
        text += &line((0..headers.len()).map(|index| of(row, index)).collect());
    }
    text
}

/// Foreign text as plain words: nothing of it is markup, code, HTML, a picture, a mention or a link, typed out or not.
pub(crate) fn escaped(text: &str) -> String {
    let text = plain(text);
    let mut safe = String::with_capacity(text.len());
    for (place, letter) in text.char_indices() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' => safe.push_str("&#64;"),
            // GitHub links addresses that are only typed out: of every scheme, and those that begin with `www.`.
            ':' if text[place..].starts_with("://") => safe.push_str("&#58;"),
            '.' if ends_with_www(&text[..place]) => safe.push_str("&#46;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '~' => safe.extend(['\\', letter]),
            letter => safe.push(letter),
        }
    }
    safe
}

fn ends_with_www(text: &str) -> bool {
    text.len().checked_sub(3).and_then(|start| text.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn numbers_stand_to_the_right_and_foreign_text_stays_in_its_cell() {
        let rows = [words(&["a|b\n| c", "1.5", "–"]), words(&["<img src=x> `x` ![p](u) @you\u{1b}[2J", "-2"])];
        let expected = "\
| na\\_me | r | q |
| --- | ---: | ---: |
| a\\|b \\| c | 1.5 | – |
| &lt;img src=x&gt; \\`x\\` \\!\\[p\\](u) &#64;you\\[2J | -2 |  |
";
        assert_eq!(markdown_table(&words(&["na_me", "r", "q"]), &rows), expected);
    }

    #[test]
    fn addresses_are_no_links() {
        for (text, expected) in [
            ("http://a.b/x", "http&#58;//a.b/x"),
            ("HTTPS://a.b ftp://c.d", "HTTPS&#58;//a.b ftp&#58;//c.d"),
            ("www.a.b, Www.c.d", "www&#46;a.b, Www&#46;c.d"),
            ("a: b/c 1.5 \u{e9}ww.", "a: b/c 1.5 \u{e9}ww."),
            ("@a <b> `c` | *d* [e](https://f)", "&#64;a &lt;b&gt; \\`c\\` \\| \\*d\\* \\[e\\](https&#58;//f)"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn no_rows_are_a_header() {
        assert_eq!(markdown_table(&words(&["a"]), &[]), "| a |\n| --- |\n");
    }
}
