//! What host and worker say to each other: cell definitions, results, manifests.
