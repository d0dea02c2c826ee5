//! Everything the fake platform knows. Plain data: it changes only inside `Fake::change`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    channel::{Channel, Kind, Message, rights},
    limits::Limits,
    session::{Connection, Session},
    settings::Settings,
    shard::Shard,
};
use crate::{
    call::{Call, Calls},
    clock::Clock,
    faults::Faults,
    rng::Rng,
    sending::{Sending, Sends},
};

/// Milliseconds from 1970 to the first snowflake.
pub(super) const EPOCH: u64 = 1_420_070_400_000;

/// The state of the fake Discord.
#[derive(Debug)]
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) bots: BTreeMap<u64, Bot>,
    pub(crate) users: BTreeMap<u64, User>,
    pub(crate) guilds: BTreeMap<u64, Guild>,
    pub(crate) channels: BTreeMap<u64, Channel>,
    pub(crate) sessions: BTreeMap<String, Session>,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) calls: Calls,
    pub(crate) violations: Vec<String>,
    pub(crate) faults: Faults,
    /// How the next messages of people are lost on the gateway.
    pub(crate) losses: VecDeque<Lost>,
    pub(crate) limits: Limits,
    pub(crate) invalid: u32,
    pub(crate) sockets: u32,
    pub(crate) identifies: u32,
    /// The path of each RESUME.
    pub(crate) resumes: Vec<String>,
    /// Sends on their way, by bot and channel.
    pub(crate) sending: Sending<(u64, u64)>,
    /// Messages of people handed out and not yet answered, by channel.
    pub(crate) unanswered: HashMap<u64, VecDeque<(u64, Instant)>>,
    pub(crate) latencies: Vec<Duration>,
    pub(crate) rng: Rng,
    /// Where the server listens, as `host:port`.
    pub(crate) host: String,
    last_id: u64,
    clock: Clock,
}

/// A bot's account; it is also a [`User`].
#[derive(Debug)]
pub(crate) struct Bot {
    pub application: u64,
    pub token: String,
    /// Nonces with their message's channel and id, and when.
    pub nonces: VecDeque<(String, u64, u64, u64)>,
    pub identifies: u32,
    /// When the first of them came, which are counted.
    pub identifies_since: u64,
    pub identified_at: Option<u64>,
    /// The close code after which it must not come again, and whether it was told.
    pub barred: Option<(u16, bool)>,
    pub old_edits: u32,
}

/// How an event is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Discord never sends it, and its number is another's.
    Unsent,
    /// Its number is left out.
    LeftOut,
    /// It comes, and nobody can read it.
    Garbled,
}

/// A person, or a bot that is not under test.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub id: u64,
    pub name: String,
    pub bot: bool,
    pub takes_dms: bool,
}

#[derive(Debug)]
pub(crate) struct Guild {
    pub id: u64,
    pub name: String,
    pub owner: u64,
    pub roles: BTreeMap<u64, String>,
    pub members: BTreeMap<u64, Member>,
    pub available: bool,
}

/// Somebody in a guild.
#[derive(Debug)]
pub(crate) struct Member {
    /// Milliseconds since 1970.
    pub joined_at: u64,
    pub roles: BTreeSet<u64>,
}

impl Member {
    fn new(joined_at: u64) -> Self {
        Self { joined_at, roles: BTreeSet::new() }
    }
}

impl Default for World {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            bots: BTreeMap::new(),
            users: BTreeMap::new(),
            guilds: BTreeMap::new(),
            channels: BTreeMap::new(),
            sessions: BTreeMap::new(),
            connections: BTreeMap::new(),
            calls: Calls::default(),
            violations: Vec::new(),
            faults: Faults::default(),
            losses: VecDeque::new(),
            limits: Limits::default(),
            invalid: 0,
            sockets: 0,
            identifies: 0,
            resumes: Vec::new(),
            sending: Sending::default(),
            unanswered: HashMap::new(),
            latencies: Vec::new(),
            rng: Rng::any(),
            host: String::new(),
            last_id: 0,
            clock: Clock::default(),
        }
    }
}

impl Sends for World {
    type Key = (u64, u64);

    fn sending(&mut self) -> &mut Sending<Self::Key> {
        &mut self.sending
    }
}

impl World {
    /// The virtual time in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Moves the virtual clock.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    /// Sets the virtual clock back, before anything has happened: what was made until now keeps its ids, and who is a
    /// member has been one since then.
    pub(crate) fn set_back(&mut self, by: Duration) {
        self.clock.set_back(by);
        self.last_id = 0;
        let now = self.now_ms();
        let members = self.guilds.values_mut().flat_map(|guild| guild.members.values_mut());
        members.for_each(|member| member.joined_at = now);
    }

    /// A snowflake that was not given out before; later ones are greater.
    pub(crate) fn fresh(&mut self) -> u64 {
        self.last_id = (self.last_id + 1).max(self.now_ms().saturating_sub(EPOCH) << 22);
        self.last_id
    }

    /// The same for a guild that a shard hears of.
    fn fresh_of(&mut self, shard: Shard) -> u64 {
        while !shard.hears(Some(self.fresh())) {
            // the next millisecond's ids are another shard's
            self.last_id |= (1 << 22) - 1;
        }
        self.last_id
    }

    pub(crate) fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// A new session's id.
    pub(crate) fn session_id(&mut self) -> String {
        self.rng.letters(32)
    }

    /// A new bot, a member of every guild.
    pub(crate) fn add_bot(&mut self, name: &str) -> u64 {
        let (id, application, now) = (self.fresh(), self.fresh(), self.now_ms());
        let token = format!("{}.{}.{}", self.rng.letters(26), self.rng.letters(6), self.rng.letters(38));
        let bot = Bot {
            application,
            token,
            nonces: VecDeque::new(),
            identifies: 0,
            identifies_since: 0,
            identified_at: None,
            barred: None,
            old_edits: 0,
        };
        self.bots.insert(id, bot);
        self.users.insert(id, User { id, name: name.to_owned(), bot: true, takes_dms: false });
        for guild in self.guilds.values_mut() {
            guild.members.insert(id, Member::new(now));
        }
        id
    }

    /// The person called `name`, new on first use.
    pub(crate) fn user(&mut self, name: &str) -> u64 {
        if let Some(user) = self.users.values().find(|user| user.name == name) {
            return user.id;
        }
        let id = self.fresh();
        self.users.insert(id, User { id, name: name.to_owned(), bot: false, takes_dms: true });
        id
    }

    /// The guild of that name, with all bots in it; new on first use.
    pub(crate) fn guild(&mut self, name: &str) -> u64 {
        self.guild_of(name, Shard::ALL)
    }

    /// The same, and a new one is one that this shard hears of.
    pub(crate) fn guild_of(&mut self, name: &str, shard: Shard) -> u64 {
        if let Some(guild) = self.guilds.values().find(|guild| guild.name == name) {
            return guild.id;
        }
        let (id, owner, now) = (self.fresh_of(shard), self.user("owner"), self.now_ms());
        let members = self.bots.keys().chain([&owner]).map(|id| (*id, Member::new(now))).collect();
        let roles = BTreeMap::from([(id, "@everyone".to_owned())]);
        self.guilds.insert(id, Guild { id, name: name.to_owned(), owner, roles, members, available: true });
        self.tell_guild(id);
        id
    }

    /// Makes a person a member.
    pub(crate) fn join(&mut self, guild: u64, user: u64) {
        let now = self.now_ms();
        if let Some(guild) = self.guilds.get_mut(&guild) {
            guild.members.entry(user).or_insert_with(|| Member::new(now));
        }
    }

    /// The DM channel of a bot and a person, opened on first use.
    pub(crate) fn dm(&mut self, bot: u64, user: u64) -> u64 {
        if let Some(known) = self.channels.values().find(|channel| channel.pair == Some((bot, user))) {
            return known.id;
        }
        let (id, now) = (self.fresh(), self.now_ms());
        let mut channel = Channel::new(id, Kind::Dm, "", now);
        channel.pair = Some((bot, user));
        self.channels.insert(id, channel);
        id
    }

    /// The channel of that name, new on first use.
    pub(crate) fn channel_named(&mut self, guild: u64, name: &str, kind: Kind) -> u64 {
        let mut all = self.channels.values().filter(|channel| !channel.deleted && channel.kind == kind);
        if let Some(known) = all.find(|channel| channel.guild == Some(guild) && channel.name == name) {
            return known.id;
        }
        let (id, now) = (self.fresh(), self.now_ms());
        let mut channel = Channel::new(id, kind, name, now);
        channel.guild = Some(guild);
        self.channels.insert(id, channel);
        self.tell_channel(id, "CHANNEL_CREATE");
        id
    }

    /// The thread of that name under a channel.
    pub(crate) fn thread_named(&self, parent: u64, name: &str) -> Option<u64> {
        let mut all = self.channels.values().filter(|channel| !channel.deleted && channel.kind.is_thread());
        all.find(|channel| channel.parent == Some(parent) && channel.name == name).map(|channel| channel.id)
    }

    /// A channel that is known to exist: the id came from this world.
    pub(crate) fn channel(&mut self, id: u64) -> &mut Channel {
        self.channels.get_mut(&id).expect("channels are never removed")
    }

    /// What the bots may do in a channel; a thread has its parent's rights.
    pub(crate) fn rights(&self, channel: u64) -> u64 {
        let Some(found) = self.channels.get(&channel) else { return 0 };
        if found.pair.is_some() {
            return rights::USUAL;
        }
        let ruling = found.parent.and_then(|parent| self.channels.get(&parent)).unwrap_or(found);
        (rights::USUAL | ruling.granted) & !ruling.denied
    }

    /// `bot` knows of the channel.
    pub(crate) fn sees(&self, bot: u64, channel: u64) -> bool {
        let Some(found) = self.channels.get(&channel) else { return false };
        if let Some((owner, _)) = found.pair {
            return owner == bot;
        }
        let rights = self.rights(channel);
        let guild = found.guild.and_then(|guild| self.guilds.get(&guild));
        guild.is_some_and(|guild| guild.members.contains_key(&bot))
            && rights & rights::VIEW_CHANNEL != 0
            && (found.kind != Kind::PrivateThread
                || found.members.contains(&bot)
                || rights & rights::MANAGE_THREADS != 0)
    }

    /// What was called so far, oldest first (the last 100,000).
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    /// Every message a bot under test has written and not deleted, of all channels.
    pub fn bot_messages(&self) -> impl Iterator<Item = &Message> {
        let all = self.channels.values().flat_map(|channel| channel.messages.values());
        all.filter(|message| self.bots.contains_key(&message.from) && !message.deleted)
    }

    /// How many sessions are connected and ready.
    pub fn connected(&self) -> usize {
        self.connections.values().filter(|connection| connection.session.is_some()).count()
    }

    /// How many sockets were asked for.
    pub fn sockets(&self) -> u32 {
        self.sockets
    }

    /// How many IDENTIFYs there were.
    pub fn identifies(&self) -> u32 {
        self.identifies
    }

    /// How many RESUMEs there were.
    pub fn resumes(&self) -> usize {
        self.resumes.len()
    }

    /// The name of a user or bot, for transcripts.
    pub fn name_of(&self, id: u64) -> &str {
        self.users.get(&id).map_or("someone", |user| user.name.as_str())
    }

    /// The name of a channel, for transcripts: `#general`, `#general/plans`, `DM with ann`.
    pub fn title_of(&self, channel: u64) -> String {
        let Some(found) = self.channels.get(&channel) else { return "unknown channel".to_owned() };
        match (found.pair, found.parent) {
            (Some((_, user)), _) => format!("DM with {}", self.name_of(user)),
            (None, Some(parent)) => format!("{}/{}", self.title_of(parent), found.name),
            (None, None) => format!("#{}", found.name),
        }
    }
}
