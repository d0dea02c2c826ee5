//! Patience: retries with back-off, then the next model of the chain.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::{ModelClient, ModelError, ModelEvent, Request, tokens};

/// Where the spread of retries comes from: each call gives a number in `0.0..1.0`. Tests inject theirs.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// Jitter from the operating system's random seed.
pub fn system_jitter() -> Jitter {
    let seed = RandomState::new();
    let count = std::sync::atomic::AtomicU64::new(0);
    Arc::new(move || {
        let drawn = seed.hash_one(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        // 53 bits are what an f64 holds exactly.
        (drawn >> 11) as f64 / (1_u64 << 53) as f64
    })
}

/// How patient a chain is with each of its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Calls to one model before the next one's turn; at least one is made.
    pub attempts: u32,
    /// The first pause; each further one is twice as long. Pauses vary between half and all of it.
    pub initial: Duration,
    /// The longest pause of our own choice.
    pub cap: Duration,
    /// The longest pause that a provider may ask for; a longer one ends the retries of that model.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            initial: Duration::from_millis(500),
            cap: Duration::from_secs(8),
            longest_wait: Duration::from_secs(30),
        }
    }
}

/// A chain of models that answers as one.
///
/// A failed call is repeated, and then given to the next model, also when some of its text has come: nobody is shown
/// text before the end. When every model has failed, the error is that of the failure most likely to pass (a rate limit
/// before an outage before a refusal) and names all of them, so that the engine can wait as long as
/// the provider asked.
#[derive(Clone)]
pub struct Resilient {
    chain: Arc<[Arc<dyn ModelClient>]>,
    policy: RetryPolicy,
    jitter: Jitter,
}

impl Resilient {
    /// `main` first, then each of `fallback` in order.
    pub fn new(
        main: Arc<dyn ModelClient>,
        fallback: impl IntoIterator<Item = Arc<dyn ModelClient>>,
        policy: RetryPolicy,
        jitter: Jitter,
    ) -> Self {
        Self { chain: std::iter::once(main).chain(fallback).collect(), policy, jitter }
    }
}

impl ModelClient for Resilient {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        let call = Call {
            models: self.clone(),
            request,
            link: 0,
            attempt: 0,
            current: None,
            over: false,
            failures: Vec::new(),
        };
        stream::unfold(call, Call::next).boxed()
    }

    fn name(&self) -> &str {
        self.chain[0].name()
    }

    /// The first model's; a fallback that is too small for a request is passed over.
    fn window(&self) -> u32 {
        self.chain[0].window()
    }
}

/// One call on its way through the chain.
struct Call {
    models: Resilient,
    request: Request,
    /// Which model of the chain is asked.
    link: usize,
    /// How often it failed.
    attempt: u32,
    current: Option<BoxStream<'static, Result<ModelEvent, ModelError>>>,
    over: bool,
    /// The last failure of each model that was given up.
    failures: Vec<ModelError>,
}

impl Call {
    async fn next(mut self) -> Option<(Result<ModelEvent, ModelError>, Self)> {
        while !self.over {
            let event = match &mut self.current {
                Some(stream) => stream.next().await,
                None => {
                    self.current = Some(self.ask());
                    continue;
                }
            };
            let error = match event {
                Some(Ok(event)) => {
                    self.over = matches!(event, ModelEvent::End(_));
                    return Some((Ok(event), self));
                }
                Some(Err(error)) => error,
                None => self.cut(),
            };
            self.current = None;
            if let Some(pause) = self.pause_after(&error) {
                tracing::debug!(%error, ?pause, "a model call failed and is repeated");
                self.attempt += 1;
                tokio::time::sleep(pause).await;
                continue;
            }
            tracing::warn!(%error, "a model call failed for good");
            self.failures.push(error);
            self.link += 1;
            self.attempt = 0;
            if self.link == self.models.chain.len() {
                self.over = true;
                let error = summary(std::mem::take(&mut self.failures));
                return Some((Err(error), self));
            }
        }
        None
    }

    /// Asks the model whose turn it is.
    fn ask(&self) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        let model = &self.models.chain[self.link];
        let needed = tokens::of_request(&self.request);
        if self.link > 0 && needed > u64::from(model.window()) {
            let reason = format!("about {needed} tokens do not fit its window of {}", model.window());
            let error = ModelError::Refused { model: model.name().into(), reason };
            return stream::iter([Err(error)]).boxed();
        }
        model.stream(self.request.clone())
    }

    fn cut(&self) -> ModelError {
        ModelError::Unavailable {
            model: self.models.chain[self.link].name().into(),
            reason: "its answer broke off".into(),
        }
    }

    /// How long to wait before the same model is asked again; `None` when it should not be.
    fn pause_after(&self, error: &ModelError) -> Option<Duration> {
        let policy = &self.models.policy;
        if self.attempt + 1 >= policy.attempts {
            return None;
        }
        let doubled = policy.initial.saturating_mul(2_u32.saturating_pow(self.attempt));
        let own = doubled.min(policy.cap).mul_f64(0.5 + (self.models.jitter)() / 2.0);
        match error {
            ModelError::Refused { .. } => None,
            ModelError::RateLimited { after: Some(wish), .. } if *wish > policy.longest_wait => None,
            ModelError::RateLimited { after: Some(wish), .. } => Some(own.max(*wish)),
            ModelError::RateLimited { after: None, .. } | ModelError::Unavailable { .. } => Some(own),
        }
    }
}

/// One error out of the failures of all models, in the order of the chain. Never called with none.
fn summary(mut failures: Vec<ModelError>) -> ModelError {
    let hope = |error: &ModelError| match error {
        ModelError::RateLimited { after, .. } => (0, after.unwrap_or_default()),
        ModelError::Unavailable { .. } => (1, Duration::ZERO),
        ModelError::Refused { .. } => (2, Duration::ZERO),
    };
    let best = (0..failures.len()).min_by_key(|&index| hope(&failures[index])).unwrap_or_default();
    let best = failures.remove(best);
    if failures.is_empty() {
        return best;
    }
    let others = failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match best {
        ModelError::RateLimited { model, after } => {
            let names = failures.iter().map(ModelError::model).collect::<Vec<_>>().join(", ");
            ModelError::RateLimited { model: format!("{model} (also tried: {names})"), after }
        }
        ModelError::Unavailable { model, reason } => {
            ModelError::Unavailable { model, reason: format!("{reason}; {others}") }
        }
        ModelError::Refused { model, reason } => {
            ModelError::Refused { model, reason: format!("{reason}; {others}") }
        }
    }
}

#[cfg(test)]
mod tests;
