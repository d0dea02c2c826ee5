//! The team: agents that list, read, message and spawn one another.

mod places;
mod sim;
mod trees;
