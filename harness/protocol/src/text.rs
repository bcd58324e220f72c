//! Text from elsewhere (plugins, SMILES, logs, errors of tools) on its way to a person.

/// Whether a character could steer a terminal or deceive a reader: controls, marks that reorder text, and invisible ones.
/// Line breaks and tabs are among them. Whoever shows foreign text drops or replaces these.
pub fn is_unsafe_to_show(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::is_unsafe_to_show;

    #[test]
    fn chemistry_passes_and_tricks_do_not() {
        assert!("C[C@H](N)C(=O)O ±é…\u{3b1}".chars().all(|character| !is_unsafe_to_show(character)));
        assert!("\u{1b}\u{7}\n\t\u{9b}\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}".chars().all(is_unsafe_to_show));
    }
}
