//! A dynamic library that is no plugin.

/// Does nothing that a host asks for.
#[unsafe(no_mangle)]
pub extern "C" fn clmbench_test_answer() -> i32 {
    42
}
