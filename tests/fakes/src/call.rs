//! What was asked of a fake.

use std::{collections::VecDeque, time::Instant};

use serde_json::Value;

/// How many calls are remembered.
const LOG: usize = 100_000;

/// One request, as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// When its body had been read.
    pub at: Instant,
    /// The bot's user name.
    pub bot: String,
    /// The method, in lower case. On Discord the name of the route.
    pub method: String,
    /// The parameters; in forms everything is a string. On Discord the ids of the path, the query and the body together.
    pub params: Value,
}

/// The newest calls, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Calls(VecDeque<Call>);

impl Calls {
    /// Adds one that came in now.
    pub fn add(&mut self, bot: &str, method: &str, params: Value) {
        if self.0.len() == LOG {
            self.0.pop_front();
        }
        self.0.push_back(Call { at: Instant::now(), bot: bot.to_owned(), method: method.to_owned(), params });
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Call> {
        self.0.iter()
    }
}
