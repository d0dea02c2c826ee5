//! What a line looks like, and which lines are for this terminal and not for the team.

use crate::cli::out::harmless;
use crate::http::check_chat;
use crate::store::local::Line;

/// How lines are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Each an object of JSON.
    pub json: bool,
    /// Names in bold.
    pub bold: bool,
}

/// A line of the conversation.
pub(super) fn shown(line: &Line, style: Style) -> String {
    if style.json {
        return serde_json::to_string(line).expect("numbers and texts are always JSON");
    }
    let (name, text) = (harmless(&line.sender), harmless(&line.text));
    match style.bold && !line.own {
        true => format!("\u{1b}[1m{name}\u{1b}[0m › {text}"),
        false => format!("{name} › {text}"),
    }
}

/// What somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// For the team, or a command that the node knows.
    Text(String),
    /// Another conversation.
    Open(String),
    /// Which conversations there are.
    Chats,
    /// For nobody: it was written wrongly.
    Wrong(String),
}

/// Reads a line. With an agent to speak to, what addresses nobody else is addressed to it.
pub(super) fn read(line: &str, agent: Option<&str>) -> Typed {
    let (word, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    match (word, rest.trim()) {
        ("/chats", "") => Typed::Chats,
        ("/open", "") => Typed::Wrong("Write it like this: /open NAME".into()),
        ("/open", name) => match check_chat(name) {
            Ok(()) => Typed::Open(name.to_owned()),
            Err(why) => Typed::Wrong(why),
        },
        _ => match agent {
            Some(agent) if !line.starts_with(['/', '@']) => Typed::Text(format!("@{agent} {line}")),
            _ => Typed::Text(line.to_owned()),
        },
    }
}

/// Whether a line ends the chat.
pub(super) fn is_quit(line: &str) -> bool {
    line.trim() == "/quit"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_with_their_speaker() {
        let line = Line { id: 7, sender: "Manager".into(), own: false, text: "one\n\u{1b}[31mtwo".into() };
        let plain = Style { json: false, bold: false };
        assert_eq!(shown(&line, plain), "Manager › one\n[31mtwo");
        assert_eq!(shown(&line, Style { bold: true, ..plain }), "\u{1b}[1mManager\u{1b}[0m › one\n[31mtwo");
        insta::assert_snapshot!(shown(&line, Style { json: true, bold: true }), @r#"{"id":7,"sender":"Manager","own":false,"text":"one\n\u001b[31mtwo"}"#);
        let own = Line { own: true, sender: "ann".into(), text: "hi".into(), ..line };
        assert_eq!(shown(&own, Style { bold: true, ..plain }), "ann › hi");
    }

    #[test]
    fn only_the_terminals_own_words_are_kept_from_the_team() {
        let text = |text: &str| Typed::Text(text.into());
        assert_eq!(read("/open work", None), Typed::Open("work".into()));
        assert_eq!(read(" /chats ", None), Typed::Chats);
        for line in ["hello", "/help", "/stop all", "/openwork", "/chats now", "@coder hi"] {
            assert_eq!(read(line, None), text(line));
        }
        assert_eq!(read("hello", Some("coder")), text("@coder hello"));
        assert_eq!(read("@qa hello", Some("coder")), text("@qa hello"));
        assert_eq!(read("/stop", Some("coder")), text("/stop"));
        assert!(is_quit("/quit ") && !is_quit("/quit now"));
    }

    #[test]
    fn wrong_names_are_explained() {
        let Typed::Wrong(why) = read("/open Work!", None) else { panic!("it was taken") };
        insta::assert_snapshot!(
            why,
            @"`Work!` is no name for a chat: write up to 32 of a-z, 0-9, `_` and `-`, beginning with a letter or digit."
        );
        assert!(matches!(read("/open", None), Typed::Wrong(_)));
    }
}
