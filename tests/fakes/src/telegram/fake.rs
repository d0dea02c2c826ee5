//! The world behind a lock that tells whoever waits of every change.

use std::{fmt, pin::pin, sync::Arc};

use anyhow::Context as _;
use tokio::{sync::watch, time::timeout};

use super::{chat::ChatKey, world::World};
use crate::PATIENCE;

/// The shared world.
pub(crate) struct Fake(watch::Sender<World>);

impl Default for Fake {
    fn default() -> Self {
        Self(watch::Sender::new(World::new()))
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake(..)")
    }
}

impl Fake {
    /// Changes the world and wakes those that wait for it. Must not be nested.
    pub fn change<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        let mut result = None;
        self.0.send_modify(|world| result = Some(change(world)));
        result.expect("send_modify always runs its closure")
    }

    /// Reads the world.
    pub fn look<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        look(&self.0.borrow())
    }

    /// Waits until `look` finds something.
    pub async fn watch<R>(&self, mut look: impl FnMut(&World) -> Option<R>) -> R {
        let mut changes = self.0.subscribe();
        loop {
            let found = look(&changes.borrow_and_update());
            if let Some(found) = found {
                return found;
            }
            changes.changed().await.expect("this very object keeps the sender alive");
        }
    }

    /// Waits until `take` finds something; it may change the world when it does, and only then. Fails after [`PATIENCE`].
    pub async fn take<R>(
        &self,
        what: &str,
        mut take: impl FnMut(&mut World) -> Option<R>,
    ) -> anyhow::Result<R> {
        let mut changes = self.0.subscribe();
        let taken = timeout(PATIENCE, async {
            loop {
                changes.mark_unchanged();
                let mut found = None;
                self.0.send_if_modified(|world| {
                    found = take(world);
                    found.is_some()
                });
                if let Some(found) = found {
                    return found;
                }
                changes.changed().await.expect("this very object keeps the sender alive");
            }
        });
        taken.await.with_context(|| self.in_vain(what))
    }

    /// The same for what only changes of one chat can bring about.
    pub async fn take_in<R>(
        &self,
        key: ChatKey,
        what: &str,
        mut take: impl FnMut(&mut World) -> Option<R>,
    ) -> anyhow::Result<R> {
        let news = self.change(|world| Arc::clone(world.news.entry(key).or_default()));
        let taken = timeout(PATIENCE, async {
            loop {
                let mut changed = pin!(news.notified());
                changed.as_mut().enable();
                let mut found = None;
                self.0.send_if_modified(|world| {
                    found = take(world);
                    found.is_some()
                });
                if let Some(found) = found {
                    return found;
                }
                changed.await;
            }
        });
        taken.await.with_context(|| self.in_vain(what))
    }

    fn in_vain(&self, what: &str) -> String {
        format!("waited {PATIENCE:?} for {what}\n{}", self.look(World::transcript))
    }
}
