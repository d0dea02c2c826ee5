//! Who is where: joining, blocking, kicking, and whether a bot may write into a chat.

use serde_json::{Value, json};

use super::{
    chat::{ChatKey, GroupKind, Membership},
    request::{Failure, Params},
    world::World,
};

impl World {
    /// Gives a bot another place in a chat and tells it.
    pub(crate) fn membership(&mut self, key: ChatKey, bot: i64, by: i64, new: Membership) {
        let old = self.chat(key).bots.insert(bot, new);
        if old == Some(new) {
            return;
        }
        let payload = json!({
            "chat": self.chat_json(key), "from": self.user_json(by), "date": self.now(),
            "old_chat_member": self.member_json(key, bot, old),
            "new_chat_member": self.member_json(key, bot, Some(new)),
        });
        self.enqueue(bot, Some(key), "my_chat_member", payload);
    }

    /// A bot's place in a chat as `getChatMember` shows it.
    pub(crate) fn member_json(&self, key: ChatKey, bot: i64, membership: Option<Membership>) -> Value {
        let user = self.user_json(bot);
        match membership {
            None => json!({"user": user, "status": "left"}),
            Some(Membership::Member) => json!({"user": user, "status": "member"}),
            Some(Membership::Kicked) => json!({"user": user, "status": "kicked", "until_date": 0}),
            Some(Membership::Admin) => json!({
                "user": user, "status": "administrator", "can_be_edited": false, "is_anonymous": false,
                "can_manage_chat": true, "can_delete_messages": true, "can_manage_video_chats": false,
                "can_restrict_members": false, "can_promote_members": false, "can_change_info": true,
                "can_invite_users": true, "can_post_stories": false, "can_edit_stories": false,
                "can_delete_stories": false, "can_pin_messages": true,
                "can_manage_topics": self.chats[&key].kind == Some(GroupKind::Forum),
            }),
        }
    }

    /// The chat that a call names, if the bot knows it.
    pub(super) fn known(&self, bot: i64, params: &Params) -> Result<ChatKey, Failure> {
        let chat = params.int("chat_id")?.ok_or_else(|| Failure::bad("chat_id is empty"))?;
        let key = Self::key(bot, chat);
        match self.chats.get(&key) {
            Some(known) if known.bots.contains_key(&bot) => Ok(key),
            None if self.users.contains_key(&chat) => {
                Err(Failure::forbidden("bot can't initiate conversation with a user"))
            }
            _ => Err(Failure::bad("chat not found")),
        }
    }

    /// The chat that a call names, if the bot may write there now.
    pub(super) fn writable(&self, bot: i64, params: &Params) -> Result<ChatKey, Failure> {
        let key = self.joined(bot, params)?;
        match self.chats[&key].migrated_to {
            Some(new) => Err(Failure::migrated(new)),
            None => Ok(key),
        }
    }

    /// The chat that a call names, if the bot is a member. It may change what it has said there even when the group has
    /// become a supergroup (the server asks for the right to write only before it says that the group was upgraded).
    pub(super) fn joined(&self, bot: i64, params: &Params) -> Result<ChatKey, Failure> {
        let key = self.known(bot, params)?;
        let chat = &self.chats[&key];
        match (chat.bots.get(&bot), chat.kind) {
            (Some(Membership::Member | Membership::Admin), _) => Ok(key),
            (_, None) => Err(Failure::forbidden("bot was blocked by the user")),
            (_, Some(GroupKind::Basic)) => Err(Failure::forbidden("bot was kicked from the group chat")),
            (_, Some(_)) => Err(Failure::forbidden("bot was kicked from the supergroup chat")),
        }
    }

    /// The bot may do in that group what administrators may; in a private chat it may do everything of its own.
    pub(crate) fn is_admin(&self, bot: i64, key: ChatKey) -> bool {
        let chat = &self.chats[&key];
        chat.kind.is_none() || chat.bots.get(&bot) == Some(&Membership::Admin)
    }

    /// Turns a basic group into a supergroup and says so in both.
    pub(crate) fn migrate(&mut self, key: ChatKey, by: i64) -> ChatKey {
        let (title, bots) = (self.chats[&key].title.clone(), self.chats[&key].bots.clone());
        let new = self.new_group(&title, GroupKind::Supergroup);
        self.chat(new).bots = bots;
        self.chat(new).next_message = 1;
        self.serve(key, by, "migrate_to_chat_id", json!(new.chat));
        self.serve(new, by, "migrate_from_chat_id", json!(key.chat));
        self.chat(key).migrated_to = Some(new.chat);
        new
    }
}
