//! Listening to a scripted server.

use roundtable_contract::Channel as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::ExactlyOnce;
use crate::stand_in::{Core, Reply, StandIn};

fn me() -> Reply {
    Reply::Result(json!({"id": 901, "is_bot": true, "first_name": "B", "username": "bridge_bot"}))
}

fn says(ids: &[i32]) -> Reply {
    let update = |id: &i32| {
        json!({"update_id": id, "message": {"message_id": id, "chat": {"id": 55, "type": "private"},
            "from": {"id": 55, "first_name": "Ann"}, "date": 1, "text": id.to_string()}})
    };
    Reply::Result(ids.iter().map(update).collect())
}

/// Lets a bot listen to the script until it has been worked off and one more call is waiting, then
/// stops it. Gives the offsets that were asked for.
async fn listened(core: &Core, script: Vec<Reply>) -> (Vec<(String, Option<i64>)>, Result<(), RunError>) {
    let calls = script.len() + 1;
    let mut server = StandIn::start(script).await;
    let (bot, stop) = (server.bot(ExactlyOnce::Probe), CancellationToken::new());
    let stopped = stop.clone();
    let (result, calls) = tokio::join!(bot.run(0, core, stop), async {
        let calls = server.until_called(calls).await;
        stopped.cancel();
        calls
    });
    (calls.into_iter().map(|(name, body)| (name, body["offset"].as_i64())).collect(), result)
}

fn call(name: &str, offset: Option<i64>) -> (String, Option<i64>) {
    (name.to_owned(), offset)
}

fn degraded_by(core: &Core) -> Vec<String> {
    let states = core.states.lock().unwrap();
    let reason = |state: &AccountState| match state {
        AccountState::Degraded(reason) => Some(reason.clone()),
        _ => None,
    };
    states.iter().filter_map(reason).collect()
}

#[tokio::test]
async fn updates_are_confirmed_by_the_poll_after_they_are_stored() {
    let core = Core { position: Some((6, Duration::ZERO)), ..Core::default() };
    let (calls, result) = listened(&core, vec![me(), says(&[7, 8]), says(&[9]), says(&[])]).await;
    let offsets = [Some(7), Some(9), Some(10), Some(10)];
    let polls = offsets.map(|offset| call("getupdates", offset));
    assert_eq!((calls[0].0.as_str(), &calls[1..]), ("getme", &polls[..]));
    assert_eq!(result, Ok(()));
    assert_eq!(core.accepted.into_inner().unwrap(), ["7", "8", "9"]);
    assert_eq!(core.positions.into_inner().unwrap(), [8, 9]);
    let states = core.states.into_inner().unwrap();
    let ready = AccountState::Ready;
    assert_eq!(states, [AccountState::Connecting, ready.clone(), ready.clone(), ready]);
}

#[tokio::test]
async fn what_the_core_does_not_take_is_offered_again_before_the_next_poll() {
    let core = Core { refusals: 3.into(), ..Core::default() };
    let (calls, _) = listened(&core, vec![me(), says(&[7, 8]), says(&[])]).await;
    let polls = [None, Some(9), Some(9)].map(|offset| call("getupdates", offset));
    assert_eq!(calls[1..], polls);
    assert_eq!(degraded_by(&core).len(), 3);
    assert_eq!(core.states.into_inner().unwrap().pop(), Some(AccountState::Ready));
    assert_eq!(core.accepted.into_inner().unwrap(), ["7", "8"]);
    assert_eq!(core.positions.into_inner().unwrap(), [6, 8]);
}

#[tokio::test]
async fn a_long_poll_is_cut_short_for_whoever_wants_to_know_that_nothing_waits() {
    let core = Core::default();
    let mut server = StandIn::start(vec![me(), says(&[7]), Reply::Hang, says(&[8]), says(&[])]).await;
    let (bot, stop) = (server.bot(ExactlyOnce::Probe), CancellationToken::new());
    let threads = bot.threads().expect("there are topics");
    let (stopped, over) = (stop.clone(), Instant::now());
    let (result, ()) = tokio::join!(bot.run(0, &core, stop), async {
        server.until_called(3).await;
        assert!(threads.has_told_all(over.elapsed()), "the answer of a poll that began later is stored");
        let over = Instant::now();
        assert!(!threads.has_told_all(over.elapsed()), "the poll in flight began before");
        server.until_called(6).await;
        assert_eq!(*core.accepted.lock().unwrap(), ["7", "8"]);
        assert!(threads.has_told_all(over.elapsed()));
        stopped.cancel();
    });
    assert_eq!(result, Ok(()));
    let waits: Vec<_> = server.calls().iter().map(|(_, body)| body["timeout"].as_i64()).collect();
    assert_eq!(waits, [None, Some(0), Some(25), Some(0), Some(25), Some(25)]);
}

#[tokio::test]
async fn one_update_of_a_throttled_poll_may_not_be_all() {
    let core = Core::default();
    let failed = Reply::Error(500, "Internal Server Error", json!({}));
    let mut server = StandIn::start(vec![me(), failed, says(&[7]), Reply::Hang]).await;
    let (bot, stop) = (server.bot(ExactlyOnce::Probe), CancellationToken::new());
    let (stopped, threads) = (stop.clone(), bot.threads().expect("there are topics"));
    let begun = Instant::now();
    let (result, ()) = tokio::join!(bot.run(0, &core, stop), async {
        server.until_called(4).await;
        assert!(!threads.has_told_all(begun.elapsed()));
        stopped.cancel();
    });
    assert_eq!((result, core.accepted.into_inner().unwrap()), (Ok(()), vec!["7".to_owned()]));
}

#[tokio::test]
async fn failures_that_pass_are_waited_out() {
    let core = Core::default();
    let flood = Reply::Error(429, "Too Many Requests: retry after 0", json!({"retry_after": 0}));
    let other = "Conflict: terminated by other getUpdates request; make sure that only one bot runs";
    let script = vec![
        Reply::Html(502),
        Reply::Drop,
        me(),
        Reply::Html(404),
        Reply::Drop,
        flood,
        Reply::Error(409, other, json!({})),
        Reply::Error(500, "Internal Server Error", json!({})),
        says(&[7]),
    ];
    let (calls, result) = listened(&core, script).await;
    assert_eq!(calls.last(), Some(&call("getupdates", Some(8))));
    assert_eq!((degraded_by(&core).len(), result), (7, Ok(())));
    assert!(degraded_by(&core)[5].starts_with("another program listens"), "{:?}", degraded_by(&core));
    assert_eq!(core.accepted.into_inner().unwrap(), ["7"]);
}

#[test]
fn only_a_conflict_that_comes_back_is_with_another_poller() {
    let (pause, second) = (Duration::from_secs(55), Duration::from_secs(1));
    assert!(!is_lasting(None, pause));
    assert!(is_lasting(Some(second), pause));
    // after the pause, and the time that the next poll takes to be sent away
    assert!(is_lasting(Some(pause + 50 * second), pause));
    assert!(!is_lasting(Some(3 * pause), pause));
}

#[tokio::test]
async fn a_webhook_is_removed_once() {
    let core = Core::default();
    let active = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first";
    let conflict = Reply::Error(409, active, json!({}));
    let script = vec![me(), conflict.clone(), Reply::Result(json!(true)), conflict, says(&[7])];
    let (calls, _) = listened(&core, script).await;
    let names: Vec<_> = calls.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["getme", "getupdates", "deletewebhook", "getupdates", "getupdates", "getupdates"]);
    assert_eq!(degraded_by(&core).len(), 2);
}

#[tokio::test]
async fn a_wrong_token_ends_the_account_and_says_where_to_set_it() {
    for (script, calls) in [
        (vec![Reply::Error(401, "Unauthorized", json!({}))], 1),
        (vec![me(), says(&[]), Reply::Error(401, "Unauthorized", json!({}))], 3),
    ] {
        let core = Core::default();
        let server = StandIn::start(script).await;
        let error = server.bot(ExactlyOnce::Probe).run(0, &core, CancellationToken::new()).await.unwrap_err();
        assert!(error.reason.contains("[channels.telegram.main]"), "{error}");
        assert!(!error.reason.contains("SECRET"), "{error}");
        assert_eq!(server.calls().len(), calls);
        assert_eq!(core.states.into_inner().unwrap().pop(), Some(AccountState::Stopped(error.reason)));
    }
}

#[test]
fn an_offset_is_used_for_six_days() {
    let day = Duration::from_secs(24 * 60 * 60);
    let now = Instant::now();
    let begun = |position| Cursor::new(position, now).offset(now);
    assert_eq!(begun(None), None);
    assert_eq!(begun(Some((7, 6 * day))), None);
    assert_eq!(begun(Some((1 << 40, day))), None);
    let mut cursor = Cursor::new(Some((7, 5 * day)), now);
    assert_eq!((cursor.offset(now), cursor.offset(now + day)), (Some(8), None));
    // numbers that begin anew may be lower
    cursor.move_to(3, now + day);
    assert_eq!(cursor.offset(now + 2 * day), Some(4));
}

#[test]
fn the_position_is_stored_at_once_then_once_a_second_and_when_there_is_nothing_else_to_do() {
    let now = Instant::now();
    let later = |millis| now + Duration::from_millis(millis);
    let mut cursor = Cursor::new(Some((7, Duration::from_secs(60))), now);
    assert_eq!(cursor.due_position(true, now), None, "what was read is stored");
    cursor.move_to(8, now);
    assert_eq!(cursor.due_position(false, now), Some(8));
    cursor.move_to(9, later(10));
    assert_eq!(cursor.due_position(false, later(10)), None);
    assert_eq!(cursor.due_position(true, later(20)), Some(9));
    assert_eq!(cursor.due_position(true, later(30)), None);
    cursor.move_to(10, later(900));
    assert_eq!(cursor.due_position(false, later(1020)), Some(10));
}

#[tokio::test]
async fn a_hung_poll_is_given_up() {
    let mut server = StandIn::start([me(), Reply::Hang]).await;
    let mut config = server.config(ExactlyOnce::Probe);
    config.poll_timeout = Duration::from_secs(1);
    config.limits.send_timeout = Duration::from_millis(200);
    let (bot, core, stop) = (Telegram::new(config).unwrap(), Core::default(), CancellationToken::new());
    let stopped = stop.clone();
    let (result, calls) = tokio::join!(bot.run(0, &core, stop), async {
        let calls = server.until_called(3).await;
        stopped.cancel();
        calls
    });
    assert_eq!((result, calls[2].0.as_str()), (Ok(()), "getupdates"));
    assert!(degraded_by(&core)[0].starts_with("Telegram gave no usable answer"), "{:?}", degraded_by(&core));
}

#[tokio::test]
async fn only_who_was_answered_waits_long_for_the_next_answer() {
    let script = [me(), says(&[]), says(&[]), Reply::Html(502), says(&[]), says(&[])];
    let mut server = StandIn::start(script).await;
    let (bot, core, stop) = (server.bot(ExactlyOnce::Probe), Core::default(), CancellationToken::new());
    let stopped = stop.clone();
    let (_, calls) = tokio::join!(bot.run(0, &core, stop), async {
        let calls = server.until_called(6).await;
        stopped.cancel();
        calls
    });
    let waits: Vec<_> = calls[1..].iter().map(|(_, body)| body["timeout"] != 0).collect();
    assert_eq!(waits, [false, true, true, false, true]);
}
