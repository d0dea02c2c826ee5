//! New sessions: who may have one, and how it begins.

use serde_json::{Value, json};

use super::{events::intents, session::Session, shard::Shard, world::World};

impl World {
    /// IDENTIFY; the error is a close code.
    pub(super) fn identify(&mut self, connection: u64, data: &Value) -> Result<(), u16> {
        if self.connections[&connection].session.is_some() {
            self.violation("a second IDENTIFY on one connection");
            return Err(4005);
        }
        let bot = self.bot_of(&data["token"]).ok_or(4004_u16)?;
        self.let_in(bot)?;
        if !data["properties"].is_object() {
            self.violation("IDENTIFY without properties");
            return Err(4002);
        }
        let wanted = data["intents"].as_u64().filter(|bits| bits & !intents::KNOWN == 0).ok_or(4013_u16)?;
        let granted = if self.settings.message_content { intents::MESSAGE_CONTENT } else { 0 };
        let privileged = intents::MESSAGE_CONTENT | intents::GUILD_MEMBERS | intents::GUILD_PRESENCES;
        if wanted & privileged & !granted != 0 {
            return Err(4014);
        }
        let shard = Shard::read(&data["shard"]).ok_or(4010_u16)?;
        if self.guilds_of(bot, shard).len() > self.settings.guilds_per_shard {
            return Err(4011);
        }
        if self.too_many_identifies(bot) {
            self.say(connection, json!({"op": 9, "s": null, "t": null, "d": false}));
            return Ok(());
        }
        self.open_session(connection, bot, wanted, shard);
        Ok(())
    }

    /// A bot that was told with a close code not to come again is a violation.
    pub(super) fn let_in(&mut self, bot: u64) -> Result<(), u16> {
        let Some((code, told)) = self.bots.get_mut(&bot).and_then(|bot| bot.barred.as_mut()) else {
            return Ok(());
        };
        let code = *code;
        if std::mem::replace(told, true) {
            let what = format!("{} comes again after close code {code}", self.name_of(bot));
            self.violation(what);
        }
        Err(code)
    }

    /// How many IDENTIFYs are left to a bot, and for how many milliseconds these are all.
    pub(super) fn identifies_left(&mut self, bot: u64) -> (u32, u64) {
        let (now, budget) = (self.now_ms(), self.settings.identify_budget);
        let life = u64::try_from(self.settings.identify_reset.as_millis()).unwrap_or(u64::MAX);
        let Some(account) = self.bots.get_mut(&bot) else { return (0, 0) };
        if now >= account.identifies_since.saturating_add(life) {
            (account.identifies, account.identifies_since) = (0, now);
        }
        (budget.saturating_sub(account.identifies), account.identifies_since.saturating_add(life) - now)
    }

    fn too_many_identifies(&mut self, bot: u64) -> bool {
        self.identifies += 1;
        let (now, gap, budget) = (self.now_ms(), self.settings.identify_gap, self.settings.identify_budget);
        self.identifies_left(bot);
        let Some(account) = self.bots.get_mut(&bot) else { return true };
        let gap = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
        let early = account.identified_at.is_some_and(|at| now < at + gap);
        account.identifies += 1;
        account.identified_at = Some(now);
        if account.identifies > budget {
            account.token = String::from("reset");
            self.violation("the day's IDENTIFYs are used up: the token was reset");
            return true;
        }
        early
    }

    /// The guilds of a bot that a shard hears of, and whether they are there.
    pub(super) fn guilds_of(&self, bot: u64, shard: Shard) -> Vec<(u64, bool)> {
        let all = self.guilds.values().filter(|guild| guild.members.contains_key(&bot));
        let mine = all.filter(|guild| shard.hears(Some(guild.id)));
        mine.map(|guild| (guild.id, guild.available)).collect()
    }

    fn open_session(&mut self, connection: u64, bot: u64, intents: u64, shard: Shard) {
        let id = self.session_id();
        self.sessions.insert(id.clone(), Session::new(bot, intents, shard, connection));
        if let Some(socket) = self.connections.get_mut(&connection) {
            socket.session = Some(id.clone());
        }
        let mine = self.guilds_of(bot, shard);
        let waiting: Vec<Value> =
            mine.iter().map(|(id, _)| json!({"id": id.to_string(), "unavailable": true})).collect();
        let ready = json!({
            "v": 10, "user": self.me_json(bot), "guilds": waiting, "session_id": id, "session_type": "normal",
            "resume_gateway_url": format!("ws://{}/resume", self.host), "shard": shard.json(), "private_channels": [],
            "user_settings": {}, "application": {"id": self.bots[&bot].application.to_string(), "flags": 0},
        });
        self.push(&id, "READY", &ready, None);
        if intents & intents::GUILDS != 0 {
            for (guild, _) in mine.into_iter().filter(|(_, available)| *available) {
                let shown = self.guild_json(guild, bot);
                self.push(&id, "GUILD_CREATE", &shown, None);
            }
        }
    }

    /// Clients send the token with and without `Bot `.
    pub(super) fn bot_of(&self, token: &Value) -> Option<u64> {
        let token = token.as_str()?;
        self.bot_with_token(token.strip_prefix("Bot ").unwrap_or(token))
    }

    /// The bot of a bare token.
    pub(super) fn bot_with_token(&self, token: &str) -> Option<u64> {
        self.bots.iter().find(|(_, bot)| bot.token == token).map(|(id, _)| *id)
    }
}
