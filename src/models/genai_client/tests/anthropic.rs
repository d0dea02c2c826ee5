use super::*;

fn start() -> Value {
    json!({"type": "message_start", "message": {"usage": {"input_tokens": 10, "cache_read_input_tokens": 1_000,
        "cache_creation_input_tokens": 100, "output_tokens": 1}}})
}

fn block(index: u32, block: Value, deltas: &[Value]) -> Vec<Value> {
    let mut events = vec![json!({"type": "content_block_start", "index": index, "content_block": block})];
    events.extend(
        deltas.iter().map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})),
    );
    events.push(json!({"type": "content_block_stop", "index": index}));
    events
}

fn text(index: u32, pieces: &[&str]) -> Vec<Value> {
    let deltas: Vec<_> = pieces.iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
    block(index, json!({"type": "text", "text": ""}), &deltas)
}

fn tool_use(index: u32, id: &str, name: &str, pieces: &[&str]) -> Vec<Value> {
    let deltas: Vec<_> =
        pieces.iter().map(|piece| json!({"type": "input_json_delta", "partial_json": piece})).collect();
    block(index, json!({"type": "tool_use", "id": id, "name": name, "input": {}}), &deltas)
}

fn stop(reason: &str) -> Vec<Value> {
    vec![
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 42}}),
        json!({"type": "message_stop"}),
    ]
}

fn stream(parts: impl IntoIterator<Item = Vec<Value>>) -> Reply {
    let events: Vec<_> = std::iter::once(start()).chain(parts.into_iter().flatten()).collect();
    Reply::stream(&named(&events))
}

#[tokio::test]
async fn text_is_streamed_and_usage_and_cost_are_counted() {
    let reply = stream([text(0, &["Hel", "lo, Ann ", "\u{1}\u{7f}\r\n\t👋"]), stop("end_turn")]);
    // Pieces end in the middle of events, lines and characters.
    let server = Server::with([reply.in_pieces_of(7)]).await;
    let end = completion(&server.client(Provider::Anthropic), hello()).await;
    assert_eq!(end.answer.text, "Hello, Ann \u{1}\u{7f}\r\n\t👋");
    assert_eq!(end.model, "anthropic/model-x");
    // (10 + 1,000 × 0.1 + 100 × 1.25) × 3 + 42 × 15
    assert_eq!(end.usage, Usage { input: 1_110, cached: 1_000, output: 42, cost_micros: Some(1_335) });
}

#[tokio::test]
async fn a_request_carries_key_tools_and_cache_marks() {
    let server = Server::with([stream([stop("end_turn")])]).await;
    completion(&server.client(Provider::Anthropic), hello()).await;
    let seen = server.only();
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(seen.headers["x-api-key"], "key-canary");
    let cached = json!({"type": "ephemeral"});
    assert_eq!(
        seen.body,
        json!({
            "model": "model-x",
            "stream": true,
            "max_tokens": 512,
            "system": [{"type": "text", "text": "You are Manager.", "cache_control": cached}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": cached}]}],
            "tools": [
                {"name": "ls", "description": "ls it", "input_schema": {"type": "object", "properties": {}}},
                {"name": "search_the_web", "description": "web_search it",
                 "input_schema": {"type": "object", "properties": {}}},
            ],
        })
    );
}

#[tokio::test]
async fn calls_arrive_in_pieces_and_broken_arguments_as_a_text() {
    let reply = stream([
        text(0, &["Looking."]),
        tool_use(1, "toolu_1", "ls", &["", "{\"pa", "th\":\"/tmp\"}"]),
        tool_use(2, "toolu_2", "ls", &["{\"path\":"]),
        tool_use(3, "toolu_3", "search_the_web", &[]),
        stop("tool_use"),
    ]);
    let server = Server::with([reply]).await;
    let end = completion(&server.client(Provider::Anthropic), hello()).await;
    assert_eq!(
        end.answer,
        Answer {
            text: "Looking.".into(),
            calls: vec![
                call("toolu_1", "ls", json!({"path": "/tmp"})),
                call("toolu_2", "ls", json!("{\"path\":")),
                call("toolu_3", "web_search", json!({})),
            ],
            opaque: None,
        }
    );
}

#[tokio::test]
async fn thinking_goes_back_as_it_came_with_the_results_in_one_message() {
    let thinking = block(
        0,
        json!({"type": "thinking", "thinking": "", "signature": ""}),
        &[
            json!({"type": "thinking_delta", "thinking": "Hm, "}),
            json!({"type": "thinking_delta", "thinking": "files."}),
            json!({"type": "signature_delta", "signature": "c2lnbmF0dXJl"}),
        ],
    );
    let redacted = block(1, json!({"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"}), &[]);
    let first = stream([
        thinking,
        redacted,
        text(2, &["Looking."]),
        tool_use(3, "toolu_1", "ls", &["{}"]),
        tool_use(4, "toolu_2", "ls", &["[1]"]),
        stop("tool_use"),
    ]);
    let second = || stream([text(0, &["Two files."]), stop("end_turn")]);
    let server = Server::with([first, second(), second()]).await;
    let client = server.client(Provider::Anthropic);
    let answer = completion(&client, hello()).await.answer;
    assert!(answer.opaque.is_some());

    // Through the transcript and back.
    let stored = serde_json::to_string(&answer).unwrap();
    let result = |id: &str| ModelMessage::Tool { call_id: id.into(), content: "a".into() };
    let messages = vec![
        ModelMessage::User("Hello".into()),
        ModelMessage::Assistant(serde_json::from_str(&stored).unwrap()),
        result("toolu_1"),
        result("toolu_2"),
    ];
    completion(&client, request(messages.clone())).await;
    let sent = server.seen.lock().unwrap()[1].body["messages"].clone();
    assert_eq!(
        sent,
        json!([
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm, files.", "signature": "c2lnbmF0dXJl"},
                {"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"},
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}},
                {"type": "tool_use", "id": "toolu_2", "name": "ls", "input": {"invalid_arguments": [1]}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "a",
                 "cache_control": {"type": "ephemeral"}},
            ]},
        ])
    );

    // Another model is not shown thoughts that it did not have.
    let other =
        ModelSpec { model: "model-y".into(), ..spec(Provider::Anthropic, Some(server.address.clone())) };
    completion(&super::client(&other), request(messages)).await;
    let sent = server.seen.lock().unwrap()[2].body["messages"][1]["content"].clone();
    assert_eq!(sent[0], json!({"type": "text", "text": "Looking."}));
}

#[tokio::test]
async fn what_a_provider_would_refuse_is_not_sent() {
    let server = Server::with([stream([stop("end_turn")])]).await;
    let foreign = Answer { calls: vec![call("functions.ls:0", "ls", json!({}))], ..Answer::default() };
    let messages = vec![
        ModelMessage::User("Hello".into()),
        ModelMessage::Assistant(Answer::default()),
        ModelMessage::User("Still there?".into()),
        ModelMessage::Assistant(foreign),
        ModelMessage::Tool { call_id: "functions.ls:0".into(), content: "a".into() },
    ];
    completion(&server.client(Provider::Anthropic), request(messages)).await;
    let sent = server.only().body["messages"].clone();
    assert_eq!(sent.as_array().unwrap().len(), 4, "{sent}");
    assert_eq!(
        sent[2]["content"],
        json!([{"type": "tool_use", "id": "functions_ls_0", "name": "ls", "input": {}}])
    );
    assert_eq!(sent[3]["content"][0]["tool_use_id"], "functions_ls_0");
}

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    let server = Server::with([stream([stop("end_turn")])]).await;
    let end = completion(&server.client(Provider::Anthropic), hello()).await;
    assert_eq!(end.answer, Answer::default());
}

#[tokio::test]
async fn an_overload_inside_the_stream_is_an_outage() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let server =
        Server::with([stream([vec![error.clone()]]), stream([text(0, &["Hel"]), vec![error]])]).await;
    let client = server.client(Provider::Anthropic);
    let expected = ModelError::Unavailable {
        model: "anthropic/model-x".into(),
        reason: "it is overloaded (529)".into(),
    };
    assert_eq!(failure(&client, hello()).await, expected);
    assert_eq!(events(&client, hello()).await, [Ok(ModelEvent::Text("Hel".into())), Err(expected)]);
}

#[tokio::test]
async fn a_stream_that_just_stops_is_no_answer() {
    let server = Server::with([stream([text(0, &["Half an"])]), stream([])]).await;
    let client = server.client(Provider::Anthropic);
    let cut =
        ModelError::Unavailable { model: "anthropic/model-x".into(), reason: "its answer broke off".into() };
    assert_eq!(events(&client, hello()).await, [Ok(ModelEvent::Text("Half an".into())), Err(cut.clone())]);
    assert_eq!(failure(&client, hello()).await, cut);
}

#[tokio::test]
async fn a_refusal_is_told_as_one() {
    let server = Server::with([stream([stop("refusal")])]).await;
    let error = failure(&server.client(Provider::Anthropic), hello()).await;
    assert_eq!(error.to_string(), "anthropic/model-x refused the request: it declined to answer (refusal)");
}

#[tokio::test]
async fn a_long_answer_arrives_whole() {
    let piece = "0123456789abcdef".repeat(64);
    let server = Server::with([stream([text(0, &vec![piece.as_str(); 300]), stop("end_turn")])]).await;
    let end = completion(&server.client(Provider::Anthropic), hello()).await;
    assert_eq!(end.answer.text, piece.repeat(300));
}
