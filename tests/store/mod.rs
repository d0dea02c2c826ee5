//! The store on both databases.

mod caps;
mod clocks;
mod connections;
mod deliveries;
mod due;
mod forgetting;
mod races;
mod refusals;
mod retention;
mod runs;
mod schema;
mod statements;
mod steps;
mod threads;
mod waits;
pub mod world;
