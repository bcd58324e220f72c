#![allow(clippy::unwrap_used)]
use std::collections::HashMap;

use safetensors::tensor::{TensorView, serialize};

use super::*;

fn file(json: &str, data: usize) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix("m.safetensors").tempfile().unwrap();
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// What is wrong with a header, without begin and end of the message.
fn wrong(json: &str, data: usize) -> String {
    let error = header_of(file(json, data).path(), "m").unwrap_err().to_string();
    let text = error.strip_prefix("`m` is no sound safetensors file: ").unwrap_or_else(|| panic!("{error}"));
    text.strip_suffix("; download it again, or save it again with `save_pretrained(..., safe_serialization=True)`")
        .unwrap()
        .to_owned()
}

fn tensor(name: &str, dtype: &str, shape: &str, begin: u64, end: u64) -> String {
    format!(r#""{name}": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": [{begin}, {end}]}}"#)
}

#[test]
fn files_of_the_reference_writer_are_read_as_by_the_reference_reader() {
    use safetensors::Dtype as Theirs;
    let data = [0_u8; 48];
    let of = |dtype, shape: &[usize], bytes: usize| TensorView::new(dtype, shape.to_vec(), &data[..bytes]).unwrap();
    let tensors = HashMap::from([
        ("b.weight", of(Theirs::F32, &[2, 3], 24)),
        ("a", of(Theirs::I64, &[], 8)),
        ("none", of(Theirs::F16, &[0, 7], 0)),
        ("h", of(Theirs::BF16, &[1, 1, 3], 6)),
        ("é\"\\", of(Theirs::BOOL, &[5], 5)),
    ]);
    let metadata = Some(HashMap::from([("format".to_owned(), "pt".to_owned())]));
    let bytes = serialize(tensors, metadata).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let ours = header(file.path()).unwrap();
    let (length, theirs) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(ours.len(), theirs.tensors().len());
    for tensor in ours {
        let told = theirs.info(&tensor.name).unwrap();
        assert_eq!(tensor.dtype.name(), format!("{:?}", told.dtype));
        assert_eq!(tensor.shape, told.shape.iter().map(|size| *size as u64).collect::<Vec<_>>());
        let begin = 8 + length as u64;
        assert_eq!(tensor.offsets, (begin + told.data_offsets.0 as u64, begin + told.data_offsets.1 as u64));
        assert_eq!(tensor.elements(), tensor.shape.iter().product::<u64>());
    }
}

#[test]
fn number_formats_stand_in_the_order_of_their_table() {
    for (name, dtype, bytes) in DTYPES {
        assert_eq!((Dtype::of(name), dtype.name(), dtype.bytes()), (Some(dtype), name, bytes));
    }
}

#[test]
fn hostile_headers_are_named() {
    let two = |a: (u64, u64), b: (u64, u64)| {
        format!(
            "{{{}, {}}}",
            tensor("a", "U8", &format!("[{}]", a.1 - a.0), a.0, a.1),
            tensor("b", "U8", &format!("[{}]", b.1 - b.0), b.0, b.1)
        )
    };
    let one = |dtype: &str, shape: &str, begin: u64, end: u64| format!("{{{}}}", tensor("a", dtype, shape, begin, end));
    let cases = [
        (two((0, 4), (2, 6)), 6, "tensors `a` and `b` overlap"),
        (two((0, 4), (0, 4)), 4, "tensors `a` and `b` overlap"),
        (two((0, 4), (5, 6)), 6, "1 bytes before tensor `b` belong to none"),
        (two((1, 4), (4, 6)), 6, "1 bytes before tensor `a` belong to none"),
        (two((0, 4), (4, 6)), 9, "3 bytes behind the last tensor belong to none"),
        (two((0, 4), (4, 6)), 5, "tensor `b` ends at byte 6 of the data, of which there are 5"),
        ("{}".into(), 1, "1 bytes behind the last tensor belong to none"),
        (one("F32", "[2, 3]", 0, 23), 23, "tensor `a` of shape [2, 3] in F32 needs 24 bytes, and has 23"),
        (one("F32", "[2]", 8, 0), 8, "tensor `a` ends at 0, before it begins at 8"),
        (
            one("F32", "[9223372036854775808]", 0, 8),
            8,
            "tensor `a` has the shape [9223372036854775808], more values than can be counted",
        ),
        (
            one("U8", "[4294967296, 4294967296]", 0, 0),
            0,
            "tensor `a` has the shape [4294967296, 4294967296], more values than can be counted",
        ),
        (
            one("U8", "[18446744073709551615]", 0, u64::MAX),
            8,
            "tensor `a` ends at byte 18446744073709551615 of the data, of which there are 8",
        ),
        (one("Q4_0", "[2]", 0, 8), 8, "tensor `a` has the number format `Q4_0`, which is unknown"),
        (
            format!("{{{0}, {0}}}", tensor("a", "U8", "[1]", 0, 1)),
            1,
            "its header: the name `a` stands twice at line 1 column 120",
        ),
    ];
    for (json, data, wanted) in cases {
        let text = wrong(&json, data);
        assert!(text == wanted || text.split(" at line").next() == wanted.split(" at line").next(), "{text}\n{wanted}");
    }
    for (shape, part) in [
        ("[-1]", "invalid value: integer `-1`, expected u64"),
        ("[18446744073709551616]", "invalid type: floating point"),
        ("[1.5]", "invalid type: floating point"),
        ("\"2\"", "invalid type: string"),
        ("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "invalid length 17, expected a list of at most 16 sizes"),
    ] {
        let text = wrong(&format!("{{{}}}", tensor("a", "U8", shape, 0, 1)), 1);
        assert!(text.starts_with("its header: tensor `a`: ") && text.contains(part), "{text}");
    }
    for (json, part) in [
        (r#"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [-1, 0]}}"#, "integer `-1`"),
        (r#"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 2]}}"#, "trailing characters"),
        (r#"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0]}}"#, "invalid length 1"),
        (r#"{"a": {"dtype": "U8", "shape": [1]}}"#, "missing field `data_offsets`"),
        (r#"{"a": {"dtype": "U8", "dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}"#, "duplicate field `dtype`"),
        (r#"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1], "x": 1}}"#, "unknown field `x`"),
        (r#"{"a": 1}"#, "invalid type: integer `1`"),
        ("[]", "an object of tensors"),
        ("", "EOF"),
        (r#"{"\u001b[2J": {}}"#, r"tensor `\u{1b}[2J`: missing field"),
    ] {
        let text = wrong(json, 1);
        assert!(text.starts_with("its header: ") && text.contains(part), "{text}");
    }
    let deep = format!(r#"{{"__metadata__": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(wrong(&deep, 0).contains("invalid type: sequence, expected a map"), "{}", wrong(&deep, 0));
    let long = format!("{{{}}}", tensor(&"a".repeat(2_000), "U8", "[1]", 0, 1));
    assert!(wrong(&long, 1).contains("a name has 2000 bytes, more than 1024"));
}

#[test]
fn lengths_are_believed_only_as_far_as_the_file_goes() {
    let path = tempfile::NamedTempFile::new().unwrap();
    let wrong = |bytes: &[u8]| {
        std::fs::write(path.path(), bytes).unwrap();
        header_of(path.path(), "m").unwrap_err().to_string()
    };
    assert!(wrong(b"").contains("it is empty"));
    assert!(wrong(b"1234567").contains("it has 7 bytes, and its header alone begins with 8"));
    assert!(wrong(&u64::MAX.to_le_bytes()).contains("its header claims 18446744073709551615 bytes, but only 0 follow"));
    assert!(wrong(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    assert!(wrong(b"\x02\0\0\0\0\0\0\0\xff\xff").contains("its header is not UTF-8 at byte 8"));
    // A header longer than is read, in a file that is as long: no byte of it is read.
    let file = File::create(path.path()).unwrap();
    std::io::Write::write_all(&mut &file, &(LONGEST + 1).to_le_bytes()).unwrap();
    file.set_len(LONGEST + 9).unwrap();
    let text = header_of(path.path(), "m").unwrap_err().to_string();
    assert!(text.contains("its header has 100000001 bytes, more than the 100000000 that are read"), "{text}");
}
