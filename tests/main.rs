//! The one integration binary: the real program, over real sockets, against the fakes; the store, on both
//! databases; and what can be read off the sources. One file per subject.

mod support;

mod accounts;
mod addressing;
mod admission;
mod bad_input;
mod chat;
mod contract;
mod delivery;
mod discord;
mod documents;
mod engine;
mod files;
mod growth;
mod invariants;
mod kills;
mod late;
mod nodes;
mod outages;
mod outbox;
mod renaming;
mod simulation;
mod soak;
mod store;
mod story;
mod team;
mod telegram;
