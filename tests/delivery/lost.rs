//! Calls of unknown outcome: was it shown or not?

use std::time::Duration;

use roundtable::store::deliveries::{Listed, State};
use roundtable_fakes::{Fault, GroupKind, Message, Seat};

use super::answers::{TIMEOUT, answer, answered, ask, read_all, say, settled, shown, world, world_on};
use super::listed::lists_unknown;
use crate::support::databases::on_each_database;
use crate::support::world::World;

/// What may happen to a call, and several of them in a row.
fn troubles() -> Vec<Vec<Fault>> {
    let alone = Fault::in_the_dark(TIMEOUT + Duration::from_millis(300));
    let several = [
        vec![Fault::DropBefore, Fault::Html502After],
        vec![Fault::Html502Before, Fault::DropBefore, Fault::TruncatedJson],
    ];
    alone.into_iter().map(|fault| vec![fault]).chain(several).collect()
}

/// Puts each trouble in the way of an answer, with an answer before and one after it.
async fn suffer(world: &World, seat: &Seat, methods: &[&str], most: usize) {
    let place = seat.place();
    for method in methods {
        // A send that is only repeated once is given up after two unknown outcomes and stays listed; an edit is
        // made again after longer and longer pauses.
        let few = most > 1 || *method == "editMessageText";
        let bearable = troubles().into_iter().filter(|trouble| !few || trouble.len() <= 2);
        for (number, trouble) in bearable.enumerate() {
            let name = |which: &str| format!("{which} {method} {number}");
            ask(world, seat, &name("before")).await;
            answered(seat, &name("before")).await;
            let story = format!("{method} with {trouble:?}");
            let least = usize::from(most == 1 || trouble.len() == 1);
            for fault in trouble {
                world.telegram.fail_next_in(&place, method, fault);
            }
            ask(world, seat, &name("during")).await;
            ask(world, seat, &name("after")).await;
            answered(seat, &name("after")).await;
            let texts: Vec<String> = shown(seat).into_iter().map(|message| message.text).collect();
            let count = texts.iter().filter(|text| **text == answer(seat, &name("during"))).count();
            assert!((least..=most).contains(&count), "{story}: shown {count} times in\n{}", place.history());
            let mut order: Vec<&String> = texts.iter().filter(|text| !text.ends_with('…')).collect();
            order.dedup();
            let expected = ["before", "during", "after"].map(|which| answer(seat, &name(which)));
            let expected = expected.iter().filter(|text| texts.contains(text));
            assert!(order.ends_with(&expected.collect::<Vec<_>>()), "{story}: order of\n{}", place.history());
            read_all(seat).await;
        }
    }
}

/// Asks on and on in a chat that nothing happens to.
async fn go_on(world: &World, seat: &Seat) {
    for number in 0..40 {
        ask(world, seat, &format!("on {number}")).await;
        answered(seat, &format!("on {number}")).await;
    }
}

/// All troubles in a private chat, a supergroup and a topic at once, beside private chats without any:
/// private chats share one counter.
async fn everywhere(url: &str, mode: &str, methods: &[&str], most: usize) -> World {
    let world = world_on(url, mode).await;
    let ann = world.telegram.user("ann");
    world.telegram.new_group("cooks", GroupKind::Supergroup).promote_bot();
    let (group, topic) = (ann.in_group("cooks"), ann.in_topic("gardeners", "roses"));
    topic.place().promote_bot();
    let (bob, beside) = (world.telegram.user("bob"), ann.in_topic("painters", "oils"));
    beside.place().promote_bot();
    tokio::join!(
        suffer(&world, &ann, methods, most),
        suffer(&world, &group, methods, most),
        suffer(&world, &topic, methods, most),
        go_on(&world, &bob),
        go_on(&world, &beside),
    );
    settled(&world).await;
    for seat in [&ann, &group, &topic, &bob, &beside] {
        let mut texts: Vec<String> = shown(seat).into_iter().map(|message| message.text).collect();
        texts.retain(|text| !text.ends_with('…'));
        texts.sort();
        let doubled = texts.windows(most + 1).find(|same| same[0] == same[most]);
        assert_eq!(doubled, None, "{}", seat.place().history());
        read_all(seat).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn probing_shows_every_answer_exactly_once() {
    on_each_database(async |url| {
        let world = everywhere(url, "probe", &["sendMessage"], 1).await;
        world
            .telegram
            .wait_until("probes change nothing", |world| {
                world.bot_messages().all(|message| message.edits.is_empty())
            })
            .await
            .unwrap();
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filling_in_a_stub_shows_every_answer_exactly_once() {
    on_each_database(async |url| {
        everywhere(url, "edit", &["sendMessage", "editMessageText"], 1).await.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_again_shows_every_answer_at_most_twice() {
    on_each_database(async |url| {
        everywhere(url, "send", &["sendMessage"], 2).await.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_chats_that_lose_their_answers_at_once_find_both() {
    on_each_database(async |url| {
        let world = world_on(url, "probe").await;
        let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
        for seat in [&ann, &bob] {
            ask(&world, seat, "before").await;
            answered(seat, "before").await;
        }
        for round in 0..5 {
            let name = format!("during {round}");
            for seat in [&ann, &bob] {
                world.telegram.fail_next_in(&seat.place(), "sendMessage", Fault::DropAfter);
            }
            tokio::join!(ask(&world, &ann, &name), ask(&world, &bob, &name));
            for seat in [&ann, &bob] {
                answered(seat, &name).await;
                ask(&world, seat, &format!("after {round}")).await;
                answered(seat, &format!("after {round}")).await;
            }
        }
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_heard_late_hides_no_answer() {
    on_each_database(async |url| {
        let world = world_on(url, "probe").await;
        let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
        let model = world.model.hold("question late");
        ask(&world, &ann, "late").await;
        let poll = world.telegram.hold("getUpdates");
        poll.arrived().await.unwrap();
        // Its number is lower than the answer's, and nobody here knows of it.
        say(&bob, "early");
        world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DelayAfter(TIMEOUT * 2));
        model.release();
        let stored = world.stored().await;
        stored.until("the answer is unknown", |all| all.iter().any(|one| one.state == State::Unknown)).await;
        poll.release();
        answered(&bob, "early").await;
        stored.until("the answer is found", |all| all.iter().all(|one| one.state == State::Sent)).await;
        answered(&ann, "late").await;
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_changes_no_message_that_is_sent_meanwhile() {
    on_each_database(async |url| {
        let world = world_on(url, "probe").await;
        let ann = world.telegram.user("ann");
        let (roses, herbs) = (ann.in_topic("gardeners", "roses"), ann.in_topic("gardeners", "herbs"));
        roses.place().promote_bot();
        for seat in [&roses, &herbs] {
            ask(&world, seat, "before").await;
            answered(seat, "before").await;
        }
        let probe = world.telegram.hold("editMessageText");
        world.telegram.fail_next_in(&roses.place(), "sendMessage", Fault::DropBefore);
        ask(&world, &roses, "lost").await;
        probe.arrived().await.unwrap();
        ask(&world, &herbs, "meanwhile").await;
        let stored = world.stored().await;
        stored.until("the other answer is stored", |all| all.len() == 4).await;
        probe.release();
        for (seat, name) in [(&herbs, "meanwhile"), (&roses, "lost")] {
            answered(seat, name).await;
            assert!(shown(seat).iter().all(|message| message.edits.is_empty()), "{}", seat.place().history());
        }
        world.end().await;
    })
    .await;
}

/// Nobody knows the numbers under which an answer that was given up is seen: the next one is not looked for there.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_given_up_is_not_changed_into_the_next_one() {
    on_each_database(async |url| {
        let world = world_on(url, "probe").await;
        let ann = world.telegram.user("ann");
        let first = world.model.hold("question first");
        ask(&world, &ann, "first").await;
        say(&ann, "second");
        for _ in 0..3 {
            world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DropAfter);
        }
        let unheard_of = Fault::Error { code: 400, description: "Bad Request: something new".to_owned() };
        for _ in 0..2 {
            world.telegram.fail_next_in(&ann.place(), "editMessageText", unheard_of.clone());
        }
        world.until("the second question is stored", |rows| rows.pending == 1).await;
        first.release();
        let stored = world.stored().await;
        let rest = |all: &[Listed]| matches!(all, [second, first] if second.state == State::Sent && first.state == State::Unknown);
        let all = stored.until("the first is given up and the second is sent", rest).await;
        lists_unknown(&world, &all[1]).await;
        let texts = shown(&ann).into_iter().map(|message| (message.text, message.edits.len()));
        let expected = ["first", "first", "second", "second"].map(|name| (answer(&ann, name), 0));
        assert_eq!(texts.collect::<Vec<_>>(), expected, "{}", ann.place().history());
        read_all(&ann).await;
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_one_chat_that_lose_their_answers_at_once_do_not_mix_them_up() {
    on_each_database(async |url| {
        let world = world_on(url, "probe").await;
        let ann = world.telegram.user("ann");
        let (roses, herbs) = (ann.in_topic("gardeners", "roses"), ann.in_topic("gardeners", "herbs"));
        roses.place().promote_bot();
        let (first, second) = (world.telegram.hold("sendMessage"), world.telegram.hold("sendMessage"));
        ask(&world, &roses, "of roses").await;
        first.process().await.unwrap();
        ask(&world, &herbs, "of herbs").await;
        second.process().await.unwrap();
        first.cut();
        second.cut();
        let stored = world.stored().await;
        let all =
            stored.until("both are settled", |all| all.iter().all(|one| one.state == State::Sent)).await;
        assert!(all.iter().all(|one| one.unknowns == 1), "both were unknown: {all:#?}");
        for (seat, name) in [(&roses, "of roses"), (&herbs, "of herbs")] {
            let shown = shown(seat);
            let right = |message: &Message| message.text == answer(seat, name) && message.edits.is_empty();
            // Of a chat one message at a time is on its way, so that none is taken for another.
            assert!(shown.iter().all(right) && shown.len() == 1, "{}", seat.place().history());
            read_all(seat).await;
        }
        world.end().await;
    })
    .await;
}

/// And is lost there too: it is looked for under the numbers of the new chat.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_while_its_chat_moves_is_shown_in_the_new_one_once() {
    on_each_database(async |url| {
        let world = world_on(url, "probe").await;
        let old = world.telegram.new_group("cooks", GroupKind::Basic);
        old.promote_bot();
        let ann = world.telegram.user("ann").in_group("cooks");
        ask(&world, &ann, "before").await;
        answered(&ann, "before").await;
        let probe = world.telegram.hold_in(&old, "editMessageText");
        world.telegram.fail_next_in(&old, "sendMessage", Fault::DropBefore);
        ask(&world, &ann, "lost").await;
        probe.arrived().await.unwrap();
        let new = old.migrate();
        world.telegram.fail_next_in(&new, "sendMessage", Fault::DropAfter);
        probe.release();
        let stored = world.stored().await;
        stored.until("all is sent", |all| all.iter().all(|one| one.state == State::Sent)).await;
        let text = answer(&ann, "lost");
        new.expect_message("the answer", |message| message.text == text).await.unwrap();
        assert_eq!(
            new.messages().iter().filter(|message| message.text == text).count(),
            1,
            "{}",
            new.history()
        );
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_that_fail_come_less_and_less_often() {
    let world = world("probe").await;
    let ann = world.telegram.user("ann");
    world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DropBefore);
    for _ in 0..3 {
        world.telegram.fail_next_in(&ann.place(), "editMessageText", Fault::DropBefore);
    }
    ask(&world, &ann, "lost").await;
    answered(&ann, "lost").await;
    let looks = world.telegram.calls_of("editMessageText");
    let pause = looks[3].at - looks[2].at;
    assert!(pause > Duration::from_millis(1_700), "after two seconds of looking it pauses for {pause:?}");
    world.end().await;
}
