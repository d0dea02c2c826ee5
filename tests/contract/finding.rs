//! Looking for a message of which nobody knows whether it is there.

use std::time::Duration;

use roundtable_contract::{Channel, Conversation, Found, Lost, MessageId, Part, Receipt};

use super::subject::{Seen, Subject, deliver, nonce, part};

/// What the core knows of a part that may be lost: where it was to appear, and the numbers around it.
pub struct Case<'a> {
    pub at: &'a Conversation,
    pub part: &'a Part,
    pub nonce: &'a str,
    pub after: MessageId,
    pub taken: &'a [MessageId],
}

impl Case<'_> {
    /// Asks the channel.
    pub async fn find(&self, channel: &dyn Channel) -> Found {
        let reconcile = channel.reconcile().expect("the account can look");
        let (mut after, mut ruled_out) = (self.after, 0);
        loop {
            let taken: Vec<_> = self.taken.iter().copied().filter(|id| *id > after).collect();
            let lost = Lost {
                conversation: self.at,
                part: self.part,
                nonce: self.nonce,
                age: Duration::ZERO,
                after,
                taken: &taken,
                ruled_out,
                others_unknown: 0,
            };
            match reconcile.find(&lost).await.expect("the platform answers") {
                Found::Further(id) => (after, ruled_out) = (id, ruled_out + 1),
                found => return found,
            }
        }
    }
}

pub fn texts_and_ids(seen: &[Seen]) -> Vec<(MessageId, &str)> {
    seen.iter().map(|seen| (seen.id, seen.text.as_str())).collect()
}

pub async fn a_message_that_is_there_is_found_under_its_number(subject: &mut dyn Subject) {
    let (channel, places) = (subject.channel(), subject.places());
    for at in &places {
        let (hello, nonce) = (part(channel.as_ref(), "**hello**"), nonce());
        let after = subject.says(at, "first").await;
        let Receipt { id } = channel.send(at, &hello, &nonce).await.expect("the platform takes it");
        subject.says(at, "last").await;
        let case = Case { at, part: &hello, nonce: &nonce, after, taken: &[] };
        assert_eq!(case.find(channel.as_ref()).await, Found::Visible(Receipt { id }), "{at}");
        assert_eq!(texts_and_ids(&subject.visible(at).await), [(id, hello.text.as_str())], "{at}");
    }
}

pub async fn what_is_said_of_a_message_never_sent_is_true(subject: &mut dyn Subject) {
    let (channel, places) = (subject.channel(), subject.places());
    for at in &places {
        let (hello, nonce) = (part(channel.as_ref(), "hello"), nonce());
        let after = subject.says(at, "first").await;
        let case = Case { at, part: &hello, nonce: &nonce, after, taken: &[] };
        let found = case.find(channel.as_ref()).await;
        let seen = subject.visible(at).await;
        match found {
            Found::Visible(Receipt { id }) => assert_eq!(texts_and_ids(&seen), [(id, "hello")], "{at}"),
            Found::Absent => assert_eq!(seen, [], "{at}"),
            other => panic!("{at}: {other:?}, and there is nothing unclear about it"),
        }
    }
}

pub async fn looking_changes_no_other_message(subject: &mut dyn Subject) {
    let (channel, places) = (subject.channel(), subject.places());
    for at in &places {
        let old = deliver(channel.as_ref(), at, &part(channel.as_ref(), "old")).await;
        let after = subject.says(at, "first").await;
        let mut taken = Vec::new();
        for text in ["one", "two", "three"] {
            subject.says(at, text).await;
            taken.push(deliver(channel.as_ref(), at, &part(channel.as_ref(), text)).await);
        }
        subject.says(at, "last").await;
        let new = deliver(channel.as_ref(), at, &part(channel.as_ref(), "new")).await;
        taken.push(new);
        let standing = subject.visible(at).await;
        assert_eq!(standing.len(), 5, "{standing:?}");
        let (hello, nonce) = (part(channel.as_ref(), "hello"), nonce());
        let case = Case { at, part: &hello, nonce: &nonce, after, taken: &taken };
        let found = case.find(channel.as_ref()).await;
        let mut seen = subject.visible(at).await;
        // A channel may find a message by writing it, where that is the same.
        seen.retain(|seen| found != Found::Visible(Receipt { id: seen.id }));
        assert_eq!(seen, standing, "{at}: {old}, {taken:?} and {new} stood there");
        assert_ne!(found, Found::Unclear);
    }
}
