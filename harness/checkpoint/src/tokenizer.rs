//! The tokenizer of a folder: `tokenizer.json`, or one made of vocabulary files as `transformers` makes it; judged, tried under a time
//! limit, and with its special tokens found.

mod files;
mod judge;
mod special;
mod timed;
mod watch;

use std::collections::BTreeMap;

use clmbench_protocol::Special;
use serde_json::{Map, Value};

pub use judge::{LARGEST_ID, LONGEST_PATTERN};
pub use timed::{MEAN_LIMIT, ONE_LIMIT, TRIAL_LIMIT, Timed};

use crate::{
    error::{CheckpointError, shown},
    folder::Folder,
    json,
};

/// The regex of Schwaller et al. (ACS Cent. Sci. 2019, 5, 1572, doi 10.1021/acscentsci.9b00576), which cuts a SMILES into atoms and signs. MolFormer's
/// tokenizer has the same.
pub const SMILES_REGEX: &str =
    r"(\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?|>|\*|\$|\%[0-9]{2}|[0-9])";

/// A tokenizer that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundTokenizer {
    /// A `tokenizer.json`: the bytes of the folder's, unless truncation, padding or dropout had to be switched off.
    pub json: Vec<u8>,
    /// Ids of its special tokens.
    pub special: Special,
    /// Tokens that the files name by role and the tokenizer has: `bos_token` and so on, whether or not its template puts them.
    pub named: BTreeMap<String, u16>,
    /// Largest id, plus one.
    pub entries: u64,
    /// Kind of its model: `BPE`, `WordPiece`, `WordLevel` or `Unigram`.
    pub kind: String,
    /// What a reader should know, a sentence each.
    pub notes: Vec<String>,
}

/// The files beside the vocabulary that name special tokens.
struct Settings {
    config: Map<String, Value>,
    map: Map<String, Value>,
    model_type: String,
    pad: Option<u64>,
}

impl Settings {
    fn of(folder: &Folder) -> Result<Self, CheckpointError> {
        let model = folder.config()?;
        let mut config = folder.object("tokenizer_config.json")?.unwrap_or_default();
        if let Some(class) = model.get("tokenizer_class").filter(|class| class.is_string()) {
            config.entry("tokenizer_class").or_insert_with(|| class.clone());
        }
        let word = model.get("model_type").and_then(Value::as_str).unwrap_or_default();
        let map = folder.object("special_tokens_map.json")?.unwrap_or_default();
        Ok(Self { config, map, model_type: word.to_owned(), pad: model.get("pad_token_id").and_then(Value::as_u64) })
    }

    /// Text of the special token of a field such as `pad_token`.
    fn token(&self, field: &str) -> Option<&str> {
        [&self.config, &self.map].into_iter().find_map(|file| content(file.get(field)?))
    }

    fn flag(&self, field: &str, default: bool) -> bool {
        self.config.get(field).and_then(Value::as_bool).unwrap_or(default)
    }
}

/// A token as text or as `{"content": text, ...}`.
fn content(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

impl Folder {
    /// The tokenizer: `tokenizer.json`, else `vocab.txt`, else `vocab.json` with or without `merges.txt`. Truncation and padding of the file are
    /// switched off. It has been tried on some molecules under [`TRIAL_LIMIT`].
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] without any of these files; [`CheckpointError::Tokenizer`] for one that is damaged, has ids beyond [`LARGEST_ID`], is of an
    /// unknown class, or could take memory without end; [`CheckpointError::Slow`] and [`CheckpointError::GaveUp`] for one whose regular expressions have no end.
    pub fn tokenizer(&self) -> Result<FoundTokenizer, CheckpointError> {
        let settings = Settings::of(self)?;
        let mut notes = Vec::new();
        let (file, json, value) = match self.bytes("tokenizer.json")? {
            Some(bytes) => {
                let mut value = json::object("tokenizer.json", &bytes)?;
                notes.extend(settings.contradicts(&value));
                let switched = switch_off(&mut value);
                let json = if switched.is_empty() { bytes } else { written(&value)? };
                notes.extend(switched);
                ("tokenizer.json", json, value)
            }
            None => {
                let (file, value) = files::made(self, &settings, &mut notes)?;
                (file, written(&value)?, value)
            }
        };
        let timed = Timed::of_file(&json, &value, file)?;
        let entries = judge::entries(timed.tokenizer(), &value, file)?;
        let unknown = special::unknown(&timed, &value);
        let (special, named) = special::find(&timed, &settings, (entries, unknown), file, &mut notes)?;
        notes.extend(folds_case(&timed)?);
        let kind = judge::kind(timed.tokenizer()).to_owned();
        Ok(FoundTokenizer { json, special, named, entries, kind, notes })
    }
}

impl Settings {
    /// Where `tokenizer_config.json` says another thing than `tokenizer.json`, which goes first.
    fn contradicts(&self, tokenizer: &Map<String, Value>) -> Option<String> {
        let said = self.config.get("do_lower_case")?.as_bool()?;
        let normalizer = tokenizer.get("normalizer")?;
        let does = normalizer.get("lowercase")?.as_bool()?;
        (said != does).then(|| {
            format!("`tokenizer_config.json` says do_lower_case = {said}, but `tokenizer.json`, which is followed, has lowercase = {does}")
        })
    }
}

/// Whether aromatic and aliphatic carbon are one token, as where a tokenizer of English text lower-cases.
fn folds_case(timed: &Timed) -> Result<Option<String>, CheckpointError> {
    let (upper, lower) = (timed.encode("Cc", false)?, timed.encode("cC", false)?);
    let folds = upper.get_ids() == lower.get_ids() && !upper.get_ids().is_empty();
    let note = "the tokenizer gives C and c the same tokens: it cannot tell aromatic atoms from others, as by do_lower_case";
    Ok(folds.then(|| note.to_owned()))
}

/// Switches off what would cut, fill up or vary sequences; says what.
fn switch_off(tokenizer: &mut Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    for field in ["truncation", "padding"] {
        if tokenizer.get(field).is_some_and(|value| !value.is_null()) {
            tokenizer.insert(field.into(), Value::Null);
            notes.push(format!(
                "the tokenizer's own {field} is switched off; sequences are cut to max_tokens, and filled up by batch"
            ));
        }
    }
    if let Some(dropout) = tokenizer.get_mut("model").and_then(|model| model.get_mut("dropout")).filter(|value| !value.is_null())
    {
        *dropout = Value::Null;
        notes.push("the tokenizer's dropout, which varies tokens at random, is switched off".into());
    }
    notes
}

fn written(tokenizer: &Map<String, Value>) -> Result<Vec<u8>, CheckpointError> {
    serde_json::to_vec(tokenizer).map_err(|error| CheckpointError::tokenizer("tokenizer.json", shown(&error.to_string())))
}

#[cfg(test)]
mod tests;
