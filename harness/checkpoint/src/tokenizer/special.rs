//! Which ids of a tokenizer are special.
//!
//! Begin and end of a molecule are what its template adds, found by encoding one. The others are named by `tokenizer_config.json`, else by
//! `special_tokens_map.json`, else they have a usual name. Whatever else is marked special is neither masked nor drawn.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::Special;
use serde_json::{Map, Value};

use super::{Settings, Timed, content};
use crate::error::{CheckpointError, shown};

/// Most tokens that a template adds.
const MOST_ADDED: usize = 64;

const PAD: [&str; 4] = ["[PAD]", "<pad>", "<PAD>", "<|padding|>"];
const UNKNOWN: [&str; 4] = ["[UNK]", "<unk>", "<UNK>", "[unk]"];
const MASK: [&str; 3] = ["[MASK]", "<mask>", "<MASK>"];
/// Molecules that every tokenizer of molecules knows one of.
const MOLECULES: [&str; 4] = ["CC", "c1ccccc1", "O", "[Na+].[Cl-]"];
const FIELDS: [&str; 7] = ["pad_token", "unk_token", "cls_token", "sep_token", "bos_token", "eos_token", "mask_token"];

/// Finds them, and the ids of the roles that the files name; `pad_token` among these unless one had to be made up.
pub(super) fn find(
    timed: &Timed,
    settings: &Settings,
    (entries, unknown): (u64, Option<u16>),
    file: &str,
    notes: &mut Vec<String>,
) -> Result<(Special, BTreeMap<String, u16>), CheckpointError> {
    let tokenizer = timed.tokenizer();
    let id = |text: &str| tokenizer.token_to_id(text).and_then(|id| u16::try_from(id).ok());
    let named =
        |field: &str, usual: &[&str]| settings.token(field).and_then(id).or_else(|| usual.iter().find_map(|text| id(text)));
    for field in FIELDS {
        if let Some(text) = settings.token(field).filter(|text| id(text).is_none()) {
            notes.push(format!("`{field}` names `{}`, which the tokenizer does not have", shown(text)));
        }
    }
    let (start, end) = template(timed, entries, file)?;
    let unknown = unknown.or_else(|| named("unk_token", &UNKNOWN));
    let mask = named("mask_token", &MASK);
    let pad = named("pad_token", &PAD)
        .or_else(|| settings.pad.filter(|pad| *pad < entries).and_then(|pad| u16::try_from(pad).ok()))
        .or(end)
        .or_else(|| named("eos_token", &[]))
        .or(unknown);
    let by_role = |field: &str| settings.token(field).and_then(id).map(|id| (field.to_owned(), id));
    let mut by_role: BTreeMap<String, u16> = FIELDS.into_iter().filter_map(by_role).collect();
    by_role.extend(pad.map(|pad| ("pad_token".to_owned(), pad)));
    let pad = pad.unwrap_or_else(|| {
        notes.push("the tokenizer has no token to fill up with; id 0 is used, and masked out as such always is".into());
        0
    });
    let mut others: BTreeSet<u16> = tokenizer
        .get_added_tokens_decoder()
        .iter()
        .filter(|(_, token)| token.special)
        .filter_map(|(id, _)| u16::try_from(*id).ok())
        .collect();
    others.extend(FIELDS.iter().filter_map(|field| settings.token(field).and_then(id)));
    others.extend(more(settings).into_iter().filter_map(id));
    for known in [Some(pad), unknown, start, end, mask].into_iter().flatten() {
        others.remove(&known);
    }
    Ok((Special { pad, unknown, start, end, mask, others: others.into_iter().collect() }, by_role))
}

/// First and last token that the template adds.
fn template(timed: &Timed, entries: u64, file: &str) -> Result<(Option<u16>, Option<u16>), CheckpointError> {
    let mut found = None;
    for molecule in MOLECULES {
        let (with, without) = (timed.encode(molecule, true)?, timed.encode(molecule, false)?);
        if !without.get_ids().is_empty() {
            found = Some((with, without));
            break;
        }
    }
    let wrong = |what: String| CheckpointError::tokenizer(file, what);
    let (with, without) = found.ok_or_else(|| wrong(format!("it gives no token for any of {}", MOLECULES.join(", "))))?;
    let (with, without) = (with.get_ids(), without.get_ids());
    let added = with.len().saturating_sub(without.len());
    if added > MOST_ADDED {
        return Err(wrong(format!("its template adds {added} tokens to each molecule")));
    }
    let before = (0..=added).find(|before| with[*before..].starts_with(without));
    let before = before.ok_or_else(|| wrong("its template changes the tokens of a molecule; save the folder with a template that only adds some before and behind".into()))?;
    let after = added - before;
    if let Some(id) = with.iter().find(|id| u64::from(**id) >= entries) {
        return Err(wrong(format!("its template adds the id {id}, and its vocabulary goes up to {}", entries - 1)));
    }
    let id = |id: Option<&u32>| id.and_then(|id| u16::try_from(*id).ok());
    let start = id(with.first().filter(|_| before > 0));
    let end = id(with.last().filter(|_| after > 0));
    Ok((start, end))
}

/// What the model itself puts in place of what it does not know; `value` is the file, as the library keeps the id of `Unigram` to itself.
pub(super) fn unknown(timed: &Timed, value: &Map<String, Value>) -> Option<u16> {
    use tokenizers::ModelWrapper;
    let text = match timed.tokenizer().get_model() {
        ModelWrapper::BPE(model) => model.get_unk_token().clone(),
        ModelWrapper::WordPiece(model) => Some(model.unk_token.clone()),
        ModelWrapper::WordLevel(model) => Some(model.unk_token.clone()),
        ModelWrapper::Unigram(_) => return value.get("model")?.get("unk_id")?.as_u64()?.try_into().ok(),
    };
    timed.tokenizer().token_to_id(&text?)?.try_into().ok()
}

/// Tokens of `additional_special_tokens` and `extra_special_tokens`.
fn more(settings: &Settings) -> Vec<&str> {
    let mut texts = Vec::new();
    for file in [&settings.config, &settings.map] {
        for field in ["additional_special_tokens", "extra_special_tokens"] {
            match file.get(field) {
                Some(Value::Array(tokens)) => texts.extend(tokens.iter().filter_map(content)),
                Some(Value::Object(tokens)) => texts.extend(tokens.values().filter_map(content)),
                _ => {}
            }
        }
    }
    texts
}
