//! What a message carries besides text: files, other content, and service messages.

use roundtable_contract::Attachment;
use serde_json::{Map, Value};

/// Contents that are one file.
const FILES: [&str; 7] = ["animation", "audio", "document", "sticker", "video", "video_note", "voice"];

/// Objects and lists that say something *about* a message and are no content.
const ABOUT: [&str; 9] = [
    "direct_messages_topic",
    "forward_from",
    "forward_from_chat",
    "forward_origin",
    "link_preview_options",
    "reply_markup",
    "reply_to_story",
    "sender_business_bot",
    "via_bot",
];

/// Fields that make a message a note of the platform about the chat, which nobody wrote.
const SERVICE: [&str; 42] = [
    "boost_added",
    "channel_chat_created",
    "chat_background_set",
    "chat_owner_changed",
    "chat_owner_left",
    "chat_shared",
    "checklist_tasks_added",
    "checklist_tasks_done",
    "connected_website",
    "delete_chat_photo",
    "direct_message_price_changed",
    "forum_topic_closed",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "gift",
    "gift_upgrade_sent",
    "giveaway_completed",
    "giveaway_created",
    "group_chat_created",
    "left_chat_member",
    "managed_bot_created",
    "message_auto_delete_timer_changed",
    "new_chat_members",
    "new_chat_photo",
    "new_chat_title",
    "paid_message_price_changed",
    "passport_data",
    "pinned_message",
    "proximity_alert_triggered",
    "refunded_payment",
    "successful_payment",
    "supergroup_chat_created",
    "unique_gift",
    "users_shared",
    "video_chat_ended",
    "video_chat_participants_invited",
    "video_chat_scheduled",
    "video_chat_started",
    "write_access_allowed",
];

/// Whether the message is a note of the platform.
pub(crate) fn is_service(rest: &Map<String, Value>) -> bool {
    SERVICE.iter().any(|name| rest.contains_key(*name))
        || rest.keys().any(|name| name.starts_with("suggested_post_"))
}

/// Everything that came with a message, in the order of the contents' names. A content we do not know
/// is named, so that the agent can say what it can't see; a message `with_text` has no other content,
/// and an unknown field of it is no attachment.
pub(crate) fn attachments(rest: &Map<String, Value>, with_text: bool) -> Vec<Attachment> {
    let mut found = Vec::new();
    for (name, value) in rest {
        let known = FILES.contains(&name.as_str());
        // an animation comes again as a document, for clients that know no animations
        if name == "document" && rest.contains_key("animation") {
            continue;
        }
        if known {
            found.push(file(name, value));
        } else if name == "photo" {
            found.extend(largest(value).map(|size| file(name, size)));
        } else if !with_text && !ABOUT.contains(&name.as_str()) && (value.is_object() || value.is_array()) {
            found.push(file(name, &Value::Null));
        }
    }
    found
}

/// A photo is a list of the same picture in several sizes.
fn largest(sizes: &Value) -> Option<&Value> {
    let side = |size: &Value, name| size.get(name).and_then(Value::as_u64).unwrap_or(0);
    sizes.as_array()?.iter().max_by_key(|size| side(size, "width").saturating_mul(side(size, "height")))
}

/// The attachment `kind`; its bytes are fetched by `file_id`.
fn file(kind: &str, file: &Value) -> Attachment {
    let text = |name| file.get(name).and_then(Value::as_str).map(str::to_owned);
    Attachment {
        kind: kind.to_owned(),
        reference: text("file_id").unwrap_or_default(),
        name: text("file_name"),
        size: file.get("file_size").and_then(Value::as_u64),
    }
}
