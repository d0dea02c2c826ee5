//! What one node tells the others, by PostgreSQL's NOTIFY and outside every transaction. News may be lost, and nothing
//! depends on it: polls find what it tells of, and a turn that was cancelled is found with its next commit. On SQLite there
//! is nobody to tell.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use roundtable_contract::AccountId;
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::mpsc;

use super::pool::Pool;
use super::{Backend, Store, StoreError, sql};

/// PostgreSQL's name for what all nodes listen to.
const CHANNEL: &str = "roundtable";

/// News that may wait to be told. Full: it is not told.
const QUEUE: usize = 256;

/// So long nothing may be heard. A connection that was lost without a word is never found out by listening, so then a new
/// one is made.
const QUIET: Duration = Duration::from_secs(60);

/// How long the telling of one piece of news may take, and the pause before a listener that failed begins anew.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something that another node may want to know at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum News {
    /// There is more to do than this node can, or will.
    Work,
    /// This node has given something back, or all that it held.
    Free,
    /// A conversation of an account that this node does not have is to be told something.
    Said(String, i64),
    /// A turn that this node does not drive was cancelled.
    Cancelled(i64),
}

/// The way to the others.
#[derive(Clone)]
pub(super) struct Teller {
    /// Tells our own news from that of others.
    me: String,
    news: mpsc::Sender<News>,
    /// To listen on a connection of its own, so that none of those that work is missing.
    ear: Arc<PgConnectOptions>,
}

/// The way to the other nodes, and what carries the news there; it ends when nobody can tell anything any more.
pub(super) fn teller(pool: Pool, options: PgConnectOptions) -> (Teller, impl Future<Output = ()>) {
    let (sender, mut queue) = mpsc::channel(QUEUE);
    let me = uuid::Uuid::now_v7().simple().to_string();
    let teller = Teller { me: me.clone(), news: sender, ear: Arc::new(options) };
    let carry = async move {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, QUEUE).await > 0 {
            for news in batch.drain(..).collect::<BTreeSet<_>>() {
                let told = tokio::time::timeout(PATIENCE, tell(&pool, &me, &news)).await;
                if !matches!(told, Ok(Ok(()))) {
                    tracing::debug!(
                        "a hint did not reach the other nodes; their polls find what it tells of"
                    );
                }
            }
        }
    };
    (teller, carry)
}

async fn tell(pool: &Pool, me: &str, news: &News) -> Result<(), StoreError> {
    let news = serde_json::to_string(&(me, news)).expect("plain data is always JSON");
    let notify = sql!("SELECT pg_notify($1, $2)").pg;
    let mut lent = pool.lend().await?;
    let told = sqlx::query(notify).bind(CHANNEL).bind(news).execute(&mut *lent.conn).await;
    lent.ended(Ok(told.map(drop).map_err(StoreError::from)))
}

impl Store {
    /// Tells the other nodes, some time soon.
    pub fn tell(&self, news: News) {
        if let Backend::Pg { teller, .. } = &self.backend {
            // Full, or at the end of everything: the polls find it.
            let _ = teller.news.try_send(news);
        }
    }

    /// Tells the account's node that there is something to say.
    pub fn tell_said(&self, account: &AccountId, conversation_id: i64) {
        self.tell(News::Said(account.to_string(), conversation_id));
    }

    /// Hears what the other nodes tell. Never returns.
    pub async fn listen(&self, mut hear: impl FnMut(News)) {
        if let Backend::Pg { teller, .. } = &self.backend {
            loop {
                if let Err(error) = hear_all(&teller.ear, &teller.me, &mut hear).await {
                    tracing::debug!(%error, "no hints of other nodes for a moment");
                }
                tokio::time::sleep(PATIENCE).await;
            }
        }
        std::future::pending().await
    }
}

/// Hears all until there is an error, or nothing for long.
async fn hear_all(ear: &PgConnectOptions, me: &str, hear: &mut impl FnMut(News)) -> Result<(), StoreError> {
    let Ok(listener) = tokio::time::timeout(QUIET, listener(ear)).await else {
        return Err(StoreError::Silent);
    };
    let mut listener = listener?;
    while let Ok(told) = tokio::time::timeout(QUIET, listener.recv()).await {
        let told = told?;
        // News of another version may be unreadable.
        match serde_json::from_str::<(String, News)>(told.payload()) {
            Ok((teller, news)) if teller != me => hear(news),
            _ => {}
        }
    }
    Ok(())
}

async fn listener(ear: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let mut listener = PgListener::connect_with(&pool.connect_lazy_with(ear.clone())).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
