//! Complete-linkage clustering.

/// Two clusters become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// A molecule of the one.
    pub one: usize,
    /// A molecule of the other.
    pub other: usize,
    /// Largest distance between molecules of the two.
    pub height: f64,
}

/// Merges of `count` molecules into one cluster, in rising order of height, from their distances [N, N] row by row, which are
/// used up.
///
/// Nearest-neighbour chains (Benzécri 1982; Murtagh 1983): N^2 time, no memory but the distances. A chain goes from a cluster to its
/// nearest one until two are each other's nearest; for complete linkage these are merged in any order without harm. Of equally
/// near clusters the previous one of the chain is taken, else the first.
pub fn complete_linkage(distances: &mut [f64], count: usize) -> Vec<Merge> {
    // Of a cluster that is gone all distances are infinite, and so is that of a cluster to itself.
    for index in 0..count {
        distances[index * count + index] = f64::INFINITY;
    }
    let mut alive: Vec<bool> = vec![true; count];
    let mut merges = Vec::with_capacity(count.saturating_sub(1));
    let (mut chain, mut first) = (Vec::new(), 0);
    while merges.len() + 1 < count {
        if chain.is_empty() {
            while !alive[first] {
                first += 1;
            }
            chain.push(first);
        }
        let tip = chain[chain.len() - 1];
        let before = chain.len().checked_sub(2).map(|index| chain[index]);
        let row = &distances[tip * count..(tip + 1) * count];
        let height = least(row);
        let next = before.filter(|index| row[*index] == height);
        let next = next.or_else(|| row.iter().position(|distance| *distance == height)).unwrap_or(tip);
        if Some(next) == before || next == tip {
            chain.truncate(chain.len().saturating_sub(2));
            merges.push(Merge { one: tip, other: next, height });
            alive[next] = false;
            join(distances, count, tip, next, &alive);
        } else {
            chain.push(next);
        }
    }
    merges.sort_by(|a, b| a.height.total_cmp(&b.height));
    merges
}

/// The smallest number, by lanes that the processor compares at once.
fn least(row: &[f64]) -> f64 {
    let mut lanes = [f64::INFINITY; 8];
    let chunks = row.chunks_exact(8);
    let rest = chunks.remainder().iter().copied().fold(f64::INFINITY, f64::min);
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value < *lane { *value } else { *lane };
        }
    }
    lanes.into_iter().fold(rest, f64::min)
}

/// The cluster `kept` takes in `gone`: its distance to each other one is the larger of the two.
fn join(distances: &mut [f64], count: usize, kept: usize, gone: usize, alive: &[bool]) {
    for other in 0..count {
        let distance = if alive[other] && other != kept {
            let distance = distances[kept * count + other].max(distances[gone * count + other]);
            distances[other * count + kept] = distance;
            distance
        } else {
            f64::INFINITY
        };
        distances[kept * count + other] = distance;
        distances[other * count + gone] = f64::INFINITY;
    }
}
