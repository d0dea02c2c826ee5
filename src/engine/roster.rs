//! Who is at the table, as a model is told at the end of its system prompt. Pure.
//!
//! Labels, tasks and last lines are what others wrote: the caller presents them as data.

use serde_json::{Map, Value, json};
use unicode_segmentation::UnicodeSegmentation;

use crate::store::sessions::Status;

/// A text longer than this, in graphemes, is cut.
const LONGEST: usize = 120;

/// More seats than this are only counted.
const SEATS: usize = 32;

/// A session of the tree, seen from the session that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// What it is called by; one without a label is called by its key.
    pub label: Option<String>,
    /// The agent whose session it is.
    pub agent_id: String,
    /// The agent's name as people see it.
    pub agent_name: String,
    /// The stable key.
    pub session_key: String,
    /// What it is doing.
    pub status: Status,
    /// The state of its newest run, if it was spawned.
    pub run: Option<&'static str>,
    /// What it was asked to do.
    pub task: Option<String>,
    /// The last thing it said.
    pub last_line: Option<String>,
    /// What it is to the session that is told.
    pub relation: Relation,
}

/// What one session is to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It started this one.
    Parent,
    /// It is this one.
    Own,
    /// This one started it.
    Child,
    /// The same session started both.
    Sibling,
    /// Another of the tree.
    Other,
}

impl Relation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Own => "you",
            Self::Child => "child",
            Self::Sibling => "sibling",
            Self::Other => "other",
        }
    }
}

/// The roster of these seats, which are in the order newest first; `None` for who is alone.
pub fn render(seats: &[Seat]) -> Option<Value> {
    if seats.iter().all(|seat| seat.relation == Relation::Own) {
        return None;
    }
    let rows: Vec<_> = seats.iter().take(SEATS).map(row).collect();
    let mut roster = json!({"table": rows});
    if seats.len() > SEATS {
        roster["more"] = (seats.len() - SEATS).into();
    }
    Some(roster)
}

fn row(seat: &Seat) -> Value {
    let mut row = Map::new();
    let mut put = |key: &str, value: &str| row.insert(key.into(), value.into());
    match &seat.label {
        Some(label) => put("label", label),
        None => put("sessionKey", &seat.session_key),
    };
    put("agent", &seat.agent_id);
    if !seat.agent_name.eq_ignore_ascii_case(&seat.agent_id) {
        put("name", &line(&seat.agent_name));
    }
    put("is", seat.relation.as_str());
    put("status", seat.status.as_str());
    for (key, text) in
        [("run", seat.run), ("task", seat.task.as_deref()), ("last", seat.last_line.as_deref())]
    {
        let text = text.map(line).filter(|text| !text.is_empty());
        if let Some(text) = text {
            put(key, &text);
        }
    }
    row.into()
}

/// A text as one line that is not too long.
fn line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.grapheme_indices(true).nth(LONGEST - 1) {
        Some((end, last)) if end + last.len() < line.len() => format!("{}…", line[..end].trim_end()),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(label: &str, relation: Relation) -> Seat {
        Seat {
            label: Some(label.into()),
            agent_id: label.into(),
            agent_name: label.into(),
            session_key: format!("agent:{label}:subagent:1"),
            status: Status::Idle,
            run: None,
            task: None,
            last_line: None,
            relation,
        }
    }

    #[test]
    fn the_table_is_compact() {
        let manager = Seat {
            label: None,
            agent_name: "The Boss".into(),
            session_key: "agent:manager:local:main:dm:1".into(),
            status: Status::Waiting,
            ..seat("manager", Relation::Own)
        };
        let coder = Seat {
            status: Status::Running,
            run: Some("running"),
            task: Some("Build\n\n  the page".into()),
            last_line: Some("Done.\"}]".into()),
            ..seat("coder", Relation::Child)
        };
        let seats = [coder, manager, Seat { task: Some(" ".into()), ..seat("qa", Relation::Other) }];
        let roster = render(&seats).unwrap();
        let rows: Vec<_> = roster["table"].as_array().unwrap().iter().map(Value::to_string).collect();
        insta::assert_snapshot!(rows.join("\n"), @r#"
        {"label":"coder","agent":"coder","is":"child","status":"running","run":"running","task":"Build the page","last":"Done.\"}]"}
        {"sessionKey":"agent:manager:local:main:dm:1","agent":"manager","name":"The Boss","is":"you","status":"waiting"}
        {"label":"qa","agent":"qa","is":"other","status":"idle"}
        "#);
        assert_eq!(roster.get("more"), None);
    }

    #[test]
    fn who_is_alone_has_no_table() {
        assert_eq!(render(&[]), None);
        assert_eq!(render(&[seat("manager", Relation::Own)]), None);
        assert!(render(&[seat("manager", Relation::Parent)]).is_some());
    }

    #[test]
    fn a_long_table_is_counted() {
        let seats: Vec<_> = (0..40).map(|n| seat(&format!("c{n}"), Relation::Child)).collect();
        let roster = render(&seats).unwrap();
        assert_eq!(roster["table"].as_array().unwrap().len(), 32);
        assert_eq!(roster["table"][0]["label"], "c0");
        assert_eq!(roster["more"], 8);
    }

    #[test]
    fn long_texts_are_cut_between_graphemes() {
        let family = "👨‍👩‍👧";
        assert_eq!(line(&family.repeat(120)), family.repeat(120));
        assert_eq!(line(&family.repeat(121)), format!("{}…", family.repeat(119)));
        assert_eq!(line(&format!("{} end", "x".repeat(118))), format!("{}…", "x".repeat(118)));
        assert_eq!(line("e\u{301}\r\n\tb"), "e\u{301} b");
    }
}
