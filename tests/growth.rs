//! What an operator does with a database that grows, is shared, is copied and is upgraded.

mod nodes;
mod prune;
