//! "Did you mean": the known name nearest to a misspelt one.

/// The known name most like `name` by Jaro-Winkler similarity, if any is at least 0.7 alike.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.7)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate.to_owned())
}

/// ` Did you mean `x`?`, or a list of what there is, or nothing. Starts with a space when not empty.
pub fn hint(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(candidate) => format!(" Did you mean `{candidate}`?"),
        None if known.is_empty() => String::new(),
        None => {
            let shown: Vec<String> = known.iter().take(12).map(|candidate| format!("`{candidate}`")).collect();
            let more = if known.len() > shown.len() { ", ..." } else { "." };
            format!(" Known: {}{more}", shown.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{hint, nearest};

    #[test]
    fn a_slip_of_the_finger_finds_its_name_and_nonsense_finds_none() {
        let known = ["tokens", "checkpoints", "architecture"];
        assert_eq!(nearest("token", known), Some("tokens".to_owned()));
        assert_eq!(nearest("Architectrue", known), Some("architecture".to_owned()));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(hint("zzz", &known), " Known: `tokens`, `checkpoints`, `architecture`.");
        assert_eq!(hint("zzz", &[]), "");
    }
}
