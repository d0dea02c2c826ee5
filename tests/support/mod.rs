//! What all tests share.

pub mod world;
