//! Test plugin whose handshake names a libtorch that the host does not have.

use clmbench_api::Handshake;

static HANDSHAKE: Handshake = Handshake::new("1.13.1", 0);

/// The handshake.
#[unsafe(export_name = "clmbench_handshake")]
pub extern "C" fn handshake() -> *const Handshake {
    &raw const HANDSHAKE
}
