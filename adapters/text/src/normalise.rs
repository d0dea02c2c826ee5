//! The changes Telegram's server makes to every text, made beforehand so that offsets stay true.

/// The text as Telegram's server will keep it: control characters other than newlines become spaces,
/// a few marks and direction overrides vanish, both ends are trimmed. Doing it twice changes nothing.
///
/// Adapters hash this form to compare a text they sent with one they read back. The rules are those of
/// the Bot API server's `clean_input_string`; what it does not touch, this does not touch either.
pub fn normalise(text: &str) -> String {
    clean(text).trim().to_owned()
}

/// The part of [`normalise`] that looks at one character at a time.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|c| !is_dropped(*c)).map(|c| if c < ' ' && c != '\n' { ' ' } else { c }).collect()
}

fn is_dropped(c: char) -> bool {
    matches!(c, '\r' | '\u{2028}'..='\u{202e}' | '\u{333}' | '\u{33f}' | '\u{30a}')
}

/// Whether a character shows nothing. A message of such characters alone is refused as empty.
pub(crate) fn is_invisible(c: char) -> bool {
    let format = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}');
    c.is_whitespace() || c.is_control() || format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_spaces_and_marks_vanish() {
        assert_eq!(normalise("\u{1}a\tb\r\nc\u{0}d \n"), "a b\nc d");
        assert_eq!(normalise("x\u{2028}y\u{202e}z\u{333}\u{33f}\u{30a}!"), "xyz!");
        assert_eq!(
            normalise("e\u{301} \u{2027}\u{202f}\u{7f} 👩\u{200d}💻"),
            "e\u{301} \u{2027}\u{202f}\u{7f} 👩\u{200d}💻"
        );
    }

    #[test]
    fn only_invisible_characters_are_blank() {
        assert!(" \n\u{200b}\u{feff}\u{a0}\u{fe0f}".chars().all(is_invisible));
        assert!(!"a—•\u{301}☐".chars().any(is_invisible));
    }
}
