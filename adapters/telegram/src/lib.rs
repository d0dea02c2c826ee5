//! The Telegram channel: long polling in, `sendMessage` and `editMessageText` out.

mod api;
mod content;
mod entity;
mod error;
mod update;
mod wire;
