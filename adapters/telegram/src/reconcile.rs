//! Finding out whether a message of unknown outcome is there, on a platform that shows no history.
//!
//! An edit to the same text changes nothing: on our message the server says "not modified", on any other
//! number that there is nothing to edit. So the numbers that the message can have are tried in turn.

use async_trait::async_trait;
use roundtable_contract::{Found, Lost, MessageId, Receipt, Reconcile, SendError};

use crate::Telegram;
use crate::error::{NOT_OURS, send_error};
use crate::send::{Address, body, number};

/// The most numbers that are tried.
const PROBES: usize = 20;

#[async_trait]
impl Reconcile for Telegram {
    async fn find(&self, lost: &Lost<'_>) -> Result<Found, SendError> {
        let Some(candidates) = candidates(lost) else { return Ok(Found::Unclear) };
        let address = Address::of(lost.conversation)?;
        let body = body(&lost.part.body)?;
        for id in candidates {
            let Some(number) = number(id) else { return Ok(Found::Unclear) };
            match self.edit_body(address.chat, number, &body).await {
                Ok(changed) => {
                    if changed {
                        tracing::warn!(
                            telegram.account = %self.config.account, conversation = %lost.conversation,
                            message.id = id.0, "a probe for a lost message changed the one it found"
                        );
                    }
                    return Ok(Found::Visible(Receipt { id }));
                }
                Err(error) if error.says(NOT_OURS) => {}
                Err(error) => match send_error(error, lost.conversation) {
                    // an answer, but none that the rule above explains
                    SendError::Rejected { .. } => return Ok(Found::Unclear),
                    error => return Err(error),
                },
            }
        }
        Ok(Found::Absent)
    }
}

/// The numbers that the message can have, unless they are too many or another lost message could be
/// found in its place.
fn candidates(lost: &Lost<'_>) -> Option<Vec<MessageId>> {
    if lost.others_unknown > 0 {
        return None;
    }
    let end = lost.before.map_or(i64::MAX, |before| before.0);
    let free = (lost.after.0 + 1..end).map(MessageId).filter(|id| !lost.taken.contains(id));
    let mut candidates: Vec<_> = free.take(PROBES + 1).collect();
    if lost.before.is_none() {
        // without a newer message, it is one of the next numbers that nobody else has
        candidates.truncate(PROBES);
    }
    (candidates.len() <= PROBES).then_some(candidates)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roundtable_contract::{Channel as _, Conversation, Outgoing, Part};
    use serde_json::json;

    use super::*;
    use crate::ExactlyOnce;
    use crate::stand_in::{Reply, StandIn};

    const NOT_MODIFIED: &str =
        "Bad Request: message is not modified: specified new message content is the same";

    fn refusal(description: &'static str) -> Reply {
        Reply::Error(400, description, json!({}))
    }

    /// Looks for a message between 10 and 14; gives what was found and the numbers that were tried.
    async fn found(script: Vec<Reply>) -> (Result<Found, SendError>, Vec<i64>) {
        let server = StandIn::start(script).await;
        let bot = server.bot(ExactlyOnce::Probe);
        let conversation = "telegram:main:55".parse().unwrap();
        let part = bot.render(&Outgoing::of_program("hello")).remove(0);
        let lost = Lost {
            conversation: &conversation,
            part: &part,
            nonce: "nonce",
            after: MessageId(10),
            before: Some(MessageId(14)),
            taken: &[],
            others_unknown: 0,
        };
        let found = bot.reconcile().unwrap().find(&lost).await;
        let calls = server.calls();
        assert!(calls.iter().all(|(name, body)| name == "editmessagetext" && body["text"] == "hello"));
        (found, calls.iter().map(|(_, body)| body["message_id"].as_i64().unwrap()).collect())
    }

    #[tokio::test]
    async fn the_number_that_is_not_modified_is_the_message() {
        let visible = Found::Visible(Receipt { id: MessageId(12) });
        let gone = || refusal("Bad Request: message to edit not found");
        for here in [refusal(NOT_MODIFIED), Reply::Result(json!({"message_id": 12}))] {
            let (found, tried) = found(vec![gone(), here]).await;
            assert_eq!((found, tried), (Ok(visible.clone()), vec![11, 12]));
        }
        let others = vec![
            gone(),
            refusal("Bad Request: message can't be edited"),
            refusal("Bad Request: MESSAGE_ID_INVALID"),
        ];
        assert_eq!(found(others).await, (Ok(Found::Absent), vec![11, 12, 13]));
    }

    #[tokio::test]
    async fn an_answer_that_does_not_fit_leaves_it_open() {
        let answers = vec![refusal("Bad Request: something new")];
        assert_eq!(found(answers).await, (Ok(Found::Unclear), vec![11]));
    }

    #[tokio::test]
    async fn no_answer_and_a_pause_are_told_to_the_core() {
        let flood = Reply::Error(429, "Too Many Requests: retry after 9", json!({"retry_after": 9}));
        let limited = SendError::RateLimited { after: Duration::from_secs(9), whole_account: false };
        assert_eq!(found(vec![flood]).await, (Err(limited), vec![11]));
        assert!(matches!(found(vec![Reply::Drop]).await.0, Err(SendError::Unknown { .. })));
    }

    fn numbers(after: i64, before: Option<i64>, taken: &[i64], others_unknown: u32) -> Option<Vec<i64>> {
        let conversation: Conversation = "telegram:main:55".parse().unwrap();
        let part = Part { body: String::new(), text: String::new(), stub: None };
        let taken: Vec<_> = taken.iter().copied().map(MessageId).collect();
        let lost = Lost {
            conversation: &conversation,
            part: &part,
            nonce: "",
            after: MessageId(after),
            before: before.map(MessageId),
            taken: &taken,
            others_unknown,
        };
        candidates(&lost).map(|ids| ids.into_iter().map(|id| id.0).collect())
    }

    #[test]
    fn the_free_numbers_in_between_are_tried() {
        assert_eq!(numbers(10, Some(14), &[12], 0), Some(vec![11, 13]));
        assert_eq!(numbers(10, Some(11), &[], 0), Some(vec![]));
        assert_eq!(numbers(10, None, &[11, 30], 0), Some((12..30).chain(31..33).collect()));
        assert_eq!(numbers(0, Some(21), &[], 0), Some((1..21).collect()));
        assert_eq!(numbers(0, Some(40), &(21..40).collect::<Vec<_>>(), 0), Some((1..21).collect()));
    }

    #[test]
    fn too_many_numbers_or_another_lost_message_leave_it_open() {
        assert_eq!(numbers(0, Some(22), &[], 0), None);
        assert_eq!(numbers(0, Some(i64::MAX), &[], 0), None);
        assert_eq!(numbers(10, Some(14), &[], 1), None);
    }
}
