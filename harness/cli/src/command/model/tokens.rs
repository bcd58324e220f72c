//! The tokenizer of a checkpoint's folder, for people: what its special tokens are called.

use std::{fs::File, io::Read as _, path::Path};

use clmbench_protocol::Special;
use serde::Serialize;
use serde_json::Value;

use crate::console::one_line;

/// Largest `tokenizer.json` that is looked into.
const MOST_BYTES: u64 = 64 << 20;

/// A special token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecialToken {
    /// `pad`, `unknown`, `start`, `end`, `mask` or `other`.
    pub role: &'static str,
    /// Its id.
    pub id: u16,
    /// Its text; none if the file does not say it.
    pub text: Option<String>,
}

/// The special tokens with their texts, as the `tokenizer.json` in the folder has them.
pub fn special(folder: &Path, special: &Special) -> Vec<SpecialToken> {
    let file = read(&folder.join("tokenizer.json")).unwrap_or_default();
    let mut found = vec![("pad", Some(special.pad)), ("unknown", special.unknown), ("start", special.start)];
    found.extend([("end", special.end), ("mask", special.mask)]);
    found.extend(special.others.iter().map(|id| ("other", Some(*id))));
    let token = |(role, id): (&'static str, Option<u16>)| id.map(|id| SpecialToken { role, id, text: text(&file, id) });
    found.into_iter().filter_map(token).collect()
}

/// `pad [PAD] 0, unknown [UNK] 1`.
pub fn shown(tokens: &[SpecialToken]) -> String {
    let one = |token: &SpecialToken| {
        let text = token.text.as_ref().map(|text| format!("{} ", one_line(text, 40))).unwrap_or_default();
        format!("{} {text}{}", token.role, token.id)
    };
    const MOST: usize = 12;
    let mut words: Vec<String> = tokens.iter().take(MOST).map(one).collect();
    if tokens.len() > MOST {
        words.push(format!("and {} more", tokens.len() - MOST));
    }
    words.join(", ")
}

/// A JSON file of the worker's.
pub fn read(path: &Path) -> Option<Value> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The text of an id: among the added tokens, else in the vocabulary.
fn text(file: &Value, id: u16) -> Option<String> {
    let added = file["added_tokens"].as_array().into_iter().flatten();
    let added = added.filter(|token| token["id"].as_u64() == Some(u64::from(id))).find_map(|token| token["content"].as_str());
    let of_vocabulary = || {
        let vocabulary = file["model"]["vocab"].as_object()?;
        vocabulary.iter().find(|(_, number)| number.as_u64() == Some(u64::from(id))).map(|(text, _)| text.as_str())
    };
    added.or_else(of_vocabulary).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn special_tokens_have_their_texts() {
        let folder = tempfile::tempdir().unwrap();
        let json = r#"{"added_tokens":[{"id":0,"content":"<pad>"}],"model":{"vocab":{"<pad>":9,"<unk>":3,"C":4}}}"#;
        std::fs::write(folder.path().join("tokenizer.json"), json).unwrap();
        let ids = Special { pad: 0, unknown: Some(3), start: None, end: Some(7), mask: None, others: vec![4] };
        let found = special(folder.path(), &ids);
        assert_eq!(shown(&found), "pad <pad> 0, unknown <unk> 3, end 7, other C 4");
        std::fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
        assert_eq!(shown(&special(folder.path(), &ids)), "pad 0, unknown 3, end 7, other 4");
    }
}
