//! Secrets in texts that agents read of one another: the values that are configured, and what has the shape of a
//! credential, become [`REDACTED`]. Pure.

use secrecy::{ExposeSecret, SecretString};

/// What stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// A configured value that is shorter says nothing, and would be found in every text.
const SHORTEST: usize = 6;

/// How keys of well-known services begin, and how much follows at least. From the services' own pages on their keys:
/// OpenAI, Anthropic and others that copy them; GitHub, GitLab, Slack, Google, AWS, Hugging Face, npm.
const PREFIXES: [(&str, usize); 19] = [
    ("sk-", 16),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("xoxa-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxr-", 16),
    ("xoxs-", 16),
    ("xapp-", 16),
    ("AIza", 30),
    ("AKIA", 16),
    ("ASIA", 16),
    ("hf_", 30),
    ("npm_", 30),
];

/// The values that must not be shown. They are never printed.
#[derive(Clone, Default)]
pub struct Secrets(Vec<SecretString>);

impl Secrets {
    /// Those that are configured.
    pub fn new(values: impl IntoIterator<Item = SecretString>) -> Self {
        let mut values: Vec<_> =
            values.into_iter().filter(|value| value.expose_secret().len() >= SHORTEST).collect();
        // Of two the one that contains the other has to go first.
        values.sort_by_key(|value| std::cmp::Reverse(value.expose_secret().len()));
        Self(values)
    }

    /// The text without them, and without what looks like one.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.0 {
            if text.contains(value.expose_secret()) {
                text = text.replace(value.expose_secret(), REDACTED);
            }
        }
        without_shapes(&text)
    }
}

fn without_shapes(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    let mut in_name = false;
    while let Some(next) = text[at..].chars().next() {
        if !in_name && let Some(Shape { before, len }) = shape(&text[at..]) {
            shown.push_str(&text[at..at + before]);
            shown.push_str(REDACTED);
            at += before + len;
            continue;
        }
        in_name = is_of_name(next);
        shown.push(next);
        at += next.len_utf8();
    }
    shown
}

/// A secret that a text begins with, behind what may be shown.
struct Shape {
    before: usize,
    len: usize,
}

fn shape(text: &str) -> Option<Shape> {
    let whole = |len| Shape { before: 0, len };
    private_key(text).map(whole).or_else(|| {
        let name = name(text);
        match name {
            "" => None,
            _ if has_known_prefix(name) => Some(whole(name.len())),
            _ => {
                bearer(text, name).or_else(|| numbered(text, name)).or_else(|| dotted(text, name).map(whole))
            }
        }
    })
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// The letters, digits, `_` and `-` at the start.
fn name(text: &str) -> &str {
    &text[..text.find(|c| !is_of_name(c)).unwrap_or(text.len())]
}

fn has_known_prefix(name: &str) -> bool {
    PREFIXES.iter().any(|(prefix, more)| name.strip_prefix(prefix).is_some_and(|rest| rest.len() >= *more))
}

/// A block of PEM with a private key, or what there is of it (RFC 7468).
fn private_key(text: &str) -> Option<usize> {
    let label = text.strip_prefix("-----BEGIN ")?;
    let label = &label[..label.find("-----")?];
    if !label.ends_with("PRIVATE KEY") {
        return None;
    }
    let end = format!("-----END {label}-----");
    Some(text.find(&end).map_or(text.len(), |start| start + end.len()))
}

/// `Bearer` and a token (RFC 6750), and not a word of a sentence.
fn bearer(text: &str, name: &str) -> Option<Shape> {
    if !name.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let rest = text[name.len()..].trim_start_matches(' ');
    let ends = |c: char| !(is_of_name(c) || "._~+/=".contains(c));
    let len = rest.find(ends).unwrap_or(rest.len());
    let token = &rest[..len];
    let is_token = len >= 20 || (len >= 8 && token.contains(|c: char| c.is_ascii_digit()));
    is_token.then(|| Shape { before: text.len() - rest.len(), len })
}

/// A number, a colon and a long name: a bot of Telegram, alone or as `bot<token>` in an address
/// (<https://core.telegram.org/bots/api#authorizing-your-bot>).
fn numbered(text: &str, number: &str) -> Option<Shape> {
    let digits = number.strip_prefix("bot").unwrap_or(number);
    let is_number = (6..=14).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let key = name(text[number.len()..].strip_prefix(':')?);
    let before = number.len() - digits.len();
    (is_number && key.len() >= 30).then(|| Shape { before, len: digits.len() + 1 + key.len() })
}

/// Three long names with dots between them: a bot of Discord
/// (<https://discord.com/developers/docs/reference#authentication>), or a JSON Web Token (RFC 7519).
fn dotted(text: &str, first: &str) -> Option<usize> {
    let second = name(text[first.len()..].strip_prefix('.')?);
    let third = name(text[first.len() + 1 + second.len()..].strip_prefix('.')?);
    let of_discord = first.len() >= 18 && (6..=7).contains(&second.len()) && third.len() >= 27;
    let of_web = first.starts_with("eyJ") && second.len() >= 8 && third.len() >= 8;
    (of_discord || of_web).then(|| first.len() + second.len() + third.len() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(text: &str) -> String {
        Secrets::default().redact(text)
    }

    #[test]
    fn configured_values_are_not_shown_wherever_they_stand() {
        let known = ["hunter2hunter2", "hunter2", "short"].map(|value| SecretString::from(value.to_owned()));
        let secrets = Secrets::new(known);
        let said = "xhunter2x, https://a:hunter2hunter2@b/ and short";
        assert_eq!(secrets.redact(said), "x[redacted]x, https://a:[redacted]@b/ and short");
    }

    #[test]
    fn credentials_are_known_by_their_shape() {
        let (long, telegram) = ("a1B2".repeat(10), format!("123456789:AA{}", "h-_4".repeat(9)));
        let discord = format!("{}.GabcDe.{}", "MTk4NjIyNDgzNDcxOTI1MjQ4", "x-9_".repeat(9));
        for (text, expected) in [
            (format!("key sk-ant-{long}."), "key [redacted].".to_owned()),
            (format!("OPENAI_API_KEY=sk-proj-{long}\n"), "OPENAI_API_KEY=[redacted]\n".into()),
            (format!("{{\"token\":\"ghp_{long}\"}}"), "{\"token\":\"[redacted]\"}".into()),
            (format!("it is {telegram}, keep it"), "it is [redacted], keep it".into()),
            (format!("https://host/bot{telegram}/getMe"), "https://host/bot[redacted]/getMe".into()),
            (format!("Bot {discord}"), "Bot [redacted]".into()),
            (format!("Authorization: Bearer {long}=="), "Authorization: Bearer [redacted]".into()),
            ("-H 'authorization: bearer abc12345'".into(), "-H 'authorization: bearer [redacted]'".into()),
            ("eyJhbGciOi.eyJzdWIiOi.SflKxwRJ end".into(), "[redacted] end".into()),
        ] {
            assert_eq!(redact(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_private_key_goes_with_its_block_and_a_public_one_stays() {
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nMIIB\nAAAA\n-----END {kind}-----");
        let text = format!("a\n{}\nb {}", block("RSA PRIVATE KEY"), block("PUBLIC KEY"));
        assert_eq!(redact(&text), format!("a\n[redacted]\nb {}", block("PUBLIC KEY")));
        assert_eq!(redact("a -----BEGIN PRIVATE KEY-----\nMIIB"), "a [redacted]");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            "the bearer of this letter, a bearer authentication",
            "sk-8 boards and task-force-of-the-long-name-there-is",
            "at 12:30 on 2026-11-25: 123456789:short, 1.2.3, docs.example.org/a.b.c",
            "agent:worker:subagent:0199c2f4-aaaa-7bbb-8ccc-0123456789ab",
            "größer — «ja» 🦀 ----- -----BEGIN",
            "",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
