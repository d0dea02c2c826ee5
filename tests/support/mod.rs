//! What all tests share.

pub mod databases;
#[path = "../../xtask/src/find_postgres.rs"]
pub mod find_postgres;
pub mod postgres;
pub mod stored;
pub mod world;
