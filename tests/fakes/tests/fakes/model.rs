//! The model server, spoken to in raw HTTP.

use roundtable_fakes::{Api, ModelFake, Reply, Role};
use serde_json::{Value, json};

use crate::client;

async fn post(model: &ModelFake, path: &str, body: &Value) -> reqwest::Response {
    let request = client().post(format!("{}{path}", model.url())).json(body);
    let request =
        request.bearer_auth("key").header("x-api-key", "key").header("anthropic-version", "2023-06-01");
    request.send().await.unwrap()
}

/// The JSON values of a stream of server-sent events.
async fn events(response: reqwest::Response) -> Vec<Value> {
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn openai(text: &str) -> Value {
    json!({"model": "m", "stream": true, "stream_options": {"include_usage": true},
           "messages": [{"role": "system", "content": "soul"}, {"role": "user", "content": text}]})
}

fn anthropic(text: &str) -> Value {
    json!({"model": "m", "stream": true, "max_tokens": 9, "system": "soul", "messages": [{"role": "user", "content": text}]})
}

fn joined(events: &[Value], pointer: &str) -> String {
    events.iter().filter_map(|event| event.pointer(pointer)).filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn openai_streams_text_calls_and_usage() {
    let model = ModelFake::start().await.unwrap();
    model.when(
        "hi",
        Reply::chunks(["hel", "lo"]).and_calls([("sessions_spawn", json!({"task": "write a long letter"}))]),
    );
    let events = events(post(&model, "chat/completions", &openai("hi there")).await).await;
    assert_eq!(joined(&events, "/choices/0/delta/content"), "hello");
    let arguments = joined(&events, "/choices/0/delta/tool_calls/0/function/arguments");
    assert_eq!(arguments, r#"{"task":"write a long letter"}"#);
    assert_eq!(joined(&events, "/choices/0/finish_reason"), "tool_calls");
    assert_eq!(events.last().unwrap()["usage"]["prompt_tokens"], 4);
    let request = &model.requests()[0];
    assert_eq!(
        (request.api, request.system.as_str(), request.last_user_text()),
        (Api::OpenAi, "soul", "hi there")
    );
    model.finish().unwrap();
}

#[tokio::test]
async fn anthropic_streams_text_calls_and_usage() {
    let model = ModelFake::start().await.unwrap();
    model.when("hi", Reply::chunks(["hel", "lo"]).and_calls([("sessions_list", json!({"limit": 3}))]));
    let events = events(post(&model, "messages", &anthropic("hi there")).await).await;
    assert_eq!(joined(&events, "/delta/text"), "hello");
    assert_eq!(joined(&events, "/delta/partial_json"), r#"{"limit":3}"#);
    assert_eq!(joined(&events, "/delta/stop_reason"), "tool_use");
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("message_start", "message_stop"));
    assert!(kinds.contains(&"ping"));
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 4);
    model.finish().unwrap();
}

#[tokio::test]
async fn without_a_rule_the_model_echoes() {
    let model = ModelFake::start().await.unwrap();
    for (path, mut body, pointer) in [
        ("chat/completions", openai("a"), "/choices/0/message/content"),
        ("messages", anthropic("a"), "/content/0/text"),
    ] {
        body["stream"] = json!(false);
        let answer: Value = post(&model, path, &body).await.json().await.unwrap();
        assert_eq!(answer.pointer(pointer), Some(&json!("echo: a")), "{answer}");
    }
}

#[tokio::test]
async fn every_call_needs_its_result_directly_after() {
    let model = ModelFake::start().await.unwrap();
    let call =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "ls", "arguments": "{}"}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
    let user = json!({"role": "user", "content": "go"});
    let asked = json!({"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]});
    let good = json!([user, asked, result("b"), result("a")]);
    let bad = [
        json!([user, asked, result("a")]),
        json!([user, asked, result("a"), user, result("b")]),
        json!([user, asked, result("a"), result("b"), result("b")]),
        json!([user, result("a")]),
    ];
    assert_eq!(
        post(&model, "chat/completions", &json!({"model": "m", "messages": good})).await.status(),
        200
    );
    assert_eq!(model.requests()[0].results(), [("ls", "ok"), ("ls", "ok")]);
    model.finish().unwrap();
    for messages in &bad {
        let response = post(&model, "chat/completions", &json!({"model": "m", "messages": messages})).await;
        assert_eq!(response.status(), 400, "{messages}");
        assert_eq!(response.json::<Value>().await.unwrap()["error"]["type"], "invalid_request_error");
    }
    assert_eq!(model.violations().len(), bad.len());
}

#[tokio::test]
async fn anthropic_takes_results_as_first_blocks_of_the_user() {
    let model = ModelFake::start().await.unwrap();
    let asked =
        json!({"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "ls", "input": {}}]});
    let result = json!({"type": "tool_result", "tool_use_id": "a", "content": "ok"});
    let text = json!({"type": "text", "text": "and?"});
    let with = |content: Value| {
        json!({"model": "m", "max_tokens": 9,
               "messages": [{"role": "user", "content": "go"}, asked, {"role": "user", "content": content}]})
    };
    assert_eq!(post(&model, "messages", &with(json!([result, text]))).await.status(), 200);
    let roles: Vec<Role> = model.requests()[0].messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::User]);
    for content in [json!([text, result]), json!([text]), json!([result, {"type": "text", "text": " "}])] {
        let response = post(&model, "messages", &with(content.clone())).await;
        assert_eq!(response.status(), 400, "{content}");
        assert_eq!(response.json::<Value>().await.unwrap()["type"], "error");
    }
    assert_eq!(model.violations().len(), 3);
}

#[tokio::test]
async fn requests_without_a_key_a_name_or_a_schema_are_refused() {
    let model = ModelFake::start().await.unwrap();
    let url = format!("{}chat/completions", model.url());
    let bare = client().post(url).json(&openai("a")).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    let mut request = openai("a");
    let function = json!({"name": "ls", "description": "lists", "parameters": {"type": "string"}});
    request["tools"] = json!([{"type": "function", "function": function}]);
    assert_eq!(post(&model, "chat/completions", &request).await.status(), 400);
    let mut request = openai("a");
    request["colour"] = json!("red");
    assert_eq!(post(&model, "chat/completions", &request).await.status(), 400);
    assert_eq!(post(&model, "responses", &openai("a")).await.status(), 404);
    assert_eq!(model.violations().len(), 4);
}

#[tokio::test]
async fn scripted_failures_look_like_the_providers() {
    let model = ModelFake::start().await.unwrap();
    model.once("x", Reply::rate_limited(7));
    model.once("x", Reply::text("half").truncated());
    model.once("x", Reply::text("half").then_overloaded());
    model.once("x", Reply::text("half").broken());
    model.once("x", Reply::huge());
    let limited = post(&model, "messages", &anthropic("x")).await;
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    let cut = events(post(&model, "messages", &anthropic("x")).await).await;
    assert_eq!(
        (joined(&cut, "/delta/text").as_str(), joined(&cut, "/delta/stop_reason").as_str()),
        ("half", "")
    );
    let overloaded = events(post(&model, "messages", &anthropic("x")).await).await;
    assert_eq!(overloaded.last().unwrap()["error"]["type"], "overloaded_error");
    assert!(post(&model, "messages", &anthropic("x")).await.text().await.is_err());
    let huge = events(post(&model, "messages", &anthropic("x")).await).await;
    assert!(joined(&huge, "/delta/text").len() > 300_000);
    model.finish().unwrap();
}

#[tokio::test]
async fn a_held_request_can_be_released_or_abandoned() {
    let model = ModelFake::start().await.unwrap();
    let (reply, pause) = Reply::chunks(["one", "two"]).pausing_after(1);
    model.when("slow", reply);
    let mut response = post(&model, "chat/completions", &openai("slow")).await;
    pause.arrived().await.unwrap();
    let mut seen = String::new();
    while !seen.contains("one") {
        seen += &String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap());
    }
    assert!(!seen.contains("two"));
    assert_eq!(model.in_flight(), 1);
    drop(response);
    model.wait_for_abandoned("the slow one", |request| request.asks("slow")).await.unwrap();
    assert_eq!(model.in_flight(), 0);

    let hold = model.hold("wait");
    let body = openai("wait");
    let answer = async { events(post(&model, "chat/completions", &body).await).await };
    let release = async {
        hold.arrived().await.unwrap();
        assert_eq!(model.in_flight(), 1);
        hold.release();
    };
    let (events, ()) = tokio::join!(answer, release);
    assert_eq!(joined(&events, "/choices/0/delta/content"), "echo: wait");
}

#[tokio::test]
async fn all_requests_can_wait_to_be_picked() {
    let model = ModelFake::start().await.unwrap();
    model.hold_all();
    let ask = async |text: &str| post(&model, "chat/completions", &openai(text)).await.text().await.unwrap();
    let picks = async {
        for text in ["two", "one"] {
            let request = model.wait_for_request(text, |request| request.asks(text)).await.unwrap();
            let waiting = loop {
                let waiting = model.waiting();
                if let Some(found) = waiting.into_iter().find(|one| one.number == request.number) {
                    break found;
                }
                tokio::task::yield_now().await;
            };
            assert!(model.answer(&waiting) && !model.answer(&waiting));
        }
        assert_eq!(model.waiting_count(), 0);
    };
    let (one, two, ()) = tokio::join!(ask("one"), ask("two"), picks);
    assert!(one.contains("one") && two.contains("two"));
    model.finish().unwrap();
}
