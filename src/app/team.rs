//! From the configuration to the team and the rules that call it.

use anyhow::Context as _;
use secrecy::SecretString;

use crate::agents::{Agent, Agents, QueueMode, Subagents, Visibility};
use crate::config::{self, Config};
use crate::models::{ModelSpec, Models, Prices, Provider, RetryPolicy, http_client, system_jitter};
use crate::routing::{KnownAgent, Rules};
use crate::time::millis;

/// What is configured about targets, as routing sees it.
pub fn rules(config: &Config) -> Rules {
    Rules {
        bindings: config.bindings.clone(),
        default_agent: config.default_agent().map(|(id, _)| id.to_owned()).unwrap_or_default(),
        agents: config
            .agents
            .iter()
            .map(|(id, agent)| KnownAgent {
                id: id.clone(),
                name: agent.name.clone(),
                aliases: agent.aliases.clone(),
            })
            .collect(),
    }
}

pub(super) fn agents(config: &Config) -> anyhow::Result<Agents> {
    let models = models(config)?;
    let team = config
        .agents
        .iter()
        .map(|(id, agent)| {
            let model = models
                .get(&agent.model)
                .with_context(|| format!("agents.{id}.model names `{}`, which is no model", agent.model))?;
            Ok(Agent {
                id: id.clone(),
                name: agent.name.clone(),
                soul: agent.soul.clone(),
                model,
                tools: agent.tools.clone(),
                deny: agent.deny.clone(),
                queue: match agent.queue {
                    config::Queue::Steer => QueueMode::Steer,
                    config::Queue::Followup => QueueMode::Followup,
                },
                max_turns: i64::from(agent.max_turns),
                turn_timeout: millis(agent.turn_timeout),
                inbox_cap: i64::from(agent.inbox_cap),
                grants: agent.grants.clone(),
                visibility: match agent.visibility {
                    config::Visibility::Own => Visibility::Own,
                    config::Visibility::Tree => Visibility::Tree,
                    config::Visibility::Agent => Visibility::Agent,
                    config::Visibility::All => Visibility::All,
                },
                max_reply_turns: i64::from(agent.max_reply_turns),
                subagents: Subagents {
                    allow: agent.subagents.allow.clone(),
                    max_depth: i64::from(agent.subagents.max_depth),
                    max_children: i64::from(agent.subagents.max_children),
                    max_sessions: i64::from(agent.subagents.max_sessions),
                    run_timeout: millis(agent.subagents.run_timeout),
                },
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let models = models.all().map(|(id, model)| (id.to_owned(), model.clone())).collect();
    Ok(Agents::new(team).with_former_ids(config.former_ids()).thinking_with(models))
}

fn models(config: &Config) -> anyhow::Result<Models> {
    let http = http_client().context("the HTTP client for models can't be made")?;
    let specs = config.models.iter().map(|(id, model)| (spec(id, model), model.fallback.clone())).collect();
    Ok(Models::build(specs, &http, RetryPolicy::default(), &system_jitter())?)
}

fn spec(id: &str, model: &config::Model) -> ModelSpec {
    let provider = match model.provider {
        config::Provider::Anthropic => Provider::Anthropic,
        config::Provider::OpenAi | config::Provider::OpenAiCompatible => Provider::OpenAi,
        config::Provider::Gemini => Provider::Gemini,
        config::Provider::Ollama => Provider::Ollama,
        config::Provider::OpenRouter => Provider::OpenRouter,
        config::Provider::Demo => Provider::Demo,
    };
    ModelSpec {
        id: id.to_owned(),
        provider,
        model: model.model.clone(),
        api_key: model.api_key.clone().map(SecretString::from),
        base_url: model.base_url.as_ref().map(ToString::to_string),
        window: model.window,
        max_output_tokens: Some(model.max_output_tokens),
        prices: model.prices.map(|prices| prices_of(model.provider, prices)),
        timeout: model.timeout,
        retries: model.retries,
    }
}

/// What a token from the provider's cache costs is not in the configuration: a tenth at Anthropic and
/// Google, a quarter at the others at most (their price lists, 2026).
fn prices_of(provider: config::Provider, prices: config::Prices) -> Prices {
    let cached_fraction = match provider {
        config::Provider::Anthropic | config::Provider::Gemini => 0.1,
        _ => 0.25,
    };
    Prices { input: prices.input, output: prices.output, cached_fraction }
}
