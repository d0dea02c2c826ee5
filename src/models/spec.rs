//! What must be known of a model to use it: the `[models.<id>]` section, checked and resolved.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use super::Prices;

/// One configured model. The configuration makes it, [`Models::build`](super::Models::build) takes it.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// Its id in the configuration, the `main` of `[models.main]`. Named in errors.
    pub id: String,
    /// The protocol it speaks.
    pub provider: Provider,
    /// The provider's name for it. Sent as it is.
    pub model: String,
    /// The key, where one is needed: always, except for Ollama and with a `base_url`.
    pub api_key: Option<SecretString>,
    /// Another server of the same protocol, version included (`https://host/v1`).
    pub base_url: Option<String>,
    /// Tokens of context it takes.
    pub window: u32,
    /// Tokens it may answer with; `None` leaves it to the provider.
    pub max_output_tokens: Option<u32>,
    /// What it costs; `None` when not known.
    pub prices: Option<Prices>,
    /// The longest silence: until the response begins, and between two pieces of it.
    pub timeout: Duration,
    /// How often a failed call to it, or to one of its fallbacks, is made again before the next one's turn.
    pub retries: u32,
}

impl ModelSpec {
    /// The name that is recorded with its usage: `anthropic/claude-…`; the demo model's is `demo`.
    pub fn name(&self) -> String {
        match self.provider {
            Provider::Demo => self.provider.to_string(),
            _ => format!("{}/{}", self.provider, self.model),
        }
    }
}

/// The protocols we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Anthropic's Messages API.
    Anthropic,
    /// OpenAI's Chat Completions, and with a `base_url` everything compatible with it.
    OpenAi,
    /// Google's Gemini API.
    Gemini,
    /// A local Ollama server, its own protocol.
    Ollama,
    /// OpenRouter.
    OpenRouter,
    /// The built-in offline model.
    Demo,
}

impl Provider {
    /// Every provider, for lists in messages and schemas.
    pub const ALL: [Self; 6] =
        [Self::Anthropic, Self::OpenAi, Self::Gemini, Self::Ollama, Self::OpenRouter, Self::Demo];

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::OpenRouter => "openrouter",
            Self::Demo => "demo",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no provider: write anthropic, openai, gemini, ollama, openrouter or demo")]
pub struct UnknownProvider(String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.as_str() == text)
            .ok_or_else(|| UnknownProvider(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_written_and_read_and_the_error_names_them_all() {
        let error = "claude".parse::<Provider>().unwrap_err().to_string();
        for provider in Provider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
            assert!(error.contains(provider.as_str()), "{error:?} leaves out {provider}");
        }
    }
}
