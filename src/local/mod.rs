//! The embedded channel behind the terminal: its platform is a table, a log keyed by delivery, which any
//! node can append to and read. A send is a commit, so it is done once however often it is tried.

use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{
    AccountId, AccountState, Channel, Connection, Conversation, Edge, Found, Limits, Lost, MessageId,
    Outgoing, Part, Receipt, Reconcile, RunError, SendError, Speaker,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::store::local::{self, Line};
use crate::store::{Read, Store, StoreError, Transaction, Tx};

/// The only local account.
pub fn account() -> AccountId {
    AccountId::new("local", "main")
}

/// The local channel.
pub struct Local {
    account: AccountId,
    store: Store,
    news: watch::Sender<()>,
}

/// A part as it is stored in the outbox.
#[derive(Serialize, Deserialize)]
struct Body {
    speaker: String,
    text: String,
}

impl Local {
    /// The channel on this database.
    pub fn new(store: Store) -> Self {
        Self { account: account(), store, news: watch::Sender::new(()) }
    }

    /// Writes what a person said to the log and returns its number, for the message that follows from it.
    pub async fn said(&self, chat: &str, sender: &str, text: &str) -> Result<MessageId, StoreError> {
        let id = self.store.commit(self.line(chat, None, sender, text)).await?;
        self.news.send_replace(());
        Ok(MessageId(id))
    }

    /// Lines behind `after`, oldest first. Waits up to `wait` for the first when there is none: news of
    /// this process wake it at once, those of other nodes within a second.
    pub async fn lines(&self, chat: &str, after: i64, wait: Duration) -> Result<Vec<Line>, StoreError> {
        let mut news = self.news.subscribe();
        let until = tokio::time::Instant::now() + wait;
        loop {
            let lines = self.store.read(Lines { account: &self.account, chat, after }).await?;
            if !lines.is_empty() || tokio::time::Instant::now() >= until {
                return Ok(lines);
            }
            tokio::select! {
                _ = news.changed() => {}
                () = tokio::time::sleep_until(until.min(tokio::time::Instant::now() + Duration::from_secs(1))) => {}
            }
        }
    }

    fn line(&self, chat: &str, delivery: Option<String>, sender: &str, text: &str) -> Append {
        Append {
            account: self.account.clone(),
            chat: chat.to_owned(),
            delivery,
            sender: sender.to_owned(),
            text: text.to_owned(),
        }
    }

    async fn append(&self, to: &Conversation, part: &Part, nonce: &str) -> Result<Receipt, SendError> {
        let body: Body = serde_json::from_str(&part.body).map_err(|error| SendError::Rejected {
            reason: format!("the stored text is unreadable: {error}"),
        })?;
        let line = self.line(to.chat.as_str(), Some(nonce.to_owned()), &body.speaker, &body.text);
        let id = self
            .store
            .commit(line)
            .await
            .map_err(|error| SendError::Unreachable { reason: error.to_string() })?;
        self.news.send_replace(());
        Ok(Receipt { id: MessageId(id) })
    }
}

#[async_trait]
impl Channel for Local {
    fn account(&self) -> &AccountId {
        &self.account
    }

    fn limits(&self) -> Limits {
        Limits {
            chat_per_second: 0.0,
            chat_burst: 0,
            group_per_minute: 0,
            total_per_second: 0.0,
            send_timeout: Duration::from_secs(10),
            typing_lasts: Duration::from_secs(5),
            repeat_unknown: true,
        }
    }

    fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        let text = outgoing.text.trim();
        if text.is_empty() {
            return Vec::new();
        }
        let speaker = match &outgoing.speaker {
            Speaker::Program => "roundtable",
            Speaker::Bound(name) | Speaker::Persona(name) => name,
        };
        let body = Body { speaker: speaker.to_owned(), text: text.to_owned() };
        let body = serde_json::to_string(&body).expect("two texts are always JSON");
        vec![Part { body, text: text.to_owned(), stub: None }]
    }

    fn id_space(&self, _conversation: &Conversation) -> String {
        "lines".into()
    }

    async fn run(&self, _shard: u32, edge: &dyn Edge, stop: CancellationToken) -> Result<(), RunError> {
        edge.report(&Connection::new(self.account.clone(), 0), AccountState::Ready);
        stop.cancelled().await;
        Ok(())
    }

    async fn send(&self, to: &Conversation, part: &Part, nonce: &str) -> Result<Receipt, SendError> {
        self.append(to, part, nonce).await
    }

    fn reconcile(&self) -> Option<&dyn Reconcile> {
        Some(self)
    }
}

#[async_trait]
impl Reconcile for Local {
    /// A line with a known delivery is there once, so finding it and writing it are the same.
    async fn find(&self, lost: &Lost<'_>) -> Result<Found, SendError> {
        self.append(lost.conversation, lost.part, lost.nonce).await.map(Found::Visible)
    }
}

struct Append {
    account: AccountId,
    chat: String,
    delivery: Option<String>,
    sender: String,
    text: String,
}

#[async_trait]
impl Transaction for Append {
    type Output = i64;
    const NAME: &'static str = "local_line";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        local::append(tx, &self.account, &self.chat, self.delivery.as_deref(), &self.sender, &self.text).await
    }
}

struct Lines<'a> {
    account: &'a AccountId,
    chat: &'a str,
    after: i64,
}

#[async_trait]
impl Read for Lines<'_> {
    type Output = Vec<Line>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Line>, StoreError> {
        local::lines(tx, self.account, self.chat, self.after, 500).await
    }
}
