//! Permutation test of Spearman's rho: runs are moved as wholes, two-sided on |rho|.
//!
//! Up to 8 runs all n! orders are enumerated and p is exact; above, 9,999 random orders give
//! p = (1 + k) / (1 + B), k of B at least as extreme (Phipson and Smyth 2010: never zero).

use rand::{Rng, seq::SliceRandom};
use serde::{Deserialize, Serialize};

use crate::{
    correlation::{check_pair, doubled_ranks},
    refusal::Refusal,
};

/// Most runs for which all orders are enumerated.
pub const LARGEST_EXACT_N: usize = 8;
/// Random orders above that.
pub const RANDOM_ORDERS: u64 = 9_999;

/// A permutation p-value and how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PermutationTest {
    /// Two-sided p of |Spearman|.
    pub p_value: f64,
    /// Orders looked at.
    pub orders: u64,
    /// Whether these are all orders.
    pub exact: bool,
}

/// Tests whether the runs' ranks in `x` and `y` are related.
///
/// # Errors
/// Fewer than 3 runs, a constant or non-finite column, unequal lengths.
pub fn permutation_test(x: &[f64], y: &[f64], rng: &mut impl Rng) -> Result<PermutationTest, Refusal> {
    check_pair(x, y, "a permutation test", 3)?;
    let (ranks_x, mut ranks_y) = (doubled_ranks(x), doubled_ranks(y));
    let n = ranks_x.len() as i64;
    // Ranks do not change under permutation, so |rho| is compared through this whole number, without rounding.
    let centre = n * (n + 1) * (n + 1);
    let distance = |ranks: &[i64]| (ranks_x.iter().zip(ranks).map(|(a, b)| a * b).sum::<i64>() - centre).abs();
    let observed = distance(&ranks_y);
    if ranks_x.len() <= LARGEST_EXACT_N {
        let (mut extreme, mut orders) = (0u64, 0u64);
        for_each_order(&mut ranks_y, |order| {
            orders += 1;
            extreme += u64::from(distance(order) >= observed);
        });
        return Ok(PermutationTest { p_value: extreme as f64 / orders as f64, orders, exact: true });
    }
    let mut extreme = 0u64;
    for _ in 0..RANDOM_ORDERS {
        ranks_y.shuffle(rng);
        extreme += u64::from(distance(&ranks_y) >= observed);
    }
    let p_value = (1 + extreme) as f64 / (1 + RANDOM_ORDERS) as f64;
    Ok(PermutationTest { p_value, orders: RANDOM_ORDERS, exact: false })
}

/// Calls `visit` with every order of `items` (Heap 1963).
pub(crate) fn for_each_order<T>(items: &mut [T], mut visit: impl FnMut(&[T])) {
    let mut counters = vec![0usize; items.len()];
    visit(items);
    let mut level = 1;
    while level < items.len() {
        if counters[level] < level {
            items.swap(if level % 2 == 0 { 0 } else { counters[level] }, level);
            visit(items);
            counters[level] += 1;
            level = 1;
        } else {
            counters[level] = 0;
            level += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::{correlation::spearman, seed::generator};

    #[test]
    fn every_order_comes_once() {
        let mut seen = BTreeSet::new();
        for_each_order(&mut [1, 2, 3, 4, 5, 6], |order| assert!(seen.insert(order.to_vec())));
        assert_eq!(seen.len(), 720);
    }

    #[test]
    fn monotone_runs_have_the_smallest_exact_p() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let test = permutation_test(&x, &x.map(|v| v * v), &mut generator(1, "p")).unwrap();
        assert_eq!(test, PermutationTest { p_value: 2.0 / 40_320.0, orders: 40_320, exact: true });
    }

    #[test]
    fn random_orders_agree_with_the_asymptotic_p() {
        // n = 30, rho about 0.36: t approximation p = 0.05.
        let mut rng = generator(3, "data");
        let x: Vec<f64> = (0..30).map(|_| rng.random::<f64>()).collect();
        let y: Vec<f64> = x.iter().map(|v| v + 2.0 * rng.random::<f64>()).collect();
        let rho = spearman(&x, &y).unwrap();
        let t = rho * (28.0 / (1.0 - rho * rho)).sqrt();
        use statrs::distribution::{ContinuousCDF, StudentsT};
        let expected = 2.0 * StudentsT::new(0.0, 1.0, 28.0).unwrap().sf(t.abs());
        let test = permutation_test(&x, &y, &mut generator(3, "p")).unwrap();
        assert!(!test.exact);
        let error = (expected * (1.0 - expected) / 9_999.0).sqrt();
        assert!((test.p_value - expected).abs() < 4.0 * error + 0.003, "{} against {expected}", test.p_value);
    }

    #[test]
    fn size_under_the_null_at_eight_runs() {
        // The exact test has size at most 5 %; discreteness at n = 8 leaves 4.58 % attainable.
        let mut rng = generator(11, "null");
        let draws = 400;
        let rejected = (0..draws)
            .filter(|_| {
                let x: Vec<f64> = (0..8).map(|_| rng.random::<f64>()).collect();
                let y: Vec<f64> = (0..8).map(|_| rng.random::<f64>()).collect();
                permutation_test(&x, &y, &mut generator(1, "p")).unwrap().p_value <= 0.05
            })
            .count() as f64;
        let error = (0.05f64 * 0.95 / f64::from(draws)).sqrt();
        let share = rejected / f64::from(draws);
        assert!(share <= 0.05 + 3.0 * error && share >= 0.05 - 4.0 * error, "{share}");
    }
}
