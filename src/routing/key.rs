//! Session keys. A key is given once, when a session is made, and stored: it is a name for people and
//! agents, not the way a session is found, so renaming or rebinding never orphans a history.

use roundtable_contract::ChatKind;

use super::Place;

/// The key of an agent's own session, which belongs to no conversation.
pub fn main_key(agent: &str) -> String {
    format!("agent:{agent}:main")
}

/// The key of an agent's session for a conversation.
pub fn session_key(agent: &str, place: &Place<'_>) -> String {
    let account = &place.conversation.account;
    let mut key = match place.kind {
        ChatKind::Direct => format!("agent:{agent}:{account}:dm:{}", place.user),
        ChatKind::Group => format!("agent:{agent}:{account}:group:{}", place.chat()),
    };
    if let Some(thread) = place.thread() {
        key.push_str(":thread:");
        key.push_str(thread);
    }
    key
}

/// The key of a spawned session; `id` is its UUID.
pub fn subagent_key(agent: &str, id: &str) -> String {
    format!("agent:{agent}:subagent:{id}")
}

/// The key of an agent's session beside another one of the same conversation: the same with the other agent. Where
/// that one's key names no conversation, the number of the conversation does.
pub fn key_beside(key: &str, agent: &str, conversation_id: i64) -> String {
    let rest = key.strip_prefix("agent:").and_then(|key| key.split_once(':')).map(|(_, rest)| rest);
    match rest {
        Some(rest) if rest.contains(":dm:") || rest.contains(":group:") => format!("agent:{agent}:{rest}"),
        _ => format!("agent:{agent}:conversation:{conversation_id}"),
    }
}

/// The key of a session that a program speaks to through the HTTP API or a webhook.
pub fn api_key(agent: &str, name: &str) -> String {
    format!("agent:{agent}:api:{name}")
}

#[cfg(test)]
mod tests {
    use roundtable_contract::{ChatId, UserId};

    use super::*;

    #[test]
    fn keys_follow_the_table() {
        use ChatKind::{Direct, Group};
        let table = [
            ("telegram:main:55", None, Direct, "agent:coder:telegram:main:dm:55"),
            ("telegram:main:55:7", None, Direct, "agent:coder:telegram:main:dm:55:thread:7"),
            ("discord:work:900", None, Direct, "agent:coder:discord:work:dm:55"),
            ("telegram:main:-100123", None, Group, "agent:coder:telegram:main:group:-100123"),
            ("telegram:main:-100123:42", None, Group, "agent:coder:telegram:main:group:-100123:thread:42"),
            ("discord:main:811", Some("810"), Group, "agent:coder:discord:main:group:810:thread:811"),
        ];
        for (conversation, parent, kind, key) in table {
            let (conversation, parent) = (conversation.parse().unwrap(), parent.map(ChatId::new));
            let place = Place {
                conversation: &conversation,
                kind,
                guild: None,
                parent: parent.as_ref(),
                user: &UserId::new("55"),
                roles: &[],
            };
            assert_eq!(session_key("coder", &place), key);
        }
        assert_eq!(main_key("coder"), "agent:coder:main");
        assert_eq!(subagent_key("coder", "0190-ab"), "agent:coder:subagent:0190-ab");
        assert_eq!(api_key("coder", "ci"), "agent:coder:api:ci");
    }
}
