//! What the tests share.

pub mod databases;
pub mod postgres;
pub mod requests;
pub mod stored;
pub mod telegram;
pub mod world;
