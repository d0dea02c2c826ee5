//! The database, as a test looks at it beside the running node.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roundtable::store::deliveries::{self, Listed};
use roundtable::store::{Access, Param, Read, Sql, Store, StoreError, Transaction, Tx};
use roundtable::time::SystemClock;
use roundtable_fakes::PATIENCE;
use tokio::task::JoinHandle;

use super::world::World;

/// A second pair of eyes on a world's database.
pub struct Stored {
    store: Store,
    _writer: JoinHandle<()>,
}

impl World {
    /// Opens the database of a node that has been started.
    pub async fn stored(&self) -> Stored {
        let clock = Arc::new(SystemClock::new());
        let (store, writer) =
            Store::open(&self.url, 2, Access::Look, clock).await.expect("the database is there");
        Stored { store, _writer: tokio::spawn(writer) }
    }
}

impl Stored {
    /// The deliveries as `roundtable deliveries list` shows them, newest first.
    pub async fn deliveries(&self, all: bool) -> Vec<Listed> {
        self.store.read(List { all }).await.expect("the database can be read")
    }

    /// Waits until something holds of all deliveries; gives them.
    pub async fn until(&self, what: &str, holds: impl Fn(&[Listed]) -> bool) -> Vec<Listed> {
        self.find(what, async || Some(self.deliveries(true).await).filter(|all| holds(all))).await
    }

    /// Waits until `look` finds something. The database tells nobody of its changes, so it is asked again and again.
    pub async fn find<R>(&self, what: &str, look: impl AsyncFn() -> Option<R>) -> R {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => {
                panic!("waited {PATIENCE:?} for {what}; deliveries: {:#?}", self.deliveries(true).await)
            }
        }
    }

    /// Waits until the node has taken an event.
    pub async fn takes(&self, key: &str) {
        let taken = async || self.read(Taken(key.to_owned())).await.then_some(());
        self.find(&format!("event {key}"), taken).await;
    }

    /// Reads anything else.
    pub async fn read<R: Read>(&self, read: R) -> R::Output {
        self.store.read(read).await.expect("the database can be read")
    }

    /// Changes what no person and no platform would.
    pub async fn changes(&self, sql: &'static str) {
        self.store.commit(Statement(sql)).await.expect("the database can be written");
    }

    /// `roundtable deliveries retry`.
    pub async fn retry(&self, id: i64) -> bool {
        self.store.commit(Change { id, retry: true }).await.expect("the database can be written")
    }

    /// `roundtable deliveries discard`.
    pub async fn discard(&self, id: i64) -> bool {
        self.store.commit(Change { id, retry: false }).await.expect("the database can be written")
    }
}

struct List {
    all: bool,
}

#[async_trait]
impl Read for List {
    type Output = Vec<Listed>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Listed>, StoreError> {
        deliveries::list(tx, self.all, 1000).await
    }
}

struct Taken(String);

#[async_trait]
impl Read for Taken {
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let text = "SELECT key FROM events WHERE key = $1";
        let found = tx.optional(Sql { lite: text, pg: text }, &[Param::from(self.0.as_str())]).await?;
        Ok(found.is_some())
    }
}

struct Change {
    id: i64,
    retry: bool,
}

#[async_trait]
impl Transaction for Change {
    type Output = bool;
    const NAME: &'static str = "change_delivery";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        match self.retry {
            true => Ok(deliveries::retry(tx, self.id).await?.is_some()),
            false => deliveries::discard(tx, self.id).await,
        }
    }
}

struct Statement(&'static str);

#[async_trait]
impl Transaction for Statement {
    type Output = ();
    const NAME: &'static str = "statement";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.execute(Sql { lite: self.0, pg: self.0 }, &[]).await?;
        Ok(())
    }
}
