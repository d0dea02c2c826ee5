//! Every shape of update that we handle, as documentation.

use roundtable_contract::{Attachment, Span, SpanKind};
use serde_json::json;

use super::*;

impl Us {
    /// The bot of the examples.
    pub(crate) fn example() -> Self {
        Self { account: AccountId::new("telegram", "main"), id: 901, username: "bridge_bot".into() }
    }
}

fn ann() -> Value {
    json!({"id": 55, "is_bot": false, "first_name": "Ann", "username": "ann", "language_code": "en"})
}

fn private() -> Value {
    json!({"id": 55, "type": "private", "first_name": "Ann", "username": "ann"})
}

fn forum() -> Value {
    json!({"id": -1_001_234_567_890_i64, "type": "supergroup", "title": "G", "is_forum": true})
}

/// An update of `kind` whose message is message 10 of Ann in `chat` plus `fields`.
fn update(kind: &str, chat: Value, fields: Value) -> Value {
    let mut message = json!({"message_id": 10, "from": ann(), "chat": chat, "date": 1_795_000_000});
    let more = fields.as_object().unwrap().clone();
    message.as_object_mut().unwrap().extend(more);
    json!({"update_id": 1, kind: message})
}

fn event_of(update: Value) -> Option<Event> {
    read(&Us::example(), update).unwrap()
}

fn message_of(update: Value) -> Message {
    match event_of(update) {
        Some(Event::Message(message)) => *message,
        other => panic!("no message: {other:?}"),
    }
}

fn in_forum(fields: Value) -> Message {
    message_of(update("message", forum(), fields))
}

#[test]
fn a_private_topic_with_a_command() {
    let got = message_of(update(
        "message",
        private(),
        json!({"message_thread_id": 7, "is_topic_message": true, "text": "/ask@bridge_bot hi",
            "entities": [{"type": "bot_command", "offset": 0, "length": 15}]}),
    ));
    let expected = Message {
        key: EventKey::new("msg:55:10"),
        conversation: "telegram:main:55:7".parse().unwrap(),
        chat_kind: ChatKind::Direct,
        title: None,
        guild: None,
        parent: None,
        kind: MessageKind::New,
        sender: Sender {
            id: UserId::new("55"),
            name: "Ann".into(),
            username: Some("ann".into()),
            is_bot: false,
            roles: vec![],
        },
        id: MessageId(10),
        text: "/ask hi".into(),
        spans: vec![Span { start: 0, end: 4, kind: SpanKind::Command }],
        mentions_us: true,
        forwarded: false,
        reply_to: None,
        attachments: vec![],
        album: None,
        at: 1_795_000_000_000,
    };
    assert_eq!(got, expected);
}

#[test]
fn a_reply_in_general_is_in_no_thread() {
    let got = in_forum(json!({"message_thread_id": 9, "text": "x",
        "reply_to_message": {"message_id": 9, "from": ann(), "chat": forum(), "date": 1, "text": "root"}}));
    assert_eq!(got.conversation.to_string(), "telegram:main:-1001234567890");
    assert_eq!((got.chat_kind, got.title.as_deref()), (ChatKind::Group, Some("G")));
    let reply = got.reply_to.unwrap();
    assert_eq!((reply.id, reply.ours), (Some(MessageId(9)), false));
    assert_eq!((reply.author.as_deref(), reply.text.as_deref()), (Some("Ann"), Some("root")));
}

#[test]
fn an_answer_to_a_topics_root_is_no_reply() {
    let root = json!({"message_id": 12, "from": ann(), "chat": forum(), "date": 1, "message_thread_id": 12,
        "is_topic_message": true, "forum_topic_created": {"name": "s", "icon_color": 7_322_096}});
    let fields = json!({"message_thread_id": 12, "is_topic_message": true, "text": "x",
        "reply_to_message": root});
    let got = in_forum(fields);
    assert_eq!(got.conversation.to_string(), "telegram:main:-1001234567890:12");
    assert_eq!(got.reply_to, None);
}

#[test]
fn a_reply_within_a_topic_is_one() {
    let ours = json!({"message_id": 13, "from": {"id": 901, "is_bot": true, "first_name": "Bridge"},
        "chat": forum(), "date": 1, "message_thread_id": 12, "is_topic_message": true, "caption": "picture"});
    let fields = json!({"message_thread_id": 12, "is_topic_message": true, "text": "x",
        "reply_to_message": ours, "quote": {"text": "pic", "position": 0}});
    let reply = in_forum(fields.clone()).reply_to.unwrap();
    assert_eq!((reply.id, reply.ours), (Some(MessageId(13)), true));
    assert_eq!(reply.text.as_deref(), Some("pic"));
    let mut whole = fields;
    whole.as_object_mut().unwrap().remove("quote");
    assert_eq!(in_forum(whole).reply_to.unwrap().text.as_deref(), Some("picture"));
}

#[test]
fn an_external_reply_has_a_number_only_in_the_same_chat() {
    let fields = |chat: i64| {
        json!({"text": "x", "quote": {"text": "words"}, "external_reply": {
            "origin": {"type": "user", "sender_user": {"id": 901, "is_bot": true, "first_name": "Bridge"}},
            "chat": {"id": chat, "type": "supergroup", "title": "H"}, "message_id": 5}})
    };
    let elsewhere = in_forum(fields(-1009)).reply_to.unwrap();
    assert_eq!((elsewhere.id, elsewhere.ours), (None, true));
    assert_eq!((elsewhere.author.as_deref(), elsewhere.text.as_deref()), (Some("Bridge"), Some("words")));
    assert_eq!(in_forum(fields(-1_001_234_567_890)).reply_to.unwrap().id, Some(MessageId(5)));
}

#[test]
fn an_edit_is_named_by_its_time() {
    let got =
        message_of(update("edited_message", private(), json!({"edit_date": 1_795_000_009, "text": "y"})));
    assert_eq!(got.key, EventKey::new("edit:55:10:1795000009"));
    assert_eq!((got.kind, got.at), (MessageKind::Edit, 1_795_000_009_000));
}

#[test]
fn a_picture_of_an_album_has_its_caption_as_text() {
    let got = message_of(update(
        "message",
        private(),
        json!({"media_group_id": "135", "caption": "see @bridge_bot", "photo": [
            {"file_id": "S", "width": 1, "height": 1, "file_size": 10},
            {"file_id": "L", "width": 9, "height": 9, "file_size": 90},
            {"file_id": "M", "width": 3, "height": 3}],
            "caption_entities": [{"type": "mention", "offset": 4, "length": 11}]}),
    ));
    assert_eq!((got.text.as_str(), got.album.as_deref()), ("see @bridge_bot", Some("135")));
    assert!(got.mentions_us);
    assert_eq!(got.spans, [Span { start: 4, end: 15, kind: SpanKind::OurMention }]);
    let photo = Attachment { kind: "photo".into(), reference: "L".into(), name: None, size: Some(90) };
    assert_eq!(got.attachments, [photo]);
}

#[test]
fn attachments_of_every_kind() {
    let file = json!({"file_id": "A", "file_name": "a.bin", "file_size": 7});
    for kind in ["animation", "audio", "document", "sticker", "video", "video_note", "voice"] {
        let got = message_of(update("message", private(), json!({ kind: file })));
        let expected = Attachment {
            kind: kind.into(),
            reference: "A".into(),
            name: Some("a.bin".into()),
            size: Some(7),
        };
        assert_eq!(got.attachments, [expected]);
    }
    let twice = message_of(update("message", private(), json!({"animation": file, "document": file})));
    assert_eq!(twice.attachments.len(), 1);
}

#[test]
fn unknown_content_is_named() {
    let fields = json!({"rich_message": {"blocks": []}, "reply_markup": {}, "sender_tag": "x"});
    let got = message_of(update("message", private(), fields));
    let expected =
        Attachment { kind: "rich_message".into(), reference: String::new(), name: None, size: None };
    assert_eq!((got.text.as_str(), got.attachments), ("", vec![expected]));
    let text = message_of(update("message", private(), json!({"text": "x", "new_object": {}})));
    assert_eq!(text.attachments, []);
}

#[test]
fn an_unknown_entity_keeps_the_text() {
    let got = message_of(update(
        "message",
        private(),
        json!({"text": "tomorrow 5pm", "entities": [
            {"type": "date_time", "offset": 0, "length": 12, "unix_time": 1, "date_time_format": "r"},
            {"type": "code", "offset": "wrong"}, {"type": "code", "offset": 9, "length": 3}]}),
    ));
    assert_eq!(got.text, "tomorrow 5pm");
    assert_eq!(got.spans, [Span { start: 9, end: 12, kind: SpanKind::Code }]);
}

#[test]
fn both_ends_of_a_migration_are_one_event() {
    let old = json!({"id": -123, "type": "group", "title": "G"});
    let expected = Event::Moved {
        key: EventKey::new("moved:-123:-1001234567890"),
        account: Us::example().account,
        from: ChatId::new("-123"),
        to: ChatId::new("-1001234567890"),
    };
    let to = update("message", old, json!({"migrate_to_chat_id": -1_001_234_567_890_i64}));
    assert_eq!(event_of(to), Some(expected.clone()));
    let from = update("message", forum(), json!({"migrate_from_chat_id": -123}));
    assert_eq!(event_of(from), Some(expected));
}

#[test]
fn anonymous_administrators_and_channels_speak_as_their_chat() {
    let got = in_forum(json!({"text": "x", "sender_chat": forum(),
        "from": {"id": 1_087_968_824, "is_bot": true, "first_name": "Group"}}));
    assert_eq!((got.sender.id.as_str(), got.sender.name.as_str()), ("-1001234567890", "G"));
    assert!(!got.sender.is_bot);
}

#[test]
fn forwards_bots_and_wide_ids() {
    let got = in_forum(json!({"text": "x", "forward_origin": {"type": "hidden_user", "date": 1},
        "from": {"id": 4_503_599_627_370_495_i64, "is_bot": true, "first_name": "A", "last_name": "B"}}));
    assert!(got.forwarded && got.sender.is_bot);
    assert_eq!((got.sender.id.as_str(), got.sender.name.as_str()), ("4503599627370495", "A B"));
}

#[test]
fn messages_nobody_wrote_to_us_are_no_events() {
    for fields in [
        json!({"forum_topic_created": {"name": "s"}, "message_thread_id": 10, "is_topic_message": true}),
        json!({"forum_topic_edited": {"name": "new"}}),
        json!({"forum_topic_closed": {}}),
        json!({"forum_topic_reopened": {}}),
        json!({"general_forum_topic_hidden": {}}),
        json!({"new_chat_members": [ann()]}),
        json!({"pinned_message": {"message_id": 9, "chat": forum(), "date": 1, "text": "x"}}),
        json!({"suggested_post_approved": {}}),
        json!({"text": "x", "business_connection_id": "b"}),
        json!({"text": "x", "message_id": 0, "ephemeral_message_id": 3}),
        json!({"text": "x", "from": {"id": 901, "is_bot": true, "first_name": "Bridge"}}),
        json!({}),
    ] {
        assert_eq!(event_of(update("message", forum(), fields.clone())), None, "{fields}");
    }
}

#[test]
fn other_kinds_of_update_are_no_events() {
    for (kind, content) in [
        ("callback_query", json!({"id": "4", "from": ann(), "chat_instance": "1", "data": "a:1"})),
        ("callback_query", json!({"id": "4", "message": {"message_id": 16, "chat": private(), "date": 0}})),
        ("message_reaction", json!({"chat": forum(), "message_id": 5, "user": ann(), "date": 1})),
        ("my_chat_member", json!({"chat": private(), "from": ann(), "date": 1})),
        ("guest_message", json!({"message_id": 13, "from": ann(), "chat": forum(), "text": "@b hi"})),
        ("managed_bot", json!({"user": ann(), "bot": {"id": 77}})),
    ] {
        assert_eq!(event_of(json!({"update_id": 3, kind: content})), None, "{kind}");
    }
}

#[test]
fn fields_beside_the_message_hide_it_not() {
    let mut unknown = update("message", private(), json!({"text": "x"}));
    unknown["a_new_field"] = json!({"text": "y"});
    assert_eq!(message_of(unknown).text, "x");
    assert_eq!(event_of(json!({"update_id": 3})), None);
}

#[test]
fn wrong_types_cost_only_their_own_field() {
    let got = in_forum(json!({"text": "x", "date": "soon", "media_group_id": 5, "quote": [],
        "reply_to_message": "nonsense", "external_reply": 3, "entities": {}, "message_thread_id": "y",
        "is_topic_message": 1}));
    assert_eq!((got.text.as_str(), got.at, got.reply_to, got.album), ("x", 0, None, None));
    assert_eq!(got.conversation.thread, None);
}

#[test]
fn what_has_no_chat_number_or_author_is_unreadable() {
    for update in [
        json!(7),
        json!({"update_id": 3, "message": "text"}),
        json!({"update_id": 3, "message": {"message_id": 1, "from": ann(), "text": "x"}}),
        json!({"update_id": 3, "message": {"message_id": "1", "from": ann(), "chat": private(), "text": "x"}}),
        json!({"update_id": 3, "message": {"message_id": 1, "chat": private(), "text": "x"}}),
    ] {
        assert!(read(&Us::example(), update.clone()).is_err(), "{update}");
    }
}

#[test]
fn numbers_of_updates() {
    assert_eq!(update_id(&json!({"update_id": 7})), Some(7));
    for update in [json!({}), json!({"update_id": "7"}), json!({"update_id": 1_u64 << 40}), json!([])] {
        assert_eq!(update_id(&update), None, "{update}");
    }
}

#[test]
fn a_topic_that_we_opened_is_told_of_and_those_of_others_are_not() {
    let opened = |from: i64| {
        let bot = json!({"id": from, "is_bot": true, "first_name": "B"});
        event_of(update(
            "message",
            forum(),
            json!({"from": bot, "message_thread_id": 10, "is_topic_message": true,
                "forum_topic_created": {"name": "coder", "icon_color": 7_322_096}}),
        ))
    };
    let expected = Event::Opened {
        key: EventKey::new("topic:-1001234567890:10"),
        conversation: "telegram:main:-1001234567890:10".parse().unwrap(),
        name: "coder".into(),
    };
    assert_eq!(opened(Us::example().id), Some(expected));
    assert_eq!(opened(7), None);
}
