use roundtable_contract::{ChatKind, Event, Message, MessageKind, SpanKind};
use serde_json::{Value, json};

use super::*;

const CHANNEL: u64 = 20;
const THREAD: u64 = 30;
const DM: u64 = 40;

fn us() -> Us {
    Us { account: AccountId::new("discord", "main"), id: 900, application: 901, name: "bridge".into() }
}

fn places() -> Places {
    let mut places = Places::default();
    let guild = json!({"id": "1", "roles": [{"id": "7", "name": "devs"}],
        "channels": [{"id": "20", "type": 0, "name": "general"}],
        "threads": [{"id": "30", "type": 11, "name": "plans", "parent_id": "20"}]});
    places.apply("GUILD_CREATE", &guild);
    places.channel(&json!({"id": "40", "type": 1}), None);
    places
}

/// Ann says hello, with some fields changed.
fn said(channel: u64, changes: Value) -> Value {
    let mut message = json!({
        "id": "175928847299117063", "channel_id": channel.to_string(), "type": 0, "content": "hello",
        "author": {"id": "55", "username": "ann", "global_name": "Ann"},
        "member": {"roles": ["7"], "nick": null},
        "timestamp": "2016-04-30T11:18:25.796000+00:00", "edited_timestamp": null});
    for (name, value) in changes.as_object().unwrap() {
        message[name] = value.clone();
    }
    message
}

fn read_as(kind: MessageKind, message: &Value, member: Option<&Value>) -> Option<Message> {
    let (us, places) = (us(), places());
    let place = places.get(wire::id(message, "/channel_id").unwrap()).unwrap();
    let context = Context { us: &us, places: &places, place, member };
    match event(context, kind, message)? {
        Event::Message(message) => Some(*message),
        other => panic!("{other:?}"),
    }
}

fn read(message: &Value) -> Option<Message> {
    read_as(MessageKind::New, message, None)
}

#[test]
fn a_message_in_a_thread_names_its_places() {
    let got = read(&said(THREAD, json!({}))).unwrap();
    assert_eq!(got.key.as_str(), "msg:30:175928847299117063");
    assert_eq!(got.conversation.to_string(), "discord:main:30");
    assert_eq!((got.chat_kind, got.title.as_deref()), (ChatKind::Group, Some("plans")));
    assert_eq!(got.parent.unwrap().as_str(), "20");
    assert_eq!(got.guild.as_deref(), Some("1"));
    assert_eq!((got.id, got.at), (MessageId(175_928_847_299_117_063), 1_462_015_105_796));
    assert_eq!(got.sender.roles, ["7"]);
    assert_eq!((got.sender.name.as_str(), got.sender.username.as_deref()), ("Ann", Some("ann")));
}

#[test]
fn a_private_message_has_no_server() {
    let got = read(&said(DM, json!({"member": null}))).unwrap();
    assert_eq!((got.chat_kind, got.guild, got.parent, got.title), (ChatKind::Direct, None, None, None));
}

#[test]
fn a_nickname_and_roles_may_come_from_elsewhere() {
    let message = said(CHANNEL, json!({"member": null}));
    let member = json!({"nick": "Annie", "roles": ["8"]});
    let got = read_as(MessageKind::New, &message, Some(&member)).unwrap();
    assert_eq!(
        (got.sender.name.as_str(), got.sender.roles.as_slice()),
        ("Annie", ["8".to_owned()].as_slice())
    );
}

#[test]
fn what_we_wrote_is_no_event() {
    for changes in [
        json!({"author": {"id": "900", "bot": true}}),
        json!({"application_id": "901", "author": {"id": "60", "bot": true}}),
        json!({"application_id": "901", "webhook_id": "500", "author": {"id": "500", "bot": true}}),
    ] {
        assert_eq!(read(&said(CHANNEL, changes.clone())), None, "{changes}");
    }
    let other =
        json!({"application_id": "902", "webhook_id": "501", "author": {"id": "501", "username": "x"}});
    assert!(read(&said(CHANNEL, other)).unwrap().sender.is_bot, "a webhook of others is a bot");
}

#[test]
fn what_nobody_wrote_or_nobody_sees_is_no_event() {
    for changes in [json!({"type": 7}), json!({"type": 18}), json!({"type": 21}), json!({"content": " "})] {
        assert_eq!(read(&said(CHANNEL, changes.clone())), None, "{changes}");
    }
    assert_eq!(read(&said(CHANNEL, json!({"type": 987}))).unwrap().text, "hello");
}

#[test]
fn an_edit_is_named_after_its_time() {
    let message = said(CHANNEL, json!({"edited_timestamp": "2016-04-30T11:20:00.125000+00:00"}));
    let got = read_as(MessageKind::Edit, &message, None).unwrap();
    assert_eq!(got.key.as_str(), "edit:20:175928847299117063:1462015200125");
    assert_eq!(got.at, 1_462_015_200_125);
}

#[test]
fn a_mention_speaks_to_us_and_a_replys_ping_does_not() {
    let got = read(&said(
        CHANNEL,
        json!({"content": "<@900> hi <@56>",
        "mentions": [{"id": "900", "username": "bridge"}, {"id": "56", "username": "bob"}]}),
    ));
    let got = got.unwrap();
    assert_eq!((got.text.as_str(), got.mentions_us), ("@bridge hi @bob", true));
    let kinds: Vec<_> = got.spans.iter().map(|span| span.kind).collect();
    assert_eq!(kinds, [SpanKind::OurMention, SpanKind::Mention]);
    let reply = json!({"type": 19, "mentions": [{"id": "900"}],
        "message_reference": {"message_id": "5", "channel_id": "20"},
        "referenced_message": {"id": "5", "author": {"id": "900", "username": "bridge"}, "content": "**so**"}});
    let got = read(&said(CHANNEL, reply)).unwrap();
    assert!(!got.mentions_us);
    let quote = got.reply_to.unwrap();
    assert_eq!((quote.id, quote.ours), (Some(MessageId(5)), true));
    assert_eq!((quote.author.as_deref(), quote.text.as_deref()), (Some("bridge"), Some("**so**")));
}

#[test]
fn a_reply_to_what_is_gone_or_elsewhere_says_so() {
    let gone = json!({"type": 19, "message_reference": {"message_id": "5"}, "referenced_message": null});
    let quote = read(&said(CHANNEL, gone)).unwrap().reply_to.unwrap();
    assert_eq!((quote.id, quote.ours, quote.text), (Some(MessageId(5)), false, None));
    let elsewhere = json!({"message_reference": {"message_id": "5", "channel_id": "21"}});
    assert_eq!(read(&said(CHANNEL, elsewhere)).unwrap().reply_to.unwrap().id, None);
}

#[test]
fn what_is_passed_on_is_somebody_elses() {
    let forward = json!({"content": "", "message_reference": {"type": 1, "message_id": "5", "channel_id": "21"},
        "message_snapshots": [{"message": {"content": "<@900> look", "attachments": [{"filename": "a.txt"}]}}]});
    let got = read(&said(CHANNEL, forward)).unwrap();
    assert_eq!((got.text.as_str(), got.forwarded, got.mentions_us), ("@bridge look", true, false));
    assert_eq!((got.attachments.len(), got.reply_to), (1, None));
}
