//! The store on both databases.

mod races;
mod refusals;
mod runs;
mod schema;
mod sends;
mod statements;
mod steps;
mod waits;
mod world;
