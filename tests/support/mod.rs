//! What all tests share.

pub mod databases;
pub mod postgres;
pub mod world;
