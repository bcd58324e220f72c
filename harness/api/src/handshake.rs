//! What host and plugin compare before anything else: a plain C struct, readable whatever else has changed.

/// (major, minor) of the edge. Another major is refused; a plugin that needs a newer minor than the host's is refused.
pub const API_VERSION: (u32, u32) = (4, 0);

/// Name of the exported function `extern "C" fn() -> *const Handshake`, with its closing NUL.
pub const SYMBOL: &[u8] = b"clmbench_handshake\0";

/// First bytes of every [`Handshake`].
pub const MAGIC: [u8; 8] = *b"CLMBENCH";

/// Feature bit: the plugin exports architectures, so it exchanges tensors.
pub const FEATURE_TENSORS: u64 = 1;

/// The type of the exported function.
pub type HandshakeFn = unsafe extern "C" fn() -> *const Handshake;

/// The first thing that a host reads of a plugin. Its layout never changes; new facts go behind `api_minor`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Handshake {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// Major version of the edge.
    pub api_major: u32,
    /// Minor version of the edge that the plugin needs.
    pub api_minor: u32,
    /// Feature bits; unknown ones are ignored.
    pub features: u64,
    /// libtorch version as text, padded with NUL.
    pub libtorch: [u8; 32],
}

impl Handshake {
    /// The handshake of a plugin built against this crate and this libtorch version.
    pub const fn new(libtorch: &str, features: u64) -> Self {
        let bytes = libtorch.as_bytes();
        let mut padded = [0_u8; 32];
        let mut at = 0;
        while at < bytes.len() && at < 31 {
            padded[at] = bytes[at];
            at += 1;
        }
        Self { magic: MAGIC, api_major: API_VERSION.0, api_minor: API_VERSION.1, features, libtorch: padded }
    }

    /// The libtorch version as text.
    pub fn libtorch(&self) -> String {
        let end = self.libtorch.iter().position(|byte| *byte == 0).unwrap_or(self.libtorch.len());
        String::from_utf8_lossy(&self.libtorch[..end]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Handshake;

    #[test]
    fn the_libtorch_version_survives_padding() {
        assert_eq!(Handshake::new("2.11.0", 0).libtorch(), "2.11.0");
        assert_eq!(Handshake::new(&"x".repeat(40), 0).libtorch(), "x".repeat(31));
    }
}
