//! Test plugin whose handshake names a plugin API that no host has.

use clmbench_api::Handshake;

static HANDSHAKE: Handshake = Handshake { api_major: 97, api_minor: 3, ..Handshake::new("2.11.0", 0) };

/// The handshake.
#[unsafe(export_name = "clmbench_handshake")]
pub extern "C" fn handshake() -> *const Handshake {
    &raw const HANDSHAKE
}
