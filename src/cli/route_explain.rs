//! `roundtable route explain`: who would read a message, and why.

use async_trait::async_trait;
use clap::{Args, ValueEnum};
use roundtable_contract::{
    ChatId, ChatKind, Conversation, EventKey, Message, MessageId, MessageKind, Sender, UserId,
};
use serde_json::{Value, json};

use super::{Context, offline, out};
use crate::app;
use crate::inbound::{Known, look_up};
use crate::local;
use crate::routing::{self, Decision, Outcome, Target, Trace, Verdict};
use crate::store::conversations::{self, Place};
use crate::store::{Read, StoreError, Tx};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where it is written, `<channel>:<account>:<chat>` or `<channel>:<account>:<chat>:<thread>`.
    conversation: Conversation,
    /// Who writes it; in a private chat the chat's own person when not given.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    user: Option<String>,
    /// A role of theirs; may be given again.
    #[arg(long, value_name = "ID")]
    role: Vec<String>,
    /// What it says.
    #[arg(long, default_value = "hello")]
    text: String,
    /// The kind of chat; needed for one the program has not seen.
    #[arg(long)]
    kind: Option<Kind>,
    /// The server that it is on, where the platform has them; needed for a chat the program has not seen.
    #[arg(long, value_name = "ID")]
    guild: Option<String>,
    /// The chat that it is a thread of, where threads are chats of their own; needed likewise.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// It mentions the bot.
    #[arg(long)]
    mention: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Direct,
    Group,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> anyhow::Result<()> {
    let config = context.load()?;
    let policies = app::policies(&config);
    let account = arguments.conversation.account.clone();
    let policy = policies
        .get(&account)
        .ok_or_else(|| anyhow::anyhow!("There is no account {account} in the configuration."))?;
    let flag = arguments.kind;
    let mut message = message(arguments, ChatKind::Group);
    let look = Look { message: &message };
    let seen = match offline::read(&config, look).await {
        Err(StoreError::Refused(why)) => {
            eprintln!("{why} Until then nobody is paired and no group was let in, as shown here:");
            Seen::default()
        }
        seen => seen?,
    };
    let (kind, guild, parent) = match seen.place {
        Some(place) => (Some(place.kind), place.guild, place.parent),
        None => (None, None, None),
    };
    message.guild = message.guild.or(guild);
    message.parent = message.parent.or(parent);
    let known_kind = kind.or((account == local::account()).then_some(ChatKind::Direct));
    message.chat_kind = match (flag, known_kind) {
        (Some(Kind::Direct), _) => ChatKind::Direct,
        (Some(Kind::Group), _) => ChatKind::Group,
        (None, Some(kind)) => kind,
        (None, None) => {
            anyhow::bail!("{} is not known yet: add `--kind direct` or `--kind group`.", message.conversation)
        }
    };
    let facts = seen.known.facts();
    let decision = routing::decide(&app::rules(&config), policy, &facts, &message, Trace::On);
    out::data(context.json, &data(&decision), |_| routing::explain(&decision))
}

/// Who writes when nobody is named: in a private chat its person, whose id is mostly the chat's.
fn writer<'a>(conversation: &'a Conversation, user: Option<&'a str>) -> UserId {
    UserId::new(user.unwrap_or(conversation.chat.as_str()))
}

fn message(arguments: Arguments, kind: ChatKind) -> Message {
    let Arguments { conversation, user, role, text, kind: _, guild, parent, mention } = arguments;
    let id = writer(&conversation, user.as_deref());
    Message {
        key: EventKey::new("explained"),
        chat_kind: kind,
        title: None,
        guild,
        parent: parent.map(ChatId::new),
        kind: MessageKind::New,
        sender: Sender { name: id.to_string(), id, username: None, is_bot: false, roles: role },
        id: MessageId(0),
        text,
        spans: Vec::new(),
        mentions_us: mention,
        forwarded: false,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        at: 0,
        conversation,
    }
}

fn data(decision: &Decision) -> Value {
    let steps = decision.trace.iter().map(|step| {
        let verdict = match step.verdict {
            Verdict::Wins => "wins",
            Verdict::Loses => "loses",
            Verdict::Passes => "passes",
        };
        json!({ "rule": step.rule, "verdict": verdict, "why": step.why })
    });
    let target = |target: &Target| match target {
        Target::Session(id) => json!({ "session": id }),
        Target::Agent { agent } => json!({ "agent": agent }),
    };
    let outcome = match &decision.outcome {
        Outcome::Ignore => json!({ "kind": "ignore" }),
        Outcome::Ambient => json!({ "kind": "ambient" }),
        Outcome::Say(notice) => json!({ "kind": "say", "text": notice.to_string() }),
        Outcome::Command(command) => json!({ "kind": "command", "command": format!("{command:?}") }),
        Outcome::Deliver(targets) => {
            json!({ "kind": "deliver", "targets": targets.iter().map(target).collect::<Vec<_>>() })
        }
    };
    json!({
        "admission": decision.admission.to_string(),
        "addressed": decision.addressed.to_string(),
        "rule": decision.rule,
        "outcome": outcome,
        "aside": decision.aside.as_ref().map(ToString::to_string),
        "trace": steps.collect::<Vec<_>>(),
    })
}

/// What the database knows.
#[derive(Default)]
struct Seen {
    place: Option<Place>,
    known: Known,
}

struct Look<'a> {
    message: &'a Message,
}

#[async_trait]
impl Read for Look<'_> {
    type Output = Seen;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Seen, StoreError> {
        let found = conversations::find(tx, &self.message.conversation).await?;
        // What is known of people and of chats that were let in needs no row of the conversation's own.
        let unseen = || Place {
            id: 0,
            space_id: 0,
            kind: ChatKind::Group,
            address: self.message.conversation.clone(),
            title: None,
            guild: self.message.guild.clone(),
            parent: self.message.parent.clone(),
            run_id: None,
            moved_at: None,
        };
        let known = look_up(tx, found.as_ref().unwrap_or(&unseen()), self.message).await?;
        Ok(Seen { place: found, known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::routing::{DmPolicy, Facts, Policy};

    #[test]
    fn a_decision_is_data_too() {
        let arguments = Arguments {
            conversation: "local:main:lobby".parse().unwrap(),
            user: None,
            role: Vec::new(),
            text: "hello".into(),
            kind: None,
            guild: None,
            parent: None,
            mention: false,
        };
        let message = message(arguments, ChatKind::Direct);
        let rules = routing::Rules { default_agent: "manager".into(), ..app::rules(&Config::default()) };
        let policy = Policy { dm: DmPolicy::Open, ..Policy::default() };
        let decision = routing::decide(&rules, &policy, &Facts::default(), &message, Trace::On);
        let mut data = data(&decision);
        data["trace"].as_array_mut().unwrap().drain(..7);
        let expected = json!({
            "admission": "admitted: private chats are open",
            "addressed": "a private chat",
            "rule": "default agent",
            "outcome": { "kind": "deliver", "targets": [{ "agent": "manager" }] },
            "aside": null,
            "trace": [{ "rule": "default agent", "verdict": "wins", "why": "no binding matches" }],
        });
        assert_eq!(data, expected);
    }
}
