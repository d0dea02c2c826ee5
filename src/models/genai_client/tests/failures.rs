use super::*;

#[tokio::test]
async fn a_rate_limit_says_how_long() {
    let limited = |after: Option<&'static str>| {
        let reply = Reply::status(429, r#"{"error": {"type": "rate_limit_error", "message": "slow down"}}"#);
        match after {
            Some(after) => reply.header("retry-after", after),
            None => reply,
        }
    };
    for provider in
        [Provider::Anthropic, Provider::OpenAi, Provider::Gemini, Provider::Ollama, Provider::OpenRouter]
    {
        let server = Server::with([limited(Some("7")), limited(None)]).await;
        let client = server.client(provider);
        let model = || format!("{provider}/model-x");
        assert_eq!(
            failure(&client, hello()).await,
            ModelError::RateLimited { model: model(), after: Some(Duration::from_secs(7)) }
        );
        assert_eq!(failure(&client, hello()).await, ModelError::RateLimited { model: model(), after: None });
    }
}

#[tokio::test]
async fn refusals_and_outages_are_told_apart_and_nothing_secret_is_said() {
    let echo = |status| Reply::status(status, r#"{"error": {"message": "Hello key-canary"}}"#);
    let server = Server::with([
        echo(401),
        echo(500),
        Reply::status(302, "").header("location", "http://elsewhere.invalid/"),
        Reply::status(200, "<html>It works, Hello</html>"),
        Reply::stream("data: {\"choices\": [{\"delta\"\n\n"),
        Reply { pieces: vec![b"data: \xff\xfe\n\n".to_vec()], ..Reply::stream("") },
    ])
    .await;
    let client = server.client(Provider::OpenAi);
    let mut said = Vec::new();
    for _ in 0..6 {
        said.push(failure(&client, hello()).await.to_string());
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    openai/model-x refused the request: the key in models.main.api_key was refused
    openai/model-x is not available: it failed (500)
    openai/model-x refused the request: models.main.base_url leads to a redirect (302)
    openai/model-x is not available: its answer broke off
    openai/model-x is not available: it sent something that is not its protocol
    openai/model-x is not available: the connection to it broke
    ");
}

#[tokio::test]
async fn silence_is_bounded_before_and_within_an_answer() {
    let beginning = data(&[json!({"choices": [{"delta": {"content": "Hel"}, "finish_reason": null}]})]);
    let server = Server::with([Reply::stream(&beginning).then_hangs()]).await;
    let base = |address: &str| ModelSpec {
        timeout: Duration::from_millis(200),
        ..spec(Provider::OpenAi, Some(address.into()))
    };
    let seen = events(&client(&base(&server.address)), hello()).await;
    let silent =
        |reason: &str| ModelError::Unavailable { model: "openai/model-x".into(), reason: reason.into() };
    assert_eq!(
        seen,
        [Ok(ModelEvent::Text("Hel".into())), Err(silent("it fell silent in the middle of its answer"))]
    );

    // Takes connections and never answers.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", mute.local_addr().unwrap());
    assert_eq!(
        failure(&client(&base(&address)), hello()).await,
        silent("it did not begin to answer in time")
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_outage() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let error = failure(&client(&spec(Provider::Anthropic, Some(address))), hello()).await;
    assert_eq!(error.to_string(), "anthropic/model-x is not available: it could not be reached");
}

#[tokio::test]
async fn a_missing_key_and_a_wrong_address_name_their_settings() {
    let keyless = ModelSpec { api_key: None, ..spec(Provider::Gemini, None) };
    assert_eq!(
        failure(&client(&keyless), hello()).await.to_string(),
        "gemini/model-x refused the request: it needs a key: set models.main.api_key"
    );
    for provider in [Provider::OpenAi, Provider::Anthropic] {
        let odd = spec(provider, Some("not an address".into()));
        let error = failure(&client(&odd), hello()).await.to_string();
        assert!(error.starts_with(&format!("{provider}/model-x refused the request: ")), "{error}");
        assert!(error.contains("models.main"), "{error}");
    }
}

#[tokio::test]
async fn a_server_of_ones_own_needs_no_key() {
    let reply = Reply::stream(&format!(
        "{}data: [DONE]\n\n",
        data(&[json!({"choices": [{"delta": {"content": "ok"}, "finish_reason": "stop"}]})])
    ));
    let server = Server::with([reply]).await;
    let keyless = ModelSpec { api_key: None, ..spec(Provider::OpenAi, Some(server.address.clone())) };
    assert_eq!(completion(&client(&keyless), hello()).await.answer.text, "ok");
}
