//! Gemini and Ollama: what is different about them.

use super::*;

fn gemini(parts: Value, reason: Option<&str>) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason}],
        "usageMetadata": {"promptTokenCount": 50, "candidatesTokenCount": 5, "thoughtsTokenCount": 2}})
}

#[tokio::test]
async fn geminis_signatures_go_back_with_their_calls() {
    let first = data(&[
        gemini(json!([{"text": "Hel"}]), None),
        gemini(
            json!([{"functionCall": {"name": "ls", "args": {"a": 1}}, "thoughtSignature": "sig-1"}]),
            None,
        ),
        gemini(json!([{"functionCall": {"name": "ls", "args": {}}}]), Some("STOP")),
    ]);
    let server =
        Server::with([Reply::stream(&first), Reply::stream(&data(&[gemini(json!([]), Some("STOP"))]))]).await;
    let client = server.client(Provider::Gemini);
    let end = completion(&client, hello()).await;
    assert_eq!(end.answer.text, "Hel");
    assert_eq!(end.answer.calls, [call("call_0", "ls", json!({"a": 1})), call("call_1", "ls", json!({}))]);
    assert_eq!((end.usage.input, end.usage.output), (50, 7));

    let result = |id: &str| ModelMessage::Tool { call_id: id.into(), content: "a".into() };
    let messages = vec![
        ModelMessage::User("Hello".into()),
        ModelMessage::Assistant(end.answer),
        result("call_0"),
        result("call_1"),
    ];
    completion(&client, request(messages)).await;
    let seen = server.seen.lock().unwrap()[1].clone();
    assert_eq!(seen.path, "/v1/models/model-x:streamGenerateContent?alt=sse");
    assert_eq!(seen.headers["x-goog-api-key"], "key-canary");
    assert_eq!(seen.body.pointer("/generationConfig/thinkingConfig"), None);
    let parts = &seen.body["contents"][1]["parts"];
    assert_eq!(parts[1]["thoughtSignature"], "sig-1", "{parts}");
    assert_eq!(parts[2].get("thoughtSignature"), None, "{parts}");
    assert_eq!(seen.body["contents"][2]["parts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_gemini_stream_without_a_reason_to_end_is_no_answer() {
    let server = Server::with([
        Reply::stream(&data(&[gemini(json!([{"text": "Half an"}]), None)])),
        Reply::stream(&data(&[json!({"promptFeedback": {"blockReason": "SAFETY"}})])),
        Reply::stream(&data(&[gemini(json!([]), Some("MALFORMED_FUNCTION_CALL"))])),
    ])
    .await;
    let client = server.client(Provider::Gemini);
    let sentence =
        |event: Option<&Result<ModelEvent, ModelError>>| event.unwrap().clone().unwrap_err().to_string();
    let cut = events(&client, hello()).await;
    assert_eq!(sentence(cut.last()), "gemini/model-x is not available: its answer broke off");
    assert_eq!(
        failure(&client, hello()).await.to_string(),
        "gemini/model-x refused the request: it declined to answer (prompt blocked)"
    );
    assert_eq!(
        failure(&client, hello()).await.to_string(),
        "gemini/model-x is not available: it failed while it was answering"
    );
}

#[tokio::test]
async fn ollama_speaks_lines_of_json() {
    let lines = |values: &[Value]| {
        Reply::stream(&values.iter().map(|value| format!("{value}\n")).collect::<String>())
    };
    let server = Server::with([
        lines(&[
            json!({"message": {"role": "assistant", "content": "Hel"}, "done": false}),
            json!({"message": {"content": "lo", "tool_calls": [{"function": {"name": "ls", "arguments": {"a": 1}}}]}}),
            json!({"message": {"content": ""}, "done": true, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3}),
        ]),
        lines(&[json!({"message": {"content": "Hel"}, "done": false}), json!({"error": "out of memory"})]),
    ])
    .await;
    let client = server.client(Provider::Ollama);
    let end = completion(&client, hello()).await;
    assert_eq!(
        end.answer,
        Answer { text: "Hello".into(), calls: vec![call("call_0", "ls", json!({"a": 1}))], opaque: None }
    );
    assert_eq!((end.usage.input, end.usage.output), (9, 3));
    let seen = server.seen.lock().unwrap()[0].clone();
    assert_eq!(seen.path, "/v1/api/chat");
    assert_eq!(seen.headers["authorization"], "Bearer key-canary");

    let cut = events(&client, hello()).await;
    assert!(matches!(cut.last(), Some(Err(ModelError::Unavailable { .. }))), "{cut:?}");
}

#[tokio::test]
async fn ollamas_results_stay_messages_of_their_own() {
    let done = json!({"message": {"content": "ok"}, "done": true, "done_reason": "stop"});
    let server = Server::with([Reply::stream(&format!("{done}\n"))]).await;
    let called = vec![call("call_0", "ls", json!({})), call("call_1", "ls", json!({}))];
    let result = |id: &str, content: &str| ModelMessage::Tool { call_id: id.into(), content: content.into() };
    let messages = vec![
        ModelMessage::User("Hello".into()),
        ModelMessage::Assistant(Answer { calls: called, ..Answer::default() }),
        result("call_0", "first"),
        result("call_1", "second"),
    ];
    completion(&server.client(Provider::Ollama), request(messages)).await;
    let sent = server.only().body["messages"].clone();
    let contents: Vec<_> =
        sent.as_array().unwrap().iter().map(|message| message["content"].as_str()).collect();
    assert_eq!(contents, [Some("You are Manager."), Some("Hello"), None, Some("first"), Some("second")]);
}

#[test]
fn each_provider_has_its_address_and_only_openai_gets_a_cache_key() {
    for (provider, expected) in [
        (Provider::Anthropic, "https://api.anthropic.com/v1/"),
        (Provider::OpenAi, "https://api.openai.com/v1/"),
        (Provider::Gemini, "https://generativelanguage.googleapis.com/v1beta/"),
        (Provider::Ollama, "http://localhost:11434/"),
        (Provider::OpenRouter, "https://openrouter.ai/api/v1/"),
    ] {
        assert_eq!(endpoint(&spec(provider, None)), expected);
        assert_eq!(takes_cache_key(&spec(provider, None)), provider == Provider::OpenAi);
    }
    assert_eq!(endpoint(&spec(Provider::OpenAi, Some("http://host/v1".into()))), "http://host/v1/");
    assert!(!takes_cache_key(&spec(Provider::OpenAi, Some("http://host/v1".into()))));
    assert!(GenaiClient::new(&spec(Provider::Demo, None), http_client().unwrap()).is_none());
}
