//! The Telegram channel: long polling in, `sendMessage` and `editMessageText` out.

mod api;
mod error;
