//! What Discord's refusals mean, and the sentences that tell people what to do about them.

use roundtable_contract::{AccountId, Conversation, RunError, SendError};

use crate::api::ApiError;

/// The channel or thread is not there.
pub(crate) const UNKNOWN_CHANNEL: i64 = 10003;
/// The message is not there.
pub(crate) const UNKNOWN_MESSAGE: i64 = 10008;
/// The thread is archived.
pub(crate) const ARCHIVED: i64 = 50083;
/// The message has a thread already, whose id is the message's.
pub(crate) const HAS_THREAD: i64 = 160_004;
/// A reply needs the right to read the history.
pub(crate) const REPLY_NEEDS_HISTORY: i64 = 160_002;
/// The bot may not see the channel.
pub(crate) const MISSING_ACCESS: i64 = 50001;
/// The bot has not the right to do this.
pub(crate) const MISSING_PERMISSIONS: i64 = 50013;
/// A field of the request is wrong.
pub(crate) const INVALID_FORM: i64 = 50035;
/// The answer to a request without a valid token.
const UNAUTHORIZED: u16 = 401;

/// What was tried, for the sentence about what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Send,
    Edit,
    OpenThread,
}

impl Act {
    fn right(self) -> &'static str {
        match self {
            Self::Send => "\"View Channel\" and \"Send Messages\" (in threads \"Send Messages in Threads\")",
            Self::Edit => "\"View Channel\"",
            Self::OpenThread => "\"Create Public Threads\" and \"Send Messages in Threads\"",
        }
    }
}

/// Discord's codes and what they mean, with the cure. `{chat}` and `{right}` are filled in.
const MEANINGS: &[(&[i64], &str)] = &[
    (&[UNKNOWN_CHANNEL], "Channel or thread {chat} no longer exists. Write to the bot in one that exists"),
    (&[10004], "The bot is no longer on the server of channel {chat}. Invite it again"),
    (&[MISSING_ACCESS], "The bot can't see channel {chat}. Give its role the rights {right} there"),
    (
        &[MISSING_PERMISSIONS],
        "The bot may not do this in channel {chat}. Give its role the rights {right} there",
    ),
    (
        &[50007, 50278],
        "The person in private chat {chat} takes no messages from the bot: they share no server with it, or \
         have private messages switched off",
    ),
    (
        &[160_005, ARCHIVED],
        "Thread {chat} is locked or archived. Unlock it, or give the bot's role the right \"Manage Threads\"",
    ),
    (
        &[40058, 50008],
        "Channel {chat} takes no messages itself. Write to the bot in one of its posts or threads",
    ),
    (&[50024], "No thread can be opened in {chat}: it is a private chat or a thread itself"),
    (&[160_006], "The server of channel {chat} has as many active threads as Discord allows. Close some"),
    (&[200_000, 200_001, 240_000], "The server of channel {chat} has a filter that blocked this text"),
    (&[UNKNOWN_MESSAGE], "The message in channel {chat} was deleted"),
    (&[50005], "The message to change in channel {chat} is not the bot's"),
    (&[50006], "Discord sees nothing visible in the part for channel {chat}. Please report this as a bug"),
    (&[30046], "Discord takes no more changes of this old message in channel {chat}"),
];

/// What a failed call means for the delivery to `to`.
pub(crate) fn send_error(error: ApiError, act: Act, to: &Conversation) -> SendError {
    match error {
        ApiError::Unreachable(reason) => SendError::Unreachable { reason },
        ApiError::Unknown(reason) => SendError::Unknown { reason },
        ApiError::RateLimited { after, whole_account } => SendError::RateLimited { after, whole_account },
        // nothing is wrong with this message, so it waits until the token is put right
        ApiError::Refused { status: UNAUTHORIZED, message, .. } => {
            SendError::Unreachable { reason: format!("Discord refused the bot's token: {message}") }
        }
        ApiError::Refused { code, message, .. } => {
            SendError::Rejected { reason: rejected(code, &message, act, to) }
        }
    }
}

/// The sentence for a refusal.
fn rejected(code: i64, message: &str, act: Act, to: &Conversation) -> String {
    let known = MEANINGS.iter().find(|(codes, _)| codes.contains(&code));
    let Some((_, meaning)) = known else {
        return format!("Discord refused this in channel {}: {message} (code {code}).", to.chat);
    };
    let sentence = meaning.replace("{chat}", to.chat.as_str()).replace("{right}", act.right());
    format!("{sentence} (Discord: {message}, code {code}).")
}

/// A conversation whose address can't be one of Discord's.
pub(crate) fn no_address(to: &Conversation) -> SendError {
    SendError::Rejected { reason: format!("`{to}` is no Discord address: channels are numbers there.") }
}

/// Why the account is of no use with its token, if that is what the error says.
pub(crate) fn wrong_token(account: &AccountId, error: &ApiError) -> Option<RunError> {
    matches!(error, ApiError::Refused { status: UNAUTHORIZED, .. })
        .then(|| token_refused(account, &error.to_string()))
}

/// The sentence about a token that Discord does not take.
pub(crate) fn token_refused(account: &AccountId, said: &str) -> RunError {
    let name = &account.name;
    RunError {
        reason: format!(
            "Discord does not accept the token of {account} ({said}). Take the bot's token from its page \
             \"Bot\" at discord.com/developers and set it as `token` in [channels.discord.{name}] or as \
             DISCORD_TOKEN, then start again."
        ),
    }
}

/// Why the gateway will not take us with these settings, for the close codes after which asking again does
/// not help (<https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway>).
pub(crate) fn fatal_close(account: &AccountId, code: u16) -> Option<RunError> {
    let reason = match code {
        4004 => return Some(token_refused(account, "close code 4004")),
        4010 | 4011 => format!(
            "Discord wants {account} to be split into more connections (close code {code}): the bot is on more \
             servers than one may serve. Set a higher `shards` in [channels.discord.{}], then start again.",
            account.name
        ),
        4012 => format!(
            "Discord no longer speaks the gateway version of this program with {account} (close code 4012). \
             Update Roundtable."
        ),
        4013 => format!(
            "Discord does not know the intents that {account} asks for (close code 4013). Update Roundtable."
        ),
        4014 => format!(
            "Discord does not allow {account} to read messages (close code 4014). Switch on \"Message \
             Content Intent\" on the bot's page \"Bot\" at discord.com/developers, then start again."
        ),
        _ => return None,
    };
    Some(RunError { reason })
}

/// What keeps the bot from hearing, and what is done about it.
pub(crate) fn degraded(error: &ApiError) -> String {
    match error {
        ApiError::RateLimited { .. } => format!("{error} before the next login"),
        ApiError::Refused { .. } => format!("Discord refuses to let the bot in: {error}"),
        ApiError::Unreachable(reason) | ApiError::Unknown(reason) => {
            format!("Discord can't be reached: {reason}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refused(status: u16, code: i64, message: &str) -> ApiError {
        ApiError::Refused { status, code, message: message.into() }
    }

    fn meant(error: ApiError, act: Act) -> SendError {
        send_error(error, act, &"discord:main:20".parse().unwrap())
    }

    #[test]
    fn a_refusal_names_the_place_and_the_cure() {
        let SendError::Rejected { reason } =
            meant(refused(403, 50013, "Missing Permissions"), Act::OpenThread)
        else {
            panic!("a missing right is final")
        };
        assert_eq!(
            reason,
            "The bot may not do this in channel 20. Give its role the rights \"Create Public Threads\" and \
             \"Send Messages in Threads\" there (Discord: Missing Permissions, code 50013)."
        );
        let SendError::Rejected { reason } = meant(refused(400, 99999, "New trouble"), Act::Send) else {
            panic!("an unknown refusal is final")
        };
        assert_eq!(reason, "Discord refused this in channel 20: New trouble (code 99999).");
    }

    #[test]
    fn what_passes_is_not_final() {
        let token = meant(refused(401, 0, "401: Unauthorized"), Act::Send);
        assert!(matches!(token, SendError::Unreachable { .. }), "{token:?}");
        let pause = ApiError::RateLimited { after: Duration::from_secs(2), whole_account: true };
        let expected = SendError::RateLimited { after: Duration::from_secs(2), whole_account: true };
        assert_eq!(meant(pause, Act::Send), expected);
        let unknown = meant(ApiError::Unknown("gone".into()), Act::Send);
        assert_eq!(unknown, SendError::Unknown { reason: "gone".into() });
    }

    #[test]
    fn only_close_codes_that_do_not_pass_are_fatal() {
        let account = AccountId::new("discord", "main");
        for code in [4004, 4010, 4011, 4012, 4013, 4014] {
            let reason = fatal_close(&account, code).unwrap().reason;
            assert!(reason.contains("discord:main") && reason.contains(&code.to_string()), "{reason}");
        }
        for code in [1000, 1001, 1006, 4000, 4003, 4007, 4008, 4009] {
            assert_eq!(fatal_close(&account, code), None, "{code}");
        }
    }
}
