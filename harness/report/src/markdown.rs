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

fn escaped(cell: &str) -> String {
    let mut safe = String::with_capacity(cell.len());
    for letter in plain(cell).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // A name that is mentioned or an address is no link either.
            '@' => safe.push_str("&#64;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '~' => safe.extend(['\\', letter]),
            letter => safe.push(letter),
        }
    }
    safe
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
    fn no_rows_are_a_header() {
        assert_eq!(markdown_table(&words(&["a"]), &[]), "| a |\n| --- |\n");
    }
}
