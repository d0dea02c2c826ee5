//! What `run` gives to the edge.

use std::collections::HashSet;
use std::sync::Arc;

use roundtable_contract::{AccountState, ChatKind, Conversation, MessageKind};

use super::edge::{Edge, Whim, listen};
use super::subject::{Heard, assert_sentence};

/// Somebody writes numbered lines to all places in turn; gives their texts by place.
async fn chatter(subject: &dyn Heard, places: &[Conversation], lines: usize) -> Vec<Vec<String>> {
    let mut said = vec![Vec::new(); places.len()];
    for line in 0..lines {
        for (at, said) in places.iter().zip(&mut said) {
            let text = format!("line {line}");
            subject.says(at, &text).await;
            said.push(text);
        }
    }
    said
}

pub async fn every_message_comes_once_and_in_order(subject: &mut dyn Heard) {
    let places = subject.places();
    let said = chatter(subject, &places, 20).await;
    let listener = listen(subject.channel(), subject.edge());
    // The line that is said last proves that none of those before it is still to come.
    let last = subject.says(&places[0], "last").await;
    listener.edge.until("all is said", |told| told.accepted.len() > 20 * places.len()).await;
    let (outcome, edge) = listener.stop().await;
    assert_eq!(outcome, Ok(()));
    let told = edge.seen();
    assert_eq!(told.accepted.len(), told.offered.len(), "nothing was refused");
    let keys: HashSet<_> = told.accepted.iter().map(|message| &message.key).collect();
    assert_eq!(keys.len(), 20 * places.len() + 1, "an event came twice");
    for (at, said) in places.iter().zip(&said) {
        let there: Vec<_> = told.accepted.iter().filter(|message| message.conversation == *at).collect();
        let texts: Vec<_> =
            there.iter().map(|message| message.text.as_str()).filter(|text| *text != "last").collect();
        assert_eq!(texts, *said, "{at}");
        assert!(there.is_sorted_by(|one, next| one.id < next.id), "{at}");
        assert!(there.iter().all(|message| message.kind == MessageKind::New && !message.sender.is_bot));
    }
    let newest = told.accepted.iter().find(|message| message.text == "last").expect("it was waited for");
    assert_eq!((newest.id, newest.chat_kind), (last, ChatKind::Direct));
}

pub async fn what_was_accepted_does_not_come_again(subject: &mut dyn Heard) {
    let places = subject.places();
    chatter(subject, &places, 3).await;
    let listener = listen(subject.channel(), subject.edge());
    listener.edge.until("all is said", |told| told.accepted.len() == 3 * places.len()).await;
    listener.edge.until("the position is kept", |told| !told.positions.is_empty()).await;
    let (_, edge) = listener.stop().await;
    let listener = listen(subject.channel(), edge.after());
    subject.says(&places[0], "news").await;
    listener.edge.until("the news is told", |told| told.offers_of("news") == 1).await;
    let (_, edge) = listener.stop().await;
    assert_eq!(edge.seen().offered.len(), 1, "{:?}", edge.seen().offered);
}

pub async fn what_was_refused_is_offered_again(subject: &mut dyn Heard) {
    let places = subject.places();
    for text in ["one", "two", "three"] {
        subject.says(&places[0], text).await;
        subject.says(&places[1], &format!("{text} here")).await;
    }
    let listener = listen(subject.channel(), subject.edge().but("two", Whim::Refuse(3)));
    listener.edge.until("all is accepted", |told| told.accepted.len() == 6).await;
    let (_, edge) = listener.stop().await;
    let told = edge.seen();
    assert_eq!(told.offers_of("two"), 4);
    assert_eq!(told.texts_of(places[0].chat.as_str()), ["one", "two", "three"]);
    assert_eq!(told.texts_of(places[1].chat.as_str()), ["one here", "two here", "three here"]);
    let degraded = told.states.iter().any(|state| matches!(state, AccountState::Degraded(_)));
    assert!(degraded && told.states.last() == Some(&AccountState::Ready), "{:?}", told.states);
}

/// A process that cannot store "two", and ends.
async fn give_up(subject: &dyn Heard) -> Arc<Edge> {
    let listener = listen(subject.channel(), subject.edge().but("two", Whim::Refuse(usize::MAX)));
    listener.edge.until("it was refused twice", |told| told.offers_of("two") == 2).await;
    let (_, edge) = listener.stop().await;
    assert_eq!(edge.seen().offers_of("three"), 0, "it comes after what was refused");
    edge
}

pub async fn what_was_refused_is_not_confirmed(subject: &mut dyn Heard) {
    let at = &subject.places()[0];
    for text in ["one", "two", "three"] {
        subject.says(at, text).await;
    }
    give_up(subject).await;
    // The next process has lost its memory, and the one after it has not.
    let edge = give_up(subject).await;
    let listener = listen(subject.channel(), edge.after());
    listener.edge.until("the rest is accepted", |told| told.accepted.len() == 2).await;
    let (_, edge) = listener.stop().await;
    assert_eq!(edge.seen().texts_of(at.chat.as_str()), ["two", "three"]);
}

pub async fn a_stop_does_not_wait_for_the_edge(subject: &mut dyn Heard) {
    let at = &subject.places()[0];
    subject.says(at, "one").await;
    let listener = listen(subject.channel(), subject.edge().but("one", Whim::Block));
    listener.edge.until("it is offered", |told| told.offers_of("one") == 1).await;
    assert_eq!(listener.stop().await.0, Ok(()));
    let listener = listen(subject.channel(), subject.edge());
    listener.edge.until("it is offered again", |told| told.texts_of(at.chat.as_str()) == ["one"]).await;
    assert_eq!(listener.stop().await.0, Ok(()));
}

pub async fn an_outage_is_reported_and_passes(subject: &mut dyn Heard) {
    let at = &subject.places()[0];
    let listener = listen(subject.channel(), subject.edge());
    listener.edge.until("the account is ready", |told| told.states.contains(&AccountState::Ready)).await;
    subject.cut_off().await;
    let degraded = |state: &AccountState| matches!(state, AccountState::Degraded(_));
    listener.edge.until("the outage is noticed", |told| told.states.iter().any(degraded)).await;
    subject.says(at, "meanwhile").await;
    subject.restore().await;
    listener
        .edge
        .until("what was said is heard, and all is well", |told| {
            told.texts_of(at.chat.as_str()) == ["meanwhile"]
                && told.states.last() == Some(&AccountState::Ready)
        })
        .await;
    subject.cut_off().await;
    let outages = |states: &[AccountState]| {
        states
            .split(|state| *state == AccountState::Ready)
            .filter(|between| between.iter().any(degraded))
            .count()
    };
    listener.edge.until("it is noticed again", |told| outages(&told.states) == 2).await;
    let (outcome, edge) = listener.stop().await;
    assert_eq!(outcome, Ok(()), "a stop is heard during an outage");
    for state in edge.seen().states {
        if let AccountState::Degraded(reason) = state {
            assert_sentence(&reason);
        }
    }
    subject.restore().await;
}

pub async fn an_account_of_no_use_ends_with_a_reason(subject: &mut dyn Heard) {
    let channel = subject.channel();
    subject.ruin();
    let (outcome, edge) = listen(channel, Edge::default()).ended().await;
    let reason = outcome.expect_err("it is of no use").reason;
    assert_sentence(&reason);
    assert_eq!(edge.seen().states.last(), Some(&AccountState::Stopped(reason)));
}
