//! The order in which a corpus draws its candidates: within a group by a hash of (seed, SMILES as written), between groups by weight.
//!
//! Weights are shares of the molecules that are kept, not of the rows that are looked at: a group with many repeats or invalid rows is looked at
//! more often. So every prefix of the molecules kept holds the shares, until a group is used up.

use crate::error::MoleculesError;

/// Many texts in one piece of memory.
#[derive(Default)]
pub(crate) struct Texts {
    text: String,
    ends: Vec<usize>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }
}

/// Sources that share a weight.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) candidates: Texts,
    /// Row of each candidate in its file.
    pub(crate) rows: Vec<u32>,
    /// First candidate and name of each file.
    pub(crate) files: Vec<(usize, String)>,
}

impl Group {
    /// Where a candidate stands, in words.
    pub(crate) fn origin(&self, candidate: usize) -> String {
        let file = self.files.iter().rev().find(|(first, _)| *first <= candidate);
        let name = file.map_or("", |(_, name)| name);
        format!("{name}, row {}", self.rows.get(candidate).copied().unwrap_or_default())
    }
}

/// A candidate that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate<'a> {
    /// Place of its group.
    pub(crate) group: usize,
    /// Place in the group.
    pub(crate) index: usize,
    /// As the source has it.
    pub(crate) text: &'a str,
}

/// Walks through all candidates of all groups, each once.
pub(crate) struct Draw<'a> {
    groups: &'a [Group],
    orders: Vec<Vec<u32>>,
    shares: Vec<f64>,
    looked_at: Vec<usize>,
    kept: Vec<u64>,
}

impl<'a> Draw<'a> {
    /// Orders the candidates. The order of the source files does not matter, only what they hold.
    pub(crate) fn new(groups: &'a [Group], seed: u64) -> Result<Self, MoleculesError> {
        let total: f64 = groups.iter().map(|group| group.weight).sum();
        let mut orders = Vec::with_capacity(groups.len());
        for group in groups {
            if u32::try_from(group.candidates.len()).is_err() {
                return Err(MoleculesError::Setting {
                    setting: "corpus.sources",
                    value: group.name.clone(),
                    why: "a group may hold at most 4,294,967,295 rows".into(),
                });
            }
            orders.push(order(&group.candidates, seed));
        }
        Ok(Self {
            groups,
            orders,
            shares: groups.iter().map(|group| group.weight / total).collect(),
            looked_at: vec![0; groups.len()],
            kept: vec![0; groups.len()],
        })
    }

    /// The next candidate: of the group whose kept molecules lag most behind its share, the first among equals; used-up groups are skipped.
    pub(crate) fn next(&mut self) -> Option<Candidate<'a>> {
        let position = self.kept.iter().sum::<u64>() + 1;
        let mut chosen = None;
        let mut largest = f64::NEG_INFINITY;
        for (place, share) in self.shares.iter().enumerate() {
            let deficit = share * position as f64 - self.kept[place] as f64;
            if self.looked_at[place] < self.orders[place].len() && deficit > largest {
                largest = deficit;
                chosen = Some(place);
            }
        }
        let group = chosen?;
        let index = self.orders[group][self.looked_at[group]] as usize;
        self.looked_at[group] += 1;
        Some(Candidate { group, index, text: self.groups[group].candidates.get(index) })
    }

    /// Tells that the candidate drawn from this group was kept.
    pub(crate) fn keep(&mut self, group: usize) {
        self.kept[group] += 1;
    }
}

/// Indices in the order of BLAKE3(seed, text); equal hashes by text.
fn order(candidates: &Texts, seed: u64) -> Vec<u32> {
    let mut keyed: Vec<(u64, u32)> = (0..candidates.len())
        .map(|index| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&seed.to_le_bytes()).update(candidates.get(index).as_bytes());
            let mut key = [0; 8];
            key.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
            (u64::from_le_bytes(key), index as u32)
        })
        .collect();
    keyed.sort_unstable_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| candidates.get(a.1 as usize).cmp(candidates.get(b.1 as usize))).then(a.1.cmp(&b.1))
    });
    keyed.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn group(name: &str, weight: f64, numbers: impl Iterator<Item = usize>) -> Group {
        let mut candidates = Texts::default();
        numbers.for_each(|number| candidates.push(&format!("{name}{number}")));
        let rows = (0..candidates.len() as u32).collect();
        Group { name: name.into(), weight, candidates, rows, files: vec![(0, format!("{name}.csv"))] }
    }

    /// Every candidate drawn, and whether it is kept.
    fn draw(groups: &[Group], seed: u64, keep: impl Fn(&str) -> bool) -> Vec<&str> {
        let mut draw = Draw::new(groups, seed).unwrap();
        let mut kept = Vec::new();
        while let Some(candidate) = draw.next() {
            if keep(candidate.text) {
                draw.keep(candidate.group);
                kept.push(candidate.text);
            }
        }
        kept
    }

    #[test]
    fn every_prefix_holds_the_shares_until_a_group_is_used_up() {
        let groups = [group("a", 3.0, 0..10_000), group("b", 1.0, 0..500)];
        let drawn = draw(&groups, 7, |_| true);
        assert_eq!(drawn.len(), 10_500);
        for length in [1, 2, 10, 99, 1_000, 1_999] {
            let from_a = drawn[..length].iter().filter(|text| text.starts_with('a')).count() as f64;
            assert!((from_a - 0.75 * length as f64).abs() <= 1.0, "{from_a} of {length}");
        }
        // 500 of b are used up after 2,000; then only a.
        assert!(drawn[2_001..].iter().all(|text| text.starts_with('a')));
        let distinct: std::collections::HashSet<_> = drawn.iter().collect();
        assert_eq!(distinct.len(), drawn.len());
    }

    #[test]
    fn shares_are_of_what_is_kept() {
        // Two thirds of b are refused, as repeats are.
        let groups = [group("a", 1.0, 0..1_000), group("b", 1.0, 0..1_500)];
        let kept = draw(&groups, 7, |text| text.starts_with('a') || text[1..].parse::<u32>().unwrap() < 500);
        for length in [1, 2, 10, 99, 500, 999] {
            let from_a = kept[..length].iter().filter(|text| text.starts_with('a')).count() as f64;
            assert!((from_a - 0.5 * length as f64).abs() <= 1.0, "{from_a} of {length}");
        }
        assert_eq!(kept.len(), 1_500);
    }

    #[test]
    fn the_order_depends_on_the_seed_and_not_on_the_file() {
        let groups = [group("a", 1.0, 0..1_000)];
        let reversed = [group("a", 1.0, (0..1_000).rev())];
        let first = draw(&groups, 7, |_| true);
        assert_eq!(first, draw(&reversed, 7, |_| true));
        assert_ne!(first, draw(&groups, 8, |_| true));
        assert_ne!(first[..10], (0..10).map(|index| format!("a{index}")).collect::<Vec<_>>()[..]);
    }

    #[test]
    fn a_candidate_knows_its_file_and_row() {
        let mut group = group("a", 1.0, 0..5);
        group.files.push((3, "second.smi".into()));
        group.rows = vec![0, 1, 4, 0, 7];
        assert_eq!(
            [0, 2, 3, 4].map(|index| group.origin(index)),
            ["a.csv, row 0", "a.csv, row 4", "second.smi, row 0", "second.smi, row 7"]
        );
    }
}
