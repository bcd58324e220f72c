//! Part of a plan: the cells that patterns name, and everything they need.

use super::Plan;

/// Stages of cells, in the order in which they are computed.
pub const STAGES: [&str; 6] = ["import", "tokenise", "pretrain", "embed", "measure", "transfer"];
/// Keys that an error names.
const NAMED: usize = 3;

/// The cells to compute of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    wanted: Vec<bool>,
}

/// A pattern that names no cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no cell of the suite is named by `{pattern}`")]
pub struct NoMatch {
    /// The pattern.
    pub pattern: String,
    /// The keys most like it, the likest first.
    pub nearest: Vec<String>,
}

impl Selection {
    /// Whether the cell of this index is to be computed.
    pub fn holds(&self, index: usize) -> bool {
        self.wanted.get(index).copied().unwrap_or(false)
    }
}

impl Plan {
    /// The cells that any of the patterns names, and all that they need. A pattern is a stage, a key, or a key with `*` (any
    /// text, also with `/`) and `?` (one character).
    ///
    /// # Errors
    /// [`NoMatch`] for the first pattern that names nothing.
    pub fn select(&self, patterns: &[String]) -> Result<Selection, NoMatch> {
        let mut wanted = vec![false; self.cells.len()];
        for pattern in patterns {
            let mut any = false;
            for (index, cell) in self.cells.iter().enumerate() {
                if cell.stage == pattern || fits(pattern, &cell.key) {
                    (wanted[index], any) = (true, true);
                }
            }
            if !any {
                return Err(NoMatch { pattern: pattern.clone(), nearest: self.nearest_keys(pattern) });
            }
        }
        // Cells need earlier ones only, so one pass from the end reaches everything.
        for index in (0..self.cells.len()).rev() {
            if wanted[index] {
                self.cells[index].needs.iter().for_each(|need| wanted[*need] = true);
            }
        }
        Ok(Selection { wanted })
    }

    fn nearest_keys(&self, pattern: &str) -> Vec<String> {
        let plain: String = pattern.to_lowercase().chars().filter(|letter| !matches!(letter, '*' | '?')).collect();
        let stages = STAGES.iter().filter(|stage| self.cells.iter().any(|cell| cell.stage == **stage)).copied();
        let keys = self.cells.iter().map(|cell| cell.key.as_str());
        let mut likely: Vec<(f64, &str)> =
            stages.chain(keys).map(|key| (strsim::jaro_winkler(&plain, &key.to_lowercase()), key)).collect();
        likely.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
        likely.dedup_by_key(|(_, key)| *key);
        likely.into_iter().take(NAMED).map(|(_, key)| key.to_owned()).collect()
    }
}

/// Whether a text is of the form of a pattern with `*` and `?`.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                // The last star takes one character more.
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, seen) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_are_those_of_a_shell_over_whole_keys() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("*", "pretrain/a/b", true),
            ("pretrain/*", "pretrain/a/b", true),
            ("*/freesolv", "embed/a/freesolv", true),
            ("*/freesolv", "embed/a/freesolv/probe", false),
            ("*free*probe", "transfer/freesolv/probe", true),
            ("seed?", "seed1", true),
            ("seed?", "seed", false),
            ("seed?", "seed12", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("é?", "éa", true),
            ("pretrain", "pretrain/a", false),
            ("[ab]", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
