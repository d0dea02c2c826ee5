//! The decision about one message: who reads it, if anybody.

use roundtable_contract::Message;

use super::addressed::addressed;
use super::admission::admit;
use super::commands::Parsed;
use super::words::{self, Words};
use super::{Addressed, Admission, Command, Facts, Notice, Place, Policy, Resolution, Rules, Step};

/// What becomes of a message, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the message counts; [`Admission::AllowGroup`] asks for something besides the outcome.
    pub admission: Admission,
    /// How the message speaks to the bot.
    pub addressed: Addressed,
    /// What to do.
    pub outcome: Outcome,
    /// The rule that won, to be stored with the event.
    pub rule: String,
    /// What the sender should know about the choice, beside the outcome.
    pub aside: Option<Notice>,
    /// Every rule that was tried, in order; empty unless [`Trace::On`].
    pub trace: Vec<Step>,
}

/// What to do with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing; the sender hears nothing.
    Ignore,
    /// Keep it as context; wake nobody.
    Ambient,
    /// Tell the sender something; wake nobody.
    Say(Notice),
    /// Carry out a command.
    Command(Command),
    /// Give it to these, each on its own. At least one, none twice.
    Deliver(Vec<Target>),
}

/// Who gets a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// This session.
    Session(i64),
    /// The agent's own session for the conversation, made if it is missing.
    Agent {
        /// The agent's id.
        agent: String,
    },
}

/// Whether a decision explains itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// No: for every message.
    Off,
    /// Yes: for people.
    On,
}

/// Decides about one message. `policy` is that of the message's account. The same input, the same answer.
pub fn decide(
    rules: &Rules,
    policy: &Policy,
    facts: &Facts<'_>,
    message: &Message,
    trace: Trace,
) -> Decision {
    let words = Words::read(message, facts);
    let place = Place::of(message);
    let bound = rules.resolve(&place);
    let addressed = addressed(rules, facts, message, &words, bound.mention);
    let admission = admit(policy, facts, message, addressed);
    let case = Case { rules, facts, words, place, bound, addressed, admission };
    let Found { outcome, rule, aside } = case.decide();
    let trace = match trace {
        Trace::On => case.trace(),
        Trace::Off => Vec::new(),
    };
    Decision { admission: case.admission, addressed, outcome, rule, aside, trace }
}

/// Everything the rules look at.
pub(super) struct Case<'a> {
    pub(super) rules: &'a Rules,
    facts: &'a Facts<'a>,
    words: Words<'a>,
    pub(super) place: Place<'a>,
    pub(super) bound: Resolution<'a>,
    pub(super) addressed: Addressed,
    pub(super) admission: Admission,
}

/// What a rule decides.
pub(super) struct Found {
    pub(super) outcome: Outcome,
    /// The rule, as it is stored.
    pub(super) rule: String,
    aside: Option<Notice>,
}

/// A rule that may decide.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) find: fn(&Case<'_>) -> Option<Found>,
    /// Why it does not.
    pub(super) otherwise: fn(&Case<'_>) -> String,
}

/// The rules before the bindings: the first that applies decides.
pub(super) const ORDER: [Rule; 7] = [
    // Before admission, because a code is what lets a stranger in.
    Rule { name: "pairing code", find: pairing, otherwise: |_| "it is none".into() },
    Rule { name: "admission", find: refusal, otherwise: |case| case.admission.to_string() },
    Rule { name: "command", find: command, otherwise: |_| "it is none".into() },
    Rule { name: "addressed", find: ambient, otherwise: |case| case.addressed.to_string() },
    Rule { name: "labels", find: labels, otherwise: |_| "none names anybody here".into() },
    Rule { name: "reply", find: reply, otherwise: |_| "it answers no message of a session".into() },
    Rule { name: "focus", find: focus, otherwise: |_| "the sender has none here".into() },
];

impl Case<'_> {
    fn decide(&self) -> Found {
        ORDER.iter().find_map(|rule| (rule.find)(self)).unwrap_or_else(|| binding(self))
    }
}

fn pairing(case: &Case<'_>) -> Option<Found> {
    match &case.words.command {
        Parsed::Ours(command @ Command::Pair { .. }) => {
            found("pairing code", Outcome::Command(command.clone()))
        }
        _ => None,
    }
}

fn refusal(case: &Case<'_>) -> Option<Found> {
    match &case.admission {
        Admission::Refused { say, .. } => {
            let outcome = say.clone().map_or(Outcome::Ignore, Outcome::Say);
            found(case.admission.to_string(), outcome)
        }
        Admission::Admitted { .. } | Admission::AllowGroup => None,
    }
}

fn command(case: &Case<'_>) -> Option<Found> {
    match &case.words.command {
        Parsed::Ours(Command::Ask { label, .. }) => Some(ask(case, label)),
        Parsed::Ours(command) => found("command", Outcome::Command(command.clone())),
        Parsed::Misused { usage } => found("command", Outcome::Say(Notice::Usage { usage: usage.clone() })),
        // In a group it may be meant for another bot.
        Parsed::Unknown { name, suggestion } if case.addressed != Addressed::No => {
            let notice = Notice::UnknownCommand { name: name.clone(), suggestion: *suggestion };
            found("unknown command", Outcome::Say(notice))
        }
        Parsed::Unknown { .. } | Parsed::Text | Parsed::OtherBot => None,
    }
}

/// `/ask` is a message with a label, and nothing else.
fn ask(case: &Case<'_>, label: &str) -> Found {
    let rule = format!("/ask {label}");
    match words::find(label, case.rules, case.facts) {
        Some(target) => {
            Found { outcome: Outcome::Deliver(vec![target]), rule, aside: several(case, &[label]) }
        }
        None => {
            let suggestion = words::suggest(label, case.rules, case.facts).map(str::to_owned);
            let notice = Notice::NobodyToAsk { written: label.to_owned(), suggestion };
            Found { outcome: Outcome::Say(notice), rule, aside: None }
        }
    }
}

/// The first of these labels that more than one tree has.
fn several(case: &Case<'_>, called: &[&str]) -> Option<Notice> {
    let label = called.iter().find(|label| words::calls_several(label, case.facts))?;
    Some(Notice::SeveralCalled { label: (*label).to_owned() })
}

fn ambient(case: &Case<'_>) -> Option<Found> {
    if case.addressed == Addressed::No { found("not addressed", Outcome::Ambient) } else { None }
}

fn labels(case: &Case<'_>) -> Option<Found> {
    let find = |label: &str| words::find(label, case.rules, case.facts);
    let labels = &case.words.labels;
    if let Some(prefix) = labels.prefix
        && let Some(target) = find(prefix)
    {
        let aside = several(case, &[prefix]);
        let outcome = Outcome::Deliver(vec![target]);
        return Some(Found { outcome, rule: format!("label {prefix}:"), aside });
    }
    let (mut targets, mut called) = (Vec::new(), Vec::new());
    for label in &labels.addressees {
        match find(label) {
            Some(target) if targets.contains(&target) => {}
            Some(target) => {
                targets.push(target);
                called.push(*label);
            }
            // All or nobody: whoever mistypes one of two names sends the message again, to both.
            None => {
                if let Some(notice) = near_miss(case, label) {
                    return found(format!("near miss @{label}"), Outcome::Say(notice));
                }
            }
        }
    }
    if targets.is_empty() {
        return None;
    }
    let rule = format!("label @{}", called.join(", @"));
    Some(Found { outcome: Outcome::Deliver(targets), rule, aside: several(case, &called) })
}

fn near_miss(case: &Case<'_>, label: &str) -> Option<Notice> {
    if case.facts.hinted {
        return None;
    }
    let suggestion = words::suggest(label, case.rules, case.facts)?;
    Some(Notice::NearMiss { written: label.to_owned(), suggestion: suggestion.to_owned() })
}

fn reply(case: &Case<'_>) -> Option<Found> {
    let session = case.facts.reply_session?;
    found("reply", Outcome::Deliver(vec![Target::Session(session)]))
}

fn focus(case: &Case<'_>) -> Option<Found> {
    let session = case.facts.focus?.session;
    found("focus", Outcome::Deliver(vec![Target::Session(session)]))
}

/// Always decides: there is a default agent.
fn binding(case: &Case<'_>) -> Found {
    let agents = case.bound.agents.iter();
    let targets = agents.map(|agent| Target::Agent { agent: agent.clone() }).collect();
    Found { outcome: Outcome::Deliver(targets), rule: case.bound.to_string(), aside: None }
}

fn found(rule: impl Into<String>, outcome: Outcome) -> Option<Found> {
    Some(Found { outcome, rule: rule.into(), aside: None })
}
