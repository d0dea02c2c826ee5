//! Changing what was sent.

use roundtable_contract::{MessageId, SendError};

use super::subject::{Loses, Subject, assert_sentence, deliver, part};

pub async fn the_same_edit_twice_is_one_edit(subject: &mut dyn Subject) {
    let (channel, places) = (subject.channel(), subject.places());
    let edits = channel.edits().expect("the account can edit");
    for at in &places {
        let other = deliver(channel.as_ref(), at, &part(channel.as_ref(), "another")).await;
        let id = deliver(channel.as_ref(), at, &part(channel.as_ref(), "first")).await;
        let second = part(channel.as_ref(), "**second**");
        for _ in 0..2 {
            assert_eq!(edits.edit(at, id, &second).await, Ok(()));
        }
        let seen = subject.visible(at).await;
        let seen: Vec<_> = seen.iter().map(|seen| (seen.id, seen.text.as_str())).collect();
        assert_eq!(seen, [(other, "another"), (id, second.text.as_str())], "{at}");
    }
}

pub async fn an_edit_of_no_message_is_rejected_with_a_sentence(subject: &mut dyn Subject) {
    let (channel, at) = (subject.channel(), &subject.places()[0]);
    let edits = channel.edits().expect("the account can edit");
    let foreign = subject.says(at, "hello").await;
    for id in [foreign, MessageId(foreign.0 + 1), MessageId(-1), MessageId(i64::MAX)] {
        match edits.edit(at, id, &part(channel.as_ref(), "changed")).await {
            Err(SendError::Rejected { reason }) => assert_sentence(&reason),
            other => panic!("an edit of {id} is not rejected but {other:?}"),
        }
    }
    assert_eq!(subject.visible(at).await, []);
}

pub async fn an_edit_whose_answer_is_lost_may_be_repeated(subject: &mut dyn Loses) {
    let (channel, at) = (subject.channel(), &subject.places()[0]);
    let edits = channel.edits().expect("the account can edit");
    let id = deliver(channel.as_ref(), at, &part(channel.as_ref(), "first")).await;
    let second = part(channel.as_ref(), "second");
    subject.lose_answer_to_edit();
    let outcome = edits.edit(at, id, &second).await;
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    assert_eq!(edits.edit(at, id, &second).await, Ok(()));
    let seen = subject.visible(at).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].id, seen[0].text.as_str()), (id, "second"));
}
