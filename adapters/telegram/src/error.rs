//! What Telegram's refusals mean, and the sentences that tell people what to do about them.

use std::time::Duration;

use roundtable_contract::{AccountId, ChatId, Conversation, RunError, SendError};

use crate::api::ApiError;

/// The pause after a 429 that names none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

impl ApiError {
    /// Whether Telegram refused with one of these phrases, compared without case.
    pub(crate) fn says(&self, phrases: &[&str]) -> bool {
        let Self::Refused { description, .. } = self else { return false };
        let description = description.to_lowercase();
        phrases.iter().any(|phrase| description.contains(phrase))
    }

    /// 401: well-formed, but unknown or revoked; 404: no token at all.
    pub(crate) fn is_wrong_token(&self) -> bool {
        matches!(self, Self::Refused { code: 401 | 404, .. })
    }

    /// How long Telegram wants us to be silent.
    pub(crate) fn pause(&self) -> Option<Duration> {
        match self {
            Self::Refused { code: 429, retry_after, .. } => Some(retry_after.unwrap_or(DEFAULT_PAUSE)),
            _ => None,
        }
    }
}

/// The edit changed nothing, because the message already is what it should be.
pub(crate) const NOT_MODIFIED: &[&str] = &["message is not modified"];
/// There is no message of ours with this number in this chat.
pub(crate) const NOT_OURS: &[&str] =
    &["message to edit not found", "message can't be edited", "message_id_invalid"];
/// The message with this number is somebody else's.
pub(crate) const OF_OTHERS: &[&str] = &["message can't be edited"];
/// The answered message is gone.
pub(crate) const REPLY_GONE: &[&str] = &["message to be replied not found", "message to reply not found"];
/// The topic was deleted, or topics were switched off.
pub(crate) const TOPIC_GONE: &[&str] = &["message thread not found", "topic_deleted", "topic_id_invalid"];

/// Telegram's phrases (lower case) and what they mean, with the cure. `{chat}` and `{thread}` are filled in.
const MEANINGS: &[(&[&str], &str)] = &[
    (
        &["topic_closed"],
        "Topic {thread} of chat {chat} is closed. Reopen it, or make the bot an administrator who may manage \
         topics",
    ),
    (
        &["chat not found"],
        "Telegram knows no chat {chat} for this bot. Add the bot to the group, or let the person write to it \
         first",
    ),
    (&["blocked by the user"], "The person in chat {chat} has blocked the bot. Only they can unblock it"),
    (&["user is deactivated"], "The account of chat {chat} was deleted"),
    (
        &["can't initiate conversation"],
        "The person in chat {chat} has not started the bot. Ask them to open it and press Start",
    ),
    (
        &["send messages to bots", "send messages to the bot"],
        "Chat {chat} is a bot that takes no messages from bots",
    ),
    (
        &["bot was kicked", "bot is not a member", "chat was deleted"],
        "The bot is no longer in chat {chat}. Add it again if it is to speak there",
    ),
    (
        &["chat is not a forum"],
        "Chat {chat} has no topics. Switch topics on in its settings, or spawn without a thread",
    ),
    (
        &["not enough rights to create a topic"],
        "The bot may not open topics in chat {chat}. Make it an administrator with the right to manage topics",
    ),
    (
        &["not enough rights", "have no rights", "chat_write_forbidden", "chat_send_plain_forbidden"],
        "The bot may not write in chat {chat}. Give it the right to send messages",
    ),
    (NOT_OURS, "The message to change in chat {chat} was deleted or is not the bot's"),
    (
        &["message is too long", "message_too_long"],
        "The part for chat {chat} is longer than Telegram takes. Please report this as a bug",
    ),
    (
        &["text is empty", "text must be non-empty"],
        "Telegram sees nothing visible in the part for chat {chat}. Please report this as a bug",
    ),
];

/// What a failed call means for the delivery to `to`.
pub(crate) fn send_error(error: ApiError, to: &Conversation) -> SendError {
    let pause = error.pause();
    match error {
        ApiError::Unreachable(reason) => SendError::Unreachable { reason },
        ApiError::Unknown(reason) => SendError::Unknown { reason },
        ApiError::Refused { migrate_to: Some(chat), .. } => {
            SendError::Moved { to: ChatId::new(chat.to_string()) }
        }
        ApiError::Refused { code, description, .. } => match (pause, code) {
            (Some(after), _) => SendError::RateLimited { after, whole_account: false },
            // nothing is wrong with this message, so it waits until the token is put right
            (None, 401 | 404) => SendError::Unreachable {
                reason: format!("Telegram refused the bot's token: {code} {description}"),
            },
            (None, _) => SendError::Rejected { reason: rejected(&description, to) },
        },
    }
}

/// The sentence for a refusal.
fn rejected(description: &str, to: &Conversation) -> String {
    let lower = description.to_lowercase();
    let known = MEANINGS.iter().find(|(phrases, _)| phrases.iter().any(|phrase| lower.contains(phrase)));
    let Some((_, meaning)) = known else {
        return format!("Telegram refused the message to chat {}: {description}.", to.chat);
    };
    let thread = to.thread.as_ref().map_or("(none)", |thread| thread.as_str());
    let sentence = meaning.replace("{chat}", to.chat.as_str()).replace("{thread}", thread);
    format!("{sentence} (Telegram: {description}).")
}

/// A conversation whose address can't be one of Telegram's.
pub(crate) fn no_address(to: &Conversation) -> SendError {
    SendError::Rejected {
        reason: format!("`{to}` is no Telegram address: chat and topic are numbers there."),
    }
}

/// Why the account is of no use with its token.
pub(crate) fn wrong_token(account: &AccountId, error: &ApiError) -> RunError {
    let name = &account.name;
    RunError {
        reason: format!(
            "Telegram does not accept the token of {account} ({error}). Take the bot's token from @BotFather \
             and set it as `token` in [channels.telegram.{name}] or as TELEGRAM_BOT_TOKEN, then start again."
        ),
    }
}

/// What keeps the bot from hearing, and what to do about it.
pub(crate) fn degraded(error: &ApiError) -> String {
    match error {
        ApiError::Refused { code: 409, .. } if is_webhook(error) => format!(
            "a webhook is set for this bot, so its messages go elsewhere. It is removed once; if somebody \
             sets it again, stop that program or give each its own bot ({error})"
        ),
        ApiError::Refused { code: 409, .. } => format!(
            "another program listens with the same bot token: stop it, or give each its own bot ({error})"
        ),
        ApiError::Refused { code: 429, .. } => format!("Telegram asks for a pause ({error})"),
        ApiError::Refused { .. } => format!("Telegram refuses to hand out messages ({error})"),
        ApiError::Unreachable(reason) => format!("Telegram can't be reached: {reason}"),
        ApiError::Unknown(reason) => format!("Telegram gave no usable answer: {reason}"),
    }
}

/// Whether a 409 is about a webhook rather than about a second poller.
pub(crate) fn is_webhook(error: &ApiError) -> bool {
    error.says(&["webhook"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, description: &str) -> ApiError {
        ApiError::Refused { code, description: description.into(), retry_after: None, migrate_to: None }
    }

    fn to() -> Conversation {
        "telegram:main:-100123:42".parse().unwrap()
    }

    #[test]
    fn refusals_are_told_with_their_cure() {
        for (code, description, part) in [
            (400, "Bad Request: TOPIC_CLOSED", "Topic 42 of chat -100123 is closed. Reopen it"),
            (400, "Bad Request: chat not found", "Add the bot to the group"),
            (403, "Forbidden: bot was blocked by the user", "has blocked the bot"),
            (403, "Forbidden: user is deactivated", "was deleted"),
            (403, "Forbidden: bot can't initiate conversation with a user", "press Start"),
            (403, "Forbidden: bot can't send messages to bots", "takes no messages from bots"),
            (403, "Forbidden: the bot can't send messages to the bot", "takes no messages from bots"),
            (403, "Forbidden: bot was kicked from the supergroup chat", "Add it again"),
            (403, "Forbidden: bot is not a member of the channel chat", "Add it again"),
            (403, "Forbidden: the group chat was deleted", "Add it again"),
            (400, "Bad Request: not enough rights to send text messages to the chat", "Give it the right"),
            (400, "Bad Request: have no rights to send a message", "Give it the right"),
            (400, "Bad Request: message to edit not found", "was deleted or is not the bot's"),
            (400, "Bad Request: message is too long", "longer than Telegram takes"),
            (400, "Bad Request: MESSAGE_TOO_LONG", "longer than Telegram takes"),
            (400, "Bad Request: text must be non-empty", "visible"),
            (400, "Bad Request: something new", "refused the message to chat -100123"),
        ] {
            let SendError::Rejected { reason } = send_error(refused(code, description), &to()) else {
                panic!("{description}")
            };
            assert!(reason.contains(part) && reason.contains(description), "{reason}");
        }
    }

    #[test]
    fn what_is_known_decides() {
        let moved = ApiError::Refused {
            code: 400,
            description: "Bad Request: group chat was upgraded to a supergroup chat".into(),
            retry_after: None,
            migrate_to: Some(-1_009),
        };
        let flood = |retry_after| ApiError::Refused {
            code: 429,
            description: "Too Many Requests".into(),
            retry_after,
            migrate_to: None,
        };
        let limited =
            |seconds| SendError::RateLimited { after: Duration::from_secs(seconds), whole_account: false };
        assert_eq!(send_error(moved, &to()), SendError::Moved { to: ChatId::new("-1009") });
        assert_eq!(send_error(flood(Some(Duration::from_secs(137))), &to()), limited(137));
        assert_eq!(send_error(flood(None), &to()), limited(5));
        assert!(matches!(send_error(refused(401, "Unauthorized"), &to()), SendError::Unreachable { .. }));
        assert!(matches!(send_error(ApiError::Unknown("x".into()), &to()), SendError::Unknown { .. }));
        assert!(matches!(
            send_error(ApiError::Unreachable("x".into()), &to()),
            SendError::Unreachable { .. }
        ));
    }

    #[test]
    fn conflicts_say_who_is_in_the_way() {
        let poller = refused(409, "Conflict: terminated by other getUpdates request");
        let webhook = refused(409, "Conflict: can't use getUpdates method while webhook is active");
        assert!(degraded(&poller).starts_with("another program listens") && !is_webhook(&poller));
        assert!(degraded(&webhook).starts_with("a webhook is set") && is_webhook(&webhook));
    }
}
