//! Working on the database without a node.

use crate::config::Config;
use crate::store::{Access, Read, Store, StoreError, Transaction};
use crate::time::SystemClock;

/// Reads; a node may be running.
pub(super) async fn read<R: Read>(config: &Config, body: R) -> Result<R::Output, StoreError> {
    with(config, Access::Look, async |store| store.read(body).await).await
}

/// Changes something. On SQLite this is the node for the moment, so that it is refused while there is one.
pub(super) async fn change<T: Transaction>(config: &Config, body: T) -> Result<T::Output, StoreError> {
    with(config, Access::Node, async |store| store.commit(body).await).await
}

/// Does some work with the database and closes it.
pub(super) async fn with<T>(
    config: &Config,
    access: Access,
    work: impl AsyncFnOnce(Store) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let clock = std::sync::Arc::new(SystemClock::new());
    let (store, writer) =
        Store::open(config.store.url.expose(), config.store.max_connections, access, clock).await?;
    let store = store.with_former_ids(config.former_ids());
    // The work owns the only handle, so the writer ends with it.
    let (outcome, ()) = tokio::join!(work(store), writer);
    outcome
}
