use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::time::Instant;

use super::*;
use crate::models::{Answer, Completion, ModelMessage, Usage};

type Script = Vec<Result<ModelEvent, ModelError>>;

/// A model that answers each call with the next script, and notes when it was called.
struct Scripted {
    name: &'static str,
    window: u32,
    scripts: Mutex<VecDeque<Script>>,
    calls: Mutex<Vec<Duration>>,
    start: Instant,
}

impl Scripted {
    fn new(name: &'static str, scripts: Vec<Script>) -> Arc<Self> {
        Arc::new(Self {
            name,
            window: 1_000,
            scripts: Mutex::new(scripts.into()),
            calls: Mutex::default(),
            start: Instant::now(),
        })
    }

    /// The moments of its calls, in milliseconds.
    fn calls(&self) -> Vec<u128> {
        self.calls.lock().unwrap().iter().map(Duration::as_millis).collect()
    }
}

impl ModelClient for Scripted {
    fn stream(&self, _: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        self.calls.lock().unwrap().push(self.start.elapsed());
        let script = self.scripts.lock().unwrap().pop_front().expect("a script for every call");
        stream::iter(script).boxed()
    }

    fn name(&self) -> &str {
        self.name
    }

    fn window(&self) -> u32 {
        self.window
    }
}

fn text(text: &str) -> Result<ModelEvent, ModelError> {
    Ok(ModelEvent::Text(text.into()))
}

fn end(model: &str) -> Result<ModelEvent, ModelError> {
    let answer = Answer { text: "hi".into(), ..Answer::default() };
    Ok(ModelEvent::End(Completion { answer, usage: Usage::default(), model: model.into(), cut: false }))
}

fn limited(model: &str, after: Option<u64>) -> Result<ModelEvent, ModelError> {
    Err(ModelError::RateLimited { model: model.into(), after: after.map(Duration::from_secs) })
}

fn down(model: &str) -> Result<ModelEvent, ModelError> {
    Err(ModelError::Unavailable { model: model.into(), reason: "it failed (500)".into() })
}

fn refused(model: &str) -> Result<ModelEvent, ModelError> {
    Err(ModelError::Refused { model: model.into(), reason: "the key was refused".into() })
}

fn policy(attempts: u32) -> RetryPolicy {
    RetryPolicy { attempts, ..RetryPolicy::default() }
}

/// Runs one call of `chain` with the longest pauses that the jitter allows.
async fn run(chain: &[&Arc<Scripted>], attempts: u32) -> Script {
    run_with(chain, policy(attempts), "hello").await
}

async fn run_with(chain: &[&Arc<Scripted>], policy: RetryPolicy, said: &str) -> Script {
    let mut models = chain.iter().map(|model| (*model).clone() as Arc<dyn ModelClient>);
    let main = models.next().unwrap();
    let model = Resilient::new(main, models, policy, Arc::new(|| 1.0));
    let request = Request {
        system: String::new(),
        messages: vec![ModelMessage::User(said.into())],
        tools: vec![],
        cache_key: String::new(),
    };
    model.stream(request).collect().await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_works_is_made_once() {
    let main = Scripted::new("a", vec![vec![text("h"), text("i"), end("a")]]);
    assert_eq!(run(&[&main], 3).await, [text("h"), text("i"), end("a")]);
    assert_eq!(main.calls(), [0]);
}

#[tokio::test(start_paused = true)]
async fn pauses_double_up_to_the_cap() {
    let mut scripts = vec![vec![down("a")]; 7];
    scripts.push(vec![end("a")]);
    let main = Scripted::new("a", scripts);
    assert_eq!(run(&[&main], 8).await, [end("a")]);
    assert_eq!(main.calls(), [0, 500, 1_500, 3_500, 7_500, 15_500, 23_500, 31_500]);
}

#[tokio::test(start_paused = true)]
async fn jitter_halves_a_pause_at_most() {
    let main = Scripted::new("a", vec![vec![down("a")], vec![end("a")]]);
    let model = Resilient::new(main.clone(), [], policy(2), Arc::new(|| 0.0));
    let request =
        Request { system: String::new(), messages: vec![], tools: vec![], cache_key: String::new() };
    assert_eq!(model.stream(request).collect::<Vec<_>>().await, [end("a")]);
    assert_eq!(main.calls(), [0, 250]);
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_wait_is_granted_up_to_the_limit() {
    let main =
        Scripted::new("a", vec![vec![limited("a", Some(7))], vec![limited("a", None)], vec![end("a")]]);
    assert_eq!(run(&[&main], 3).await, [end("a")]);
    assert_eq!(main.calls(), [0, 7_000, 8_000]);
}

#[tokio::test(start_paused = true)]
async fn a_longer_wish_goes_to_the_fallback_or_back_to_the_caller() {
    let main = Scripted::new("a", vec![vec![limited("a", Some(300))]]);
    let spare = Scripted::new("b", vec![vec![end("b")]]);
    assert_eq!(run(&[&main, &spare], 3).await, [end("b")]);
    assert_eq!(spare.calls(), [0]);

    let main = Scripted::new("a", vec![vec![limited("a", Some(300))]]);
    assert_eq!(run(&[&main], 3).await, [limited("a", Some(300))]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_goes_to_the_fallback_at_once() {
    let main = Scripted::new("a", vec![vec![refused("a")]]);
    let spare = Scripted::new("b", vec![vec![text("h"), end("b")]]);
    assert_eq!(run(&[&main, &spare], 3).await, [text("h"), end("b")]);
    assert_eq!((main.calls(), spare.calls()), (vec![0], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn every_model_of_the_chain_gets_its_attempts_and_its_own_pauses() {
    let main = Scripted::new("a", vec![vec![down("a")], vec![down("a")]]);
    let spare = Scripted::new("b", vec![vec![down("b")], vec![end("b")]]);
    assert_eq!(run(&[&main, &spare], 2).await, [end("b")]);
    assert_eq!((main.calls(), spare.calls()), (vec![0, 500], vec![500, 1_000]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_after_some_text_is_begun_anew() {
    let main = Scripted::new("a", vec![vec![text("he"), down("a")], vec![text("hel"), down("a"), end("a")]]);
    let spare = Scripted::new("b", vec![vec![text("hi"), end("b")]]);
    assert_eq!(run(&[&main, &spare], 2).await, [text("he"), text("hel"), text("hi"), end("b")]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_an_end_is_a_failure() {
    let main = Scripted::new("a", vec![vec![], vec![text("he")], vec![end("a")]]);
    assert_eq!(run(&[&main], 3).await, [text("he"), end("a")]);

    let main = Scripted::new("a", vec![vec![text("he")]]);
    let cut = ModelError::Unavailable { model: "a".into(), reason: "its answer broke off".into() };
    assert_eq!(run(&[&main], 1).await, [text("he"), Err(cut)]);
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_error_most_likely_to_pass_names_them_all() {
    let sentence = |script: Script| script.into_iter().next().unwrap().unwrap_err();
    let first = Scripted::new("a", vec![vec![refused("a")]]);
    let second = Scripted::new("b", vec![vec![down("b")], vec![down("b")]]);
    let error = sentence(run(&[&first, &second], 2).await);
    assert_eq!(
        error.to_string(),
        "b is not available: it failed (500); a refused the request: the key was refused"
    );

    let first = Scripted::new("a", vec![vec![limited("a", Some(90))]]);
    let second = Scripted::new("b", vec![vec![limited("b", Some(60))]]);
    let third = Scripted::new("c", vec![vec![refused("c")]]);
    let error = sentence(run(&[&first, &second, &third], 2).await);
    let ModelError::RateLimited { after, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*after, Some(Duration::from_secs(60)));
    assert_eq!(error.to_string(), "b (also tried: a, c) is rate limited");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_too_small_for_the_conversation_is_passed_over() {
    let main = Scripted::new("a", vec![vec![refused("a")]]);
    let small = Scripted::new("b", vec![]);
    let script = run_with(&[&main, &small], policy(3), &"x".repeat(36_000)).await;
    let error = script.into_iter().next().unwrap().unwrap_err();
    assert!(error.to_string().ends_with("about 10000 tokens do not fit its window of 1000"), "{error}");
    assert_eq!(small.calls(), Vec::<u128>::new());
}

#[test]
fn the_systems_jitter_stays_in_range_and_varies() {
    let jitter = system_jitter();
    let drawn: Vec<f64> = (0..1_000).map(|_| jitter()).collect();
    assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
    assert!(drawn.iter().any(|number| *number < 0.1) && drawn.iter().any(|number| *number > 0.9));
}
