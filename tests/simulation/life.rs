//! Whether a node lives. What a dead one had begun never goes on: it reaches no platform, and nothing answers it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The life of a node.
#[derive(Clone, Default)]
pub struct Life(Arc<AtomicBool>);

impl Life {
    /// Ends it.
    pub fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes on at once while it lasts, and never after.
    pub async fn goes_on(&self) {
        if self.is_over() {
            std::future::pending().await
        }
    }
}
