//! Seeds of random streams: functions of what a cell is and what the stream is for, never of the clock.

use std::sync::{Mutex, PoisonError};

/// The seed of the stream with this label under these keys (first eight bytes of a BLAKE3 hash).
pub fn derive(label: &str, keys: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in std::iter::once(label.as_bytes()).chain(keys.iter().copied()) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let hash = hasher.finalize();
    let mut bytes = [0_u8; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// Seeds libtorch's generator, which is one for the process. For a thread that shares it with nobody; weights come by [`drawn`].
pub fn seed_libtorch(seed: u64) {
    tch::manual_seed((seed >> 1) as i64);
}

/// What `draw` makes with libtorch's generator at this seed. One draw at a time in the process: with two threads between seeding
/// and drawing, each would get a share of the other's stream. Must not be nested.
pub fn drawn<T>(seed: u64, draw: impl FnOnce() -> T) -> T {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    seed_libtorch(seed);
    draw()
}

#[cfg(test)]
mod tests {
    use super::{derive, drawn};

    #[test]
    fn threads_that_draw_at_once_get_what_each_would_get_alone() {
        let draw =
            |seed: u64| drawn(seed, || (0..200).map(|_| tch::Tensor::randn([16], tch::kind::FLOAT_CPU)).collect::<Vec<_>>());
        let sums = |seed: u64| draw(seed).iter().map(|part| part.sum(tch::Kind::Double).double_value(&[])).collect::<Vec<_>>();
        let alone = [sums(1), sums(2)];
        assert_ne!(alone[0], alone[1]);
        for _ in 0..5 {
            let together: [Vec<f64>; 2] = std::thread::scope(|scope| {
                let threads = [1, 2].map(|seed| scope.spawn(move || sums(seed)));
                threads.map(|thread| thread.join().expect("drawing does not panic"))
            });
            assert_eq!(together, alone);
        }
    }

    #[test]
    fn labels_and_keys_are_kept_apart() {
        assert_eq!(derive("a", &[b"bc"]), derive("a", &[b"bc"]));
        assert_ne!(derive("a", &[b"bc"]), derive("ab", &[b"c"]));
        assert_ne!(derive("a", &[b"b", b"c"]), derive("a", &[b"bc"]));
    }
}
