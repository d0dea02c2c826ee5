//! What Telegram does to text: normalisation, entities in UTF-16 units, what it finds by itself. Pure.

use serde_json::{Value, json};

/// The longest message text, in code points after normalisation.
pub(crate) const MAX_TEXT: usize = 4096;
/// The longest caption, in code points.
pub(crate) const MAX_CAPTION: usize = 1024;
/// Entities beyond this number are ignored.
const MAX_ENTITIES: usize = 100;
/// Texts are cut near this many bytes before anything else looks at them.
const MAX_BYTES: usize = 35_000;
/// What both ends of a text are trimmed of.
const SPACES: [char; 2] = [' ', '\n'];
/// The kinds of entities that a bot may send.
const SENDABLE: &[&str] = &[
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "expandable_blockquote",
    "code",
    "pre",
    "text_link",
    "text_mention",
    "custom_emoji",
    "date_time",
];

/// A text as it is stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Formatted {
    /// The normalised text.
    pub text: String,
    /// Its entities by offset; offsets and lengths count UTF-16 units.
    pub entities: Vec<Value>,
    /// What a correct client would not have sent.
    pub violations: Vec<String>,
}

/// Length in UTF-16 units.
pub(crate) fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Normalises `text` and moves the given entities along; wrong entities are dropped (as the real server does) and named.
pub(crate) fn format(text: &str, entities: &[Value]) -> Formatted {
    let mut violations = Vec::new();
    if entities.len() > MAX_ENTITIES {
        violations.push(format!("{} entities, of which {MAX_ENTITIES} are shown", entities.len()));
    }
    let cleaned = Cleaned::new(text);
    let mut placed = Vec::new();
    for entity in entities.iter().take(MAX_ENTITIES) {
        match checked(entity, &cleaned.moved) {
            Ok((start, end)) if cleaned.has_words(start, end) => placed.push((entity, start, end)),
            Ok(_nothing_to_see) => {}
            Err(problem) => violations.push(problem),
        }
    }
    // The start is trimmed up to the first entity only, so that code keeps its indentation.
    let first = placed.iter().map(|(_, start, _)| *start).min().unwrap_or(usize::MAX);
    let trimmed = cleaned.text.chars().take(first).take_while(|c| SPACES.contains(c)).count();
    let text = cleaned.text[trimmed..].trim_end_matches(SPACES).to_owned();
    let length = utf16_len(&text);
    let moved = |(entity, start, end): &(&Value, usize, usize)| {
        resized(entity, start - trimmed, (end - trimmed).min(length))
    };
    let mut kept: Vec<Value> = placed.iter().map(moved).collect();
    kept.extend(detect(&text, &kept));
    kept.sort_by_key(|entity| entity["offset"].as_u64());
    Formatted { text, entities: kept, violations }
}

/// Whether a text shows nothing, and is refused as empty.
pub(crate) fn is_blank(text: &str) -> bool {
    let is_invisible = |c| {
        matches!(c, '\u{ad}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fffc}')
    };
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Text after cleaning, with the way from old UTF-16 offsets to new ones (`None` inside a surrogate pair).
struct Cleaned {
    text: String,
    /// For each UTF-16 unit of `text`: is it more than a space or a line end?
    shows: Vec<bool>,
    moved: Vec<Option<usize>>,
}

impl Cleaned {
    fn new(text: &str) -> Self {
        let mut cleaned = String::with_capacity(text.len());
        let mut moved = Vec::with_capacity(text.len() + 1);
        let mut shows = Vec::with_capacity(text.len());
        for old in text.chars() {
            moved.push(Some(shows.len()));
            if old.len_utf16() == 2 {
                moved.push(None);
            }
            if let Some(new) = clean(old).filter(|_| cleaned.len() < MAX_BYTES) {
                cleaned.push(new);
                shows.resize(shows.len() + new.len_utf16(), !SPACES.contains(&new));
            }
        }
        moved.push(Some(shows.len()));
        Self { text: cleaned, shows, moved }
    }

    /// Whether something shows between two UTF-16 offsets: an entity needs that.
    fn has_words(&self, start: usize, end: usize) -> bool {
        start < end && self.shows[start..end].contains(&true)
    }
}

fn clean(c: char) -> Option<char> {
    match c {
        '\r' | '\u{2028}'..='\u{202e}' | '\u{333}' | '\u{33f}' | '\u{30a}' => None,
        '\n' => Some('\n'),
        c if c < ' ' => Some(' '),
        c => Some(c),
    }
}

fn checked(entity: &Value, moved: &[Option<usize>]) -> Result<(usize, usize), String> {
    let kind = entity["type"].as_str().unwrap_or_default();
    if !SENDABLE.contains(&kind) {
        return Err(format!("entity of unknown type: {entity}"));
    }
    let number = |field: &str| entity[field].as_u64().and_then(|n| usize::try_from(n).ok());
    let (Some(offset), Some(length)) = (number("offset"), number("length")) else {
        return Err(format!("entity without offset or length: {entity}"));
    };
    let place = |at: usize| match moved.get(at) {
        None => Err(format!("entity outside the text ({} units): {entity}", moved.len() - 1)),
        Some(None) => Err(format!("entity cuts a surrogate pair: {entity}")),
        Some(Some(place)) => Ok(*place),
    };
    Ok((place(offset)?, place(offset.saturating_add(length))?))
}

fn resized(entity: &Value, start: usize, end: usize) -> Value {
    let mut entity = entity.clone();
    entity["offset"] = json!(start);
    entity["length"] = json!(end - start);
    entity
}

/// The mentions, commands and addresses that the server finds by itself, outside the given code and links.
pub(crate) fn detect(text: &str, given: &[Value]) -> Vec<Value> {
    let covered = |start: usize, end: usize| {
        given.iter().any(|entity| {
            let from = entity["offset"].as_u64().unwrap_or(0);
            let to = from + entity["length"].as_u64().unwrap_or(0);
            from < end as u64 && (start as u64) < to && !is_decoration(entity)
        })
    };
    let mut found = Vec::new();
    let mut units = 0;
    let mut skip_to = 0;
    let mut before = None;
    for (at, c) in text.char_indices() {
        if at >= skip_to
            && let Some((kind, bytes)) = starts_here(before, &text[at..])
        {
            skip_to = at + bytes;
            let end = units + utf16_len(&text[at..skip_to]);
            if !covered(units, end) {
                found.push(json!({"type": kind, "offset": units, "length": end - units}));
            }
        }
        units += c.len_utf16();
        before = Some(c);
    }
    found
}

/// Bold and the like do not keep a name inside them from becoming a mention.
fn is_decoration(entity: &Value) -> bool {
    matches!(
        entity["type"].as_str(),
        Some(
            "bold"
                | "italic"
                | "underline"
                | "strikethrough"
                | "spoiler"
                | "blockquote"
                | "expandable_blockquote"
        )
    )
}

fn starts_here(before: Option<char>, rest: &str) -> Option<(&'static str, usize)> {
    let word =
        |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let joined = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if let Some(name) = rest.strip_prefix('@') {
        let length = word(name);
        return (!joined && (3..=32).contains(&length)).then_some(("mention", 1 + length));
    }
    if let Some(name) = rest.strip_prefix('/') {
        let length = word(name);
        if joined || matches!(before, Some('/' | '<' | '>')) || !(1..=64).contains(&length) {
            return None;
        }
        let bot = name[length..].strip_prefix('@').map_or(0, word);
        return Some(("bot_command", 1 + length + if bot >= 3 { 1 + bot } else { 0 }));
    }
    // An address may follow a word without a gap.
    if rest.starts_with("http://") || rest.starts_with("https://") {
        return Some(("url", rest.find(char::is_whitespace).unwrap_or(rest.len())));
    }
    None
}

/// What a person's app makes of typed text: back-ticks become code, the rest is left to [`detect`].
pub(crate) fn typed(text: &str) -> (String, Vec<Value>) {
    let (mut plain, mut entities, mut rest) = (String::new(), Vec::new(), text);
    while let Some(open) = rest.find('`') {
        let fence = if rest[open..].starts_with("```") { "```" } else { "`" };
        let inside = &rest[open + fence.len()..];
        let Some(close) = inside.find(fence).filter(|close| *close > 0) else { break };
        plain.push_str(&rest[..open]);
        let kind = if fence == "`" { "code" } else { "pre" };
        let code = &inside[..close];
        entities.push(json!({"type": kind, "offset": utf16_len(&plain), "length": utf16_len(code)}));
        plain.push_str(code);
        rest = &inside[close + fence.len()..];
    }
    plain.push_str(rest);
    entities.extend(detect(&plain, &entities));
    entities.sort_by_key(|entity| entity["offset"].as_u64());
    (plain, entities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalising_moves_entities_with_their_text() {
        let bold = json!({"type": "bold", "offset": 4, "length": 5});
        let formatted = format(" \u{1f600}\tab\r\u{202e}c \n", std::slice::from_ref(&bold));
        assert_eq!(formatted.text, "\u{1f600} abc");
        assert_eq!(formatted.entities, [json!({"type": "bold", "offset": 3, "length": 3})]);
        assert_eq!(formatted.violations, Vec::<String>::new());
    }

    #[test]
    fn the_start_is_trimmed_up_to_the_first_entity() {
        let code = |offset| json!({"type": "pre", "offset": offset, "length": 7});
        let formatted = format("   x = 1\n", &[code(0)]);
        assert_eq!(formatted.text, "   x = 1");
        assert_eq!(formatted.entities, [code(0)]);
        assert_eq!(format("    x = 1", &[code(2)]).text, "  x = 1");
        assert_eq!(format("\n  x = 1", &[]).text, "x = 1");
        let spaces = json!({"type": "code", "offset": 0, "length": 2});
        assert_eq!(format("  x", &[spaces]), format("x", &[]));
        assert_eq!(format("\u{a0}x\u{3000}", &[]).text, "\u{a0}x\u{3000}");
    }

    #[test]
    fn only_what_shows_something_is_not_blank() {
        assert!(is_blank("") && is_blank("\u{a0}\u{200b}\u{2800}\u{fe0f}"));
        assert!(!is_blank("\u{200b}x") && !is_blank("\u{301}"));
    }

    #[test]
    fn too_many_entities_are_a_violation() {
        let bold = json!({"type": "bold", "offset": 0, "length": 1});
        assert!(format("x", &vec![bold.clone(); 100]).violations.is_empty());
        assert_eq!(format("x", &vec![bold; 101]).violations.len(), 1);
    }

    #[test]
    fn entities_that_cut_a_character_or_leave_the_text_are_violations() {
        let bad = [(0, 1), (1, 1), (0, 4)].map(|(o, l)| json!({"type": "bold", "offset": o, "length": l}));
        let formatted = format("\u{1f600}x", &bad);
        assert_eq!(formatted.entities, Vec::<Value>::new());
        assert_eq!(formatted.violations.len(), 3);
    }

    #[test]
    fn mentions_are_found_but_not_in_code() {
        let (plain, entities) = typed("/ask@team_bot `@ann` @bob a@example.org seehttps://a.example/@ann");
        assert_eq!(plain, "/ask@team_bot @ann @bob a@example.org seehttps://a.example/@ann");
        assert_eq!(
            entities,
            [
                json!({"type": "bot_command", "offset": 0, "length": 13}),
                json!({"type": "code", "offset": 14, "length": 4}),
                json!({"type": "mention", "offset": 19, "length": 4}),
                json!({"type": "url", "offset": 41, "length": 22}),
            ]
        );
    }
}
