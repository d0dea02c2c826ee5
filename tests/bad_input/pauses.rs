//! A model that takes no requests for a while, and one that stands in for it.

use async_trait::async_trait;
use roundtable::store::{Read, StoreError, Tx, waits};
use roundtable_fakes::Reply;

use crate::support::requests::next_text;
use crate::support::world::World;

/// When the next wait is due.
struct NextDue;

#[async_trait]
impl Read for NextDue {
    type Output = Option<i64>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
        waits::next_due(tx).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_pause_is_waited_for() {
    let world = World::start().await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    world.model.once("patience", Reply::rate_limited(1));
    ann.says("patience");
    bob.says("am I heard?");
    assert_eq!(next_text(&bob).await, "echo: am I heard?");
    assert_eq!(next_text(&ann).await, "echo: patience");
    assert_eq!(world.model.requests().iter().filter(|request| request.asks("patience")).count(), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_waits_survives_its_node() {
    let mut world = World::start().await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    // Longer than the program waits within a call, as far as this test's short times go.
    world.model.once("patience", Reply::rate_limited(2));
    ann.says("patience");
    let stored = world.stored().await;
    stored.find("the turn waits", async || stored.read(NextDue).await).await;
    world.stop_node().await;
    drop(stored);
    ann.says("are you there?");
    world.start_node().await;
    bob.says("am I heard?");
    assert_eq!(next_text(&bob).await, "echo: am I heard?");
    let both = [next_text(&ann).await, next_text(&ann).await];
    assert_eq!(both, ["echo: patience", "echo: are you there?"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_would_have_to_wait_too_long_is_told() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    world.model.once("patience", Reply::rate_limited(3600));
    ann.says("patience");
    assert_eq!(
        next_text(&ann).await,
        "Manager can't answer now: openai/fake takes no more requests for 1 h. Please ask again then."
    );
    world.model.once("once more", Reply::status(429));
    ann.says("once more");
    assert_eq!(
        next_text(&ann).await,
        "Manager can't answer now: openai/fake takes no more requests for the moment. Please ask again in a few minutes."
    );
    ann.says("and now?");
    assert!(next_text(&ann).await.ends_with("and now?"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_answers_for_a_model_that_cannot() {
    let mut world = World::setting().without_node().await;
    world.configure(|text| {
        let url = text.lines().find(|line| line.starts_with("base_url")).unwrap().to_owned();
        let main = text.replace("retries = 0", "retries = 0\nfallback = [\"second\"]");
        format!(
            "{main}\n[models.second]\nprovider = \"openai\"\nmodel = \"second\"\napi_key = \"env:MODEL_KEY\"\n\
             {url}\nretries = 0\n"
        )
    });
    world.start_node().await;
    let ann = world.telegram.user("ann");
    let begun = || Reply::text("I was about to say");
    let failures = [
        Reply::status(500),
        Reply::status(529),
        Reply::status(401),
        Reply::rate_limited(3600),
        begun().truncated(),
        begun().broken(),
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        let name = format!("try {number}");
        let (needle, failure) = (name.clone(), failure);
        world
            .model
            .on(move |request| (request.model == "fake" && request.asks(&needle)).then(|| failure.clone()));
        ann.says(&name);
        assert_eq!(next_text(&ann).await, format!("echo: {name}"));
        let asked = world.model.requests();
        let models: Vec<&str> = asked
            .iter()
            .filter(|request| request.asks(&name))
            .map(|request| request.model.as_str())
            .collect();
        assert_eq!(models, ["fake", "second"]);
    }
    world.model.on(|request| request.asks("nobody").then(|| Reply::status(500)));
    ann.says("nobody");
    let told = next_text(&ann).await;
    assert!(told.starts_with("Manager can't answer now: ") && told.contains("second"), "{told}");
    world.end().await;
}
