//! Our own messages as the gateway shows them: proof that a send of unknown outcome happened.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use roundtable_contract::MessageId;
use tokio::sync::watch;

/// Messages that are remembered; far more than can be of unknown outcome.
const KEPT: usize = 4096;

/// The newest messages of ours, by the nonce they were sent with.
#[derive(Debug, Default)]
pub(crate) struct Echoes {
    seen: Mutex<Seen>,
    news: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Seen {
    ids: HashMap<String, MessageId>,
    order: VecDeque<String>,
}

impl Echoes {
    /// A message of ours is there.
    pub(crate) fn record(&self, nonce: &str, id: MessageId) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).record(nonce, id);
        self.news.send_replace(());
    }

    /// The message that was sent with a nonce, if it has been seen.
    pub(crate) fn find(&self, nonce: &str) -> Option<MessageId> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).ids.get(nonce).copied()
    }

    /// Waits for it.
    pub(crate) async fn wait(&self, nonce: &str) -> MessageId {
        let mut news = self.news.subscribe();
        loop {
            if let Some(id) = self.find(nonce) {
                return id;
            }
            if news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Seen {
    fn record(&mut self, nonce: &str, id: MessageId) {
        if self.ids.insert(nonce.to_owned(), id).is_none() {
            self.order.push_back(nonce.to_owned());
        }
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered() {
        let echoes = Echoes::default();
        for number in 0..=KEPT as i64 {
            echoes.record(&number.to_string(), MessageId(number));
        }
        assert_eq!(echoes.find("0"), None);
        assert_eq!(echoes.find("1"), Some(MessageId(1)));
        assert_eq!(echoes.find(&KEPT.to_string()), Some(MessageId(KEPT as i64)));
    }

    #[tokio::test]
    async fn an_echo_ends_the_wait_for_it_and_no_other() {
        let echoes = Echoes::default();
        let (found, ()) = tokio::join!(echoes.wait("b"), async {
            echoes.record("a", MessageId(1));
            tokio::task::yield_now().await;
            echoes.record("b", MessageId(2));
        });
        assert_eq!(found, MessageId(2));
    }
}
