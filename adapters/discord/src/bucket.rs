//! What Discord's headers say about how soon it may be asked again. Pure: the caller brings the clock.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// States kept before those that are over are thrown out.
const KEPT: usize = 1024;

/// One route with its major parameter, which share a limit
/// (<https://discord.com/developers/docs/topics/rate-limits>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    /// Method and path, without ids.
    pub(crate) name: &'static str,
    /// The channel or guild in it; 0 for none.
    pub(crate) major: u64,
}

/// What an answer's headers say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Headers {
    /// The platform's name of the limit; several routes may share it.
    pub(crate) bucket: String,
    /// Requests left.
    pub(crate) remaining: u32,
    /// Until there are more.
    pub(crate) reset_after: Duration,
}

/// Why a request has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) after: Duration,
    /// It holds for every request of the bot.
    pub(crate) whole_account: bool,
}

/// All limits of one bot.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    /// No request before this.
    stopped: Option<Instant>,
    /// The platform's name of a route's limit, once it is known.
    names: HashMap<&'static str, String>,
    states: HashMap<(String, u64), State>,
}

#[derive(Debug)]
struct State {
    remaining: u32,
    reset: Instant,
}

impl Buckets {
    /// Takes one request out of the route's limit, or says how long to wait. A limit nobody has heard of yet
    /// lets everything pass.
    pub(crate) fn take(&mut self, route: Route, now: Instant) -> Result<(), Pause> {
        if let Some(after) = self.stopped.and_then(|until| until.checked_duration_since(now))
            && !after.is_zero()
        {
            return Err(Pause { after, whole_account: true });
        }
        let Some(state) = self.states.get_mut(&self.names.key(route)) else { return Ok(()) };
        if state.reset <= now {
            self.states.remove(&self.names.key(route));
        } else if state.remaining == 0 {
            return Err(Pause { after: state.reset - now, whole_account: false });
        } else {
            state.remaining -= 1;
        }
        Ok(())
    }

    /// Learns from an answer. Of two answers about the same stretch of time the poorer one counts, since
    /// they may come in any order.
    pub(crate) fn learn(&mut self, route: Route, headers: Headers, now: Instant) {
        self.names.insert(route.name, headers.bucket.clone());
        let news = State { remaining: headers.remaining, reset: now + headers.reset_after };
        if self.states.len() >= KEPT {
            self.states.retain(|_, state| state.reset > now);
        }
        let state = self
            .states
            .entry((headers.bucket, route.major))
            .or_insert(State { remaining: u32::MAX, reset: now });
        let same = state.reset > now && news.remaining >= state.remaining;
        *state = State {
            remaining: if same { state.remaining } else { news.remaining },
            reset: state.reset.max(news.reset),
        };
    }

    /// A 429 was the answer.
    pub(crate) fn stop(&mut self, route: Route, pause: Pause, now: Instant) {
        let until = now + pause.after;
        if pause.whole_account {
            self.stopped = self.stopped.max(Some(until));
        } else {
            self.states.insert(self.names.key(route), State { remaining: 0, reset: until });
        }
    }
}

/// Names of limits by route.
trait Names {
    fn key(&self, route: Route) -> (String, u64);
}

impl Names for HashMap<&'static str, String> {
    fn key(&self, route: Route) -> (String, u64) {
        let name = self.get(route.name).map_or(route.name, String::as_str);
        (name.to_owned(), route.major)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn route(name: &'static str, major: u64) -> Route {
        Route { name, major }
    }

    fn headers(remaining: u32) -> Headers {
        Headers { bucket: "abc".into(), remaining, reset_after: 5 * SECOND }
    }

    fn waits(seconds: u32, whole_account: bool) -> Result<(), Pause> {
        Err(Pause { after: seconds * SECOND, whole_account })
    }

    #[test]
    fn a_limit_counts_down_and_is_renewed() {
        let (mut buckets, now) = (Buckets::default(), Instant::now());
        let (here, there) = (route("send", 1), route("send", 2));
        assert_eq!(buckets.take(here, now), Ok(()));
        buckets.learn(here, headers(1), now);
        assert_eq!(buckets.take(here, now), Ok(()));
        assert_eq!(buckets.take(here, now + SECOND), waits(4, false));
        assert_eq!(buckets.take(there, now), Ok(()), "another channel has its own");
        assert_eq!(buckets.take(here, now + 5 * SECOND), Ok(()));
    }

    #[test]
    fn routes_of_one_bucket_share_it() {
        let (mut buckets, now) = (Buckets::default(), Instant::now());
        buckets.learn(route("edit", 1), headers(3), now);
        buckets.learn(route("send", 1), headers(0), now);
        assert_eq!(buckets.take(route("edit", 1), now), waits(5, false));
    }

    #[test]
    fn an_older_answer_gives_nothing_back() {
        let (mut buckets, now) = (Buckets::default(), Instant::now());
        buckets.learn(route("send", 1), headers(0), now);
        buckets.learn(route("send", 1), headers(1), now);
        assert_eq!(buckets.take(route("send", 1), now), waits(5, false));
    }

    #[test]
    fn an_older_answer_shortens_no_pause() {
        let (mut buckets, now) = (Buckets::default(), Instant::now());
        buckets.learn(route("send", 1), headers(1), now);
        buckets.stop(route("send", 1), Pause { after: 9 * SECOND, whole_account: false }, now);
        buckets.learn(route("send", 1), headers(1), now);
        assert_eq!(buckets.take(route("send", 1), now), waits(9, false));
        assert_eq!(buckets.take(route("send", 1), now + 9 * SECOND), Ok(()));
    }

    #[test]
    fn a_refusal_stops_the_route_or_everything() {
        let (mut buckets, now) = (Buckets::default(), Instant::now());
        let pause = |whole_account| Pause { after: 2 * SECOND, whole_account };
        buckets.stop(route("send", 1), pause(false), now);
        assert_eq!(buckets.take(route("send", 1), now), waits(2, false));
        assert_eq!(buckets.take(route("send", 2), now), Ok(()));
        buckets.stop(route("send", 1), pause(true), now);
        assert_eq!(buckets.take(route("edit", 2), now), waits(2, true));
        assert_eq!(buckets.take(route("edit", 2), now + 2 * SECOND), Ok(()));
    }
}
