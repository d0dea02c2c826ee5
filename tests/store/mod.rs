//! The store on both databases.

mod races;
mod refusals;
mod schema;
mod statements;
mod world;
