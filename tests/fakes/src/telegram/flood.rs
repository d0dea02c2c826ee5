//! Flood control: token buckets, and penalty windows in which a correct client stays silent.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Limits. The real numbers are observed, not promised: [`Flood::real`].
#[derive(Debug, Clone)]
pub struct Flood {
    /// Messages a second in one chat.
    pub chat_per_second: f64,
    /// How many may come at once in a chat that was quiet.
    pub chat_burst: f64,
    /// Messages a minute in one group.
    pub group_per_minute: f64,
    /// Messages a second over all chats of a bot.
    pub total_per_second: f64,
    /// Seconds to stay silent after going over a limit.
    pub penalty: u64,
}

impl Flood {
    /// What Telegram is seen to do.
    pub fn real() -> Self {
        Self {
            chat_per_second: 1.0,
            chat_burst: 5.0,
            group_per_minute: 20.0,
            total_per_second: 30.0,
            penalty: 5,
        }
    }
}

/// A call that comes so few milliseconds after a window has opened was on its way when the client was told, unless it is
/// the very one that was refused.
const ON_ITS_WAY_MS: u64 = 100;

/// What is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub method: &'static str,
    pub params: &'a Map<String, Value>,
}

impl Wanted<'_> {
    fn owned(self) -> (&'static str, Map<String, Value>) {
        (self.method, self.params.clone())
    }

    /// Two turns may be typing in a chat at once; of nothing else a second one is on its way beside the first.
    fn repeats(self, (method, params): &(&'static str, Map<String, Value>)) -> bool {
        self.method == *method && self.params == params && self.method != "sendchataction"
    }
}

/// The kind of limit that a bucket belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    Chat(i64),
    Group(i64),
    Bot,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at_ms: u64,
}

impl Bucket {
    fn take(&mut self, per_second: f64, size: f64, now_ms: u64) -> bool {
        let seconds = now_ms.saturating_sub(self.at_ms) as f64 / 1000.0;
        self.tokens = (self.tokens + seconds * per_second).min(size);
        self.at_ms = now_ms;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

/// What a call finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may pass.
    Pass,
    /// It goes over a limit: a window of so many seconds begins, or has just begun.
    Over(u64),
    /// It comes inside a window, which begins anew: the client did not wait. So many milliseconds were left.
    Early { again: u64, left_ms: u64 },
}

/// A time in which nothing may come.
#[derive(Debug)]
struct Window {
    /// When the client was told of it first.
    told_ms: u64,
    end_ms: u64,
    seconds: u64,
    /// The calls that were refused because of it.
    refused: Vec<(&'static str, Map<String, Value>)>,
}

/// The state of all limits.
#[derive(Debug, Default)]
pub(crate) struct Floods {
    buckets: HashMap<(i64, Scope), Bucket>,
    /// By bot and chat.
    windows: HashMap<(i64, i64), Window>,
}

impl Floods {
    /// Opens a window of `seconds` for a bot's calls to a chat, because of this one.
    pub fn penalise(&mut self, bot: i64, chat: i64, call: Wanted<'_>, seconds: u64, now_ms: u64) {
        let refused = vec![call.owned()];
        let window = Window { told_ms: now_ms, end_ms: now_ms + seconds * 1000, seconds, refused };
        self.windows.insert((bot, chat), window);
    }

    /// Counts a call of `bot` to `chat` (groups are negative) against the limits.
    pub fn charge(
        &mut self,
        limits: Option<&Flood>,
        bot: i64,
        chat: i64,
        call: Wanted<'_>,
        now_ms: u64,
    ) -> Verdict {
        match self.windows.get_mut(&(bot, chat)).filter(|window| now_ms < window.end_ms) {
            Some(window) => {
                let (seconds, left_ms) = (window.seconds, window.end_ms - now_ms);
                let on_its_way = now_ms < window.told_ms + ON_ITS_WAY_MS;
                if on_its_way && !window.refused.iter().any(|refused| call.repeats(refused)) {
                    window.refused.push(call.owned());
                    return Verdict::Over(seconds);
                }
                self.penalise(bot, chat, call, seconds, now_ms);
                return Verdict::Early { again: seconds, left_ms };
            }
            None => drop(self.windows.remove(&(bot, chat))),
        }
        let Some(limits) = limits else { return Verdict::Pass };
        let group =
            (chat < 0).then(|| (Scope::Group(chat), limits.group_per_minute / 60.0, limits.group_per_minute));
        let all = [
            Some((Scope::Bot, limits.total_per_second, limits.total_per_second)),
            Some((Scope::Chat(chat), limits.chat_per_second, limits.chat_burst)),
            group,
        ];
        for (scope, per_second, size) in all.into_iter().flatten() {
            let full = Bucket { tokens: size, at_ms: now_ms };
            let bucket = self.buckets.entry((bot, scope)).or_insert(full);
            if !bucket.take(per_second, size, now_ms) {
                self.penalise(bot, chat, call, limits.penalty, now_ms);
                return Verdict::Over(limits.penalty);
            }
        }
        Verdict::Pass
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(text: &str) -> Map<String, Value> {
        Map::from_iter([("text".to_owned(), json!(text))])
    }

    #[test]
    fn going_over_opens_a_window_that_an_early_call_prolongs() {
        let limits = Flood { penalty: 2, ..Flood::real() };
        let mut floods = Floods::default();
        let mut charge = |method, text, now| {
            let call = Wanted { method, params: &params(text) };
            floods.charge(Some(&limits), 1, 7, call, now)
        };
        for text in ["one", "two", "three", "four", "five"] {
            assert_eq!(charge("sendmessage", text, 0), Verdict::Pass);
        }
        assert_eq!(charge("sendmessage", "six", 10), Verdict::Over(2));
        for method in ["editmessagetext", "sendchataction", "sendchataction"] {
            assert_eq!(charge(method, "six", 109), Verdict::Over(2), "it was on its way");
        }
        assert_eq!(charge("sendmessage", "six", 109), Verdict::Early { again: 2, left_ms: 1_901 });
        assert_eq!(charge("editmessagetext", "six", 1_109), Verdict::Early { again: 2, left_ms: 1_000 });
        assert_eq!(charge("sendmessage", "six", 3_108), Verdict::Early { again: 2, left_ms: 1 });
        assert_eq!(charge("sendmessage", "six", 5_109), Verdict::Pass);
    }

    #[test]
    fn groups_have_twenty_a_minute() {
        let limits = Flood { chat_burst: 100.0, total_per_second: 100.0, ..Flood::real() };
        let mut floods = Floods::default();
        let call = Wanted { method: "sendmessage", params: &params("hello") };
        let passed =
            (0..30).filter(|_| floods.charge(Some(&limits), 1, -7, call, 0) == Verdict::Pass).count();
        assert_eq!(passed, 20);
    }
}
