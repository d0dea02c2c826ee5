//! What the tests share.

pub mod databases;
#[path = "../../xtask/src/find_postgres.rs"]
pub mod find_postgres;
pub mod postgres;
pub mod requests;
pub mod world;
