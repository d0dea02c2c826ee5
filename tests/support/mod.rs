//! What the tests share.

pub mod bench;
pub mod command;
pub mod databases;
pub mod discord;
pub mod look;
pub mod metrics;
pub mod online;
pub mod own_server;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod quiet;
pub mod ready;
pub mod requests;
pub mod seat;
pub mod seeds;
pub mod stored;
pub mod telegram;
pub mod terminal;
pub mod words;
pub mod world;
