//! libtorch: unpacked from pinned wheels into the cache, linked into a checkout, inspected by `clmbench doctor`.

mod inspect;
mod link;
mod unpack;
mod version;

pub use inspect::{LibtorchState, inspect};
pub use link::{Linked, link, link_user, user_libtorch};
pub use unpack::{Installed, install, is_installed, plan};
pub use version::version_of;
