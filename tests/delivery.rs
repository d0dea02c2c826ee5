//! Delivery: every answer becomes visible once and in order, whatever happens to the calls that show it.

mod answers;
mod away;
mod counted;
mod ends;
mod handed_over;
pub mod listed;
mod lost;
mod moved;
pub mod pauses;
