//! What all tests share.

pub mod telegram;
pub mod world;
