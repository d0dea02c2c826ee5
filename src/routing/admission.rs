//! Admission: whose messages may reach an agent at all.

use std::collections::BTreeMap;
use std::fmt;

use roundtable_contract::{ChatKind, Message};

use super::{Addressed, Facts, Notice, Place};

/// Who may speak to the bot through one account. All ids are the platform's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Private chats.
    pub dm: DmPolicy,
    /// People who are let in by the configuration.
    pub users: Vec<String>,
    /// People who own the bot by the configuration. `*`, here and in `users`, is everybody: for an account that
    /// only owners can reach.
    pub owners: Vec<String>,
    /// The allow-list of chats and of servers; `*` is every one.
    pub groups: Vec<String>,
    /// Who may speak in a group, by the ids of `groups`; everyone where nothing is said.
    pub senders: BTreeMap<String, Senders>,
    /// Other bots.
    pub bots: Bots,
}

/// Who may write to the bot in private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DmPolicy {
    /// Known people; strangers are told how to become known.
    #[default]
    Pairing,
    /// Known people; strangers hear nothing.
    Allowlist,
    /// Everyone.
    Open,
    /// Nobody, owners included. Pairing codes are still taken.
    Off,
}

/// Who may speak in an allow-listed group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Senders {
    /// Everyone who can write there.
    #[default]
    Everyone,
    /// People who are let in, and owners.
    Known,
    /// People with one of these roles, and owners.
    Roles(Vec<String>),
}

/// What other bots get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bots {
    /// Nothing.
    #[default]
    Ignore,
    /// What people get, when they mention us; a reply alone is no mention, so that two polite bots end.
    Mentioned,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The message counts.
    Admitted {
        /// Why, for people.
        rule: &'static str,
    },
    /// The message counts, and the group is to be allow-listed and told so: an owner spoke to the bot there.
    AllowGroup,
    /// The message reaches nobody.
    Refused {
        /// Why, for people.
        rule: &'static str,
        /// What the sender hears.
        say: Option<Notice>,
    },
}

impl Admission {
    /// Whether the message counts.
    pub fn is_admitted(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admitted { rule } => write!(f, "admitted: {rule}"),
            Self::AllowGroup => {
                f.write_str("admitted: an owner speaks to the bot in a new group, which is now allow-listed")
            }
            Self::Refused { rule, .. } => write!(f, "refused: {rule}"),
        }
    }
}

/// Decides about one message. `addressed` is how it speaks to the bot, were it admitted.
pub fn admit(policy: &Policy, facts: &Facts<'_>, message: &Message, addressed: Addressed) -> Admission {
    let bot = message.sender.is_bot;
    if bot && policy.bots == Bots::Ignore {
        return refused("bots are ignored");
    }
    if bot && !message.mentions_us {
        return refused("bots are heard when they mention us");
    }
    let sender = Standing::of(policy, facts, message);
    match message.chat_kind {
        ChatKind::Direct => direct(policy, facts, message, sender),
        ChatKind::Group => group(policy, facts, message, sender, addressed),
    }
}

/// What a sender is to the bot, the configuration and the run-time facts taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An owner.
    Owner,
    /// Let in by an owner or by the configuration.
    Known,
    /// Neither: heard where everyone is.
    Stranger,
}

impl Standing {
    /// The standing of a message's sender.
    pub fn of(policy: &Policy, facts: &Facts<'_>, message: &Message) -> Self {
        let listed = |list: &[String]| list.iter().any(|id| id == "*" || id == message.sender.id.as_str());
        if facts.owner || listed(&policy.owners) {
            Self::Owner
        } else if facts.known || listed(&policy.users) {
            Self::Known
        } else {
            Self::Stranger
        }
    }
}

fn direct(policy: &Policy, facts: &Facts<'_>, message: &Message, sender: Standing) -> Admission {
    match (policy.dm, sender) {
        (DmPolicy::Off, _) => refused("private chats are off"),
        (_, Standing::Owner) => admitted("an owner"),
        (_, Standing::Known) => admitted("a known person"),
        (DmPolicy::Open, Standing::Stranger) => admitted("private chats are open"),
        (DmPolicy::Allowlist, Standing::Stranger) => refused("not on the list"),
        // A bot that is told something answers, so it is not told.
        (DmPolicy::Pairing, Standing::Stranger) if message.sender.is_bot => refused("not paired"),
        (DmPolicy::Pairing, Standing::Stranger) => {
            let owners_exist = facts.owners_exist || !policy.owners.is_empty();
            let say = Notice::Unpaired { user: message.sender.id.to_string(), owners_exist };
            Admission::Refused { rule: "not paired", say: Some(say) }
        }
    }
}

fn group(
    policy: &Policy,
    facts: &Facts<'_>,
    message: &Message,
    sender: Standing,
    addressed: Addressed,
) -> Admission {
    let names = group_names(message);
    let listed = |name: &&str| policy.groups.iter().any(|group| group == name);
    if !facts.group_allowed && !names.iter().flatten().any(listed) {
        return if sender == Standing::Owner && addressed.by_what_was_written() {
            Admission::AllowGroup
        } else {
            refused("the group is not allow-listed")
        };
    }
    let senders = names.iter().flatten().find_map(|name| policy.senders.get(*name));
    match senders.unwrap_or(&Senders::Everyone) {
        _ if sender == Standing::Owner => admitted("an owner"),
        Senders::Everyone => admitted("everyone may speak in this group"),
        Senders::Known if sender == Standing::Known => admitted("a known person"),
        Senders::Known => refused("only known people may speak in this group"),
        Senders::Roles(roles) if roles.iter().any(|role| message.sender.roles.contains(role)) => {
            admitted("has a role that may speak in this group")
        }
        Senders::Roles(_) => refused("has no role that may speak in this group"),
    }
}

/// What the lists may call a group, the most exact name first.
fn group_names(message: &Message) -> [Option<&str>; 4] {
    let place = Place::of(message);
    [Some(place.conversation.chat.as_str()), place.parent.map(|chat| chat.as_str()), place.guild, Some("*")]
}

fn admitted(rule: &'static str) -> Admission {
    Admission::Admitted { rule }
}

fn refused(rule: &'static str) -> Admission {
    Admission::Refused { rule, say: None }
}
