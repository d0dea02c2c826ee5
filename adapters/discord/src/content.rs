//! What comes with a message beside its text, and messages that nobody wrote.

use roundtable_contract::Attachment;
use serde_json::Value;

use crate::wire;

/// Types of messages that Discord itself writes: members come and go, pins, boosts, threads that open
/// (<https://discord.com/developers/docs/resources/message#message-object-message-types>). A type that is
/// newer than this program counts as written by somebody.
const OF_DISCORD: &[i64] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 21, 22, 24, 25, 26, 27, 28, 29, 31, 32, 36,
    37, 38, 39, 44, 46,
];

/// Whether Discord itself wrote the message.
pub(crate) fn is_of_discord(message: &Value) -> bool {
    wire::number(message, "/type").is_some_and(|kind| OF_DISCORD.contains(&kind))
}

/// The message that was passed on with this one, if one was
/// (<https://discord.com/developers/docs/resources/message#message-reference-types>).
pub(crate) fn forwarded(message: &Value) -> Option<&Value> {
    let is_forward = wire::number(message, "/message_reference/type") == Some(1);
    message.pointer("/message_snapshots/0/message").filter(|_| is_forward)
}

/// The text that people see: the content, or where there is none, what the components and embeds say.
pub(crate) fn text(message: &Value) -> String {
    if let Some(content) = wire::text(message, "/content").filter(|content| !content.is_empty()) {
        return content.to_owned();
    }
    let mut lines = Vec::new();
    displayed(wire::list(message, "/components"), &mut lines);
    for embed in wire::list(message, "/embeds") {
        lines.extend(["/title", "/description"].iter().filter_map(|path| wire::text(embed, path)));
    }
    lines.extend(wire::text(message, "/poll/question/text"));
    lines.join("\n")
}

/// The texts of components, however deep they lie.
fn displayed<'a>(components: &'a [Value], lines: &mut Vec<&'a str>) {
    for component in components {
        lines.extend(wire::text(component, "/content"));
        displayed(wire::list(component, "/components"), lines);
    }
}

/// Files and stickers. The address of a file expires, so it is found again by its message.
pub(crate) fn attachments(message: &Value) -> Vec<Attachment> {
    let files = wire::list(message, "/attachments").iter().map(|file| Attachment {
        kind: kind(wire::text(file, "/content_type").unwrap_or_default()).to_owned(),
        reference: wire::text(file, "/url").unwrap_or_default().to_owned(),
        name: wire::text(file, "/filename").map(str::to_owned),
        size: wire::number(file, "/size").and_then(|size| size.try_into().ok()),
    });
    let stickers = wire::list(message, "/sticker_items").iter().map(|sticker| Attachment {
        kind: "sticker".into(),
        reference: String::new(),
        name: wire::text(sticker, "/name").map(str::to_owned),
        size: None,
    });
    files.chain(stickers).collect()
}

/// The words that Telegram has for them too.
fn kind(content_type: &str) -> &'static str {
    match content_type.split('/').next() {
        Some("image") => "photo",
        Some("video") => "video",
        Some("audio") => "audio",
        _ => "document",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_found_wherever_it_is() {
        let components = json!([{"type": 17, "components": [{"type": 10, "content": "deep"}, {"type": 99}]}]);
        assert_eq!(text(&json!({"content": "plain", "components": components})), "plain");
        assert_eq!(text(&json!({"content": "", "components": components})), "deep");
        let embeds = json!([{"title": "A", "description": "b"}, {"image": {}}]);
        assert_eq!(text(&json!({"content": "", "embeds": embeds})), "A\nb");
        assert_eq!(text(&json!({})), "");
    }

    #[test]
    fn files_have_a_kind_and_a_name() {
        let message = json!({"attachments": [
            {"id": "77", "filename": "a.png", "size": 12, "url": "https://cdn.example/a.png", "content_type": "image/png"},
            {"filename": "b.bin"}], "sticker_items": [{"id": "5", "name": "wave"}]});
        let got = attachments(&message);
        let short: Vec<_> = got.iter().map(|a| (a.kind.as_str(), a.name.as_deref(), a.size)).collect();
        assert_eq!(
            short,
            [
                ("photo", Some("a.png"), Some(12)),
                ("document", Some("b.bin"), None),
                ("sticker", Some("wave"), None)
            ]
        );
        assert_eq!(got[0].reference, "https://cdn.example/a.png");
    }

    #[test]
    fn only_what_discord_writes_is_of_discord() {
        for kind in [6, 7, 18, 21, 46] {
            assert!(is_of_discord(&json!({"type": kind})), "{kind}");
        }
        for kind in [0, 19, 20, 23, 999] {
            assert!(!is_of_discord(&json!({"type": kind})), "{kind}");
        }
    }
}
