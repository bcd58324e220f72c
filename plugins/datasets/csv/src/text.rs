//! From the bytes of a file to its text.

use std::{borrow::Cow, io::Read};

use clmbench_sdk::protocol::user_table::line;
use flate2::read::MultiGzDecoder;

/// Most bytes that a gzipped file may hold once it is unpacked, 2 GiB.
const MOST: u64 = 2 << 30;

/// Starts of files that are no text, and what they are.
const FOREIGN: [(&[u8], &str); 6] = [
    (b"PK\x03\x04", "a zip file or a workbook (.xlsx, .ods)"),
    (b"\xd0\xcf\x11\xe0", "a workbook (.xls)"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
    (b"BZh", "compressed by bzip2"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
];

/// The text without a mark of byte order.
///
/// # Errors
/// A sentence that names the file, and the line for a byte that is no UTF-8.
pub fn decode<'a>(name: &str, bytes: &'a [u8]) -> Result<Cow<'a, str>, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(plain(name, bytes)?));
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(MOST + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| format!("{name}: the gzip file is damaged or cut short ({error}); compress it again"))?;
    if unpacked.len() as u64 > MOST {
        return Err(format!("{name}: the gzip file holds more than {} GiB; take a part of it", MOST >> 30));
    }
    Ok(Cow::Owned(plain(name, &unpacked)?.to_owned()))
}

fn plain<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, String> {
    if let Some((_, what)) = FOREIGN.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(format!("{name}: the file is {what}; save it as text, UTF-8 with commas or tabs"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        let byte = bytes.get(place).copied().unwrap_or_default();
        format!("{name}, line {}: the byte 0x{byte:02X} is no UTF-8; save the file in UTF-8", line(bytes, place))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(format!("{name}: the file is empty; it must have a header line and rows"));
    }
    match text.find('\0') {
        Some(place) => {
            Err(format!("{name}, line {}: a NUL byte is no text; save the file as text", line(text.as_bytes(), place)))
        }
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    #[test]
    fn plain_and_gzipped_text_lose_their_mark() {
        assert_eq!(decode("t", b"\xef\xbb\xbfa,b\n").unwrap(), "a,b\n");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"\xef\xbb\xbfa,b\n").unwrap();
        let bytes = gzip.finish().unwrap();
        assert_eq!(decode("t", &bytes).unwrap(), "a,b\n");
        let error = decode("csv/t", &bytes[..bytes.len() - 9]).unwrap_err();
        assert!(error.starts_with("csv/t: the gzip file is damaged or cut short ("), "{error}");
    }

    #[test]
    fn what_is_no_text_is_named() {
        let refused = |bytes: &[u8]| decode("csv/t", bytes).unwrap_err();
        assert_eq!(refused(b"smiles,y\nC,1\r\nC\xe9,2\n"), "csv/t, line 3: the byte 0xE9 is no UTF-8; save the file in UTF-8");
        assert_eq!(refused(b""), "csv/t: the file is empty; it must have a header line and rows");
        assert_eq!(refused(b"\xef\xbb\xbf \n"), "csv/t: the file is empty; it must have a header line and rows");
        assert_eq!(
            refused(b"PK\x03\x04rest"),
            "csv/t: the file is a zip file or a workbook (.xlsx, .ods); save it as text, UTF-8 with commas or tabs"
        );
        assert_eq!(refused(b"\xff\xfes\0m\0"), "csv/t: the file is text in UTF-16; save it as text, UTF-8 with commas or tabs");
        assert_eq!(refused(b"a,b\nC,\0\n"), "csv/t, line 2: a NUL byte is no text; save the file as text");
    }
}
