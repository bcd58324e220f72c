//! The little C++ that tch lacks: fused AdamW, autocast, attention-kernel switch, determinism.
