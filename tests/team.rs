//! The team: agents that list, read, message and spawn one another.

mod places;
mod policy;
mod refusals;
mod runs;
mod sim;
mod story;
mod trees;
mod waits;
