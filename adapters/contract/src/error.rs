//! What can go wrong between the core and a channel, by what the caller does about it.

use std::time::Duration;

use crate::ChatId;

/// Why a message could not be shown. The variants differ in what is *known*, not in what went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not sent and never will be. The reason is for people: what the platform said and what to do.
    #[error("{reason}")]
    Rejected {
        /// Shown in `deliveries list`.
        reason: String,
    },
    /// Not sent; the platform wants a pause.
    #[error("the platform asks to wait {} ms", after.as_millis())]
    RateLimited {
        /// Nothing may be sent to this chat before this time has passed.
        after: Duration,
        /// The pause holds for every chat of the account.
        whole_account: bool,
    },
    /// Not sent: nothing left this machine, or the platform refused before it looked at the message.
    #[error("the platform can't be reached: {reason}")]
    Unreachable {
        /// For logs and `deliveries list`.
        reason: String,
    },
    /// May have been sent: the answer did not arrive or could not be read.
    #[error("the outcome is unknown: {reason}")]
    Unknown {
        /// For logs and `deliveries list`.
        reason: String,
    },
    /// Not sent: the chat continues under another id. The core rewrites its address and sends again.
    #[error("the chat moved to {to}")]
    Moved {
        /// The id to use from now on.
        to: ChatId,
    },
}

/// Why the core did not take an event. The adapter keeps it unconfirmed and offers it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event was not stored: {reason}")]
pub struct AcceptError {
    /// For logs.
    pub reason: String,
}

/// Why an account stopped for good. Everything that may pass is retried inside `run`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RunError {
    /// For the operator: what the platform said and what to do.
    pub reason: String,
}
