//! Which rows of a file with more rows are those of a set, told by digests of the SMILES of the set.
//!
//! A digest has 16 bits: FNV-1a (Fowler, Noll and Vo) of 32 bits, its halves joined by exclusive or. A row that is not of the set
//! passes for the next one of it about once in 65,536 cases; the content's own SHA-256, which the host checks, then refuses all.

/// The digest of a SMILES.
pub fn digest(smiles: &str) -> u16 {
    let hash = smiles.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash >> 16) as u16 ^ hash as u16
}

/// The digests of a set, in the order of its rows: four hexadecimal digits each, line ends anywhere between them.
pub fn digests(text: &str) -> Vec<u16> {
    let line = |line: &str| -> Vec<u16> {
        line.as_bytes().chunks(4).filter_map(|digits| u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).collect()
    };
    text.lines().flat_map(line).collect()
}

/// For each SMILES whether it is a row of the set, given the set's digests in their order.
pub fn rows<'a>(smiles: impl Iterator<Item = &'a str>, digests: &[u16]) -> Vec<bool> {
    let mut wanted = digests.iter().peekable();
    smiles.map(|smiles| wanted.next_if(|wanted| **wanted == digest(smiles)).is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the reference implementation of FNV-1a, 32 bits: e40c292c of `a` and bf9cf968 of `foobar`.
    #[test]
    fn the_digest_is_fnv() {
        assert_eq!((digest("a"), digest("foobar")), (0xe40c ^ 0x292c, 0xbf9c ^ 0xf968));
        assert_eq!(digest(""), 0x811c ^ 0x9dc5);
    }

    #[test]
    fn rows_are_found_in_their_order_only() {
        let digests = digests(&format!("{:04x}{:04x}\n{:04x}\n", digest("C"), digest("N"), digest("O")));
        assert_eq!(digests.len(), 3);
        assert_eq!(
            rows(["F", "C", "[Cl]", "N", "C", "O", "O"].into_iter(), &digests),
            [false, true, false, true, false, true, false]
        );
    }
}
