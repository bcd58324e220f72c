//! Count models of neighbouring tokens: what a model that knows only the tokens beside each would score.
//!
//! With c the counts of the training subset, h a context and k(h) the number of different tokens seen in it, interpolated Witten-Bell smoothing
//! (Witten and Bell 1991, IEEE Trans. Inf. Theory 37:1085, method C; interpolated as in Chen and Goodman 1999, Computer Speech & Language 13:359):
//!
//! ```text
//! p(t | h) = (c(h, t) + k(h) p'(t)) / (c(h) + k(h)),   p(t | h) = p'(t) in a context that was never seen
//! ```
//!
//! | model | context h | p' |
//! |---|---|---|
//! | bigram | the token before | unigram, (c(t) + 1) / (tokens + vocabulary) as in [`crate::unigram`] |
//! | two-neighbour | the tokens before and after | bigram |
//!
//! Real tokens are predicted; `[CLS]` and `[SEP]` are contexts, as are the special tokens of other tokenizers; where a tokenizer marks no
//! start or end, a token that is none stands there. Neighbours are those of the whole molecule: a masked model sees more (all other tokens)
//! and less (some of them masked), a causal one what the bigram sees and all before it.

use std::collections::HashMap;

use crate::{cache::TokenCacheBuilder, special::SpecialIds, unigram::ratio_with_jackknife};

/// Cross-entropies of held-out tokens, nats a token: (value, standard error over molecules by the jackknife).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropies {
    /// Given the token before.
    pub bigram: (f64, f64),
    /// Given the tokens before and after.
    pub two_neighbour: (f64, f64),
}

/// Both models of one training subset.
#[derive(Debug)]
pub struct CountModels {
    unigram: Vec<f64>,
    before: Contexts,
    around: Contexts,
    special: SpecialIds,
}

/// Counts of tokens by context; a key is (context << 16) | token.
#[derive(Debug, Default)]
struct Contexts {
    counts: HashMap<u64, u64>,
    /// Tokens and different tokens of each context.
    totals: HashMap<u64, (u64, u64)>,
}

impl Contexts {
    fn of(counts: HashMap<u64, u64>) -> Self {
        let mut totals: HashMap<u64, (u64, u64)> = HashMap::new();
        for (key, count) in &counts {
            let total = totals.entry(key >> 16).or_default();
            total.0 += count;
            total.1 += 1;
        }
        Self { counts, totals }
    }

    fn probability(&self, context: u64, token: u16, lower: f64) -> f64 {
        let Some((total, kinds)) = self.totals.get(&context) else { return lower };
        let count = self.counts.get(&key(context, token)).copied().unwrap_or(0);
        (count as f64 + *kinds as f64 * lower) / (*total as f64 + *kinds as f64)
    }
}

fn key(context: u64, token: u16) -> u64 {
    context << 16 | u64::from(token)
}

fn both(before: u16, after: u16) -> u64 {
    u64::from(before) << 16 | u64::from(after)
}

/// Every real token of a molecule with the tokens before and after it.
fn with_neighbours<'a>(ids: &'a [u16], special: &'a SpecialIds) -> impl Iterator<Item = (u16, u16, u16)> + 'a {
    ids.iter().enumerate().filter(|(_, id)| special.is_real(**id)).map(|(place, id)| {
        let before = if place == 0 { special.before() } else { ids[place - 1] };
        (before, *id, ids.get(place + 1).copied().unwrap_or_else(|| special.behind()))
    })
}

impl CountModels {
    /// Counts the training molecules; `unigram` are their counts of each token ([`crate::unigram::counts`]).
    pub fn new(train: &TokenCacheBuilder, unigram: &[u64], special: &SpecialIds) -> Self {
        let (mut pairs, mut triples) = (HashMap::new(), HashMap::new());
        for molecule in 0..train.len() {
            for (before, token, after) in with_neighbours(train.get(molecule), special) {
                *pairs.entry(key(u64::from(before), token)).or_default() += 1;
                *triples.entry(key(both(before, after), token)).or_default() += 1;
            }
        }
        let kinds = (0..unigram.len()).filter(|id| special.is_real(*id as u16)).count() as f64;
        let total = unigram.iter().sum::<u64>() as f64 + kinds;
        let unigram = unigram.iter().map(|count| (*count as f64 + 1.0) / total).collect();
        Self { unigram, before: Contexts::of(pairs), around: Contexts::of(triples), special: special.clone() }
    }

    /// p(token | before).
    ///
    /// # Panics
    /// If the token is outside the vocabulary of the counts.
    pub fn bigram(&self, before: u16, token: u16) -> f64 {
        self.before.probability(u64::from(before), token, self.unigram[usize::from(token)])
    }

    /// p(token | before, after).
    ///
    /// # Panics
    /// If the token is outside the vocabulary of the counts.
    pub fn two_neighbour(&self, before: u16, token: u16, after: u16) -> f64 {
        self.around.probability(both(before, after), token, self.bigram(before, token))
    }

    /// Cross-entropies of held-out molecules. NaN without held-out tokens; the errors are NaN below two molecules.
    pub fn cross_entropies(&self, heldout: &TokenCacheBuilder) -> CrossEntropies {
        let mut sums = (Vec::with_capacity(heldout.len()), Vec::with_capacity(heldout.len()));
        for molecule in 0..heldout.len() {
            let (mut bigram, mut around, mut tokens) = (0.0, 0.0, 0.0);
            for (before, token, after) in with_neighbours(heldout.get(molecule), &self.special) {
                bigram -= self.bigram(before, token).ln();
                around -= self.two_neighbour(before, token, after).ln();
                tokens += 1.0;
            }
            sums.0.push((bigram, tokens));
            sums.1.push((around, tokens));
        }
        CrossEntropies { bigram: ratio_with_jackknife(&sums.0), two_neighbour: ratio_with_jackknife(&sums.1) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        unigram,
        vocabulary::{END, START},
    };

    /// Real ids of a vocabulary of 8: 1 (unknown), 5, 6, 7.
    const REAL: [u16; 4] = [1, 5, 6, 7];

    fn tokens(molecules: &[&[u16]]) -> TokenCacheBuilder {
        let mut builder = TokenCacheBuilder::new(10, 8);
        for ids in molecules {
            builder.push(ids).unwrap();
        }
        builder
    }

    fn models(train: &TokenCacheBuilder) -> CountModels {
        let special = SpecialIds::default();
        CountModels::new(train, &unigram::counts(train, 8, &special), &special)
    }

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
    }

    #[test]
    fn probabilities_are_those_of_a_hand_count() {
        // Molecules 5 6 5 and 5 5. Tokens 5: 4, 6: 1, in all 5; unigram 5: 5/9, 6: 2/9, 7: 1/9, unknown: 1/9.
        let models = models(&tokens(&[&[2, 5, 6, 5, 3], &[2, 5, 5, 3]]));
        // After [CLS]: 5 twice, one kind. After 5: 6 once, 5 once, two kinds. After 6: 5 once, one kind. 7: never seen.
        near(models.bigram(START, 5), (2.0 + 5.0 / 9.0) / 3.0);
        near(models.bigram(START, 6), (2.0 / 9.0) / 3.0);
        near(models.bigram(5, 5), (1.0 + 2.0 * 5.0 / 9.0) / 4.0);
        near(models.bigram(5, 6), (1.0 + 2.0 * 2.0 / 9.0) / 4.0);
        near(models.bigram(5, 7), (2.0 / 9.0) / 4.0);
        near(models.bigram(7, 6), 2.0 / 9.0);
        // Between [CLS] and 6: 5 once. Between 5 and 5: 6 once. Between 5 and [SEP]: 5 once (and between 6 and [SEP]).
        near(models.two_neighbour(START, 5, 6), (1.0 + models.bigram(START, 5)) / 2.0);
        near(models.two_neighbour(5, 6, 5), (1.0 + models.bigram(5, 6)) / 2.0);
        near(models.two_neighbour(5, 7, 5), models.bigram(5, 7) / 2.0);
        near(models.two_neighbour(5, 5, END), (1.0 + models.bigram(5, 5)) / 2.0);
        near(models.two_neighbour(6, 6, 6), models.bigram(6, 6));
    }

    #[test]
    fn probabilities_sum_to_one_in_every_context() {
        let train = tokens(&[&[2, 5, 6, 5, 3], &[2, 5, 5, 3], &[2, 1, 7, 7, 6, 3], &[2, 3]]);
        let models = models(&train);
        for before in 0..8 {
            near(REAL.iter().map(|token| models.bigram(before, *token)).sum(), 1.0);
            for after in 0..8 {
                near(REAL.iter().map(|token| models.two_neighbour(before, *token, after)).sum(), 1.0);
            }
        }
    }

    #[test]
    fn cross_entropies_are_means_over_tokens_with_the_jackknife_over_molecules() {
        let models = models(&tokens(&[&[2, 5, 6, 5, 3], &[2, 5, 5, 3]]));
        let found = models.cross_entropies(&tokens(&[&[2, 5, 6, 3], &[2, 7, 3]]));
        let first = -(models.bigram(START, 5).ln() + models.bigram(5, 6).ln());
        let second = -models.bigram(START, 7).ln();
        near(found.bigram.0, (first + second) / 3.0);
        // Two molecules: the ratios that leave one out are `second` and `first` / 2; the error is half their difference.
        near(found.bigram.1, (second - first / 2.0).abs() / 2.0);
        let first = -(models.two_neighbour(START, 5, 6).ln() + models.two_neighbour(5, 6, END).ln());
        let second = -models.two_neighbour(START, 7, END).ln();
        near(found.two_neighbour.0, (first + second) / 3.0);
        near(found.two_neighbour.1, (second - first / 2.0).abs() / 2.0);
    }

    #[test]
    fn on_a_corpus_with_order_each_model_beats_the_one_with_less_context() {
        // 5 6 7 over and over: the unigram cannot know what comes next, the bigram does; 7 is 5 or 6 by its neighbours alone.
        let train: Vec<&[u16]> =
            (0..200).map(|index| if index % 2 == 0 { &[2, 5, 6, 7, 3][..] } else { &[2, 5, 7, 6, 3][..] }).collect();
        let train = tokens(&train);
        let special = SpecialIds::default();
        let counts = unigram::counts(&train, 8, &special);
        let found = CountModels::new(&train, &counts, &special).cross_entropies(&train);
        let (unigram, _) = unigram::cross_entropy(&counts, &train, &special);
        assert!(found.two_neighbour.0 < found.bigram.0 && found.bigram.0 < unigram, "{found:?} {unigram}");
        // In the limit: bigram sure of the first token and the last, one bit of one in three.
        assert!((found.bigram.0 - 2.0_f64.ln() / 3.0).abs() < 0.02, "{found:?}");
        assert!(found.two_neighbour.0 < 0.05, "{found:?}");
    }

    #[test]
    fn nothing_held_out_has_no_value() {
        let found = models(&tokens(&[])).cross_entropies(&tokens(&[]));
        assert!(found.bigram.0.is_nan() && found.two_neighbour.1.is_nan());
    }
}
