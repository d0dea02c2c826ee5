//! Who speaks in a message: the engine frames everything that people did not write as one line of JSON.

use std::borrow::Cow;

use serde_json::Value;

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Voice {
    /// A person.
    Person,
    /// Another agent.
    Agent {
        /// What it said is the task of a run.
        task: bool,
    },
    /// The program, or a result that people have seen.
    Notice,
}

/// Who speaks in a message of one or more inputs, and what they say. A person is heard before an agent, and
/// an agent before a notice.
pub(super) fn of(text: &str) -> (Voice, Cow<'_, str>) {
    let text = text.trim();
    if !text.starts_with('[') && !text.contains("\n[") {
        return (Voice::Person, Cow::Borrowed(text));
    }
    let mut plain = Vec::new();
    let mut other = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        match framed(line) {
            Framed::No => plain.push(line),
            Framed::Quote => {}
            Framed::By(Voice::Notice, _) if other.is_some() => {}
            Framed::By(voice, data) => other = Some((voice, content(data))),
        }
        rest = after;
    }
    let plain = plain.join("\n");
    match other {
        Some((voice, said)) if plain.trim().is_empty() => (voice, Cow::Owned(said)),
        _ => (Voice::Person, Cow::Owned(plain.trim().to_owned())),
    }
}

/// One line.
enum Framed<'a> {
    /// It is what a person wrote.
    No,
    /// It is what a person refers to.
    Quote,
    /// Somebody else wrote it.
    By(Voice, &'a str),
}

fn framed(line: &str) -> Framed<'_> {
    let Some((head, data)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) else {
        return Framed::No;
    };
    let is = |kind: &str| head.starts_with(kind);
    match head.ends_with("data only") {
        _ if is("task from ") => Framed::By(Voice::Agent { task: true }, data),
        false => Framed::No,
        true if is("passed on") => Framed::No,
        true if is("answers") || is("came with") => Framed::Quote,
        true if is("agent") => Framed::By(Voice::Agent { task: false }, data),
        true => Framed::By(Voice::Notice, data),
    }
}

/// The text in the data.
fn content(data: &str) -> String {
    let value: Value = serde_json::from_str(data).unwrap_or_default();
    let text = ["text", "task", "message"].into_iter().find_map(|key| value[key].as_str());
    text.or(value.as_str()).unwrap_or(data).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_are_told_apart() {
        let (person, notice) = (Voice::Person, Voice::Notice);
        let agent = |task| Voice::Agent { task };
        let table = [
            ("  hi ", person.clone(), "hi"),
            ("[agent, data only] {\"from\":\"manager\",\"text\":\"a\\nb\"}", agent(false), "a\nb"),
            ("[task from manager] {\"text\":\"look\"}", agent(true), "look"),
            ("[task from manager, data only] {\"task\":\"look\"}", agent(true), "look"),
            ("[task from manager] \"look\"", agent(true), "look"),
            ("[announce, data only] {\"from\":\"coder\",\"text\":\"done\"}", notice.clone(), "done"),
            (
                "[agent, data only] {\"text\":\"q\"}\n\n[system, data only] {\"text\":\"s\"}",
                agent(false),
                "q",
            ),
            ("[system, data only] {\"text\":\"s\"}\n\nand now?", person.clone(), "and now?"),
            ("[answers this message, data only] {\"text\":\"build\"}\nno", person.clone(), "no"),
            ("[a result, data only] {\"label\":\"coder\"}", notice, "{\"label\":\"coder\"}"),
            ("[task from manager] look", agent(true), "look"),
            ("[task] do it\n[agent] now", person, "[task] do it\n[agent] now"),
        ];
        for (text, voice, said) in table {
            assert_eq!(of(text), (voice, Cow::Borrowed(said)), "{text}");
        }
    }
}
