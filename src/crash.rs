//! Crash points for the kill tests: the process dies at a named place, as if its power was cut there.
//!
//! `ROUNDTABLE_CRASH_AT=commit.finish.after:3` dies the third time that place is passed. Points are
//! `commit.<transaction>.before|after`, `call.model|tool.before|after`, and for calls to a platform
//! `call.<channel>.<kind>.before|after`. Unset, a point costs two loads.
//!
//! `ROUNDTABLE_PANIC_AT` takes the same, and only panics there: a fault of a tool or a client.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use roundtable_contract::AccountId;

struct Armed {
    place: String,
    left: AtomicU64,
}

static DEATH: OnceLock<Option<Armed>> = OnceLock::new();

static PANIC: OnceLock<Option<Armed>> = OnceLock::new();

/// Which side of the deed the point is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and nobody was told.
    After,
}

/// Passes the point `<kind>.<name>.<side>`; does not return if the process is to die or to panic here.
pub fn point(kind: &str, name: impl fmt::Display, side: Side) {
    let is_here = |armed: &'static OnceLock<Option<Armed>>, variable| {
        armed
            .get_or_init(|| by_environment(variable))
            .as_ref()
            .is_some_and(|armed| armed.is_at(kind, &name, side))
    };
    if is_here(&DEATH, "ROUNDTABLE_CRASH_AT") {
        // No destructor, no flush, no goodbye: the same as SIGKILL for everything outside the process.
        std::process::abort();
    }
    if is_here(&PANIC, "ROUNDTABLE_PANIC_AT") {
        panic!("ROUNDTABLE_PANIC_AT asks for it");
    }
}

/// Passes the point of a call to the platform of an account: `call.<channel>.<name>.<side>`.
pub fn call(account: &AccountId, name: &str, side: Side) {
    point("call", format_args!("{}.{name}", account.channel), side);
}

impl Armed {
    /// Whether this is the place, and the time to go off.
    fn is_at(&self, kind: &str, name: &dyn fmt::Display, side: Side) -> bool {
        let side = if side == Side::Before { "before" } else { "after" };
        self.place == format!("{kind}.{name}.{side}") && self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

fn by_environment(variable: &str) -> Option<Armed> {
    let text = std::env::var(variable).ok()?;
    let (place, count) = text.split_once(':').unwrap_or((&text, "1"));
    Some(Armed { place: place.to_owned(), left: AtomicU64::new(count.parse().unwrap_or(1)) })
}
