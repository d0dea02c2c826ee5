//! The connections to PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;
use roundtable::store::{Access, Read, Sql, Store, StoreError, Tx};
use roundtable::time::SystemClock;

use crate::support::databases::Database;
use crate::support::proxy::Proxy;

/// A question that every server can answer.
struct Answers;

#[async_trait]
impl Read for Answers {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let text = "SELECT CAST(1 AS BIGINT) AS it";
        tx.one(Sql { lite: text, pg: text }, &[]).await?.get("it")
    }
}

/// Whoever gives it back asks it for a sign of life, and there is none. On one thread nothing goes out before that.
#[tokio::test]
async fn a_connection_that_is_lost_on_its_way_back_keeps_no_place() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let (line, url) = Proxy::before(&Database::Postgres.fresh().await.url).await.unwrap();
    let (store, writer) = Store::open(&url, 1, Access::Node, Arc::new(SystemClock::new())).await.unwrap();
    tokio::spawn(writer);
    assert_eq!(store.read(Answers).await.unwrap(), 1);
    line.lose();
    // Who wants one at that moment is told at last that there is none; whoever comes next has a new one.
    let mut outcome = store.read(Answers).await;
    if outcome.is_err() {
        outcome = store.read(Answers).await;
    }
    assert_eq!(outcome.unwrap(), 1);
}
