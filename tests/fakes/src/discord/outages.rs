//! What goes wrong with the gateway.

use serde_json::{Value, json};

use super::{
    DiscordFake,
    session::{Out, Session},
    world::{Lost, World},
};

impl DiscordFake {
    /// Waits until `roundtable_bot` is connected and ready.
    pub async fn connected(&self) -> anyhow::Result<()> {
        self.wait_until("a ready gateway session", |world| world.connected() > 0).await
    }

    /// Cuts every gateway connection without a close frame and takes no new ones. REST goes on, and so do people: their
    /// messages wait in the sessions, as long as these live.
    pub fn gateway_down(&self) {
        self.set(|settings| settings.gateway = false);
        self.drop_gateway();
    }

    /// Takes connections again.
    pub fn gateway_up(&self) {
        self.set(|settings| settings.gateway = true);
    }

    /// Forgets every session: RESUME is answered with op 9 and nothing is replayed.
    pub fn forget_sessions(&self) {
        self.fake.change(|world| {
            world.sessions.clear();
            world.connections.values_mut().for_each(|connection| connection.session = None);
        });
    }

    /// Cuts every gateway connection without a close frame.
    pub fn drop_gateway(&self) {
        self.every_connection(|| Out::Cut);
    }

    /// Every gateway connection stays open and is dead: nothing is read or written any more.
    pub fn freeze_gateway(&self) {
        self.every_connection(|| Out::Freeze);
    }

    /// The connection of one shard stays open and is dead; the others go on.
    pub fn freeze_shard(&self, number: u64) {
        self.fake.change(|world| {
            for id in world.connections_of(|session| session.shard.number == number) {
                world.connections.entry(id).and_modify(|socket| socket.outbox.push_back(Out::Freeze));
            }
        });
    }

    /// Closes every gateway connection with a code; those that end sessions end them.
    pub fn close_gateway(&self, code: u16) {
        self.fake.change(|world| {
            for connection in world.connections.keys().copied().collect::<Vec<_>>() {
                world.close(connection, code);
            }
        });
    }

    /// Closes the connections of one bot with a code.
    pub fn close_gateway_of(&self, bot: &str, code: u16) {
        self.fake.change(|world| {
            let bot = world.bot_named(bot);
            for connection in world.connections_of(|session| session.bot == bot) {
                world.close(connection, code);
            }
        });
    }

    /// Refuses a bot for good with a close code, now and whenever it comes; that it comes again is a violation.
    pub fn bar(&self, bot: &str, code: u16) {
        self.fake.change(|world| {
            let bot = world.bot_named(bot);
            let connections = world.connections_of(|session| session.bot == bot);
            if let Some(account) = world.bots.get_mut(&bot) {
                account.barred = Some((code, !connections.is_empty()));
            }
            for connection in connections {
                world.close(connection, code);
            }
        });
    }

    /// Lets a bot in again that was refused for good.
    pub fn let_in(&self, bot: &str) {
        self.fake.change(|world| {
            let bot = world.bot_named(bot);
            world.bots.entry(bot).and_modify(|account| account.barred = None);
        });
    }

    /// How many sockets were asked for.
    pub fn sockets(&self) -> u32 {
        self.fake.look(World::sockets)
    }

    /// How many IDENTIFYs there were.
    pub fn identifies(&self) -> u32 {
        self.fake.look(World::identifies)
    }

    /// The next message of a person is lost on its way through the gateway; REST shows it.
    pub fn lose_next(&self, how: Lost) {
        self.fake.change(|world| world.losses.push_back(how));
    }

    /// Asks every client to reconnect (op 7).
    pub fn ask_to_reconnect(&self) {
        self.send(&json!({"op": 7, "s": null, "t": null, "d": null}));
    }

    /// Tells every client that its session is invalid (op 9); `resumable` ones live on.
    pub fn invalidate_sessions(&self, resumable: bool) {
        self.send(&json!({"op": 9, "s": null, "t": null, "d": resumable}));
        if !resumable {
            self.forget_sessions();
        }
    }

    /// Asks every client for a heartbeat now (op 1).
    pub fn ask_for_heartbeat(&self) {
        self.send(&json!({"op": 1, "s": null, "t": null, "d": null}));
    }

    /// Sends any payload to every client, outside the numbered events.
    pub fn send(&self, payload: &Value) {
        self.fake.change(|world| world.say_all(payload));
    }

    /// An event of any name and content to every session; unknown ones are welcome.
    pub fn inject(&self, name: &str, data: &Value) {
        self.fake.change(|world| world.tell_all(name, data));
    }

    /// The guild goes away for a while (GUILD_DELETE with `unavailable`), or comes back (GUILD_CREATE).
    pub fn set_guild_available(&self, available: bool) {
        let guild = self.guild;
        self.fake.change(|world| {
            if let Some(found) = world.guilds.get_mut(&guild) {
                found.available = available;
            }
            if available {
                world.tell_guild(guild);
            } else {
                world.tell_guild_away(guild);
            }
        });
    }

    /// The guild puts `roundtable_bot` out (GUILD_DELETE), which sees nothing of it any more.
    pub fn put_out(&self) {
        self.fake.change(|world| {
            world.guilds.entry(self.guild).and_modify(|guild| drop(guild.members.remove(&self.bot)));
            world.tell_put_out(self.guild, self.bot);
        });
    }

    /// The guild invites it again (GUILD_CREATE).
    pub fn invite(&self) {
        self.fake.change(|world| {
            world.join(self.guild, self.bot);
            world.tell_guild(self.guild);
        });
    }

    /// Where each RESUME came in: `/resume` is the address that READY gave, `/` the first one.
    pub fn resume_paths(&self) -> Vec<String> {
        self.fake.look(|world| world.resumes.clone())
    }

    fn every_connection(&self, out: impl Fn() -> Out) {
        self.fake.change(|world: &mut World| {
            world.connections.values_mut().for_each(|connection| connection.outbox.push_back(out()));
        });
    }
}

impl World {
    /// The bot of that name, which the test has made.
    fn bot_named(&self, name: &str) -> u64 {
        let found = self.bots.keys().copied().find(|bot| self.name_of(*bot) == name);
        found.unwrap_or_else(|| panic!("no bot is called {name}"))
    }

    fn connections_of(&self, mut is_meant: impl FnMut(&Session) -> bool) -> Vec<u64> {
        let sessions = self.sessions.values().filter(|session| is_meant(session));
        sessions.filter_map(|session| session.connection).collect()
    }
}
