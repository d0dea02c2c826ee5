//! One thing at a time; what happens when all of it meets is in `model`.

use super::*;

const HERE: u64 = 20;

fn key(id: u64) -> Key {
    Key { id, version: 0 }
}

fn push(lanes: &mut Lanes, ids: &[u64]) {
    for id in ids {
        let item = Item { kind: MessageKind::New, message: Value::Null, live: true };
        lanes.push(HERE, key(*id), item);
    }
}

/// Stores what may be stored; gives the numbers in order.
fn drain(lanes: &mut Lanes) -> Vec<u64> {
    let mut stored = Vec::new();
    while let Some(channel) = lanes.start() {
        while let Some((key, _)) = lanes.take(channel) {
            stored.push(key.id);
            lanes.done(channel, key);
        }
    }
    stored
}

#[test]
fn messages_are_stored_in_order_and_once() {
    let mut lanes = Lanes::default();
    push(&mut lanes, &[12, 11, 12]);
    assert_eq!(drain(&mut lanes), [11, 12]);
    push(&mut lanes, &[11, 13]);
    assert_eq!(drain(&mut lanes), [13]);
    assert_eq!(lanes.moved(), [(HERE, 13)]);
    assert_eq!(lanes.moved(), []);
    assert!(lanes.lanes.is_empty() && lanes.waiting == 0);
}

#[test]
fn a_new_channel_has_a_position_from_its_first_message_on() {
    let mut lanes = Lanes::default();
    push(&mut lanes, &[12, 15]);
    assert_eq!(lanes.moved(), [(HERE, 11)], "it is kept, whenever the message is offered");
    assert_eq!((lanes.beginning(HERE), lanes.beginning(HERE)), (Some(11), None));
}

#[test]
fn a_new_channel_begins_behind_what_is_being_fetched() {
    let mut lanes = Lanes::default();
    lanes.open(HERE, 5);
    push(&mut lanes, &[12]);
    assert_eq!(lanes.position(HERE), Some(5));
}

#[test]
fn an_edit_says_nothing_of_how_far_a_channel_was_read() {
    let mut lanes = Lanes::default();
    let edit = || Item { kind: MessageKind::Edit, message: Value::Null, live: true };
    lanes.push(HERE, Key { id: 12, version: 7 }, edit());
    assert_eq!((drain(&mut lanes), lanes.position(HERE), lanes.beginning(HERE)), (vec![12], None, None));
    push(&mut lanes, &[15]);
    lanes.push(HERE, Key { id: 20, version: 7 }, edit());
    assert_eq!((drain(&mut lanes), lanes.position(HERE)), (vec![15, 20], Some(15)));
}

#[test]
fn what_waits_or_is_being_stored_holds_the_position_back() {
    let mut lanes = Lanes::default();
    lanes.remember(HERE, 5);
    push(&mut lanes, &[10, 12]);
    assert_eq!(lanes.start(), Some(HERE));
    assert_eq!(lanes.take(HERE).unwrap().0, key(10));
    push(&mut lanes, &[7]);
    lanes.done(HERE, key(10));
    assert_eq!(lanes.position(HERE), Some(6));
    assert_eq!(lanes.take(HERE).unwrap().0, key(7));
    lanes.done(HERE, key(7));
    assert_eq!(lanes.position(HERE), Some(10));
    assert_eq!(lanes.start(), None, "one caller has the channel");
}

#[test]
fn live_messages_wait_for_older_ones_that_are_fetched() {
    let mut lanes = Lanes::default();
    lanes.remember(HERE, 10);
    lanes.open(HERE, 10);
    push(&mut lanes, &[50]);
    assert!(drain(&mut lanes).is_empty());
    push(&mut lanes, &[20, 30]);
    lanes.read(HERE, 30);
    assert_eq!(drain(&mut lanes), [20, 30]);
    assert_eq!(lanes.position(HERE), Some(30));
    push(&mut lanes, &[40]);
    lanes.close(HERE);
    assert_eq!(drain(&mut lanes), [40, 50]);
    assert_eq!(lanes.position(HERE), Some(50));
}

#[test]
fn a_released_message_does_not_move_the_position() {
    let mut lanes = Lanes::default();
    lanes.remember(HERE, 10);
    lanes.open(HERE, 10);
    push(&mut lanes, &[50]);
    lanes.release(HERE);
    assert_eq!(drain(&mut lanes), [50]);
    assert_eq!(lanes.position(HERE), Some(10));
    push(&mut lanes, &[20]);
    lanes.read(HERE, 20);
    assert_eq!(drain(&mut lanes), [20]);
    assert_eq!(lanes.position(HERE), Some(20));
    lanes.close(HERE);
    assert_eq!(lanes.position(HERE), Some(50));
}

#[test]
fn live_messages_that_wait_for_older_ones_do_not_keep_those_from_being_fetched() {
    let mut lanes = Lanes::default();
    lanes.open(HERE, 10);
    push(&mut lanes, &(1_000..1_000 + FULL_LANE as u64).collect::<Vec<_>>());
    assert!(lanes.has_room_in(HERE));
    push(&mut lanes, &(11..11 + FULL_LANE as u64).collect::<Vec<_>>());
    lanes.read(HERE, 999);
    assert!(!lanes.has_room_in(HERE));
    assert_eq!(drain(&mut lanes).len(), FULL_LANE);
    assert!(lanes.has_room_in(HERE));
}

#[test]
fn what_may_be_stored_bounds_what_is_fetched_and_what_waits_for_it_does_not() {
    let mut lanes = Lanes::default();
    lanes.open(HERE, 0);
    push(&mut lanes, &(1..=FULL as u64).collect::<Vec<_>>());
    assert!(!lanes.has_room() && lanes.has_room_in(HERE + 1));
    lanes.close(HERE);
    assert!(!lanes.has_room_in(HERE + 1));
    drain(&mut lanes);
    assert!(lanes.has_room_in(HERE + 1));
}

#[test]
fn what_was_said_before_we_came_is_no_concern_of_ours() {
    let mut lanes = Lanes::default();
    lanes.remember(HERE, 10);
    push(&mut lanes, &[20]);
    for channel in [HERE, HERE + 1, HERE + 2] {
        lanes.begin(channel, 50);
    }
    assert_eq!([HERE, HERE + 1, HERE + 2].map(|channel| lanes.before(channel)), [50; 3]);
    assert_eq!((lanes.position(HERE), lanes.position(HERE + 1)), (Some(19), None), "what was heard waits");
    assert_eq!(drain(&mut lanes), [20]);
    lanes.begin(HERE, 60);
    assert_eq!(lanes.moved(), [(HERE, 60)]);
}

#[test]
fn a_full_memory_takes_no_more() {
    let mut lanes = Lanes::default();
    push(&mut lanes, &(1..=FULL as u64).collect::<Vec<_>>());
    assert!(!lanes.has_room() && !lanes.has_room_in(HERE));
    drain(&mut lanes);
    assert!(lanes.has_room() && lanes.has_room_in(HERE));
}
