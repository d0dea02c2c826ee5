//! Where a message was written, and by whom: what bindings and keys look at.

use roundtable_contract::{ChatId, ChatKind, Conversation, Message, ThreadId, UserId};

/// A conversation seen by one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The exact address.
    pub conversation: &'a Conversation,
    /// Private chat or a place with several people.
    pub kind: ChatKind,
    /// The server, on a platform that has them.
    pub guild: Option<&'a str>,
    /// The chat that the conversation's chat is a thread of (Discord); see [`Message::parent`].
    pub parent: Option<&'a ChatId>,
    /// The person; in a private chat, the peer.
    pub user: &'a UserId,
    /// The person's role ids on the server.
    pub roles: &'a [String],
}

impl<'a> Place<'a> {
    /// The place of a message.
    pub fn of(message: &'a Message) -> Self {
        Self {
            conversation: &message.conversation,
            kind: message.chat_kind,
            guild: message.guild.as_deref(),
            parent: message.parent.as_ref(),
            user: &message.sender.id,
            roles: &message.sender.roles,
        }
    }

    /// The chat around the thread, or the chat itself. A thread that is a chat by itself (Discord) counts
    /// as a thread of its parent, so that both platforms look alike from here on.
    pub fn chat(&self) -> &'a ChatId {
        self.parent.unwrap_or(&self.conversation.chat)
    }

    /// The thread or topic, if this is one.
    pub fn thread(&self) -> Option<&'a str> {
        match self.parent {
            Some(_) => Some(self.conversation.chat.as_str()),
            None => self.conversation.thread.as_ref().map(ThreadId::as_str),
        }
    }
}
