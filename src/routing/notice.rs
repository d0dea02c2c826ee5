//! What routing itself has to tell people. [`crate::phrases`] turns it into sentences.

/// Something to say instead of waking an agent. Its `Display` is the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A stranger wrote to the bot in private. Said by the core once per sender, not per message.
    Unpaired {
        /// The stranger's id on the platform, which an owner needs to let them in.
        user: String,
        /// Whether there is an owner to ask.
        owners_exist: bool,
    },
    /// There is no such command.
    UnknownCommand {
        /// As it was written, without the slash.
        name: String,
        /// What was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A command was given something it does not take.
    Usage {
        /// How to write it.
        usage: String,
    },
    /// A label names nobody, but nearly somebody. The core notes when it was said: see
    /// [`Facts::hinted`](super::Facts::hinted).
    NearMiss {
        /// As it was written, without the sign.
        written: String,
        /// Who was probably meant.
        suggestion: String,
    },
    /// `/ask` names nobody.
    NobodyToAsk {
        /// As it was written, without the sign.
        written: String,
        /// Who was probably meant.
        suggestion: Option<String>,
    },
    /// Sessions of several trees have the label that was used.
    SeveralCalled {
        /// The label.
        label: String,
    },
}
