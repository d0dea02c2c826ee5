//! The team: agents that list, read, message and spawn one another.

mod children;
mod exchanges;
mod places;
mod policy;
mod refusals;
mod runs;
mod sim;
mod steps;
mod stops;
mod story;
mod targets;
mod trees;
mod waits;
