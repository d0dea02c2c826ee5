//! Finding out whether a message of unknown outcome is there.
//!
//! Shortly after the first attempt a repetition with the same nonce shows nothing new, so it may be made at
//! once. Later the channel's history is read back: a message of ours with this content that is no known one.

use async_trait::async_trait;
use roundtable_contract::{Found, Lost, MessageId, Receipt, Reconcile, SendError};
use serde_json::Value;

use crate::Discord;
use crate::api::Call;
use crate::error::{Act, send_error};
use crate::send::{channel, sent};
use crate::update::number;
use crate::wire;

/// The most messages that one answer holds.
const PAGE: usize = 100;

#[async_trait]
impl Reconcile for Discord {
    async fn find(&self, lost: &Lost<'_>) -> Result<Found, SendError> {
        if let Some(id) = self.echoes.find(lost.nonce) {
            return Ok(Found::Visible(Receipt { id }));
        }
        let window = self.config.nonce_window.saturating_sub(lost.age);
        if !window.is_zero() {
            return Ok(Found::Repeatable(window));
        }
        let channel = channel(lost.conversation)?;
        let failed = |error| send_error(error, Act::Send, lost.conversation);
        let us = self.me().await.map_err(failed)?;
        // one message before: without the right to read the history the answer is as empty as the future
        let after = u64::try_from(lost.after.0 - 1).unwrap_or(0);
        let page = self.api.call(Call::history(channel, after)).await.map_err(failed)?;
        let content = sent(lost.part)?.content;
        Ok(search(lost, us, &content, wire::list(&page, "")))
    }
}

/// Looks through a page of history, newest first as it comes.
fn search(lost: &Lost<'_>, us: u64, content: &str, page: &[Value]) -> Found {
    let wanted = normalised(content);
    let mut later: Vec<(MessageId, &Value)> =
        page.iter().filter_map(|message| Some((number(wire::id(message, "/id")?), message))).collect();
    later.sort_by_key(|(id, _)| *id);
    let ours = later.iter().find(|(id, message)| {
        *id > lost.after
            && !lost.taken.contains(id)
            && wire::id(message, "/author/id") == Some(us)
            && normalised(wire::text(message, "/content").unwrap_or_default()) == wanted
    });
    match (ours, later.last()) {
        (Some((id, _)), _) => Found::Visible(Receipt { id: *id }),
        (None, None) => Found::Unclear,
        (None, Some((newest, _))) if page.len() >= PAGE => Found::Further(*newest),
        (None, Some(_)) => Found::Absent,
    }
}

/// What Discord leaves as it is of a text: it trims and may strip what it does not like.
fn normalised(content: &str) -> String {
    content.chars().filter(|c| !c.is_whitespace() && !c.is_control() && *c != '\u{200b}').collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roundtable_contract::{Conversation, Part};
    use serde_json::json;

    use super::*;

    const US: u64 = 900;

    fn found(page: &[Value], taken: &[i64]) -> Found {
        let conversation: Conversation = "discord:main:20".parse().unwrap();
        let part = Part { body: String::new(), text: String::new(), stub: None };
        let taken: Vec<_> = taken.iter().copied().map(MessageId).collect();
        let lost = Lost {
            conversation: &conversation,
            part: &part,
            nonce: "n",
            age: Duration::from_secs(100),
            after: MessageId(10),
            taken: &taken,
            ruled_out: 0,
            others_unknown: 0,
        };
        search(&lost, US, "**hello** you", page)
    }

    fn message(id: u64, author: u64, content: &str) -> Value {
        json!({"id": id.to_string(), "author": {"id": author.to_string()}, "content": content})
    }

    fn visible(id: i64) -> Found {
        Found::Visible(Receipt { id: MessageId(id) })
    }

    #[test]
    fn the_oldest_message_of_ours_that_is_not_taken_is_it() {
        let page = [
            message(15, US, "**hello** you"),
            message(14, US, " **hello**  you\n"),
            message(13, US, "**hello** you"),
            message(12, 55, "**hello** you"),
            message(11, US, "other"),
            message(10, US, "**hello** you"),
        ];
        assert_eq!(found(&page, &[13]), visible(14));
        assert_eq!(found(&page, &[]), visible(13));
        assert_eq!(found(&page, &[13, 14, 15]), Found::Absent);
    }

    #[test]
    fn an_empty_answer_says_nothing_and_a_full_one_not_all() {
        assert_eq!(found(&[], &[]), Found::Unclear);
        let page: Vec<_> = (11..111).map(|id| message(id, 55, "x")).collect();
        assert_eq!(found(&page, &[]), Found::Further(MessageId(110)));
    }
}
