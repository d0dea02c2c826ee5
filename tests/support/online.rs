//! An account that was there before.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roundtable::store::{Access, Read, Store, StoreError, Transaction, Tx, cursors};
use roundtable::time::SystemClock;
use roundtable_contract::AccountId;

use super::world::World;

impl World {
    /// Makes the database, before the first node starts, one of a node that was last on Discord so long `ago`: what was
    /// written there since is fetched.
    pub async fn was_on_discord(&self, ago: Duration) -> anyhow::Result<()> {
        self.had_read_discord("@online", ago).await
    }

    /// The same of one that had read so far what has the position `scope`.
    pub async fn had_read_discord(&self, scope: &str, ago: Duration) -> anyhow::Result<()> {
        let (store, writer) = Store::open(&self.url, 1, Access::Node, Arc::new(SystemClock::new())).await?;
        let (committed, ()) =
            tokio::join!(async move { store.commit(HadRead { scope: scope.to_owned(), ago }).await }, writer);
        Ok(committed?)
    }
}

/// How far an account on Discord has read what has this position, if it has any.
pub struct Reads(pub &'static str);

#[async_trait]
impl Read for Reads {
    type Output = Option<i64>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
        let kept = cursors::position(tx, &AccountId::new("discord", "main"), self.0).await?;
        Ok(kept.map(|(position, _)| position))
    }
}

struct HadRead {
    scope: String,
    ago: Duration,
}

#[async_trait]
impl Transaction for HadRead {
    type Output = ();
    const NAME: &'static str = "had_read";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        /// Milliseconds from 1970 to the first snowflake.
        const EPOCH: i64 = 1_420_070_400_000;
        let then = tx.now() - i64::try_from(self.ago.as_millis()).expect("a sensible time");
        cursors::advance(tx, &AccountId::new("discord", "main"), &self.scope, (then - EPOCH) << 22).await
    }
}
