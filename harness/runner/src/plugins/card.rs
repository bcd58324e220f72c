//! `plugin.toml`: what makes a folder a plugin.

use serde::Deserialize;

/// The three lines of a `plugin.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Crate name of the plugin; also the name of its folder where `clmbench plugin build` installs it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// File name of the library in the same folder.
    pub library: String,
}

impl Card {
    /// Name of the file.
    pub const FILE: &str = "plugin.toml";

    /// Reads the text of a `plugin.toml`. Name and library must be plain file names, since paths are made of them.
    ///
    /// # Errors
    /// What is wrong, without a full stop.
    pub fn parse(text: &str) -> Result<Self, String> {
        let card: Self =
            toml::from_str(text).map_err(|error| error.message().lines().next().unwrap_or("not valid").to_owned())?;
        let plain = |text: &str| !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\0']);
        for (key, value) in [("name", &card.name), ("library", &card.library)] {
            if !plain(value) {
                return Err(format!("`{key}` must be a file name in the same folder"));
            }
        }
        Ok(card)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Card;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let text = |name: &str, library: &str| format!("name = \"{name}\"\nversion = \"0.1.0\"\nlibrary = \"{library}\"\n");
        assert_eq!(Card::parse(&text("p", "libp.so")).unwrap().library, "libp.so");
        for (name, library) in [("../p", "libp.so"), ("", "libp.so"), ("p", "/tmp/libp.so"), ("p", "..")] {
            assert!(Card::parse(&text(name, library)).unwrap_err().contains("must be a file name"));
        }
        assert!(Card::parse(&format!("{}author = \"a\"\n", text("p", "l.so"))).unwrap_err().contains("author"));
    }
}
