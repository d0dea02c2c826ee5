//! What an operator does with a database that grows, is shared, is copied and is upgraded.

mod backup;
mod forget;
mod nodes;
mod prune;
mod upgrade;
