//! What the models of a team say and call: a function of what they are told, so that a step that is asked for again
//! gets the same.

use std::collections::HashSet;
use std::time::Duration;

use roundtable_fakes::{ModelRequest, Reply, Role, ToolUse};
use serde_json::{Value, json};

use crate::kills::sight::{Mark, Spot};
use crate::support::requests::label_of;

/// How the name of a job begins, and a name.
pub const QUEST: (&str, usize) = ("quest-", "quest-00-00000".len());

/// How the label of a child begins, and a label.
pub const CHILD: (&str, usize) = ("child-", "child-00-00000-0".len());

/// What a team does with its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Two children, and the turn waits for them.
    Waits,
    /// Two children, and the turn ends.
    Ends,
    /// Two children, of which one asks the other, and the turn waits for them.
    Talks,
    /// A child with a thread of its own, and the turn ends.
    Threads,
    /// A child that does not make it in time.
    Late,
}

impl Manner {
    /// All, the one that takes time last.
    pub const ALL: [Self; 5] = [Self::Waits, Self::Ends, Self::Talks, Self::Threads, Self::Late];

    /// That of a conversation.
    pub fn of(table: usize) -> Self {
        Self::ALL[table / 2 % Self::ALL.len()]
    }

    fn waits(self) -> bool {
        matches!(self, Self::Waits | Self::Talks)
    }
}

/// A job that a team was given.
#[derive(Debug, Clone)]
pub struct Job {
    /// The number of its conversation.
    pub table: usize,
    /// What it is called, which is all that is said of it.
    pub name: String,
}

impl Job {
    /// The job of this number.
    pub fn new(table: usize, number: usize) -> Self {
        Self { table, name: format!("quest-{table:02}-{number:05}") }
    }

    fn read(name: &str) -> Option<Self> {
        Some(Self { table: name.get(6..8)?.parse().ok()?, name: name.to_owned() })
    }

    /// How it is done.
    pub fn manner(&self) -> Manner {
        Manner::of(self.table)
    }

    /// The labels of the children that it takes.
    pub fn children(&self) -> impl Iterator<Item = String> {
        let children = if matches!(self.manner(), Manner::Threads | Manner::Late) { 1 } else { 2 };
        (0..children).map(|child| format!("child-{}-{child}", &self.name["quest-".len()..]))
    }

    /// Whether this is the label of one of its children.
    pub fn has_child(&self, label: &str) -> bool {
        self.children().any(|child| child == label)
    }

    fn answer(&self) -> String {
        format!("{} {}.", if self.manner().waits() { "Answer to" } else { "Begun:" }, self.name)
    }

    /// What must be seen of it, each exactly once.
    pub fn marks(&self, spot: Spot) -> Vec<Mark> {
        let here = |words: Vec<String>| Mark { spot, room: None, words };
        let mut marks = vec![here(vec![self.answer()])];
        for child in self.children() {
            let line = |end: &str| format!("{child} {end} ·");
            match self.manner() {
                // The result itself is seen if it came while nobody waited for it.
                Manner::Waits | Manner::Talks => {
                    marks.extend([here(vec![line("finished"), result(&child)]), here(vec![heard(&child)])])
                }
                Manner::Ends => marks.push(here(vec![line("finished"), result(&child)])),
                Manner::Late => marks.push(here(vec![line("ran out of time"), result(&child)])),
                Manner::Threads => {
                    marks.push(here(vec![line("finished")]));
                    if matches!(spot, Spot::Discord(_)) {
                        marks.push(here(vec![task(&child)]));
                    }
                    marks.push(Mark { spot, room: Some(child.clone()), words: vec![result(&child)] });
                }
            }
        }
        marks
    }
}

/// The task of a child.
pub fn task(child: &str) -> String {
    format!("Work of {child}")
}

fn result(child: &str) -> String {
    format!("Result of {child}.")
}

fn heard(child: &str) -> String {
    format!("Heard of {child}.")
}

fn question(child: &str) -> String {
    format!("Word for {child}")
}

fn reply(child: &str) -> String {
    format!("Reply to {child}.")
}

/// The names of a kind in a text, in order.
pub fn names<'a>(text: &'a str, (begin, length): (&'static str, usize)) -> impl Iterator<Item = &'a str> {
    text.match_indices(begin).filter_map(move |(at, _)| text.get(at..at + length))
}

/// The model of everybody in a team; `None`: it is somebody else's.
pub fn act(request: &ModelRequest) -> Option<Reply> {
    match label_of(request) {
        Some(label) if label.starts_with(CHILD.0) => Some(child(request, &label)),
        _ => lead(request),
    }
}

/// The one that people speak to.
fn lead(request: &ModelRequest) -> Option<Reply> {
    let mut seen = HashSet::new();
    let jobs =
        texts(request, Role::User).flat_map(|text| names(text, QUEST)).filter(|name| seen.insert(*name));
    let jobs: Vec<Job> = jobs.filter_map(Job::read).collect();
    let manner = jobs.first()?.manner();
    let spawned: HashSet<&str> =
        calls(request, "sessions_spawn").filter_map(|call| call.arguments["label"].as_str()).collect();
    let new = jobs.iter().flat_map(Job::children).filter(|child| !spawned.contains(child.as_str()));
    let mut new: Vec<(&str, Value)> = new.map(|child| ("sessions_spawn", spawn(manner, &child))).collect();
    let wait = ("sessions_yield", json!({}));
    if !new.is_empty() {
        new.extend(manner.waits().then_some(wait));
        return Some(Reply::calls(new));
    }
    let open =
        jobs.iter().filter(|job| !texts(request, Role::Assistant).any(|said| said.contains(&job.answer())));
    let open: Vec<&Job> = open.collect();
    if open.is_empty() {
        return Some(Reply::text("NO_REPLY"));
    }
    let told = |child: &str| {
        let result = result(child);
        texts(request, Role::User).chain(texts(request, Role::Tool)).any(|text| text.contains(&result))
    };
    let nobody_left =
        request.result_of("sessions_yield").is_some_and(|waited| waited.contains("\"running\":0"));
    if manner.waits() && !nobody_left && !open.iter().flat_map(|job| job.children()).all(|child| told(&child))
    {
        return Some(Reply::calls([wait]));
    }
    let heard = |job: &&Job| {
        let children = job.children().filter(|child| manner.waits() && told(child));
        [job.answer()].into_iter().chain(children.map(|child| heard(&child))).collect::<Vec<_>>().join(" ")
    };
    Some(Reply::text(open.iter().map(heard).collect::<Vec<_>>().join("\n\n")))
}

fn spawn(manner: Manner, child: &str) -> Value {
    let mut arguments = json!({"task": task(child), "label": child, "agentId": "researcher"});
    match manner {
        Manner::Threads => arguments["thread"] = json!(true),
        Manner::Late => arguments["runTimeoutSeconds"] = json!(1),
        Manner::Waits | Manner::Ends | Manner::Talks => {}
    }
    arguments
}

/// A child: it gives its result, and whoever asks it gets an answer.
fn child(request: &ModelRequest, label: &str) -> Reply {
    let table: usize = label.get(6..8).and_then(|table| table.parse().ok()).unwrap_or(0);
    let asks = Manner::of(table) == Manner::Talks && label.ends_with("-0");
    if asks && calls(request, "sessions_send").next().is_none() {
        let sibling = format!("{}1", &label[..label.len() - 1]);
        let arguments = json!({"label": sibling, "message": question(label), "timeoutSeconds": 600});
        return Reply::calls([("sessions_send", arguments)]);
    }
    if asks && !texts(request, Role::Tool).any(|result| result.contains(&reply(label))) {
        let got = texts(request, Role::Tool).last().unwrap_or_default();
        return Reply::text(format!("No reply for {label}: {got}"));
    }
    let asked = texts(request, Role::User).filter(|text| text.contains(&question("")));
    let answers = asked.flat_map(|text| names(text, CHILD)).filter(|asker| *asker != label).map(reply);
    let text = [result(label)].into_iter().chain(answers).collect::<Vec<_>>().join(" ");
    match Manner::of(table) {
        // Later than its time is over.
        Manner::Late => Reply::text(text).delayed(Duration::from_secs(3)),
        _ => Reply::text(text),
    }
}

fn texts(request: &ModelRequest, role: Role) -> impl Iterator<Item = &str> {
    let messages = request.messages.iter().filter(move |message| message.role == role);
    messages.map(|message| message.text.as_str())
}

fn calls<'a>(request: &'a ModelRequest, tool: &'static str) -> impl Iterator<Item = &'a ToolUse> {
    request.messages.iter().flat_map(|message| &message.calls).filter(move |call| call.name == tool)
}
