//! Sends that end without an answer.

use roundtable_contract::{Channel, Conversation, Found, MessageId, Part, Receipt, SendError};

use super::finding::{Case, texts_and_ids};
use super::subject::{Loses, Loss, deliver, nonce, part};

/// Sends a part into a loss; gives the newest number before.
async fn lose(
    subject: &dyn Loses,
    channel: &dyn Channel,
    at: &Conversation,
    loss: &Loss,
    (part, nonce): (&Part, &str),
) -> MessageId {
    let after = subject.says(at, "first").await;
    subject.lose_send(loss);
    let outcome = channel.send(at, part, nonce).await;
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{loss:?}: {outcome:?}");
    after
}

pub async fn a_send_without_an_answer_is_of_unknown_outcome(subject: &mut dyn Loses) {
    let (channel, at) = (subject.channel(), &subject.places()[0]);
    let mut expected = 0;
    for loss in subject.losses() {
        let (hello, nonce) = (part(channel.as_ref(), "hello"), nonce());
        lose(subject, channel.as_ref(), at, &loss, (&hello, &nonce)).await;
        expected += usize::from(loss.landed);
        assert_eq!(subject.visible(at).await.len(), expected, "{loss:?}: the adapter sends once");
    }
    deliver(channel.as_ref(), at, &part(channel.as_ref(), "hello")).await;
    assert_eq!(subject.visible(at).await.len(), expected + 1);
}

pub async fn a_lost_answer_is_found(subject: &mut dyn Loses) {
    let (channel, places) = (subject.channel(), subject.places());
    for at in &places {
        for loss in subject.losses().iter().filter(|loss| loss.landed) {
            let standing = subject.visible(at).await;
            let (hello, nonce) = (part(channel.as_ref(), "**hello** you"), nonce());
            let after = lose(subject, channel.as_ref(), at, loss, (&hello, &nonce)).await;
            // People go on writing, some of it out of our sight.
            subject.says(at, "last").await;
            let mut seen = subject.visible(at).await;
            let newest = seen.pop().expect("it landed");
            assert_eq!(seen, standing);
            let case = Case { at, part: &hello, nonce: &nonce, after, taken: &[] };
            let found = case.find(channel.as_ref()).await;
            assert_eq!(found, Found::Visible(Receipt { id: newest.id }), "{at}, {loss:?}");
            assert_eq!(subject.visible(at).await.last(), Some(&newest));
        }
    }
}

pub async fn a_lost_request_is_absent(subject: &mut dyn Loses) {
    let (channel, places) = (subject.channel(), subject.places());
    for at in &places {
        let mut sent = Vec::new();
        for loss in subject.losses().iter().filter(|loss| !loss.landed) {
            let (hello, nonce) = (part(channel.as_ref(), "hello"), nonce());
            let after = lose(subject, channel.as_ref(), at, loss, (&hello, &nonce)).await;
            subject.says(at, "last").await;
            let case = Case { at, part: &hello, nonce: &nonce, after, taken: &[] };
            assert_eq!(case.find(channel.as_ref()).await, Found::Absent, "{at}, {loss:?}");
            let again = channel.send(at, &hello, &nonce).await.expect("absent means: send it again");
            sent.push((again.id, "hello"));
            assert_eq!(texts_and_ids(&subject.visible(at).await), sent, "{at}");
        }
    }
}
