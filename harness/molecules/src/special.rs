//! Which ids of a tokenizer stand for parts of molecules and which are its own signs.

use clmbench_protocol::Special;

/// Stands beside a molecule where its tokenizer marks no end: above every id.
const NOTHING: u16 = u16::MAX;

/// The special ids of a tokenizer, for looking up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialIds {
    /// Sorted, each once.
    all: Vec<u16>,
    /// The id for what is outside the vocabulary, unless it is another sign as well, as in GPT-2's tokenizer.
    unknown: Option<u16>,
    start: Option<u16>,
    end: Option<u16>,
    mask: Option<u16>,
}

impl SpecialIds {
    /// Of these ids.
    pub fn new(special: &Special) -> Self {
        let others = [Some(special.pad), special.start, special.end, special.mask];
        let unknown = special.unknown.filter(|id| !others.contains(&Some(*id)) && !special.others.contains(id));
        Self { all: special.ids(), unknown, start: special.start, end: special.end, mask: special.mask }
    }

    /// Whether an id stands for a part of a molecule. The id for what is unknown does; the other special ids do not.
    pub fn is_real(&self, id: u16) -> bool {
        self.all.binary_search(&id).is_err() || self.unknown == Some(id)
    }

    /// Ids below `entries` that are not special.
    pub fn ordinary(&self, entries: u64) -> u64 {
        entries - self.all.iter().filter(|id| u64::from(**id) < entries).count() as u64
    }

    /// The n-th id (from 0) that is not special.
    pub fn nth_ordinary(&self, n: u64) -> u64 {
        self.all.iter().fold(n, |id, special| if u64::from(*special) <= id { id + 1 } else { id })
    }

    /// The id that hides a token; none for tokenizers of causal models.
    pub fn mask(&self) -> Option<u16> {
        self.mask
    }

    /// What stands before the first token of a molecule.
    pub(crate) fn before(&self) -> u16 {
        self.start.unwrap_or(NOTHING)
    }

    /// What stands behind its last.
    pub(crate) fn behind(&self) -> u16 {
        self.end.unwrap_or(NOTHING)
    }
}

impl Default for SpecialIds {
    /// Those of our own tokenizer.
    fn default() -> Self {
        Self::new(&Special::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_the_first_five_and_the_unknown_is_real() {
        let ids = SpecialIds::default();
        let real: Vec<u16> = (0..8).filter(|id| ids.is_real(*id)).collect();
        assert_eq!(real, [1, 5, 6, 7]);
        assert_eq!(ids.ordinary(500), 495);
        assert!((0..495).all(|n| ids.nth_ordinary(n) == n + 5));
    }

    #[test]
    fn scattered_ids_are_stepped_over() {
        let special = Special { pad: 1, unknown: Some(3), start: Some(0), end: Some(2), mask: Some(7), others: vec![9] };
        let ids = SpecialIds::new(&special);
        // Of 11 entries: 4, 5, 6, 8, 10 are ordinary.
        assert_eq!(ids.ordinary(11), 5);
        assert_eq!((0..5).map(|n| ids.nth_ordinary(n)).collect::<Vec<_>>(), [4, 5, 6, 8, 10]);
        // A tokenizer with one sign for everything, as GPT-2's: it stands for no part of a molecule.
        let one = Special { pad: 6, unknown: Some(6), start: Some(6), end: Some(6), mask: None, others: Vec::new() };
        assert!(!SpecialIds::new(&one).is_real(6));
        // The mask of a padded table may lie beyond the entries that are counted.
        assert_eq!(SpecialIds::new(&one).ordinary(6), 6);
    }
}
