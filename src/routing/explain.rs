//! Why a message goes where it goes, for `roundtable route explain`.

use std::fmt::Write;

use super::decide::{Case, ORDER};
use super::{Decision, Outcome, Target};

/// One rule that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub rule: String,
    /// How it fared.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// How a rule fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It made the decision.
    Wins,
    /// It applies, and another one comes before it.
    Loses,
    /// It has nothing to say about this message.
    Passes,
}

impl Case<'_> {
    /// Every rule up to the one that decides, and all bindings if they were reached.
    pub(super) fn trace(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for rule in &ORDER {
            let name = rule.name.to_owned();
            if let Some(found) = (rule.find)(self) {
                steps.push(Step { rule: name, verdict: Verdict::Wins, why: found.rule });
                return steps;
            }
            steps.push(Step { rule: name, verdict: Verdict::Passes, why: (rule.otherwise)(self) });
        }
        steps.extend((0..self.rules.bindings.len()).map(|index| self.trace_binding(index)));
        steps.push(match self.bound.binding {
            None => Step {
                rule: "default agent".into(),
                verdict: Verdict::Wins,
                why: "no binding matches".into(),
            },
            Some(_) => Step {
                rule: "default agent".into(),
                verdict: Verdict::Loses,
                why: "a binding matches".into(),
            },
        });
        steps
    }

    fn trace_binding(&self, index: usize) -> Step {
        let number = format!("binding {}", index + 1);
        let rule = match self.rules.bindings[index].fit(&self.place) {
            Err(mismatch) => {
                return Step { rule: number, verdict: Verdict::Passes, why: mismatch.to_string() };
            }
            Ok(rule) => rule,
        };
        let (verdict, why) = match self.bound.binding {
            Some(winner) if winner == index => (Verdict::Wins, "the most specific that matches".into()),
            _ if rule == self.bound.rule => (Verdict::Loses, format!("after {} in the file", self.bound)),
            _ => (Verdict::Loses, format!("less specific than {}", self.bound)),
        };
        Step { rule: format!("{number} ({rule})"), verdict, why }
    }
}

/// Prints a decision that was made with its trace: one line a rule, then the outcome.
pub fn explain(decision: &Decision) -> String {
    let width = decision.trace.iter().map(|step| step.rule.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Step { rule, verdict, why } in &decision.trace {
        let verdict = match verdict {
            Verdict::Wins => "wins",
            Verdict::Loses => "loses",
            Verdict::Passes => "-",
        };
        // Writing to a String can't fail.
        let _ = writeln!(text, "{rule:width$}  {verdict:5}  {why}");
    }
    let _ = writeln!(text, "outcome: {}", outcome(&decision.outcome));
    if let Some(aside) = &decision.aside {
        let _ = writeln!(text, "and says: {aside}");
    }
    let _ = writeln!(text, "stored as: {}", decision.rule);
    text
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ignore => "nothing happens".into(),
        Outcome::Ambient => "kept as context, wakes nobody".into(),
        Outcome::Say(notice) => format!("the sender is told: {notice}"),
        Outcome::Command(command) => format!("the command {command:?}"),
        Outcome::Deliver(targets) => {
            let targets: Vec<_> = targets.iter().map(target).collect();
            format!("goes to {}", targets.join(" and to "))
        }
    }
}

fn target(target: &Target) -> String {
    match target {
        Target::Session(id) => format!("session {id}"),
        Target::Agent { agent } => format!("{agent}'s session for this conversation"),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::tests::{binding, message, open, place, rules};
    use super::super::{Facts, Policy, Rules, Trace, decide};
    use super::*;

    #[test]
    fn a_binding_that_wins_says_why_the_others_did_not() {
        let bindings = [
            "account=main agents=manager",
            "chat=-1 agents=researcher",
            "chat=-1 thread=42 agents=coder",
            "chat=-1 thread=42 agents=manager",
            "guild=g agents=coder",
            "thread=9 agents=coder",
        ];
        let rules = Rules { bindings: bindings.map(binding).into(), ..rules() };
        let facts = Facts { our_thread: true, ..Facts::default() };
        assert_snapshot!(explain(&decide(&rules, &open(), &facts, &place("topic"), Trace::On)), @"
        pairing code              -      it is none
        admission                 -      admitted: everyone may speak in this group
        command                   -      it is none
        addressed                 -      the bot opened this thread
        labels                    -      none names anybody here
        reply                     -      it answers no message of a session
        focus                     -      the sender has none here
        binding 1 (account)       loses  less specific than binding 3 (exact thread)
        binding 2 (parent chat)   loses  less specific than binding 3 (exact thread)
        binding 3 (exact thread)  wins   the most specific that matches
        binding 4 (exact thread)  loses  after binding 3 (exact thread) in the file
        binding 5                 -      there is no guild g here
        binding 6                 -      thread is 42, not 9
        default agent             loses  a binding matches
        outcome: goes to coder's session for this conversation
        stored as: binding 3 (exact thread)
        ");
    }

    #[test]
    fn without_a_binding_the_default_agent_wins() {
        let decision = decide(&rules(), &open(), &Facts::default(), &place("dm"), Trace::On);
        assert_snapshot!(explain(&decision), @"
        pairing code   -      it is none
        admission      -      admitted: private chats are open
        command        -      it is none
        addressed      -      a private chat
        labels         -      none names anybody here
        reply          -      it answers no message of a session
        focus          -      the sender has none here
        default agent  wins   no binding matches
        outcome: goes to manager's session for this conversation
        stored as: default agent
        ");
    }

    #[test]
    fn a_refused_message_says_by_what() {
        let facts = Facts { owners_exist: true, ..Facts::default() };
        let decision = decide(&rules(), &Policy::default(), &facts, &place("dm"), Trace::On);
        assert_snapshot!(explain(&decision), @"
        pairing code  -      it is none
        admission     wins   refused: not paired
        outcome: the sender is told: I only talk to people my owner has let in: to join them, send my owner your id, `55`.
        stored as: refused: not paired
        ");
    }

    #[test]
    fn labels_end_the_search() {
        let message = message("telegram:main:-1", "@coder @researcher hi");
        let decision = decide(&rules(), &open(), &Facts::default(), &message, Trace::On);
        assert_snapshot!(explain(&decision), @"
        pairing code  -      it is none
        admission     -      admitted: everyone may speak in this group
        command       -      it is none
        addressed     -      a label names somebody here
        labels        wins   label @coder, @researcher
        outcome: goes to coder's session for this conversation and to researcher's session for this conversation
        stored as: label @coder, @researcher
        ");
    }

    #[test]
    fn nothing_is_explained_unless_asked() {
        assert!(decide(&rules(), &open(), &Facts::default(), &place("dm"), Trace::Off).trace.is_empty());
    }
}
