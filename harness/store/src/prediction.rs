//! Test predictions as one blob: rows of 24 bytes, little-endian: row (u64), label (f64), prediction (f64).

use crate::StoreError;

const ROW: usize = 24;

/// The bytes of predictions.
pub(crate) fn encode(predictions: impl ExactSizeIterator<Item = (u64, f64, f64)>) -> Vec<u8> {
    let mut data = Vec::with_capacity(predictions.len() * ROW);
    for (row, label, prediction) in predictions {
        data.extend_from_slice(&row.to_le_bytes());
        data.extend_from_slice(&label.to_le_bytes());
        data.extend_from_slice(&prediction.to_le_bytes());
    }
    data
}

/// BLAKE3 of the bytes, lower-case hex.
pub(crate) fn checksum(data: &[u8]) -> String {
    blake3::hash(data).to_hex().to_string()
}

/// The predictions of the bytes.
///
/// # Errors
/// Refuses bytes whose length does not fit the number of molecules or whose checksum differs.
pub(crate) fn decode(identity: &str, data: &[u8], molecules: u64, blake3: &str) -> Result<Vec<(u64, f64, f64)>, StoreError> {
    let (rows, rest) = data.as_chunks::<ROW>();
    if !rest.is_empty() || rows.len() as u64 != molecules {
        return Err(StoreError::malformed(format!(
            "predictions of cell {identity}: {} bytes for {molecules} molecules of {ROW} bytes",
            data.len()
        )));
    }
    if checksum(data) != blake3 {
        return Err(StoreError::malformed(format!("predictions of cell {identity}: the checksum differs")));
    }
    Ok(rows.iter().map(|row| (u64::from_le_bytes(eight(row, 0)), float(row, 8), float(row, 16))).collect())
}

fn float(row: &[u8; ROW], start: usize) -> f64 {
    f64::from_le_bytes(eight(row, start))
}

fn eight(row: &[u8; ROW], start: usize) -> [u8; 8] {
    std::array::from_fn(|index| row[start + index])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn round_trip_and_layout() {
        let rows = vec![(1, 1.0, -0.0), (u64::MAX, f64::NAN, f64::NEG_INFINITY)];
        let data = encode(rows.clone().into_iter());
        assert_eq!(data[..16], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        let bits = |rows: &[(u64, f64, f64)]| rows.iter().map(|r| (r.0, r.1.to_bits(), r.2.to_bits())).collect::<Vec<_>>();
        assert_eq!(bits(&decode("c", &data, 2, &checksum(&data)).unwrap()), bits(&rows));
        assert!(decode("c", &[], 0, &checksum(&[])).unwrap().is_empty());
    }

    #[test]
    fn malformed_bytes_are_refused() {
        let data = encode([(1, 1.0, 2.0)].into_iter());
        let sum = checksum(&data);
        assert!(decode("c", &data[..23], 1, &sum).is_err(), "cut");
        assert!(decode("c", &data, 2, &sum).is_err(), "another count");
        let mut changed = data.clone();
        changed[9] ^= 1;
        let error = decode("cell-7", &changed, 1, &sum).unwrap_err().to_string();
        assert!(error.contains("cell-7") && error.contains("checksum"), "{error}");
    }
}
