//! Pacing: how soon an account may send to a chat. Token buckets, and pauses that a platform asked for.

use std::collections::HashMap;

use roundtable_contract::{ChatId, ChatKind, Limits};

/// Chats that are remembered before the quiet ones are forgotten.
const REMEMBERED: usize = 4096;

const MINUTE: f64 = 60_000.0;

/// A bucket in its GCRA form: the time at which it would be full again.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    full_at: f64,
}

impl Bucket {
    /// Milliseconds until one more fits, when `interval` is the time one takes and `burst` of them may
    /// come at once.
    fn wait(&self, now: f64, interval: f64, burst: f64) -> f64 {
        (self.full_at.max(now) - now - interval * (burst - 1.0)).max(0.0)
    }

    fn take(&mut self, now: f64, interval: f64) {
        self.full_at = self.full_at.max(now) + interval;
    }
}

#[derive(Debug, Default)]
struct Chat {
    rate: Bucket,
    minute: Bucket,
    closed_until: f64,
}

/// The pace of one account. Times are milliseconds of the store's clock.
#[derive(Debug)]
pub struct Pacer {
    limits: Limits,
    total: Bucket,
    closed_until: f64,
    chats: HashMap<ChatId, Chat>,
}

/// Milliseconds that one message takes at this rate; 0 for no limit.
fn interval(per_second: f64) -> f64 {
    if per_second > 0.0 { 1000.0 / per_second } else { 0.0 }
}

/// Milliseconds since 1970 fit a double exactly for 285,000 years.
fn float(millis: i64) -> f64 {
    millis as f64
}

impl Pacer {
    /// A pacer for these limits, with everything quiet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, total: Bucket::default(), closed_until: 0.0, chats: HashMap::new() }
    }

    /// Takes a slot for one message to a chat, or says how many milliseconds to wait before asking again.
    pub fn take(&mut self, chat: &ChatId, kind: ChatKind, now: i64) -> Result<(), u64> {
        self.take_leaving(0.0, chat, kind, now)
    }

    /// Takes a slot for something that may as well not happen, if one for an answer is left then.
    pub fn take_spare(&mut self, chat: &ChatId, kind: ChatKind, now: i64) -> bool {
        self.take_leaving(1.0, chat, kind, now).is_ok()
    }

    fn take_leaving(&mut self, left: f64, chat: &ChatId, kind: ChatKind, now: i64) -> Result<(), u64> {
        let now = float(now);
        self.forget_quiet(now);
        let rate = interval(self.limits.chat_per_second);
        let total = interval(self.limits.total_per_second);
        let per_minute = f64::from(self.limits.group_per_minute);
        let minute = if kind == ChatKind::Group && per_minute > 0.0 { MINUTE / per_minute } else { 0.0 };
        let burst = f64::from(self.limits.chat_burst.max(1));
        let chat = self.chats.entry(chat.clone()).or_default();
        let wait = [
            self.closed_until - now,
            chat.closed_until - now,
            chat.rate.wait(now, rate, burst - left),
            // Half of a group's minute may be used at once, so that a long answer flows.
            chat.minute.wait(now, minute, (per_minute / 2.0).max(1.0) - left),
            self.total.wait(now, total, self.limits.total_per_second.max(1.0) - left),
        ]
        .into_iter()
        .fold(0.0, f64::max);
        // A hundredth of a millisecond is rounding, not a wait.
        if wait > 0.01 {
            // Positive and small. Rounded up: asking a fraction too early would only ask again.
            return Err(wait.ceil() as u64);
        }
        chat.rate.take(now, rate);
        chat.minute.take(now, minute);
        self.total.take(now, total);
        Ok(())
    }

    /// The platform wants a pause: nothing goes to the chat, or anywhere, until then.
    pub fn close(&mut self, chat: Option<&ChatId>, until: i64) {
        let closed_until = match chat {
            Some(chat) => &mut self.chats.entry(chat.clone()).or_default().closed_until,
            None => &mut self.closed_until,
        };
        *closed_until = closed_until.max(float(until));
    }

    /// Whether the platform wants a pause of the chat now.
    pub fn is_closed(&self, chat: &ChatId, now: i64) -> bool {
        let chat = self.chats.get(chat).map_or(0.0, |chat| chat.closed_until);
        chat.max(self.closed_until) > float(now)
    }

    fn forget_quiet(&mut self, now: f64) {
        if self.chats.len() >= REMEMBERED {
            self.chats
                .retain(|_, chat| chat.rate.full_at.max(chat.minute.full_at).max(chat.closed_until) > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits(chat_per_second: f64, chat_burst: u32, group_per_minute: u32, total: f64) -> Limits {
        Limits {
            chat_per_second,
            chat_burst,
            group_per_minute,
            total_per_second: total,
            send_timeout: Duration::from_secs(1),
            typing_lasts: Duration::from_secs(5),
            repeat_unknown: true,
        }
    }

    fn chat(name: &str) -> ChatId {
        ChatId::new(name)
    }

    /// How many of `tries` messages, one every `every` ms, could be sent at once.
    fn sent(pacer: &mut Pacer, kind: ChatKind, tries: i64, every: i64) -> usize {
        (0..tries).filter(|n| pacer.take(&chat("a"), kind, 1_000_000 + n * every).is_ok()).count()
    }

    #[test]
    fn a_quiet_chat_takes_a_burst_and_then_its_rate() {
        let mut pacer = Pacer::new(limits(1.0, 5, 0, 0.0));
        assert_eq!(sent(&mut pacer, ChatKind::Direct, 100, 0), 5);
        assert_eq!(pacer.take(&chat("a"), ChatKind::Direct, 1_000_000), Err(1000));
        assert_eq!(pacer.take(&chat("b"), ChatKind::Direct, 1_000_000), Ok(()), "another chat is free");
        assert_eq!(pacer.take(&chat("a"), ChatKind::Direct, 1_001_000), Ok(()));
    }

    #[test]
    fn a_group_never_gets_more_than_its_minute() {
        let mut pacer = Pacer::new(limits(100.0, 100, 20, 0.0));
        let in_a_minute = sent(&mut pacer, ChatKind::Group, 600, 100);
        assert!((20..=30).contains(&in_a_minute), "{in_a_minute}");
        let mut direct = Pacer::new(limits(100.0, 100, 20, 0.0));
        assert_eq!(sent(&mut direct, ChatKind::Direct, 100, 0), 100);
    }

    #[test]
    fn the_account_has_a_rate_over_all_chats() {
        let mut pacer = Pacer::new(limits(0.0, 0, 0, 30.0));
        let sent = (0..100)
            .filter(|n| pacer.take(&chat(&n.to_string()), ChatKind::Direct, 1_000_000).is_ok())
            .count();
        assert_eq!(sent, 30);
    }

    #[test]
    fn what_may_as_well_not_happen_takes_a_slot_but_never_the_last() {
        let mut pacer = Pacer::new(limits(1.0, 3, 0, 0.0));
        let spare = |pacer: &mut Pacer| pacer.take_spare(&chat("a"), ChatKind::Direct, 1_000_000);
        assert_eq!([spare(&mut pacer), spare(&mut pacer), spare(&mut pacer)], [true, true, false]);
        assert_eq!(sent(&mut pacer, ChatKind::Direct, 5, 0), 1);
        let mut narrow = Pacer::new(limits(1.0, 1, 0, 0.0));
        assert!(!spare(&mut narrow));
    }

    #[test]
    fn zero_means_no_limit() {
        let mut pacer = Pacer::new(limits(0.0, 0, 0, 0.0));
        assert_eq!(sent(&mut pacer, ChatKind::Group, 10_000, 0), 10_000);
        assert!(pacer.take_spare(&chat("a"), ChatKind::Group, 1_000_000));
    }

    #[test]
    fn a_pause_is_kept_to_its_end() {
        let mut pacer = Pacer::new(limits(0.0, 0, 0, 0.0));
        pacer.close(Some(&chat("a")), 1_005_000);
        assert_eq!(pacer.take(&chat("a"), ChatKind::Direct, 1_000_000), Err(5000));
        assert_eq!(pacer.take(&chat("b"), ChatKind::Direct, 1_000_000), Ok(()));
        pacer.close(None, 1_002_000);
        assert_eq!(pacer.take(&chat("b"), ChatKind::Direct, 1_000_000), Err(2000));
        let spare = [1_001_999, 1_002_000].map(|now| pacer.take_spare(&chat("b"), ChatKind::Direct, now));
        assert_eq!(spare, [false, true]);
        assert_eq!(pacer.take(&chat("a"), ChatKind::Direct, 1_005_000), Ok(()));
    }
}
