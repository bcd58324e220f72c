//! Token cache: the tokens of many molecules in one file, opened by memory map.
//!
//! Layout, all little-endian: magic `CLMTOKEN`; u32 version; u32 longest allowed sequence; u32 vocabulary size; u32 longest sequence;
//! u64 count n; u64 tokens in all t; n + 1 u64 offsets (in tokens); t u16 ids; BLAKE3 (32 bytes) of everything before it.

use std::{fs::File, io::Write, path::Path};

use memmap2::Mmap;

use crate::{digest::write_whole, error::MoleculesError};

const MAGIC: &[u8; 8] = b"CLMTOKEN";
const VERSION: u32 = 1;
const HEADER: usize = 40;
const TRAILER: usize = 32;

/// Collects the tokens of molecules and writes them as one file.
#[derive(Debug, Clone)]
pub struct TokenCacheBuilder {
    max_tokens: u32,
    vocabulary: u32,
    longest: u32,
    offsets: Vec<u64>,
    ids: Vec<u16>,
}

impl TokenCacheBuilder {
    /// An empty cache for sequences of at most `max_tokens` ids below `vocabulary`.
    pub fn new(max_tokens: usize, vocabulary: usize) -> Self {
        let fits = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { max_tokens: fits(max_tokens), vocabulary: fits(vocabulary), longest: 0, offsets: vec![0], ids: Vec::new() }
    }

    /// Adds the ids of one molecule.
    ///
    /// # Errors
    /// [`MoleculesError::Setting`] if it is too long or holds an id outside the vocabulary.
    pub fn push(&mut self, ids: &[u16]) -> Result<(), MoleculesError> {
        let length = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        if length > self.max_tokens || ids.iter().any(|id| u32::from(*id) >= self.vocabulary) {
            return Err(MoleculesError::Setting {
                setting: "tokens",
                value: format!("{} ids", ids.len()),
                why: format!("a sequence has at most {} ids, each below {}", self.max_tokens, self.vocabulary),
            });
        }
        self.longest = self.longest.max(length);
        self.ids.extend_from_slice(ids);
        self.offsets.push(self.ids.len() as u64);
        Ok(())
    }

    /// Molecules so far.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Longest sequence so far.
    pub fn longest(&self) -> usize {
        self.longest as usize
    }

    /// Tokens so far, special ones included.
    pub fn total_tokens(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Ids of molecule `index`, with `[CLS]` and `[SEP]`.
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    pub fn get(&self, index: usize) -> &[u16] {
        &self.ids[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// Writes the file beside its place and moves it there; gives its digest ([`TokenCache::digest`]).
    ///
    /// # Errors
    /// [`MoleculesError::Io`] if that fails.
    pub fn write(&self, path: &Path) -> Result<String, MoleculesError> {
        let mut hasher = blake3::Hasher::new();
        write_whole(path, |file| {
            let mut put = |bytes: &[u8]| {
                hasher.update(bytes);
                file.write_all(bytes)
            };
            put(MAGIC)?;
            for number in [VERSION, self.max_tokens, self.vocabulary, self.longest] {
                put(&number.to_le_bytes())?;
            }
            put(&(self.len() as u64).to_le_bytes())?;
            put(&self.total_tokens().to_le_bytes())?;
            let offsets: Vec<u8> = self.offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
            put(&offsets)?;
            let ids: Vec<u8> = self.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            put(&ids)?;
            file.write_all(hasher.finalize().as_bytes())
        })?;
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// The tokens of many molecules, mapped from a file that was checked when it was opened.
#[derive(Debug)]
pub struct TokenCache {
    map: Mmap,
    count: usize,
    total: usize,
    max_tokens: usize,
    vocabulary: usize,
    longest: usize,
    digest: String,
}

impl TokenCache {
    /// Opens a cache and checks all of it, its digest too. The file must not be changed while it is open.
    ///
    /// # Errors
    /// [`MoleculesError::Io`] if it cannot be read, [`MoleculesError::Damaged`] if it is cut short, garbled or no cache at all.
    pub fn open(path: &Path) -> Result<Self, MoleculesError> {
        let damaged = |what: &str| MoleculesError::damaged(path, what);
        if cfg!(target_endian = "big") {
            return Err(damaged("token caches are little-endian and this machine is not"));
        }
        let file = File::open(path).map_err(MoleculesError::io("open", path))?;
        let length = file.metadata().map_err(MoleculesError::io("look at", path))?.len();
        if length < (HEADER + 8 + TRAILER) as u64 {
            return Err(damaged("shorter than an empty token cache"));
        }
        // SAFETY: read-only map of a file that is moved into place whole and never written to again; the rule is part of the docs.
        let map = unsafe { Mmap::map(&file) }.map_err(MoleculesError::io("map", path))?;
        let body = map.len().checked_sub(TRAILER).ok_or_else(|| damaged("cut short"))?;
        if body < HEADER || &map[..8] != MAGIC {
            return Err(damaged("it does not start as a token cache does"));
        }
        let small = |at: usize| u32::from_le_bytes([map[at], map[at + 1], map[at + 2], map[at + 3]]);
        if small(8) != VERSION {
            return Err(damaged(&format!("version {} of the format, this build reads {VERSION}", small(8))));
        }
        let (Ok(count), Ok(total)) = (usize::try_from(large(&map, 24)), usize::try_from(large(&map, 32))) else {
            return Err(damaged("impossible counts"));
        };
        let wanted = count
            .checked_add(1)
            .and_then(|offsets| offsets.checked_mul(8))
            .and_then(|bytes| bytes.checked_add(total.checked_mul(2)?))
            .and_then(|bytes| bytes.checked_add(HEADER));
        if wanted != Some(body) {
            return Err(damaged("its length does not fit its counts; it was cut short or is not whole"));
        }
        let hash = blake3::hash(&map[..body]);
        if hash.as_bytes() != &map[body..] {
            return Err(damaged("its digest is wrong"));
        }
        let cache = Self {
            count,
            total,
            max_tokens: small(12) as usize,
            vocabulary: small(16) as usize,
            longest: small(20) as usize,
            digest: hash.to_hex().to_string(),
            map,
        };
        let mut before = 0;
        let mut longest = 0;
        for index in 0..=count {
            let offset = large(&cache.map, HEADER + 8 * index);
            if offset < before || offset > total as u64 || (index == 0 && offset != 0) {
                return Err(damaged("its offsets do not ascend"));
            }
            longest = longest.max(offset - before);
            before = offset;
        }
        if before != total as u64 || longest != cache.longest as u64 || cache.longest > cache.max_tokens {
            return Err(damaged("its offsets do not fit its counts"));
        }
        if cache.ids().iter().any(|id| usize::from(*id) >= cache.vocabulary) {
            return Err(damaged("it holds an id outside its vocabulary"));
        }
        Ok(cache)
    }

    /// Molecules.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Tokens in all, special ones included.
    pub fn total_tokens(&self) -> u64 {
        self.total as u64
    }

    /// Longest sequence it holds, special tokens included.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Longest sequence it may hold; longer molecules were cut to it.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Size of the tokenizer's vocabulary.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary
    }

    /// BLAKE3 of everything in the file, lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Ids of molecule `index`, with `[CLS]` and `[SEP]`.
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    pub fn get(&self, index: usize) -> &[u16] {
        assert!(index < self.count, "molecule {index} of {}", self.count);
        let at = HEADER + 8 * index;
        &self.ids()[large(&self.map, at) as usize..large(&self.map, at + 8) as usize]
    }

    /// Molecules in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u16]> {
        (0..self.count).map(|index| self.get(index))
    }

    fn ids(&self) -> &[u16] {
        let start = HEADER + 8 * (self.count + 1);
        let bytes = &self.map[start..start + 2 * self.total];
        // SAFETY: every pair of bytes is a valid u16; the map starts at a page and `start` is even, so nothing is cut off at either end.
        let (before, ids, after) = unsafe { bytes.align_to::<u16>() };
        debug_assert!(before.is_empty() && after.is_empty());
        ids
    }
}

fn large(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(path: &Path) -> String {
        let mut builder = TokenCacheBuilder::new(6, 100);
        for ids in [&[2, 7, 8, 3][..], &[2, 3], &[2, 99, 98, 97, 96, 3]] {
            builder.push(ids).unwrap();
        }
        builder.write(path).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.bin");
        let digest = written(&path);
        let cache = TokenCache::open(&path).unwrap();
        assert_eq!(cache.digest(), digest);
        assert_eq!((cache.len(), cache.total_tokens(), cache.longest(), cache.max_tokens()), (3, 12, 6, 6));
        assert_eq!(cache.get(0), [2, 7, 8, 3]);
        assert_eq!(cache.get(2), [2, 99, 98, 97, 96, 3]);
        assert_eq!(cache.iter().map(<[u16]>::len).collect::<Vec<_>>(), [4, 2, 6]);
        // The layout as documented: header, four offsets, twelve ids, digest.
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 40 + 8 * 4 + 2 * 12 + 32);
        assert_eq!(written(&path), digest);
    }

    #[test]
    fn an_empty_cache_is_a_cache() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.bin");
        TokenCacheBuilder::new(6, 100).write(&path).unwrap();
        assert!(TokenCache::open(&path).unwrap().is_empty());
    }

    #[test]
    fn any_cut_and_any_changed_byte_is_a_typed_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.bin");
        written(&path);
        let whole = std::fs::read(&path).unwrap();
        let other = folder.path().join("other.bin");
        for length in 0..whole.len() {
            std::fs::write(&other, &whole[..length]).unwrap();
            assert!(matches!(TokenCache::open(&other), Err(MoleculesError::Damaged { .. })), "cut to {length}");
        }
        for at in 0..whole.len() {
            let mut garbled = whole.clone();
            garbled[at] ^= 0xff;
            std::fs::write(&other, &garbled).unwrap();
            assert!(matches!(TokenCache::open(&other), Err(MoleculesError::Damaged { .. })), "byte {at}");
        }
    }

    #[test]
    fn a_forged_digest_does_not_help() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.bin");
        written(&path);
        let whole = std::fs::read(&path).unwrap();
        let body = whole.len() - TRAILER;
        // Counts near overflow, offsets that descend or run over, an id outside the vocabulary, a wrong longest.
        let lies: [(usize, Vec<u8>); 6] = [
            (24, u64::MAX.to_le_bytes().to_vec()),
            (32, (u64::MAX / 2).to_le_bytes().to_vec()),
            (HEADER + 8, 9_u64.to_le_bytes().to_vec()),
            (HEADER + 16, u64::MAX.to_le_bytes().to_vec()),
            (HEADER + 32, 100_u16.to_le_bytes().to_vec()),
            (20, 5_u32.to_le_bytes().to_vec()),
        ];
        for (at, lie) in lies {
            let mut forged = whole.clone();
            forged[at..at + lie.len()].copy_from_slice(&lie);
            let hash = blake3::hash(&forged[..body]);
            forged[body..].copy_from_slice(hash.as_bytes());
            std::fs::write(&path, &forged).unwrap();
            assert!(matches!(TokenCache::open(&path), Err(MoleculesError::Damaged { .. })), "at {at}");
        }
    }

    #[test]
    fn too_long_or_unknown_ids_are_refused() {
        let mut builder = TokenCacheBuilder::new(3, 10);
        assert!(builder.push(&[2, 4, 4, 3]).is_err());
        assert!(builder.push(&[2, 10, 3]).is_err());
        assert!(builder.push(&[2, 9, 3]).is_ok());
        assert_eq!(builder.len(), 1);
    }
}
