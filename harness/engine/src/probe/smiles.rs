//! SMILES of the molecules that a metric reads.

use std::path::Path;

use clmbench_api::SamplePart;
use clmbench_molecules::{Encoder, TokenCache, foreign, smiles::canonical};
use clmbench_protocol::{Failure, FailureKind, Special, TokenizerSpec};

use super::ProbeHost;
use crate::failure::{OrFail, Result};

impl ProbeHost<'_> {
    /// Canonical SMILES of molecules of a part.
    pub(super) fn written(&self, part: SamplePart, start: u64, count: u64) -> Result<Vec<String>> {
        if part == SamplePart::Train {
            let text = "the SMILES of the training subset are not kept; there are those of SamplePart::Heldout and, for \
                        label-aware metrics, SamplePart::Task";
            return Err(Failure::new(FailureKind::Unsupported, text));
        }
        let range = start as usize..start as usize + self.chosen(part, start, count)?.len();
        if part == SamplePart::Task {
            return Ok(self.task_sample()?.smiles()[range].to_vec());
        }
        if self.heldout_smiles.get().is_none() {
            let tokenizer = tokenizer(&self.corpus, self.heldout.max_tokens(), &self.model.vocabulary.special)?;
            let read = read(&self.corpus.join("heldout.csv"), &self.heldout, &tokenizer)?;
            // Set once, here alone.
            let _ = self.heldout_smiles.set(read);
        }
        Ok(self.heldout_smiles.get().map(|all| all[range].to_vec()).unwrap_or_default())
    }
}

/// The tokenizer that the held-out molecules went through: that of the corpus' folder, if it is not our own.
fn tokenizer(corpus: &Path, max_tokens: usize, special: &Special) -> Result<Encoder> {
    let ours = TokenizerSpec { max_tokens: max_tokens as u32, ..TokenizerSpec::default() };
    let ours = Encoder::new(&ours, None).or_fail()?;
    let path = corpus.join("tokenizer.json");
    if !path.exists() {
        return Ok(ours);
    }
    let digest = crate::files::digest_of(&path)?;
    if digest == ours.digest() {
        return Ok(ours);
    }
    let (digest, special) = (Some(digest), Some(special.clone()));
    Encoder::new(&TokenizerSpec { kind: foreign::KIND.into(), max_tokens: max_tokens as u32, digest, special }, Some(&path))
        .or_fail()
}

/// Canonical SMILES of the held-out molecules out of the column `smiles` of their file, each compared with its tokens, whose
/// digest the cell knows.
fn read(path: &Path, tokens: &TokenCache, tokenizer: &Encoder) -> Result<Vec<String>> {
    let damaged = |what: String| {
        let text = format!("{}: {what}; it was changed or damaged; run again to rebuild it", path.display());
        Failure::new(FailureKind::CorruptFile, text)
    };
    let mut reader = csv::Reader::from_path(path).map_err(|error| damaged(error.to_string()))?;
    let mut texts = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| damaged(error.to_string()))?;
        texts.push(record.get(0).unwrap_or_default().to_owned());
    }
    if texts.len() != tokens.len() {
        return Err(damaged(format!("it holds {} molecules, its tokens {}", texts.len(), tokens.len())));
    }
    let same_vocabulary = tokenizer.vocabulary_size() == tokens.vocabulary_size();
    for (row, text) in texts.iter_mut().enumerate() {
        let (ids, known) = (tokenizer.encode(text).or_fail()?.ids, tokens.get(row));
        // Tokens of another vocabulary (the bundled sample's) can be compared in number alone.
        if (same_vocabulary && ids != known) || ids.len() != known.len() {
            return Err(damaged(format!("molecule {row} (`{text}`) is not the one that was tokenised")));
        }
        *text = canonical(text).map_err(|error| damaged(format!("molecule {row} (`{text}`): {error}")))?;
    }
    Ok(texts)
}
