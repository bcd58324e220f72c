//! Enough of Rust's lexer to tell code, strings and comments apart, and to know which lines are test code.

/// A line of a Rust file.
#[derive(Debug, Default, Clone)]
pub struct Line {
    /// Code alone: comments gone, strings and characters blank.
    pub code: String,
    /// Code with its strings; comments gone.
    pub text: String,
    /// Comments alone.
    pub comment: String,
    /// Whether only tests are built with it.
    pub test: bool,
}

#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    BlockComment(u32),
    /// In a string; with the number of `#` if it is raw.
    Text(Option<usize>),
}

/// Splits a file; `test` says that all of it is test code.
pub fn lines(source: &str, test: bool) -> Vec<Line> {
    let chars: Vec<char> = source.chars().collect();
    let mut lines = vec![Line::default()];
    let (mut state, mut at) = (State::Code, 0);
    while at < chars.len() {
        let (here, next) = (chars[at], chars.get(at + 1).copied().unwrap_or('\0'));
        let mut width = 1;
        // Where the characters go: code, string or comment.
        let mut kind = state;
        match state {
            State::Code if here == '/' && next == '/' => (kind, state) = (State::LineComment, State::LineComment),
            State::Code if here == '/' && next == '*' => {
                (kind, state, width) = (State::BlockComment(1), State::BlockComment(1), 2);
            }
            State::Code if here == '"' => state = State::Text(None),
            State::Code if here == 'r' && !continues_word(&chars, at) => {
                if let Some(hashes) = raw_string(&chars, at + 1) {
                    (state, width) = (State::Text(Some(hashes)), hashes + 2);
                }
            }
            State::Code if here == '\'' => {
                width = character(&chars, at);
                kind = if width > 1 { State::Text(None) } else { State::Code };
            }
            State::LineComment if here == '\n' => state = State::Code,
            State::BlockComment(depth) if here == '/' && next == '*' => (state, width) = (State::BlockComment(depth + 1), 2),
            State::BlockComment(depth) if here == '*' && next == '/' => {
                state = if depth == 1 { State::Code } else { State::BlockComment(depth - 1) };
                width = 2;
            }
            State::Text(None) if here == '\\' => width = 2,
            State::Text(None) if here == '"' => (kind, state) = (State::Code, State::Code),
            State::Text(Some(hashes)) if here == '"' && (1..=hashes).all(|i| chars.get(at + i) == Some(&'#')) => {
                (kind, state, width) = (State::Code, State::Code, hashes + 1);
            }
            _ => {}
        }
        for &c in chars.iter().skip(at).take(width) {
            push(&mut lines, c, kind);
        }
        at += width;
    }
    mark_tests(&mut lines, test);
    lines
}

fn push(lines: &mut Vec<Line>, c: char, kind: State) {
    if c == '\n' {
        lines.push(Line::default());
        return;
    }
    let Some(line) = lines.last_mut() else { return };
    match kind {
        State::Code => {
            line.code.push(c);
            line.text.push(c);
        }
        State::Text(_) => {
            line.code.push(' ');
            line.text.push(c);
        }
        State::LineComment | State::BlockComment(_) => line.comment.push(c),
    }
}

/// Whether the letter at `at` belongs to a longer word (a `br"..."` is a string all the same).
fn continues_word(chars: &[char], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|i| chars.get(i)).copied().unwrap_or(' ');
    is_word(before(1)) && (!matches!(before(1), 'b' | 'c') || is_word(before(2)))
}

/// The number of `#` if a raw string's quote follows.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars.iter().skip(at).take_while(|c| **c == '#').count();
    (chars.get(at + hashes) == Some(&'"')).then_some(hashes)
}

/// Width of the character literal at a `'`; 1 if it is a lifetime.
fn character(chars: &[char], at: usize) -> usize {
    match chars.get(at + 1) {
        Some('\\') => chars.iter().skip(at + 3).position(|c| *c == '\'').map_or(1, |end| end + 4),
        Some(_) if chars.get(at + 2) == Some(&'\'') => 3,
        _ => 1,
    }
}

/// Letters, digits and `_`.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the code holds this word, not as a part of a longer one.
pub fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_none_or(|c| !is_word(c));
        before && code[at + word.len()..].chars().next().is_none_or(|c| !is_word(c))
    })
}

/// Whether the code calls this macro.
pub fn calls_macro(code: &str, name: &str) -> bool {
    let call = format!("{name}!");
    code.match_indices(&call).any(|(at, _)| code[..at].chars().next_back().is_none_or(|c| !is_word(c)))
}

/// Marks the items under `#[cfg(test)]`.
fn mark_tests(lines: &mut [Line], all: bool) {
    let all = all || lines.iter().any(|line| line.code.replace(' ', "").contains("#![cfg(test)]"));
    if all {
        lines.iter_mut().for_each(|line| line.test = true);
        return;
    }
    let mut index = 0;
    while index < lines.len() {
        if is_test_attribute(&lines[index].code) {
            let end = item_end(lines, index);
            lines[index..=end].iter_mut().for_each(|line| line.test = true);
            index = end;
        }
        index += 1;
    }
}

fn is_test_attribute(code: &str) -> bool {
    let code = code.replace(' ', "");
    code.contains("#[cfg(") && has_word(&code, "test") && !code.contains("not(test")
}

/// Line on which the item that begins on line `start` (with its attributes) ends.
fn item_end(lines: &[Line], start: usize) -> usize {
    let (mut braces, mut others) = (0u32, 0u32);
    for (index, line) in lines.iter().enumerate().skip(start) {
        for c in line.code.chars() {
            match c {
                '(' | '[' => others += 1,
                ')' | ']' => others = others.saturating_sub(1),
                '{' => braces += 1,
                '}' if braces == 1 => return index,
                '}' => braces = braces.saturating_sub(1),
                ';' if braces == 0 && others == 0 => return index,
                _ => {}
            }
        }
    }
    lines.len().saturating_sub(1)
}

/// Files that are bodies of `mod name;` under `#[cfg(test)]`.
pub fn test_modules(path: &str, lines: &[Line]) -> Vec<String> {
    declared(path, lines).filter(|(_, test)| *test).flat_map(|(files, _)| files).collect()
}

/// Files that may be bodies of any `mod name;`.
pub fn modules(path: &str, lines: &[Line]) -> Vec<String> {
    declared(path, lines).flat_map(|(files, _)| files).collect()
}

fn declared<'a>(path: &'a str, lines: &'a [Line]) -> impl Iterator<Item = (Vec<String>, bool)> + 'a {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.trim_end_matches(".rs");
    let below = if matches!(stem, "lib" | "main" | "mod") { folder.to_owned() } else { format!("{folder}/{stem}") };
    lines.iter().enumerate().filter_map(move |(index, line)| {
        let name = line
            .code
            .trim()
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub ")
            .strip_prefix("mod ")?
            .strip_suffix(';')?
            .trim()
            .to_owned();
        let above = index.checked_sub(1).map_or("", |above| lines[above].text.trim());
        let files = match above.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            Some(given) => vec![format!("{folder}/{given}")],
            None => vec![format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")],
        };
        Some((files, line.test))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_told_apart() {
        let source = "let a = \"x // no\"; // yes \"\nlet b = r#\"raw \" // no\"#; /* c /* nested */ still */ code();\n\
                      let c = '\"'; let d: &'static str = \"\\\"\"; end();\nlet e = b\"bytes\"; let f = br\"raw\\\"; g('\\''); h();\n";
        let lines = lines(source, false);
        assert_eq!(lines[0].code.replace(' ', ""), "leta=\"\";");
        assert_eq!(lines[0].text, "let a = \"x // no\"; ");
        assert_eq!(lines[0].comment, "// yes \"");
        assert!(lines[1].code.contains("code();") && !lines[1].code.contains("raw"));
        assert_eq!(lines[1].comment, "/* c /* nested */ still */");
        assert!(lines[2].code.contains("&'static str") && lines[2].code.contains("end();"), "{}", lines[2].code);
        assert!(lines[3].code.contains("h();"), "{}", lines[3].code);
    }

    #[test]
    fn items_under_cfg_test_are_test_code() {
        let source = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn b() { \"}\"; }\n}\nfn c() {}\n#[cfg(all(test, unix))]\nuse x;\n\
                      fn d() {}\n#[cfg(not(test))]\nfn e() {}\n";
        let marks: Vec<bool> = lines(source, false).iter().map(|line| line.test).collect();
        assert_eq!(marks, [false, true, true, true, true, true, false, true, true, false, false, false, false]);
        assert!(lines("#![cfg(test)]\nfn a() {}\n", false).iter().all(|line| line.test));
    }

    #[test]
    fn words_and_macros() {
        assert!(has_word("unsafe {", "unsafe") && !has_word("unsafe_code", "unsafe") && !has_word("munsafe", "unsafe"));
        assert!(calls_macro("std::println!(x)", "println") && !calls_macro("eprintln!(x)", "println"));
    }
}
