//! The one integration binary: one file per subject, `support` for what they share.

mod invariants;
mod store;
mod support;
