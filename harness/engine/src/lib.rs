//! Computes: batching, pretraining, embedding, protocols, probes; and the binary clmbench-worker.
