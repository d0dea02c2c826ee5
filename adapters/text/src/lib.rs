//! Markdown to a small tree, the tree to styled text, and splitting that keeps its parts whole.
//!
//! A platform crate renders an answer in three steps, `parse(markdown).to_styled()`, then perhaps
//! [`Styled::with_prefix`], then [`split`] with the platform's limit and measure, and turns each part's
//! spans into what it sends: entities counted by [`utf16_len`], or markup around the stretches. Markup
//! that counts towards a platform's limit is the caller's to reserve.
//!
//! Everything here is pure: the same input gives the same parts, in time linear in its length.

mod normalise;
mod parse;
#[cfg(test)]
mod properties;
mod render;
mod split;
mod styled;
mod table;
mod tree;

pub use normalise::normalise;
pub use parse::parse;
pub use split::{split, utf16_len};
pub use styled::{Style, StyleSpan, Styled};
pub use tree::{Align, Block, Document, Inline};
