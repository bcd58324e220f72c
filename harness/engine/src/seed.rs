//! Seeds of random streams: functions of what a cell is and what the stream is for, never of the clock.

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

/// Seeds libtorch's generator, which is one for the process, between the draws of other threads. Weights come by [`drawn`].
pub fn seed_libtorch(seed: u64) {
    drawn(seed, || ());
}

/// What `draw` makes with libtorch's generator at this seed, one draw at a time in the process ([`clmbench_sdk::draw::drawn`]).
pub fn drawn<T>(seed: u64, draw: impl FnOnce() -> T) -> T {
    clmbench_sdk::draw::drawn(of_libtorch(seed), draw)
}

/// libtorch's seeds are not negative.
fn of_libtorch(seed: u64) -> i64 {
    (seed >> 1) as i64
}

#[cfg(test)]
mod tests {
    use super::derive;

    #[test]
    fn labels_and_keys_are_kept_apart() {
        assert_eq!(derive("a", &[b"bc"]), derive("a", &[b"bc"]));
        assert_ne!(derive("a", &[b"bc"]), derive("ab", &[b"c"]));
        assert_ne!(derive("a", &[b"b", b"c"]), derive("a", &[b"bc"]));
    }
}
