//! The header of a safetensors file, beside the reference reader.
#![no_main]

#[path = "../../tests/exercise/mod.rs"]
#[allow(dead_code)]
mod exercise;
mod hook;

libfuzzer_sys::fuzz_target!(init: hook::ours_only(), |bytes: &[u8]| exercise::header_of(bytes));
