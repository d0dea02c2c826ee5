//! Small values that several sections share.

use std::fmt;

use reqwest::Url;
use serde::{Deserialize, Deserializer, de::Error};

/// The address of a server, `http` or `https`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebUrl(Url);

impl WebUrl {
    /// The address for an HTTP client.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The address as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    pub(super) fn discord() -> Self {
        Self(Url::parse("https://discord.com").expect("a constant that parses"))
    }

    pub(super) fn telegram() -> Self {
        Self(Url::parse("https://api.telegram.org").expect("a constant that parses"))
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for WebUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self(url)),
            _ => {
                Err("this is no address of a server: write http:// or https://, a host and perhaps a port"
                    .into())
            }
        }
    }
}

/// A [`WebUrl`], or `""` for none.
pub(super) fn optional_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<WebUrl>, D::Error> {
    let text = String::deserialize(from)?;
    (!text.is_empty()).then(|| WebUrl::try_from(text)).transpose().map_err(D::Error::custom)
}

/// A number that counts or costs something: finite and not negative.
pub(super) fn rate<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(from)?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err(D::Error::custom(format!("`{number}` is not a number of at least 0")))
    }
}

/// A platform's number of a chat or a person, which people write with and without quotes.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write a number, with or without quotes")]
enum Id {
    Number(i64),
    Text(String),
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        match id {
            Id::Number(number) => number.to_string(),
            Id::Text(text) => text,
        }
    }
}

/// Platform ids.
pub(super) fn ids<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::<Id>::deserialize(from)?.into_iter().map(String::from).collect())
}

/// A platform id that need not be given.
pub(super) fn optional_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Id::deserialize(from).map(|id| Some(id.into()))
}
