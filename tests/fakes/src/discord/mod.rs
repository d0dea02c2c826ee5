//! The Discord server: REST and gateway on one port, and what tests do with it.

mod channel;
mod dispatch;
mod events;
mod gateway;
mod identify;
mod limits;
mod mentions;
mod messages;
mod outages;
mod place;
mod render;
mod request;
mod routes;
mod session;
mod settings;
mod shard;
mod threads;
mod verbs;
mod world;
mod writing;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use crate::{
    call::Call,
    fake::{Fake, Scene},
    faults::{Chaos, Fault, Obstacle},
    hold::{Hold, gate},
    server::Server,
};

pub use channel::{Kind, Message, Pings, rights};
pub use limits::Limit;
pub use place::Place;
pub use settings::{Greeting, Hello, Settings};
pub use verbs::Seat;
pub use world::{Lost, World};

/// The guild that everybody is in.
const GUILD: &str = "guild";

/// A Discord of its own: one world behind one address. Dropping it cuts every connection.
///
/// Faults, holds and calls name routes: `create_message`, `edit_message`, `delete_message`, `get_message`, `get_messages`, `typing`,
/// `create_reaction`, `create_dm`, `get_channel`, `edit_channel`, `create_thread_from_message`, `create_thread`,
/// `active_threads`, `archived_threads`, `get_member`, `gateway`, `gateway_bot`, `me`, `application`.
#[derive(Debug)]
pub struct DiscordFake {
    fake: Arc<Fake<World>>,
    server: Option<Server>,
    address: SocketAddr,
    bot: u64,
    guild: u64,
}

impl DiscordFake {
    /// Starts one on a free port of the loopback interface, with the bot `roundtable_bot` in a guild called `guild`.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts one on a given address.
    pub async fn start_on(address: SocketAddr) -> anyhow::Result<Self> {
        let fake = Arc::new(Fake::<World>::default());
        let (bot, guild) = fake.change(|world| (world.add_bot("roundtable_bot"), world.guild(GUILD)));
        let server = Server::start(address, dispatch::router(Arc::clone(&fake))).await?;
        let address = server.address();
        fake.change(|world| world.host = address.to_string());
        Ok(Self { fake, server: Some(server), address, bot, guild })
    }

    /// Takes the server off the network; the world stays and people can go on writing.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Puts the same world back on the same address.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.stop().await;
        self.server = Some(Server::start(self.address, dispatch::router(Arc::clone(&self.fake))).await?);
        Ok(())
    }

    /// What the program under test gets as `api_url`; it adds `/api/v10/…` itself.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token of `roundtable_bot`.
    pub fn token(&self) -> String {
        self.fake.look(|world| world.bots[&self.bot].token.clone())
    }

    /// The id of `roundtable_bot`.
    pub fn bot_id(&self) -> u64 {
        self.bot
    }

    /// The id of the guild that everybody is in.
    pub fn guild_id(&self) -> u64 {
        self.guild
    }

    /// Makes another bot and gives its token; [`Seat::with_bot`] speaks to it.
    pub fn add_bot(&self, name: &str) -> String {
        self.fake.change(|world| {
            let id = world.add_bot(name);
            for guild in world.guilds.keys().copied().collect::<Vec<_>>() {
                world.tell_guild(guild);
            }
            world.bots[&id].token.clone()
        })
    }

    /// Makes the token of `roundtable_bot` invalid, as its owner can: 401 and close code 4004 from now on.
    pub fn revoke_token(&self) {
        self.fake.change(|world| {
            if let Some(bot) = world.bots.get_mut(&self.bot) {
                bot.token = "revoked".to_owned();
            }
        });
    }

    /// Changes what the platform is set to.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.fake.change(|world| change(&mut world.settings));
    }

    /// Sets the limits that Discord is seen to have, beside 50 requests a second over all.
    pub fn set_real_limits(&self) {
        self.set(|settings| {
            settings.limits.extend(Limit::real());
            settings.global_limit = Limit { calls: 50, per: Duration::from_secs(1) };
        });
    }

    /// Sets the platform's clock back, before anything has happened: what people write then is old when
    /// [`advance`](Self::advance) has brought the clock back to the present.
    pub fn set_back(&self, by: Duration) {
        self.fake.change(|world| world.set_back(by));
    }

    /// Moves the platform's clock: nonces, limits and sessions expire, messages grow old.
    pub fn advance(&self, by: Duration) {
        self.fake.change(|world| world.advance(by));
    }

    /// A person in the DM with `roundtable_bot`, a member of the guild; new on first use.
    pub fn user(&self, name: &str) -> Seat {
        Seat::new(&self.fake, self.bot, self.guild, name)
    }

    /// A text channel of the guild, new on first use.
    pub fn channel(&self, name: &str) -> Place {
        self.place(self.fake.change(|world| world.channel_named(self.guild, name, Kind::Text)))
    }

    /// The channel or thread of an id that a bot or a person has made.
    pub fn place(&self, channel: u64) -> Place {
        Place::new(&self.fake, channel)
    }

    /// A role of the guild, new on first use; gives its id.
    pub fn role(&self, name: &str) -> u64 {
        self.fake.change(|world| {
            let id = world.fresh();
            let Some(guild) = world.guilds.get_mut(&self.guild) else { return id };
            let known = guild.roles.iter().find(|(_, known)| *known == name).map(|(id, _)| *id);
            known.unwrap_or_else(|| {
                guild.roles.insert(id, name.to_owned());
                id
            })
        })
    }

    /// Gives a person a role in the guild.
    pub fn give_role(&self, person: &Seat, role: u64) {
        self.fake.change(|world| {
            let guild = world.guilds.get_mut(&self.guild);
            let member = guild.and_then(|guild| guild.members.get_mut(&person.id()));
            member.map(|member| member.roles.insert(role));
        });
    }

    /// The next call of `route` (any case) meets `fault`. Several calls of this make a queue.
    pub fn fail_next(&self, route: &str, fault: Fault) {
        self.fail_nth(route, 1, fault);
    }

    /// The `n`-th call of `route` from now on meets `fault`; the next is the first.
    pub fn fail_nth(&self, route: &str, n: u32, fault: Fault) {
        let spared = n.saturating_sub(1);
        self.fake.change(|world| world.faults.add_later(route, None, spared, Obstacle::Fault(fault)));
    }

    /// The next call of `route` to that channel meets `fault`.
    pub fn fail_next_in(&self, place: &Place, route: &str, fault: Fault) {
        let chat = Some(place.channel_id().cast_signed());
        self.fake.change(|world| world.faults.add(route, chat, Obstacle::Fault(fault)));
    }

    /// The next call of `route` waits for what the test decides.
    pub fn hold(&self, route: &str) -> Hold {
        let (gate, hold) = gate(route);
        self.fake.change(|world| world.faults.add(route, None, Obstacle::Gate(gate)));
        hold
    }

    /// The next call of `route` to that channel waits for what the test decides.
    pub fn hold_in(&self, place: &Place, route: &str) -> Hold {
        let (gate, hold) = gate(route);
        let chat = Some(place.channel_id().cast_signed());
        self.fake.change(|world| world.faults.add(route, chat, Obstacle::Gate(gate)));
        hold
    }

    /// Random faults from now on; `None` ends them.
    pub fn set_chaos(&self, chaos: Option<Chaos>) {
        self.fake.change(|world| world.faults.set_chaos(chaos));
    }

    /// Every call so far (the last 100,000), oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.fake.look(|world| world.calls.iter().cloned().collect())
    }

    /// The calls of one route (any case).
    pub fn calls_of(&self, route: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.method.eq_ignore_ascii_case(route));
        calls
    }

    /// From handing a person's message to the gateway's socket to the receipt of the first send into its channel, or into
    /// the thread that was opened from it, for each answered message.
    pub fn latencies(&self) -> Vec<Duration> {
        self.fake.look(|world| world.latencies.clone())
    }

    /// How many answers counted towards a ban: 401, 403 and 429, but not those of shared limits.
    pub fn invalid_requests(&self) -> u32 {
        self.fake.look(|world| world.invalid)
    }

    /// Waits until something holds of the world, [`crate::PATIENCE`] at most; the error shows all channels.
    pub async fn wait_until(&self, what: &str, mut holds: impl FnMut(&World) -> bool) -> anyhow::Result<()> {
        self.fake.take(what, |world| holds(world).then_some(())).await
    }

    /// Waits as long as it takes until `look` finds something in the world.
    pub async fn watch<R>(&self, look: impl FnMut(&World) -> Option<R>) -> R {
        self.fake.watch(look).await
    }

    /// All channels with their messages, for people.
    pub fn transcript(&self) -> String {
        self.fake.look(Scene::transcript)
    }

    /// Violations so far.
    pub fn violations(&self) -> Vec<String> {
        self.fake.look(|world| world.violations.clone())
    }

    /// Fails if there is a bot message that no test has read.
    pub fn assert_quiet(&self) -> anyhow::Result<()> {
        self.report(self.fake.look(World::unread))
    }

    /// Fails if any message of a bot has called anybody.
    pub fn assert_no_pings(&self) -> anyhow::Result<()> {
        let calls = |message: &Message| {
            (!message.pings.is_empty()).then(|| format!("{:?} called {:?}", message.text, message.pings))
        };
        self.report(self.fake.look(|world| world.bot_messages().filter_map(calls).collect()))
    }

    /// The end of a test: fails on unread output, violations and faults that no call met.
    pub fn finish(&self) -> anyhow::Result<()> {
        self.report(self.fake.look(World::left_over))
    }

    fn report(&self, problems: Vec<String>) -> anyhow::Result<()> {
        anyhow::ensure!(problems.is_empty(), "{}\n{}", problems.join("\n"), self.transcript());
        Ok(())
    }
}
