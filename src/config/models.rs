//! `[models.<id>]`: language models.

use std::time::Duration;

use serde::Deserialize;

use super::{Secret, WebUrl, period, values};

/// A language model as agents name it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Model {
    /// Who serves it.
    pub provider: Provider,
    /// The provider's name of it.
    pub model: String,
    /// The key; `None` where a provider (or one's own server) wants none.
    pub api_key: Option<Secret>,
    /// Another server with the provider's protocol; `None` is the provider's own.
    #[serde(deserialize_with = "values::optional_url")]
    pub base_url: Option<WebUrl>,
    /// Models that are asked, in this order, when this one fails.
    pub fallback: Vec<String>,
    /// Tokens of context it takes, the answer included.
    pub window: u32,
    /// Tokens of one answer.
    pub max_output_tokens: u32,
    /// What it costs; `None` is unknown.
    pub prices: Option<Prices>,
    /// The longest silence: until an answer starts, and between two pieces of it.
    #[serde(deserialize_with = "period::read")]
    pub timeout: Duration,
    /// How often a failed call is repeated before the fallback is asked.
    pub retries: u32,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            provider: Provider::Demo,
            model: String::new(),
            api_key: None,
            base_url: None,
            fallback: Vec::new(),
            window: 128_000,
            max_output_tokens: 8_192,
            prices: None,
            timeout: Duration::from_secs(120),
            retries: 3,
        }
    }
}

/// US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `input` and `output`")]
pub struct Prices {
    /// Tokens read.
    #[serde(deserialize_with = "values::rate")]
    pub input: f64,
    /// Tokens written.
    #[serde(deserialize_with = "values::rate")]
    pub output: f64,
}

/// Who serves a model, and so which protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Anthropic's Messages API.
    Anthropic,
    /// OpenAI's chat completions.
    #[serde(rename = "openai")]
    OpenAi,
    /// Google's Gemini API.
    Gemini,
    /// A local Ollama.
    Ollama,
    /// OpenRouter.
    #[serde(rename = "openrouter")]
    OpenRouter,
    /// Any other server with OpenAI's chat completions; `base_url` says where.
    #[serde(rename = "openai_compatible")]
    OpenAiCompatible,
    /// The built-in offline demonstration.
    Demo,
}

impl Provider {
    /// The providers whose key is looked for in the environment, in that order.
    pub(super) const WITH_KEY: [Self; 4] = [Self::Anthropic, Self::OpenAi, Self::Gemini, Self::OpenRouter];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::OpenRouter => "openrouter",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Demo => "demo",
        }
    }

    /// The variable that usually holds the key.
    pub fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::OpenAi => Some("OPENAI_API_KEY"),
            Self::Gemini => Some("GEMINI_API_KEY"),
            Self::OpenRouter => Some("OPENROUTER_API_KEY"),
            Self::Ollama | Self::OpenAiCompatible | Self::Demo => None,
        }
    }

    /// The model that is meant when none is named; `None` where that would be a guess.
    pub(super) fn default_model(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("claude-sonnet-5"),
            Self::OpenAi => Some("gpt-5.6"),
            Self::Gemini => Some("gemini-3.8-flash"),
            Self::OpenRouter => Some("openrouter/auto"),
            Self::Demo => Some("demo"),
            Self::Ollama | Self::OpenAiCompatible => None,
        }
    }
}
