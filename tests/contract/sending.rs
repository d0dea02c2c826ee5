//! What a send says and does.

use std::collections::HashMap;

use roundtable_contract::{AccountState, Conversation, MessageId, Part, SendError};

use super::edge::{Edge, listen};
use super::subject::{HasNowhere, Seen, Subject, assert_sentence, deliver, nonce, part};

fn rejection(outcome: Result<impl std::fmt::Debug, SendError>) -> String {
    match outcome {
        Err(SendError::Rejected { reason }) => reason,
        other => panic!("not rejected but {other:?}"),
    }
}

pub async fn what_is_constant_stays_the_same(subject: &mut dyn Subject) {
    let (channel, places) = (subject.channel(), subject.places());
    let about = || {
        let spaces: Vec<_> = places.iter().map(|at| channel.id_space(at)).collect();
        (channel.account().clone(), channel.limits(), spaces, channel.shards())
    };
    let can = || [channel.edits().is_some(), channel.typing().is_some(), channel.reconcile().is_some()];
    let before = about();
    assert!(places.iter().all(|at| at.account == before.0));
    let shared = before.2[0] == before.2[1];
    assert_eq!(shared, subject.shares_counters(), "{} and {}", places[0], places[1]);
    assert_eq!(can(), subject.capabilities());
    assert!(before.3 > 0, "it is connected somehow");
    for at in &places {
        deliver(channel.as_ref(), at, &part(channel.as_ref(), "hello")).await;
        assert_eq!(subject.visible(at).await.len(), 1);
        let foreign = Part { body: "?".into(), text: "?".into(), stub: None };
        rejection(channel.send(at, &foreign, &nonce()).await);
    }
    assert_eq!(listen(channel.clone(), Edge::default()).stop().await.0, Ok(()));
    assert_eq!((about(), can()), (before, subject.capabilities()));
}

pub async fn a_message_is_seen_once_under_the_number_it_got(subject: &mut dyn Subject) {
    let (channel, places) = (subject.channel(), subject.places());
    let mut expected = Vec::new();
    for at in &places {
        let text = format!("hello {at}").replace(':', " ");
        let id = deliver(channel.as_ref(), at, &part(channel.as_ref(), &text)).await;
        expected.push((at, id, text));
    }
    for (at, id, text) in expected {
        let seen = subject.visible(at).await;
        assert_eq!(seen.len(), 1, "{at}: {seen:?}");
        assert_eq!((seen[0].id, &seen[0].text), (id, &text));
    }
}

pub async fn numbers_rise_within_an_id_space(subject: &mut dyn Subject) {
    let (channel, places) = (subject.channel(), subject.places());
    let mut newest: HashMap<String, MessageId> = HashMap::new();
    let mut rises = |at: &Conversation, id: MessageId| {
        let before = newest.insert(channel.id_space(at), id);
        assert!(before < Some(id), "{id} at {at} comes after {before:?}");
    };
    for _ in 0..3 {
        for at in &places {
            rises(at, subject.says(at, "hello").await);
            rises(at, deliver(channel.as_ref(), at, &part(channel.as_ref(), "hello")).await);
        }
    }
    for at in &places {
        assert_eq!(subject.visible(at).await.len(), 3);
    }
}

pub async fn a_foreign_part_is_rejected_with_a_sentence(subject: &mut dyn Subject) {
    let (channel, at) = (subject.channel(), &subject.places()[0]);
    let good = part(channel.as_ref(), "hello");
    for body in ["", "hello", "{}", "[]"] {
        let foreign =
            Part { body: body.into(), text: "hello".into(), stub: good.stub.as_ref().map(|_| body.into()) };
        assert_sentence(&rejection(channel.send(at, &foreign, &nonce()).await));
    }
    assert_eq!(subject.visible(at).await, []);
    deliver(channel.as_ref(), at, &good).await;
    assert_eq!(subject.visible(at).await.len(), 1, "a rejected part stands in nobody's way");
}

pub async fn a_place_that_does_not_exist_is_rejected_with_a_sentence(subject: &mut dyn HasNowhere) {
    let (channel, at) = (subject.channel(), &subject.places()[0]);
    let hello = part(channel.as_ref(), "hello");
    for nowhere in subject.nowhere() {
        let reason = rejection(channel.send(&nowhere, &hello, &nonce()).await);
        assert_sentence(&reason);
        if let Some(typing) = channel.typing() {
            assert_sentence(&rejection(typing.typing(&nowhere).await));
        }
        if let Some(edits) = channel.edits() {
            assert_sentence(&rejection(edits.edit(&nowhere, MessageId(1), &hello).await));
        }
    }
    deliver(channel.as_ref(), at, &hello).await;
    assert_eq!(subject.visible(at).await.len(), 1, "a wrong address stands in nobody's way");
}

pub async fn an_unreachable_platform_has_not_been_sent_to(subject: &mut dyn Subject) {
    let at = &subject.places()[0];
    subject.cut_off().await;
    let channel = subject.channel();
    let (hello, key) = (part(channel.as_ref(), "hello"), nonce());
    for _ in 0..2 {
        let outcome = channel.send(at, &hello, &key).await;
        assert!(matches!(outcome, Err(SendError::Unreachable { .. })), "{outcome:?}");
    }
    if let Some(edits) = channel.edits() {
        let outcome = edits.edit(at, MessageId(1), &hello).await;
        assert!(matches!(outcome, Err(SendError::Unreachable { .. })), "{outcome:?}");
    }
    if let Some(typing) = channel.typing() {
        let outcome = typing.typing(at).await;
        assert!(matches!(outcome, Err(SendError::Unreachable { .. })), "{outcome:?}");
    }
    drop(channel);
    subject.restore().await;
    assert_eq!(subject.visible(at).await, []);
    let channel = subject.channel();
    let sent = channel.send(at, &hello, &key).await.expect("the platform is back");
    let seen = subject.visible(at).await;
    assert_eq!(seen.iter().map(|seen| seen.id).collect::<Vec<_>>(), [sent.id]);
}

pub async fn typing_leaves_nothing_behind(subject: &mut dyn Subject) {
    let (channel, places) = (subject.channel(), subject.places());
    for at in &places {
        if let Some(typing) = channel.typing() {
            for _ in 0..2 {
                typing.typing(at).await.expect("typing is shown");
            }
        }
        assert_eq!(subject.visible(at).await, [] as [Seen; 0], "{at}");
    }
    assert!(!channel.limits().typing_lasts.is_zero());
}

pub async fn listening_begins_ready_and_stops_at_once(subject: &mut dyn Subject) {
    let listener = listen(subject.channel(), Edge::default());
    listener.edge.until("the account is ready", |seen| seen.states.contains(&AccountState::Ready)).await;
    let (outcome, edge) = listener.stop().await;
    assert_eq!(outcome, Ok(()));
    let states = edge.seen().states;
    assert!(
        !states.iter().any(|state| matches!(state, AccountState::Stopped(_) | AccountState::Degraded(_)))
    );
}
