//! The updates of one answer, until the core has stored them all.

use std::collections::{HashMap, VecDeque};

use futures::future::join_all;
use roundtable_contract::{AcceptError, ChatId, Edge, Event};
use serde_json::Value;

use crate::update::{Us, read, update_id};

/// Updates not yet stored, a queue for each chat: order matters within a chat and nowhere else.
/// Public for simulations of the core, which read events by it as this channel does.
#[derive(Debug, Default)]
pub struct Batch {
    chats: Vec<VecDeque<(i32, Event)>>,
    /// The last update, of whatever use; `None` when none of them had a number.
    last: Option<i32>,
}

impl Batch {
    /// Reads the updates, in the order in which they came. What can't be read is logged and passed over.
    pub(crate) fn new(us: &Us, updates: Vec<Value>) -> Self {
        let mut events = Vec::new();
        let mut last = None;
        for update in updates {
            let Some(id) = update_id(&update) else {
                tracing::warn!(telegram.account = %us.account, "an update without a number is passed over");
                continue;
            };
            last = last.max(Some(id));
            match read(us, update) {
                Ok(Some(event)) => events.push((id, event)),
                Ok(None) => {
                    tracing::debug!(telegram.account = %us.account, update.id = id, "an update of no use")
                }
                Err(error) => {
                    tracing::warn!(telegram.account = %us.account, update.id = id, "{error} and is passed over");
                }
            }
        }
        Self { chats: by_chat(events), last }
    }

    /// Updates that have been read, each with its number, in the order in which they came.
    pub fn of(events: Vec<(i32, Event)>) -> Self {
        let last = events.iter().map(|(id, _)| *id).max();
        Self { chats: by_chat(events), last }
    }

    /// The last update up to which everything is stored: what may be confirmed.
    pub fn stored_up_to(&self) -> Option<i32> {
        #[cfg(feature = "planted-faults")]
        if roundtable_contract::planted::is_planted(roundtable_contract::planted::Fault::NoLowWater) {
            return self.last;
        }
        let waiting = self.chats.iter().flatten().map(|(id, _)| id - 1).min();
        waiting.or(self.last)
    }

    /// Offers what is left to the core, chats at the same time, each in order up to its first failure.
    /// What was stored leaves the batch.
    ///
    /// # Errors
    ///
    /// The core did not take one of them, for now.
    pub async fn store(&mut self, edge: &dyn Edge) -> Result<(), AcceptError> {
        let results = join_all(self.chats.iter_mut().map(|chat| drain(chat, edge))).await;
        self.chats.retain(|chat| !chat.is_empty());
        results.into_iter().collect()
    }
}

async fn drain(chat: &mut VecDeque<(i32, Event)>, edge: &dyn Edge) -> Result<(), AcceptError> {
    while let Some((_, event)) = chat.front() {
        edge.accept(event.clone()).await?;
        chat.pop_front();
    }
    Ok(())
}

/// One queue a chat. A chat that moves shares the queue of the chat it becomes, so that nothing said
/// there is stored before the move.
fn by_chat(events: Vec<(i32, Event)>) -> Vec<VecDeque<(i32, Event)>> {
    let moves: HashMap<ChatId, ChatId> = events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Moved { from, to, .. } => Some((from.clone(), to.clone())),
            Event::Message(_) | Event::Opened { .. } => None,
        })
        .collect();
    let mut places = HashMap::new();
    let mut chats: Vec<VecDeque<_>> = Vec::new();
    for (id, event) in events {
        let chat = match &event {
            Event::Message(message) => &message.conversation.chat,
            Event::Moved { from, .. } => from,
            Event::Opened { conversation, .. } => &conversation.chat,
        };
        let chat = moves.get(chat).unwrap_or(chat).clone();
        let place = *places.entry(chat).or_insert(chats.len());
        if place == chats.len() {
            chats.push(VecDeque::new());
        }
        chats[place].push_back((id, event));
    }
    chats
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use async_trait::async_trait;
    use roundtable_contract::{AccountId, AccountState, Connection};
    use serde_json::json;

    use super::*;

    /// Stores texts, refuses those in `refuse` and answers slowly to those in `slow`.
    #[derive(Default)]
    struct Store {
        stored: Mutex<Vec<String>>,
        refuse: Mutex<Vec<&'static str>>,
        slow: &'static str,
    }

    #[async_trait]
    impl Edge for Store {
        async fn accept(&self, event: Event) -> Result<(), AcceptError> {
            let text = match event {
                Event::Message(message) => message.text,
                Event::Moved { from, to, .. } => format!("{from} > {to}"),
                Event::Opened { name, .. } => name,
            };
            if text == self.slow {
                tokio::task::yield_now().await;
            }
            if self.refuse.lock().unwrap().iter().any(|refused| *refused == text) {
                return Err(AcceptError { reason: "full".into() });
            }
            self.stored.lock().unwrap().push(text);
            Ok(())
        }

        async fn advance(&self, _: &AccountId, _: &str, _: i64) -> Result<(), AcceptError> {
            unreachable!("a batch moves no position")
        }

        async fn position(&self, _: &AccountId, _: &str) -> Option<(i64, Duration)> {
            None
        }

        async fn positions(&self, _: &AccountId) -> Result<Vec<(String, i64)>, AcceptError> {
            Ok(Vec::new())
        }

        fn report(&self, _: &Connection, _: AccountState) {}
    }

    fn says(id: i32, chat: i64, text: &str) -> Value {
        json!({"update_id": id, "message": {"message_id": id, "chat": {"id": chat, "type": "group"},
            "from": {"id": 55, "first_name": "Ann"}, "date": 1, "text": text}})
    }

    fn batch(updates: Vec<Value>) -> Batch {
        Batch::new(&Us::example(), updates)
    }

    #[tokio::test]
    async fn the_lowest_update_not_stored_bounds_what_is_confirmed() {
        let mut batch = batch(vec![
            says(5, -1, "a"),
            says(6, -2, "b"),
            says(7, -1, "c"),
            says(8, -1, "d"),
            says(9, -2, "e"),
        ]);
        let store = Store { refuse: Mutex::new(vec!["c"]), ..Store::default() };
        assert_eq!(batch.stored_up_to(), Some(4));
        batch.store(&store).await.unwrap_err();
        assert_eq!(batch.stored_up_to(), Some(6));
        store.refuse.lock().unwrap().clear();
        batch.store(&store).await.unwrap();
        assert_eq!(batch.stored_up_to(), Some(9));
        let mut stored = store.stored.into_inner().unwrap();
        assert_eq!(stored.len(), 5, "nothing stored is offered again: {stored:?}");
        stored.retain(|text| ["a", "c", "d"].contains(&text.as_str()));
        assert_eq!(stored, ["a", "c", "d"]);
    }

    #[tokio::test]
    async fn an_update_out_of_order_is_not_confirmed_early() {
        let mut batch = batch(vec![says(6, -1, "a"), says(9, -1, "b"), says(7, -1, "c")]);
        let store = Store { refuse: Mutex::new(vec!["b"]), ..Store::default() };
        batch.store(&store).await.unwrap_err();
        assert_eq!(batch.stored_up_to(), Some(6));
    }

    #[tokio::test]
    async fn a_slow_chat_delays_no_other() {
        let mut batch = batch(vec![says(1, -1, "slow"), says(2, -1, "after"), says(3, -2, "other")]);
        let store = Store { slow: "slow", ..Store::default() };
        batch.store(&store).await.unwrap();
        assert_eq!(store.stored.into_inner().unwrap(), ["other", "slow", "after"]);
    }

    #[tokio::test]
    async fn a_move_is_stored_between_the_old_chat_and_the_new() {
        let mut moved = says(2, -1, "");
        moved["message"]["migrate_to_chat_id"] = json!(-100);
        let mut batch = batch(vec![says(1, -1, "before"), moved, says(3, -100, "after")]);
        let store = Store { slow: "before", ..Store::default() };
        batch.store(&store).await.unwrap();
        assert_eq!(store.stored.into_inner().unwrap(), ["before", "-1 > -100", "after"]);
    }

    #[tokio::test]
    async fn unreadable_updates_neither_block_nor_lose_their_neighbours() {
        let broken = json!({"update_id": 3, "message": {"message_id": [], "text": 7}});
        let mut batch = batch(vec![says(2, -1, "a"), broken, json!("junk"), says(4, -1, "b")]);
        let store = Store::default();
        batch.store(&store).await.unwrap();
        assert_eq!(batch.stored_up_to(), Some(4));
        assert_eq!(store.stored.into_inner().unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_is_of_no_use_is_confirmed_too() {
        assert_eq!(batch(vec![json!({"update_id": 3, "callback_query": {}})]).stored_up_to(), Some(3));
        assert_eq!(batch(vec![json!({"message": {}})]).stored_up_to(), None);
        assert_eq!(batch(vec![]).stored_up_to(), None);
    }
}
