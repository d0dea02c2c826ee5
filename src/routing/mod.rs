//! Who is spoken to: pure functions from configuration, a few stored facts and one message to a decision.
//!
//! [`decide()`] is the whole of it and runs once per message, inside the transaction that accepts it; its
//! answer is stored and never made again. It asks, in this order: who may speak here ([`admission`]),
//! whether the bot is spoken to ([`addressed`]), and then for the target: a command ([`commands`]), labels
//! ([`labels`]), a reply, the focus, the bindings ([`bindings`]). [`explain()`] prints how it came about.
//!
//! Nothing here does I/O, knows a clock or a platform, or panics on any text.

pub mod addressed;
pub mod admission;
pub mod bindings;
mod bound;
pub mod commands;
pub mod decide;
pub mod explain;
pub mod facts;
pub mod key;
pub mod labels;
pub mod names;
pub mod notice;
pub mod pairing;
pub mod place;
#[cfg(test)]
mod tests;
mod words;

pub use addressed::Addressed;
pub use admission::{Admission, Bots, DmPolicy, Policy, Senders, Standing};
pub use bindings::{Binding, KnownAgent, Mention, Resolution, RuleName, Rules, Shadowed, shadowed};
pub use commands::{Command, Stop};
pub use decide::{Decision, Outcome, Target, Trace, decide};
pub use explain::{Step, Verdict, explain};
pub use facts::{Facts, Focus, LiveLabel};
pub use key::{api_key, key_beside, main_key, session_key, subagent_key};
pub use notice::Notice;
pub use place::Place;
pub use words::{calls_several, find, may_call, suggest, told};
