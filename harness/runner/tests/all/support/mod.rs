//! What the tests share.

pub mod fake_worker;
pub mod offers;
