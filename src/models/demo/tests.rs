mod story;

use futures::StreamExt;
use serde_json::json;

use super::*;
use crate::models::{ModelMessage, ToolSpec};

fn user(text: &str) -> ModelMessage {
    ModelMessage::User(text.into())
}

fn request(messages: Vec<ModelMessage>, tools: &[&str]) -> Request {
    let tool =
        |name: &&str| ToolSpec { name: (*name).into(), description: String::new(), schema: json!({}).into() };
    Request {
        system: "You are Manager.".into(),
        messages,
        tools: tools.iter().map(tool).collect(),
        cache_key: "k".into(),
    }
}

/// What it says to `text` in the middle of a conversation.
fn reply(text: &str) -> String {
    let before = Answer { text: "…".into(), ..Answer::default() };
    play(&request(vec![user("…"), ModelMessage::Assistant(before), user(text)], &["agents_list"])).text
}

#[test]
fn it_introduces_itself_once() {
    let first = request(vec![user("Ship it")], &[]);
    let answer = play(&first);
    assert_eq!(answer.text, format!("{INTRODUCTION}\n\nYou wrote: Ship it"));
    let second = request(vec![user("Ship it"), ModelMessage::Assistant(answer), user("Now")], &[]);
    assert_eq!(play(&second).text, "You wrote: Now");
}

#[test]
fn it_calls_a_tool_it_is_offered_and_tells_the_result() {
    let mut asked = request(vec![user("Who is at the table?")], &["agents_list"]);
    let answer = play(&asked);
    let call = ToolCall { id: "demo_1_0".into(), name: "agents_list".into(), arguments: json!({}) };
    assert_eq!(answer, Answer { calls: vec![call], ..Answer::default() });

    let content = json!({"status": "ok", "agents": [{"id": "manager", "name": "Manager"}, {"agentId": "coder"}, "ann"]});
    asked.messages.push(ModelMessage::Assistant(answer));
    asked.messages.push(ModelMessage::Tool { call_id: "demo_1_0".into(), content: content.to_string() });
    let told = play(&asked);
    assert_eq!(told.text, format!("{INTRODUCTION}\n\nAt the table: Manager, coder and ann."));
    assert_eq!(told.calls, []);

    // Asked again, it looks again: the old result belongs to the old question.
    asked.messages.push(ModelMessage::Assistant(told));
    asked.messages.push(user("And now, who is at the table?"));
    assert_eq!(play(&asked).calls[0].id, "demo_5_0");
}

#[test]
fn it_calls_nothing_it_is_not_offered() {
    let answer = play(&request(vec![user("Who is at the table?")], &["exec"]));
    assert_eq!(answer.calls, []);
    assert!(answer.text.ends_with("I was given no way to look around."), "{}", answer.text);
}

#[test]
fn a_result_it_does_not_understand_is_not_shown() {
    let mut asked = request(vec![user("who is here?")], &["agents_list"]);
    let answer = play(&asked);
    asked.messages.push(ModelMessage::Assistant(answer));
    asked.messages.push(ModelMessage::Tool { call_id: "demo_1_0".into(), content: "<canary>".into() });
    assert!(!play(&asked).text.contains("canary"));
}

#[test]
fn it_answers_common_things_plainly() {
    let said = ["Hi there", "Can you help?", "thanks", "", "  ", "this has hints"].map(reply).join("\n---\n");
    insta::assert_snapshot!(said, @r#"
    Hello! Ask me for help to see what can be tried.
    ---
    You can try:
    - "Who is at the table?": I call a tool and tell you what it found.
    - anything else: I repeat it, so that you see a message come and an answer go.
    ---
    You are welcome.
    ---
    I heard nothing. Ask me for help to see what can be tried.
    ---
    I heard nothing. Ask me for help to see what can be tried.
    ---
    You wrote: this has hints
    "#);
}

#[test]
fn long_texts_are_cut_between_characters() {
    let answer = reply(&"ö".repeat(301));
    assert_eq!(answer, format!("You wrote 301 characters, beginning with: {} …", "ö".repeat(300)));
}

#[tokio::test]
async fn it_streams_in_words_and_ends_with_the_whole() {
    let demo = Demo::new(8_000);
    let request = request(vec![user("one two  three\nfour")], &[]);
    let events: Vec<_> = demo.stream(request.clone()).map(Result::unwrap).collect().await;
    let [texts @ .., ModelEvent::End(end)] = events.as_slice() else { panic!("no end in {events:?}") };
    let streamed: String = texts
        .iter()
        .map(|event| match event {
            ModelEvent::Text(text) => text.as_str(),
            ModelEvent::End(_) => panic!("a second end"),
        })
        .collect();
    assert!(texts.len() > 10);
    assert_eq!(streamed, end.answer.text);
    assert_eq!(end.model, "demo");
    assert_eq!(end.usage.cost_micros, Some(0));
    assert!(end.usage.input > 0 && end.usage.output > 0);
    let again: Vec<_> = demo.stream(request).map(Result::unwrap).collect().await;
    assert_eq!(again, events);
}
