//! What all tests share.

pub mod bench;
pub mod look;
pub mod world;
