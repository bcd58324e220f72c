//! The SMILES tokenizer: the regex of Schwaller et al. (ACS Cent. Sci. 2019, 5, 1572, doi 10.1021/acscentsci.9b00576) over the fixed
//! [`vocabulary`], as a standard `tokenizer.json`.
//!
//! What the regex does not match stays as a piece of its own and becomes `[UNK]`: nothing of the input is lost.

use std::path::Path;

use clmbench_protocol::TokenizerSpec;
use tokenizers::{
    AddedToken, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior, Tokenizer,
    models::wordlevel::WordLevel,
    pre_tokenizers::split::{Split, SplitPattern},
    processors::template::TemplateProcessing,
};

use crate::{
    digest::{blake3_hex, write_bytes},
    error::MoleculesError,
    vocabulary::{self, END, SPECIAL, START, UNKNOWN},
};

/// The regex of Schwaller et al.
pub const REGEX: &str = r"(\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?|>|\*|\$|\%[0-9]{2}|[0-9])";
/// Name of the tokenizer in suites and cells.
pub const KIND: &str = "smiles";

/// Tokens of one molecule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Ids, from `[CLS]` to `[SEP]`; at most `max_tokens` of them.
    pub ids: Vec<u16>,
    /// Whether tokens had to be cut off.
    pub truncated: bool,
    /// Whether a token (also one cut off) is outside the vocabulary.
    pub unknown: bool,
    /// Tokens of the molecule itself, also those cut off, and those of them outside the vocabulary.
    pub counts: (u64, u64),
}

/// A SMILES tokenizer with its longest sequence.
pub struct SmilesTokenizer {
    inner: Tokenizer,
    json: Vec<u8>,
    max_tokens: usize,
}

impl SmilesTokenizer {
    /// The tokenizer of a cell.
    ///
    /// # Errors
    /// [`MoleculesError::Setting`] for a kind other than `smiles` or a longest sequence outside 3 to 65,535 tokens.
    pub fn new(spec: &TokenizerSpec) -> Result<Self, MoleculesError> {
        if spec.kind != KIND {
            return Err(MoleculesError::Setting {
                setting: "tokenizer.kind",
                value: spec.kind.clone(),
                why: format!("the tokenizers are `{KIND}` and, for checkpoints of others, `{}`", crate::foreign::KIND),
            });
        }
        let inner = build().map_err(|error| MoleculesError::Tokenizer { at: "construction".into(), what: error.to_string() })?;
        let json = inner
            .to_string(false)
            .map_err(|error| MoleculesError::Tokenizer { at: "construction".into(), what: error.to_string() })?;
        Self::with(inner, json.into_bytes(), spec.max_tokens)
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`MoleculesError::Io`] if it cannot be read; [`MoleculesError::Damaged`] if it is no tokenizer, or one without our special tokens;
    /// [`MoleculesError::Setting`] for a longest sequence outside 3 to 65,535 tokens.
    pub fn open(path: &Path, max_tokens: u32) -> Result<Self, MoleculesError> {
        let json = std::fs::read(path).map_err(MoleculesError::io("read", path))?;
        let inner = Tokenizer::from_bytes(&json).map_err(|error| MoleculesError::damaged(path, error.to_string()))?;
        for (id, text) in SPECIAL.iter().enumerate() {
            if inner.token_to_id(text) != Some(id as u32) {
                return Err(MoleculesError::damaged(path, format!("`{text}` does not have the id {id}")));
            }
        }
        if inner.get_vocab_size(true) > usize::from(u16::MAX) {
            return Err(MoleculesError::damaged(path, "more than 65,535 tokens"));
        }
        Self::with(inner, json, max_tokens)
    }

    fn with(inner: Tokenizer, json: Vec<u8>, max_tokens: u32) -> Result<Self, MoleculesError> {
        if !(3..=65_535).contains(&max_tokens) {
            return Err(MoleculesError::Setting {
                setting: "tokenizer.max_tokens",
                value: max_tokens.to_string(),
                why: "it must be from 3 to 65,535".into(),
            });
        }
        Ok(Self { inner, json, max_tokens: max_tokens as usize })
    }

    /// Tokens of a SMILES between `[CLS]` and `[SEP]`. If that is more than the longest sequence, the first `max_tokens - 2` tokens are kept, the rest is cut off,
    /// and `[SEP]` still ends it; [`Tokens::truncated`] says so.
    ///
    /// # Errors
    /// [`MoleculesError::Tokenizer`] if the regex engine gives up.
    pub fn encode(&self, smiles: &str) -> Result<Tokens, MoleculesError> {
        let encoding = self
            .inner
            .encode_fast(smiles, false)
            .map_err(|error| MoleculesError::Tokenizer { at: shortened(smiles), what: error.to_string() })?;
        let mut ids = Vec::with_capacity(encoding.len() + 2);
        ids.push(START);
        // A text such as `[MASK]` is no atom: it must not become a special token.
        ids.extend(
            encoding
                .get_ids()
                .iter()
                .map(|id| u16::try_from(*id).ok().filter(|id| usize::from(*id) >= SPECIAL.len()).unwrap_or(UNKNOWN)),
        );
        let unknown = ids.iter().filter(|id| **id == UNKNOWN).count() as u64;
        let counts = (ids.len() as u64 - 1, unknown);
        let truncated = ids.len() + 1 > self.max_tokens;
        ids.truncate(self.max_tokens - 1);
        ids.push(END);
        Ok(Tokens { ids, truncated, unknown: unknown > 0, counts })
    }

    /// The pieces that a text is cut into, in order; joined they are the text.
    ///
    /// # Errors
    /// [`MoleculesError::Tokenizer`] if the regex engine gives up.
    pub fn pieces(&self, text: &str) -> Result<Vec<String>, MoleculesError> {
        let wrong = |what: String| MoleculesError::Tokenizer { at: shortened(text), what };
        let splitter = self.inner.get_pre_tokenizer().ok_or_else(|| wrong("it has no pre-tokenizer".into()))?;
        let mut pieces = PreTokenizedString::from(text);
        splitter.pre_tokenize(&mut pieces).map_err(|error| wrong(error.to_string()))?;
        Ok(pieces
            .get_splits(OffsetReferential::Original, OffsetType::Byte)
            .into_iter()
            .map(|(piece, _, _)| piece.to_owned())
            .collect())
    }

    /// The token of an id.
    pub fn token(&self, id: u16) -> Option<String> {
        self.inner.id_to_token(u32::from(id))
    }

    /// Number of tokens, special ones included.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Longest sequence, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// BLAKE3 of the bytes of `tokenizer.json`, lower-case hex. The longest sequence is not part of it.
    pub fn digest(&self) -> String {
        blake3_hex(&self.json)
    }

    /// Writes `tokenizer.json`.
    ///
    /// # Errors
    /// [`MoleculesError::Io`] if that fails.
    pub fn write(&self, path: &Path) -> Result<(), MoleculesError> {
        write_bytes(path, &self.json)
    }
}

fn build() -> tokenizers::Result<Tokenizer> {
    let vocabulary = vocabulary::vocabulary().into_iter().zip(0_u32..).collect();
    let model = WordLevel::builder().vocab(vocabulary).unk_token("[UNK]".into()).build()?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(Split::new(SplitPattern::Regex(REGEX.into()), SplitDelimiterBehavior::Isolated, false)?));
    let template = TemplateProcessing::builder()
        .try_single("[CLS]:0 $A:0 [SEP]:0")?
        .try_pair("[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1")?
        .special_tokens(vec![("[CLS]", u32::from(START)), ("[SEP]", u32::from(END))])
        .build()?;
    tokenizer.with_post_processor(Some(template));
    let special: Vec<AddedToken> = SPECIAL.iter().map(|text| AddedToken::from(*text, true)).collect();
    tokenizer.add_special_tokens(&special);
    Ok(tokenizer)
}

pub(crate) fn shortened(text: &str) -> String {
    format!("at `{}`", text.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::vocabulary::{MASK, PAD};

    fn tokenizer() -> SmilesTokenizer {
        SmilesTokenizer::new(&TokenizerSpec::default()).unwrap()
    }

    #[test]
    fn a_molecule_becomes_its_atoms_and_signs() {
        let tokenizer = tokenizer();
        // The example of the paper's repository, cut by hand.
        let pieces = tokenizer.pieces("CC[C@@H](Cl)c1c[nH]c(Br)n1.[Na+]/C=C\\%12").unwrap();
        let wanted = [
            "C", "C", "[C@@H]", "(", "Cl", ")", "c", "1", "c", "[nH]", "c", "(", "Br", ")", "n", "1", ".", "[Na+]", "/", "C",
            "=", "C", "\\", "%12",
        ];
        assert_eq!(pieces, wanted);
        let tokens = tokenizer.encode("CCl").unwrap();
        assert_eq!(tokens.ids.len(), 4);
        assert_eq!((tokens.ids[0], tokens.ids[3]), (START, END));
        assert_eq!(tokenizer.token(tokens.ids[2]).as_deref(), Some("Cl"));
        assert!(!tokens.unknown && !tokens.truncated);
    }

    #[test]
    fn what_the_regex_does_not_know_is_unknown_and_never_lost() {
        let tokenizer = tokenizer();
        for text in ["C Zq C", "CXeeC", "", "[", "C[", "é", "C\0C", "[Uuo]", "[CH3:7]", "{C}", "%1", "[PAD]", "C[MASK]C", "[CLS]"]
        {
            assert_eq!(tokenizer.pieces(text).unwrap().concat(), text);
            let tokens = tokenizer.encode(text).unwrap();
            assert_eq!(tokens.unknown, !text.is_empty(), "{text}");
            assert!(!tokens.ids[1..tokens.ids.len() - 1].iter().any(|id| [PAD, START, END, MASK].contains(id)), "{text}");
        }
        assert_eq!(tokenizer.encode("C[MASK]C").unwrap().ids.len(), 5);
    }

    #[test]
    fn long_molecules_are_cut_and_say_so() {
        let tokenizer = SmilesTokenizer::new(&TokenizerSpec { max_tokens: 5, ..TokenizerSpec::default() }).unwrap();
        let three = tokenizer.encode("CCC").unwrap();
        let four = tokenizer.encode("CCCC").unwrap();
        assert_eq!(three.ids, four.ids);
        assert!(!three.truncated && four.truncated);
        // The unknown part lies behind the cut.
        assert!(tokenizer.encode("CCCCCX").unwrap().unknown);
    }

    #[test]
    fn the_json_file_is_standard_and_round_trips() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        let ours = tokenizer();
        ours.write(&path).unwrap();
        let read = SmilesTokenizer::open(&path, 128).unwrap();
        assert_eq!(read.digest(), ours.digest());
        assert_eq!(crate::digest::blake3_file(&path).unwrap(), ours.digest());
        // Read by the library alone, with its own template, it gives our ids.
        let plain = Tokenizer::from_file(&path).unwrap();
        for text in ["CC(=O)Oc1ccccc1C(=O)O", "[Na+].[Cl-]", "C[N+](C)(C)CC Zz"] {
            let wanted: Vec<u16> = plain.encode(text, true).unwrap().get_ids().iter().map(|id| *id as u16).collect();
            assert_eq!(read.encode(text).unwrap().ids, wanted);
        }
        let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(value["model"]["type"], "WordLevel");
        assert_eq!(value["model"]["vocab"].as_object().unwrap().len(), ours.vocabulary_size());
    }

    #[test]
    fn bad_settings_and_files_are_typed_errors() {
        let kind = SmilesTokenizer::new(&TokenizerSpec { kind: "bpe".into(), ..TokenizerSpec::default() });
        assert!(matches!(kind, Err(MoleculesError::Setting { setting: "tokenizer.kind", .. })));
        let short = SmilesTokenizer::new(&TokenizerSpec { max_tokens: 2, ..TokenizerSpec::default() });
        assert!(matches!(short, Err(MoleculesError::Setting { setting: "tokenizer.max_tokens", .. })));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(SmilesTokenizer::open(&path, 128), Err(MoleculesError::Damaged { .. })));
        assert!(matches!(SmilesTokenizer::open(&folder.path().join("none"), 128), Err(MoleculesError::Io { .. })));
    }
}
