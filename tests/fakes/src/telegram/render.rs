//! The world as the JSON that the Bot API shows.

use serde_json::{Map, Value, json};

use super::{
    chat::{Chat, ChatKey, GroupKind, Message},
    world::World,
};
use crate::names::first_name;

/// The account that anonymous administrators write from.
const ANONYMOUS: i64 = 1_087_968_824;

impl World {
    /// A user, or a bot as others see it.
    pub(crate) fn user_json(&self, id: i64) -> Value {
        if let Some(bot) = self.bots.get(&id) {
            return json!({"id": id, "is_bot": true, "first_name": bot.username, "username": bot.username});
        }
        let name = self.users.get(&id).map_or("someone", |user| user.name.as_str());
        json!({"id": id, "is_bot": false, "first_name": first_name(name), "username": name, "language_code": "en"})
    }

    /// A bot as it sees itself.
    pub(crate) fn me_json(&self, id: i64) -> Value {
        let bot = &self.bots[&id];
        json!({
            "id": id, "is_bot": true, "first_name": bot.username, "username": bot.username, "can_join_groups": true,
            "can_read_all_group_messages": !bot.privacy, "supports_inline_queries": false,
            "has_topics_enabled": bot.topics, "allows_users_to_create_topics": bot.topics, "can_manage_bots": false,
            "supports_guest_queries": false, "has_main_web_app": false, "can_connect_to_business": false,
        })
    }

    /// A chat as it stands in messages.
    pub(crate) fn chat_json(&self, key: ChatKey) -> Value {
        let chat = &self.chats[&key];
        match chat.kind {
            None => {
                let name = &chat.title;
                json!({"id": key.chat, "type": "private", "first_name": first_name(name), "username": name})
            }
            Some(GroupKind::Basic) => json!({"id": key.chat, "type": "group", "title": chat.title}),
            Some(GroupKind::Supergroup) => json!({"id": key.chat, "type": "supergroup", "title": chat.title}),
            Some(GroupKind::Forum) => {
                json!({"id": key.chat, "type": "supergroup", "title": chat.title, "is_forum": true})
            }
        }
    }

    /// A message with what it replies to.
    pub(crate) fn message_json(&self, key: ChatKey, message: &Message) -> Value {
        let mut shown = self.bare_message_json(key, message);
        let chat = &self.chats[&key];
        if let Some(answered) = replied_to(chat, message) {
            shown.insert("reply_to_message".into(), Value::Object(self.bare_message_json(key, answered)));
        }
        Value::Object(shown)
    }

    fn bare_message_json(&self, key: ChatKey, message: &Message) -> Map<String, Value> {
        let chat = self.chat_json(key);
        let mut shown = Map::new();
        shown.insert("message_id".into(), json!(message.id));
        shown.insert("date".into(), json!(message.date));
        if message.anonymous {
            shown.insert("from".into(), anonymous_json());
            shown.insert("sender_chat".into(), chat.clone());
        } else {
            shown.insert("from".into(), self.user_json(message.from));
        }
        shown.insert("chat".into(), chat);
        if let Some(at) = message.edited {
            shown.insert("edit_date".into(), json!(at));
        }
        if let Some(thread) = message.thread.or(message.chain) {
            shown.insert("message_thread_id".into(), json!(thread));
        }
        if message.thread.is_some() {
            shown.insert("is_topic_message".into(), json!(true));
        }
        if let Some(origin) = &message.forwarded {
            shown.insert("forward_origin".into(), origin.clone());
        }
        if let Some(markup) = &message.markup {
            shown.insert("reply_markup".into(), markup.clone());
        }
        shown.extend(message.content.clone());
        let has_media = !message.content.is_empty();
        if !message.text.is_empty() {
            shown.insert(if has_media { "caption" } else { "text" }.into(), json!(message.text));
        }
        if !message.entities.is_empty() {
            let field = if has_media { "caption_entities" } else { "entities" };
            shown.insert(field.into(), json!(message.entities));
        }
        shown
    }

    /// A chat with its history, one line a message, for the eyes of whoever reads a failed test.
    pub(crate) fn history(&self, key: ChatKey) -> String {
        let chat = &self.chats[&key];
        let mut lines = vec![format!("chat {} ({})", chat.title, key.chat)];
        for message in chat.messages.values() {
            lines.push(self.history_line(message));
        }
        for (thread, draft) in &chat.drafts {
            lines.push(format!("  draft in topic {thread}: {:?}", draft.text));
        }
        lines.join("\n")
    }

    fn history_line(&self, message: &Message) -> String {
        let mut line = format!("  #{} {}", message.id, self.name_of(message.from));
        if let Some(thread) = message.thread {
            line += &format!(" [topic {thread}]");
        }
        if let Some(answered) = message.reply_to {
            line += &format!(" -> #{answered}");
        }
        line += &format!(": {:?}", message.text);
        if !message.content.is_empty() {
            line += &format!(" {}", Value::Object(message.content.clone()));
        }
        if !message.edits.is_empty() {
            line += &format!(" (before: {:?})", message.edits);
        }
        if message.deleted {
            line += " (deleted)";
        }
        if self.bots.contains_key(&message.from) && !message.read {
            line += " (unread)";
        }
        line
    }
}

/// The message that is shown as replied to: in a forum topic, everything that answers nothing answers the topic's root.
fn replied_to<'a>(chat: &'a Chat, message: &Message) -> Option<&'a Message> {
    let root = message.thread.filter(|root| chat.kind.is_some() && *root != message.id);
    message.reply_to.or(root).and_then(|id| chat.message(id))
}

fn anonymous_json() -> Value {
    json!({"id": ANONYMOUS, "is_bot": true, "first_name": "Group", "username": "GroupAnonymousBot"})
}
