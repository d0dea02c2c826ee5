//! Bindings: the configured rules that say which agents answer where.

use std::fmt;

use roundtable_contract::ChatKind;
use serde::Deserialize;

use super::Place;

/// A configured rule. Every field that is given must match; `None` matches anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Binding {
    /// Ids of the agents that answer, each in its own session. Never empty: the configuration refuses that.
    pub agents: Vec<String>,
    /// The platform.
    pub channel: Option<String>,
    /// The account's name.
    pub account: Option<String>,
    /// The server.
    pub guild: Option<String>,
    /// The chat; matches its threads too, one tier lower.
    pub chat: Option<String>,
    /// The thread or topic.
    pub thread: Option<String>,
    /// The sender.
    pub user: Option<String>,
    /// A role that the sender has.
    pub role: Option<String>,
    /// Whether people must address the bot.
    pub mention: Mention,
}

impl Binding {
    /// Whether a field is given that says where it holds.
    pub fn names_a_place(&self) -> bool {
        let Self { agents: _, channel, account, guild, chat, thread, user, role, mention: _ } = self;
        [channel, account, guild, chat, thread, user, role].iter().any(|field| field.is_some())
    }
}

/// Whether the bot answers unaddressed messages in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mention {
    /// Only when spoken to.
    #[default]
    Required,
    /// Every message counts as addressed.
    Always,
}

/// An agent and the names it listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAgent {
    /// The id.
    pub id: String,
    /// The name people see.
    pub name: String,
    /// Old ids.
    pub aliases: Vec<String>,
}

impl KnownAgent {
    /// Everything the agent can be called, the id first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.id, &self.name].into_iter().chain(&self.aliases).map(String::as_str)
    }
}

/// All that is configured about targets. Built by the configuration, the same for every message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// In the order of the file.
    pub bindings: Vec<Binding>,
    /// The agent that answers where no binding matches.
    pub default_agent: String,
    /// Every configured agent.
    pub agents: Vec<KnownAgent>,
}

/// The tiers, the most specific first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleName {
    /// A binding that names the thread.
    Thread,
    /// A binding that names the chat, or the person of a private chat.
    Chat,
    /// The same, when the message lies in a thread of that chat.
    ParentChat,
    /// A binding that names a server and a role on it.
    GuildRole,
    /// A binding that names a server.
    Guild,
    /// A binding that names an account.
    Account,
    /// A binding that names a platform.
    Channel,
    /// A binding that names no place at all.
    Anywhere,
    /// No binding.
    Default,
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thread => "exact thread",
            Self::Chat => "exact chat",
            Self::ParentChat => "parent chat",
            Self::GuildRole => "guild and role",
            Self::Guild => "guild",
            Self::Account => "account",
            Self::Channel => "channel",
            Self::Anywhere => "anywhere",
            Self::Default => "default agent",
        })
    }
}

/// Who answers at a place, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution<'a> {
    /// Ids of the agents, at least one.
    pub agents: &'a [String],
    /// The tier that won.
    pub rule: RuleName,
    /// The binding that won, by its place in the file from 0; `None` for the default agent.
    pub binding: Option<usize>,
    /// Whether people must address the bot.
    pub mention: Mention,
}

impl fmt::Display for Resolution<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.binding {
            Some(index) => write!(f, "binding {} ({})", index + 1, self.rule),
            None => self.rule.fmt(f),
        }
    }
}

/// The first field of a binding that does not fit a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mismatch<'a> {
    field: &'static str,
    wanted: &'a str,
    found: Option<&'a str>,
}

impl fmt::Display for Mismatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            Some(found) => write!(f, "{} is {found}, not {}", self.field, self.wanted),
            None => write!(f, "there is no {} {} here", self.field, self.wanted),
        }
    }
}

impl Rules {
    /// Who answers at a place: of the bindings that match, the most specific, and of those the first.
    pub fn resolve(&self, place: &Place<'_>) -> Resolution<'_> {
        let matching = self.bindings.iter().enumerate();
        let best = matching.filter_map(|(index, binding)| Some((binding.fit(place).ok()?, index))).min();
        match best {
            Some((rule, index)) => {
                let Binding { agents, mention, .. } = &self.bindings[index];
                Resolution { agents, rule, binding: Some(index), mention: *mention }
            }
            None => Resolution {
                agents: std::slice::from_ref(&self.default_agent),
                rule: RuleName::Default,
                binding: None,
                mention: Mention::Required,
            },
        }
    }

    /// The agent that listens to `name`, in any case; an id wins over another agent's name.
    pub fn agent(&self, name: &str) -> Option<&KnownAgent> {
        let called = |known: &str| known.eq_ignore_ascii_case(name);
        let by_id = self.agents.iter().find(|agent| called(&agent.id));
        by_id.or_else(|| self.agents.iter().find(|agent| agent.names().any(called)))
    }
}

impl Binding {
    /// The tier in which this matches a place, or what does not fit.
    pub(super) fn fit<'a>(&'a self, place: &Place<'a>) -> Result<RuleName, Mismatch<'a>> {
        let conversation = place.conversation;
        let own_chat = conversation.chat.as_str();
        // A thread that is a chat by itself may be named by either of its two ids.
        let chat = if self.chat.as_deref() == Some(own_chat) { own_chat } else { place.chat().as_str() };
        let role = self.role.as_deref().filter(|role| place.roles.iter().any(|has| has == role));
        check("channel", &self.channel, Some(&conversation.account.channel))?;
        check("account", &self.account, Some(&conversation.account.name))?;
        check("guild", &self.guild, place.guild)?;
        check("chat", &self.chat, Some(chat))?;
        check("thread", &self.thread, place.thread())?;
        check("user", &self.user, Some(place.user.as_str()))?;
        check("role", &self.role, role)?;
        let names_thread_as_chat = place.parent.is_some() && self.chat.as_deref() == Some(own_chat);
        Ok(self.tier(place.kind, place.thread().is_some() && !names_thread_as_chat))
    }

    fn tier(&self, kind: ChatKind, in_thread: bool) -> RuleName {
        let names_person = self.user.is_some() && kind == ChatKind::Direct;
        if self.thread.is_some() {
            RuleName::Thread
        } else if self.chat.is_some() || names_person {
            if in_thread { RuleName::ParentChat } else { RuleName::Chat }
        } else if self.guild.is_some() {
            if self.role.is_some() { RuleName::GuildRole } else { RuleName::Guild }
        } else if self.account.is_some() {
            RuleName::Account
        } else if self.channel.is_some() {
            RuleName::Channel
        } else {
            RuleName::Anywhere
        }
    }

    fn fields(&self) -> [Option<&str>; 7] {
        let Self { agents: _, channel, account, guild, chat, thread, user, role, mention: _ } = self;
        [channel, account, guild, chat, thread, user, role].map(Option::as_deref)
    }

    /// Whether this matches every place that `other` matches.
    fn covers(&self, other: &Self) -> bool {
        self.fields().iter().zip(other.fields()).all(|(mine, theirs)| mine.is_none() || *mine == theirs)
    }
}

fn check<'a>(
    field: &'static str,
    wanted: &'a Option<String>,
    found: Option<&'a str>,
) -> Result<(), Mismatch<'a>> {
    match wanted.as_deref() {
        Some(wanted) if found != Some(wanted) => Err(Mismatch { field, wanted, found }),
        _ => Ok(()),
    }
}

/// A binding that never wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadowed {
    /// The binding, by its place in the file from 0.
    pub binding: usize,
    /// An earlier binding that wins in its stead.
    pub by: usize,
    /// Both match exactly the same places.
    pub duplicate: bool,
}

/// Finds the bindings that can never win, for the validation of a configuration.
///
/// A binding that loses where only its own fields match loses everywhere: whoever beats it there asks for
/// no other field. What its tier is depends on nothing but the kind of chat and whether it is a thread, so
/// looking at these few places decides.
pub fn shadowed(bindings: &[Binding]) -> Vec<Shadowed> {
    let beaten = |index: usize| {
        let binding = &bindings[index];
        let on_server = binding.guild.is_some() || binding.role.is_some();
        let kinds = if on_server { &[ChatKind::Group][..] } else { &[ChatKind::Group, ChatKind::Direct] };
        let places = kinds.iter().flat_map(|kind| [(*kind, false), (*kind, true)]);
        let winners: Option<Vec<usize>> = places
            .map(|(kind, in_thread)| {
                bindings[..index].iter().position(|earlier| {
                    earlier.covers(binding) && earlier.tier(kind, in_thread) == binding.tier(kind, in_thread)
                })
            })
            .collect();
        let by = *winners?.first()?;
        Some(Shadowed { binding: index, by, duplicate: bindings[by].fields() == binding.fields() })
    };
    (0..bindings.len()).filter_map(beaten).collect()
}
