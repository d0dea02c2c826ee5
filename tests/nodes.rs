//! Three processes share one PostgreSQL: one is killed, cut off, paused or told to stop under load, the others go on
//! with what it had, and nothing is lost, said twice or put in the wrong place.

mod both;
mod cut_off;
mod drained;
pub mod fleet;
mod guild;
mod hints;
mod killed;
mod paused;
mod rolling;
mod shards;
