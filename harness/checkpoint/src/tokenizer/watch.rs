//! Regular expressions that give up.
//!
//! What the tokenizers library (0.22, feature `fancy-regex`) does: an expression without look-around and back-references is run by the
//! `regex` crate, in time linear in the text. Others backtrack, and fancy-regex ends a search after 1,000,000 steps back with
//! `BacktrackLimitExceeded` (tens of milliseconds). Pre-tokenizer `Split`, normaliser `Replace` and decoder `Replace` all take this error for the end
//! of the text ("stop if an error is encountered", `src/utils/fancy.rs`): no error, no panic, but silently other tokens from there on. Since each of
//! the searches of a text has a limit of its own, and a step may call the `regex` crate on the rest of the text, one molecule can take
//! minutes. Decoders are never run here.
//!
//! So an expression that gives up is looked for: the steps of normaliser and pre-tokenizer are gone through with expressions of our own,
//! which say so. That is done where a molecule took longer than [`SUSPECT`], less than the limit of steps can take.

use std::{collections::BTreeMap, time::Duration};

use fancy_regex::Regex;
use tokenizers::{
    NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    PreTokenizerWrapper, Tokenizer, normalizers::Replace, pre_tokenizers::split::SplitPattern,
};

use crate::error::{CheckpointError, shown};

/// A molecule that took longer is looked at again. A million steps back take several milliseconds.
pub(super) const SUSPECT: Duration = Duration::from_micros(500);

/// The regular expressions of a tokenizer.
pub(super) struct Watch {
    patterns: BTreeMap<String, Regex>,
}

impl Watch {
    /// Compiles them; the error is what the library says.
    pub(super) fn new(patterns: &[String]) -> Result<Self, String> {
        let compiled = patterns.iter().map(|pattern| match Regex::new(pattern) {
            Ok(regex) => Ok((pattern.clone(), regex)),
            Err(error) => Err(shown(&error.to_string())),
        });
        Ok(Self { patterns: compiled.collect::<Result<_, String>>()? })
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Goes through the steps of a tokenizer on a text.
    ///
    /// # Errors
    /// [`CheckpointError::GaveUp`] for an expression that does, [`CheckpointError::Refused`] for a step that refuses the text.
    pub(super) fn check(&self, tokenizer: &Tokenizer, text: &str) -> Result<(), CheckpointError> {
        let run = Run { watch: self, text };
        let mut normalized = NormalizedString::from(text);
        if let Some(normalizer) = tokenizer.get_normalizer() {
            run.normalize(normalizer, &mut normalized)?;
        }
        if let Some(splitter) = tokenizer.get_pre_tokenizer() {
            run.split(splitter, &mut PreTokenizedString::from(normalized))?;
        }
        Ok(())
    }
}

/// One text on its way.
struct Run<'a> {
    watch: &'a Watch,
    text: &'a str,
}

impl Run<'_> {
    fn normalize(&self, step: &NormalizerWrapper, text: &mut NormalizedString) -> Result<(), CheckpointError> {
        match step {
            NormalizerWrapper::Sequence(steps) => return steps.as_ref().iter().try_for_each(|step| self.normalize(step, text)),
            NormalizerWrapper::Replace(replace) => self.search(&pattern(replace), text.get())?,
            _ => {}
        }
        step.normalize(text).map_err(|error| self.refused(error.as_ref()))
    }

    fn split(&self, step: &PreTokenizerWrapper, pieces: &mut PreTokenizedString) -> Result<(), CheckpointError> {
        match step {
            PreTokenizerWrapper::Sequence(steps) => return steps.as_ref().iter().try_for_each(|step| self.split(step, pieces)),
            PreTokenizerWrapper::Split(split) => {
                if let SplitPattern::Regex(pattern) = &split.pattern {
                    for (piece, _, _) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::None) {
                        self.search(pattern, piece)?;
                    }
                }
            }
            _ => {}
        }
        step.pre_tokenize(pieces).map_err(|error| self.refused(error.as_ref()))
    }

    /// Searches all of a text as the library does.
    fn search(&self, pattern: &str, text: &str) -> Result<(), CheckpointError> {
        let Some(regex) = self.watch.patterns.get(pattern) else { return Ok(()) };
        match regex.find_iter(text).find_map(Result::err) {
            Some(error) => Err(CheckpointError::GaveUp {
                text: quoted(self.text),
                what: format!("`{}`: {}", shown(pattern), shown(&error.to_string())),
            }),
            None => Ok(()),
        }
    }

    fn refused(&self, error: &(dyn std::error::Error + Send + Sync)) -> CheckpointError {
        CheckpointError::Refused { text: quoted(self.text), what: shown(&error.to_string()) }
    }
}

/// The expression of a step, which the library keeps to itself.
fn pattern(replace: &Replace) -> String {
    let value = serde_json::to_value(replace).unwrap_or_default();
    value.pointer("/pattern/Regex").and_then(|pattern| pattern.as_str()).unwrap_or_default().to_owned()
}

/// A molecule for a message.
pub(super) fn quoted(text: &str) -> String {
    let length = text.chars().count();
    let start: String = text.chars().take(40).collect();
    if length > 40 { format!("`{}…` ({length} letters)", shown(&start)) } else { format!("`{}`", shown(&start)) }
}
