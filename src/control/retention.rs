//! What becomes of sessions and notes that nobody needs any more: the operator prunes them.

use async_trait::async_trait;

use crate::engine::Erase;
use crate::store::notes::{self, Mark, Swept};
use crate::store::retention::{self, Going};
use crate::store::{Read, Store, StoreError, Transaction, Tx, sessions, trees};

/// So many sessions are taken out of use in one transaction.
const BATCH: i64 = 50;

/// So many windows of notes are gone through before the caller hears of it.
const WINDOWS: usize = 16;

/// Sessions that nothing has changed in since `before`, and that have nothing to do, with all below them. Children
/// come before their parents.
pub struct Old {
    /// Milliseconds since 1970.
    pub before: i64,
    /// Those behind this one: its depth and number.
    pub after: Option<(i64, i64)>,
    /// How many.
    pub limit: i64,
}

#[async_trait]
impl Read for Old {
    type Output = Vec<Going>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Going>, StoreError> {
        retention::old(tx, self.before, self.after, self.limit).await
    }
}

/// Takes old sessions out of use, a batch of them, and returns those; none are left when it returns none. Their rows
/// are erased by the node, or by [`erase`].
///
/// # Errors
///
/// Those of the database; what was returned before is done.
pub async fn prune(store: &Store, before: i64) -> Result<Vec<Going>, StoreError> {
    let old = store.read(Old { before, after: None, limit: BATCH }).await?;
    if old.is_empty() { Ok(old) } else { store.commit(Prune { old, before }).await }
}

/// Removes notes that are older than `before` and needed no longer, from a stretch of them that begins behind `from`.
///
/// # Errors
///
/// Those of the database; what was removed before stays so.
pub async fn sweep(store: &Store, before: i64, from: Mark) -> Result<Swept, StoreError> {
    let before = before.min(store.now() - notes::NEEDED);
    let (mut removed, mut next) = (0, Some(from));
    for _ in 0..WINDOWS {
        let Some(from) = next else { break };
        let swept = store.commit(Sweep { before, from }).await?;
        removed += swept.removed;
        next = swept.next;
    }
    Ok(Swept { removed, next })
}

/// Erases everything that can be erased now; for a database without a node.
///
/// # Errors
///
/// Those of the database; the rest is erased by the next node.
pub async fn erase(store: &Store) -> Result<(), StoreError> {
    while store.commit(Erase).await?.is_some() {}
    Ok(())
}

struct Sweep {
    before: i64,
    from: Mark,
}

#[async_trait]
impl Transaction for Sweep {
    type Output = Swept;
    const NAME: &'static str = "sweep";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Swept, StoreError> {
        notes::sweep(tx, self.before, &self.from).await
    }
}

/// Takes those of the sessions out of use that are still old and at rest; returns them.
pub struct Prune {
    /// What [`Old`] has found.
    pub old: Vec<Going>,
    /// As it was asked then.
    pub before: i64,
}

#[async_trait]
impl Transaction for Prune {
    type Output = Vec<Going>;
    const NAME: &'static str = "prune";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Going>, StoreError> {
        let mut found = Vec::with_capacity(self.old.len());
        for going in &self.old {
            if let Some(tree_id) = sessions::tree_of(tx, going.id).await? {
                found.push((tree_id, going));
            }
        }
        let mut tree_ids: Vec<i64> = found.iter().map(|(tree_id, _)| *tree_id).collect();
        tree_ids.sort_unstable();
        tree_ids.dedup();
        for tree_id in tree_ids {
            trees::lock(tx, tree_id).await?;
        }
        // Nobody of another tree speaks to them meanwhile.
        trees::lock_between(tx).await?;
        let mut gone = Vec::with_capacity(found.len());
        for (_, going) in found {
            sessions::hold(tx, going.id).await?;
            if retention::is_at_rest(tx, going.id, Some(self.before)).await?
                && retention::forget(tx, going.id, self.before).await?
            {
                gone.push(going.clone());
            }
        }
        Ok(gone)
    }
}
