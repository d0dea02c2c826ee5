//! Faults that are planted on purpose, to show that the simulation finds them. Only in builds with the feature
//! `planted-faults`, which no release has.

use std::sync::atomic::{AtomicU8, Ordering};

/// A guarantee that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// The fencing token of a turn is not checked.
    NoToken = 1,
    /// An event that comes twice is taken twice.
    NoDedupe,
    /// Facts about a tree are read without its lock.
    NoTreeLock,
    /// A requester is told of the end of its run by a later transaction than the one that ends it.
    LateAnnouncement,
    /// The position of an account is that of the newest event that was stored, whatever is still to be stored.
    NoLowWater,
}

static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Plants a fault in this process, in place of the one before; `None`: no fault.
pub fn plant(fault: Option<Fault>) {
    PLANTED.store(fault.map_or(0, |fault| fault as u8), Ordering::SeqCst);
}

/// Whether this fault is planted.
pub fn is_planted(fault: Fault) -> bool {
    PLANTED.load(Ordering::Relaxed) == fault as u8
}
