//! Undoing gzip: files of data come plain or gzipped, and which of the two their first bytes say.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::error::MoleculesError;

/// Largest size that a file may have once it is unpacked, 1 GiB: forty times that of the largest set of MoleculeNet.
pub const MAX_BYTES: u64 = 1 << 30;

/// The bytes themselves where they are not gzip, else what they hold, at most `limit` bytes. `name` is what errors call the file.
///
/// # Errors
/// [`MoleculesError::Gzip`] for a file that is damaged or cut short, or that holds more.
pub fn unpacked(name: &str, bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, MoleculesError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let refused = |what: String| MoleculesError::Gzip { file: name.into(), what };
    let mut found = Vec::new();
    let read = MultiGzDecoder::new(&bytes[..]).take(limit.saturating_add(1)).read_to_end(&mut found);
    read.map_err(|error| refused(format!("its gzip is damaged or cut short ({error})")))?;
    if found.len() as u64 > limit {
        return Err(refused(format!(
            "its {} bytes of gzip hold more than {limit} bytes, which no data set here does",
            bytes.len()
        )));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_undone_and_other_bytes_stay() {
        let text = b"smiles,y\nC,1\n".to_vec();
        assert_eq!(unpacked("f", text.clone(), 100).unwrap(), text);
        assert_eq!(unpacked("f", gzip(&text), 100).unwrap(), text);
        assert_eq!(unpacked("f", [gzip(&text), gzip(b"N,2\n")].concat(), 100).unwrap(), b"smiles,y\nC,1\nN,2\n");
        assert_eq!(unpacked("f", Vec::new(), 100).unwrap(), b"");
    }

    #[test]
    fn a_cut_a_changed_byte_and_a_bomb_are_named() {
        let whole = gzip(&(0..200_u8).collect::<Vec<_>>());
        for length in 2..whole.len() {
            let error = unpacked("set.csv.gz", whole[..length].to_vec(), 1_000).unwrap_err();
            assert!(error.to_string().starts_with("set.csv.gz: its gzip is damaged or cut short ("), "{length}: {error}");
        }
        let mut changed = whole.clone();
        let last = changed.len() - 6;
        changed[last] ^= 1;
        assert!(matches!(unpacked("f", changed, 1_000), Err(MoleculesError::Gzip { .. })));
        // A million zeros in a thousand bytes, and no more than the limit is ever unpacked.
        let bomb = gzip(&vec![0; 1 << 20]);
        let error = unpacked("set.csv.gz", bomb.clone(), 1_000).unwrap_err().to_string();
        let wanted = format!("its {} bytes of gzip hold more than 1000 bytes, which no data set here does", bomb.len());
        assert_eq!(error, format!("set.csv.gz: {wanted}; fetch the file again, or look at where it comes from"));
        assert_eq!(unpacked("f", bomb, 1 << 20).unwrap().len(), 1 << 20);
    }
}
