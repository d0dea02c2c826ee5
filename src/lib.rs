//! Roundtable seats a team of AI agents in the chats people already use. ARCHITECTURE.md is the map.

pub mod agents;
pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod crash;
pub mod engine;
pub mod http;
pub mod inbound;
pub mod local;
pub mod metrics;
pub mod models;
pub mod outbox;
pub mod phrases;
pub mod routing;
pub mod store;
pub mod time;
pub mod tools;
