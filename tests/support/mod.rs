//! What all tests share.

pub mod database;
pub mod world;
