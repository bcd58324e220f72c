//! What fuzzing calls: bytes in, everything of this crate on them, and what must then hold. Shared by `tests/mutations.rs` and the targets in
//! `fuzz/`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use clmbench_checkpoint::{CheckpointError, Folder, TensorInfo, config_notes, header, match_up, model_type, read_tensor};
use clmbench_protocol::HubInfo;

/// Between the files of a folder; no text has this byte.
pub const BETWEEN: u8 = 0xff;
/// The files of a folder, in their order; an empty one is not there.
pub const FILES: [&str; 11] = [
    "config.json",
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
];

/// A folder of this thread, in memory where the system has such a place: files are written ten thousands of times.
fn folder() -> PathBuf {
    fn made() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder for files")
    }
    thread_local!(static FOLDER: tempfile::TempDir = made());
    FOLDER.with(|folder| folder.path().to_owned())
}

/// Every message can be shown.
fn said(error: &CheckpointError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 200_000, "{} bytes", text.len());
    let steers = |character: char| character != '\n' && clmbench_protocol::is_unsafe_to_show(character);
    assert!(!text.chars().any(steers), "{text:?}");
}

/// The header of a safetensors file. What we take the reference reader takes, in the same way.
pub fn header_of(bytes: &[u8]) {
    let path = folder().join("x.safetensors");
    fs::write(&path, bytes).expect("writes the file");
    let tensors = match header(&path) {
        Ok(tensors) => tensors,
        Err(error) => return said(&error),
    };
    let data: u64 = tensors.iter().map(|tensor| tensor.offsets.1 - tensor.offsets.0).sum();
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
    assert_eq!(8 + length + data, bytes.len() as u64);
    let theirs = safetensors::SafeTensors::read_metadata(bytes);
    if tensors.iter().all(|tensor| tensor.dtype.name() != "C64") {
        let (_, theirs) = theirs.expect("the reference reader takes it");
        for tensor in &tensors {
            let their = theirs.info(&tensor.name).expect("the reference reader has it");
            assert_eq!(their.data_offsets.0 as u64 + 8 + length, tensor.offsets.0);
            assert_eq!(their.shape.iter().map(|size| *size as u64).collect::<Vec<_>>(), tensor.shape);
        }
    }
    read(&tensors);
}

fn read(tensors: &[TensorInfo]) {
    for tensor in tensors {
        match read_tensor(tensor) {
            Ok(values) => assert_eq!(values.len() as u64, tensor.elements()),
            Err(error) => said(&error),
        }
    }
}

/// A folder: its files with [`BETWEEN`] between them. With its tokenizer or, which is faster, without.
pub fn folder_of(bytes: &[u8], tokenizer: bool) {
    let mut files = BTreeMap::new();
    for (name, part) in FILES.iter().zip(bytes.split(|byte| *byte == BETWEEN)) {
        if part.is_empty() || !(tokenizer || name.starts_with("model") || *name == "config.json") {
            continue;
        }
        let path = folder().join(name);
        fs::write(&path, part).expect("writes the file");
        files.insert((*name).to_owned(), path);
    }
    let opened = match Folder::of(files) {
        Ok(opened) => opened,
        Err(error) => return said(&error),
    };
    match opened.config() {
        Ok(config) => {
            config_notes(&config);
            let _ = model_type(&config).map_err(|error| said(&error));
        }
        Err(error) => said(&error),
    }
    match opened.weights() {
        Ok(tensors) => matched(&tensors),
        Err(error) => said(&error),
    }
    if tokenizer {
        match opened.tokenizer() {
            Ok(found) => {
                assert!(found.entries <= 65_535 && !found.json.is_empty());
                assert!(found.special.ids().iter().all(|id| u64::from(*id) < found.entries));
            }
            Err(error) => said(&error),
        }
    }
}

/// Names of tensors through the rules: whatever is there is in one place, and what is taken has the shape that is needed.
fn matched(tensors: &[TensorInfo]) {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let hub = HubInfo {
        prefix: "bert.".into(),
        renamed: vec![pair("gamma", "weight"), pair("beta", "bias")],
        tied: vec![pair("decoder.weight", "bert.embeddings.weight")],
        ignored: vec!["position_ids".into()],
        optional: vec!["bert.pooler.".into()],
        ..HubInfo::default()
    };
    let parameters = ["bert.embeddings.weight", "bert.norm.weight", "bert.norm.bias", "bert.pooler.weight"];
    let wanted: Vec<(String, Vec<u64>)> = parameters.map(|name| (name.to_owned(), vec![2, 2])).to_vec();
    match match_up(tensors, &wanted, &hub) {
        Ok(matched) => {
            assert_eq!(matched.pairs.len() + matched.tied.len() + matched.ignored.len(), tensors.len());
            assert_eq!(matched.pairs.len() + matched.absent.len(), wanted.len());
            assert!(matched.pairs.iter().all(|(_, tensor)| tensor.shape == [2, 2] && tensor.dtype.is_read()));
        }
        Err(error) => said(&error),
    }
    read(tensors);
}
