//! Whose conversation it is: the agent that speaks there as the bot.

use roundtable_contract::{ChatId, ChatKind, Conversation, UserId};

use super::{Place, Rules};

impl Rules {
    /// The one agent that the bindings give a conversation to; `None` where several share it. Bindings on
    /// a person count where a private chat has the person's id, those on roles don't.
    pub fn bound_agent(
        &self,
        conversation: &Conversation,
        kind: ChatKind,
        guild: Option<&str>,
        parent: Option<&ChatId>,
    ) -> Option<&str> {
        let user = UserId::new(conversation.chat.as_str());
        let place = Place { conversation, kind, guild, parent, user: &user, roles: &[] };
        match self.resolve(&place).agents {
            [agent] => Some(agent),
            _ => None,
        }
    }
}
