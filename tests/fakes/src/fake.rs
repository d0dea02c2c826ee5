//! The world behind a lock that tells whoever waits of every change.

use std::fmt;
use std::pin::pin;

use anyhow::Context as _;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::PATIENCE;

/// What a fake platform knows.
pub(crate) trait Scene {
    /// All of it as lines for people.
    fn transcript(&self) -> String;
}

/// The shared world.
pub(crate) struct Fake<W>(watch::Sender<W>);

impl<W: Default> Default for Fake<W> {
    fn default() -> Self {
        Self(watch::Sender::new(W::default()))
    }
}

impl<W> fmt::Debug for Fake<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake(..)")
    }
}

impl<W: Scene> Fake<W> {
    /// Changes the world and wakes those that wait for it. Must not be nested.
    pub fn change<R>(&self, change: impl FnOnce(&mut W) -> R) -> R {
        let mut result = None;
        self.0.send_modify(|world| result = Some(change(world)));
        result.expect("send_modify always runs its closure")
    }

    /// Reads the world.
    pub fn look<R>(&self, look: impl FnOnce(&W) -> R) -> R {
        look(&self.0.borrow())
    }

    /// Waits until `look` finds something.
    pub async fn watch<R>(&self, mut look: impl FnMut(&W) -> Option<R>) -> R {
        let mut changes = self.0.subscribe();
        loop {
            let found = look(&changes.borrow_and_update());
            if let Some(found) = found {
                return found;
            }
            changes.changed().await.expect("this very object keeps the sender alive");
        }
    }

    /// Waits until `take` finds something; it may change the world when it does, and only then.
    pub async fn claim<R>(&self, mut take: impl FnMut(&mut W) -> Option<R>) -> R {
        let mut changes = self.0.subscribe();
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
    }

    /// Like [`Fake::claim`], but fails after [`PATIENCE`].
    pub async fn take<R>(&self, what: &str, take: impl FnMut(&mut W) -> Option<R>) -> anyhow::Result<R> {
        let context = || format!("waited {PATIENCE:?} for {what}\n{}", self.look(W::transcript));
        timeout(PATIENCE, self.claim(take)).await.with_context(context)
    }

    /// The same for what only changes that `news` tells of can bring about.
    pub async fn take_on<R>(
        &self,
        news: &Notify,
        what: &str,
        mut take: impl FnMut(&mut W) -> Option<R>,
    ) -> anyhow::Result<R> {
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
        let context = || format!("waited {PATIENCE:?} for {what}\n{}", self.look(W::transcript));
        taken.await.with_context(context)
    }
}
