//! The store on both databases.

mod bodies;
mod races;
mod refusals;
mod runs;
mod schema;
mod statements;
mod world;
