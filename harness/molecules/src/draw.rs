//! The order in which a corpus draws its candidates: within a group by a hash of (seed, SMILES), between groups by weight.

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
}

/// Walks through all candidates of all groups, each once.
pub(crate) struct Draw<'a> {
    groups: &'a [Group],
    orders: Vec<Vec<u32>>,
    shares: Vec<f64>,
    taken: Vec<usize>,
    position: u64,
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
            taken: vec![0; groups.len()],
            position: 0,
        })
    }
}

impl<'a> Iterator for Draw<'a> {
    type Item = &'a str;

    /// The next candidate: of the group that lags most behind its share, the first among equals; used-up groups are skipped.
    fn next(&mut self) -> Option<&'a str> {
        self.position += 1;
        let mut chosen = None;
        let mut largest = f64::NEG_INFINITY;
        for (place, share) in self.shares.iter().enumerate() {
            let deficit = share * self.position as f64 - self.taken[place] as f64;
            if self.taken[place] < self.orders[place].len() && deficit > largest {
                largest = deficit;
                chosen = Some(place);
            }
        }
        let place = chosen?;
        let index = self.orders[place][self.taken[place]] as usize;
        self.taken[place] += 1;
        Some(self.groups[place].candidates.get(index))
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

    fn group(name: &str, weight: f64, count: usize) -> Group {
        let mut candidates = Texts::default();
        for index in 0..count {
            candidates.push(&format!("{name}{index}"));
        }
        Group { name: name.into(), weight, candidates }
    }

    #[test]
    fn every_prefix_holds_the_shares_until_a_group_is_used_up() {
        let groups = [group("a", 3.0, 10_000), group("b", 1.0, 500)];
        let drawn: Vec<&str> = Draw::new(&groups, 7).unwrap().collect();
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
    fn the_order_depends_on_the_seed_and_not_on_the_file() {
        let groups = [group("a", 1.0, 1_000)];
        let mut backwards = Texts::default();
        for index in (0..1_000).rev() {
            backwards.push(&format!("a{index}"));
        }
        let reversed = [Group { name: "a".into(), weight: 1.0, candidates: backwards }];
        let first: Vec<&str> = Draw::new(&groups, 7).unwrap().collect();
        assert_eq!(first, Draw::new(&reversed, 7).unwrap().collect::<Vec<_>>());
        assert_ne!(first, Draw::new(&groups, 8).unwrap().collect::<Vec<_>>());
        assert_ne!(first[..10], (0..10).map(|index| format!("a{index}")).collect::<Vec<_>>()[..]);
    }
}
