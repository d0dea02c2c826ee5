use super::*;

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn calls(pieces: Value) -> Value {
    delta(json!({"tool_calls": pieces}))
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn usage() -> Value {
    json!({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 60}}})
}

fn stream(values: &[Value]) -> Reply {
    Reply::stream(&format!("{}data: [DONE]\n\n", data(values)))
}

#[tokio::test]
async fn text_usage_and_request_are_openais() {
    let server = Server::with([stream(&[
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"content": "Hel"})),
        delta(json!({"content": "lo"})),
        finish("stop"),
        usage(),
    ])])
    .await;
    // A name that ends like a reasoning effort is sent as it is, without an effort.
    let named = ModelSpec {
        model: "qwen-max".into(),
        ..spec(Provider::OpenAi, Some(format!("{}/v1/", server.address)))
    };
    let end = completion(&client(&named), hello()).await;
    assert_eq!(end.answer, Answer { text: "Hello".into(), ..Answer::default() });
    assert_eq!(end.model, "openai/qwen-max");
    // (40 + 60 × 0.1) × 3 + 20 × 15
    assert_eq!(end.usage, Usage { input: 100, cached: 60, output: 20, cost_micros: Some(438) });

    let seen = server.only();
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.headers["authorization"], "Bearer key-canary");
    let parameters = json!({"type": "object", "properties": {}});
    let tool = |name: &str| {
        json!({"type": "function", "function":
        {"name": name, "description": format!("{name} it"), "parameters": parameters, "strict": false}})
    };
    assert_eq!(
        seen.body,
        json!({
            "model": "qwen-max",
            "stream": true,
            "stream_options": {"include_usage": true},
            "max_tokens": 512,
            "messages": [
                {"role": "system", "content": "You are Manager."},
                {"role": "user", "content": "Hello"},
            ],
            "tools": [tool("ls"), tool("web_search")],
        })
    );
}

#[tokio::test]
async fn calls_arrive_in_pieces_numbered_from_anywhere() {
    let server = Server::with([
        stream(&[
            calls(json!([{"index": 0, "id": "c1", "function": {"name": "ls", "arguments": ""}}])),
            calls(json!([{"index": 0, "function": {"arguments": "{\"a\""}}])),
            calls(json!([{"index": 1, "function": {"name": "rm", "arguments": "{oops"}}])),
            calls(json!([{"index": 0, "function": {"arguments": ":1}"}}])),
            finish("tool_calls"),
        ]),
        stream(&[
            calls(json!([{"index": 1, "id": "c1", "function": {"name": "ls", "arguments": ""}}])),
            calls(json!([{"index": 1, "function": {"arguments": "{\"a\":1}"}}])),
            finish("tool_calls"),
        ]),
    ])
    .await;
    let client = server.client(Provider::OpenAi);
    let end = completion(&client, hello()).await;
    let whole = call("c1", "ls", json!({"a": 1}));
    assert_eq!(end.answer.calls, [whole.clone(), call("call_1", "rm", json!("{oops"))]);
    assert_eq!(completion(&client, hello()).await.answer.calls, [whole]);
}

#[tokio::test]
async fn reasoning_goes_back_between_a_call_and_its_result() {
    let server = Server::with([
        stream(&[
            delta(json!({"reasoning_content": "Hm."})),
            calls(json!([{"index": 0, "id": "c1", "function": {"name": "ls", "arguments": "{}"}}])),
            finish("tool_calls"),
        ]),
        stream(&[
            delta(json!({"reasoning_content": "So."})),
            delta(json!({"content": "Done."})),
            finish("stop"),
        ]),
    ])
    .await;
    let client = server.client(Provider::OpenAi);
    let first = completion(&client, hello()).await.answer;
    let messages = vec![
        ModelMessage::User("Hello".into()),
        ModelMessage::Assistant(first),
        ModelMessage::Tool { call_id: "c1".into(), content: "a".into() },
    ];
    let second = completion(&client, request(messages)).await.answer;
    assert_eq!(second, Answer { text: "Done.".into(), ..Answer::default() });
    let sent = server.seen.lock().unwrap()[1].body["messages"].clone();
    assert_eq!(
        sent[2],
        json!({"role": "assistant", "content": "", "reasoning_content": "Hm.", "tool_calls": [
            {"type": "function", "id": "c1", "function": {"name": "ls", "arguments": "{}"}}]})
    );
    assert_eq!(sent[3], json!({"role": "tool", "content": "a", "tool_call_id": "c1"}));
}

#[tokio::test]
async fn usage_that_is_not_reported_is_estimated() {
    let server = Server::with([stream(&[delta(json!({"content": "x".repeat(36)})), finish("stop")])]).await;
    let end = completion(&server.client(Provider::OpenAi), hello()).await;
    assert_eq!(end.usage.output, 10);
    assert_eq!(end.usage.input, tokens::of_request(&hello()));
}

#[tokio::test]
async fn an_error_inside_the_stream_is_classified() {
    let error = |kind: &str| Reply::stream(&data(&[json!({"error": {"type": kind, "message": "boom"}})]));
    let server =
        Server::with([error("server_error"), error("insufficient_quota"), error("rate_limit_exceeded")])
            .await;
    let client = server.client(Provider::OpenAi);
    let model = || "openai/model-x".to_string();
    assert_eq!(
        failure(&client, hello()).await,
        ModelError::Unavailable { model: model(), reason: "it failed (500)".into() }
    );
    assert_eq!(
        failure(&client, hello()).await,
        ModelError::Refused {
            model: model(),
            reason: "the account behind models.main.api_key has no credit left".into()
        }
    );
    assert_eq!(failure(&client, hello()).await, ModelError::RateLimited { model: model(), after: None });
}
