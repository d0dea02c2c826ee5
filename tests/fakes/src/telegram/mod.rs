//! The Telegram server and what tests do with it.

mod chat;
mod dispatch;
mod flood;
mod members;
mod methods;
mod place;
mod polling;
mod render;
mod request;
mod send;
mod text;
mod topics;
mod updates;
mod verbs;
mod world;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;

use crate::{
    call::Call,
    fake::{Fake, Scene},
    faults::{Chaos, Fault, Obstacle},
    hold::{Hold, gate},
    server::Server,
};

pub use chat::{GroupKind, Message};
pub use flood::Flood;
pub use place::Place;
pub use updates::Update;
pub use verbs::Seat;
pub use world::{Settings, World};

/// A Telegram of its own: one world behind one address. Dropping it cuts every connection.
#[derive(Debug)]
pub struct TelegramFake {
    fake: Arc<Fake<World>>,
    server: Option<Server>,
    address: SocketAddr,
    bot: i64,
}

impl TelegramFake {
    /// Starts one on a free port of the loopback interface, with the bot `roundtable_bot`.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts one on a given address.
    pub async fn start_on(address: SocketAddr) -> anyhow::Result<Self> {
        let fake = Arc::new(Fake::<World>::default());
        let bot = fake.change(|world| world.add_bot("roundtable_bot"));
        let server = Server::start(address, dispatch::router(Arc::clone(&fake))).await?;
        Ok(Self { address: server.address(), server: Some(server), fake, bot })
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

    /// What the program under test gets as `api_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token of `roundtable_bot`.
    pub fn token(&self) -> String {
        self.fake.look(|world| world.bots[&self.bot].token.clone())
    }

    /// Makes another bot and gives its token; [`Seat::with_bot`] speaks to it.
    pub fn add_bot(&self, username: &str) -> String {
        self.fake.change(|world| {
            let id = world.add_bot(username);
            world.bots[&id].token.clone()
        })
    }

    /// Makes the token of `roundtable_bot` invalid, as BotFather does on request: 401 from now on.
    pub fn revoke_token(&self) {
        self.fake.change(|world| {
            if let Some(bot) = world.bots.get_mut(&self.bot) {
                bot.token = format!("{}:revoked", bot.id);
            }
        });
    }

    /// Changes what the platform is set to.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.fake.change(|world| change(&mut world.settings));
    }

    /// Privacy mode of all bots: on (as here at first), they hear in groups only what is meant for them.
    pub fn set_privacy(&self, on: bool) {
        self.fake.change(|world| world.bots.values_mut().for_each(|bot| bot.privacy = on));
    }

    /// Topics in private chats, for all bots; off at first.
    pub fn set_private_topics(&self, on: bool) {
        self.fake.change(|world| world.bots.values_mut().for_each(|bot| bot.topics = on));
    }

    /// Somebody sets a webhook for `roundtable_bot`: polling is refused until `deleteWebhook`.
    pub fn set_webhook(&self, url: &str) {
        self.fake.change(|world| {
            if let Some(bot) = world.bots.get_mut(&self.bot) {
                bot.webhook = Some(url.to_owned());
                bot.queue.interrupt_for_webhook();
            }
        });
    }

    /// Sets the platform's clock back, before anything has happened: what people write then is old when
    /// [`advance`](Self::advance) has brought the clock back to the present.
    pub fn set_back(&self, by: Duration) {
        self.fake.change(|world| world.clock.set_back(by));
    }

    /// Moves the platform's clock: updates expire, buckets refill, penalties end.
    pub fn advance(&self, by: Duration) {
        self.fake.change(|world| world.advance(by));
    }

    /// A person in the private chat with `roundtable_bot`; new on first use.
    pub fn user(&self, name: &str) -> Seat {
        Seat::private(&self.fake, self.bot, name)
    }

    /// A new group with all bots as plain members. [`Seat::in_group`] makes supergroups by itself.
    pub fn new_group(&self, title: &str, kind: GroupKind) -> Place {
        let key = self.fake.change(|world| world.group_with_bots(title, kind));
        Place::new(&self.fake, self.bot, key, None)
    }

    /// The group of that title; a supergroup on first use.
    pub fn group(&self, title: &str) -> Place {
        let key = self.fake.change(|world| {
            let known = world.group_named(title);
            known.unwrap_or_else(|| world.group_with_bots(title, GroupKind::Supergroup))
        });
        Place::new(&self.fake, self.bot, key, None)
    }

    /// Queues any update for `roundtable_bot`, as `{"kind": {…}}` without `update_id`; unknown kinds are welcome.
    pub fn inject(&self, update: Value) {
        let Value::Object(fields) = update else { return self.note("an injected update is an object") };
        for (kind, payload) in fields {
            self.fake.change(|world| world.enqueue(self.bot, None, &kind, payload));
        }
    }

    /// Gives the newest waiting update once more under a new number.
    pub fn repeat_last_update(&self) {
        self.on_queue(updates::Queue::repeat_last);
    }

    /// Puts the waiting updates into another order.
    pub fn reorder_updates(&self, order: impl FnOnce(&mut Vec<Update>)) {
        self.on_queue(|queue| queue.reorder(order));
    }

    fn on_queue(&self, change: impl FnOnce(&mut updates::Queue)) {
        self.fake.change(|world| {
            if let Some(bot) = world.bots.get_mut(&self.bot) {
                change(&mut bot.queue);
            }
        });
    }

    fn note(&self, violation: &str) {
        self.fake.change(|world| world.violation(violation));
    }

    /// The next call of `method` (any case) meets `fault`. Several calls of this make a queue.
    pub fn fail_next(&self, method: &str, fault: Fault) {
        self.fake.change(|world| world.faults.add(method, None, Obstacle::Fault(fault)));
    }

    /// The next call of `method` to that chat meets `fault`.
    pub fn fail_next_in(&self, place: &Place, method: &str, fault: Fault) {
        self.fake.change(|world| world.faults.add(method, Some(place.chat_id()), Obstacle::Fault(fault)));
    }

    /// The next call of `method` waits for what the test decides.
    pub fn hold(&self, method: &str) -> Hold {
        let (gate, hold) = gate(method);
        self.fake.change(|world| world.faults.add(method, None, Obstacle::Gate(gate)));
        hold
    }

    /// The next call of `method` to that chat waits for what the test decides.
    pub fn hold_in(&self, place: &Place, method: &str) -> Hold {
        let (gate, hold) = gate(method);
        self.fake.change(|world| world.faults.add(method, Some(place.chat_id()), Obstacle::Gate(gate)));
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

    /// The calls of one method (any case).
    pub fn calls_of(&self, method: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.method.eq_ignore_ascii_case(method));
        calls
    }

    /// From handing out a message to the first send into its chat, for each answered message.
    pub fn latencies(&self) -> Vec<Duration> {
        self.fake.look(|world| world.latencies.clone())
    }

    /// What the bot answered to a pressed button ([`Seat::presses`]): `{text, show_alert}`.
    pub fn callback_answer(&self, id: i64) -> Option<Value> {
        self.fake.look(|world| world.callbacks.get(&id).and_then(|callback| callback.answer.clone()))
    }

    /// Waits until something holds of the world, [`crate::PATIENCE`] at most; the error shows all chats.
    pub async fn wait_until(&self, what: &str, mut holds: impl FnMut(&World) -> bool) -> anyhow::Result<()> {
        self.fake.take(what, |world| holds(world).then_some(())).await
    }

    /// Waits as long as it takes until `look` finds something in the world.
    pub async fn watch<R>(&self, look: impl FnMut(&World) -> Option<R>) -> R {
        self.fake.watch(look).await
    }

    /// All chats with their messages, for people.
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

    /// The end of a test: fails on unread output, violations, texts that were only drafted, buttons that were never answered
    /// and faults that no call met.
    pub fn finish(&self) -> anyhow::Result<()> {
        self.report(self.fake.look(World::left_over))
    }

    fn report(&self, problems: Vec<String>) -> anyhow::Result<()> {
        anyhow::ensure!(problems.is_empty(), "{}\n{}", problems.join("\n"), self.transcript());
        Ok(())
    }
}
