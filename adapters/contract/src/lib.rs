//! What the core and the channel adapters share: ids, messages, the [`Channel`] trait and its errors.
//!
//! Nothing here knows HTTP, SQL or a platform. Adapters depend on this crate and never on the core, so
//! a platform's rules cannot leak into routing or delivery, and the core's cannot leak into a platform.

mod channel;
mod error;
mod id;
mod inbound;
mod outgoing;
mod pause;
#[cfg(feature = "planted-faults")]
pub mod planted;

pub use channel::{
    AccountState, Channel, Edge, Edits, Found, Limits, Lost, Profile, Reconcile, Threads, Typing,
};
pub use error::{AcceptError, RunError, SendError};
pub use id::{
    AccountId, ChatId, Connection, Conversation, EventKey, MessageId, ParseIdError, ThreadId, UserId,
};
pub use inbound::{Attachment, ChatKind, Event, Message, MessageKind, Quote, Sender, Span, SpanKind};
pub use outgoing::{Outgoing, Part, Receipt, Speaker};
pub use pause::Pause;
