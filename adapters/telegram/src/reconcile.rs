//! Finding out whether a message of unknown outcome is there, on a platform that shows no history.
//!
//! An edit to the same text changes nothing: on our message the server says "not modified", on any other
//! number that there is nothing to edit. So the numbers that the message can have are tried in turn.

use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{Found, Lost, MessageId, Receipt, Reconcile, SendError};

use crate::Telegram;
use crate::error::{NOT_OURS, OF_OTHERS, send_error};
use crate::send::{Address, body, number};

/// The most numbers that are tried.
const PROBES: u32 = 20;
/// So many numbers in a row that nobody has, behind all that are known, are the end of a chat. In a group the bot does not hear everybody: where
/// somebody else has one of the last numbers that are tried, the message may lie behind them.
const END: u32 = 5;
/// Polls may hang. What they brought this long ago is all that is waited for: the server may hold a short one for three
/// seconds.
const RECENT: Duration = Duration::from_secs(10);

#[async_trait]
impl Reconcile for Telegram {
    async fn find(&self, lost: &Lost<'_>) -> Result<Found, SendError> {
        // Numbers that people have taken, and that are not known yet, would use up the probes.
        if lost.ruled_out == 0 && !self.listening.has_told(RECENT) {
            return Ok(Found::Later);
        }
        let id = match next(lost) {
            Next::Try(id) => id,
            Next::End(found) => return Ok(found),
        };
        let Some(number) = number(id) else { return Ok(Found::Unclear) };
        let address = Address::of(lost.conversation)?;
        match self.edit_body(address.chat, number, &body(&lost.part.body)?).await {
            Ok(changed) => {
                if changed {
                    tracing::warn!(
                        telegram.account = %self.config.account, conversation = %lost.conversation,
                        message.id = id.0, "a probe for a lost message changed the one it found"
                    );
                }
                Ok(Found::Visible(Receipt { id }))
            }
            Err(error) if error.says(OF_OTHERS) && lost.ruled_out >= PROBES - END => Ok(Found::Unclear),
            Err(error) if error.says(NOT_OURS) => Ok(Found::Further(id)),
            Err(error) => match send_error(error, lost.conversation) {
                // an answer, but none that the rule above explains
                SendError::Rejected { .. } => Ok(Found::Unclear),
                error => Err(error),
            },
        }
    }
}

/// What to do next about a lost message.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Try(MessageId),
    End(Found),
}

/// The lowest number that the message can have: one that nobody is known to have, since it is in one of the
/// gaps between known numbers or behind them all. Known numbers bound nothing, for what was said before the
/// message may be heard of after it. Unclear where too many numbers are free, so that the end of the chat can't be
/// told any more when all gaps are tried, or where another lost message could be taken for it.
fn next(lost: &Lost<'_>) -> Next {
    let newest = lost.taken.last().unwrap_or(&lost.after);
    let gaps = newest.0 - lost.after.0 - lost.taken.len() as i64;
    let too_many = i64::from(lost.ruled_out) + gaps > i64::from(PROBES);
    // once we are behind all known numbers, none is behind `after`
    let no_end = gaps == 0 && !lost.taken.is_empty() && lost.ruled_out > PROBES - END;
    if lost.others_unknown > 0 || too_many || no_end {
        return Next::End(Found::Unclear);
    }
    if lost.ruled_out == PROBES {
        return Next::End(Found::Absent);
    }
    let free = (lost.after.0 + 1..).zip(lost.taken).find(|(number, taken)| *number != taken.0);
    Next::Try(free.map_or(MessageId(newest.0 + 1), |(number, _)| MessageId(number)))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

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

    /// Looks for a message behind 10, with 14 known, until something is found or a call fails; gives that
    /// and the numbers that were tried.
    async fn found(script: Vec<Reply>) -> (Result<Found, SendError>, Vec<i64>) {
        let server = StandIn::start(script).await;
        let bot = server.bot(ExactlyOnce::Probe);
        let conversation = "telegram:main:55".parse().unwrap();
        let part = bot.render(&Outgoing::of_program("hello")).remove(0);
        let (mut after, mut ruled_out) = (MessageId(10), 0);
        let found = loop {
            let taken: Vec<_> = Some(MessageId(14)).into_iter().filter(|id| *id > after).collect();
            let lost = Lost {
                conversation: &conversation,
                part: &part,
                nonce: "nonce",
                age: Duration::ZERO,
                after,
                taken: &taken,
                ruled_out,
                others_unknown: 0,
            };
            match bot.reconcile().unwrap().find(&lost).await {
                Ok(Found::Further(id)) => (after, ruled_out) = (id, ruled_out + 1),
                found => break found,
            }
        };
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
    }

    #[tokio::test]
    async fn it_is_nowhere_where_the_last_numbers_are_nobodys() {
        let gone = ["Bad Request: message to edit not found", "Bad Request: MESSAGE_ID_INVALID"];
        let others = "Bad Request: message can't be edited";
        let script = (0..20).map(|n| refusal(if n < 15 && n % 3 == 0 { others } else { gone[n % 2] }));
        let numbers = (11..=31).filter(|number| *number != 14).collect();
        assert_eq!(found(script.collect()).await, (Ok(Found::Absent), numbers));
    }

    /// People wrote more than there are probes for, and the bot hears none of it.
    #[tokio::test]
    async fn numbers_of_others_up_to_the_last_leave_it_open() {
        let (others, gone) =
            ("Bad Request: message can't be edited", "Bad Request: message to edit not found");
        for unheard in 16..=20 {
            let script = (1..=unheard).map(|n| refusal(if n == unheard { others } else { gone }));
            assert_eq!(found(script.collect()).await.0, Ok(Found::Unclear), "{unheard}");
        }
    }

    /// The polls have hung since.
    #[tokio::test]
    async fn what_people_have_said_meanwhile_is_heard_before_it_is_looked_for() {
        let server = StandIn::start(vec![refusal(NOT_MODIFIED)]).await;
        let bot = server.bot(ExactlyOnce::Probe);
        let conversation = "telegram:main:55".parse().unwrap();
        let part = bot.render(&Outgoing::of_program("hello")).remove(0);
        let lost = Lost {
            conversation: &conversation,
            part: &part,
            nonce: "nonce",
            age: Duration::ZERO,
            after: MessageId(10),
            taken: &[],
            ruled_out: 0,
            others_unknown: 0,
        };
        let find = || bot.find(&lost);
        bot.listening.begin();
        assert_eq!(find().await, Ok(Found::Later), "nothing was heard yet");
        let long_ago = Instant::now().checked_sub(Duration::from_secs(60));
        bot.listening.told(long_ago.expect("the machine runs for longer"));
        assert_eq!(find().await, Ok(Found::Later));
        bot.listening.told(Instant::now());
        assert_eq!(find().await, Ok(Found::Visible(Receipt { id: MessageId(11) })));
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

    fn chosen(after: i64, taken: &[i64], ruled_out: u32, others_unknown: u32) -> Next {
        let conversation: Conversation = "telegram:main:55".parse().unwrap();
        let part = Part { body: String::new(), text: String::new(), stub: None };
        let taken: Vec<_> = taken.iter().copied().map(MessageId).collect();
        next(&Lost {
            conversation: &conversation,
            part: &part,
            nonce: "",
            age: Duration::ZERO,
            after: MessageId(after),
            taken: &taken,
            ruled_out,
            others_unknown,
        })
    }

    #[test]
    fn gaps_are_tried_and_then_what_lies_behind_them() {
        assert_eq!(chosen(10, &[], 0, 0), Next::Try(MessageId(11)));
        assert_eq!(chosen(10, &[11, 12, 14], 0, 0), Next::Try(MessageId(13)));
        assert_eq!(chosen(10, &[12], 0, 0), Next::Try(MessageId(11)));
        assert_eq!(chosen(10, &[11, 12], 15, 0), Next::Try(MessageId(13)));
        assert_eq!(chosen(10, &[], 19, 0), Next::Try(MessageId(11)));
        assert_eq!(chosen(10, &[], 20, 0), Next::End(Found::Absent));
        let many: Vec<i64> = (11..400).collect();
        assert_eq!(chosen(10, &many, 0, 0), Next::Try(MessageId(400)));
    }

    #[test]
    fn a_chat_has_no_end_in_sight_where_the_gaps_have_used_up_the_probes() {
        assert_eq!(chosen(27, &[29, 30], 17, 0), Next::Try(MessageId(28)), "it may be in the last gap");
        assert_eq!(chosen(28, &[29, 30], 18, 0), Next::End(Found::Unclear));
        assert_eq!(chosen(25, &[26, 27], 16, 0), Next::End(Found::Unclear));
        assert_eq!(chosen(25, &[26, 27], 20, 0), Next::End(Found::Unclear));
    }

    #[test]
    fn too_many_gaps_or_another_lost_message_leave_it_open() {
        assert_eq!(chosen(10, &[31], 0, 0), Next::Try(MessageId(11)));
        assert_eq!(chosen(10, &[32], 0, 0), Next::End(Found::Unclear));
        assert_eq!(chosen(11, &[32], 1, 0), Next::End(Found::Unclear));
        assert_eq!(chosen(10, &[], 0, 1), Next::End(Found::Unclear));
    }
}
