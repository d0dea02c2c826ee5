//! Where a delivery ends otherwise than planned: refused for good, in many parts, decided by people.

use roundtable::store::deliveries::{Listed, State};
use roundtable_fakes::{Fault, Reply};

use super::answers::{answered, ask, read_all, settled, shown, world};
use super::listed::{decides, lists_unknown};

#[tokio::test(flavor = "multi_thread")]
async fn who_has_blocked_the_bot_gets_nothing_until_somebody_retries() {
    let world = world("probe").await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    let held = world.model.hold("question wanted");
    ask(&world, &ann, "wanted").await;
    ann.blocks_bot();
    held.release();
    let stored = world.stored().await;
    let failed = |all: &[Listed]| all.iter().any(|one| one.state == State::Failed);
    stored.until("the answer has failed", failed).await;
    let listed = stored.deliveries(false).await;
    let [one] = &listed[..] else { panic!("one is listed: {listed:#?}") };
    let error = one.error.as_deref().unwrap();
    assert!(error.contains("has blocked the bot. Only they can unblock it"), "{error}");
    assert_eq!((one.attempts, one.conversation.clone()), (1, format!("telegram:main:{}", ann.id())));
    ask(&world, &bob, "goes on").await;
    answered(&bob, "goes on").await;

    ann.unblocks_bot();
    assert!(stored.retry(one.id).await);
    answered(&ann, "wanted").await;
    settled(&world).await;
    assert!(!stored.retry(one.id).await && !stored.discard(one.id).await, "it is sent");
    assert_eq!(stored.deliveries(false).await, []);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_listed_until_it_is_discarded() {
    let world = world("probe").await;
    let ann = world.telegram.user("ann");
    for (number, (code, description, meaning)) in [
        (400, "Bad Request: chat not found", "Add the bot to the group"),
        (403, "Forbidden: user is deactivated", "was deleted"),
        (400, "Bad Request: TOPIC_CLOSED", "Reopen it"),
        (400, "Bad Request: something of the future", "something of the future"),
    ]
    .into_iter()
    .enumerate()
    {
        let fault = Fault::Error { code, description: description.to_owned() };
        world.telegram.fail_next_in(&ann.place(), "sendMessage", fault);
        ask(&world, &ann, &format!("refused {number}")).await;
        ask(&world, &ann, &format!("next {number}")).await;
        answered(&ann, &format!("next {number}")).await;
        settled(&world).await;
        let stored = world.stored().await;
        let listed = stored.deliveries(false).await;
        let [one] = &listed[..] else { panic!("one is listed: {listed:#?}") };
        assert_eq!((one.state, one.attempts), (State::Failed, 1));
        assert!(one.error.as_deref().unwrap().contains(meaning), "{one:#?}");
        assert!(stored.discard(one.id).await);
        assert!(!stored.discard(one.id).await, "once is enough");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_long_answer_keep_their_order_whatever_happens_to_them() {
    for mode in ["probe", "edit"] {
        let world = world(mode).await;
        let ann = world.telegram.user("ann");
        let lines: Vec<String> =
            (0..1_200).map(|number| format!("line {number:05} of a long story")).collect();
        world.model.when("a story", Reply::text(lines.join("\n")));
        for fault in
            [None, Some(Fault::DropAfter), Some(Fault::Html502Before), None, Some(Fault::TruncatedJson)]
        {
            match fault {
                Some(fault) => world.telegram.fail_next_in(&ann.place(), "sendMessage", fault),
                // A gate that is open lets one call pass.
                None => world.telegram.hold_in(&ann.place(), "sendMessage").release(),
            }
        }
        ann.says("tell me a story");
        ask(&world, &ann, "after").await;
        answered(&ann, "after").await;
        settled(&world).await;
        let mut told: Vec<String> = Vec::new();
        for message in shown(&ann) {
            let stub = message.text.ends_with('…');
            let story = message.text.lines().filter(|line| line.starts_with("line ") && !stub);
            told.extend(story.map(str::to_owned));
        }
        assert!(told == lines, "{mode}: {}", ann.place().history());
        read_all(&ann).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_unknown_outcome_is_kept_for_people_to_decide() {
    let mut world = world("send").await;
    let ann = world.telegram.user("ann");
    for name in ["once more", "never"] {
        for _ in 0..2 {
            world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DropBefore);
        }
        ask(&world, &ann, name).await;
        ask(&world, &ann, &format!("after {name}")).await;
        answered(&ann, &format!("after {name}")).await;
    }
    settled(&world).await;
    let stored = world.stored().await;
    let listed = stored.deliveries(false).await;
    let [never, once_more] = &listed[..] else { panic!("two are listed: {listed:#?}") };
    for one in [never, once_more] {
        assert_eq!((one.state, one.attempts, one.unknowns), (State::Unknown, 2, 2));
        lists_unknown(&world, one).await;
    }
    decides(&world, "discard", never).await;
    // The list is read without a node too.
    world.stop_node().await;
    lists_unknown(&world, once_more).await;
    world.start_node().await;
    decides(&world, "retry", once_more).await;
    answered(&ann, "once more").await;
    settled(&world).await;
    assert_eq!(stored.deliveries(false).await, []);
    world.end().await;
}
