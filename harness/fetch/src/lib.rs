//! Gets what is needed and proves it: pinned sources, hashes, resume, mirror.
