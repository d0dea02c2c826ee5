//! Sending, editing, faults and what counts as a violation.

use std::time::Duration;

use roundtable_fakes::{Chaos, Fault, Flood, GroupKind, TelegramFake};
use serde_json::{Value, json};

use crate::Bot;

async fn chat_with_ann() -> (TelegramFake, Bot, roundtable_fakes::Seat) {
    let telegram = TelegramFake::start().await.unwrap();
    let ann = telegram.user("ann");
    ann.says("/start");
    let bot = Bot::of(&telegram);
    (telegram, bot, ann)
}

fn message(chat: i64, text: &str) -> Value {
    json!({"chat_id": chat, "text": text})
}

#[tokio::test]
async fn text_is_normalised_measured_and_given_back() {
    let (telegram, bot, ann) = chat_with_ann().await;
    let sent = bot.ok("SendMessage", message(ann.id(), " a\tb\r\n see @someone ")).await;
    assert_eq!(sent["text"], "a b\n see @someone");
    assert_eq!(sent["entities"], json!([{"type": "mention", "offset": 9, "length": 8}]));
    assert_eq!(sent["from"]["username"], "roundtable_bot");
    assert_eq!(ann.next_message().await.unwrap().text, "a b\n see @someone");

    bot.ok("sendMessage", message(ann.id(), &"\u{1f600}".repeat(4096))).await;
    let id = ann.next_message().await.unwrap().id;
    assert_eq!(
        bot.refused("sendMessage", message(ann.id(), &"x".repeat(4097))).await,
        "Bad Request: message is too long"
    );
    let edit = |text: &str| json!({"chat_id": ann.id(), "message_id": id, "text": text});
    assert_eq!(
        bot.refused("editMessageText", edit(&"x".repeat(4097))).await,
        "Bad Request: MESSAGE_TOO_LONG"
    );
    assert_eq!(bot.ok("editMessageText", edit("new")).await["text"], "new");
    let unchanged = bot.refused("editMessageText", edit(" new\t")).await;
    assert!(unchanged.starts_with("Bad Request: message is not modified: "), "{unchanged}");
    telegram.finish().unwrap();
}

#[tokio::test]
async fn edits_of_what_is_gone_or_foreign_are_told_apart() {
    let (telegram, bot, ann) = chat_with_ann().await;
    let theirs = ann.says("mine");
    let edit = |id: i64| json!({"chat_id": ann.id(), "message_id": id, "text": "x"});
    assert_eq!(bot.refused("editMessageText", edit(theirs.id)).await, "Bad Request: message can't be edited");
    assert_eq!(
        bot.refused("editMessageText", edit(theirs.id + 1)).await,
        "Bad Request: message to edit not found"
    );
    let reply = json!({"chat_id": ann.id(), "text": "x", "reply_parameters": {"message_id": theirs.id + 1}});
    assert_eq!(bot.refused("sendMessage", reply).await, "Bad Request: message to be replied not found");
    telegram.finish().unwrap();
}

#[tokio::test]
async fn what_a_correct_bot_never_does_fails_the_test() {
    let (telegram, bot, ann) = chat_with_ann().await;
    let cut = json!([{"type": "bold", "offset": 1, "length": 1}]);
    bot.ok("sendMessage", json!({"chat_id": ann.id(), "text": "\u{1f600}", "entities": cut})).await;
    bot.ok("sendMessage", json!({"chat_id": ann.id(), "text": "x", "reply_to": 1})).await;
    assert_eq!(bot.refused("getMessages", json!({})).await, "Not Found: method not found");
    bot.refused("sendMessage", json!({"chat_id": ann.id(), "text": "x", "parse_mode": "HTML"})).await;
    assert_eq!(bot.refused("sendMessage", message(ann.id(), "")).await, "Bad Request: message text is empty");
    assert_eq!(telegram.violations().len(), 5, "{:#?}", telegram.violations());
    let report = telegram.finish().unwrap_err().to_string();
    assert!(report.contains("cuts a surrogate pair") && report.contains("unread in chat"), "{report}");
}

#[tokio::test]
async fn drafts_and_unanswered_buttons_are_left_overs() {
    let (telegram, bot, ann) = chat_with_ann().await;
    bot.ok("sendMessageDraft", json!({"chat_id": ann.id(), "draft_id": 7, "text": "half a th"})).await;
    assert_eq!(ann.place().wait_for_draft(|text| text.len() > 4).await.unwrap(), "half a th");
    assert!(telegram.finish().unwrap_err().to_string().contains("only drafted in ann"));
    let keyboard = json!({"inline_keyboard": [[{"text": "Stop", "callback_data": "stop:1"}]]});
    bot.ok("sendMessage", json!({"chat_id": ann.id(), "text": "half a thing", "reply_markup": keyboard}))
        .await;
    let said = ann.next_message().await.unwrap();
    telegram.finish().unwrap();
    let query = ann.presses(&said, "stop:1").unwrap();
    assert!(telegram.finish().unwrap_err().to_string().contains("never answered"));
    bot.ok("answerCallbackQuery", json!({"callback_query_id": query.to_string(), "text": "done"})).await;
    let again = bot.refused("answerCallbackQuery", json!({"callback_query_id": query.to_string()})).await;
    assert_eq!(again, "Bad Request: query is too old and response timeout expired or query ID is invalid");
    telegram.finish().unwrap();
}

#[tokio::test]
async fn a_send_inside_a_penalty_window_is_a_violation() {
    let (telegram, bot, ann) = chat_with_ann().await;
    telegram.set(|settings| settings.flood = Some(Flood { chat_burst: 1.0, ..Flood::real() }));
    bot.ok("sendMessage", message(ann.id(), "one")).await;
    let flood = bot.call("sendMessage", message(ann.id(), "two")).await;
    assert_eq!(flood["error_code"], 429);
    assert_eq!(flood["parameters"]["retry_after"], 5);
    assert_eq!(telegram.violations(), Vec::<String>::new());
    telegram.advance(Duration::from_secs(1));
    bot.refused("sendChatAction", json!({"chat_id": ann.id(), "action": "typing"})).await;
    assert_eq!(telegram.violations().len(), 1);
    telegram.advance(Duration::from_secs(5));
    bot.ok("sendMessage", message(ann.id(), "two")).await;
    assert_eq!(telegram.violations().len(), 1);
}

/// What is sent again as soon as it was refused was not on its way before.
#[tokio::test]
async fn a_repetition_at_once_is_a_violation() {
    let (telegram, bot, ann) = chat_with_ann().await;
    telegram.fail_next("sendMessage", Fault::RateLimit { retry_after: 5 });
    bot.refused("sendMessage", message(ann.id(), "one")).await;
    assert_eq!(telegram.violations(), Vec::<String>::new());
    bot.refused("sendMessage", message(ann.id(), "one")).await;
    assert_eq!(telegram.violations().len(), 1, "{:?}", telegram.violations());
}

#[tokio::test]
async fn faults_say_no_more_than_they_should() {
    let (telegram, bot, ann) = chat_with_ann().await;
    let texts = || ann.place().messages().iter().map(|m| m.text.clone()).collect::<Vec<_>>();
    let lost = [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::Html502After,
        Fault::Html502Before,
        Fault::TruncatedJson,
    ];
    for fault in lost {
        telegram.fail_next("sendMessage", fault.clone());
        let text = format!("{fault:?}");
        assert!(bot.try_call("sendMessage", message(ann.id(), &text)).await.is_err(), "{text}");
    }
    assert_eq!(texts(), ["/start", "DropAfter", "Html502After", "TruncatedJson"]);
    telegram.fail_next_in(&ann.place(), "sendMessage", Fault::RateLimit { retry_after: 3 });
    let limited = bot.call("sendMessage", message(ann.id(), "x")).await;
    assert_eq!(limited["parameters"]["retry_after"], 3);
    telegram.fail_next("sendMessage", Fault::DropBefore);
    assert!(telegram.finish().unwrap_err().to_string().contains("never came"));
}

#[tokio::test]
async fn chaos_repeats_itself_from_its_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (telegram, bot, ann) = chat_with_ann().await;
        let error = Fault::Error { code: 500, description: "Internal Server Error".to_owned() };
        let methods = vec!["sendMessage".to_owned()];
        telegram.set_chaos(Some(Chaos { seed: 7, share: 0.5, faults: vec![error], methods }));
        let mut run = Vec::new();
        for _ in 0..40 {
            run.push(bot.call("sendMessage", message(ann.id(), "x")).await["ok"] == true);
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&true) && runs[0].contains(&false));
}

#[tokio::test]
async fn a_held_call_can_be_done_and_never_answered() {
    let (telegram, bot, ann) = chat_with_ann().await;
    let hold = telegram.hold("sendMessage");
    let call = |text: &'static str| {
        let (bot, chat) = (bot.clone(), ann.id());
        tokio::spawn(async move { bot.try_call("sendMessage", message(chat, text)).await })
    };
    let lost = call("done");
    hold.arrived().await.unwrap();
    assert_eq!(ann.place().messages().len(), 1);
    hold.process().await.unwrap();
    assert_eq!(ann.next_message().await.unwrap().text, "done");
    assert_eq!(telegram.violations(), Vec::<String>::new());
    call("too soon").await.unwrap().unwrap();
    assert_eq!(telegram.violations().len(), 1, "two sends at once to one chat");
    hold.cut();
    assert!(lost.await.unwrap().is_err());
}

#[tokio::test]
async fn people_and_groups_can_be_out_of_reach() {
    let (telegram, bot, ann) = chat_with_ann().await;
    ann.blocks_bot();
    assert_eq!(
        bot.refused("sendMessage", message(ann.id(), "x")).await,
        "Forbidden: bot was blocked by the user"
    );
    let bob = telegram.user("bob").in_group("team");
    let stranger = bot.refused("sendMessage", message(bob.id(), "x")).await;
    assert_eq!(stranger, "Forbidden: bot can't initiate conversation with a user");
    bob.place().kick_bot();
    let kicked = bot.refused("sendMessage", message(bob.place().chat_id(), "x")).await;
    assert_eq!(kicked, "Forbidden: bot was kicked from the supergroup chat");

    let old = telegram.new_group("old", GroupKind::Basic);
    let new = old.migrate();
    let moved = bot.call("sendMessage", message(old.chat_id(), "x")).await;
    assert_eq!(moved["description"], "Bad Request: group chat was upgraded to a supergroup chat");
    assert_eq!(moved["parameters"]["migrate_to_chat_id"], new.chat_id());
    bot.ok("sendMessage", message(new.chat_id(), "x")).await;
    new.next_message().await.unwrap();
    telegram.finish().unwrap();
    telegram.revoke_token();
    assert_eq!(bot.refused("getMe", json!({})).await, "Unauthorized");
}

#[tokio::test]
async fn forms_and_files_are_understood() {
    let (telegram, bot, ann) = chat_with_ann().await;
    let form = format!("chat_id={}&text=a%20%26+b", ann.id());
    let request = bot.client.post(format!("{}sendMessage", bot.base));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    assert!(request.send().await.unwrap().status().is_success());
    assert_eq!(ann.next_message().await.unwrap().text, "a & b");

    let part =
        |head: &str, body: &str| format!("--B\r\ncontent-disposition: form-data; {head}\r\n\r\n{body}\r\n");
    let file = part("name=\"document\"; filename=\"a.txt\"", "inside");
    let body = part("name=\"chat_id\"", &ann.id().to_string())
        + &part("name=\"caption\"", "see")
        + &file
        + "--B--\r\n";
    let request = bot.client.post(format!("{}sendDocument", bot.base));
    let request = request.header("content-type", "multipart/form-data; boundary=B").body(body);
    assert!(request.send().await.unwrap().status().is_success());
    let sent = ann.next_message().await.unwrap();
    assert_eq!((sent.text.as_str(), sent.file_text.as_deref()), ("see", Some("inside")));
    assert_eq!(sent.content["document"]["file_name"], "a.txt");
    telegram.finish().unwrap();
}

#[tokio::test]
async fn latency_runs_from_the_update_to_the_first_send() {
    let (telegram, bot, ann) = chat_with_ann().await;
    bot.updates(0).await;
    assert_eq!(telegram.latencies(), []);
    bot.ok("sendMessage", message(ann.id(), "one")).await;
    bot.ok("sendMessage", message(ann.id(), "two")).await;
    assert_eq!(telegram.latencies().len(), 1);
    assert_eq!(telegram.calls_of("sendMessage").len(), 2);
}

#[tokio::test]
async fn every_bot_has_its_own_chats_and_hears_only_those() {
    let (telegram, bot, ann) = chat_with_ann().await;
    let token = telegram.add_bot("coder_bot");
    let coder = Bot { base: format!("{}/bot{token}/", telegram.url()).into(), ..bot.clone() };
    let with_coder = ann.with_bot("coder_bot").unwrap();
    let unknown = coder.refused("sendMessage", message(ann.id(), "x")).await;
    assert_eq!(unknown, "Forbidden: bot can't initiate conversation with a user");
    with_coder.says("hi coder");
    assert_eq!(crate::texts(&bot.updates(0).await), ["/start"]);
    assert_eq!(crate::texts(&coder.updates(0).await), ["hi coder"]);
    let held = telegram.hold_in(&with_coder.place(), "sendMessage");
    coder.ok("getMe", json!({})).await;
    let send = coder.ok("sendMessage", message(ann.id(), "yes"));
    let release = async {
        held.arrived().await.unwrap();
        held.release();
    };
    tokio::join!(send, release);
    assert_eq!(with_coder.next_message().await.unwrap().text, "yes");
    assert_eq!(ann.place().messages().len(), 1);
    telegram.finish().unwrap();
}
