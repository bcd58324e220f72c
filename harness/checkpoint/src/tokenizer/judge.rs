//! What a `tokenizer.json` may say, judged before the tokenizers library sees it: it would run out of memory on some files, since each
//! step of a normaliser may make its text longer.

use serde_json::{Map, Value};
use tokenizers::{ModelWrapper, Tokenizer};

use crate::error::{CheckpointError, shown};

/// Largest id: ids are kept in 16 bits, and 65,535 stands for no token.
pub const LARGEST_ID: u64 = 65_534;
/// Longest regular expression, in bytes. Those of published tokenizers have some hundred.
pub const LONGEST_PATTERN: usize = 2_048;

/// Most steps of a normaliser, pre-tokenizer or post-processor.
const MOST_STEPS: usize = 64;
/// Most regular expressions.
const MOST_PATTERNS: usize = 16;
/// How many times longer a text may become at most.
const LONGEST_GROWTH: u64 = 4_096;
/// Longest text that a step puts in, and longest added token, in bytes.
const LONGEST_TEXT: usize = 1_024;

/// Judges the file. Gives the regular expressions that it runs, other than those of the library.
///
/// # Errors
/// [`CheckpointError::Tokenizer`].
pub(super) fn judge(file: &str, value: &Map<String, Value>) -> Result<Vec<String>, CheckpointError> {
    let wrong = |what: String| CheckpointError::tokenizer(file, what);
    let mut patterns = Vec::new();
    let mut growth = 1_u64;
    for (field, list) in [("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers"), ("post_processor", "processors")] {
        for step in steps(value, field, list).map_err(wrong)? {
            growth = growth.saturating_mul(judge_step(step, &mut patterns).map_err(|what| wrong(format!("{field}: {what}")))?);
        }
    }
    // A decoder is never run, but the library compiles its regular expressions too, and each takes memory.
    let mut compiled = patterns.clone();
    for step in steps(value, "decoder", "decoders").map_err(wrong)? {
        compiled.extend(regex(step).map(str::to_owned));
    }
    if growth > LONGEST_GROWTH {
        return Err(wrong(format!("its steps could make a text {growth} times longer, more than {LONGEST_GROWTH}")));
    }
    if compiled.len() > MOST_PATTERNS {
        return Err(wrong(format!(
            "it has {} regular expressions, more than {MOST_PATTERNS}; save the folder with another tokenizer.json",
            compiled.len()
        )));
    }
    if let Some(long) = compiled.iter().find(|pattern| pattern.len() > LONGEST_PATTERN) {
        return Err(wrong(format!("a regular expression has {} bytes, more than {LONGEST_PATTERN}", long.len())));
    }
    for token in value.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
        let long = token.get("content").and_then(Value::as_str).is_some_and(|text| text.len() > LONGEST_TEXT);
        if long {
            return Err(wrong(format!("an added token is longer than {LONGEST_TEXT} bytes")));
        }
    }
    Ok(patterns)
}

/// Steps of a field, sequences of sequences laid flat.
fn steps<'a>(tokenizer: &'a Map<String, Value>, field: &str, list: &str) -> Result<Vec<&'a Value>, String> {
    let mut steps = Vec::new();
    let mut open: Vec<&Value> = tokenizer.get(field).into_iter().filter(|value| !value.is_null()).collect();
    while let Some(value) = open.pop() {
        // A sequence is a step too: the library may read what has both a list and a pattern as either.
        open.extend(value.get(list).and_then(Value::as_array).into_iter().flatten());
        steps.push(value);
        if steps.len() + open.len() > MOST_STEPS {
            return Err(format!("{field} has more than {MOST_STEPS} steps"));
        }
    }
    Ok(steps)
}

/// The regular expression of a step.
fn regex(step: &Value) -> Option<&str> {
    step.get("pattern")?.get("Regex")?.as_str()
}

/// How many times longer a text can become by one step. Its regular expressions are put to the others.
fn judge_step(step: &Value, patterns: &mut Vec<String>) -> Result<u64, String> {
    let kind = step.get("type").and_then(Value::as_str).unwrap_or_default();
    let text = |field: &str| step.get(field).and_then(Value::as_str).unwrap_or_default();
    for field in ["content", "prepend", "replacement"] {
        if text(field).len() > LONGEST_TEXT {
            return Err(format!("`{field}` of {} has {} bytes, more than {LONGEST_TEXT}", shown(kind), text(field).len()));
        }
    }
    let pattern = step.get("pattern");
    patterns.extend(regex(step).map(str::to_owned));
    match kind {
        "Precompiled" => {
            Err("the compiled normaliser of SentencePiece is not read; save the tokenizer with another normaliser".into())
        }
        "Replace" => {
            // A plain text that is found takes at least its own length; an expression may match nothing, before and behind each letter.
            let plain =
                pattern.and_then(|pattern| pattern.get("String")).and_then(Value::as_str).unwrap_or_default().len() as u64;
            let content = text("content").len() as u64;
            Ok(if plain == 0 { 1 + content } else { content.div_ceil(plain).max(1) })
        }
        "ByteLevel" => Ok(2), // a byte becomes a letter of up to two bytes
        "FixedLength" if step.get("length").and_then(Value::as_u64) == Some(0) => {
            Err("pieces of FixedLength have length 0".into())
        }
        "TemplateProcessing" => judge_template(step).map(|()| 1),
        _ => Ok(1),
    }
}

/// A molecule stands in the template once.
fn judge_template(step: &Value) -> Result<(), String> {
    let pieces = step.get("single").and_then(Value::as_array).ok_or("the template has no list `single`")?;
    let sequences: Vec<&Value> = pieces.iter().filter_map(|piece| piece.get("Sequence")).collect();
    let once = matches!(sequences[..], [one] if one.get("id").and_then(Value::as_str) == Some("A"));
    if !once || pieces.len() > MOST_STEPS {
        return Err(format!("the template `single` must have the sequence A once and at most {MOST_STEPS} parts"));
    }
    let tokens = step.get("special_tokens").and_then(Value::as_object).into_iter().flatten();
    let long = |token: &Value| token.get("ids").and_then(Value::as_array).is_some_and(|ids| ids.len() > MOST_STEPS);
    if tokens.into_iter().any(|(_, token)| long(token)) {
        return Err(format!("a special token of the template has more than {MOST_STEPS} ids"));
    }
    Ok(())
}

/// Kind of a tokenizer's model.
pub(super) fn kind(tokenizer: &Tokenizer) -> &'static str {
    match tokenizer.get_model() {
        ModelWrapper::BPE(_) => "BPE",
        ModelWrapper::WordPiece(_) => "WordPiece",
        ModelWrapper::WordLevel(_) => "WordLevel",
        ModelWrapper::Unigram(_) => "Unigram",
    }
}

/// Largest id plus one, if the ids can be kept and are those that the file says.
pub(super) fn entries(tokenizer: &Tokenizer, value: &Map<String, Value>, file: &str) -> Result<u64, CheckpointError> {
    let wrong = |what: String| CheckpointError::tokenizer(file, what);
    let vocabulary = tokenizer.get_vocab(true);
    let Some((token, largest)) = vocabulary.iter().max_by_key(|(token, id)| (**id, token.as_str())) else {
        return Err(wrong("its vocabulary is empty; save the folder with the tokenizer that the model was trained with".into()));
    };
    if u64::from(*largest) > LARGEST_ID {
        return Err(wrong(format!(
            "`{}` has the id {largest}, and ids go up to {LARGEST_ID}: vocabularies that large are not supported",
            shown(token)
        )));
    }
    // The library gives added tokens ids of its own where those of the file do not continue the vocabulary.
    for token in value.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
        let (text, said) = (token.get("content").and_then(Value::as_str), token.get("id").and_then(Value::as_u64));
        let (Some(text), Some(said)) = (text, said) else { continue };
        let has = tokenizer.token_to_id(text).map(u64::from);
        if has != Some(said) {
            let has = has.map_or_else(|| "no id".into(), |id| format!("the id {id}"));
            return Err(wrong(format!(
                "the added token `{}` should have the id {said}, and has {has} by its vocabulary",
                shown(text)
            )));
        }
    }
    Ok(u64::from(*largest) + 1)
}
