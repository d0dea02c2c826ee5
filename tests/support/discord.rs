//! The Discord channel by itself, on a fake server, and its messages as people see them.

use std::time::Duration;

use roundtable_contract::{AccountId, Limits};
use roundtable_discord::{Config, Discord, Pauses, default_limits};
use roundtable_fakes::DiscordFake;

/// The bot of the fake, with pauses that suit a test. Nonces are trusted for `nonce_window`.
pub fn channel(fake: &DiscordFake, nonce_window: Duration) -> Discord {
    let pause = Duration::from_millis(20);
    Discord::new(Config {
        account: AccountId::new("discord", "main"),
        token: fake.token(),
        api_url: fake.api_url().parse().expect("the fake has an address"),
        shards: 1,
        limits: Limits { send_timeout: Duration::from_secs(10), ..default_limits() },
        nonce_window,
        pauses: Pauses { first: pause, most: 2 * pause, identify: pause, store: pause, ..Pauses::default() },
    })
    .expect("an HTTP client can be made")
}

/// What a client shows of a content: without marks, and with what stands behind a backslash.
pub fn shown(content: &str) -> String {
    let mut shown = String::new();
    let mut rest = content;
    let mut quoted = false;
    while let Some(c) = rest.chars().next() {
        if let Some(block) = rest.strip_prefix("```")
            && let Some(end) = block.find("```")
        {
            let lines = if quoted { block[..end].replace("\n> ", "\n") } else { block[..end].to_owned() };
            let (head, code) = lines.split_once('\n').expect("a block has a line for its language");
            assert!(!head.contains(' '), "{head:?} is no language");
            shown.push_str(code.strip_suffix('\n').expect("a block ends on a line of its own"));
            rest = &block[end + 3..];
            continue;
        }
        let line_start = shown.is_empty() || shown.ends_with('\n');
        quoted &= !line_start;
        if c == '`' {
            let ticks = rest.len() - rest.trim_start_matches('`').len();
            let (fence, inner) = rest.split_at(ticks);
            let end = inner.find(fence).unwrap_or_else(|| panic!("code without an end in {content:?}"));
            let code = &inner[..end];
            shown.push_str(if ticks > 1 { code.trim_matches(' ') } else { code });
            rest = &inner[end + ticks..];
        } else if c == '\\' {
            shown.extend(rest[1..].chars().next());
            rest = rest[1..].strip_prefix(|_: char| true).unwrap_or_default();
        } else if let Some(after) = ["**", "~~", "*"].iter().find_map(|mark| rest.strip_prefix(mark)) {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("> ").filter(|_| line_start) {
            rest = after;
            quoted = true;
            continue;
        } else if let Some(address) = rest.strip_prefix('<').filter(|rest| rest.starts_with("http")) {
            let (address, after) = address.split_once('>').expect("an address has an end");
            shown.push_str(address);
            rest = after;
        } else if rest.starts_with("http://") || rest.starts_with("https://") {
            let ends = |c: char| c.is_whitespace() || "<>`*~|\\[]".contains(c);
            let (address, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            shown.push_str(address);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('[') {
            rest = after;
        } else if let Some(address) = rest.strip_prefix("](") {
            rest = &address[address.find(')').expect("an address has an end") + 1..];
        } else {
            shown.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    shown
}
