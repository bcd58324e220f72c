//! A `tokenizer.json` of anybody's, to see how much of a dataset it does not know.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::error::MoleculesError;

/// Texts that stand for what a tokenizer does not know, where its file does not say which does.
const USUAL: [&str; 4] = ["[UNK]", "<unk>", "<UNK>", "[unk]"];

/// A tokenizer as its file says.
pub struct AnyTokenizer {
    inner: Tokenizer,
    unknown: Vec<u32>,
}

impl AnyTokenizer {
    /// Reads the file.
    ///
    /// # Errors
    /// [`MoleculesError::Io`] if it cannot be read, [`MoleculesError::Damaged`] if it is no tokenizer.
    pub fn open(path: &Path) -> Result<Self, MoleculesError> {
        let json = std::fs::read(path).map_err(MoleculesError::io("read", path))?;
        let inner = Tokenizer::from_bytes(&json).map_err(|error| MoleculesError::damaged(path, error.to_string()))?;
        let file: serde_json::Value =
            serde_json::from_slice(&json).map_err(|error| MoleculesError::damaged(path, error.to_string()))?;
        // `unk_token` of word-level, WordPiece and BPE models, `unk_id` of unigram models.
        let model = &file["model"];
        let said = model["unk_token"].as_str().and_then(|text| inner.token_to_id(text));
        let said = said.or_else(|| model["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()));
        let unknown = match said {
            Some(id) => vec![id],
            None => USUAL.iter().filter_map(|text| inner.token_to_id(text)).collect(),
        };
        Ok(Self { inner, unknown })
    }

    /// Tokens of a molecule without special ones, and those of them that are unknown. Letters that no token covers, as tokenizers without
    /// a token for the unknown drop them, count as a token each, and as unknown.
    ///
    /// # Errors
    /// [`MoleculesError::Tokenizer`] for a molecule that the tokenizer refuses.
    pub fn count(&self, smiles: &str) -> Result<(u64, u64), MoleculesError> {
        let encoding = self
            .inner
            .encode_char_offsets(smiles, false)
            .map_err(|error| MoleculesError::Tokenizer { at: smiles.into(), what: error.to_string() })?;
        let unknown = encoding.get_ids().iter().filter(|id| self.unknown.contains(id)).count();
        let mut covered = vec![false; smiles.chars().count()];
        for (from, to) in encoding.get_offsets() {
            covered.iter_mut().take(*to).skip(*from).for_each(|letter| *letter = true);
        }
        // What is cut off at the tokenizer's own longest length is not unknown.
        let end = covered.iter().rposition(|covered| *covered).map_or(0, |last| last + 1);
        let end = if encoding.get_overflowing().is_empty() { covered.len() } else { end };
        let dropped = covered[..end].iter().filter(|covered| !**covered).count();
        Ok(((encoding.len() + dropped) as u64, (unknown + dropped) as u64))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn opened(model: &str) -> AnyTokenizer {
        let file = tempfile::NamedTempFile::new().unwrap();
        let split = r#"{"type":"Split","pattern":{"Regex":"."},"behavior":"Isolated","invert":false}"#;
        let json = format!(
            r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":{split},
            "post_processor":null,"decoder":null,"model":{model}}}"#
        );
        std::fs::write(file.path(), json).unwrap();
        AnyTokenizer::open(file.path()).unwrap()
    }

    #[test]
    fn unknown_letters_are_counted_whether_marked_or_dropped() {
        let marked = opened(r#"{"type":"WordLevel","vocab":{"[UNK]":0,"C":1,"O":2},"unk_token":"[UNK]"}"#);
        assert_eq!(marked.count("CCO").unwrap(), (3, 0));
        assert_eq!(marked.count("C[Na]O").unwrap(), (6, 4));
        let dropping = opened(r#"{"type":"BPE","vocab":{"C":0,"O":1},"merges":[],"unk_token":null}"#);
        assert_eq!(dropping.count("C[Na]O").unwrap(), (6, 4));
        assert_eq!(dropping.count("").unwrap(), (0, 0));
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{}").unwrap();
        assert!(matches!(AnyTokenizer::open(file.path()), Err(MoleculesError::Damaged { .. })));
    }
}
