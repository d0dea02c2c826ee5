//! The one integration binary: the real program, over real sockets, against the fakes.

mod support;

mod contract;
mod documents;
mod telegram;
