//! Crash points for the kill tests: the process dies at a named place, as if its power was cut there.
//!
//! `ROUNDTABLE_CRASH_AT=commit.finish.after:3` dies the third time that place is passed. Points are
//! `commit.<transaction>.before|after` and `call.<kind>.before|after`. Unset, a point costs one load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

struct Armed {
    place: String,
    left: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Which side of the deed the point is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and nobody was told.
    After,
}

/// Passes the point `<kind>.<name>.<side>`; does not return if the process is to die here.
pub fn point(kind: &str, name: &str, side: Side) {
    let Some(armed) = ARMED.get_or_init(armed_by_environment) else { return };
    let side = if side == Side::Before { "before" } else { "after" };
    if armed.place == format!("{kind}.{name}.{side}") && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        // No destructor, no flush, no goodbye: the same as SIGKILL for everything outside the process.
        std::process::abort();
    }
}

fn armed_by_environment() -> Option<Armed> {
    let text = std::env::var("ROUNDTABLE_CRASH_AT").ok()?;
    let (place, count) = text.split_once(':').unwrap_or((&text, "1"));
    Some(Armed { place: place.to_owned(), left: AtomicU64::new(count.parse().unwrap_or(1)) })
}
