//! Masks of masked language modelling from a counter generator keyed by (seed, draw, molecule, position), so that packing,
//! batch size and accumulation never change them.

use clmbench_molecules::SpecialIds;
use clmbench_protocol::{Failure, FailureKind, Special};

use crate::failure::Result;

/// Which draw of masks: the epoch in training, the number of the draw in evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskKey {
    /// Seed of the stream.
    pub seed: u64,
    /// Epoch or draw.
    pub draw: u64,
}

/// How tokens are masked: Devlin et al. 2019, section 3.1.
#[derive(Debug, Clone, PartialEq)]
pub struct Masking {
    /// Share of tokens to predict.
    pub ratio: f64,
    /// Entries of the vocabulary; random replacements are drawn from those that are not special.
    vocabulary: u64,
    special: SpecialIds,
    /// Ids that are not special.
    ordinary: u64,
    mask: u16,
}

/// Share of predicted tokens shown as `[MASK]`.
const SHOWN_AS_MASK: f64 = 0.8;
/// Share of predicted tokens shown as `[MASK]` or as a random token; the rest is shown as it is.
const SHOWN_CHANGED: f64 = 0.9;

/// The finaliser of SplitMix64 (Steele et al. 2014, figure 15): a bijection whose output passes the usual tests.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The n-th number of the stream at (seed, draw, molecule, position).
fn number(key: MaskKey, molecule: u64, position: u64, n: u64) -> u64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = mix(key.seed.wrapping_add(STEP));
    for part in [key.draw, molecule, position, n] {
        state = mix(state.wrapping_add(STEP) ^ mix(part.wrapping_add(STEP)));
    }
    state
}

fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number uniform in [0, 1) at (seed, draw, molecule, position), for other choices than masks.
pub fn uniform(key: MaskKey, molecule: u64, position: u64) -> f64 {
    unit(number(key, molecule, position, 0))
}

impl Masking {
    /// Masks for a tokenizer with so many entries and these special ids.
    ///
    /// # Errors
    /// [`FailureKind::Unsupported`] when no token hides others.
    pub fn new(ratio: f64, vocabulary: u64, special: &Special) -> Result<Self> {
        let special = SpecialIds::new(special);
        let mask = special.mask().ok_or_else(|| {
            let text = "the tokenizer of the checkpoint has no mask token, so that masked tokens cannot be predicted: nothing that needs \
                        its loss can be measured";
            Failure::new(FailureKind::Unsupported, text)
        })?;
        Ok(Self { ratio, vocabulary, ordinary: special.ordinary(vocabulary), special, mask })
    }

    /// Whether the token at `position` of the molecule is predicted, and what is shown in its place.
    pub fn shown(&self, key: MaskKey, molecule: u64, position: u64, token: u16) -> Option<u16> {
        if !self.special.is_real(token) {
            return None;
        }
        if unit(number(key, molecule, position, 0)) >= self.ratio {
            return None;
        }
        let fate = unit(number(key, molecule, position, 1));
        Some(if fate < SHOWN_AS_MASK {
            self.mask
        } else if fate < SHOWN_CHANGED && self.ordinary > 0 {
            self.special.nth_ordinary(number(key, molecule, position, 2) % self.ordinary) as u16
        } else {
            token
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_molecules::vocabulary::MASK;
    use clmbench_protocol::Special;

    use super::{MaskKey, Masking};

    #[test]
    fn shares_are_fifteen_eighty_ten_ten() {
        let masking = Masking::new(0.15, 500, &Special::default()).unwrap();
        let (mut predicted, mut masked, mut kept, mut all) = (0.0, 0.0, 0.0, 0.0);
        for molecule in 0..4000 {
            for position in 0..50 {
                all += 1.0;
                if let Some(shown) = masking.shown(MaskKey { seed: 9, draw: 1 }, molecule, position, 77) {
                    predicted += 1.0;
                    masked += f64::from(u8::from(shown == MASK));
                    kept += f64::from(u8::from(shown == 77));
                }
            }
        }
        // Within four binomial standard errors.
        assert!((predicted / all - 0.15_f64).abs() < 4.0 * (0.15_f64 * 0.85 / all).sqrt(), "{}", predicted / all);
        assert!((masked / predicted - 0.8_f64).abs() < 4.0 * (0.8_f64 * 0.2 / predicted).sqrt());
        assert!((kept / predicted - 0.1_f64).abs() < 0.01);
    }

    #[test]
    fn special_tokens_are_never_predicted_and_masks_depend_on_every_key() {
        let masking = Masking::new(0.5, 500, &Special::default()).unwrap();
        let key = MaskKey { seed: 1, draw: 0 };
        assert!((0..200).all(|position| masking.shown(key, 0, position, 2).is_none()));
        let draw = |key, molecule| (0..64).map(|p| masking.shown(key, molecule, p, 77)).collect::<Vec<_>>();
        assert_eq!(draw(key, 0), draw(key, 0));
        assert_ne!(draw(key, 0), draw(key, 1));
        assert_ne!(draw(key, 0), draw(MaskKey { seed: 1, draw: 1 }, 0));
        assert_ne!(draw(key, 0), draw(MaskKey { seed: 2, draw: 0 }, 0));
    }

    #[test]
    fn another_tokenizers_special_tokens_are_neither_predicted_nor_drawn() {
        let special = Special { pad: 0, unknown: Some(11), start: Some(12), end: Some(13), mask: Some(14), others: vec![3] };
        let masking = Masking::new(0.9, 20, &special).unwrap();
        let key = MaskKey { seed: 4, draw: 0 };
        for id in [0, 3, 12, 13, 14] {
            assert!((0..200).all(|position| masking.shown(key, 0, position, id).is_none()), "{id}");
        }
        assert!((0..200).any(|position| masking.shown(key, 0, position, 11).is_some()));
        let shown: std::collections::BTreeSet<u16> = (0..5000).filter_map(|p| masking.shown(key, 1, p, 7)).collect();
        // The mask, and each of the ordinary ones.
        assert_eq!(shown.into_iter().collect::<Vec<_>>(), [1, 2, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 19]);
        let without = Special { mask: None, ..Special::default() };
        let failure = Masking::new(0.15, 20, &without).unwrap_err();
        assert_eq!(failure.kind, clmbench_protocol::FailureKind::Unsupported);
    }
}
