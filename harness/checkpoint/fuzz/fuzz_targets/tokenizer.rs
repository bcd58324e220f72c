//! Folders with a tokenizer: `tokenizer.json` or vocabulary files, and the special tokens.
#![no_main]

#[path = "../../tests/exercise/mod.rs"]
#[allow(dead_code)]
mod exercise;
mod hook;

libfuzzer_sys::fuzz_target!(init: hook::ours_only(), |bytes: &[u8]| exercise::folder_of(bytes, true));
