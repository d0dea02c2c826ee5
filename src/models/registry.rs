//! All configured models, built once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Demo, GenaiClient, Jitter, ModelClient, ModelSpec, Resilient, RetryPolicy};

/// Every model by its id in the configuration, each with its retries and fallbacks.
pub struct Models(HashMap<String, Arc<dyn ModelClient>>);

/// Why models cannot be built. The configuration check finds the same first; this keeps it honest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Two models have the same id.
    #[error("models.{0} is defined twice")]
    Twice(String),
    /// A fallback is not among the models.
    #[error("models.{model}.fallback names `{fallback}`, which is no model")]
    UnknownFallback {
        /// The model with the list.
        model: String,
        /// The name in it.
        fallback: String,
    },
    /// A model is its own fallback.
    #[error("models.{0}.fallback names the model itself")]
    OwnFallback(String),
}

impl Models {
    /// Builds every model from its spec and the ids of its fallbacks. A fallback's own fallbacks do not
    /// count: the list of the model that was asked is the whole chain. `http` is [`http_client`]'s; of
    /// `policy` everything counts but the attempts, which each model has its own of.
    pub fn build(
        specs: Vec<(ModelSpec, Vec<String>)>,
        http: &reqwest::Client,
        policy: RetryPolicy,
        jitter: &Jitter,
    ) -> Result<Self, BuildError> {
        let mut plain: HashMap<String, Arc<dyn ModelClient>> = HashMap::new();
        for (spec, _) in &specs {
            if plain.insert(spec.id.clone(), client(spec, http)).is_some() {
                return Err(BuildError::Twice(spec.id.clone()));
            }
        }
        let find = |model: &str, fallback: &String| match plain.get(fallback) {
            Some(_) if fallback == model => Err(BuildError::OwnFallback(model.into())),
            Some(client) => Ok(client.clone()),
            None => Err(BuildError::UnknownFallback { model: model.into(), fallback: fallback.clone() }),
        };
        let mut models: HashMap<String, Arc<dyn ModelClient>> = HashMap::new();
        for (ModelSpec { id, retries, .. }, fallback) in &specs {
            let rest = fallback.iter().map(|other| find(id, other)).collect::<Result<Vec<_>, _>>()?;
            let policy = RetryPolicy { attempts: retries.saturating_add(1), ..policy };
            let chain = Resilient::new(plain[id].clone(), rest, policy, jitter.clone());
            models.insert(id.clone(), Arc::new(chain));
        }
        Ok(Self(models))
    }

    /// All of them by id.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Arc<dyn ModelClient>)> {
        self.0.iter().map(|(id, model)| (id.as_str(), model))
    }

    /// The model with this id.
    pub fn get(&self, id: &str) -> Option<Arc<dyn ModelClient>> {
        self.0.get(id).cloned()
    }
}

fn client(spec: &ModelSpec, http: &reqwest::Client) -> Arc<dyn ModelClient> {
    match GenaiClient::new(spec, http.clone()) {
        Some(client) => Arc::new(client),
        None => Arc::new(Demo::new(spec.window)),
    }
}

/// The HTTP client that all models share. It has no time-out for a whole call, since answers may take
/// minutes; a model's `timeout` bounds its silences. Redirects are refused: a provider's key travels in
/// a header of its own, which a client would carry along to another host.
pub fn http_client() -> reqwest::Result<reqwest::Client> {
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Provider, system_jitter};

    fn spec(id: &str, provider: Provider) -> ModelSpec {
        ModelSpec {
            id: id.into(),
            provider,
            model: "m".into(),
            api_key: None,
            base_url: None,
            window: 1_000,
            max_output_tokens: None,
            prices: None,
            timeout: Duration::from_secs(5),
            retries: 2,
        }
    }

    fn build(specs: &[(&str, Provider, &[&str])]) -> Result<Models, BuildError> {
        let specs = specs
            .iter()
            .map(|(id, provider, fallback)| {
                (spec(id, *provider), fallback.iter().map(|f| (*f).into()).collect())
            })
            .collect();
        Models::build(specs, &http_client().unwrap(), RetryPolicy::default(), &system_jitter())
    }

    #[test]
    fn models_are_found_by_id_and_carry_their_name_and_window() {
        let models =
            build(&[("main", Provider::Anthropic, &["spare"]), ("spare", Provider::Demo, &[])]).unwrap();
        let main = models.get("main").unwrap();
        assert_eq!((main.name(), main.window()), ("anthropic/m", 1_000));
        assert_eq!(models.get("spare").unwrap().name(), "demo");
        assert!(models.get("other").is_none());
    }

    #[test]
    fn dangling_and_circular_references_are_named() {
        let error = |specs| build(specs).err().map(|error| error.to_string());
        assert_eq!(
            error(&[("main", Provider::Demo, &["spar"])]).as_deref(),
            Some("models.main.fallback names `spar`, which is no model")
        );
        assert_eq!(
            error(&[("main", Provider::Demo, &["main"])]).as_deref(),
            Some("models.main.fallback names the model itself")
        );
        assert_eq!(
            error(&[("a", Provider::Demo, &[]), ("a", Provider::Demo, &[])]).as_deref(),
            Some("models.a is defined twice")
        );
    }
}
