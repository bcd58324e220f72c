//! A tokenizer that came with a checkpoint of others: its `tokenizer.json`, applied as it is, under the time limits of [`Timed`].

use std::path::Path;

use clmbench_checkpoint::Timed;
use clmbench_protocol::{Special, TokenizerSpec};

use crate::{
    digest::{blake3_hex, write_bytes},
    error::MoleculesError,
    tokenizer::{Tokens, shortened},
};

/// Name of such a tokenizer in cells.
pub const KIND: &str = "file";
/// Largest id of any tokenizer: tokens are kept in 16 bits, of which the last number stands for none.
pub const LARGEST_ID: u32 = 65_534;

/// The tokenizer of a checkpoint of others, with the longest sequence of a cell.
///
/// A molecule becomes what the tokenizer's own template makes of it: special tokens stand where its post-processor puts them, and nowhere
/// if it puts none.
pub struct ForeignTokenizer {
    inner: Timed,
    json: Vec<u8>,
    special: Special,
    max_tokens: usize,
    entries: usize,
}

impl ForeignTokenizer {
    /// The tokenizer of a cell, from the file that the cell was given.
    ///
    /// # Errors
    /// [`MoleculesError::Setting`] for a specification without digest or special ids or with a longest sequence that its template leaves no
    /// room in, [`MoleculesError::WrongDigest`] for another file, [`MoleculesError::Foreign`] and [`MoleculesError::Damaged`] for one that cannot be used.
    pub fn open(path: &Path, spec: &TokenizerSpec) -> Result<Self, MoleculesError> {
        Self::of(std::fs::read(path).map_err(MoleculesError::io("read", path))?, path, spec)
    }

    /// [`Self::open`] with the content of the file; the path is for messages.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of(json: Vec<u8>, path: &Path, spec: &TokenizerSpec) -> Result<Self, MoleculesError> {
        let wrong = |setting, value: String, why: &str| MoleculesError::Setting { setting, value, why: why.into() };
        let (Some(digest), Some(special)) = (&spec.digest, &spec.special) else {
            return Err(wrong("tokenizer.kind", spec.kind.clone(), "its digest and its special ids must be given with it"));
        };
        let found = blake3_hex(&json);
        if found != *digest {
            return Err(MoleculesError::WrongDigest { path: path.to_owned(), found, wanted: digest.clone() });
        }
        let inner = Timed::new(&json)?;
        let read = inner.tokenizer();
        if read.get_padding().is_some() || read.get_truncation().is_some() {
            return Err(MoleculesError::damaged(
                path,
                "its own padding or truncation is on; importing a checkpoint switches both off",
            ));
        }
        let largest = read.get_vocab(true).values().copied().chain(special.ids().into_iter().map(u32::from)).max();
        let largest = largest.unwrap_or(0);
        if largest > LARGEST_ID {
            let text = format!("its largest id is {largest}; at most {LARGEST_ID} can be kept");
            return Err(MoleculesError::damaged(path, text));
        }
        let (max_tokens, entries) = (spec.max_tokens as usize, largest as usize + 1);
        let added = inner.encode("C", true)?.get_special_tokens_mask().iter().filter(|mark| **mark == 1).count();
        if max_tokens <= added || spec.max_tokens > LARGEST_ID {
            let why = format!("it must be from {} to {LARGEST_ID}, for the tokenizer adds {added} special tokens", added + 1);
            return Err(wrong("tokenizer.max_tokens", max_tokens.to_string(), &why));
        }
        Ok(Self { inner, json, special: special.clone(), max_tokens, entries })
    }

    /// Tokens of a molecule as its template puts them. If that is more than the longest sequence, the tokens of the molecule are cut from
    /// the right, and what the template puts behind them still ends it. Letters that no token covers count as unknown tokens. A molecule
    /// of which nothing is left becomes one token: the unknown one, or else the start, the end or the padding.
    ///
    /// # Errors
    /// [`MoleculesError::Foreign`] for a molecule that the tokenizer refuses or takes too long for, [`MoleculesError::Tokenizer`] for an id that cannot
    /// be kept.
    pub fn encode(&self, smiles: &str) -> Result<Tokens, MoleculesError> {
        let encoding = self.inner.encode(smiles, true)?;
        let marks = encoding.get_special_tokens_mask();
        let (before, body) =
            (marks.iter().take_while(|mark| **mark == 1).count(), marks.iter().filter(|mark| **mark != 1).count());
        let behind = marks.len() - before - body;
        let mut ids = Vec::with_capacity(marks.len());
        for id in encoding.get_ids() {
            ids.push(u16::try_from(*id).ok().filter(|id| u32::from(*id) <= LARGEST_ID).ok_or_else(|| {
                MoleculesError::Tokenizer {
                    at: shortened(smiles),
                    what: format!("it gives the id {id}; at most {LARGEST_ID} can be kept"),
                }
            })?);
        }
        let mut covered = vec![false; smiles.chars().count()];
        let mut unknown = 0;
        for ((id, mark), (from, to)) in ids.iter().zip(marks).zip(encoding.get_offsets()) {
            if *mark != 1 {
                unknown += u64::from(self.special.unknown == Some(*id));
                covered.iter_mut().take(*to).skip(*from).for_each(|letter| *letter = true);
            }
        }
        let dropped = covered.iter().filter(|covered| !**covered).count() as u64;
        let counts = (body as u64 + dropped, unknown + dropped);
        let truncated = ids.len() > self.max_tokens;
        if truncated {
            let kept = self.max_tokens.saturating_sub(before + behind);
            ids.drain(before + kept..before + body);
            ids.truncate(self.max_tokens);
        }
        if ids.is_empty() {
            let Special { pad, unknown, start, end, .. } = self.special;
            ids.push(unknown.or(start).or(end).unwrap_or(pad));
        }
        Ok(Tokens { ids, truncated, unknown: counts.1 > 0, counts })
    }

    /// The token of an id.
    pub fn token(&self, id: u16) -> Option<String> {
        self.inner.tokenizer().id_to_token(u32::from(id))
    }

    /// Largest id, plus one.
    pub fn vocabulary_size(&self) -> usize {
        self.entries
    }

    /// Longest sequence, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Its special ids.
    pub fn special(&self) -> &Special {
        &self.special
    }

    /// BLAKE3 of the bytes of `tokenizer.json`.
    pub fn digest(&self) -> String {
        blake3_hex(&self.json)
    }

    /// Writes `tokenizer.json` as it was read.
    ///
    /// # Errors
    /// [`MoleculesError::Io`] if that fails.
    pub fn write(&self, path: &Path) -> Result<(), MoleculesError> {
        write_bytes(path, &self.json)
    }
}

#[cfg(test)]
mod tests;
