//! Input that nobody should send: from Telegram, from a model, from people, from the disk. What is wrong is told to
//! who can do something about it, everybody else is served, and nothing is lost.

mod database;
mod model;
mod pauses;
mod texts;
mod tools;
mod updates;
